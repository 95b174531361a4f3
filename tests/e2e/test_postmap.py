#!/usr/bin/env python3
"""postmap(1) against the daemon: a whole table comes back, errors are errors.

    test_postmap.py [--seed N]
"""

import argparse
import os
import pwd
import re
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
import tables

SEED = 2522
LONG = 5000  # more than a tcp_table line of 4,096 bytes holds
TOO_LONG = 100001  # more than a socketmap reply
PROTOCOLS = ("socketmap", "tcp")


def expected_lines(postfix, source, keys):
    """What Postfix's own client says to these keys from the same file as hash:."""
    status, _, errors = postfix.postmap("hash:" + source)
    if status != 0:
        raise harness.SetupError("postmap: " + errors)
    status, out, errors = postfix.postmap("-q", "-", "hash:" + source, stdin=keys)
    if status != 0:
        raise harness.SetupError("postmap -q: exit %d %s" % (status, errors))
    return out.splitlines()


def check_whole_table(report, postfix, source, daemon, entries):
    keys = "".join(key + "\n" for key, _ in entries).encode("utf-8")
    want = expected_lines(postfix, source, keys)
    report.check(len(want) == len(entries), "hash: has every key of the table",
                 "%d of %d" % (len(want), len(entries)))
    for protocol in PROTOCOLS:
        table = daemon.table(protocol, "sender_login")
        status, out, errors = postfix.postmap("-q", "-", table, stdin=keys)
        got = out.splitlines()
        missing = [line for line in want if line not in set(got)]
        extra = [line for line in got if line not in set(want)]
        report.check(status == 0 and got == want and not errors,
                     "%s: postmap -q - of every key gives back the table" % protocol,
                     "exit %d, %d of %d lines, %d missing or different %s"
                     % (status, len(got), len(want), len(missing), errors.strip()))
        for what, lines in (("expected", missing), ("got", extra)):
            for line in lines[:15]:
                report.note("  %s %s" % (what, line.decode("utf-8", "replace")))


FIXED = """\
gregory                     gregory
"john smith"@example.net    gregory
grégory@example.net         gregory, root
@relay.example.org          root
+x@example.net              root
"""

# key, what postmap -q prints
SINGLE = [
    ("gregory", b"gregory\n"),
    ("GREGORY", b"gregory\n"),
    ("gregory@example.net", b"gregory\n"),
    ("gregory+lists@example.net", b"gregory\n"),
    ("Gregory+lists@Tahoe.Example.Net", b"gregory\n"),
    ("gregory@[127.0.0.1]", b"gregory\n"),
    ("gregory@[192.0.2.10]", b"gregory\n"),
    ('"john smith"@example.net', b"gregory\n"),
    ("john smith@example.net", b"gregory\n"),
    ('"john smith+x"@example.net', b"gregory\n"),
    ("GRÉGORY+x@example.net", b"gregory, root\n"),
    ("anybody@relay.example.org", b"root\n"),
    ("@relay.example.org", b"root\n"),
    ("+x@example.net", b"root\n"),
    ("+y@example.net", b""),
    ("nobody-here@example.net", b""),
    ("nobody-here", b""),
    ("gregory@example.org", b""),
    ("gregory@[192.0.2.99]", b""),
    ("é@example.net", b""),
    ("100%@example.net", b""),
]


def check_single_keys(report, postfix, daemon):
    for protocol in PROTOCOLS:
        table = daemon.table(protocol, "fixed")
        for key, want in SINGLE:
            status, out, errors = postfix.postmap("-q", key, table)
            report.check(out == want and status == (0 if want else 1) and not errors,
                         "%s: postmap -q '%s'" % (protocol, key),
                         "exit %d %r %s" % (status, out, errors.strip()))


def check_not_utf8(report, postfix, daemon):
    """Keys that are not UTF-8 are not found, with no error, and cost no other key its answer.

    postmap keeps such keys to itself while smtputf8_enable = yes.
    """
    keys = b"gr\xe9gory@example.net\n\xff\xfe\ngregory@example.net\n\xed\xa0\x80@example.net\n"
    postfix.settings["smtputf8_enable"] = "no"
    postfix.write_config()
    for protocol in PROTOCOLS:
        status, out, errors = postfix.postmap("-q", "-", daemon.table(protocol, "fixed"),
                                              stdin=keys)
        report.check(status == 0 and out == b"gregory@example.net\tgregory\n" and not errors,
                     "%s: postmap -q of keys that are not UTF-8" % protocol,
                     "exit %d %r %s" % (status, out, errors.strip()))
    postfix.settings["smtputf8_enable"] = "yes"
    postfix.write_config()


def check_error(report, name, result, message):
    """An error: exit status 1 with a message, which `not found` does not have; and no output."""
    status, out, errors = result
    report.check(status == 1 and out == b"" and re.search(message, errors), name,
                 "exit %d %r %s" % (status, out, errors.strip()))


def check_perm(report, postfix, daemon):
    """A map that the daemon does not have, a value too long for the protocol: PERM."""
    table = daemon.socketmap("no_such_map")
    for arguments, stdin in ((("-q", "gregory"), b""), (("-q", "-"), b"gregory\nroot\n")):
        check_error(report, "socketmap: PERM is an error to postmap " + " ".join(arguments),
                    postfix.postmap(*arguments, table, stdin=stdin), "permanent error")
    # What PERM becomes on tcp: 400.
    status, out, _ = postfix.postmap("-q", "long", daemon.socketmap("lengths"))
    report.check(status == 0 and len(out) == LONG + 1, "socketmap: a value of %d bytes" % LONG,
                 "exit %d, %d bytes" % (status, len(out)))
    check_error(report, "tcp: a value of %d bytes is an error" % LONG,
                postfix.postmap("-q", "long", daemon.tcp("lengths")), "query error")
    check_error(report, "socketmap: a value of %d bytes is an error" % TOO_LONG,
                postfix.postmap("-q", "too-long", daemon.socketmap("lengths")), "permanent error")
    for protocol in PROTOCOLS:
        result = postfix.postmap("-q", "short", daemon.table(protocol, "lengths"))
        report.check(result == (0, b"gregory\n", ""), "%s: and a short one is found" % protocol,
                     result)


class Flood:
    """A client that keeps one map's back end busy: pipelined requests, for as long as `with`."""

    def __init__(self, daemon, name):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(daemon.socket)
        self._requests = b"".join(harness.netstring(b"%s flood-%d" % (name.encode(), number))
                                  for number in range(100))
        self._over = False
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._drain)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._over = True
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _send(self):
        try:
            while not self._over:
                self._socket.sendall(self._requests)
        except OSError:
            pass

    def _drain(self):
        try:
            while self._socket.recv(65536):
                pass
        except OSError:
            pass


def check_temp(report, postfix, daemon):
    """A back end that is busy up to its limit: TEMP. The map `busy` may ask one thing at once.

    What postmap prints before the error must be right all the same.
    """
    logins = [entry.pw_name for entry in pwd.getpwall()]
    keys = "".join("%s\nnobody-here-%d\n" % (logins[number % len(logins)], number)
                   for number in range(20000)).encode()
    for protocol in PROTOCOLS:
        table = daemon.table(protocol, "busy")
        result = postfix.postmap("-q", logins[0], table)
        report.check(result == (0, logins[0].encode() + b"\n", ""),
                     "%s: passwd: knows %s" % (protocol, logins[0]), result)
        result = postfix.postmap("-q", "nobody-here", table)
        report.check(result == (1, b"", ""), "%s: passwd: does not know nobody-here" % protocol,
                     result)
        with Flood(daemon, "busy"):
            status, out, errors = postfix.postmap("-q", "-", table, stdin=keys)
        words = "query error" if protocol == "tcp" else "temporary error.*query error"
        report.check(status == 1 and re.search(words, errors, re.DOTALL),
                     "%s: TEMP is an error to postmap -q -" % protocol,
                     "exit %d %s" % (status, errors.strip()))
        lines = out.decode().splitlines()
        want = [name + "\t" + name for name in (logins[number % len(logins)]
                                                for number in range(len(lines)))]
        report.check(lines == want, "%s: and no answer before it is wrong" % protocol,
                     "%d answers" % len(lines))
        # The daemon may see the next question before it sees that the flood is over.
        good = (0, logins[0].encode() + b"\n", "")
        deadline = time.monotonic() + 30
        result = postfix.postmap("-q", logins[0], table)
        while result != good and "query error" in result[2] and time.monotonic() < deadline:
            result = postfix.postmap("-q", logins[0], table)
        report.check(result == good,
                     "%s: and the answer is there again afterwards" % protocol, result)


def limit_descriptors(pid, limit):
    """Sets the soft limit of another process, as the user that it runs as."""
    harness.run("prlimit", "--pid", str(pid), "--nofile=%d:" % limit, user=harness.UNPRIVILEGED,
                group=pwd.getpwnam(harness.UNPRIVILEGED).pw_gid, extra_groups=[])


def starve(pid, spare):
    """Leaves the process that many descriptors that it can still open. Returns the old limit."""
    used = {int(name) for name in os.listdir("/proc/%d/fd" % pid)}
    limit = 0
    while spare >= 0:
        spare -= limit not in used
        limit += 1
    with open("/proc/%d/limits" % pid, encoding="ascii") as limits:
        before = int(re.search(r"Max open files +(\d+)", limits.read()).group(1))
    limit_descriptors(pid, limit - 1)
    return before


def check_starved(report, postfix, daemon):
    """The daemon out of descriptors: an error or the right answer, never `not found`.

    With one left it takes postmap's connection with that one, and the name
    service cannot open /etc/passwd. Some name services then say that there is
    no such login.
    """
    login = next(entry.pw_name for entry in pwd.getpwall() if 0 < entry.pw_uid < 100)
    for protocol in PROTOCOLS:
        time.sleep(0.2)  # the last client's descriptor is free again
        before = starve(daemon.process.pid, 1)
        try:
            status, out, errors = postfix.postmap("-q", login, daemon.table(protocol, "accounts"))
        finally:
            limit_descriptors(daemon.process.pid, before)
        report.check(out == login.encode() + b"\n" or "query error" in errors,
                     "%s: out of descriptors, %s is not `not found`" % (protocol, login),
                     "exit %d %r %s" % (status, out, errors.strip()))


def check_stopped(report, postfix, daemon):
    daemon.check_end(report, "postmap")
    for protocol in PROTOCOLS:
        check_error(report, "%s: a stopped daemon is an error to postmap -q" % protocol,
                    postfix.postmap("-q", "gregory", daemon.table(protocol, "sender_login")),
                    "query error")


def run(report, arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    report.note("== postmap: --seed %d" % options.seed)
    entries = tables.table(options.seed)
    with harness.Scratch("postmap") as scratch:
        # No smtpd here, so nothing is started: postmap needs only main.cf.
        postfix = harness.Postfix(scratch, None, {
            "mydestination": " ".join(tables.LOCAL_DOMAINS),
            "proxy_interfaces": tables.PROXY_INTERFACES})
        postfix.write_config()
        source = scratch.file("sender_login", tables.file_text(entries, options.seed))
        lengths = scratch.file("lengths", "short gregory\nlong %s\ntoo-long %s\n"
                               % ("x" * LONG, "x" * TOO_LONG))
        daemon = harness.Daemon(scratch, "dictd", {"postfix_config_directory": postfix.config,
                                                   "busy_max_in_flight": "1", "busy_cache_ttl": "0", "busy_negative_cache_ttl": "0"},
                                {"sender_login": "texthash:" + source,
                                 "fixed": "texthash:" + scratch.file("fixed", FIXED),
                                 "lengths": "texthash:" + lengths,
                                 "accounts": "passwd:", "busy": "passwd:"})
        daemon.start()
        check_whole_table(report, postfix, source, daemon, entries)
        check_single_keys(report, postfix, daemon)
        check_not_utf8(report, postfix, daemon)
        check_perm(report, postfix, daemon)
        check_temp(report, postfix, daemon)
        check_starved(report, postfix, daemon)
        check_stopped(report, postfix, daemon)


if __name__ == "__main__":
    sys.exit(harness.main(run))
