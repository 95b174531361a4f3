"""Part "ldap": lookups that a directory answers.

Against a bare libldap program (ldap_ceiling.c) with as many connections, with a key and with many
keys in a search, against proxymap, and what a directory that stops does to answers from memory.
"""

import contextlib
import functools
import select
import statistics

import directory
import part_proxymap
from bench import (
    Watch, medians, ratios_of, spread, take_turns, uncached, unsure, write_data,
)
from servers import Failed, connect, socketmap_request, start_daemon

CLIENTS = 64
CONNECTIONS = (1, 2)
CEILING_TARGET = 0.80
OR_KEYS = 16  # in one search of the ceiling's second kind
PROXYMAP_TARGETS = {
    processes: {"daemon": 1.6, part_proxymap.CACHED: 5.0} for processes in (8, 32)
}
STALL_TARGET = 1.3
STALL_TURNS = 3  # times as many as of the others: a p99 of a short run scatters
WAITING = 64
WAITING_MAP = "directory"
WAIT_LIMIT_S = 60
DATA = "ldap-data"
MEMORY_DATA = "ldap-memory-data"


# ---------------------------------------------------------------- throughput


def start_ldap_daemon(bench, server, name, connections, filter):
    path = server.map_file(bench.folder / f"{name}.cf", filter, connections=str(connections))
    settings = uncached(bench) + "default_search = full\n"
    return start_daemon(bench.options.daemon, bench.folder / name, f"ldap:{path}", settings)


def load(bench, daemon):
    return bench.load(
        daemon, "socketmap", "unix", "hit", "-c", CLIENTS, "-d", 1,
        "-t", bench.options.seconds, "-w", bench.options.warmup, data=DATA, expect="OK",
    )


def throughput(bench, server, connections):
    """Four things take turns; each ratio is the median over the turns."""
    watch, slapd_cpu_s = Watch(bench), server.cpu_s()
    ceiling = functools.partial(
        bench.ceiling, "ldap_ceiling", *server.ceiling_arguments(),
        "-k", bench.folder / DATA / "keys.hit", "-c", connections, "-f", CLIENTS,
    )
    daemons = {
        name: start_ldap_daemon(bench, server, f"{name}{connections}", connections, filter)
        for name, filter in (("daemon", directory.FILTER), ("alone", directory.FILTER_ALONE))
    }
    try:
        runs = take_turns(bench.options.pairs, {
            "ceiling": ceiling,
            "alone": functools.partial(load, bench, daemons["alone"]),
            "or": lambda: ceiling("--or", OR_KEYS),
            "daemon": functools.partial(load, bench, daemons["daemon"]),
        })
    finally:
        for daemon in daemons.values():
            daemon.stop()
    bench.own_cpu_s += server.cpu_s() - slapd_cpu_s
    result = {"connections": connections, "target": CEILING_TARGET}
    result["others"], result["host"] = watch.shares()
    result.update((name, medians(figures)) for name, figures in runs.items())
    result["ratios"] = {
        f"{name} of {other}": ratios_of(runs, name, other)
        for name, other in (("daemon", "ceiling"), ("alone", "ceiling"), ("daemon", "or"),
                            ("daemon", "alone"), ("or", "ceiling"))
    }
    result["met"] = {name: statistics.median(result["ratios"][f"{name} of ceiling"])
                     >= CEILING_TARGET for name in ("daemon", "alone")}
    return result


def print_throughput(result):
    ratios = result["ratios"]
    print(f"{result['connections']} connection{'s' if result['connections'] > 1 else ''}"
          f"{'':17}keys/s     CPU us each")
    for name, label in (
        ("ceiling", "ceiling, a key a search"),
        ("alone", "daemon, a key a search"),
        ("or", f"ceiling, {OR_KEYS} keys a search"),
        ("daemon", "daemon, what waits"),
    ):
        figures = result[name]
        print(f"  {label:<24} {figures['rate']:>12,.0f} {figures['server_us']:>12.2f}")
    for name, label in (("alone", "daemon, a key a search, of the ceiling:"),
                        ("daemon", "daemon, of the ceiling:")):
        print(f"  {label:<39} {spread(ratios[f'{name} of ceiling'])}  "
              f"target {result['target']:.0%}: {'met' if result['met'][name] else 'MISSED'}"
              f"{unsure(result)}")
    print(f"  daemon, of the ceiling with {OR_KEYS}:        {spread(ratios['daemon of or'])}\n"
          f"  what many keys in a search gain the daemon: "
          f"{spread(ratios['daemon of alone'], '.2f')} times\n", flush=True)


# ---------------------------------------------------------------- a directory that stops


class Waiting:
    """Clients that each asked the directory's map for one key, and wait."""

    def __init__(self, daemon):
        self.sockets = []
        for i in range(WAITING):
            client = connect(daemon.endpoints["socketmap", "unix"], WAIT_LIMIT_S)
            self.sockets.append(client)
            client.sendall(socketmap_request(WAITING_MAP, directory.address(i)).encode())

    def answered(self):
        return len(select.select(self.sockets, [], [], 0)[0])

    def take_answers(self):
        for client in self.sockets:
            reply = client.recv(4096)
            if b":OK " not in reply:
                raise Failed(f"a client that waited for slapd was told {reply}")

    def close(self):
        for client in self.sockets:
            client.close()


def p99(bench, daemon):
    arguments = ["-c", CLIENTS, "-d", 1, "-t", bench.options.seconds, "-w", bench.options.warmup]
    arguments += [] if bench.options.no_spin else ["--spin"]
    return bench.load(daemon, "socketmap", "unix", "hit", *arguments, data=MEMORY_DATA,
                      expect="OK", cpu=bench.load_cpu())


def stalled_p99(bench, server, daemon):
    """While slapd is stopped; all clients of its map waited from before to after."""
    server.slapd.freeze()
    with contextlib.closing(Waiting(daemon)) as waiting:
        try:
            figures = p99(bench, daemon)
            if waiting.answered() != 0:
                raise Failed(f"{waiting.answered()} of the clients did not wait for slapd")
        finally:
            server.slapd.thaw()
        waiting.take_answers()
    return figures


def stall(bench, server):
    write_data(bench.folder / MEMORY_DATA, directory.ENTRIES)
    path = server.map_file(bench.folder / "stall.cf", timeout=str(WAIT_LIMIT_S))
    settings = uncached(bench) + f"default_timeout = {WAIT_LIMIT_S}s\n"
    watch = Watch(bench)
    daemon = start_daemon(
        bench.options.daemon, bench.folder / "stall",
        f"texthash:{bench.folder / MEMORY_DATA / 'table'}", settings,
        more_maps={WAITING_MAP: f"ldap:{path}"}, cpu=bench.server_cpu(),
    )
    try:
        with contextlib.closing(Waiting(daemon)) as clients:  # the daemon is connected then
            clients.take_answers()
        runs = take_turns(bench.options.pairs * STALL_TURNS, {
            "runs": lambda: p99(bench, daemon),
            "stopped": lambda: stalled_p99(bench, server, daemon),
        })
    finally:
        daemon.stop()
    ratios = ratios_of(runs, "stopped", "runs", "p99_us")
    result = {"ratios": ratios, "target": STALL_TARGET}
    result["met"] = statistics.median(ratios) <= STALL_TARGET
    result["others"], result["host"] = watch.shares()
    result.update((name, medians(figures)) for name, figures in runs.items())
    print(
        f"Answers from memory, {CLIENTS} clients: p99 {result['stopped']['p99_us']:.0f} us while "
        f"slapd is stopped and {WAITING} lookups wait for it, {result['runs']['p99_us']:.0f} us "
        f"without: {spread(ratios, '.2f')} times  target at most {STALL_TARGET}: "
        f"{'met' if result['met'] else 'MISSED'}{unsure(result)}\n",
        flush=True,
    )
    return result


def against_proxymap(bench, server):
    why = part_proxymap.why_not(bench, "ldap")
    if why is not None:
        print(f"proxy:ldap: is skipped, {why}.\n")
        return []
    return part_proxymap.against_proxymap(
        bench, "ldap", server.map_file,
        {"daemon": "full", "walk": "", part_proxymap.CACHED: ""}, PROXYMAP_TARGETS,
    )


def ldap(bench):
    options = bench.options
    why = directory.why_not(bench)
    if why is not None:
        print(f"LDAP: skipped, {why}.\n")
        return {}
    directory.write_keys(bench.folder / DATA)
    print(
        f"LDAP: {directory.ENTRIES:,} users, {CLIENTS} clients of depth 1, no cache but where it "
        f"says so, medians of {options.pairs} turns of {options.seconds:g} s.\n"
    )
    results = {"throughput": []}
    with directory.Directory() as server:
        for connections in CONNECTIONS:
            results["throughput"].append(throughput(bench, server, connections))
            print_throughput(results["throughput"][-1])
        results["proxymap"] = against_proxymap(bench, server)
        results["stall"] = stall(bench, server)
    return results
