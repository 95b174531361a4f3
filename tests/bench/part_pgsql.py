"""Part "pgsql": uncached lookups that PostgreSQL answers.

Against a bare libpq program (pgsql_ceiling.c) with as many connections, with and without the
array form, and what a whole walk costs beside a single query.
"""

import statistics
import subprocess

import database
from bench import RUN_LIMIT_S, Watch
from servers import VALUE, Failed, start_daemon

CLIENTS = 64
CONNECTIONS = (1, 2)
CEILING_TARGET = 0.60
WALK_TARGET = 1.5
DATA = "pgsql-data"
# Batch size and batches in flight for each of the ceiling's connections: 64 keys either way.
SHAPES = ((64, 1), (32, 2))
# No answer is kept: every lookup asks the database.
UNCACHED = "default_cache_ttl = 0\ndefault_negative_cache_ttl = 0\n"


def uncached(bench):
    """The settings for it; none for a daemon that has no cache yet (--daemon)."""
    probe = bench.folder / "uncached.cf"
    probe.write_text("maps =\n" + UNCACHED)
    done = subprocess.run(
        [bench.options.daemon, "-t", "-c", probe], capture_output=True, text=True
    )
    return "" if "unknown parameter" in done.stderr else UNCACHED


def start_pgsql_daemon(bench, server, name, query=database.QUERY, search="full", **more):
    """search: "" for the whole walk, which is the default."""
    path = server.map_file(bench.folder / f"{name}.cf", query, **more.pop("parameters", {}))
    settings = uncached(bench) + (f"default_search = {search}\n" if search else "")
    folder = bench.folder / name
    return start_daemon(bench.options.daemon, folder, f"pgsql:{path}", settings, **more)


# ---------------------------------------------------------------- throughput


def run_ceiling(bench, server, connections, shape, array):
    query = database.PREPARED_ARRAY if array else database.PREPARED
    command = [bench.tools["pgsql_ceiling"], "-d", server.uri, "-q", query]
    command += ["-k", bench.folder / DATA / "keys.hit", "--value", VALUE]
    command += ["-c", connections, "-b", shape[0], "-f", shape[1]]
    command += ["-t", bench.options.seconds, "-w", bench.options.warmup]
    command += ["--array"] if array else []
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=RUN_LIMIT_S
    )
    if done.returncode != 0:
        raise Failed(f"the ceiling program failed:\n{done.stdout}{done.stderr}")
    words = (word.split("=") for word in done.stdout.split())
    figures = {name: float(value) for name, value in words}
    bench.own_cpu_s += figures["cpu_seconds"]
    figures["server_us"] = figures["cpu_seconds"] * 1e6 / figures["lookups"]
    return figures


def best_shape(bench, server, connections, array):
    """The one that is faster here: the higher yardstick."""
    rates = {shape: [] for shape in SHAPES}
    for _ in range(3):
        for shape in SHAPES:
            rates[shape].append(run_ceiling(bench, server, connections, shape, array)["rate"])
    return max(SHAPES, key=lambda shape: statistics.median(rates[shape]))


def run_daemon(bench, daemon):
    arguments = ["-c", CLIENTS, "-d", 1, "-t", bench.options.seconds, "-w", bench.options.warmup]
    return bench.load(daemon, "socketmap", "unix", "hit", *arguments, data=DATA, expect="OK")


def ratios_of(runs, one, other):
    return [a["rate"] / b["rate"] for a, b in zip(runs[one], runs[other])]


def throughput(bench, server, connections):
    """Four things take turns; each ratio is the median over the turns."""
    shapes = {array: best_shape(bench, server, connections, array) for array in (False, True)}
    parameters = {"connections": str(connections)}
    daemons = {}
    runs = {"pipeline": [], "single": [], "array": [], "daemon": []}
    watch = Watch(bench)
    try:
        for name, query in (("daemon", database.QUERY), ("single", database.QUERY_ONE_BY_ONE)):
            daemons[name] = start_pgsql_daemon(
                bench, server, f"{name}{connections}", query, parameters=parameters
            )
        steps = {
            "pipeline": lambda: run_ceiling(bench, server, connections, shapes[False], False),
            "daemon": lambda: run_daemon(bench, daemons["daemon"]),
            "array": lambda: run_ceiling(bench, server, connections, shapes[True], True),
            "single": lambda: run_daemon(bench, daemons["single"]),
        }
        for turn in range(bench.options.pairs):
            for name in steps if turn % 2 == 0 else reversed(steps):
                runs[name].append(steps[name]())
    finally:
        for daemon in daemons.values():
            daemon.stop()
    result = {"connections": connections, "shapes": {str(k): v for k, v in shapes.items()}}
    result["others"], result["host"] = watch.shares()
    for name, figures in runs.items():
        result[name] = {n: statistics.median(run[n] for run in figures) for n in figures[0]}
    result["ratios"] = {
        "daemon of pipeline": ratios_of(runs, "daemon", "pipeline"),
        "single of pipeline": ratios_of(runs, "single", "pipeline"),
        "daemon of array": ratios_of(runs, "daemon", "array"),
        "daemon of single": ratios_of(runs, "daemon", "single"),
    }
    result["target"] = CEILING_TARGET
    result["met"] = statistics.median(result["ratios"]["daemon of pipeline"]) >= CEILING_TARGET
    return result


def spread(ratios, format_spec=".0%"):
    low, high = format(min(ratios), format_spec), format(max(ratios), format_spec)
    return f"{format(statistics.median(ratios), format_spec)} ({low} to {high})"


def print_throughput(result):
    ratios = result["ratios"]
    verdict = f"target {result['target']:.0%}: {'met' if result['met'] else 'MISSED'}"
    print(f"{result['connections']} connection{'s' if result['connections'] > 1 else ''}"
          f"{'':17}lookups/s  CPU us each")
    for name, label in (
        ("pipeline", "ceiling, one key each"),
        ("array", "ceiling, arrays"),
        ("single", "daemon, one key each"),
        ("daemon", "daemon, arrays"),
    ):
        figures = result[name]
        print(f"  {label:<24} {figures['rate']:>12,.0f} {figures['server_us']:>12.2f}")
    print(f"  daemon with arrays, of the pipelined ceiling: "
          f"{spread(ratios['daemon of pipeline'])}  {verdict}")
    print(f"  daemon one by one,  of the pipelined ceiling: {spread(ratios['single of pipeline'])}")
    print(f"  daemon with arrays, of the array ceiling:     {spread(ratios['daemon of array'])}")
    print(f"  what arrays gain the daemon: {spread(ratios['daemon of single'], '.2f')} times\n",
          flush=True)


# ---------------------------------------------------------------- one walk


def walk(bench, server):
    """The latency of one lookup at a time: the whole walk, and its first candidate alone."""
    daemons = {}
    runs = {"single": [], "walk": []}
    try:
        for name, search in (("single", "full"), ("walk", "")):
            daemons[name] = start_pgsql_daemon(bench, server, f"latency-{name}", search=search)
        for turn in range(bench.options.pairs):
            for name in daemons if turn % 2 == 0 else reversed(daemons):
                arguments = ["-c", 1, "-d", 1, "-t", bench.options.seconds]
                arguments += ["-w", bench.options.warmup]
                arguments += [] if bench.options.no_spin else ["--spin"]
                runs[name].append(bench.load(
                    daemons[name], "socketmap", "unix", "not-found", *arguments,
                    data=DATA, expect="NOTFOUND",
                ))
    finally:
        for daemon in daemons.values():
            daemon.stop()
    ratios = [w["p50_us"] / s["p50_us"] for w, s in zip(runs["walk"], runs["single"])]
    result = {"ratios": ratios, "target": WALK_TARGET}
    result["met"] = statistics.median(ratios) <= WALK_TARGET
    for name, figures in runs.items():
        result[name] = {n: statistics.median(run[n] for run in figures) for n in figures[0]}
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
