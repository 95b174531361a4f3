"""What the integration tests of the running daemon share.

A Daemon lives in a temporary directory of its own: it writes dictd.cf there,
starts $BUILD/postfix-dictd in the foreground with its log in a file, and waits
until every UNIX socket of the configuration answers. Clients for both protocols
are here too. Nothing outside the directory is touched, and only processes that
were started here are ended, by their process id.

Python 3, standard library only. Works as root and as an ordinary user.
"""

import concurrent.futures
import contextlib
import errno
import locale
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
DAEMON = os.path.join(BUILD, "postfix-dictd")

# Upper bounds for what should take milliseconds: the machine may be busy.
PATIENCE_S = 30
# A changed file is obeyed within a second or two, a suspect one within five.
FILE_PATIENCE_S = 30

IS_ROOT = os.geteuid() == 0

SETTLED = (  # nothing of the host's Postfix is read
    "local_domains = example.net\n"
    "recipient_delimiter = +\n"
    "owner_request_special = yes\n"
)


def name_a_locale_that_is_there():
    """Of one that is not installed, Perl programs (Debian's psql is one) complain at every start,
    in the middle of what they print."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        os.environ["LC_ALL"] = "C.UTF-8"
    finally:
        locale.setlocale(locale.LC_ALL, before)


name_a_locale_that_is_there()


def is_sanitized():
    with open(DAEMON, "rb") as file:
        binary = file.read()
    return b"__asan_init" in binary or b"__tsan_init" in binary


def is_tsan():
    with open(DAEMON, "rb") as file:
        return b"__tsan_init" in file.read()


def memory_counts():
    """Figures of memory are there, and mean something: a sanitizer adds its own."""
    return os.path.exists("/proc/self/status") and not is_sanitized()


# --- small things ---


def until(condition, what, seconds=PATIENCE_S, pause=0.02):
    """Waits for condition() to become true, and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %g s: %s" % (seconds, what))
        time.sleep(pause)


def write(path, text, mode=None):
    """Writes text (str as UTF-8, or bytes) in place and returns path."""
    with open(path, "wb") as file:
        file.write(text.encode("utf-8") if isinstance(text, str) else text)
    if mode is not None:
        os.chmod(path, mode)
    return path


def replace(path, text):
    """The same by rename, as a careful program does it."""
    write(path + ".new", text)
    os.rename(path + ".new", path)


_given = set()  # ports
_given_lock = threading.Lock()


def free_port(host="127.0.0.1"):
    """Each one once, and below those that outgoing connections take."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        port = random.randrange(12000, 32000)
        with _given_lock:
            if port in _given:
                continue
            _given.add(port)
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
    raise AssertionError("no free port on " + host)


def have_ipv6():
    try:
        free_port("::1")
        return True
    except OSError:
        return False


@contextlib.contextmanager
def many_files(wanted):
    """Raises this process's own limit of open files as far as it goes; gives what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    limit = max(limit, soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield limit
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- the daemon ---


def run_daemon(*arguments, **options):
    """Runs it to its end, as for -t; gives (exit status, stdout, stderr)."""
    done = subprocess.run([DAEMON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE_S, **options)
    return (done.returncode, done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"))


class Daemon:
    """One daemon and its directory. start() raises AssertionError with the log when it fails."""

    def __init__(self, config="", dir=None):
        self.owns_dir = dir is None
        # Short, because a UNIX socket's path is: not $TMPDIR, which may be long.
        self.dir = dir or tempfile.mkdtemp(prefix="dictd-", dir="/tmp")
        self.config_path = self.path("dictd.cf")
        self.log_path = self.path("log")
        self.socket = self.path("socketmap")
        self.process = None
        if config is not None:
            self.configure(config)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        return write(self.path(name), text)

    def configure(self, config):
        """{dir} stands for the directory. Without socketmap_listen, admin_listen or local
        domains in config there are ones that suit a test."""
        text = config.replace("{dir}", self.dir)
        if not re.search(r"^socketmap_listen\b", text, re.M):
            text += "socketmap_listen = unix:%s\n" % self.socket
        if not re.search(r"^admin_listen\b", text, re.M):
            text += "admin_listen = none\n"
        for line in SETTLED.splitlines():
            if not re.search(r"^%s\b" % line.split()[0], text, re.M):
                text += line + "\n"
        replace(self.config_path, text)  # a reload must not read half of it

    def sockets(self):
        with open(self.config_path) as file:
            return re.findall(r"\bunix:([^\s,=]+)", file.read())

    def command(self):
        return [DAEMON, "-c", self.config_path]

    def launch(self, command=None, environment=None, **options):
        """Starts it and waits for nothing."""
        env = dict(os.environ)
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"):
            env.pop(name, None)
        env.update(environment or {})
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command or self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=env, **options)
        return self

    def start(self, **options):
        since = self.log_size()
        self.launch(**options)
        self.wait_log(r"serving \d+ maps", since)
        for path in self.sockets():
            until(lambda path=path: self._answers(path), "an answer on " + path)
        return self

    def _answers(self, path):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
                return True
            except OSError:
                self.check_alive()
                return False

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError("the daemon ended with status %d:\n%s"
                                 % (self.process.returncode, self.log()))

    @property
    def pid(self):
        return self.process.pid

    def log(self, since=0):
        with open(self.log_path, "rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def log_size(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def wait_log(self, pattern, since=0, seconds=PATIENCE_S, alive=True):
        """Waits for a line that matches; gives the match."""
        def look():
            match = re.search(pattern, self.log(since))
            if match is None and alive:
                self.check_alive()
            return match
        try:
            return until(look, "in the log: " + pattern, seconds)
        except AssertionError as error:
            raise AssertionError("%s; it says:\n%s" % (error, self.log(since))) from None

    def signal(self, number):
        os.kill(self.pid, number)

    def signal_until(self, number, reaction):
        """Sends it, and waits for reaction() to be true. ThreadSanitizer puts signals off, and
        loses one in some hundreds (never seen in an ordinary build in 2,700): there, again."""
        self.signal(number)
        if is_tsan():
            try:
                return until(reaction, "a reaction to a signal", 5)
            except AssertionError:
                self.signal(number)
        return until(reaction, "a reaction to signal %d" % number)

    def reload(self, expect="reloaded"):
        """HUP, and waits for what the log says to it; gives the new part of the log."""
        since = self.log_size()
        def said_it():
            self.check_alive()
            return re.search(r"\breloaded\b|reload refused", self.log(since))
        self.signal_until(signal.SIGHUP, said_it)
        said = self.log(since)
        if expect not in said:
            raise AssertionError("expected %r after HUP, the log says:\n%s" % (expect, said))
        return said

    def wait(self, seconds=PATIENCE_S):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("did not end within %d s; the log:\n%s"
                                 % (seconds, self.log())) from None

    def stop(self):
        """TERM; gives the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        """Ends it in any case; the directory goes too. A crash does not pass unnoticed."""
        status = self.process.poll() if self.process is not None else None
        self.kill()
        log = self.log() if os.path.exists(self.log_path) else ""
        if self.owns_dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        if status is not None and status < 0 and status != -signal.SIGKILL:
            raise AssertionError("the daemon died of signal %d:\n%s" % (-status, log))
        if "Sanitizer" in log or "runtime error:" in log:
            raise AssertionError("a sanitizer spoke:\n" + log)

    def rss_kib(self):
        with open("/proc/%d/status" % self.pid) as file:
            return int(re.search(r"^VmRSS:\s*(\d+) kB", file.read(), re.M).group(1))

    def n_files(self):
        """Open descriptors; 0 where that cannot be told."""
        try:
            return len(os.listdir("/proc/%d/fd" % self.pid))
        except FileNotFoundError:
            return 0

    def cpu_s(self):
        """Processor time used so far."""
        with open("/proc/%d/stat" % self.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_at_rest(self, what):
        """It waits without spinning: once what it does is done, it takes no time."""
        if not os.path.exists("/proc/self/stat"):
            return
        def is_at_rest():
            before = self.cpu_s()
            time.sleep(0.4)
            return self.cpu_s() - before < 0.1
        until(is_at_rest, "at rest " + what)

    def client(self, where=None):
        return Socketmap(where or self.socket)

    def ask(self, name, key, where=None):
        with self.client(where) as client:
            return client.ask(name, key)


# --- clients ---


class Closed(Exception):
    """The daemon has closed the connection."""


def _bytes(text):
    return text.encode("utf-8") if isinstance(text, str) else bytes(text)


def netstring(payload):
    payload = _bytes(payload)
    return b"%d:%s," % (len(payload), payload)


def request(name, key):
    return netstring(_bytes(name) + b" " + _bytes(key))


# Prepares a world of its own for the daemon, then becomes it: argv is what to do there, as a
# Python program with os, fcntl, socket, struct and subprocess, and the command.
_WORLD = """
import fcntl, os, socket, struct, subprocess, sys
exec(sys.argv[1])
os.execv(sys.argv[2], sys.argv[2:])
"""


def in_a_world(kinds, program, command):
    """A command line that runs command in new namespaces, such as "-m" (mounts) or "-n" (net),
    after program. Only for root; None when this machine does not let us."""
    unshare = shutil.which("unshare")
    if not IS_ROOT or unshare is None or subprocess.run(
            [unshare, *kinds, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return None
    return [unshare, *kinds, sys.executable, "-c", _WORLD, program, *command]


class Client:
    """A connection with a buffer. where: a UNIX socket's path, or (host, port)."""

    def __init__(self, where, source=None, timeout=PATIENCE_S, rcvbuf=None):
        if isinstance(where, str):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
            self.socket = socket.socket(family)
        self.inet = not isinstance(where, str)
        self.buffer = bytearray()
        self.at = 0
        self.socket.settimeout(timeout)
        try:
            if rcvbuf is not None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            if source is not None:
                self.socket.bind((source, 0))
            self.socket.connect(where)
            if self.inet:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def abort(self):
        """Closes so that the daemon sees a reset where the protocol has one."""
        if self.inet:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(_bytes(data))

    def finish(self):
        """Half-closes: nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def fill(self):
        """One more read into the buffer; raises Closed."""
        try:
            more = self.socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            more = b""
        if not more:
            raise Closed(bytes(self.buffer[self.at:]))
        if self.at > 1 << 20:
            del self.buffer[:self.at]
            self.at = 0
        self.buffer += more

    def wait_closed(self, seconds=PATIENCE_S):
        """Gives what still came before the end."""
        self.socket.settimeout(seconds)
        try:
            while True:
                self.fill()
        except Closed as closed:
            return closed.args[0]
        except socket.timeout:
            raise AssertionError("still open after %g s; it sent %r"
                                 % (seconds, bytes(self.buffer[self.at:]))) from None

    def is_open(self):
        """As far as can be told without waiting."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self.socket.settimeout(PATIENCE_S)


class Socketmap(Client):
    def read(self):
        """The next reply's payload, as str."""
        return self.read_bytes().decode("utf-8")

    def read_bytes(self):
        while True:
            colon = self.buffer.find(b":", self.at, self.at + 12)
            if colon >= 0:
                length = int(self.buffer[self.at:colon])
                end = colon + 1 + length
                if len(self.buffer) > end:
                    if self.buffer[end] != ord(","):
                        raise AssertionError("a reply without its comma: %r"
                                             % bytes(self.buffer[self.at:end + 1]))
                    payload = bytes(self.buffer[colon + 1:end])
                    self.at = end + 1
                    return payload
            elif len(self.buffer) - self.at >= 12:
                raise AssertionError("not a netstring: %r"
                                     % bytes(self.buffer[self.at:self.at + 40]))
            self.fill()

    def ask(self, name, key):
        self.send(request(name, key))
        return self.read()


class TcpTable(Client):
    def read(self):
        """The next reply line, without its newline."""
        while True:
            end = self.buffer.find(b"\n", self.at)
            if end >= 0:
                line = bytes(self.buffer[self.at:end])
                self.at = end + 1
                return line.decode("ascii")
            self.fill()

    def ask(self, key):
        self.send(b"get " + percent_encode(_bytes(key)) + b"\n")
        return self.read()


def percent_encode(key):
    return b"".join(b"%%%02X" % c if c <= 32 or c >= 127 or c == 37 else bytes([c]) for c in key)


# --- tests ---


class Case(unittest.TestCase):
    """A test with daemons of its own."""

    def daemon(self, config="", **options):
        daemon = Daemon(config, **options)
        self.addCleanup(daemon.close)
        return daemon

    def closing(self, client):
        self.addCleanup(client.close)
        return client


class SharedCase(Case):
    """Tests that share one daemon, which has to be alive and right after each of them."""

    config = ""
    files = {}
    alive = ("m", "gregory@example.net", "OK gregory")

    @classmethod
    def setUpClass(cls):
        cls.d = Daemon(None)
        cls.addClassCleanup(cls.d.close)
        for name, text in cls.files.items():
            cls.d.write(name, text)
        cls.d.configure(cls.config)
        cls.d.start()

    def tearDown(self):
        self.d.check_alive()
        name, key, reply = self.alive
        self.assertEqual(self.d.ask(name, key), reply, "after the test")


def main(parallel=1):
    """Runs the tests of the file that was started; names on the command line select some.
    parallel: that many at once, where most of the time is waiting and no class has fixtures."""
    if not os.access(DAEMON, os.X_OK):
        sys.exit(DAEMON + " is missing: run make first")
    if parallel == 1:
        unittest.main(module="__main__", verbosity=2)
    tests = []
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    _flatten(loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:]
             else loader.loadTestsFromModule(module), tests)
    bad = []
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        for test, result, seconds in pool.map(_run_one, tests):
            word = ("FAIL" if not result.wasSuccessful() else
                    "skipped: " + result.skipped[0][1] if result.skipped else "ok")
            print("%s ... %s (%.1f s)" % (test.id(), word, seconds), flush=True)
            bad += result.failures + result.errors
    for test, trace in bad:
        print("\n%s\n%s\n%s" % ("=" * 70, test.id(), trace))
    print("\nRan %d tests: %s" % (len(tests), "%d bad" % len(bad) if bad else "OK"))
    sys.exit(1 if bad or not tests else 0)


def _flatten(suite, tests):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            _flatten(one, tests)
        else:
            tests.append(one)


def _run_one(test):
    result = unittest.TestResult()
    started = time.monotonic()
    test.run(result)
    return test, result, time.monotonic() - started
