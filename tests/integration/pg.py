"""A real PostgreSQL for the tests, in a temporary directory of its own.

It listens on a UNIX socket and on a free loopback port, keeps nothing safe on
disk, and is ended by the process ids that were started here. The server does
not run as root: when the caller is root it runs as the user `postgres`,
otherwise as the caller.

    with Postgres() as pg:
        pg.sql("CREATE TABLE t (...)")
        map_file = pg.map_file("/tmp/x.cf", query="SELECT ...")

Python 3, standard library only; psql and the server's programs come with Debian's
postgresql packages.
"""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from daemon import IS_ROOT, free_port, until, write

OWNER = "postgres"  # of the server when the caller is root
ROLE = "dictd"
PASSWORD = "Sesame-4711"
DATABASE = "mail"

PATIENCE_S = 60

SCHEMA = """
CREATE TABLE owners (address text NOT NULL, login text, note text);
CREATE INDEX ON owners (address);
INSERT INTO owners VALUES
    ('gregory@example.net', 'gregory', NULL),
    ('g.czaplinski@example.net', 'gregory', NULL),
    ('root@example.net', 'root', NULL),
    ('sales@example.net', 'gregory', NULL),
    ('sales@example.net', 'root', NULL),
    ('nobody@example.net', NULL, ''),
    ('list@example.net', 'gregory,root', NULL);
GRANT SELECT ON owners TO %s;
""" % ROLE

QUERY = "SELECT login FROM owners WHERE address = '%s' ORDER BY login"


def bin_dir():
    """Where the newest installed server's programs are; None when there is none."""
    def version(path):
        return int(path.split("/")[4].split(".")[0])
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return os.path.dirname(max(found, key=version))
    initdb = shutil.which("initdb")
    return os.path.dirname(initdb) if initdb else None


def as_owner(user=OWNER):
    """Popen's options to start a program as the server's user."""
    if not IS_ROOT:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def public_dir():
    """A temporary directory that other users may look into."""
    # Not $TMPDIR, which may be too long for a UNIX socket, or its owner's alone.
    path = tempfile.mkdtemp(prefix="dictd-pg-", dir="/tmp")
    os.chmod(path, 0o755)
    return path


class Postgres:
    def __init__(self, config="", auth="scram-sha-256", start=True, schema=SCHEMA, hba="",
                 files=None):
        """hba: lines in front of the others in pg_hba.conf; files: {name: contents} in the data
        directory, which only the server may read."""
        self.bin = bin_dir()
        if self.bin is None:
            raise AssertionError("PostgreSQL is not installed: tests/install-deps.sh check")
        self.dir = public_dir()
        self.data = os.path.join(self.dir, "data")
        self.sockets = os.path.join(self.dir, "s")
        self.log_path = os.path.join(self.dir, "log")
        self.port = free_port()
        self.process = None
        os.mkdir(self.sockets)
        write(self.log_path, "")
        if IS_ROOT:
            owner = pwd.getpwnam(OWNER)
            for path in (self.dir, self.sockets, self.log_path):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._initdb(config, auth, hba)
        for name, contents in (files or {}).items():
            self.put(name, contents)
        if start:
            try:
                self.start()
                self._fill(schema)
            except BaseException:
                self.close()
                raise

    def _fill(self, schema):
        self.sql("CREATE ROLE %s LOGIN PASSWORD '%s'" % (ROLE, PASSWORD), database="postgres")
        self.sql("CREATE DATABASE %s" % DATABASE, database="postgres")
        if schema:
            self.sql(schema)

    def _run(self, *command, check=True, **options):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd="/", **as_owner(), **options)
        if check and done.returncode != 0:
            raise AssertionError("%s: %s" % (command[0], done.stdout.decode()))
        return done.stdout.decode()

    def _initdb(self, config, auth, hba):
        self._run(self.bin + "/initdb", "-D", self.data, "-U", "postgres", "--no-sync",
                  "--encoding=UTF8", "--locale=C", "-A", "trust",
                  env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        with open(self.data + "/postgresql.conf", "a") as file:
            file.write("fsync = off\nfull_page_writes = off\n"
                       "listen_addresses = '127.0.0.1'\nport = %d\n"
                       "unix_socket_directories = '%s'\nmax_connections = 100\n"
                       "shared_buffers = 32MB\nlog_min_messages = warning\n%s\n"
                       % (self.port, self.sockets, config))
        self.put("pg_hba.conf",
                 "local all postgres trust\n" + hba +
                 "local all all %s\n"
                 "host all all 127.0.0.1/32 %s\n"
                 "local replication all trust\n"
                 "host replication all 127.0.0.1/32 trust\n" % (auth, auth))

    def put(self, name, contents):
        """A file in the data directory, whole at once."""
        path = os.path.join(self.data, name)
        write(path + ".new", contents, 0o600)
        if IS_ROOT:
            owner = pwd.getpwnam(OWNER)
            os.chown(path + ".new", owner.pw_uid, owner.pw_gid)
        os.rename(path + ".new", path)

    # --- its life ---

    def launch(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.bin + "/postgres", "-D", self.data], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", **as_owner())

    def start(self):
        self.launch()
        until(self.is_up, "PostgreSQL is up; its log: " + self.log_path, PATIENCE_S)
        return self

    def is_up(self):
        if self.process.poll() is not None:
            with open(self.log_path) as log:
                raise AssertionError("PostgreSQL ended:\n" + log.read())
        return self.sql("SELECT 1", database="postgres", check=False).strip() == "1"

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast, connections are told; SIGQUIT: immediate; SIGKILL: no word."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        if how == signal.SIGKILL:
            self._kill_all()
        else:
            self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def reload(self):
        """HUP; new connections see new files from a moment later on."""
        self.process.send_signal(signal.SIGHUP)

    def children(self):
        found = []
        for entry in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(entry) as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found.append(int(entry.split("/")[2]))
        return found

    def backends(self):
        """The processes that serve the role's connections."""
        pids = self.sql("SELECT pid FROM pg_stat_activity WHERE usename = '%s'" % ROLE)
        return [int(pid) for pid in pids.split()]

    def count(self):
        """How many connections the role has."""
        return len(self.backends())

    def _kill_all(self):
        children = self.children()
        self.process.kill()
        for pid in children:
            _signal(pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in children),
              "PostgreSQL's processes end", PATIENCE_S)
        # A shared memory segment and a lock file that the next start finds stale.

    def freeze(self):
        """All of it stops; connections are still accepted by the kernel."""
        self.frozen = [self.process.pid] + self.children()
        for pid in self.frozen:
            _signal(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in getattr(self, "frozen", []):
            _signal(pid, signal.SIGCONT)
        self.frozen = []

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            try:
                self.stop(signal.SIGQUIT)
            except subprocess.TimeoutExpired:
                self._kill_all()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # --- its contents ---

    def sql(self, text, database=DATABASE, check=True):
        """As the superuser; gives psql's output without decoration."""
        return self._run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p",
                         str(self.port), "-U", "postgres", "-d", database, "-f", "-",
                         input=text.encode("utf-8"), check=check)

    # --- map files ---

    @property
    def inet(self):
        return "inet:127.0.0.1:%d" % self.port

    @property
    def uri(self):
        return "postgresql://%s:%s@127.0.0.1:%d/%s" % (ROLE, PASSWORD, self.port, DATABASE)

    def map_text(self, query=QUERY, **parameters):
        values = {"hosts": self.inet, "user": ROLE, "password": PASSWORD, "dbname": DATABASE,
                  "query": query}
        values.update(parameters)
        return "".join("%s = %s\n" % (name, value) for name, value in values.items()
                       if value is not None)

    def map_file(self, path, query=QUERY, **parameters):
        return write(path, self.map_text(query, **parameters), 0o600)


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Blackhole:
    """A port that is connected to and never answers. With full=True the connection itself is
    never made: the backlog is taken."""

    def __init__(self, full=False):
        self.socket = socket.socket()
        self.port = free_port()
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(0)
        self.fillers = []
        for _ in range(4 if full else 0):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)
        time.sleep(0.05)

    def close(self):
        for one in self.fillers + [self.socket]:
            one.close()
