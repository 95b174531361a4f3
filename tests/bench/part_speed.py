"""Part "speed": lookups per second of answers from memory, against the floor."""

import statistics

from bench import Watch, unsure, write_data

ENTRIES = 100_000
SPEED_TARGETS = {(64, 1): 0.85, (8, 16): 0.50}

SPEED_ROWS = [
    # wire, family, keys, expected outcome, has a target
    ("socketmap", "unix", "hit", "OK", True),
    ("socketmap", "unix", "hot", "OK", True),
    ("tcp_table", "unix", "hit", "OK", False),
    ("socketmap", "inet", "hit", "OK", False),
    ("socketmap", "unix", "extension", "OK", False),
    ("socketmap", "unix", "catch-all", "OK", False),
    ("socketmap", "unix", "not-found", "NOTFOUND", False),
]


def measure_pairs(bench, servers, row, connections, depth):
    """Alternating runs; the order within a pair changes from pair to pair."""
    wire, family, keys, expect, targeted = row
    options = bench.options
    pairs = options.pairs if targeted else options.info_pairs
    seconds = options.seconds if targeted else options.info_seconds
    arguments = ["-c", connections, "-d", depth, "-t", seconds, "-w", options.warmup]
    arguments += [] if options.no_spin else ["--spin"]
    runs = {"floor": [], "daemon": []}
    watch = Watch(bench)
    for pair in range(pairs):
        for which in ("floor", "daemon") if pair % 2 == 0 else ("daemon", "floor"):
            stands_in = which == "floor" or options.stand_in
            runs[which].append(
                bench.load(
                    servers[which], wire, family, keys, *arguments,
                    expect="OK" if stands_in else expect,
                    cpu=bench.load_cpu(),
                )
            )
    ratios = [d["rate"] / f["rate"] for f, d in zip(runs["floor"], runs["daemon"])]
    target = SPEED_TARGETS[connections, depth] if targeted else None
    result = {
        "wire": wire, "family": family, "keys": keys,
        "connections": connections, "depth": depth,
        "ratio": statistics.median(ratios), "ratios": ratios,
        "target": target, "met": None if target is None else statistics.median(ratios) >= target,
    }
    result["others"], result["host"] = watch.shares()
    for which, figures in runs.items():
        result[which] = {
            name: statistics.median(run[name] for run in figures) for name in figures[0]
        }
    result["cpu_ratio"] = result["floor"]["server_us"] / result["daemon"]["server_us"]
    return result


def print_speed_row(result):
    floor, daemon = result["floor"], result["daemon"]
    label = f"{result['wire']} {result['family']} {result['keys']}"
    verdict = ""
    if result["target"] is not None:
        verdict = f"  target {result['target']:.0%}: {'met' if result['met'] else 'MISSED'}"
        verdict += unsure(result)
    print(
        f"{label:<27} {result['connections']:>3} x {result['depth']:<3}"
        f"{floor['rate']:>10,.0f} {daemon['rate']:>10,.0f} {result['ratio']:>6.1%}"
        f"  {min(result['ratios']):>4.0%}-{max(result['ratios']):<4.0%}"
        f"{floor['server_us']:>7.2f} {daemon['server_us']:>7.2f} {result['cpu_ratio']:>5.0%}"
        f"{floor['server_busy']:>6.0%} {daemon['server_busy']:>5.0%}"
        f"{floor['p50_us']:>8.0f} {daemon['p50_us']:>6.0f}"
        f"{floor['p99_us']:>7.0f} {daemon['p99_us']:>6.0f}{verdict}",
        flush=True,
    )


def speed(bench):
    options = bench.options
    write_data(bench.folder / "data", ENTRIES)
    cpu = bench.server_cpu()
    servers = {}
    results = []
    watch = Watch(bench)
    print(
        f"Speed: {ENTRIES:,} entries in memory, keys in random order, medians of "
        f"{options.pairs} pairs of {options.seconds:g} s ({options.info_pairs} of "
        f"{options.info_seconds:g} s without a target).\n"
    )
    print(
        f"{'':27} {'':9}{'lookups per second':>21} {'ratio':>6}  {'':9}"
        f"{'CPU us per lookup':>20} {'busy':>11}{'p50 us':>14} {'p99 us':>13}"
    )
    print(
        f"{'':27} {'C x depth':<9}{'floor':>10} {'daemon':>10} {'median':>6}  {'range':<9}"
        f"{'floor':>7} {'daemon':>7} {'ratio':>5} {'floor':>5} {'dmn':>5}"
        f"{'floor':>8} {'dmn':>6} {'floor':>6} {'dmn':>6}"
    )
    try:
        for which in ("floor", "daemon"):
            servers[which] = bench.start(which, cpu=cpu)
        for row in SPEED_ROWS:
            if options.targets_only and not row[4]:
                continue
            for connections, depth in SPEED_TARGETS:
                results.append(measure_pairs(bench, servers, row, connections, depth))
                print_speed_row(results[-1])
    finally:
        for server in servers.values():
            server.stop()
    others, host = watch.shares()
    print(
        f"\nMeanwhile, other programs took {others:.0%} of the processors and the machine's host "
        f"{host:.0%}. When that is much, trust the ratio of CPU per lookup.\n"
    )
    return results
