"""Part "instructions": what the daemon itself executes for each lookup, by callgrind."""

import re
import shutil

from bench import write_data
from servers import Failed


def count_instructions(bench, which, wire, keys, depth, requests):
    """All instructions of one server's life in which it answers the requests."""
    out = bench.folder / f"callgrind.{which}.{wire}.{keys}.{depth}.{requests}"
    wrap = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    server = bench.start(which, data="few", wrap=wrap)
    try:
        expect = "NOTFOUND" if keys == "not-found" else "OK"
        if which == "floor" or bench.options.stand_in:
            expect = "OK"
        bench.load(
            server, wire, "unix", keys, "-n", requests, "-d", depth, data="few", expect=expect
        )
    finally:
        server.stop()
    match = re.search(r"^(?:summary|totals):\s+(\d+)", out.read_text(), re.M)
    if match is None:
        raise Failed(f"callgrind left no summary for {server.name}:\n{server.log()}")
    return int(match.group(1))


def instructions(bench):
    if shutil.which("valgrind") is None:
        print("Instructions: skipped, valgrind is not installed.\n")
        return []
    write_data(bench.folder / "few", 1000)
    requests = 10_000
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
            once = count_instructions(bench, which, wire, keys, depth, requests)
            twice = count_instructions(bench, which, wire, keys, depth, 2 * requests)
            result[which] = (twice - once) / requests
        results.append(result)
        label = f"{wire} unix {keys}"
        print(f"{label:<27} {depth:>5} {result['floor']:>8.0f} {result['daemon']:>8.0f}", flush=True)
    print()
    return results
