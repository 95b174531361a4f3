"""Part "pgsql": uncached lookups that PostgreSQL answers.

Against a bare libpq program (pgsql_ceiling.c) with as many connections, with and without the
array form, and what a whole walk costs beside a single query.
"""

import functools
import statistics

import database
from bench import Watch, medians, ratios_of, spread, take_turns, uncached
from servers import VALUE, start_daemon

CLIENTS = 64
CONNECTIONS = (1, 2)
CEILING_TARGET = 0.60
WALK_TARGET = 1.5
DATA = "pgsql-data"
IN_FLIGHT = 64  # keys of the ceiling, as many as the clients can have


def start_pgsql_daemon(bench, server, name, query=database.QUERY, search="full", **more):
    """search: "" for the whole walk, which is the default."""
    path = server.map_file(bench.folder / f"{name}.cf", query, **more.pop("parameters", {}))
    settings = uncached(bench) + (f"default_search = {search}\n" if search else "")
    folder = bench.folder / name
    return start_daemon(bench.options.daemon, folder, f"pgsql:{path}", settings, **more)


# ---------------------------------------------------------------- throughput


def run_ceiling(bench, server, connections, shape, array):
    query = database.PREPARED_ARRAY if array else database.PREPARED
    return bench.ceiling(
        "pgsql_ceiling", "-d", server.uri, "-q", query, "-k", bench.folder / DATA / "keys.hit",
        "--value", VALUE, "-c", connections, "-b", shape[0], "-f", shape[1],
        *(["--array"] if array else []),
    )


def best_shape(bench, server, connections, array, each):
    """Batch size and batches in flight of each connection, which has `each` keys in flight: the
    one that is faster here, the higher yardstick."""
    shapes = ((each, 1), (each // 2, 2))
    rates = {shape: [] for shape in shapes}
    for _ in range(3):
        for shape in shapes:
            rates[shape].append(run_ceiling(bench, server, connections, shape, array)["rate"])
    return max(shapes, key=lambda shape: statistics.median(rates[shape]))


def run_daemon(bench, daemon):
    arguments = ["-c", CLIENTS, "-d", 1, "-t", bench.options.seconds, "-w", bench.options.warmup]
    return bench.load(daemon, "socketmap", "unix", "hit", *arguments, data=DATA, expect="OK")


def throughput(bench, server, connections):
    """These take turns; each ratio is the median over the turns. "more": the ceiling with as many
    keys in flight on each connection as the others have in all."""
    each = IN_FLIGHT // connections
    shapes = {
        "pipeline": best_shape(bench, server, connections, False, each),
        "array": best_shape(bench, server, connections, True, each),
        "more": best_shape(bench, server, connections, False, IN_FLIGHT),
    }
    parameters = {"connections": str(connections)}
    daemons = {}
    watch = Watch(bench)
    try:
        for name, query in (("daemon", database.QUERY), ("single", database.QUERY_ONE_BY_ONE)):
            daemons[name] = start_pgsql_daemon(
                bench, server, f"{name}{connections}", query, parameters=parameters
            )
        runs = take_turns(bench.options.pairs, {
            "pipeline": lambda: run_ceiling(
                bench, server, connections, shapes["pipeline"], False),
            "daemon": lambda: run_daemon(bench, daemons["daemon"]),
            "array": lambda: run_ceiling(bench, server, connections, shapes["array"], True),
            "single": lambda: run_daemon(bench, daemons["single"]),
            "more": lambda: run_ceiling(bench, server, connections, shapes["more"], False),
        })
    finally:
        for daemon in daemons.values():
            daemon.stop()
    result = {"connections": connections, "shapes": shapes}
    result["others"], result["host"] = watch.shares()
    result.update((name, medians(figures)) for name, figures in runs.items())
    result["ratios"] = {
        "daemon of pipeline": ratios_of(runs, "daemon", "pipeline"),
        "single of pipeline": ratios_of(runs, "single", "pipeline"),
        "daemon of array": ratios_of(runs, "daemon", "array"),
        "daemon of more": ratios_of(runs, "daemon", "more"),
        "daemon of single": ratios_of(runs, "daemon", "single"),
    }
    result["target"] = CEILING_TARGET
    result["met"] = statistics.median(result["ratios"]["daemon of pipeline"]) >= CEILING_TARGET
    return result


def print_throughput(result):
    ratios = result["ratios"]
    verdict = f"target {result['target']:.0%}: {'met' if result['met'] else 'MISSED'}"
    print(f"{result['connections']} connection{'s' if result['connections'] > 1 else ''}"
          f"{'':17}lookups/s  CPU us each")
    for name, label in (
        ("pipeline", "ceiling, one key each"),
        ("array", "ceiling, arrays"),
        ("more", "ceiling, 64 on each"),
        ("single", "daemon, one key each"),
        ("daemon", "daemon, arrays"),
    ):
        figures = result[name]
        if name == "more" and result["connections"] == 1:
            continue
        print(f"  {label:<24} {figures['rate']:>12,.0f} {figures['server_us']:>12.2f}")
    print(f"  daemon with arrays, of the pipelined ceiling: "
          f"{spread(ratios['daemon of pipeline'])}  {verdict}")
    print(f"  daemon one by one,  of the pipelined ceiling: {spread(ratios['single of pipeline'])}")
    if result["connections"] > 1:
        print(f"  daemon with arrays, of it with 64 on each:    {spread(ratios['daemon of more'])}")
    print(f"  daemon with arrays, of the array ceiling:     {spread(ratios['daemon of array'])}")
    print(f"  what arrays gain the daemon: {spread(ratios['daemon of single'], '.2f')} times\n",
          flush=True)


# ---------------------------------------------------------------- one walk


def walk(bench, server):
    """The latency of one lookup at a time: the whole walk, and its first candidate alone."""
    daemons = {}
    try:
        for name, search in (("single", "full"), ("walk", "")):
            daemons[name] = start_pgsql_daemon(bench, server, f"latency-{name}", search=search)
        arguments = ["-c", 1, "-d", 1, "-t", bench.options.seconds, "-w", bench.options.warmup]
        arguments += [] if bench.options.no_spin else ["--spin"]
        runs = take_turns(bench.options.pairs, {
            name: functools.partial(
                bench.load, daemon, "socketmap", "unix", "not-found", *arguments, data=DATA,
                expect="NOTFOUND",
            )
            for name, daemon in daemons.items()
        })
    finally:
        for daemon in daemons.values():
            daemon.stop()
    ratios = ratios_of(runs, "walk", "single", "p50_us")
    result = {"ratios": ratios, "target": WALK_TARGET}
    result["met"] = statistics.median(ratios) <= WALK_TARGET
    result.update((name, medians(figures)) for name, figures in runs.items())
    print(
        f"A walk of five candidates that finds nothing, one client: p50 "
        f"{result['walk']['p50_us']:.0f} us, a single query {result['single']['p50_us']:.0f} us: "
        f"{spread(ratios, '.2f')} times  target at most {WALK_TARGET}: "
        f"{'met' if result['met'] else 'MISSED'}\n",
        flush=True,
    )
    return result


def pgsql(bench):
    options = bench.options
    why = database.why_not(bench)
    if why is not None:
        print(f"PostgreSQL: skipped, {why}.\n")
        return {}
    database.write_keys(bench.folder / DATA)
    print(
        f"PostgreSQL: {database.ENTRIES:,} addresses, no cache, {CLIENTS} clients of depth 1, "
        f"medians of {options.pairs} turns of {options.seconds:g} s.\n"
    )
    results = {"throughput": []}
    with database.Database() as server:
        for connections in CONNECTIONS:
            results["throughput"].append(throughput(bench, server, connections))
            print_throughput(results["throughput"][-1])
        results["walk"] = walk(bench, server)
    return results
