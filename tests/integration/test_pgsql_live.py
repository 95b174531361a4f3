#!/usr/bin/env python3
"""A map file of pgsql: that changes under the running daemon takes effect without a reload."""

import os
import time

from daemon import main, replace, request, run_daemon, until, write
from pg import ROLE, Postgres
from pg_case import NO_CACHE, PgCase

SHARED = None


def setUpModule():
    global SHARED
    SHARED = Postgres()


def tearDownModule():
    SHARED.close()


class Live(PgCase):
    def say(self, daemon, text, name="m"):
        path = os.path.join(daemon.dir, name + ".cf")
        replace(path, text)
        os.chmod(path, 0o600)

    def until_reply(self, daemon, key, reply, allowed):
        """In between only what the old file or the new one says."""
        def look():
            got = daemon.ask("m", key)
            self.assertIn(got, allowed)
            return got == reply
        until(look, "%s for %s" % (reply, key))

    def test_another_query(self):
        d = self.serve({"m": SHARED.map_text()})
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        self.say(d, SHARED.map_text("SELECT 'new-' || login FROM owners WHERE address = '%s'"))
        self.until_reply(d, "root@example.net", "OK new-root", ("OK root", "OK new-root"))
        self.assertIn("changed, the new contents are in force", d.log())

    def test_what_is_cached_is_forgotten(self):
        d = self.serve({"m": SHARED.map_text()}, "default_cache_ttl = 1h\n"
                       "default_negative_cache_ttl = 1h\n")
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        self.assertEqual(d.ask("m", "other@example.net"), "NOTFOUND ")
        self.say(d, SHARED.map_text("SELECT 'new-' || '%u'"))
        self.until_reply(d, "root@example.net", "OK new-root", ("OK root", "OK new-root"))
        self.assertEqual(d.ask("m", "other@example.net"), "OK new-other")

    def test_broken_edit_keeps_the_old(self):
        d = self.serve({"m": SHARED.map_text()})
        seen = d.log_size()
        self.say(d, SHARED.map_text() + "qeury = SELECT\nconnections = many\n")
        d.wait_log(r"m\.cf:\d+: qeury: unknown parameter.*the old contents stay in force", seen)
        for _ in range(3):
            self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        self.assertEqual(d.log(seen).count("stay in force"), 1)
        self.no_secret_in(d)
        self.say(d, SHARED.map_text("SELECT 'x' || login FROM owners WHERE address = '%s'"))
        self.until_reply(d, "root@example.net", "OK xroot", ("OK root", "OK xroot"))
        d.wait_log("good again", seen)

    def test_file_of_domain(self):
        d = self.daemon(None)
        names = d.write("names", "example.net\n")
        self.start_with_domain(d, names)
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        write(names, "elsewhere.example\n")
        self.until_reply(d, "root@example.net", "NOTFOUND ", ("OK root", "NOTFOUND "))
        seen = d.log_size()
        os.unlink(names)
        d.wait_log("domain: cannot read .*names.*the old contents stay in force", seen)
        self.assertEqual(d.ask("m", "root@example.net"), "NOTFOUND ")
        self.assertIn("cannot read", d.reload("reload refused"))
        self.assertEqual(d.ask("m", "root@example.net"), "NOTFOUND ")
        status, _, said = run_daemon("-t", "-c", d.config_path)
        self.assertEqual(status, 1)
        self.assertRegex(said, r"m\.cf:\d+: domain: cannot read .*names")
        write(names, "example.net\n")
        self.until_reply(d, "root@example.net", "OK root", ("OK root", "NOTFOUND "))

    def start_with_domain(self, d, names):
        path = d.write("m.cf", SHARED.map_text(domain=names))
        os.chmod(path, 0o600)
        d.configure("local_domains = example.net\nrecipient_delimiter = +\n"
                    "owner_request_special = yes\nsocketmap_listen = unix:%s\nmaps = m\n"
                    "m_sources = pgsql:%s\n%s" % (d.socket, path, NO_CACHE))
        d.start()

    def test_lookups_under_way_end_the_old_way(self):
        d = self.serve({"m": SHARED.map_text(
            "SELECT 'old-' || login FROM owners, pg_sleep(3) WHERE address = '%s'")})
        seen = d.log_size()
        with d.client() as client:
            client.send(request("m", "root@example.net"))
            time.sleep(0.2)
            self.say(d, SHARED.map_text())
            d.wait_log("changed, the new", seen)
            self.assertEqual(d.ask("m", "root@example.net"), "OK root")  # not held up
            self.assertEqual(client.read(), "OK old-root")

        def old_ones_are_gone():
            return SHARED.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = '%s' "
                              "AND query LIKE '%%old-%%'" % ROLE).strip() == "0"
        until(old_ones_are_gone, "the old connections are closed")

    def test_changes_under_load(self):
        d = self.serve({"m": SHARED.map_text()})
        texts = [SHARED.map_text("SELECT '%d-' || login FROM owners WHERE address = '%%s'" % i)
                 for i in range(4)]
        allowed = {"OK root"} | {"OK %d-root" % i for i in range(4)}
        with d.client() as client:
            for text in texts:
                self.say(d, text)
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    client.send(request("m", "root@example.net") * 20)
                    for _ in range(20):
                        self.assertIn(client.read(), allowed)
            self.until_reply(d, "root@example.net", "OK 3-root", allowed)

    def test_end_and_reload_while_it_changes(self):
        d = self.serve({"m": SHARED.map_text(
            "SELECT login FROM owners, pg_sleep(2) WHERE address = '%s'")})
        seen = d.log_size()
        with d.client() as client:
            client.send(request("m", "root@example.net") * 3)
            time.sleep(0.1)
            self.say(d, SHARED.map_text())
            d.wait_log("changed, the new", seen)
            d.reload()
            self.assertEqual(d.ask("m", "root@example.net"), "OK root")
            client.send(request("m", "root@example.net") * 3)
            self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    main()
