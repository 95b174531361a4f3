"""Part "memory": what silent clients cost the daemon."""

import subprocess
import time

from bench import write_data
from servers import MAP, MOST_CLIENTS, Failed

IDLE_CLIENTS = MOST_CLIENTS
IDLE_TARGET_BYTES = 2048


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
