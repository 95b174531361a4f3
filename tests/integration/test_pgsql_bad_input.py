#!/usr/bin/env python3
"""What servers, data and the environment can do wrong, and how often the log says so.

Each is TEMP with a reason, or an error when the configuration is read; a failure
that lasts is no line for every lookup; all is well again without a restart.
"""

import json
import os

from daemon import TcpTable, free_port, main, request, run_daemon, write
from pg import DATABASE, PASSWORD, ROLE, Postgres
from pg_case import PgCase
from pg_proxy import Proxy

SHARED = None

KEY, NOBODY = "gregory@example.net", "nobody-here@example.net"
BYTES = "bytes"  # a database of SQL_ASCII


def setUpModule():
    global SHARED
    SHARED = Postgres()
    SHARED.sql("CREATE DATABASE %s ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' "
               "TEMPLATE template0" % BYTES, database="postgres")
    SHARED.sql("SET client_encoding = 'SQL_ASCII';"
               "CREATE TABLE owners (address text, login text);"
               "INSERT INTO owners VALUES ('good@example.net', 'gregory'),"
               "('byte@example.net', E'gr\\xfcn'), ('half@example.net', E'x\\xc3'),"
               "('line@example.net', E'a\\nOK b\\x01\\x7f'), ('wide@example.net', E'\\xc3\\xbc'),"
               "('cut@example.net', E'12:\\xff,'), (E'k\\xfc@example.net', 'root');"
               "GRANT SELECT ON owners TO " + ROLE, database=BYTES)


def tearDownModule():
    SHARED.close()


class ClosesAfterEachQuery(PgCase):
    """A server, or something on the way, that ends each connection after so many answers."""

    def serve_by(self, proxy, **parameters):
        self.addCleanup(proxy.close)
        return self.serve({"m": SHARED.map_text(hosts=proxy.uri, user=None, password=None,
                                                dbname=None, **parameters)})

    def test_after_the_answer(self):
        """Every lookup gets its answer, over a connection of its own."""
        proxy = Proxy(SHARED.port)
        proxy.closes_after = 2  # the log-in's, and that of the query
        d = self.serve_by(proxy, prepare="no")
        with d.client() as client:
            for i in range(40):
                self.assertEqual(client.ask("m", KEY), "OK gregory")
                self.assertEqual(client.ask("m", NOBODY), "NOTFOUND ")
        self.assertGreaterEqual(len(proxy.links), 80)
        self.assertNotIn("warning:", d.log())

    def test_many_at_once(self):
        proxy = Proxy(SHARED.port)
        proxy.closes_after = 2
        d = self.serve_by(proxy, prepare="no")
        right = 0
        with d.client() as client:
            for _ in range(20):
                client.send((request("m", KEY) + request("m", NOBODY)) * 20)
                for _ in range(20):
                    for good in ("OK gregory", "NOTFOUND "):
                        reply = client.read()
                        right += reply == good
                        if reply != good:
                            self.temp(reply, "closed the connection|reset")
        self.assertGreater(right, 400)

    def test_before_there_is_an_answer(self):
        """The statement is prepared, or even that is not; then the connection is gone."""
        for after in (1, 2, 3):
            with self.subTest(after=after):
                proxy = Proxy(SHARED.port)
                d = self.serve_by(proxy)
                self.assertEqual(d.ask("m", KEY), "OK gregory")
                proxy.closes_after = after
                for link in proxy.open_links():
                    link.close()
                if after < 3:
                    self.always_temp(d, "m", "closed the connection|reset")
                else:  # behind that comes an answer, if the query is quick enough
                    for key, good in ((KEY, "OK gregory"), (NOBODY, "NOTFOUND ")) * 20:
                        reply = d.ask("m", key)
                        if reply != good:
                            self.temp(reply, "closed the connection|reset")
                links = len(proxy.links)
                self.assertLess(links, 300)  # it does not knock for every lookup
                proxy.closes_after = None
                self.ask_until(d, "m", KEY, "OK gregory")
                self.assertEqual(d.ask("m", NOBODY), "NOTFOUND ")
                self.no_secret_in(d)


class Bytes(PgCase):
    """Columns of an SQL_ASCII database, which holds any bytes."""

    def serve_bytes(self, **parameters):
        tcp = free_port()
        d = self.serve({"m": SHARED.map_text(dbname=BYTES, **parameters)},
                       "tcp_table_listen = inet:127.0.0.1:%d=m\n" % tcp)
        self.tcp = self.closing(TcpTable(("127.0.0.1", tcp)))
        return d

    def test_what_is_not_utf8_is_temp(self):
        d = self.serve_bytes()
        for _ in range(3):
            for name in ("byte", "half", "cut"):
                self.temp(d.ask("m", name + "@example.net"), "SQLSTATE 22021")
                self.assertRegex(self.tcp.ask(name + "@example.net"), "^400 .*SQLSTATE 22021")
            self.assertEqual(d.ask("m", "good@example.net"), "OK gregory")
            self.assertEqual(d.ask("m", "wide@example.net"), "OK \u00fc")
            self.assertEqual(d.ask("m", NOBODY), "NOTFOUND ")

    def test_among_others_it_is_that_keys_error_alone(self):
        d = self.serve_bytes()
        keys = ["byte@example.net" if i % 9 == 4 else "good@example.net" for i in range(300)]
        with d.client() as client:
            for _ in range(3):
                client.send(b"".join(request("m", key) for key in keys))
                for key in keys:
                    reply = client.read()
                    if key == "byte@example.net":
                        self.temp(reply, "22021")
                    else:
                        self.assertEqual(reply, "OK gregory")

    def test_a_failure_that_lasts_is_few_lines(self):
        self.always_temp(self.serve_bytes(), "m", "22021", keys=("byte@example.net",))

    VALUES = {"good": b"gregory", "byte": b"gr\xfcn", "half": b"x\xc3",
              "line": b"a\nOK b\x01\x7f", "wide": b"\xc3\xbc", "cut": b"12:\xff,"}

    def test_as_bytes(self):
        """encoding = SQL_ASCII: the bytes travel as they are, and the reply stays one reply."""
        for prepare in ("yes", "no"):
            d = self.serve_bytes(encoding="SQL_ASCII", prepare=prepare)
            for name, value in self.VALUES.items():
                key = name + "@example.net"
                with self.subTest(key=key), d.client() as client:
                    client.send(request("m", key) + request("m", NOBODY))
                    self.assertEqual(client.read_bytes(), b"OK " + value)
                    self.assertEqual(client.read(), "NOTFOUND ")
                    self.tcp.send("get %s\nget %s\n" % (key, NOBODY))
                    self.assertEqual(unquote(self.tcp.read()), b"200 " + value)
                    self.assertRegex(self.tcp.read(), "^500 ")
                    self.shown(d, key)

    def shown(self, d, key):
        """dictctl's --json is JSON, and what explain says does not steer a terminal."""
        for line in self.ctl(d, "--json", "lookup", "m", key).splitlines():
            json.loads(line)
        json.loads(self.ctl(d, "--json", "explain", "m", key))
        self.assertNotRegex(self.ctl(d, "explain", "m", key), "[\x01\x7f]")

    def test_a_key_is_text_all_the_same(self):
        d = self.serve_bytes(encoding="SQL_ASCII")
        with d.client() as client:
            client.send(request("m", b"k\xfc@example.net"))
            self.assertEqual(client.read(), "NOTFOUND ")


def unquote(line):
    out, at = bytearray(), 0
    while at < len(line):
        if line[at] == "%":
            out.append(int(line[at + 1:at + 3], 16))
            at += 3
        else:
            out.append(ord(line[at]))
            at += 1
    return bytes(out)


class Service(PgCase):
    """PGSERVICE: libpq would read a file, or ask an LDAP server, whenever it connects."""

    def test_is_refused(self):
        service = os.path.join(SHARED.dir, "service.conf")
        write(service, "[x]\nhost=127.0.0.1\n")
        for text in (SHARED.map_text(), SHARED.map_text(
                hosts=SHARED.uri, user=None, password=None, dbname=None)):
            d = self.prepare({"m": text})
            for value in ("x", ""):
                status, _, err = run_daemon("-t", "-c", d.config_path, env={
                    "PATH": "/usr/sbin:/usr/bin", "PGSERVICE": value, "PGSERVICEFILE": service})
                self.assertEqual(status, 1, err)
                self.assertRegex(err, r"m\.cf.*PGSERVICE is set in the daemon's environment")
                self.assertNotIn(PASSWORD, err)
            d.start(environment={"PGSERVICEFILE": service})  # says nothing by itself
            self.assertEqual(d.ask("m", KEY), "OK gregory")

    def test_in_a_uri_is_refused(self):
        d = self.prepare({"m": SHARED.map_text(hosts="postgresql:///%s?service=x" % DATABASE)})
        status, _, err = run_daemon("-t", "-c", d.config_path)
        self.assertEqual(status, 1)
        self.assertRegex(err, "service= in a URI is not supported")


if __name__ == "__main__":
    main()
