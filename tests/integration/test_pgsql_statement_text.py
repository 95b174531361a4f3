#!/usr/bin/env python3
"""No key becomes SQL: the statements that a real server logs are the same whatever is asked.

The server logs every statement (log_statement = all) without its parameters. What it has
logged after two tame keys, one alone and some at once, is all that it may ever log: thousands of
hostile keys add no text. Where a query cannot be bound, the key's text is pasted, escaped by
libpq: there no key may come back as anything but itself.
"""

import json
import os
import random
import unittest

import pgsql_maps
from daemon import main, request, until
from pg import Postgres, ROLE
from pg_case import PgCase

SEED = int(os.environ.get("PGSQL_ORACLE_SEED", "2522"))
KEYS = 3000
AT_ONCE = 100
CONFIG = """
logging_collector = on
log_destination = 'jsonlog'
log_directory = 'statements'
log_filename = 'log'
log_statement = all
log_parameter_max_length = 0
"""

QUERIES = {
    "plain": "SELECT login FROM owners WHERE address = '%s'",
    "parts": "SELECT '%u', '%d' WHERE '%s' <> ''",
    "escape": "SELECT E'\\'%u\\x40%d'",
    "dollar": "SELECT $$%s$$, $k$%u$k$",
    "comment": "SELECT '%s' /* asked for by %s */ -- %s",
    "like": "SELECT login FROM owners WHERE address LIKE '%%@x' AND login = '%d' OR address = '%u'",
}
# PREPARE refuses these: expanded.
LEFT_ALONE = {
    "plain": "SELECT concat('%s')",
    "dollar": "SELECT concat($$%s$$)",
    "tag": "SELECT concat($k$%u$k$, '%s') WHERE $a$%u$a$ <> concat('%s') /* %s */ -- %s",
    "escape": "SELECT concat(E'\x25s')",
}
# A command inside a command, by a function that runs it.
NESTED = """
CREATE FUNCTION run(command text) RETURNS SETOF text LANGUAGE plpgsql AS
    $f$BEGIN RETURN QUERY EXECUTE command; END$f$;
"""
NESTED_QUERIES = {
    "bound": "SELECT run($$SELECT login FROM owners WHERE address = '%s'$$)",
    "expanded": "SELECT run(concat($$SELECT login FROM owners WHERE address = '%s'$$))",
}


def hostile_keys():
    """As bytes, NUL and what is not UTF-8 too."""
    source = random.Random(SEED)
    found = pgsql_maps.keys(source, KEYS, ["gregory@example.net"], True)
    for special in (b"'", b"\\", b"\0", b"\xff", b"%s", b"$1", b"'; DROP TABLE owners; --", b'"',
                    b"*/", b"$$", b"$k$", b"\n", b"\r\n", b"\\'", b"\xc0\xa7", b"\xbf'"):
        for size in (1, 2, 1000, 10000):
            body = (special * size)[:size * len(special)][:9980]
            found += [body, body + b"@example.net", b"x@" + body, special + body]
    return list(dict.fromkeys(found))


class StatementText(PgCase):
    @classmethod
    def setUpClass(cls):
        cls.pg = Postgres(CONFIG)
        cls.addClassCleanup(cls.pg.close)
        cls.log = os.path.join(cls.pg.data, "statements", "log.json")

    def statements(self):
        """The different statements of the role so far, after all that it was sent."""
        mark = "SELECT 'mark %d'" % random.getrandbits(60)
        self.pg.sql(mark)
        def logged():
            with open(self.log, "rb") as file:
                text = file.read()
            return text if mark.encode() in text else None
        text = until(logged, "the log of statements")
        found = {}
        for line in text.decode("utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("user") == ROLE and entry["error_severity"] == "LOG":
                said = entry["message"]
                # `execute NAME: text`: the name is the client's
                kind, _, statement = said.partition(": ")
                if kind.startswith(("execute", "statement", "parse", "bind")):
                    key = (kind.split(" ")[0], statement)
                    found[key] = found.get(key, 0) + 1
        return found

    def ask_all(self, client, name, keys):
        """Some at once: a client that does not read is not read from."""
        replies, waiting, size = [], 0, 0
        for key in keys:
            client.send(request(name, key))
            waiting, size = waiting + 1, size + len(key)
            if waiting == AT_ONCE or size > 20000:
                replies += [client.read_bytes() for _ in range(waiting)]
                waiting = size = 0
        replies += [client.read_bytes() for _ in range(waiting)]
        return replies

    def test_text_never_depends_on_the_key(self):
        keys = hostile_keys()
        self.assertGreater(len(keys), KEYS)
        tame = [b"user%d@example.org" % i for i in range(500)]
        for name, query in QUERIES.items():
            with self.subTest(map=name):
                d = self.serve({"m": self.pg.map_text(query)})
                with d.client() as client:
                    for key in tame[:20]:
                        self.ask_all(client, "m", [key])
                    for _ in range(4):
                        self.ask_all(client, "m", tame)
                    before = self.statements()
                    replies = self.ask_all(client, "m", keys)
                    for key in keys[::25]:
                        self.ask_all(client, "m", [key])
                after = self.statements()
                d.close()
                self.assertEqual(set(after), set(before))
                ran = sum(after.values()) - sum(before.values())
                self.assertGreater(ran, len(keys) / 50)  # many travel as one
                answered = sum(not reply.startswith(b"TEMP") for reply in replies)
                self.assertEqual(answered, len(keys))
        self.assertEqual(self.pg.sql("SELECT count(*) FROM owners").strip(), "7")

    def test_expanded_keys_come_back_as_they_were(self):
        keys = [key for key in hostile_keys() if key and key.isascii() and b"\0" not in key]
        wanted = {
            "plain": lambda key: key, "dollar": lambda key: key, "escape": lambda key: key,
            "tag": lambda key: key.rpartition(b"@")[0] + key if b"@" in key else key + key,
        }
        for name, query in LEFT_ALONE.items():
            with self.subTest(map=name):
                d = self.serve({"m": self.pg.map_text(query)})
                with d.client() as client:
                    for key, reply in zip(keys, self.ask_all(client, "m", keys)):
                        want = wanted[name](key.lower())
                        if name == "tag" and (reply == b"NOTFOUND " or key[:1] == b"@"):
                            continue  # no user: not asked, or as ""@
                        self.assertEqual(reply, b"OK " + want)
                d.close()
        self.assertEqual(self.pg.sql("SELECT count(*) FROM owners").strip(), "7")

    def test_commands_inside_a_literal(self):
        self.pg.sql(NESTED)
        keys = [key for key in hostile_keys() if key and key.isascii() and b"\0" not in key]
        for name, query in NESTED_QUERIES.items():
            with self.subTest(map=name):
                d = self.serve({"m": self.pg.map_text(query),
                                "plain": self.pg.map_text(QUERIES["plain"])})
                self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
                with d.client() as client:
                    for key in (b"x' OR 'a'='a", b"' OR ''='", b"'; DROP TABLE owners; --"):
                        self.assertEqual(self.ask_all(client, "m", [key]), [b"NOTFOUND "], key)
                    self.assertEqual(self.ask_all(client, "m", keys),
                                     self.ask_all(client, "plain", keys))
                d.close()
        self.assertEqual(self.pg.sql("SELECT count(*) FROM owners").strip(), "7")


if __name__ == "__main__":
    main()
