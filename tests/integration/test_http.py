#!/usr/bin/env python3
"""The HTTP side: health, readiness, metrics and the status page, and what it refuses."""

import http.client
import re
import unittest

from daemon import Daemon, free_port

CONFIG = "maps = m\nm_sources = texthash:{dir}/table\nhttp_listen = %d\n"


def get(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, reply.getheader("Content-Type", ""), reply.read().decode()
    finally:
        connection.close()


class Http(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.daemon = Daemon(None)
        self.addCleanup(self.daemon.close)
        self.daemon.write("table", "gregory@example.net gregory\n")
        self.daemon.configure(CONFIG % self.port)
        self.daemon.start()

    def test_health(self):
        self.assertEqual(get(self.port, "/healthz")[0], 200)
        status, _, body = get(self.port, "/readyz")
        self.assertEqual((status, body), (200, "ready\n"))

    def test_metrics_count(self):
        before = self.metric('dictd_map_answers_total{map="m",status="found"}')
        self.assertEqual(self.daemon.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(self.metric('dictd_map_answers_total{map="m",status="found"}'), before + 1)

    def metric(self, name):
        status, kind, body = get(self.port, "/metrics")
        self.assertEqual(status, 200)
        self.assertIn("version=0.0.4", kind)
        found = re.search(r"(?m)^%s (\S+)$" % re.escape(name), body)
        self.assertIsNotNone(found, "no %s in\n%s" % (name, body))
        return float(found.group(1))

    def test_metrics_are_well_formed(self):
        _, _, body = get(self.port, "/metrics")
        declared = set(re.findall(r"(?m)^# TYPE (\S+) (?:counter|gauge|summary)$", body))
        for line in body.splitlines():
            if line.startswith("#"):
                continue
            match = re.match(r'^([a-z_]+)(\{([a-z]+="(\\.|[^"\\])*",?)+\})? [0-9.e+-]+$', line)
            self.assertIsNotNone(match, line)
            family = re.sub("_(sum|count)$", "", match.group(1))
            self.assertTrue(match.group(1) in declared or family in declared, line)

    def test_page(self):
        status, kind, body = get(self.port, "/")
        self.assertEqual(status, 200)
        self.assertIn("text/html", kind)
        self.assertIn("<td>m</td>", body)
        self.assertIn("texthash:", body)

    def test_nothing_else(self):
        self.assertEqual(get(self.port, "/nothing")[0], 404)
        self.assertNotEqual(get(self.port, "/", "POST")[0], 200)
        # Lookups and HTTP do not meet: the lookup socket takes no HTTP.
        self.assertEqual(self.daemon.ask("m", "gregory@example.net"), "OK gregory")

    def test_moves_with_a_reload(self):
        other = free_port()
        self.daemon.configure(CONFIG % other)
        self.daemon.reload()
        self.assertEqual(get(other, "/healthz")[0], 200)
        with self.assertRaises(OSError):
            get(self.port, "/healthz")


if __name__ == "__main__":
    unittest.main()
