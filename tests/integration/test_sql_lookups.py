"""sql/*.cf at a million addresses: index-only plans; the same answers by Postfix's own pgsql:
client and by the daemon; the stored folding is the daemon's, for every character there is."""

import ctypes
import ctypes.util
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest

import daemon
from daemon import Daemon
from pg import ROLE
from sqlsite import SqlSite, text_of, SQL

N = 1000000
SBIN = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"

FILL = """
SET session_replication_role = replica;  -- no audit, no announcements
INSERT INTO dictd.domains (name) SELECT 'd' || i || '.example' FROM generate_series(1, 2000) i;
INSERT INTO dictd.alias_domains (name, domain)
    SELECT 'a' || i || '.example', 'd' || i || '.example' FROM generate_series(1, 1000) i;
INSERT INTO dictd.logins (name) SELECT 'u' || i FROM generate_series(1, 200000) i;
INSERT INTO dictd.groups (name) SELECT 'g' || i FROM generate_series(1, 50000) i;
INSERT INTO dictd.group_members (group_name, login)
    SELECT 'g' || i, 'u' || (i * 3) FROM generate_series(1, 50000) i;
INSERT INTO dictd.group_members (group_name, member_group)
    SELECT 'g' || i, 'g' || (i + 25000) FROM generate_series(1, 25000) i;
INSERT INTO dictd.addresses (address, recipient)
    SELECT 'n' || i || '@d' || (i %% 2000 + 1) || '.example', true FROM generate_series(1, %d) i;
INSERT INTO dictd.grants (address, login)
    SELECT 'n' || i || '@d' || (i %% 2000 + 1) || '.example', 'u' || (i %% 200000 + 1)
      FROM generate_series(1, %d) i WHERE i %% 10 <> 0;
INSERT INTO dictd.grants (address, group_name)
    SELECT 'n' || i || '@d' || (i %% 2000 + 1) || '.example', 'g' || (i %% 50000 + 1)
      FROM generate_series(1, %d) i WHERE i %% 10 = 0;
RESET session_replication_role;
VACUUM (ANALYZE) dictd.domains, dictd.alias_domains, dictd.logins, dictd.groups,
    dictd.group_members, dictd.addresses, dictd.grants;
""" % (N, N, N)

# The daemon sends what waits as one execution over arrays (sources/pgsql/pgsql_batch.h).
BATCH = ("SELECT k.n, q.* FROM unnest($1::text[]) WITH ORDINALITY AS k(p1, n) "
         "CROSS JOIN LATERAL (SELECT * FROM (%s) AS s OFFSET 0) AS q")


def query_of(name):
    for line in text_of(os.path.join(SQL, name + ".cf")).splitlines():
        if line.startswith("query = "):
            return line[len("query = "):]
    raise AssertionError(name)


def scans(plan):
    """Every node that reads a table, as (kind, what)."""
    found = []
    if "Scan" in plan["Node Type"] and ("Relation Name" in plan or "Index Name" in plan):
        found.append((plan["Node Type"], plan.get("Relation Name", plan.get("Index Name"))))
    for child in plan.get("Plans", []):
        found += scans(child)
    return found


class AtAMillion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pg = SqlSite(config="shared_buffers = 256MB\nmax_wal_size = 4GB\n"
                                "autovacuum = off\nmaintenance_work_mem = 256MB")
        cls.addClassCleanup(cls.pg.close)
        cls.pg.sql(FILL)
        cls.dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)
        cls.maps = {name: cls.pg.shipped_map(name, os.path.join(cls.dir, name + ".cf"))
                    for name in ("sender_login", "local_recipient")}

    def explain(self, statement, mode, values, options="FORMAT JSON"):
        out = self.pg.as_role(ROLE, "SET plan_cache_mode = %s; PREPARE q AS %s;\n"
                              "EXPLAIN (%s) EXECUTE q(%s);"
                              % (mode, statement, options, values))
        return json.loads(out)[0]

    def test_every_step_is_an_index_only_scan(self):
        for name in self.maps:
            for batch in (False, True):
                for mode in ("force_generic_plan", "force_custom_plan"):
                    for key in ("n7@d8.example", "n10@a11.example", "nobody@d8.example"):
                        with self.subTest(name=name, batch=batch, mode=mode, key=key):
                            query = query_of(name).replace("'%s'", "k.p1" if batch else "$1")
                            value = "'{%s}'" % key if batch else "'%s'" % key
                            plan = self.explain(BATCH % query if batch else query, mode,
                                                value)["Plan"]
                            found = scans(plan)
                            self.assertGreaterEqual(len(found), 3, found)
                            self.assertEqual({kind for kind, _ in found}, {"Index Only Scan"},
                                             found)

    def test_a_lookup_reads_a_few_pages_and_no_table(self):
        query = query_of("sender_login").replace("'%s'", "$1")
        for key in ("n7@d8.example", "n10@a11.example"):
            self.explain(query, "auto", "'%s'" % key)
            run = self.explain(query, "auto", "'%s'" % key, "ANALYZE, BUFFERS, FORMAT JSON")
            heap = sum(node.get("Heap Fetches", 0) for node in nodes(run["Plan"]))
            blocks = run["Plan"]["Shared Hit Blocks"] + run["Plan"]["Shared Read Blocks"]
            self.assertEqual(heap, 0)
            self.assertLess(blocks, 80, key)
            self.assertEqual(run["Plan"]["Actual Rows"], {"n7@d8.example": 1,
                                                          "n10@a11.example": 2}[key])

    def keys(self):
        chance = random.Random(6)
        keys = []
        for _ in range(300):
            i = chance.randrange(1, N + 200)
            domain = chance.choice("da") + str(i % 2000 + 1 if chance.random() < 0.9 else 3)
            keys.append("%s%d@%s.example" % (chance.choice("nN"), i, domain))
        return keys + ["n1", "@d1.example", "\"john smith\"@d1.example", "n1@[192.0.2.1]",
                       "it's@d1.example", "n1@d2.example@d2.example", "back\\slash@d2.example"]

    def test_postfix_and_the_daemon_answer_alike(self):
        postmap = shutil.which("postmap", path=SBIN)
        self.assertIsNotNone(postmap, "postmap is missing: tests/install-deps.sh check")
        d = Daemon(None)
        self.addCleanup(d.close)
        d.configure("maps = sender_login local_recipient\n"
                    "admin_listen = none\n"
                    "local_domains =\nrecipient_delimiter =\nowner_request_special = no\n"
                    "default_search = full\n" +
                    "".join("%s_sources = pgsql:%s\n" % item for item in self.maps.items()))
        d.start()
        n_found = 0
        os.mkdir(os.path.join(self.dir, "postfix"))
        daemon.write(os.path.join(self.dir, "postfix", "main.cf"), "compatibility_level = 3.6\n")
        for name, path in self.maps.items():
            keys = self.keys()
            done = subprocess.run([postmap, "-c", os.path.join(self.dir, "postfix"), "-q", "-",
                                   "pgsql:" + path], input="\n".join(keys) + "\n",
                                  capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
            theirs = dict(line.split("\t", 1) for line in done.stdout.splitlines())
            for key in keys:
                answer = d.ask(name, key)
                mine = answer[3:] if answer.startswith("OK ") else None
                self.assertTrue(answer.startswith(("OK ", "NOTFOUND")), answer)
                self.assertEqual(mine, theirs.get(key), key)
                n_found += mine is not None
        self.assertGreater(n_found, 300)


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


class Folding(unittest.TestCase):
    def test_every_character_is_folded_as_the_daemon_folds_it(self):
        library = ctypes.CDLL(ctypes.util.find_library("unistring"))
        casefold = library.u8_casefold
        casefold.restype = ctypes.c_void_p
        casefold.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p,
                             ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)]

        def folded(text):
            data = text.encode()
            room = ctypes.create_string_buffer(3 * len(data) + 16)
            size = ctypes.c_size_t(len(room))
            return ctypes.string_at(casefold(data, len(data), None, None, room,
                                             ctypes.byref(size)), size.value).decode()
        with SqlSite(up_to=1) as pg:
            points = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
            # ASCII and other letters around it: no folding depends on neighbours.
            wanted = {c: "a\u00e9" + folded(chr(c)) + "z" for c in points}
            out = pg.sql("SET client_encoding = utf8; SELECT c, encode(convert_to(f, 'UTF8'), "
                         "'hex') FROM (SELECT c, dictd.fold('A\u00c9' || chr(c) || 'Z') AS f "
                         "FROM generate_series(1, 1114111) c "
                         "WHERE c NOT BETWEEN 55296 AND 57343) AS x "
                         "WHERE f <> 'a\u00e9' || chr(c) || 'z'")
            changed = {int(c): bytes.fromhex(text).decode()
                       for c, text in (line.split("|") for line in out.splitlines())}
            self.assertGreater(len(changed), 1500)
            for c in points:
                self.assertEqual(changed.get(c, "a\u00e9" + chr(c) + "z"), wanted[c], hex(c))


if __name__ == "__main__":
    unittest.main(verbosity=2)
