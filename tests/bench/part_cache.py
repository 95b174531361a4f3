"""Part "cache": answers that a database gave before, against the floor; and a million of them.

PostgreSQL is real, and asked once for each key. What is measured afterwards comes from the cache.
"""

import re
import signal
import statistics
import subprocess
import time

import database
from bench import Watch
from part_speed import SPEED_TARGETS, measure_pairs, print_speed_row
from servers import Failed, start_daemon

ENTRIES = 100_000
FOURTH_TARGET = 0.75
MILLION = 1_000_000
MILLION_TARGET_BYTES = 110_000_000
COST_TARGET = 1.5
PAUSE_TARGET_US = 1000
LOAD_TARGET_MS = 1000
DATA = "cache-data"
SETTINGS = "default_cache_ttl = 1d\ndefault_negative_cache_ttl = 1d\ncache_size = 512M\n"
# Only the bare user is there: after the address, the address without its extension, and the user
# with it, that is the fourth candidate.
BARE_QUERY = "SELECT login FROM bench WHERE address = '%s' || '@example.net'"
# Whatever is asked for is there: no table of a million rows.
ANY_QUERY = "SELECT 'gregory,root' WHERE '%s' <> ''"


def write_keys(folder):
    folder.mkdir()
    hit = (f"user{i:06d}@example.net\n" for i in range(ENTRIES))
    fourth = (f"user{i:06d}+lists@example.net\n" for i in range(ENTRIES))
    thirty = [f"user{i:08d}.nam@example.net.x\n" for i in range(MILLION)]
    assert len(thirty[0]) == 31
    (folder / "keys.hit").write_text("".join(hit))
    (folder / "keys.fourth").write_text("".join(fourth))
    (folder / "keys.million").write_text("".join(thirty))
    (folder / "keys.thousand").write_text("".join(thirty[: 1000]))


def start(bench, server, folder, query, settings, name=None, **more):
    """name: of the map file; a daemon with the same one has the same source."""
    path = server.map_file(bench.folder / f"{name or folder}.cf", query)
    return start_daemon(bench.options.daemon, bench.folder / folder, f"pgsql:{path}",
                        SETTINGS + settings, **more)


def warm(bench, daemon, keys, n):
    """Each key is asked for: the load generator goes through the file in a random order, again
    and again, so some come late. Twice the file leaves none out but by chance."""
    return bench.load(daemon, "socketmap", "unix", keys, "-c", 64, "-d", 8, "-n", n, data=DATA,
                      expect=None)


# ---------------------------------------------------------------- speed


class Data:
    """bench, with this part's keys in the place of the speed part's."""

    def __init__(self, bench):
        self.bench = bench

    def __getattr__(self, name):
        return getattr(self.bench, name)

    def load(self, *arguments, **more):
        return self.bench.load(*arguments, data=DATA, **more)


def speed(bench, server, cpu):
    results = []
    floor = bench.start("floor", cpu=cpu)
    daemons = []
    try:
        for keys, query, settings in (
            ("hit", database.QUERY, ""),
            ("fourth", BARE_QUERY, ""),
        ):
            daemon = start(bench, server, f"cached-{keys}", query, settings, cpu=cpu)
            daemons.append(daemon)
            warm(bench, daemon, keys, 3 * ENTRIES)
            for connections, depth in SPEED_TARGETS:
                row = ("socketmap", "unix", keys, "OK", True)
                result = measure_pairs(Data(bench), {"floor": floor, "daemon": daemon}, row,
                                       connections, depth)
                if keys == "fourth":
                    result["target"] = FOURTH_TARGET if depth == 1 else None
                    result["met"] = result["ratio"] >= FOURTH_TARGET if depth == 1 else None
                results.append(result)
                print_speed_row(result)
    finally:
        for each in [floor, *daemons]:
            each.stop()
    return results


# ---------------------------------------------------------------- a million


def cost(bench, daemon, keys):
    """Processor time of the daemon for each lookup, and the longest wait, medians."""
    runs = [
        bench.load(daemon, "socketmap", "unix", keys, "-c", 64, "-d", 1, "-t",
                   bench.options.seconds, "-w", bench.options.warmup, data=DATA, expect=None)
        for _ in range(bench.options.pairs)
    ]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def waits(bench, daemon, seconds=1):
    """What 8 clients wait for hits, of which each asks one after the other."""
    return bench.load(daemon, "socketmap", "unix", "thousand", "-c", 8, "-d", 1, "-t", seconds,
                      "-w", 0, "--spin", data=DATA, expect=None, cpu=bench.load_cpu())


def waits_while_saving(bench, daemon, path):
    """The same, while all entries are written to cache_file."""
    daemon.process.send_signal(signal.SIGHUP)  # a reload saves
    figures = waits(bench, daemon)
    deadline = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > deadline:
            raise Failed(f"{path} was not written:\n{daemon.log()}")
        time.sleep(0.1)
    return figures


def load_ms(bench, server, settings):
    """How long a daemon takes that finds the file of the one before."""
    daemon = start(bench, server, "million-again", ANY_QUERY, settings, name="million")
    try:
        match = re.search(r"(\d+) of \d+ entries from .* \(read in (\d+) ms\)", daemon.log())
    finally:
        daemon.stop()
    if match is None:
        raise Failed(f"the daemon did not read its cache_file:\n{daemon.log()}")
    return int(match.group(1)), int(match.group(2))


def pauses(bench):
    """The longest single calls of each kind, by the unit test that knows them; None without it."""
    program = bench.options.daemon.parent / "tests" / "unit" / "test_cache_pauses"
    if not program.exists():
        print(f"Pauses: skipped, {program} is not there (make tests).\n")
        return None
    done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    rows = re.findall(r"^    (\S.*?) +(\d+) +([\d.]+)$", done.stdout, re.M)
    worst = max(int(longest) for _, longest, _ in rows)
    print("Pauses of the cache with a million entries, us:        longest      mean")
    for what, longest, mean in rows:
        print(f"  {what:<52} {longest:>8} {mean:>9}")
    print(f"  target at most {PAUSE_TARGET_US}: {'met' if worst <= PAUSE_TARGET_US else 'MISSED'}\n",
          flush=True)
    return {what: {"longest_us": int(longest), "mean_us": float(mean)}
            for what, longest, mean in rows}


def million(bench, server, cpu):
    path = bench.folder / "cache-file"
    settings = f"default_search = full\ncache_file = {path}\n"
    daemon = start(bench, server, "million", ANY_QUERY, settings, cpu=cpu)
    try:
        empty = daemon.memory()["VmRSS"]
        warm(bench, daemon, "thousand", 4000)
        thousand = cost(bench, daemon, "thousand")
        warm(bench, daemon, "million", 3 * MILLION)
        full = daemon.memory()["VmRSS"]
        all_of_them = cost(bench, daemon, "million")
        calm = waits(bench, daemon)
        saving = waits_while_saving(bench, daemon, path)
    finally:
        daemon.stop()
    loaded, loaded_ms = load_ms(bench, server, settings)
    ratio = all_of_them["server_us"] / thousand["server_us"]
    result = {
        "resident_bytes": full, "empty_bytes": empty, "cost_ratio": ratio,
        "thousand": thousand, "million": all_of_them,
        "memory_met": full <= MILLION_TARGET_BYTES, "cost_met": ratio <= COST_TARGET,
        "waits": calm, "waits_while_saving": saving,
        "loaded": loaded, "loaded_ms": loaded_ms, "load_met": loaded_ms <= LOAD_TARGET_MS,
    }
    print(
        f"\nA million entries, 30-byte keys and 12-byte values: {full / 1e6:.1f} MB resident in "
        f"all ({empty / 1e6:.1f} MB without them)  target {MILLION_TARGET_BYTES / 1e6:.0f} MB: "
        f"{'met' if result['memory_met'] else 'MISSED'}\n"
        f"CPU for a lookup among a million: {all_of_them['server_us']:.2f} us, among a thousand "
        f"{thousand['server_us']:.2f} us: {ratio:.2f} times  target at most {COST_TARGET}: "
        f"{'met' if result['cost_met'] else 'MISSED'}\n"
        f"p99 {all_of_them['p99_us']:.0f} us and {thousand['p99_us']:.0f} us.\n"
        f"8 clients wait for hits at most {calm['max_us']:.0f} us (p99.9 {calm['p999_us']:.0f}), "
        f"and while all is saved {saving['max_us']:.0f} us (p99.9 {saving['p999_us']:.0f}); the "
        f"machine's own pauses are in both.\n"
        f"{loaded:,} entries are loaded at start in {loaded_ms} ms  target {LOAD_TARGET_MS}: "
        f"{'met' if result['load_met'] else 'MISSED'}\n",
        flush=True,
    )
    result["pauses"] = pauses(bench)
    return result


def cache(bench):
    why = database.why_not(bench)
    if why is not None:
        print(f"Cache: skipped, {why}.\n")
        return {}
    write_keys(bench.folder / DATA)
    cpu = bench.server_cpu()
    print(
        f"Cache: {ENTRIES:,} addresses that PostgreSQL was asked for before, the first candidate "
        f"of the walk and the fourth; columns as in the speed part.\n"
    )
    watch = Watch(bench)
    with database.Database() as server:
        results = {"speed": speed(bench, server, cpu), "million": million(bench, server, cpu)}
    results["others"], results["host"] = watch.shares()
    return results
