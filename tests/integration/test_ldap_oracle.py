#!/usr/bin/env python3
"""ldap:FILE against Postfix's own client of the same files, key by key.

    LDAP_ORACLE_SEED=N LDAP_ORACLE_PAIRS=N test_ldap_oracle.py

ldap_maps.py makes the tree, the files and the keys, table_oracle.py compares; keys that are asked at
once travel in one search, many of them. Where we differ on purpose is in Known, and in `nothing to
ask` below. slapd's log has the searches that were for many
keys, and those of cn=blind, who may search what it may not read.
"""

import os
import random
import sys
import unittest

import ldap_maps
from daemon import main
from ldap import ACCESS, BASE, PASSWORD, SUFFIX, Slapd, keys_in, ldif_entry
from postmap import NONE, error, found
from table_oracle import ERRORS, Bench, OracleCase, Round, postfix_has

SEED = int(os.environ.get("LDAP_ORACLE_SEED", "2522"))
PAIRS = int(os.environ.get("LDAP_ORACLE_PAIRS", "10000"))

KEYS = 120  # of one file

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


def setUpModule():
    global TREE, SLAPD, BENCH
    if not postfix_has("ldap"):
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
    BENCH = Bench("ldap", "default_timeout = 20s\n")
    unittest.addModuleCleanup(BENCH.close)


class LdapRound(Round):
    AT_ONCE = 10

    def map_file(self, number):
        return ldap_maps.map_file(self.random, SLAPD, self.list_file, self.dead)

    def keys(self, map, choose):
        return ldap_maps.keys(choose, KEYS, TREE)

    def spare(self, map, keys, failing):
        if map.parameters.get("bind_pw") != "wrong":
            return keys, failing
        keys = keys[:2 * ERRORS]  # every key is an error there, and slow
        return keys, set(keys)

    def judge(self, map, right, ours, batch, tally):
        if b"Unable to bind" in right.value and ours == NONE == batch:
            # Postfix has to connect before it sees that there is nothing to ask (dict_ldap.c,
            # dict_ldap_lookup); we say so without.
            tally["nothing to ask"] += 1
            right = NONE
        tally["several values"] += right.kind == "found" and b"," in right.value
        return right


class Oracle(OracleCase):
    """The generated files and keys."""

    def test_same_answers(self):
        print("seed %d (LDAP_ORACLE_SEED), %d pairs (LDAP_ORACLE_PAIRS)" % (SEED, PAIRS),
              flush=True)
        logged = os.path.getsize(SLAPD.log_path)
        tally = self.rounds(LdapRound, BENCH, SEED, PAIRS)
        # No file of ldap_maps.py names an attribute twice.
        batches = [n for n in map(keys_in, SLAPD.filters(logged)) if n > 1]
        print("%d searches for many, %d keys in them" % (len(batches), sum(batches)))
        self.assertGreater(tally["found"], 0.15 * PAIRS)
        self.assertGreater(tally["several values"], 0.05 * PAIRS)
        self.assertGreater(sum(batches), 0.1 * PAIRS)


CIRCLE = "cn=%s,ou=circle," + SUFFIX


class Known(OracleCase):
    """Where Postfix 3.7 and we differ on purpose: each still does."""

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
        self.still_differ(BENCH, {
            # src/global/dict_ldap.c, dict_ldap_get_values: round and round, up to the limit.
            "circle": (circle, b"a", (), error(b""), found(b"gregory,root")),
            "itself": (circle, b"self", (), error(b""), found(b"zoe")),
            # The same: a value is a C string there, and is cut.
            "nul": (SLAPD.map_text("(cn=%s)", search_base="ou=circle," + SUFFIX,
                                   result_attribute="audio"), b"nul", (), found(b"gregory"),
                    error(b"")),
        })


if __name__ == "__main__":
    main()
