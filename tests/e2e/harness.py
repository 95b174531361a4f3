"""What the end-to-end tests share: a throw-away Postfix, a throw-away daemon, SMTP.

Everything lives in one temporary directory and listens on 127.0.0.1 only. The
host's own Postfix, if there is one, is neither read nor touched. No message
leaves: every transport is discard(8).

Postfix's master has to be started by root; the daemon under test and saslauthd
run as an unprivileged user.

Needs Debian's postfix, sasl2-bin, libsasl2-modules and openssl, and Python's
standard library.
"""

import base64
import collections
import grp
import os
import pwd
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
DAEMON = os.path.join(BUILD, "postfix-dictd")

HOST = "tahoe.example.net"
DOMAIN = "example.net"
PASSWORDS = {"gregory": "pass of gregory", "root": "pass of root"}
UNPRIVILEGED = "nobody"

os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
os.environ.pop("MAIL_CONFIG", None)  # another instance's configuration


class SetupError(Exception):
    """Something that the tests need is missing or did not start."""


# Verdicts and their bookkeeping


class Report:
    """Prints one line per case and counts. A test is over when `failed` is still 0."""

    def __init__(self, out=sys.stdout):
        self.passed = 0
        self.failed = 0
        self.failures = []
        self._out = out

    def note(self, text):
        print(text, file=self._out, flush=True)

    def check(self, ok, name, detail=""):
        mark = "ok    " if ok else "FAILED"
        self.note(mark + " " + name + (": " + str(detail) if detail else ""))
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(name)
        return ok

    def summary(self):
        return "%d passed, %d failed" % (self.passed, self.failed)


def main(run):
    """The entry of a test file that is run alone: `run(report, arguments)`."""
    report = Report()
    try:
        require_tools()
        run(report, sys.argv[1:])
    except SetupError as error:
        report.check(False, "setup", error)
    report.note(report.summary())
    return 1 if report.failed or not report.passed else 0


def require_tools():
    if os.geteuid() != 0:
        raise SetupError("Postfix's master must be started by root; use tests/e2e/run.sh")
    wanted = {"postfix": "postfix", "postmap": "postfix", "saslauthd": "sasl2-bin",
              "openssl": "openssl"}
    for program, package in wanted.items():
        if shutil.which(program) is None:
            raise SetupError("%s is missing (Debian package %s)" % (program, package))
    if not os.access(DAEMON, os.X_OK):
        raise SetupError(DAEMON + " is missing; run make first")


# Small things


def write(path, text, mode=0o644):
    """Writes text (str as UTF-8, or bytes) and returns path."""
    data = text.encode("utf-8") if isinstance(text, str) else text
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


_ports_given = set()


def free_port():
    """A port that nobody listens on, and that no outgoing connection will be given."""
    for _ in range(1000):
        port = random.randrange(15000, 32000)  # below the usual net.ipv4.ip_local_port_range
        if port in _ports_given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports_given.add(port)
        return port
    raise SetupError("no free port between 15000 and 32000")


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def until(condition, seconds, what):
    """Waits for condition() to be true."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise SetupError("%s did not happen within %d s" % (what, seconds))
        time.sleep(0.02)


def run(*command, **options):
    """Runs a command; its output as bytes. A failure raises, with what it said."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False, **options)
    if result.returncode != 0:
        raise SetupError("%s: exit %d: %s" % (" ".join(command), result.returncode,
                                              result.stdout.decode("utf-8", "replace")))
    return result.stdout


def stop_process(process, seconds=30):
    """TERM, then KILL when that did not do. Returns the exit status, None when killed."""
    if process.poll() is None:
        process.terminate()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
    return process.returncode


class Scratch:
    """A temporary directory that other users may enter, with what runs in it.

    Things with a stop() are stopped in reverse order at the end. KEEP=1 in the
    environment leaves the directory for inspection.
    """

    def __init__(self, name):
        # Not $TMPDIR, which may be too long for a UNIX socket, or its owner's alone.
        self.path = tempfile.mkdtemp(prefix="dictd-e2e-%s-" % name, dir="/tmp")
        os.chmod(self.path, 0o755)
        self._things = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for thing in reversed(self._things):
            try:
                thing.stop()
            except Exception as failure:  # the others must be stopped all the same
                print("while stopping: %s" % failure, file=sys.stderr)
        if os.environ.get("KEEP"):
            print("kept: " + self.path, file=sys.stderr)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def own(self, thing):
        self._things.append(thing)
        return thing

    def file(self, name, text=None, mode=0o644):
        path = os.path.join(self.path, name)
        return path if text is None else write(path, text, mode)

    def dir(self, name, mode=0o755, owner=None):
        path = os.path.join(self.path, name)
        os.mkdir(path)
        os.chmod(path, mode)
        if owner:
            entry = pwd.getpwnam(owner)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        return path


# The daemon under test


class Daemon:
    """build/postfix-dictd on one dictd.cf.

    Started as root it drops to UNPRIVILEGED by its own `user` parameter, and
    its sockets belong to Postfix's group: the way a site would run it. It
    listens on a UNIX socket for socketmap:, and on one TCP port per map for
    tcp:.
    """

    def __init__(self, scratch, name, settings, maps):
        """settings: {parameter: value}; maps: {map name: its MAP_sources}."""
        self.dir = scratch.dir(name)
        self.socket = os.path.join(self.dir, "socketmap")
        self.admin = os.path.join(self.dir, "admin")
        self.ports = {name: free_port() for name in maps}
        self.log = os.path.join(self.dir, "log")
        lines = {
            "socketmap_listen": "unix:" + self.socket,
            "tcp_table_listen": " ".join("inet:127.0.0.1:%d=%s" % (port, name)
                                         for name, port in self.ports.items()),
            "socket_mode": "0660",
            "socket_group": "postfix",
            "admin_listen": "unix:" + self.admin,
            "user": UNPRIVILEGED,
            "group": grp.getgrgid(pwd.getpwnam(UNPRIVILEGED).pw_gid).gr_name,
            "maps": " ".join(maps),
        }
        lines.update({name + "_sources": sources for name, sources in maps.items()})
        lines.update(settings)
        self.config = write(os.path.join(self.dir, "dictd.cf"),
                            "".join("%s = %s\n" % line for line in lines.items()))
        self.process = None
        scratch.own(self)

    def socketmap(self, name):
        return "socketmap:unix:%s:%s" % (self.socket, name)

    def tcp(self, name):
        return "tcp:127.0.0.1:%d" % self.ports[name]

    def table(self, protocol, name):
        return self.tcp(name) if protocol == "tcp" else self.socketmap(name)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([DAEMON, "-c", self.config], cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        until(self._answers, 60, "an answer of the daemon")
        return self

    def stop(self):
        """Returns the exit status; None when it did not obey TERM."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        return stop_process(process)

    def text_of_log(self):
        with open(self.log, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def check_end(self, report, name):
        """It still runs, and ends with 0 on TERM; or its last words are shown."""
        running = self.process is not None and self.process.poll() is None
        status = self.stop()
        if not report.check(running and status == 0, name + ": the daemon ran, and ends on TERM",
                            "status %s%s" % (status, "" if running else ", before it was told")):
            report.note(self.text_of_log()[-2000:])

    def _answers(self):
        if self.process.poll() is not None:
            raise SetupError("the daemon ended with status %s: %s"
                             % (self.process.returncode, self.text_of_log()))
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(self.socket)
                client.sendall(netstring(b"no-such-map probe"))
                if not client.recv(100):
                    return False
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except OSError:
            return False


def netstring(payload):
    return b"%d:%s," % (len(payload), payload)


# Who may log in


class Accounts:
    """Cyrus saslauthd with a run directory of its own.

    Its mechanism is rimap, which asks an IMAP server whether a login and a
    password are right: the one mechanism that needs neither accounts of the
    host nor files under /etc. The IMAP server is a thread of the test.
    """

    def __init__(self, scratch):
        self.dir = scratch.dir("saslauthd", owner=UNPRIVILEGED)
        self._imap = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        log = open(os.path.join(scratch.path, "saslauthd.log"), "wb")
        with log:
            self._process = subprocess.Popen(
                [shutil.which("saslauthd"), "-d", "-n", "1", "-m", self.dir, "-a", "rimap",
                 "-O", "127.0.0.1/%d" % self._imap.getsockname()[1]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                user=UNPRIVILEGED, group=pwd.getpwnam(UNPRIVILEGED).pw_gid, extra_groups=[],
                start_new_session=True)  # in the foreground it ends with kill(0, SIGTERM)
        scratch.own(self)
        self.socket = os.path.join(self.dir, "mux")
        until(lambda: os.path.exists(self.socket), 60, "the start of saslauthd")
        self.smtpd_conf = ("pwcheck_method: saslauthd\nsaslauthd_path: %s\nmech_list: PLAIN\n"
                           % self.socket)

    def stop(self):
        self._imap.close()
        stop_process(self._process)

    def _serve(self):
        while True:
            try:
                client, _ = self._imap.accept()
            except OSError:
                return
            with client:
                try:
                    client.sendall(b"* OK ready\r\n")
                    line = b""
                    while not line.endswith(b"\n"):
                        data = client.recv(1000)
                        if not data:
                            break
                        line += data
                    words = re.findall(r'"((?:[^"\\]|\\.)*)"', line.decode("utf-8", "replace"))
                    tag = line.split(b" ")[0]
                    good = len(words) == 2 and PASSWORDS.get(words[0]) == words[1]
                    client.sendall(tag + (b" OK hello\r\n" if good else b" NO wrong\r\n"))
                except OSError:
                    pass


# Postfix


MASTER_CF = """\
pickup    unix  n  -  n  60   1  pickup
cleanup   unix  n  -  n  -    0  cleanup
qmgr      unix  n  -  n  300  1  qmgr
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
rewrite   unix  -  -  n  -    -  trivial-rewrite
bounce    unix  -  -  n  -    0  bounce
defer     unix  -  -  n  -    0  bounce
trace     unix  -  -  n  -    0  bounce
verify    unix  -  -  n  -    1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -    -  proxymap
error     unix  -  -  n  -    -  error
retry     unix  -  -  n  -    -  error
discard   unix  -  -  n  -    -  discard
anvil     unix  -  -  n  -    1  anvil
postlog   unix-dgram n -  n  -    1  postlogd
"""


class Postfix:
    """A Postfix instance in a directory of its own, with any number of smtpd services."""

    def __init__(self, scratch, accounts, settings=None):
        self._started = False
        self.dir = scratch.dir("postfix")
        self.config = os.path.join(self.dir, "etc")
        self.log = os.path.join(self.dir, "maillog")
        queue = os.path.join(self.dir, "queue")
        data = os.path.join(self.dir, "data")
        for path in (self.config, queue, data):
            os.mkdir(path, 0o755)
        entry = pwd.getpwnam("postfix")
        os.chown(data, entry.pw_uid, entry.pw_gid)
        # Debian's Postfix looks in sasl/ beside main.cf, others where they are told.
        sasl = os.path.join(self.config, "sasl")
        os.mkdir(sasl, 0o755)
        if accounts is not None:
            write(os.path.join(sasl, "smtpd.conf"), accounts.smtpd_conf)
        self.certificate = os.path.join(self.config, "cert.pem")
        key = os.path.join(self.config, "key.pem")
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=" + HOST, "-addext", "subjectAltName=DNS:" + HOST,
            "-keyout", key, "-out", self.certificate)
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": queue,
            "data_directory": data,
            "maillog_file": self.log,
            "maillog_file_prefixes": self.dir,
            "myhostname": HOST,
            "mydomain": DOMAIN,
            "myorigin": DOMAIN,
            "mydestination": "%s %s localhost" % (DOMAIN, HOST),
            "inet_interfaces": "loopback-only",
            "inet_protocols": "all" if have_ipv6() else "ipv4",
            "mynetworks": "127.0.0.0/8 [::1]/128",
            "recipient_delimiter": "+",
            "smtputf8_enable": "yes",
            "biff": "no",
            "alias_maps": "",
            "alias_database": "",
            # Nothing is ever delivered. local_recipient_maps belongs to the address class, not
            # to the transport: it stays in force.
            "local_transport": "discard:",
            "default_transport": "discard:",
            "relay_transport": "discard:",
            "virtual_transport": "discard:",
            "smtpd_peername_lookup": "no",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_sender_restrictions": "reject_sender_login_mismatch",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_path": "smtpd",
            "cyrus_sasl_config_path": sasl,
            "smtpd_tls_security_level": "may",
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_cert_file": self.certificate,
            "smtpd_tls_key_file": key,
            # One test client: no limits and no tarpit.
            "smtpd_client_connection_count_limit": "0",
            "smtpd_error_sleep_time": "0",
            "in_flow_delay": "0",
            "smtpd_soft_error_limit": "1000000",
            "smtpd_hard_error_limit": "1000000",
            "smtpd_junk_command_limit": "1000000",
            "smtpd_recipient_limit": "100000",
        }
        self.settings.update(settings or {})
        self._services = []
        scratch.own(self)

    def add_smtpd(self, **options):
        """One more smtpd with parameters of its own; its port. Before start()."""
        port = free_port()
        self._services.append((port, options))
        return port

    def write_config(self):
        """Writes main.cf and master.cf: postconf and postmap then work with this instance."""
        write(os.path.join(self.config, "main.cf"),
              "".join("%s = %s\n" % line for line in self.settings.items()))
        text = MASTER_CF
        for port, options in self._services:
            text += "127.0.0.1:%d inet n - n - - smtpd\n" % port
            text += "".join("  -o { %s = %s }\n" % option for option in options.items())
        write(os.path.join(self.config, "master.cf"), text)

    def start(self):
        self.write_config()
        self._started = True
        try:
            run("postfix", "-c", self.config, "start")
        except SetupError as error:
            raise SetupError("%s%s" % (error, self.text_of_log()[-2000:])) from None
        for port, _ in self._services:
            until(lambda: _listens(port), 60, "the start of smtpd on port %d" % port)
        return self

    def stop(self):
        if self._started:
            self._started = False
            run("postfix", "-c", self.config, "stop")

    def master_pid(self):
        with open(os.path.join(self.settings["queue_directory"], "pid", "master.pid"),
                  encoding="ascii") as file:
            return int(file.read())

    def text_of_log(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def postmap(self, *arguments, stdin=b"", timeout=120):
        """postmap with this instance's main.cf; (exit status, stdout, stderr)."""
        result = subprocess.run(("postmap", "-c", self.config) + arguments, input=stdin,
                                capture_output=True, check=False, timeout=timeout)
        return result.returncode, result.stdout, result.stderr.decode("utf-8", "replace")


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


# SMTP


class Reply(collections.namedtuple("Reply", "code enhanced text")):
    """One SMTP reply: 553, "5.7.1", "<root@example.net>: Sender address rejected: ..."."""

    __slots__ = ()

    def __str__(self):
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)

    def ok(self):
        return 200 <= self.code < 400


class Smtp:
    """A session with one smtpd. Logs in over STARTTLS when a login is given.

    Commands are bytes or str (sent as UTF-8).
    """

    def __init__(self, postfix, port, login=None, password=None, helo="client.example.org"):
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._file = self._socket.makefile("rb")
        self.greeting = self._reply()
        self.login = login
        self.features = self.command("EHLO " + helo)
        if login is not None:
            self.expect("STARTTLS", 220)
            context = ssl.create_default_context(cafile=postfix.certificate)
            self._file.close()
            self._socket = context.wrap_socket(self._socket, server_hostname=HOST)
            self._file = self._socket.makefile("rb")
            self.features = self.expect("EHLO " + helo, 250)
            password = PASSWORDS[login] if password is None else password
            token = base64.b64encode(("\0%s\0%s" % (login, password)).encode())
            self.expect(b"AUTH PLAIN " + token, 235)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        try:
            self._socket.sendall(b"QUIT\r\n")
        except OSError:
            pass
        self._file.close()
        self._socket.close()

    def command(self, line):
        return self.commands([line])[0]

    def commands(self, lines):
        """Sends all lines at once (RFC 2920), then reads as many replies."""
        data = b"".join((line.encode("utf-8") if isinstance(line, str) else line) + b"\r\n"
                        for line in lines)
        self._socket.sendall(data)
        return [self._reply() for _ in lines]

    def expect(self, line, code):
        reply = self.command(line)
        if reply.code != code:
            raise SetupError("%r got %s" % (line, reply))
        return reply

    def try_mail(self, sender, recipient=None, parameters=""):
        """MAIL, and RCPT when recipient is given; takes it back. Both replies; None: not asked.

        Postfix waits with a refusal of the sender until RCPT by default, so the
        verdict on a transaction is the first of the two that is not 2xx.
        """
        self.command("RSET")
        mail = self.command(_path("MAIL FROM:", sender) + _parameters(parameters))
        rcpt = None
        if recipient is not None and mail.ok():
            rcpt = self.command(_path("RCPT TO:", recipient))
        self.command("RSET")
        return mail, rcpt

    def verdict(self, sender, recipient, parameters=""):
        mail, rcpt = self.try_mail(sender, recipient, parameters)
        return mail if rcpt is None else rcpt

    def send(self, sender, recipient, body="Subject: test\r\n\r\nhello\r\n", parameters=""):
        """A whole message; the last reply."""
        for line, good in ((_path("MAIL FROM:", sender) + _parameters(parameters), 250),
                           (_path("RCPT TO:", recipient), 250), (b"DATA", 354)):
            reply = self.command(line)
            if reply.code != good:
                return reply
        return self.command(body.encode("utf-8") + b".")

    def _reply(self):
        lines = []
        while True:
            line = self._file.readline(10000)
            if not line.endswith(b"\n") or not re.match(rb"\d\d\d[ -]", line):
                raise SetupError("the SMTP server said %r" % line)
            text = line[4:].rstrip(b"\r\n").decode("utf-8", "backslashreplace")
            lines.append(text)
            if line[3:4] == b" ":
                break
        code = int(line[:3])
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3}) ?", lines[0])
        if match:
            return Reply(code, match.group(1),
                         "\n".join(text[match.end():] for text in lines))
        return Reply(code, "", "\n".join(lines))


def _bytes(text):
    return text.encode("utf-8") if isinstance(text, str) else text


def _path(verb, address):
    return _bytes(verb) + b"<" + _bytes(address) + b">"


def _parameters(parameters):
    return b" " + _bytes(parameters) if parameters else b""
