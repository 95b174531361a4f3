"""Part "proxymap": what a site gains that moves from proxy:pgsql: to the daemon.

The same map file is asked through a real Postfix's proxymap and through the daemon, both by the
same number of postmap(1) processes at once, each of which asks one key after the other, as smtpd
does. Needs root, to start Postfix in a directory of its own.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

import database
from bench import RUN_LIMIT_S, Watch, spread, uncached
from servers import MAP, VALUE, Failed

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import harness  # noqa: E402 (needs the path above)

TARGETS = {8: 2.2, 32: 2.5}  # processes: times as many lookups per second
LOOKUPS = 64_000  # of all processes together, in one run


def key_files(folder, processes, lookups):
    """One file of keys for each process; each key is there once in all."""
    files = []
    step = database.ENTRIES // lookups
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


def measure(bench, postfix, tables, processes):
    lookups = LOOKUPS if not bench.options.quick else LOOKUPS // 4
    lookups -= lookups % processes
    files = key_files(bench.folder, processes, lookups)
    runs = {name: [] for name in tables}
    watch = Watch(bench)
    for table in tables.values():  # proxymap starts its processes at the first request
        run_postmaps(postfix, table, files, lookups)
    for turn in range(bench.options.pairs):
        for name in tables if turn % 2 == 0 else reversed(tables):
            runs[name].append(run_postmaps(postfix, tables[name], files, lookups))
    ratios = {
        name: [mine / its for mine, its in zip(runs[name], runs["proxymap"])]
        for name in tables if name != "proxymap"
    }
    result = {"processes": processes, "ratios": ratios, "target": TARGETS[processes]}
    result["rates"] = {name: statistics.median(rates) for name, rates in runs.items()}
    result["met"] = statistics.median(ratios["daemon"]) >= result["target"]
    result["others"], result["host"] = watch.shares()
    verdict = f"target {result['target']}: {'met' if result['met'] else 'MISSED'}"
    rates = result["rates"]
    print(
        f"{processes:>3} postmaps  proxymap {rates['proxymap']:>8,.0f}/s   "
        f"daemon {rates['daemon']:>8,.0f}/s: {spread(ratios['daemon'], '.2f')} times  {verdict}\n"
        f"{'':33}whole walk {rates['walk']:>8,.0f}/s: {spread(ratios['walk'], '.2f')} times",
        flush=True,
    )
    return result


def start_daemon(bench, scratch, name, path, search):
    """As a site runs it: started by root, and with a user of its own."""
    settings = {"local_domains": "example.net", "recipient_delimiter": "+",
                "owner_request_special": "no"}
    settings.update(line.split(" = ") for line in uncached(bench).splitlines())
    if search:
        settings["default_search"] = search
    return harness.Daemon(scratch, name, settings, {MAP: f"pgsql:{path}"}).start()


def proxymap(bench):
    why = database.why_not(bench)
    if why is None and os.geteuid() != 0:
        why = "only root can start Postfix"
    if why is not None:
        print(f"Proxymap: skipped, {why}.\n")
        return []
    try:
        harness.require_tools()
    except harness.SetupError as error:
        print(f"Proxymap: skipped, {error}.\n")
        return []
    harness.DAEMON = str(bench.options.daemon)
    print("Proxymap: the same map file asked by postmap -q -, all keys found, no cache.\n")
    results = []
    try:
        with database.Database() as server, harness.Scratch("bench") as scratch:
            path = server.map_file(scratch.file("bench.cf"))
            os.chmod(path, 0o644)  # for proxymap and for the daemon, which are not root
            tables = {"proxymap": f"proxy:pgsql:{path}"}
            for name, search in (("daemon", "full"), ("walk", "")):
                daemon = start_daemon(bench, scratch, name, path, search)
                tables[name] = daemon.socketmap(MAP)
            postfix = harness.Postfix(scratch, None, {"proxy_read_maps": tables["proxymap"]})
            postfix.start()
            for processes in TARGETS:
                results.append(measure(bench, postfix, tables, processes))
    except harness.SetupError as error:
        raise Failed(str(error)) from None
    print()
    return results
