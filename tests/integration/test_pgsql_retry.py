#!/usr/bin/env python3
"""One connection of several to a server is lost: what it had is asked again where it helps.

A proxy in front of PostgreSQL lets the connections die one by one, as those of a
server that is killed do.
"""

import json
import time

from daemon import free_port, main, memory_counts, request, until
from pg import Blackhole, Postgres
from pg_case import PgCase
from pg_proxy import Proxy

SHARED = None

SLOW = ("SELECT login FROM owners, pg_sleep(CASE WHEN '%u' = 'root' THEN 0.3 ELSE 0 END) "
        "WHERE address = '%s' ORDER BY login LIMIT 1")


def setUpModule():
    global SHARED
    SHARED = Postgres()


def tearDownModule():
    SHARED.close()


class Retry(PgCase):
    def proxy(self, **options):
        proxy = Proxy(SHARED.port, **options)
        self.addCleanup(proxy.close)
        return proxy

    def serve_two(self, proxy, *others, query=SLOW):
        """A daemon with both of its connections at proxy; the others listen afterwards."""
        d = self.serve({"m": SHARED.map_text(
            query, hosts=", ".join(one.uri for one in (proxy,) + others), connections="2",
            retry_interval="1s", user=None, password=None, dbname=None)}, "m_timeout = 20s\n")

        until(lambda: self.opens_two(d, proxy), "two connections")
        for other in others:
            other.listen()
        time.sleep(1.2)  # the others may be tried again
        self.assertEqual(len(proxy.open_links()), 2)
        return d

    def opens_two(self, d, proxy):
        """Asks for something while the first connection is busy."""
        with d.client() as client:
            client.send(request("m", "root@example.net"))
            time.sleep(0.1)
            client.send(request("m", "gregory@example.net"))
            self.assertEqual(client.read(), "OK root")
            self.assertEqual(client.read(), "OK gregory")
        return len(proxy.open_links()) == 2

    def hole(self):
        hole = Blackhole()
        self.addCleanup(hole.close)
        return hole.port

    def asked(self, proxy, question):
        """Does question(), and gives the connection that it goes over, and the other ones."""
        until(lambda: self.is_quiet(proxy), "nothing else travels")
        before = {link: link.from_client for link in proxy.open_links()}
        question()

        def busy():
            return [link for link in before if link.from_client > before[link]]
        until(busy, "the question is on its way")
        time.sleep(0.05)
        (one,) = busy()
        return one, [link for link in before if link is not one]

    def is_quiet(self, proxy):
        def travelled():
            return [(link, link.from_client) for link in proxy.open_links()]
        before = travelled()
        time.sleep(0.3)
        return travelled() == before

    def die(self, proxy, question, pause_s=0.3):
        """The server dies with the question under way, one connection after the other."""
        proxy.silent = True
        first, others = self.asked(proxy, question)
        proxy.refuse()
        first.close()
        time.sleep(pause_s)
        for link in others:
            link.close()

    def test_the_other_server_is_asked(self):
        """Not the other connection of the same one."""
        for _ in range(3):  # the order of hosts is random
            proxy, other = self.proxy(), self.proxy(listens=False)
            d = self.serve_two(proxy, other)
            with d.client() as client:
                self.die(proxy, lambda: client.send(request("m", "gregory@example.net")))
                self.assertEqual(client.read(), "OK gregory")
                self.assertEqual(client.ask("m", "nobody-here@example.net"), "NOTFOUND ")
            self.assertTrue(other.open_links())
            d.close()

    def test_with_both_connections_busy(self):
        proxy, other = self.proxy(), self.proxy(listens=False)
        d = self.serve_two(proxy, other)
        with d.client() as one, d.client() as two:
            proxy.silent = True
            first, _ = self.asked(proxy, lambda: one.send(request("m", "gregory@example.net")))
            second, _ = self.asked(proxy, lambda: two.send(request("m", "sales@example.net")))
            self.assertIsNot(first, second)
            proxy.refuse()
            first.close()
            self.assertEqual(one.read(), "OK gregory")  # while the second one still hangs
            self.assertFalse(second.over)
            second.close()
            self.assertEqual(two.read(), "OK gregory")

    def test_other_host_of_a_uri(self):
        """Which is all one server to the daemon."""
        proxy, other = self.proxy(), self.proxy()
        ports = "%d%%2C%d" % (proxy.port, other.port)
        both = proxy.uri.replace("127.0.0.1:%d/" % proxy.port, "/") \
            + "&host=127.0.0.1%2C127.0.0.1&port=" + ports
        whole = Both(proxy, both)
        d = self.serve_two(whole)
        with d.client() as client:
            self.die(proxy, lambda: client.send(request("m", "gregory@example.net")))
            self.assertEqual(client.read(), "OK gregory")
        self.assertTrue(other.open_links())

    def test_the_other_connection_is_the_last_resort(self):
        """There is no other server, and no new connection can be had: it may still work."""
        proxy = self.proxy()
        d = self.serve_two(proxy)
        with d.client() as client:
            first, others = self.asked(
                proxy, lambda: client.send(request("m", "root@example.net")))
            proxy.refuse()
            first.close()
            self.assertEqual(client.read(), "OK root")
            for _ in range(20):
                self.assertEqual(client.ask("m", "gregory@example.net"), "OK gregory")
            self.assertEqual(proxy.open_links(), others)

    def test_a_connect_that_hangs_is_not_waited_for(self):
        proxy = self.proxy()
        d = self.serve_two(proxy)
        with d.client() as client:
            first, _ = self.asked(proxy, lambda: client.send(request("m", "root@example.net")))
            proxy.server_port = self.hole()
            first.close()
            started = time.monotonic()
            self.assertEqual(client.read(), "OK root")
            self.assertLess(time.monotonic() - started, 3)  # an attempt may take 20 s
            started = time.monotonic()
            for _ in range(5):
                self.assertEqual(client.ask("m", "gregory@example.net"), "OK gregory")
            self.assertLess(time.monotonic() - started, 3)

    def test_a_lost_connection_is_made_anew(self):
        """One of two is ended by an administrator: nothing is lost, soon there are two again."""
        proxy = self.proxy()
        d = self.serve_two(proxy)
        with d.client() as client:
            for _ in range(5):
                first, _ = self.asked(
                    proxy, lambda: client.send(request("m", "root@example.net")))
                first.close()
                self.assertEqual(client.read(), "OK root")
        until(lambda: self.opens_two(d, proxy), "two connections again")


class OneConnection(PgCase):
    """What goes over it is counted."""

    def serve_one(self, query, **parameters):
        self.proxy = Proxy(SHARED.port)
        self.addCleanup(self.proxy.close)
        self.port = free_port()
        d = self.prepare({"m": SHARED.map_text(
            query, hosts=self.proxy.uri, connections="1", user=None, password=None, dbname=None,
            **parameters)}, "m_timeout = 20s\n")
        with open(d.config_path, "a", encoding="utf-8") as file:
            file.write("socketmap_listen = unix:%s inet:127.0.0.1:%d\n" % (d.socket, self.port))
        return d.start()

    def sent(self):
        return sum(link.from_client for link in self.proxy.links)

    def test_many_errors_in_a_batch(self):
        """What an error took along is asked singly: not all of it again for every error."""
        for query in ("SELECT 10 / (length('%u') - 4)",
                      "SELECT 10 / (length('%u') - 4) WHERE '%u' LIKE '%%'"):  # never an array
            d = self.serve_one(query)
            with d.client() as client:
                self.assertEqual(client.ask("m", "abcdef@x"), "OK 5")
                before = self.sent()
                client.send(b"".join(request("m", "abcd@x%d" % i) for i in range(120)))
                for _ in range(120):
                    self.temp(client.read(), "22012")
            self.assertLess(self.sent() - before, 120 * 500)

    def test_killed_between_answer_and_sync(self):
        """The answers are good; those behind them are asked again; and the log has the server's
        own words."""
        for prepare, ready in (("no", 3), ("yes", 4)):
            d = self.serve_one(SLOW.replace("0.3", "0.01"), prepare=prepare)
            self.proxy.dies_before = ready
            with d.client() as client:
                for _ in range(20):
                    client.send(request("m", "root@example.net") + b"".join(
                        request("m", "gregory@example.net" if i % 2 else "x%d@x" % i)
                        for i in range(10)))
                    self.assertEqual(client.read(), "OK root")
                    for i in range(10):
                        self.assertEqual(client.read(), "OK gregory" if i % 2 else "NOTFOUND ")
            self.assertGreater(len(self.proxy.links), 5)
            self.assertIn("terminating connection due to administrator command", d.log())
            self.assertNotIn("nobody asked", d.log())
            d.close()

    def leave(self, d, keys, pause_s):
        """A client that asks and is gone before it is answered. One that only ends what it has
        to say gets its answers."""
        client = d.client(("127.0.0.1", self.port))
        client.send(b"".join(request("m", key) for key in keys))
        time.sleep(pause_s)
        client.abort()

    def in_flight(self, d):
        maps = json.loads(self.ctl(d, "--json", "status"))["maps"]
        return [one["in_flight"] for one in maps if one["name"] == "m"][0]

    def test_what_nobody_waits_for_is_not_sent(self):
        d = self.serve_one(SLOW.replace("0.3", "4"), prepare="no")
        with d.client() as client:
            self.assertEqual(client.ask("m", "gregory@example.net"), "OK gregory")
            before = self.sent()
            client.send(request("m", "root@example.net"))
            until(lambda: self.sent() > before, "the connection is busy")
            time.sleep(0.1)
            before = self.sent()
            self.leave(d, ["user%d@example.net" % i for i in range(100)], 0.5)
            self.assertEqual(client.read(), "OK root")
            self.assertEqual(client.ask("m", "gregory@example.net"), "OK gregory")
            self.assertLess(self.sent() - before, 2000)

    def test_what_nobody_waits_for_is_not_asked_again(self):
        d = self.serve_one(SLOW.replace("0.3", "5"))
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        before = self.sent()
        self.leave(d, ["root@example.net"], 0.5)
        self.assertGreater(self.sent(), before)
        until(lambda: self.in_flight(d) == 0, "nobody waits any more")
        for link in self.proxy.open_links():
            link.close()
        time.sleep(1)
        self.assertEqual(len(self.proxy.links), 1)
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")

    def test_what_nobody_waits_for_is_forgotten(self):
        d = self.serve_one(SLOW.replace("0.3", "0.03"))
        keys = ["root@example.net"] + ["user%d@example.net" % i for i in range(120)]

        def rounds(n):
            for _ in range(n):
                self.leave(d, keys, 0.01)
                time.sleep(0.03)  # the next ones are sent at once, too
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            return d.rss_kib() if memory_counts() else 0
        before = rounds(15)
        self.assertLess(rounds(150) - before, 1500)
        self.assertEqual(d.stop(), 0)  # under ASan: nothing is lost


class Both:
    """A proxy under another URI."""

    def __init__(self, proxy, uri):
        self.proxy, self.uri = proxy, uri

    def open_links(self):
        return self.proxy.open_links()


if __name__ == "__main__":
    main()
