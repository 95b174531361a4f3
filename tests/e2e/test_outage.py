#!/usr/bin/env python3
"""PostgreSQL and slapd killed, stopped and cut off under a steady SMTP load, with scaled times.

Both at once, each with maps and a load of its own. Never a permanent reject of a valid sender or recipient, never a forged sender let through; and
after recovery the verdicts are exact, and what changed meanwhile is seen, within the negative TTL.
"""

import os
import signal
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness
from ldap import Slapd, ldif_entry
from pg import Postgres
from prober import Sleeper

NEGATIVE_TTL_S = 3
OUTAGE_S = 7
SETTINGS = {
    "default_cache_ttl": "4s",
    "default_negative_cache_ttl": "%ds" % NEGATIVE_TTL_S,
    "default_stale_ttl": "1h",
    "default_timeout": "2s",
}
STRANGER = "friend@example.org"
PATIENCE_S = 60
SLEEPER = Sleeper()  # knows when all of this machine had a pause

# Login, MAIL FROM, RCPT TO, the verdict that is right; any 4xx is allowed in an outage.
CASES = [
    ("gregory", "gregory@example.net", "gregory@example.net", 250),
    ("gregory", "g.czaplinski+lists@example.net", "root@example.net", 250),
    ("gregory", "root@example.net", "gregory@example.net", 553),
    ("root", "gregory@example.net", "gregory@example.net", 553),
    (None, "gregory@example.net", "gregory@example.net", 553),
    (None, STRANGER, "gregory@example.net", 250),
    (None, STRANGER, "sales@example.net", 250),
    (None, STRANGER, "nobody-here@example.net", 550),
]


# Found by the first key for the sender and for the recipient: the cache has it all. The others
# need an absence (of the whole address, or of the stranger's owner), which is never stale.
DIRECT = CASES[0]


class Relay:
    """A TCP relay to a port, which can be cut: it then takes connections and moves nothing."""

    def __init__(self, target):
        self.target = target
        self.cut = False
        self.sockets = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.sockets += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._move, args=(one, other), daemon=True).start()

    def _move(self, one, other):
        try:
            while True:
                data = one.recv(65536)
                while self.cut:
                    time.sleep(0.05)
                if not data:
                    break
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.cut = False
        self.listener.close()
        with self.lock:
            for end in self.sockets:
                end.close()


class Load(threading.Thread):
    """One session that asks one case again and again."""

    def __init__(self, postfix, port, case):
        super().__init__(daemon=True)
        self.case = case
        self.smtp = harness.Smtp(postfix, port, case[0])
        self.verdicts = []  # (time, reply)
        self.wrong = []
        self.ending = False
        self.error = None

    def run(self):
        try:
            while not self.ending:
                reply = self.smtp.verdict(self.case[1], self.case[2])
                self.verdicts.append((time.monotonic(), reply))
                if reply.code != self.case[3] and not 400 <= reply.code < 500:
                    self.wrong.append(reply)
                time.sleep(0.05)
            self.smtp.close()
        except Exception as error:  # told by the main thread
            self.error = error

    def codes_since(self, start):
        return [reply.code for when, reply in self.verdicts if when >= start]

    def right_from(self, start):
        """When, since start, the first of an unbroken run of right verdicts came; None: never."""
        since = None
        for when, reply in list(self.verdicts):
            if when >= start and reply.code == self.case[3]:
                since = when if since is None else since
            elif when >= start:
                since = None
        return since


class Site:
    """One back end behind a relay, the maps that ask it, and the load on them."""

    def __init__(self, name, server, target):
        self.name = name
        self.server = server
        self.relay = Relay(target)
        self.loads = []
        self.port = None

    def maps(self, source):
        return {self.name + "_sender": source, self.name + "_recipient": source}

    def add_smtpd(self, postfix, daemon):
        self.port = postfix.add_smtpd(
            smtpd_sender_login_maps=daemon.socketmap(self.name + "_sender"),
            local_recipient_maps=daemon.socketmap(self.name + "_recipient"))

    def start_loads(self, postfix):
        self.loads = [Load(postfix, self.port, case) for case in CASES]
        for load in self.loads:
            load.start()

    def kill(self):
        self.server.stop(signal.SIGKILL)

    def restart(self):
        self.server.launch()

    def freeze(self):
        self.server.freeze()

    def thaw(self):
        self.server.thaw()

    def cut(self):
        self.relay.cut = True

    def mend(self):
        self.relay.cut = False

    def wait_until_up(self):
        """The server itself, which a busy machine may take long to start."""
        harness.until(self.server.is_up, PATIENCE_S, self.name + " is up")

    def stop(self):
        for load in self.loads:
            load.ending = True
        for load in self.loads:
            load.join(20)
        self.relay.stop()


class PostgresSite(Site):
    def __init__(self, server):
        super().__init__("pgsql", server, server.port)

    def source(self, scratch):
        return "pgsql:" + self.server.map_file(
            scratch.file("pgsql.cf"), hosts="127.0.0.1:%d" % self.relay.port, query_timeout="1s")

    def change(self, recipient):
        self.server.sql("INSERT INTO owners VALUES ('%s', 'gregory')" % recipient)


class SlapdSite(Site):
    def __init__(self, server):
        super().__init__("ldap", server, server.port)

    def source(self, scratch):
        return "ldap:" + self.server.map_file(
            scratch.file("ldap.cf"), server_host="ldap://127.0.0.1:%d" % self.relay.port,
            timeout="1")

    def change(self, recipient):
        self.server.add(ldif_entry(
            "cn=%s,ou=groups,%s" % (recipient, self.server.suffix),
            [("objectClass", "groupOfNames"), ("objectClass", "inetLocalMailRecipient"),
             ("cn", recipient), ("mailLocalAddress", recipient),
             ("member", "uid=gregory,ou=people," + self.server.suffix)]))


def took_s(start, end):
    """Less what the machine was not there for."""
    return end - start - SLEEPER.overslept_s(start, end, least_s=0.1)


def check_recovery(report, name, loads, start):
    # The pool's own back-off and a busy machine on top.
    limit = NEGATIVE_TTL_S + 3

    def all_right():
        return all(load.right_from(start) is not None for load in loads)

    try:
        harness.until(all_right, PATIENCE_S, "all verdicts")
        time.sleep(1)
        slowest = took_s(start, max(load.right_from(start) or float("inf") for load in loads))
        report.check(slowest <= limit, "%s: every verdict is right again in time" % name,
                     "%.1f s" % slowest)
    except harness.SetupError as error:
        report.check(False, "%s: every verdict is right again in time" % name, error)


def check_new_recipient(report, name, postfix, port, recipient, start):
    """Unknown to Postfix before the outage, made known in it."""
    with harness.Smtp(postfix, port) as smtp:
        harness.until(lambda: smtp.verdict(STRANGER, recipient).code == 250,
                      PATIENCE_S, "a recipient made in the outage")
        took = took_s(start, time.monotonic())
        report.check(took <= NEGATIVE_TTL_S + 4, "%s: what changed is seen in time" % name,
                     "%.1f s" % took)


def check_loads(report, name, site, began, last):
    for load in site.loads:
        report.check(not load.wrong and load.error is None,
                     "%s: %s as <%s> to <%s>: %d or later, always"
                     % ((name,) + load.case[:3] + (load.case[3],)),
                     "%s %s" % (load.wrong[:1], load.error or ""))
        if load.case == DIRECT:
            report.check(250 in last[load], "%s: <%s> to <%s> still passes, from the cache"
                         % ((name,) + load.case[1:3]), last[load][-3:])
    report.check(any(400 <= code < 500 for load in site.loads if load.case[3] == 550
                     for code in load.codes_since(began)),
                 "%s: an unknown recipient has to wait" % name)


def codes_late_in_it(load, since):
    """At least one: a busy machine may give none in two seconds."""
    def some():
        codes = load.codes_since(since)
        return codes if 250 in codes or len(codes) > 20 else None
    return harness.until(some, PATIENCE_S, "verdicts in an outage")


def outage(report, what, sites, postfix, begin, end, changes=False):
    """begin, end: of a site. changes: something is made known in the outage."""
    names = {site: "%s %s" % (site.name, what) for site in sites}
    recipient = "new-%s@example.net" % what
    for site in sites:
        with harness.Smtp(postfix, site.port) as smtp:
            report.check(smtp.verdict(STRANGER, recipient).code == 550,
                         "%s: a recipient is unknown before" % names[site])
    for site in sites:
        begin(site)
    began = time.monotonic()
    for site in sites if changes else []:
        site.change(recipient)
    time.sleep(OUTAGE_S)
    last = {load: codes_late_in_it(load, began + OUTAGE_S - 2)
            for site in sites for load in site.loads if load.case == DIRECT}
    for site in sites:
        end(site)
    for site in sites:
        site.wait_until_up()
    start = time.monotonic()
    for site in sites:
        check_recovery(report, names[site], site.loads, start)
        check_loads(report, names[site], site, began, last)
    for site in sites if changes else []:
        check_new_recipient(report, names[site], postfix, site.port, recipient, start)


def run(report, arguments):
    SLEEPER.start()
    with harness.Scratch("outage") as scratch, Postgres() as pg, Slapd() as slapd:
        sites = [PostgresSite(pg), SlapdSite(slapd)]
        postfix = harness.Postfix(scratch, harness.Accounts(scratch), {})
        settings = {"postfix_config_directory": postfix.config}
        settings.update(SETTINGS)
        maps = {}
        for site in sites:
            maps.update(site.maps(site.source(scratch)))
        daemon = harness.Daemon(scratch, "dictd", settings, maps)
        for site in sites:
            scratch.own(site)
            site.add_smtpd(postfix, daemon)
        postfix.write_config()
        daemon.start()
        postfix.start()
        start = time.monotonic()
        for site in sites:
            site.start_loads(postfix)
            check_recovery(report, site.name + " at first", site.loads, start)
        outage(report, "killed", sites, postfix, Site.kill, Site.restart)
        outage(report, "stopped", sites, postfix, Site.freeze, Site.thaw)
        outage(report, "cut-off", sites, postfix, Site.cut, Site.mend, changes=True)
        for site in sites:
            site.stop()
            verdicts = sum(len(load.verdicts) for load in site.loads)
            report.check(verdicts > 500, site.name + ": the load was a load",
                         "%d verdicts" % verdicts)
        daemon.check_end(report, "at last")


if __name__ == "__main__":
    sys.exit(harness.main(run))
