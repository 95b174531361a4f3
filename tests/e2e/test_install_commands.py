#!/usr/bin/env python3
"""Follows README.md and INSTALL: their commands, in order, do what is written there.

First `make run`, which has to print what README.md shows. Then every line of INSTALL that begins with "    # " is a command; the indented lines
below it are what it must print ("..." stands for anything). They run in
namespaces of their own (mounts, network, processes, host name), where copies or
empty directories lie over all that they change: /etc, /run, /usr/local,
/var/log, /var/lib/postfix, /var/spool/postfix. There the host is a fresh Debian
with Postfix, port 25 is free, and the real host is not touched.

Where INSTALL begins with a site that asks PostgreSQL already, that site is made first.

What is not real there: no systemd runs. `systemctl` is this file under another
name: it starts the daemon as the installed unit's User=, ExecStart=,
RuntimeDirectory= and LimitNOFILE= say and waits for READY=1; of the unit's
hardening it applies nothing but the change of user. `journalctl` prints the
files that the daemon and Postfix log to. `apt-get install` checks that the
packages are there.
"""

import contextlib
import fcntl
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(sys.path[0]), "integration"))
import harness
import pg

HERE = os.path.realpath(__file__)
SHIMS = ("systemctl", "journalctl", "apt-get")
LOGS = {"postfix-dictd": "/var/log/postfix-dictd.log", "postfix@*": "/var/log/mail.log"}
UNIT = "/usr/local/lib/systemd/system/postfix-dictd.service"
STATE = "/run/systemctl-of-the-test"
# Typed in for `passwd` (twice) and for try-sender.py (once).
TYPED = "pass of gregory\npass of gregory\n"
AT_LEAST = 70  # commands; fewer means that they were not found in INSTALL


# Outside: a namespace


def run(report, arguments):
    for program in ("unshare", "mount", "make", "saslauthd", "useradd"):
        if shutil.which(program) is None:
            raise harness.SetupError(program + " is missing")
    namespace = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child",
                 "--mount-proc"]
    probe = subprocess.run(namespace + ["true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        print("skipped: namespaces cannot be made here (a container, a chroot): "
              + probe.stderr.strip())
        sys.exit(77)
    area = tempfile.mkdtemp(prefix="dictd-e2e-install-", dir="/tmp")
    try:
        os.chmod(area, 0o755)
        status = subprocess.run(namespace + [sys.executable, "-B", HERE, "--inside", area],
                                stdin=subprocess.DEVNULL, timeout=1800, check=False).returncode
        report.check(status == 0, "the commands of INSTALL", "status %d" % status)
    finally:
        shutil.rmtree(area, ignore_errors=True)


# Inside: a fresh Debian


def lay_over(source, target):
    os.makedirs(target, exist_ok=True)
    harness.run("mount", "--bind", source, target)


def fresh(area, name, mode=0o755):
    path = os.path.join(area, name)
    os.mkdir(path)
    os.chmod(path, mode)
    return path


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: UP, RUNNING


def make_host(area):
    """Directories over those that the commands change; then what a fresh Debian has there."""
    socket.sethostname("tahoe")
    loopback_up()
    etc = os.path.join(area, "etc")
    harness.run("cp", "-a", "/etc", etc)
    spool = fresh(area, "spool")
    for entry in os.scandir("/var/spool/postfix"):
        if not entry.is_dir(follow_symlinks=False):
            continue
        copy = os.path.join(spool, entry.name)
        if entry.name in ("etc", "lib", "usr", "dev"):
            harness.run("cp", "-a", entry.path, copy)
        elif entry.name != "postfix-dictd":
            status = entry.stat()
            os.mkdir(copy)
            os.chown(copy, status.st_uid, status.st_gid)
            os.chmod(copy, status.st_mode & 0o7777)
    data = fresh(area, "data")
    shutil.chown(data, "postfix", "postfix")
    lay_over(etc, "/etc")
    lay_over(spool, "/var/spool/postfix")
    lay_over(data, "/var/lib/postfix")
    lay_over(fresh(area, "run"), "/run")
    lay_over(fresh(area, "log"), "/var/log")
    for name in ("sbin", "bin", "share", "lib"):
        lay_over(fresh(area, "local-" + name), "/usr/local/" + name)
    os.mkdir("/run/lock")
    shims = fresh(area, "shims")
    for name in SHIMS:
        harness.write(os.path.join(shims, name), "#!/bin/sh\nexec %s -B %s --%s \"$@\"\n"
                      % (sys.executable, HERE, name), 0o755)
    os.environ["PATH"] = shims + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    write_etc()


def write_etc():
    """As the installer and Debian's postfix package leave them, for "Internet Site"."""
    shutil.rmtree("/etc/postfix-dictd", ignore_errors=True)
    for name in ("gregory", "postfix-dictd"):  # where the real host has them
        subprocess.run(["userdel", name], capture_output=True, check=False)
    harness.write("/etc/hostname", "tahoe\n")
    harness.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 tahoe.example.net tahoe\n"
                  "::1 localhost\n")
    harness.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    harness.write("/etc/mailname", "example.net\n")
    harness.write("/etc/aliases", "# See man 5 aliases for format\npostmaster:    root\n")
    for path in ("/etc/default/saslauthd-postfix", "/etc/postfix/sasl/smtpd.conf"):
        if os.path.exists(path):
            os.unlink(path)
    os.makedirs("/etc/postfix/sasl", exist_ok=True)
    harness.run("make-ssl-cert", "generate-default-snakeoil", "--force-overwrite")
    with open("/etc/postfix/main.cf", "wb") as main_cf:
        for part in ("main.cf.debian", "main.cf.tls"):
            with open("/usr/share/postfix/" + part, "rb") as file:
                main_cf.write(file.read())
    shutil.copy("/usr/share/postfix/master.cf.dist", "/etc/postfix/master.cf")
    harness.run("postconf", "-e", "myhostname=tahoe.example.net", "myorigin=/etc/mailname",
                "alias_maps=hash:/etc/aliases", "alias_database=hash:/etc/aliases",
                "mydestination=$myhostname, tahoe.example.net, localhost",
                "smtpd_relay_restrictions=permit_mynetworks permit_sasl_authenticated "
                "defer_unauth_destination",
                "mynetworks=127.0.0.0/8 [::1]/128", "recipient_delimiter=+",
                "inet_interfaces=all", "compatibility_level=3.6",
                # In the place of journald.
                "maillog_file=" + LOGS["postfix@*"])
    harness.run("newaliases")


# The commands


class Command:
    def __init__(self, section, line, text):
        self.section, self.line, self.text, self.wanted = section, line, text, []

    def __str__(self):
        return "INSTALL:%d: %s" % (self.line, self.text.splitlines()[0])


def read_commands(path):
    commands, section, end = [], "", None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            body = line[4:] if line.startswith("    ") else None
            if end is not None:
                if body is None:
                    raise harness.SetupError("INSTALL:%d: no %s" % (number, end))
                commands[-1].text += "\n" + body
                end = None if body == end else end
            elif body is None:
                block = False
                if re.match(r"(\d+\. )?[A-Z0-9 .,:']{3,}$", line):
                    section = line.split(".")[0]
            elif body.startswith("# "):
                block = True
                commands.append(Command(section, number, body[2:]))
                match = re.search(r"<<'(\w+)'$", body)
                end = match.group(1) if match else None
            elif block:
                commands[-1].wanted.append(body)
    return commands


def matches(wanted, output):
    pattern = ""
    for line in wanted:
        pattern += r"(?:.*\n)*?" if line == "..." else \
            ".*".join(re.escape(part) for part in line.split("...")) + "\n"
    return re.fullmatch(pattern, output) is not None


def exit_status_for(command, output):
    """0, but for try-sender.py, whose status follows the verdict, and for differences."""
    if "try-sender.py" in command.text:
        return {"4": 75, "5": 1}.get(output[:1], 0)
    if command.text.startswith("dictctl compare"):
        return 1 if " says " in output else 0
    return 0


def postfix_askers():
    """The process ids of those that have tables open."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % name, encoding="ascii", errors="replace") as file:
                if file.read().strip() in ("smtpd", "proxymap"):
                    found.add(name)
        except OSError:
            pass
    return found


def wait_for_others_than(askers):
    """A reload is over when those from before have ended. A person does not notice."""
    harness.until(lambda: not askers & postfix_askers(), 60, "the end of smtpd and proxymap")


def do_command(command):
    """Its result, and whether it is what INSTALL says."""
    result = subprocess.run(["/bin/sh", "-c", command.text], cwd=harness.ROOT, input=TYPED,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=600, check=False)
    good = result.returncode == exit_status_for(command, result.stdout)
    if command.wanted:
        good = good and matches(command.wanted, result.stdout)
    elif command.text in ("postfix-dictd -t", "dictctl lint sender_login") or command.text.startswith("postconf -n"):
        good = good and result.stdout == ""
    return result, good


def run_command(report, command, previous):
    askers = postfix_askers()
    deadline = time.monotonic() + 20
    result, good = do_command(command)
    # What the sleep before it waits for may take a busy machine longer.
    while not good and previous is not None and previous.text.startswith("sleep ") \
            and time.monotonic() < deadline:
        time.sleep(0.5)
        result, good = do_command(command)
    report.check(good, str(command), "" if good else "status %d, printed:\n%swanted:\n%s"
                 % (result.returncode, result.stdout, "\n".join(command.wanted)))
    if command.text == "postfix reload":
        wait_for_others_than(askers)
    return good


def forge(report, when, wanted):
    """gregory as root: what Postfix says."""
    result = subprocess.run([sys.executable, "packaging/try-sender.py", "127.0.0.1:587", "gregory",
                             "root@example.net"], cwd=harness.ROOT, input=TYPED,
                            capture_output=True, text=True, check=False)
    report.check(result.stdout.startswith(wanted), "%s: gregory as root gets %s" % (when, wanted),
                 (result.stdout + result.stderr).strip())


def postconf():
    return harness.run("postconf", "-n").decode()


def make_run(report):
    """`make run`, as README.md shows it, with no dictd.cf."""
    with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
        shown = file.read().split("It prints:\n\n")[1].split("\n\nPut ")[0]
    shown = [line[4:] for line in shown.splitlines()]
    process = subprocess.Popen(["make", "run"], cwd=harness.ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if "postmap -q" in line:
            break
    printed = lines[-len(shown):]
    report.check(printed == shown, "make run prints what README.md shows",
                 "" if printed == shown else "\n".join(lines))
    try:
        answer = harness.run("/bin/sh", "-c", shown[-1])
        report.check(answer == b"root\n", shown[-1].strip(), answer)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.close()
        process.wait()


SITE = "FROM PROXY:PGSQL: TO SOCKETMAP:"
SITE_QUERY = "SELECT login FROM owners WHERE address = '%s'"


def make_pgsql_site(report):
    """A Postfix that asks PostgreSQL through proxymap, and steps 1 and 2 of INSTALL."""
    harness.run("systemctl", "stop", "postfix-dictd")
    shutil.rmtree("/etc/postfix-dictd")
    harness.run("make", "-C", harness.ROOT, "install")
    server = pg.Postgres()
    try:
        os.mkdir("/run/postgresql")
        os.symlink("%s/.s.PGSQL.%d" % (server.sockets, server.port),
                   "/run/postgresql/.s.PGSQL.5432")
        server.map_file("/etc/postfix/sender.cf", hosts="unix:/run/postgresql", query=SITE_QUERY)
        shutil.chown("/etc/postfix/sender.cf", "root", "postfix")
        os.chmod("/etc/postfix/sender.cf", 0o640)
        harness.run("postconf", "-e", "smtpd_sender_login_maps=proxy:pgsql:/etc/postfix/sender.cf")
        askers = postfix_askers()
        harness.run("postfix", "reload")
        wait_for_others_than(askers)
        forge(report, "with proxy:pgsql:", "553")
    except BaseException:
        server.close()
        raise
    return server


def nothing_left(report):
    left = [os.path.join(path, name) for top in ("/usr/local", "/etc", "/run", "/var/spool/postfix")
            for path, _, names in os.walk(top) for name in names
            if "dictd" in name or "dictctl" in name or "try-sender" in name]
    if "/etc/postfix/main.cf.before-dictd" in left:
        left.remove("/etc/postfix/main.cf.before-dictd")
    report.check(not left, "after the roll-back no file is left", " ".join(left))
    names = [entry.pw_name for entry in pwd.getpwall()]
    report.check("postfix-dictd" not in names, "after the roll-back its user is gone")


def follow(report, servers):
    """servers: closes those that are started on the way."""
    commands = read_commands(os.path.join(harness.ROOT, "INSTALL"))
    report.check(len(commands) >= AT_LEAST, "INSTALL has commands", len(commands))
    before = None
    previous = None
    server = None
    for command in commands:
        if command.section == SITE and server is None:
            server = servers.enter_context(make_pgsql_site(report))
        if command.section == "6" and before is None:
            before = postconf()
            forge(report, "before the switch", "250")
        if command.text.startswith("systemctl disable"):
            forge(report, "rolled back", "250")
            report.check(postconf() == before, "rolled back, main.cf is as before")
        if previous is not None and previous.section == "9" and command.section != "9":
            nothing_left(report)
        if not run_command(report, command, previous) and command.section in "01234":
            raise harness.SetupError("no use to go on")
        previous = command
    forge(report, "at the end", "553")


def inside(area):
    report = harness.Report()
    # What the caller's make was told holds for this one too, but for its job server.
    flags = os.environ.pop("MAKEFLAGS", "")
    flags = " ".join(flag for flag in flags.split() if not re.match(r"--job|-j", flag))
    os.environ.update({"MAKEFLAGS": flags, "BUILD": harness.BUILD, "LC_ALL": "C"})
    os.environ.pop("MFLAGS", None)
    try:
        make_host(area)
        make_run(report)
        with contextlib.ExitStack() as servers:
            follow(report, servers)
    except harness.SetupError as error:
        report.check(False, "setup", error)
    if report.failed:
        for path in LOGS.values():
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    report.note("== %s\n%s" % (path, "".join(file.readlines()[-40:])))
    report.note(report.summary())
    return 1 if report.failed or not report.passed else 0


# systemctl, journalctl and apt-get


def fail(text):
    print(text, file=sys.stderr)
    return 1


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Dictd:
    """The daemon, as its unit says."""

    def __init__(self):
        os.makedirs(STATE, exist_ok=True)
        self.pid_file = STATE + "/pid"
        self.notify = STATE + "/notify"
        self.unit = {}
        with open(UNIT, encoding="utf-8") as file:
            for line in file:
                name, equals, value = line.strip().partition("=")
                if equals and not line.startswith("#"):
                    self.unit.setdefault(name, []).append(value)
        entry = pwd.getpwnam(self.unit["User"][0])
        self.owner = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.runtime = "/run/" + self.unit["RuntimeDirectory"][0]

    def pid(self):
        try:
            with open(self.pid_file, encoding="ascii") as file:
                pid = int(file.read())
        except (OSError, ValueError):
            return 0
        return pid if alive(pid) else 0

    def _wait(self, channel, what, pid):
        channel.settimeout(0.2)
        for _ in range(100):
            try:
                if what in channel.recv(1000).split(b"\n"):
                    return True
            except socket.timeout:
                if not alive(pid):
                    return False
        return False

    def _listen(self):
        if os.path.exists(self.notify):
            os.unlink(self.notify)
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.bind(self.notify)
        os.chmod(self.notify, 0o777)
        return channel

    def start(self):
        if self.pid():
            return 0
        os.makedirs(self.runtime, exist_ok=True)
        os.chmod(self.runtime, int(self.unit["RuntimeDirectoryMode"][0], 8))
        os.chown(self.runtime, self.owner["user"], self.owner["group"])
        files = int(self.unit["LimitNOFILE"][0])
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        with self._listen() as channel, open(LOGS["postfix-dictd"], "ab") as log:
            process = subprocess.Popen(
                self.unit["ExecStart"][0].split(), cwd="/", stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, umask=int(self.unit["UMask"][0], 8),
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
                     "NOTIFY_SOCKET": self.notify}, **self.owner)
            harness.write(self.pid_file, str(process.pid))
            process.returncode = 0  # it stays
            if not self._wait(channel, b"READY=1", process.pid):
                return fail("postfix-dictd has not said READY=1")
        return 0

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            try:
                harness.until(lambda: not alive(pid), int(self.unit["TimeoutStopSec"][0]), "its end")
            except harness.SetupError as error:
                return fail(str(error))
        shutil.rmtree(self.runtime, ignore_errors=True)
        return 0

    def reload(self):
        pid = self.pid()
        if not pid:
            return fail("postfix-dictd is not active")
        with self._listen() as channel:
            for line in self.unit["ExecReload"]:
                words = line.replace("$MAINPID", str(pid)).split()
                if subprocess.run(words, check=False, **self.owner).returncode != 0:
                    return fail("failed: " + line)
            if not self._wait(channel, b"RELOADING=1", pid):
                return fail("postfix-dictd has not said RELOADING=1")
            return 0 if self._wait(channel, b"READY=1", pid) else fail("no READY=1 after a reload")


def systemctl(arguments):
    verb, units = arguments[0], [word for word in arguments[1:] if word != "--now"]
    if verb in ("enable", "disable"):
        verb = {"enable": "start", "disable": "stop"}[verb] if "--now" in arguments else "nothing"
    if verb in ("daemon-reload", "nothing"):
        return 0
    if units == ["saslauthd"]:
        return subprocess.run(["/etc/init.d/saslauthd", verb], check=False).returncode
    if units == ["postfix"] and verb == "restart":
        subprocess.run(["postfix", "stop"], capture_output=True, check=False)
        harness.run("/usr/lib/postfix/configure-instance.sh", "-")
        harness.run("postfix", "start")
        return 0
    if units != ["postfix-dictd"]:
        return fail("not known to this systemctl: " + " ".join(arguments))
    dictd = Dictd()
    if verb == "is-active":
        print("active" if dictd.pid() else "inactive")
        return 0 if dictd.pid() else 3
    if verb == "restart":
        return dictd.stop() or dictd.start()
    return getattr(dictd, verb)()


def journalctl(arguments):
    options = dict(zip(arguments[0::2], arguments[1::2]))
    path, pattern = LOGS[options["-u"]], options.get("-g", "")
    deadline = time.monotonic() + 20  # Postfix's log is written by a process of its own
    lines = []
    while not lines and time.monotonic() < deadline:
        time.sleep(0.05)
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = [line for line in file if re.search(pattern, line)]
    print("".join(lines), end="")
    return 0 if lines else fail("-- No entries --")


def apt_get(arguments):
    missing = [name for name in arguments if not name.startswith("-") and name != "install"
               and subprocess.run(["dpkg-query", "-W", name], capture_output=True,
                                  check=False).returncode != 0]
    return fail("not installed here: " + " ".join(missing)) if missing else 0


MODES = {"--inside": lambda words: inside(words[0]), "--systemctl": systemctl,
         "--journalctl": journalctl, "--apt-get": apt_get}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in MODES:
        sys.exit(MODES[sys.argv[1]](sys.argv[2:]))
    sys.exit(harness.main(run))
