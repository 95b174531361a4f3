"""The servers that the benchmark measures: the floor and postfix-dictd.

Each runs in a folder of its own, with one endpoint for each way to ask, and answers VALUE for
FIRST_KEY once it is ready.
"""

import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

MAP = "bench"
VALUE = "gregory"
FIRST_KEY = "user000000@example.net"
MOST_CLIENTS = 10_000
START_LIMIT_S = 60


class Failed(Exception):
    """Something could not be run; the message says what."""


def free_port():
    with socket.socket(socket.AF_INET) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def process_cpu_ns(pid):
    """The processor time of all threads so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


class Server:
    """A running server: the floor or the daemon, with one endpoint for each way to ask."""

    def __init__(self, name, folder, command, endpoints, cpu=None, start_limit_s=START_LIMIT_S):
        self.name = name
        self.endpoints = endpoints
        self.log_path = folder / "log"

        def before_exec():
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            wanted = 2 * MOST_CLIENTS
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
        return process_cpu_ns(self.process.pid)

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


def connect(endpoint, limit_s):
    kind, _, rest = endpoint.partition(":")
    if kind == "unix":
        peer = socket.socket(socket.AF_UNIX)
        address = rest
    else:
        peer = socket.socket(socket.AF_INET)
        host, _, port = rest.rpartition(":")
        address = (host, int(port))
    peer.settimeout(limit_s)
    try:
        peer.connect(address)
    except OSError:
        peer.close()
        raise
    return peer


def socketmap_request(name, key):
    payload = f"{name} {key}"
    return f"{len(payload)}:{payload},"


def ask_once(wire, endpoint):
    request = socketmap_request(MAP, FIRST_KEY) if wire == "socketmap" else f"get {FIRST_KEY}\n"
    with connect(endpoint, 10) as peer:
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


def start_daemon(program, folder, source, settings="", wrap=(), more_maps=None, **more):
    """settings: more lines of dictd.cf. more_maps: {name of another map: its sources}."""
    maps = {MAP: source, **(more_maps or {})}
    map_lines = "".join(f"{name}_sources = {sources}\n" for name, sources in maps.items())
    folder.mkdir()
    endpoints = new_endpoints(folder)
    socketmap = [e for (wire, _), e in endpoints.items() if wire == "socketmap"]
    tcp_table = [f"{e}={MAP}" for (wire, _), e in endpoints.items() if wire == "tcp_table"]
    (folder / "dictd.cf").write_text(
        f"socketmap_listen = {' '.join(socketmap)}\n"
        f"tcp_table_listen = {' '.join(tcp_table)}\n"
        f"maps = {' '.join(maps)}\n"
        f"{map_lines}"
        "local_domains = example.net\n"
        "recipient_delimiter = +\n"
        "owner_request_special = no\n"
        "max_clients = 12000\n"
        f"admin_listen = unix:{folder}/admin\n" + settings
    )
    command = [*wrap, program, "-c", folder / "dictd.cf"]
    return Server("postfix-dictd", folder, command, endpoints, **more)
