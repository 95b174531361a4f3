#!/usr/bin/env python3
"""The benchmark: postfix-dictd beside the least that any server of its protocols must do.

    BUILD=build tests/bench/run.py [--quick] [--json FILE] [--only PART,...] ...

Three parts, each of them also alone with --only:

speed         lookups per second against a bare epoll server (floor.c), in alternating short
              runs of the same load generator (load.c); the result is the median of the
              ratios of neighbouring runs, so that slow drifts of the machine cancel out
memory        what 10,000 silent clients cost the daemon, before and after a lookup each
instructions  machine instructions that the daemon itself executes for each lookup, counted
              by callgrind when valgrind is installed

It is a benchmark and no test: a missed target is printed and the exit status stays 0. It is
1 when something could not be run, or when a reply was malformed or wrong. How to read the
output: tests/bench/README.md. Needs Python 3.9 or newer and a C compiler.
"""

import argparse
import json
import os
import pathlib
import resource
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = {
    "load": ["load.c", "load_options.c", "reply.c", "endpoint.c", "histogram.c"],
    "floor": ["floor.c", "reply.c", "endpoint.c"],
    "idle": ["idle.c", "reply.c", "endpoint.c"],
}
CFLAGS = ["-std=c11", "-O2", "-D_DEFAULT_SOURCE", "-D_POSIX_C_SOURCE=200809L"]
MAP = "bench"
VALUE = "gregory"
ENTRIES = 100_000
HOT_KEYS = 1_000
DISTURBANCE_LIMIT = 0.10
SPEED_TARGETS = {(64, 1): 0.85, (8, 16): 0.50}
IDLE_CLIENTS = 10_000
IDLE_TARGET_BYTES = 2048
START_LIMIT_S = 60
RUN_LIMIT_S = 120


class Failed(Exception):
    """Something could not be run; the message says what."""


# ---------------------------------------------------------------- data


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


def free_port():
    with socket.socket(socket.AF_INET) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---------------------------------------------------------------- servers


class Server:
    """A running server: the floor or the daemon, with one endpoint for each way to ask."""

    def __init__(self, name, folder, command, endpoints, cpu=None, start_limit_s=START_LIMIT_S):
        self.name = name
        self.endpoints = endpoints
        self.log_path = folder / "log"

        def before_exec():
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            wanted = 2 * IDLE_CLIENTS
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=before_exec
            )
        try:
            self._wait_until_it_answers(start_limit_s)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self, limit_s):
        deadline = time.monotonic() + limit_s
        for (wire, _), endpoint in self.endpoints.items():
            while True:
                if self.process.poll() is not None:
                    raise Failed(f"{self.name} ended at once:\n{self.log()}")
                try:
                    reply = ask_once(wire, endpoint)
                except OSError as error:
                    reply = str(error)
                if VALUE in reply:
                    break
                if time.monotonic() > deadline:
                    raise Failed(f"{self.name} does not answer on {endpoint}: {reply}\n{self.log()}")
                time.sleep(0.02)

    def log(self):
        return self.log_path.read_text(errors="replace")[-4000:]

    def cpu_ns(self):
        """The processor time of all threads so far."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def memory(self):
        """VmRSS and its anonymous part, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return {
            name: int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M).group(1)) * 1024
            for name in ("VmRSS", "RssAnon")
        }

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def ask_once(wire, endpoint):
    kind, _, rest = endpoint.partition(":")
    if kind == "unix":
        peer = socket.socket(socket.AF_UNIX)
        address = rest
    else:
        peer = socket.socket(socket.AF_INET)
        host, _, port = rest.rpartition(":")
        address = (host, int(port))
    key = "user000000@example.net"
    payload = f"{MAP} {key}"
    request = f"{len(payload)}:{payload}," if wire == "socketmap" else f"get {key}\n"
    with peer:
        peer.settimeout(10)
        peer.connect(address)
        peer.sendall(request.encode())
        return peer.recv(4096).decode(errors="replace")


def new_endpoints(folder):
    return {
        ("socketmap", "unix"): f"unix:{folder}/socketmap",
        ("tcp_table", "unix"): f"unix:{folder}/tcp_table",
        ("socketmap", "inet"): f"inet:127.0.0.1:{free_port()}",
        ("tcp_table", "inet"): f"inet:127.0.0.1:{free_port()}",
    }


def start_floor(tools, folder, wrap=(), name="floor", **more):
    folder.mkdir()
    endpoints = new_endpoints(folder)
    command = [*wrap, tools["floor"]]
    command += [f"{wire}={endpoint}" for (wire, _), endpoint in endpoints.items()]
    return Server(name, folder, command, endpoints, **more)


def start_daemon(program, folder, table, wrap=(), **more):
    folder.mkdir()
    endpoints = new_endpoints(folder)
    socketmap = [e for (wire, _), e in endpoints.items() if wire == "socketmap"]
    tcp_table = [f"{e}={MAP}" for (wire, _), e in endpoints.items() if wire == "tcp_table"]
    (folder / "dictd.cf").write_text(
        f"socketmap_listen = {' '.join(socketmap)}\n"
        f"tcp_table_listen = {' '.join(tcp_table)}\n"
        f"maps = {MAP}\n"
        f"{MAP}_sources = texthash:{table}\n"
        "local_domains = example.net\n"
        "recipient_delimiter = +\n"
        "owner_request_special = no\n"
        "max_clients = 12000\n"
        f"admin_listen = unix:{folder}/admin\n"
    )
    command = [*wrap, program, "-c", folder / "dictd.cf"]
    return Server("postfix-dictd", folder, command, endpoints, **more)


class Bench:
    """What all parts share: options, tools, the folder, and how a server is started."""

    def __init__(self, options, tools, folder):
        self.options = options
        self.tools = tools
        self.folder = folder
        self.count = 0
        self.own_cpu_s = 0.0

    def start(self, which, data="data", **more):
        self.count += 1
        folder = self.folder / f"{which}{self.count}"
        if which == "floor":
            return start_floor(self.tools, folder, **more)
        if self.options.stand_in:
            return start_floor(self.tools, folder, name="stand-in", **more)
        table = self.folder / data / "table"
        return start_daemon(self.options.daemon, folder, table, **more)

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


# ---------------------------------------------------------------- speed


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
                    cpu=None if options.no_pin else min(os.sched_getaffinity(0)),
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
        disturbance = result["others"] + result["host"]
        if disturbance > DISTURBANCE_LIMIT:
            verdict += f" (unsure: {disturbance:.0%} of the machine went elsewhere)"
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


def machine_cpu_s():
    """Processor seconds that all programs of this machine used, and that its host withheld."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


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


def speed(bench):
    options = bench.options
    write_data(bench.folder / "data", ENTRIES)
    cpu = None if options.no_pin else max(os.sched_getaffinity(0))
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


# ---------------------------------------------------------------- memory


def settled_memory(server):
    """The memory once it has stopped changing."""
    before = server.memory()
    for _ in range(20):
        time.sleep(0.25)
        now = server.memory()
        if now == before:
            break
        before = now
    return before


def memory(bench):
    """The table is small here: what a big one frees while it is read would hide clients."""
    write_data(bench.folder / "small", 100)
    results = []
    print(f"Memory: {IDLE_CLIENTS:,} clients that say nothing, bytes of the daemon for each.\n")
    for wire in ("socketmap", "tcp_table"):
        server = bench.start("daemon", data="small")
        idle = None
        try:
            bench.load(server, wire, "unix", "hit", "-n", 1000, "-c", 4, data="small", expect="OK")
            base = settled_memory(server)
            command = [bench.tools["idle"], "-p", wire, "-e", server.endpoints[wire, "unix"]]
            command += ["-m", MAP, "-k", bench.folder / "small" / "keys.hit"]
            idle = subprocess.Popen(
                [*command, "-c", str(IDLE_CLIENTS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for stage, when in (("connected", "connected, silent"), ("looked up", "after a lookup")):
                line = idle.stdout.readline()
                if not line.startswith(stage):
                    raise Failed(f"idle clients: {idle.communicate()[1]}{server.log()}")
                after = settled_memory(server)
                idle.stdin.write("\n")
                idle.stdin.flush()
                per_client = {n: (after[n] - base[n]) / IDLE_CLIENTS for n in base}
                met = per_client["VmRSS"] <= IDLE_TARGET_BYTES
                results.append({
                    "wire": wire, "stage": when, "before": base, "after": after,
                    "bytes_per_client": per_client, "target": IDLE_TARGET_BYTES, "met": met,
                })
                print(
                    f"{wire} {when:<18} {per_client['VmRSS']:>6.0f} bytes each "
                    f"(RSS {base['VmRSS'] >> 10:,} -> {after['VmRSS'] >> 10:,} KiB)  "
                    f"target {IDLE_TARGET_BYTES}: {'met' if met else 'MISSED'}",
                    flush=True,
                )
            errors = idle.communicate()[1]
            if idle.returncode != 0:
                raise Failed(f"idle clients: {errors}{server.log()}")
        finally:
            if idle is not None and idle.poll() is None:
                idle.kill()
                idle.wait()
            server.stop()
    print()
    return results


# ---------------------------------------------------------------- instructions


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


# ---------------------------------------------------------------- the whole


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
        if subprocess.run([*command, "-o", tools[name]]).returncode != 0:
            raise Failed(f"cannot compile {name}")
    return tools


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short runs, figures less sure")
    parser.add_argument("--only", default="speed,memory,instructions", help="parts to run")
    parser.add_argument("--targets-only", action="store_true", help="only rows with a target")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--pairs", type=int, default=9, help="pairs of runs for a target")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of those runs")
    parser.add_argument("--no-pin", action="store_true", help="leave the processors to the kernel")
    parser.add_argument("--no-spin", action="store_true", help="let the load generator sleep")
    parser.add_argument("--daemon", type=pathlib.Path, help="default: BUILD/postfix-dictd")
    parser.add_argument(
        "--stand-in", action="store_true",
        help="a second floor instead of the daemon: what the machine's noise does to the ratios",
    )
    options = parser.parse_args()
    options.warmup = 0.2
    options.info_pairs, options.info_seconds = 5, 0.5
    if options.quick:
        options.pairs, options.seconds = 3, 0.4
        options.info_pairs, options.info_seconds = 1, 0.4
    if len(os.sched_getaffinity(0)) < 2:
        print("Only one processor: load generator and server share it.", file=sys.stderr)
        options.no_pin = options.no_spin = True
    return options


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    build = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
    options.daemon = (options.daemon or build / "postfix-dictd").resolve()
    parts = {"speed": speed, "memory": memory, "instructions": instructions}
    chosen = options.only.split(",")
    if not set(chosen) <= set(parts):
        print(f"--only takes {', '.join(parts)}", file=sys.stderr)
        return 64
    if not options.stand_in and not os.access(options.daemon, os.X_OK):
        print(f"{options.daemon} is not there: run make first", file=sys.stderr)
        return 1
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dictd-bench."))
    results = {}
    try:
        bench = Bench(options, build_tools(build), folder)
        for name in parts:
            if name in chosen:
                results[name] = parts[name](bench)
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        print(f"\nbench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
