#!/usr/bin/env python3
"""A provider and a consumer slapd behind one map, killed, stopped and restarted in turn while
clients ask: never a wrong answer, and none that is late for good."""

import collections
import random
import threading
import time

from daemon import Case, Closed, main, until
from ldap import SUFFIX, TREE, ldif_entry, pair
from pg_case import NO_CACHE

CLIENTS = 6
PEOPLE = 200


def login(i):
    return "user%d" % i


def tree():
    return TREE + "\n" + "".join(
        ldif_entry("uid=%s,ou=people,%s" % (login(i), SUFFIX),
                   [("objectClass", "inetOrgPerson"), ("uid", login(i)), ("cn", login(i)),
                    ("sn", login(i)), ("mail", "%s@example.net" % login(i))])
        for i in range(PEOPLE)) + "".join(
        ldif_entry("cn=team%d,ou=groups,%s" % (i, SUFFIX),
                   [("objectClass", "groupOfNames"), ("objectClass", "inetLocalMailRecipient"),
                    ("cn", "team%d" % i), ("mailLocalAddress", "team%d@example.net" % i)]
                   + [("member", "uid=%s,ou=people,%s" % (login(i + k), SUFFIX))
                      for k in range(3)])
        for i in range(40))


TRUTH = {"%s@example.net" % login(i): "OK " + login(i) for i in range(PEOPLE)}
TRUTH.update({"team%d@example.net" % i: "OK " + ",".join(login(i + k) for k in range(3))
              for i in range(40)})
TRUTH.update({"nobody%d@example.net" % i: "NOTFOUND " for i in range(40)})


class Load:
    """Clients that ask all the time, and judge."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.stopping = threading.Event()
        self.count = collections.Counter()
        self.wrong = []
        self.slowest_s = 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        choose = random.Random(seed)
        keys = sorted(TRUTH)
        try:
            with self.daemon.client() as client:
                while not self.stopping.is_set():
                    key, since = choose.choice(keys), time.monotonic()
                    reply = client.ask("m", key)
                    self.slowest_s = max(self.slowest_s, time.monotonic() - since)
                    kind = "right" if reply == TRUTH[key] else reply.split(" ")[0]
                    self.count[kind] += 1
                    if kind not in ("right", "TEMP"):
                        self.wrong.append((key, reply))
        except (Closed, OSError, AssertionError) as error:
            self.wrong.append(("client", repr(error)))

    def right(self):
        return self.count["right"]

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Replicas(Case):
    def test_in_turn(self):
        provider, consumer = pair(ldif=tree())
        self.addCleanup(provider.close)
        self.addCleanup(consumer.close)
        daemon = self.daemon(None)
        path = provider.map_file(daemon.path("owners.cf"), timeout="2",
                                 server_host="%s %s" % (provider.url, consumer.url))
        daemon.configure("maps = m\nm_sources = ldap:%s\nm_timeout = 4s\n%s" % (path, NO_CACHE))
        daemon.start()
        load = Load(daemon)
        try:
            self.goes_on(load, "at first")
            for server, name in ((provider, "provider"), (consumer, "consumer")):
                server.kill()
                self.goes_on(load, name + " killed")
                server.start()
                self.goes_on(load, name + " back")
                server.freeze()
                self.goes_on(load, name + " stopped")
                server.thaw()
                self.goes_on(load, name + " goes on")
                server.stop()
                self.goes_on(load, name + " ended")
                server.start()
                self.goes_on(load, name + " started")
            # With one of two servers there, hardly anybody has to come again.
            self.assertGreater(load.right(), 20 * load.count["TEMP"], load.count)
            print("with one of two down: %s" % dict(load.count))
            # Both: nothing but TEMP, and right again after.
            provider.kill()
            consumer.freeze()
            time.sleep(1)
            consumer.thaw()
            consumer.kill()
            temps = load.count["TEMP"]
            until(lambda: load.count["TEMP"] > temps, "TEMP without a server")
            consumer.start()
            provider.start()
            self.goes_on(load, "both back")
        finally:
            load.stop()
        print("replies: %s, the slowest %.1f s" % (dict(load.count), load.slowest_s))
        self.assertEqual(load.wrong, [])
        self.assertGreater(load.right(), 1000)
        self.assertLess(load.slowest_s, 4 + 4)

    def goes_on(self, load, when):
        """Within seconds there are right answers again, many of them."""
        time.sleep(0.3)
        right = load.right()
        until(lambda: load.right() > right + 200 or load.wrong, "right answers: " + when)
        self.assertEqual(load.wrong, [], when)

    def test_a_change_gets_through(self):
        """From the provider to what is asked of the consumer."""
        provider, consumer = pair()
        self.addCleanup(provider.close)
        self.addCleanup(consumer.close)
        daemon = self.daemon(None)
        path = consumer.map_file(daemon.path("owners.cf"))
        daemon.configure("maps = m\nm_sources = ldap:%s\n" % path)
        daemon.start()
        provider.add(ldif_entry("uid=new,ou=people," + SUFFIX,
                                [("objectClass", "inetOrgPerson"), ("uid", "new"), ("cn", "new"),
                                 ("sn", "new"), ("mail", "new@example.net")]))
        consumer.wait_synced(provider)
        self.assertEqual(daemon.ask("m", "new@example.net"), "OK new")


if __name__ == "__main__":
    main()
