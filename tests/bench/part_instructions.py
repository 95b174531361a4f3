"""Part "instructions": what the daemon itself executes for each lookup, by callgrind."""

import re
import shutil

import database
from bench import write_data
from part_pgsql import CLIENTS, DATA, start_pgsql_daemon
from servers import Failed

REQUESTS = 10_000


def count_life(bench, start, requests, *arguments, **more):
    """All instructions of one server's life in which it answers the requests."""
    bench.count += 1
    out = bench.folder / f"callgrind.{bench.count}"
    server = start(wrap=["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"])
    try:
        bench.load(server, *arguments, "-n", requests, **more)
    finally:
        server.stop()
    match = re.search(r"^(?:summary|totals):\s+(\d+)", out.read_text(), re.M)
    if match is None:
        raise Failed(f"callgrind left no summary for {server.name}:\n{server.log()}")
    return int(match.group(1))


def count_each(bench, start, *arguments, **more):
    """For one request: two lives of which one answers twice as many."""
    once = count_life(bench, start, REQUESTS, *arguments, **more)
    twice = count_life(bench, start, 2 * REQUESTS, *arguments, **more)
    return (twice - once) / REQUESTS


def from_memory(bench, which, wire, keys, depth):
    expect = "NOTFOUND" if keys == "not-found" else "OK"
    if which == "floor" or bench.options.stand_in:
        expect = "OK"
    return count_each(
        bench, lambda wrap: bench.start(which, data="few", wrap=wrap), wire, "unix", keys,
        "-d", depth, data="few", expect=expect,
    )


def from_pgsql(bench, server, keys):
    """One connection, so that as many are made in both lives."""
    def start(wrap):
        return start_pgsql_daemon(
            bench, server, f"counted{bench.count}", search="full" if keys == "hit" else "",
            parameters={"connections": "1"}, wrap=wrap,
        )
    return count_each(
        bench, start, "socketmap", "unix", keys, "-c", CLIENTS, data=DATA,
        expect="OK" if keys == "hit" else "NOTFOUND",
    )


def pgsql_instructions(bench):
    why = database.why_not(bench)
    if why is not None:
        print(f"{'asked of PostgreSQL':<27} skipped, {why}")
        return []
    if not (bench.folder / DATA).exists():
        database.write_keys(bench.folder / DATA)
    results = []
    with database.Database() as server:
        for keys, label in (("hit", "one key"), ("not-found", "a walk of five")):
            result = {"wire": "socketmap", "keys": keys, "depth": 1, "asked": "pgsql"}
            result["daemon"] = from_pgsql(bench, server, keys)
            results.append(result)
            print(f"{'PostgreSQL, ' + label:<27} {1:>5} {'':>8} {result['daemon']:>8.0f}",
                  flush=True)
    return results


def instructions(bench):
    if shutil.which("valgrind") is None:
        print("Instructions: skipped, valgrind is not installed.\n")
        return []
    write_data(bench.folder / "few", 1000)
    results = []
    print("Instructions for each lookup, the kernel's not included (callgrind).\n")
    print(f"{'':27} {'depth':>5} {'floor':>8} {'daemon':>8}")
    for wire, keys, depth in (
        ("socketmap", "hit", 1),
        ("socketmap", "hit", 16),
        ("socketmap", "catch-all", 16),
        ("socketmap", "not-found", 16),
        ("tcp_table", "hit", 16),
    ):
        result = {"wire": wire, "keys": keys, "depth": depth}
        for which in ("floor", "daemon"):
            result[which] = from_memory(bench, which, wire, keys, depth)
        results.append(result)
        label = f"{wire} unix {keys}"
        print(f"{label:<27} {depth:>5} {result['floor']:>8.0f} {result['daemon']:>8.0f}", flush=True)
    results += pgsql_instructions(bench)
    print()
    return results
