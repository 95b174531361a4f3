"""Part "proxymap": what a site gains that moves from proxy:pgsql: to the daemon. And what the
part "ldap" needs to ask the same of proxy:ldap:.

The same map file is asked through a real Postfix's proxymap and through the daemon, both by the
same number of postmap(1) processes at once, each of which asks one key after the other, as smtpd
does. Needs root, to start Postfix in a directory of its own.
"""

import functools
import os
import pathlib
import statistics
import subprocess
import sys
import time

import database
from bench import RUN_LIMIT_S, Watch, spread, take_turns, uncached
from servers import MAP, VALUE, Failed

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import harness  # noqa: E402 (needs the path above)

LOOKUPS = 64_000  # of all processes together, in one run
USERS = 100_000  # user000000@example.net and so on, in whatever is asked
CACHED = "cached"  # the daemon that keeps what it was told; the others ask for each lookup
# Processes: times as many lookups per second.
TARGETS = {8: {"daemon": 2.2, CACHED: 4.0}, 32: {"daemon": 2.5, CACHED: 4.0}}
# What is measured beside proxymap: its name in the output.
LABELS = {"daemon": "daemon", "walk": "whole walk", CACHED: "cached"}


def key_files(folder, processes, lookups):
    """One file of keys for each process; each key is there once in all."""
    files = []
    step = USERS // lookups
    keys = [f"user{i * step:06d}@example.net\n" for i in range(lookups)]
    for number in range(processes):
        path = folder / f"keys.{processes}.{number}"
        path.write_text("".join(keys[number::processes]))
        files.append(path)
    return files


def run_postmaps(postfix, table, files, lookups):
    """Lookups per second of all processes from the first one's start to the last one's end."""
    outputs = [path.with_suffix(path.suffix + ".out") for path in files]
    began = time.monotonic()
    running = []
    try:
        for path, output in zip(files, outputs):
            with open(path, "rb") as keys, open(output, "wb") as out:
                running.append(subprocess.Popen(
                    ["postmap", "-c", postfix.config, "-q", "-", table],
                    stdin=keys, stdout=out, stderr=subprocess.PIPE,
                ))
        errors = [one.communicate(timeout=RUN_LIMIT_S)[1] for one in running]
    finally:
        for one in running:
            if one.poll() is None:
                one.kill()
                one.wait()
    seconds = time.monotonic() - began
    found = sum(output.read_text().count(f"\t{VALUE}\n") for output in outputs)
    if found != lookups or any(one.returncode != 0 for one in running):
        raise Failed(f"postmap -q {table}: {found} of {lookups} found: {b''.join(errors)[:500]}")
    return lookups / seconds


def measure(bench, postfix, tables, processes, targets):
    """tables: {"proxymap" or a name of LABELS: TYPE:TABLE}."""
    lookups = LOOKUPS if not bench.options.quick else LOOKUPS // 4
    lookups -= lookups % processes
    files = key_files(bench.folder, processes, lookups)
    watch = Watch(bench)
    for table in tables.values():  # proxymap starts its processes, and a cache is filled
        run_postmaps(postfix, table, files, lookups)
    runs = take_turns(bench.options.pairs, {
        name: functools.partial(run_postmaps, postfix, table, files, lookups)
        for name, table in tables.items()
    })
    ratios = {
        name: [mine / its for mine, its in zip(runs[name], runs["proxymap"])]
        for name in tables if name != "proxymap"
    }
    result = {"processes": processes, "ratios": ratios, "targets": targets}
    result["rates"] = {name: statistics.median(rates) for name, rates in runs.items()}
    result["met"] = {
        name: statistics.median(ratios[name]) >= target for name, target in targets.items()
    }
    result["others"], result["host"] = watch.shares()
    return result


def print_result(result):
    rates = result["rates"]
    print(f"{result['processes']:>3} postmaps  {'proxymap':<10} {rates['proxymap']:>8,.0f}/s")
    for name, ratios in result["ratios"].items():
        verdict = ""
        if name in result["targets"]:
            verdict = f"  target {result['targets'][name]}: "
            verdict += "met" if result["met"][name] else "MISSED"
        print(f"{'':14}{LABELS[name]:<10} {rates[name]:>8,.0f}/s: "
              f"{spread(ratios, '.2f')} times{verdict}", flush=True)


def start_daemon(bench, scratch, name, source, search):
    """As a site runs it: started by root, and with a user of its own."""
    settings = {"local_domains": "example.net", "recipient_delimiter": "+",
                "owner_request_special": "no"}
    if name != CACHED:
        settings.update(line.split(" = ") for line in uncached(bench).splitlines())
    if search:
        settings["default_search"] = search
    return harness.Daemon(scratch, name, settings, {MAP: source}).start()


def why_not(bench, source):
    """Why proxymap cannot be asked here; None when it can. source: a type of Postfix's tables."""
    if os.geteuid() != 0:
        return "only root can start Postfix"
    harness.DAEMON = str(bench.options.daemon)
    try:
        harness.require_tools()
    except harness.SetupError as error:
        return str(error)
    known = subprocess.run(["postconf", "-m"], capture_output=True, text=True).stdout.split()
    return None if source in known else f"this Postfix knows no {source}: tables"


def against_proxymap(bench, source, write_map, searches, targets):
    """source: "pgsql" or "ldap"; write_map(path) writes its map file. searches: {name of LABELS:
    MAP_search, "" for the default}. Prints and returns the results."""
    results = []
    try:
        with harness.Scratch("bench") as scratch:
            path = write_map(scratch.file("bench.cf"))
            os.chmod(path, 0o644)  # for proxymap and for the daemon, which are not root
            tables = {"proxymap": f"proxy:{source}:{path}"}
            for name, search in searches.items():
                daemon = start_daemon(bench, scratch, name, f"{source}:{path}", search)
                tables[name] = daemon.socketmap(MAP)
            postfix = harness.Postfix(scratch, None, {"proxy_read_maps": tables["proxymap"]})
            postfix.start()
            for processes in targets:
                results.append(measure(bench, postfix, tables, processes, targets[processes]))
                print_result(results[-1])
    except harness.SetupError as error:
        raise Failed(str(error)) from None
    print()
    return results


def proxymap(bench):
    why = database.why_not(bench) or why_not(bench, "pgsql")
    if why is not None:
        print(f"Proxymap: skipped, {why}.\n")
        return []
    print("Proxymap: the same map file asked by postmap -q -, all keys found, no cache but where it "
          "says so.\n")
    with database.Database() as server:
        return against_proxymap(
            bench, "pgsql", server.map_file, {"daemon": "full", "walk": "", CACHED: "full"},
            TARGETS
        )
