#!/usr/bin/env python3
"""ldap:FILE when servers fail: stopped, killed, restarted, silent, busy, and one after the other.

Never NOTFOUND for a key that is there, and never an answer for the loop to wait for.
"""

import os
import signal
import socket
import threading
import time

from daemon import free_port, main, until
from ldap import SUFFIX, TREE, Slapd
from ldap_case import LdapCase
from prober import Prober

KEY, VALUE = "gregory@example.net", "OK gregory"
NOBODY = "nobody-here@example.net"


class Canned:
    """Says LDAP's words from a script: a server that is busy, or silent, or closes. reply(n) gives
    the result code for the n-th search, or None for silence, or "close"."""

    def __init__(self, reply):
        self.reply = reply
        self.searches = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = "ldap://127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        data = b""
        with connection:
            try:
                while True:
                    more = connection.recv(4096)
                    if not more:
                        return
                    data += more
                    while len(data) >= 2:
                        length, head = data[1], 2
                        if length & 0x80:
                            head += length & 0x7f
                            length = int.from_bytes(data[2:head], "big")
                        if len(data) < head + length:
                            break
                        message, data = data[head:head + length], data[head + length:]
                        if not self._answer(connection, message):
                            return
            except OSError:
                return

    def _answer(self, connection, message):
        size = 2 + message[1]
        ident, tag = message[:size], message[size]
        if tag == 0x60:  # bind
            self._send(connection, ident, 0x61, 0)
        elif tag == 0x63 and message[size + (2 if message[size + 1] < 0x80 else 3):][1] == 0:
            self._send(connection, ident, 0x65, 0)  # its root DSE
        elif tag == 0x63:
            self.searches += 1
            code = self.reply(self.searches)
            if code == "close":
                return False
            if code is not None:
                self._send(connection, ident, 0x65, code)
        return True

    @staticmethod
    def _send(connection, ident, tag, code):
        body = b"\x0a\x01" + bytes([code]) + b"\x04\x00\x04\x00"
        operation = bytes([tag, len(body)]) + body
        connection.sendall(b"\x30" + bytes([len(ident + operation)]) + ident + operation)

    def close(self):
        self.listener.close()


class Faults(LdapCase):
    def slapd(self, **options):
        slapd = Slapd(**options)
        self.addCleanup(slapd.close)
        return slapd

    def canned(self, reply):
        server = Canned(reply)
        self.addCleanup(server.close)
        return server

    def test_down_at_start_then_up(self):
        slapd = self.slapd(start=False)
        daemon = self.serve({"x": slapd.map_text()})
        for key in (KEY, NOBODY):
            self.temp(daemon.ask("x", key), "cannot connect|the bind failed")
        slapd.start()
        self.ask_until(daemon, "x", KEY, VALUE)

    def test_restart_is_invisible_or_temp(self):
        slapd = self.slapd()
        daemon = self.serve({"x": slapd.map_text()})
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.assertEqual(daemon.ask("x", KEY), VALUE)
            slapd.stop(how)
            slapd.start()
            # A connection that the server closed at rest is not an error.
            seen = self.ask_until(daemon, "x", KEY, VALUE)
            self.assertLessEqual(len(seen), 2)

    def test_killed_under_load(self):
        slapd = self.slapd()
        daemon = self.serve({"x": slapd.map_text()})
        replies, over = [], threading.Event()

        def ask():
            with daemon.client() as client:
                while not over.is_set():
                    replies.append(client.ask("x", KEY))
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            until(lambda n=len(replies): len(replies) > n + 100, "answers come")
            slapd.kill()
            until(lambda n=len(replies): len(replies) > n + 20, "replies come without a server")
            slapd.start()
            self.ask_until(daemon, "x", KEY, VALUE)
        over.set()
        for thread in threads:
            thread.join()
        for reply in replies:
            if reply != VALUE:
                self.temp(reply)

    def test_second_server(self):
        first, second = self.slapd(), self.slapd()
        hosts = "%s %s" % (first.url, second.url)
        daemon = self.serve({"x": first.map_text(server_host=hosts)})
        for _ in range(20):
            self.assertEqual(daemon.ask("x", KEY), VALUE)
        self.assertEqual(second.connections(), 0)  # in the file's order
        first.kill()
        for _ in range(20):
            self.assertEqual(daemon.ask("x", KEY), VALUE)
            self.assertEqual(daemon.ask("x", NOBODY), "NOTFOUND ")
        second.kill()
        for key in (KEY, NOBODY):
            self.temp(daemon.ask("x", key))

    def test_frozen_server(self):
        """It accepts and is silent: its lookups are asked again at the second one, in time."""
        first, second = self.slapd(), self.slapd()
        hosts = "%s %s" % (first.url, second.url)
        daemon = self.serve({"x": first.map_text(server_host=hosts)},
                            extra="default_timeout = 20s\n")
        self.assertEqual(daemon.ask("x", KEY), VALUE)
        first.freeze()
        try:
            with Prober(daemon) as prober:
                started = time.monotonic()
                self.assertEqual(daemon.ask("x", KEY), VALUE)
                self.assertLess(time.monotonic() - started, 10)
                started = time.monotonic()
                for _ in range(20):
                    self.assertEqual(daemon.ask("x", KEY), VALUE)
                self.assertLess(time.monotonic() - started, 10)
            self.quick(prober, 1)
        finally:
            first.thaw()

    def test_frozen_only_server(self):
        """TEMP, the loop goes on, and it is used again when it is back."""
        slapd = self.slapd()
        daemon = self.serve({"x": slapd.map_text()}, extra="default_timeout = 3s\n")
        self.assertEqual(daemon.ask("x", KEY), VALUE)
        slapd.freeze()
        try:
            with Prober(daemon) as prober:
                for key in (KEY, NOBODY, KEY):
                    self.temp(daemon.ask("x", key))
            self.quick(prober, 1)
        finally:
            slapd.thaw()
        self.ask_until(daemon, "x", KEY, VALUE)

    def test_frozen_with_full_buffers(self):
        """More is asked than the socket takes: a write must not wait either."""
        slapd = self.slapd()
        daemon = self.serve({"x": slapd.map_text()}, extra="default_timeout = 3s\n")
        self.assertEqual(daemon.ask("x", KEY), VALUE)
        slapd.freeze()
        try:
            clients = [daemon.client() for _ in range(100)]
            with Prober(daemon) as prober:
                for i, client in enumerate(clients):
                    payload = b"x " + b"%d" % i + b"a" * 9000 + b"@example.net"
                    client.send(b"%d:%s," % (len(payload), payload))
                for client in clients:
                    self.temp(client.read())
                    client.close()
            self.quick(prober, 1)
        finally:
            slapd.thaw()
        self.ask_until(daemon, "x", KEY, VALUE)

    def test_idle_close_by_the_server(self):
        slapd = self.slapd(config="idletimeout 1")
        daemon = self.serve({"x": slapd.map_text()})
        for _ in range(2):
            self.assertEqual(daemon.ask("x", KEY), VALUE)
            until(lambda: slapd.connections() == 0, "slapd has closed it")
        self.assertEqual(daemon.ask("x", KEY), VALUE)
        self.assertNotIn("warning:", daemon.log())

    def test_result_codes(self):
        """busy and the like: TEMP alone, and asked elsewhere where there is an elsewhere."""
        slapd = self.slapd()
        for code in (1, 3, 4, 11, 50, 51, 52, 53, 80):
            server = self.canned(lambda n, code=code: code)
            daemon = self.serve({"x": slapd.map_text(server_host=server.url)})
            for key in (KEY, NOBODY):
                self.temp(daemon.ask("x", key), r"\(%d\)" % code)
            if code in (1, 51, 52, 53, 80):
                self.assertGreaterEqual(server.searches, 4, code)
                both = self.serve({"x": slapd.map_text(
                    server_host="%s %s" % (server.url, slapd.url))})
                self.assertEqual(both.ask("x", KEY), VALUE)
                self.assertEqual(both.ask("x", NOBODY), "NOTFOUND ")
                both.stop()
            daemon.stop()

    def test_busy_once(self):
        server = self.canned(lambda n: 51 if n == 1 else 0)
        slapd = self.slapd()
        daemon = self.serve({"x": slapd.map_text(server_host=server.url)})
        self.assertEqual(daemon.ask("x", KEY), "NOTFOUND ")  # the second answer: no entry
        self.assertEqual(server.searches, 2)

    def test_closes_on_each_search(self):
        server = self.canned(lambda n: "close")
        daemon = self.serve({"x": self.slapd(start=False).map_text(server_host=server.url)})
        for key in (KEY, NOBODY):
            self.temp(daemon.ask("x", key), "closed the connection")

    def test_one_slow_search(self):
        """A server that answers its root DSE is not silent: the search has its timeout."""
        server = self.canned(lambda n: None if n == 1 else 0)
        daemon = self.serve({"x": self.slapd(start=False).map_text(server_host=server.url,
                                                                   timeout="4")},
                            extra="default_timeout = 20s\n")
        started = time.monotonic()
        self.temp(daemon.ask("x", KEY), "longer than timeout")
        self.assertGreater(time.monotonic() - started, 3.5)
        time.sleep(1)  # nothing is left of it that a timer could find
        self.assertEqual(daemon.ask("x", NOBODY), "NOTFOUND ")

    def test_map_timeout_before(self):
        """A lookup that nobody waits for any more is let go of."""
        server = self.canned(lambda n: None if n == 1 else 0)
        daemon = self.serve({"x": self.slapd(start=False).map_text(server_host=server.url)},
                            extra="default_timeout = 1s\n")
        self.temp(daemon.ask("x", KEY))
        self.ask_until(daemon, "x", NOBODY, "NOTFOUND ")

    def test_referrals(self):
        home, other = self.slapd(ldif=TREE), self.slapd(ldif=TREE + """
dn: uid=away,ou=people,{0}
objectClass: inetOrgPerson
uid: away
cn: away
sn: away
mail: away@example.net
""".format(SUFFIX))
        for name, port in (("other", other.port), ("gone", free_port())):
            home.add("dn: ou=%s,%s\nobjectClass: referral\nobjectClass: extensibleObject\n"
                     "ou: %s\nref: ldap://127.0.0.1:%d/ou=people,%s\n"
                     % (name, SUFFIX, name, port, SUFFIX), who=None)
        base = "ou=other," + SUFFIX
        daemon = self.serve({
            "inside": home.map_text(search_base=base, chase_referrals="yes"),
            "not": home.map_text(search_base=base),
            "gone": home.map_text(search_base="ou=gone," + SUFFIX, chase_referrals="yes"),
            "whole": home.map_text(chase_referrals="yes"),
            "passed": home.map_text()})
        self.assertEqual(daemon.ask("inside", "away@example.net"), "OK away")
        self.assertEqual(daemon.ask("inside", NOBODY), "NOTFOUND ")
        for key in (KEY, NOBODY):
            self.temp(daemon.ask("not", key), r"Referral \(10\)")
            self.temp(daemon.ask("gone", key), "a referral leads nowhere")
            # One of the two parts of the tree cannot be asked: not "not found".
            self.temp(daemon.ask("whole", key), "a referral leads nowhere")
        self.assertEqual(daemon.ask("passed", KEY), VALUE)
        home.delete("-M", "ou=gone," + SUFFIX)
        self.assertEqual(daemon.ask("whole", KEY), "OK gregory,gregory")
        self.assertEqual(daemon.ask("whole", "away@example.net"), "OK away")
        self.assertEqual(daemon.ask("whole", NOBODY), "NOTFOUND ")

    def test_referrals_of_version_2(self):
        """In the words of an error, if the server knows that it is version 2, by the bind; what
        version 3 would follow is passed over, as libldap does for Postfix."""
        slapd = self.slapd(ldif="", start=False, config="allow bind_v2")
        slapd.load(TREE + "\ndn: ou=to,%s\nobjectClass: referral\nobjectClass: extensibleObject\n"
                   "ou: to\nref: ldap://127.0.0.1:%d/ou=people,%s\n"
                   % (SUFFIX, slapd.port, SUFFIX))
        slapd.start()
        unbound = {"bind": "no", "bind_dn": None, "bind_pw": None}
        daemon = self.serve({
            "chase": slapd.map_text(version="2", chase_referrals="yes"),
            "not": slapd.map_text(version="2"),
            "unbound": slapd.map_text(version="2", chase_referrals="yes", **unbound),
            "three": slapd.map_text(version="3", chase_referrals="yes", **unbound)})
        keys = [KEY, "sales@example.net", NOBODY]
        for name in ("chase", "not", "unbound", "three"):
            self.as_postfix(daemon, name, keys)
        self.assertEqual(daemon.ask("chase", KEY), "OK gregory,gregory")
        self.temp(daemon.ask("not", NOBODY), r"Partial results and referral received \(9\)")
        self.assertEqual(daemon.ask("unbound", KEY), VALUE)

    def test_map_file_changes(self):
        slapd = self.slapd()
        daemon = self.serve({"x": slapd.map_text()})
        path = os.path.join(daemon.dir, "x.cf")
        self.assertEqual(daemon.ask("x", KEY), VALUE)
        with open(path, "w") as file:
            file.write(slapd.map_text(result_attribute="cn"))
        self.ask_other(daemon, "OK Gregory Czaplinski")
        with open(path, "w") as file:
            file.write(slapd.map_text(query_filter="(mail=%s"))
        daemon.wait_log("query_filter: is not a filter")
        self.assertEqual(daemon.ask("x", KEY), "OK Gregory Czaplinski")

    def ask_other(self, daemon, reply):
        until(lambda: daemon.ask("x", KEY) == reply, reply)


if __name__ == "__main__":
    main()
