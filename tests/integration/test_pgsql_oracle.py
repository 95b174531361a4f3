#!/usr/bin/env python3
"""pgsql:FILE against Postfix's own client of the same files, key by key.

    PGSQL_ORACLE_SEED=N PGSQL_ORACLE_PAIRS=N test_pgsql_oracle.py

pgsql_maps.py makes the files and the keys, table_oracle.py compares. None may differ, but for what
DIFFERENCES lists, where the cause is not ours and what is right is asked of Postfix in another way.

Postfix before 3.8 (Debian 12 has 3.7) speaks LATIN1 to the database, whatever `encoding` says.
Four kinds of files keep that apart, so that keys and values of every alphabet are judged:
    plain   a UTF8 database with ASCII in it, ASCII keys: LATIN1 and UTF8 are the same
    latin1  `encoding = LATIN1`: we are misled just as Postfix is
    bytes   an SQL_ASCII database, where neither encoding changes a byte
    twin    we ask the UTF8 database in UTF8, Postfix asks the SQL_ASCII one that holds the same
            bytes; queries that count characters are left out
"""

import os
import random
import sys
import unittest

import pgsql_maps
from daemon import main
from pg import Postgres
from postmap import NONE, error, found
from table_oracle import FILES, Bench, OracleCase, Round, postfix_has

SEED = int(os.environ.get("PGSQL_ORACLE_SEED", "2522"))
PAIRS = int(os.environ.get("PGSQL_ORACLE_PAIRS", "10000"))

KEYS = 90  # of one file
KINDS = ("plain", "plain", "bytes", "twin", "twin", "latin1")


# Where Postfix 3.7 is wrong or cannot follow: (name, cause, when). when(flags, key) says of which
# keys a file's answers may be different; for those, Postfix is asked with the same query written
# so that it does not go wrong, and we have to agree with that. Nothing else may differ.
DIFFERENCES = [
    ("backslash in E''",
     "src/global/dict_pgsql.c:300 dict_pgsql_quote: PQescapeStringConn doubles no backslash while "
     "standard_conforming_strings is on, and in E'...' the key's backslashes are escapes",
     lambda flags, key: "escapes" in flags and b"\\" in key),
    ("quote or dollar in $$",
     "src/global/dict_pgsql.c:300 dict_pgsql_quote: in $$...$$ nothing undoes the doubled quote, "
     "and a $$ of the key ends the literal",
     lambda flags, key: "dollars" in flags and (b"'" in key or b"$" in key)),
    ("end of a comment",
     "src/global/dict_pgsql.c:300 dict_pgsql_quote: the key is pasted into a comment, and what "
     "ends (or opens) one is not escaped",
     lambda flags, key: "comment" in flags and
     any(end in key for end in (b"*/", b"/*", b"\r", b"\n"))),
]


def setUpModule():
    global PG, BENCH, ADDRESSES
    if not postfix_has("pgsql"):
        print("no Postfix with pgsql: here")
        sys.exit(77)
    PG = Postgres("max_connections = 300\nlisten_addresses = 'localhost'", schema=None)
    unittest.addModuleCleanup(PG.close)
    os.environ["PGPORT"] = str(PG.port)  # for hosts without one, of both clients
    BENCH = Bench("pgsql", "default_timeout = 60s\n")
    unittest.addModuleCleanup(BENCH.close)
    ADDRESSES = pgsql_maps.fill(PG, random.Random(SEED))


class PgsqlRound(Round):
    AGAIN = 20

    def map_file(self, number):
        kind = KINDS[(self.number * FILES + number) % len(KINDS)]
        map = pgsql_maps.map_file(self.random, PG, kind, self.list_file, self.dead)
        map.kind = kind
        return map

    def keys(self, map, choose):
        return pgsql_maps.keys(choose, KEYS, ADDRESSES[map.database], map.kind != "plain")

    def judge(self, map, right, ours, batch, tally):
        tally[map.kind] += 1
        tally["%s %s" % (map.kind, right.kind)] += 1
        return right

    def postfix(self, name, map, keys, failing, tally):
        """What Postfix says, and where DIFFERENCES has it, what it should say."""
        other = pgsql_maps.BYTES if map.kind == "twin" else None
        right = BENCH.postmap.ask(BENCH.put(name + "-postfix", map.text(other)), keys, failing)
        misled = {key: which for key in keys for which, _, when in DIFFERENCES
                  if when(map.flags, key)}
        if misled and map.plain_query is not None:
            plain = BENCH.put(name + "-plain", map.text(other, plain=True))
            for key, verdict in BENCH.postmap.ask(plain, list(misled), failing).items():
                tally[misled[key]] += verdict != right[key]
                right[key] = verdict
        return right


class Oracle(OracleCase):
    """The generated files and keys."""

    def test_same_answers(self):
        print("seed %d (PGSQL_ORACLE_SEED), %d pairs (PGSQL_ORACLE_PAIRS)" % (SEED, PAIRS),
              flush=True)
        tally = self.rounds(PgsqlRound, BENCH, SEED, PAIRS)
        self.assertGreater(tally["found"], 0.2 * PAIRS)
        for kind in set(KINDS):
            for verdict in ("found", "none", "error"):
                self.assertGreater(tally["%s %s" % (kind, verdict)], 0.001 * PAIRS,
                                   "%s %s" % (kind, verdict))
        for name, _, _ in DIFFERENCES:
            if PAIRS >= 10000:  # fewer may not have a key that shows it
                self.assertGreater(tally[name], 0, name)


class Known(OracleCase):
    """Where Postfix 3.7 and we differ whatever the files say: each still does."""

    def test_they_still_occur(self):
        echo = "SELECT 'hit' WHERE '%s' <> ''"
        self.still_differ(BENCH, {
            # src/global/dict_pgsql.c:676: PQsetClientEncoding(LATIN1); UTF8 only in snapshots.
            "latin1": (PG.map_text("SELECT octet_length('%s')"), "\u00e9".encode(), (),
                       found(b"4"), found(b"2")),
            # src/global/dict_pgsql.c:723: dbname has to be there, though a URI does not use it.
            "dbname": (PG.map_text(echo, hosts=PG.uri, user=None, password=None, dbname=None),
                       b"x", (), error(b""), found(b"hit")),
            # src/global/dict_pgsql.c:351: what is not UTF-8 is passed over in snapshots only.
            "not_utf8": (PG.map_text(echo), b"\xff", ("-u",), found(b"hit"), NONE),
        })


if __name__ == "__main__":
    main()
