"""What the parts of the benchmark share: options, programs, data, and how a load is run."""

import os
import pathlib
import statistics
import subprocess
import time

from servers import MAP, VALUE, Failed, start_daemon, start_floor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = {
    "load": ["load.c", "load_options.c", "reply.c", "keys.c", "endpoint.c", "histogram.c"],
    "floor": ["floor.c", "reply.c", "keys.c", "endpoint.c"],
    "idle": ["idle.c", "reply.c", "keys.c", "endpoint.c"],
    "pgsql_ceiling": ["pgsql_ceiling.c", "ceiling.c", "keys.c"],
    "ldap_ceiling": ["ldap_ceiling.c", "ceiling.c", "keys.c"],
}
LIBRARIES = {"pgsql_ceiling": ["libpq"], "ldap_ceiling": ["ldap", "lber"]}
CFLAGS = ["-std=c11", "-O2", "-D_DEFAULT_SOURCE", "-D_POSIX_C_SOURCE=200809L"]
HOT_KEYS = 1_000
RUN_LIMIT_S = 120
DISTURBANCE_LIMIT = 0.10
# No answer is kept: every lookup asks the source.
UNCACHED = "default_cache_ttl = 0\ndefault_negative_cache_ttl = 0\n"


def pkg_config(library):
    done = subprocess.run(
        ["pkg-config", "--cflags", "--libs", library], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Failed(f"pkg-config does not know {library}: {done.stderr}")
    return done.stdout.split()


def build_tools(build):
    """Compiles what is missing or older than its sources."""
    compiler = os.environ.get("CC", "cc").split()
    folder = build / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    newest = max(p.stat().st_mtime for p in HERE.glob("*.[ch]"))
    tools = {}
    for name, sources in PROGRAMS.items():
        tools[name] = folder / name
        if tools[name].exists() and tools[name].stat().st_mtime >= newest:
            continue
        command = [*compiler, *CFLAGS, f"-I{ROOT}", *(HERE / s for s in sources)]
        for library in LIBRARIES.get(name, []):
            command += pkg_config(library)
        if subprocess.run([*command, "-o", tools[name]]).returncode != 0:
            raise Failed(f"cannot compile {name}")
    return tools


def write_data(folder, entries):
    """The table, and for each kind of lookup the keys that ask for it.

    hit           the first candidate of the walk is in the table
    hot           the same, but only some of the keys are asked for, again and again: their
                  entries stay in the processor's cache
    extension     the second one is: user+lists@example.net
    catch-all     only the last one is: a foreign user with an extension, and @domain
    not-found     no candidate is, and the domain is local, so there are many of them
    """
    domains = max(entries // 100, 1)
    users = range(entries - domains)
    rows = [f"user{i:06d}@example.net {VALUE}\n" for i in users]
    rows += [f"@catchall{i:04d}.example {VALUE}\n" for i in range(domains)]
    hot = users[:: max(len(users) // HOT_KEYS, 1)]
    keys = {
        "hit": [f"user{i:06d}@example.net" for i in users],
        "hot": [f"user{i:06d}@example.net" for i in hot],
        "extension": [f"user{i:06d}+lists@example.net" for i in users],
        "catch-all": [f"user{i:06d}+lists@catchall{i % domains:04d}.example" for i in users],
        "not-found": [f"nobody{i:06d}+lists@example.net" for i in users],
    }
    folder.mkdir()
    (folder / "table").write_text("".join(rows))
    for name, lines in keys.items():
        (folder / f"keys.{name}").write_text("\n".join(lines) + "\n")


def machine_cpu_s():
    """Processor seconds that all programs of this machine used, and that its host withheld."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


def uncached(bench):
    """The settings for it; none for a daemon that has no cache yet (--daemon)."""
    probe = bench.folder / "uncached.cf"
    probe.write_text("maps =\n" + UNCACHED)
    done = subprocess.run(
        [bench.options.daemon, "-t", "-c", probe], capture_output=True, text=True
    )
    return "" if "unknown parameter" in done.stderr else UNCACHED


def take_turns(turns, steps):
    """Calls the steps one after the other, in the next turn in the other order; what slows the
    machine for a second hits neighbours alike. {name: what the step gave in each turn}."""
    runs = {name: [] for name in steps}
    for turn in range(turns):
        for name in steps if turn % 2 == 0 else reversed(steps):
            runs[name].append(steps[name]())
    return runs


def medians(figures):
    return {name: statistics.median(run[name] for run in figures) for name in figures[0]}


def ratios_of(runs, one, other, figure="rate"):
    """Of the runs in the same turn."""
    return [a[figure] / b[figure] for a, b in zip(runs[one], runs[other])]


def spread(ratios, format_spec=".0%"):
    low, high = format(min(ratios), format_spec), format(max(ratios), format_spec)
    return f"{format(statistics.median(ratios), format_spec)} ({low} to {high})"


class Watch:
    """The shares of the machine that went to other programs, and to its host, since."""

    def __init__(self, bench):
        self.bench = bench
        self.began = self._now()

    def _now(self):
        return (time.monotonic(), self.bench.own_cpu_s, *machine_cpu_s())

    def shares(self):
        wall, own, used, stolen = (now - then for now, then in zip(self._now(), self.began))
        whole = wall * os.cpu_count()
        return max(used - own, 0) / whole, stolen / whole


def unsure(result):
    """What to add to a verdict when much of the machine went elsewhere."""
    disturbance = result["others"] + result["host"]
    if disturbance <= DISTURBANCE_LIMIT:
        return ""
    return f" (unsure: {disturbance:.0%} of the machine went elsewhere)"


class Bench:
    """What all parts share: options, tools, the folder, and how a server is started."""

    def __init__(self, options, tools, folder):
        self.options = options
        self.tools = tools
        self.folder = folder
        self.count = 0
        self.own_cpu_s = 0.0

    def load_cpu(self):
        """The processor for the load generator; None: left to the kernel."""
        return None if self.options.no_pin else min(os.sched_getaffinity(0))

    def server_cpu(self):
        """The same for the server."""
        return None if self.options.no_pin else max(os.sched_getaffinity(0))

    def start(self, which, data="data", **more):
        self.count += 1
        folder = self.folder / f"{which}{self.count}"
        if which == "floor":
            return start_floor(self.tools, folder, **more)
        if self.options.stand_in:
            return start_floor(self.tools, folder, name="stand-in", **more)
        source = f"texthash:{self.folder / data / 'table'}"
        return start_daemon(self.options.daemon, folder, source, **more)

    def load(self, server, wire, family, keys, *arguments, data="data", cpu=None, expect=None):
        """One run of the load generator: its figures, and what the server spent meanwhile."""
        command = [self.tools["load"], "-p", wire, "-e", server.endpoints[wire, family]]
        command += ["-m", MAP, "-k", self.folder / data / f"keys.{keys}", *map(str, arguments)]
        if expect is not None:
            command += ["--expect", expect]
            if expect == "OK":
                command += ["--value", VALUE]
        pin = None if cpu is None else lambda: os.sched_setaffinity(0, {cpu})
        wall, busy = time.monotonic(), server.cpu_ns()
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_LIMIT_S, preexec_fn=pin
        )
        wall, busy = time.monotonic() - wall, server.cpu_ns() - busy
        if done.returncode != 0:
            raise Failed(
                f"load against {server.name} ({wire} over {family}, {keys}) failed:\n"
                f"{done.stdout}{done.stderr}{server.log()}"
            )
        words = (word.split("=") for word in done.stdout.splitlines()[-1].split())
        figures = {name: float(value) for name, value in words}
        self.own_cpu_s += figures["cpu_seconds"] + busy / 1e9
        figures["server_us"] = busy / 1e3 / figures["all_replies"]
        figures["server_busy"] = figures["server_us"] * figures["rate"] / 1e6
        return figures

    def ceiling(self, tool, *arguments):
        """One run of a yardstick that asks a back end: its figures."""
        command = [self.tools[tool], *arguments, "-t", self.options.seconds]
        command += ["-w", self.options.warmup]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=RUN_LIMIT_S
        )
        if done.returncode != 0:
            raise Failed(f"{tool} failed:\n{done.stdout}{done.stderr}")
        words = (word.split("=") for word in done.stdout.split())
        figures = {name: float(value) for name, value in words}
        self.own_cpu_s += figures["cpu_seconds"]
        figures["server_us"] = figures["cpu_seconds"] * 1e6 / figures["lookups"]
        return figures
