"""Part "cache": answers that a database gave before, against the floor; and a million of them.

PostgreSQL is real, and asked once for each key. What is measured afterwards comes from the cache.
"""

import statistics

import database
from bench import Watch
from part_speed import SPEED_TARGETS, measure_pairs, print_speed_row
from servers import start_daemon

ENTRIES = 100_000
FOURTH_TARGET = 0.75
MILLION = 1_000_000
MILLION_TARGET_BYTES = 110_000_000
COST_TARGET = 1.5
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


def start(bench, server, name, query, settings, **more):
    path = server.map_file(bench.folder / f"{name}.cf", query)
    return start_daemon(bench.options.daemon, bench.folder / name, f"pgsql:{path}",
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


def million(bench, server, cpu):
    daemon = start(bench, server, "million", ANY_QUERY, "default_search = full\n", cpu=cpu)
    try:
        empty = daemon.memory()["VmRSS"]
        warm(bench, daemon, "thousand", 4000)
        thousand = cost(bench, daemon, "thousand")
        warm(bench, daemon, "million", 3 * MILLION)
        full = daemon.memory()["VmRSS"]
        all_of_them = cost(bench, daemon, "million")
    finally:
        daemon.stop()
    ratio = all_of_them["server_us"] / thousand["server_us"]
    result = {
        "resident_bytes": full, "empty_bytes": empty, "cost_ratio": ratio,
        "thousand": thousand, "million": all_of_them,
        "memory_met": full <= MILLION_TARGET_BYTES, "cost_met": ratio <= COST_TARGET,
    }
    print(
        f"\nA million entries, 30-byte keys and 12-byte values: {full / 1e6:.1f} MB resident in "
        f"all ({empty / 1e6:.1f} MB without them)  target {MILLION_TARGET_BYTES / 1e6:.0f} MB: "
        f"{'met' if result['memory_met'] else 'MISSED'}\n"
        f"CPU for a lookup among a million: {all_of_them['server_us']:.2f} us, among a thousand "
        f"{thousand['server_us']:.2f} us: {ratio:.2f} times  target at most {COST_TARGET}: "
        f"{'met' if result['cost_met'] else 'MISSED'}\n"
        f"p99 {all_of_them['p99_us']:.0f} us and {thousand['p99_us']:.0f} us. The longest single "
        f"put and eviction: build/tests/unit/test_cache.\n",
        flush=True,
    )
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
