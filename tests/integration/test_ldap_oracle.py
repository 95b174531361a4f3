#!/usr/bin/env python3
"""ldap:FILE against Postfix's own client of the same files, key by key.

    LDAP_ORACLE_SEED=N LDAP_ORACLE_PAIRS=N test_ldap_oracle.py

ldap_maps.py makes the tree, the files and the keys. Each pair of a file and a key is asked three
times: `postmap -q` of ldap:FILE, `postmap -q` of socketmap: with MAP_search = full, and once more
without postmap, all keys of a file at once, so that many travel in one search. All three have
to say the same: the same value, in the same order, or not found, or an error. Where we differ on
purpose is in Known, and in `nothing to ask` below. slapd's log has the searches that were for many
keys, and those of cn=blind, who may search what it may not read.
"""

import collections
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import ldap_maps
from daemon import SETTLED, Case, free_port, main, request, write
from ldap import ACCESS, BASE, PASSWORD, SUFFIX, Slapd, keys_in, ldif_entry, settled
from pg_case import NO_CACHE
from postmap import NONE, POSTMAP, Postmap, error, found
from test_pgsql_oracle import is_text, other_form, reply_verdict

SEED = int(os.environ.get("LDAP_ORACLE_SEED", "2522"))
PAIRS = int(os.environ.get("LDAP_ORACLE_PAIRS", "10000"))

FILES = 24  # of one daemon
KEYS = 120  # of one file
ERRORS = 5  # of one file: each costs seconds
AT_ONCE = 10  # files: most of the time is waiting
MAX_REPLY = 100000  # socketmap_table(5)

OTHERS = "".join("""
dn: cn=%s,%s
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: %s
userPassword: %s
""" % (name, SUFFIX, name, PASSWORD) for name in ("few", "blind"))

LIMITS = 'limits dn.exact="cn=few,%s" size=2\n' % SUFFIX
# One attribute it never sees, one not in some entries, and one not of some.
BLIND = "".join('access to %s by dn.exact="cn=blind,%s" search by * read\n' % (what, SUFFIX)
                for what in ("attrs=description", "attrs=mail,cn filter=(uid=*)",
                             'dn.subtree="ou=groups,%s" attrs=uid' % SUFFIX))


def has_ldap():
    done = subprocess.run([os.path.join(os.path.dirname(POSTMAP), "postconf"), "-m"],
                          capture_output=True, check=False) if POSTMAP else None
    return done is not None and b"ldap" in done.stdout.split()


def setUpModule():
    global TREE, SLAPD, POST, DIR
    if not has_ldap():
        print("no Postfix with ldap: here")
        sys.exit(77)
    TREE = ldap_maps.Tree(random.Random(SEED))
    SLAPD = Slapd(schemas=ldap_maps.SCHEMAS, ldif="", tls=True, start=False,
                  indexes="index objectClass,uid,mail,cn,description,mailLocalAddress eq",
                  config="allow bind_v2",
                  access=BLIND + ACCESS + LIMITS)
    unittest.addModuleCleanup(SLAPD.close)
    SLAPD.load(BASE.split("dn: ou=people")[0] + OTHERS + TREE.ldif(SLAPD.port))
    SLAPD.start(debug="stats")
    DIR = tempfile.mkdtemp(prefix="dictd-oracle-", dir="/tmp")
    unittest.addModuleCleanup(shutil.rmtree, DIR, True)
    os.mkdir(os.path.join(DIR, "postfix"))
    POST = Postmap(os.path.join(DIR, "postfix"))
    unittest.addModuleCleanup(POST.close)


class OracleCase(Case):
    def serve(self, texts):
        """One daemon with a map for each {name: text}."""
        daemon = self.daemon(None)
        daemon.configure(SETTLED + NO_CACHE + "socketmap_listen = unix:%s\nmaps = %s\n"
                         "default_search = full\ndefault_timeout = 20s\n"
                         % (daemon.socket, " ".join(texts))
                         + "".join("%s_sources = ldap:%s\n" % (name, self.put(name, text))
                                   for name, text in texts.items()))
        return daemon.start()

    @staticmethod
    def put(name, text):
        return settled(write(os.path.join(DIR, name + ".cf"), text, 0o600))

    @staticmethod
    def at_once(daemon, name, keys):
        """{key: verdict}, without postmap and all in one."""
        with daemon.client() as client:
            client.send(b"".join(request(name, key) for key in keys))
            return {key: reply_verdict(client.read_bytes()) for key in keys}


class Round:
    """Some files, one daemon."""

    def __init__(self, case, number):
        self.random = random.Random("%d %d" % (SEED, number))
        self.tally = collections.Counter()
        self.bad = []
        self.lists = 0
        dead = free_port()
        self.maps = {"m%d" % i: ldap_maps.map_file(self.random, SLAPD, self.list_file, dead)
                     for i in range(FILES)}
        self.seeds = {name: self.random.getrandbits(64) for name in self.maps}
        self.daemon = case.serve({name: map.text() for name, map in self.maps.items()})

    def list_file(self, text):
        self.lists += 1
        return write(os.path.join(DIR, "list%d" % self.lists), text)

    def run(self):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for tally, bad in pool.map(self.compare, self.maps):
                self.tally.update(tally)
                self.bad += bad
        self.daemon.close()

    def compare(self, name):
        map = self.maps[name]
        keys = ldap_maps.keys(random.Random(self.seeds[name]), KEYS, TREE)
        batch = OracleCase.at_once(self.daemon, name, keys)
        failing = [key for key in keys if batch[key].kind == "error"]
        keys = [key for key in keys if key not in set(failing[ERRORS:])]
        failing = set(failing[:ERRORS])
        if map.parameters.get("bind_pw") == "wrong":  # every key is an error there, and slow
            keys = keys[:2 * ERRORS]
            failing = set(keys)
        tally, bad = collections.Counter(), []
        table = "ldap:" + OracleCase.put(name + "-postfix", map.text())
        right = POST.ask(table, keys, failing)
        # MAP_search = full: of an address that needs quotes, both forms, as Postfix's programs
        # do it for indexed tables.
        forms = {key: other_form(key) for key in keys if right[key] == NONE and is_text(key)}
        forms = {key: form for key, form in forms.items() if form not in (key, b"")}
        others = POST.ask(table, list(dict.fromkeys(forms.values())),
                          {forms[key] for key in failing if key in forms})
        right.update({key: others[form] for key, form in forms.items()})
        tally["other form"] += sum(others[form] != NONE for form in forms.values())
        got = POST.ask("socketmap:unix:%s:%s" % (self.daemon.socket, name), keys, failing)
        for key in keys:
            if b"Unable to bind" in right[key].value and got[key] == NONE == batch[key]:
                # Postfix has to connect before it sees that there is nothing to ask (dict_ldap.c,
                # dict_ldap_lookup); we say so without.
                tally["nothing to ask"] += 1
                right[key] = NONE
            if right[key].kind == "found" and len(right[key].value) + 3 > MAX_REPLY:
                tally["too long for a reply"] += 1
                right[key] = error("PERM")
            tally["pairs"] += 1
            tally[right[key].kind] += 1
            tally["not ASCII"] += not key.isascii()
            tally["several values"] += right[key].kind == "found" and b"," in right[key].value
            if got[key] != right[key] or (batch[key] != right[key] and is_text(key)) \
                    or not is_text(key) and batch[key] != NONE:
                bad.append("file:\n%skey: %s\npostfix:   %s\nsocketmap: %s\nbatch:     %s\n"
                           % (map.text(), ascii(key), right[key], got[key], batch[key]))
        return tally, bad


class Oracle(OracleCase):
    """The generated files and keys."""

    def test_same_answers(self):
        print("seed %d (LDAP_ORACLE_SEED), %d pairs (LDAP_ORACLE_PAIRS)" % (SEED, PAIRS),
              flush=True)
        tally, bad, number = collections.Counter(), [], 0
        started, logged = time.monotonic(), os.path.getsize(SLAPD.log_path)
        while tally["pairs"] < PAIRS and len(bad) < 20:
            one = Round(self, number)
            one.run()
            tally.update(one.tally)
            bad += one.bad
            number += 1
        # No file of ldap_maps.py names an attribute twice.
        batches = [n for n in map(keys_in, SLAPD.filters(logged)) if n > 1]
        tally["searches for many"], tally["keys in them"] = len(batches), sum(batches)
        print("%d files in %.0f s: %s" % (number * FILES, time.monotonic() - started,
                                          ", ".join("%s %d" % item for item in tally.items())))
        if bad:
            self.fail("%d of %d differ:\n%s" % (len(bad), tally["pairs"], "\n".join(bad[:20])))
        self.assertGreaterEqual(tally["pairs"], PAIRS)
        self.assertGreater(tally["found"], 0.15 * PAIRS)
        self.assertGreater(tally["none"], 0.2 * PAIRS)
        self.assertGreater(tally["error"], 0.01 * PAIRS)
        self.assertGreater(tally["not ASCII"], 0.05 * PAIRS)
        self.assertGreater(tally["several values"], 0.05 * PAIRS)
        self.assertGreater(tally["keys in them"], 0.1 * PAIRS)


CIRCLE = "cn=%s,ou=circle," + SUFFIX


class Known(OracleCase):
    """Where Postfix 3.7 and we differ on purpose: each still does.

    (map text, key, what Postfix says, what we say)"""

    def test_they_still_occur(self):
        groups = [("a", ["b"], "gregory"), ("b", ["a"], "root"), ("self", ["self"], "zoe")]
        SLAPD.add(ldif_entry("ou=circle," + SUFFIX, [("objectClass", "organizationalUnit"),
                                                     ("ou", "circle")])
                  + "".join(ldif_entry(CIRCLE % name, [
                      ("objectClass", "device"), ("objectClass", "extensibleObject"),
                      ("cn", name), ("uid", uid)] + [("member", CIRCLE % one) for one in members])
                      for name, members, uid in groups)
                  + ldif_entry(CIRCLE % "nul", [("objectClass", "device"), ("cn", "nul"),
                                                ("objectClass", "extensibleObject"),
                                                ("audio", b"gregory\0root")]))
        # The generated files do not meet them.
        self.addCleanup(SLAPD.delete, "-r", "ou=circle," + SUFFIX)
        circle = SLAPD.map_text("(cn=%s)", search_base="ou=circle," + SUFFIX)
        table = {
            # src/global/dict_ldap.c, dict_ldap_get_values: round and round, up to the limit.
            "circle": (circle, b"a", error(b""), found(b"gregory,root")),
            "itself": (circle, b"self", error(b""), found(b"zoe")),
            # The same: a value is a C string there, and is cut.
            "nul": (SLAPD.map_text("(cn=%s)", search_base="ou=circle," + SUFFIX,
                                   result_attribute="audio"), b"nul", found(b"gregory"),
                    error(b"")),
        }
        daemon = self.serve({name: row[0] for name, row in table.items()})
        for name, (text, key, theirs, ours) in table.items():
            with self.subTest(name):
                self.assertEqual(POST.ask_one("ldap:" + self.put(name, text), key), theirs)
                self.assertEqual(POST.ask_one("socketmap:unix:%s:%s" % (daemon.socket, name),
                                              key), ours)


if __name__ == "__main__":
    main()
