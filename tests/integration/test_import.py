#!/usr/bin/env python3
"""dictctl import --to-ldif: what it prints goes into a slapd with ldap-schema/ by ldapadd, and
has then the same owners as the files had, by Postfix's own client for both."""

import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import daemon
from ldap import Slapd, settled, postmap_all

DICTCTL = os.path.join(daemon.BUILD, "dictctl")
SCHEMA = os.path.join(daemon.ROOT, "ldap-schema")
BASE = "ou=mail,dc=example,dc=net"
SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))

PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
gregory:x:1000:1000:Gregory Czaplinski:/home/gregory:/bin/bash
Zoë:x:1001:1001::/home/zoe:/bin/sh
"""
ALIASES = """# as it stands on the host
postmaster: root
G.Czaplinski: gregory
office: gregory, Zoë,
    friend@example.org
root: gregory
archive: /var/mail/archive
"""
MAP = """gregory@example.net  gregory
g.czaplinski@example.net gregory
sales@example.net gregory, root  GREGORY
@example.com zoë
"john  smith"@example.net external
o'neil+#<x>;=@example.net gregory
zoë@bücher.example zoë
nobody-is-this@example.net ,
"""


def words(reply):
    """OK and the logins, or the other answer."""
    return {word.lower() for word in re.split(r"[,\s]+", reply) if word}


class Import(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="dictd-import-")
        self.addCleanup(shutil.rmtree, self.dir)

    def file(self, name, text):
        return settled(daemon.write(os.path.join(self.dir, name), text))

    def run_import(self, *arguments):
        done = subprocess.run([DICTCTL, "import", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")

    def ldif(self, passwd=None, aliases=None, table=None, status=0):
        arguments = ["--to-ldif", "--base", BASE, "--domain", "example.net"]
        for option, text in (("--passwd", passwd), ("--aliases", aliases), ("--map", table)):
            if text is not None:
                arguments += [option, self.file(option.strip("-"), text)]
        got, out, said = self.run_import(*arguments)
        self.assertEqual(got, status, said)
        return out, said

    def owners(self, map_file, keys, kind="ldap"):
        got = postmap_all(map_file, keys, kind)
        return {key: {name.lower() for name in re.split(r"[,\s]+", value) if name}
                for key, value in got.items()}

    def directory(self, ldif):
        """A map file for a slapd that has loaded it."""
        tree = ("dn: dc=example,dc=net\nobjectClass: dcObject\nobjectClass: organization\n"
                "dc: example\no: Example\n\n"
                "dn: %s\nobjectClass: organizationalUnit\nou: mail\n" % BASE)
        slapd = Slapd(schemas=("core", "cosine", os.path.join(SCHEMA, "dictd.schema")),
                      ldif=tree, indexes="index objectClass,dictdAddress eq")
        self.addCleanup(slapd.close)
        slapd.add(ldif)
        self.slapd = slapd
        return slapd.map_file(slapd.path("map.cf"), "(dictdAddress=%s)", bind="no", bind_dn=None,
                              bind_pw=None, result_attribute="dictdLogin, dictdOwnerLogin",
                              special_result_attribute="dictdOwner, member")

    def test_the_files_of_a_host(self):
        ldif, said = self.ldif(PASSWD, ALIASES, MAP)
        path = self.directory(ldif)
        want = {"gregory": {"gregory"}, "daemon": {"daemon"}, "zoë": {"zoë"},
                "root": {"gregory"}, "postmaster": {"gregory"}, "g.czaplinski": {"gregory"},
                "office": {"gregory", "zoë", "friend@example.org"},
                "archive": {":no-owner:"}, "gregory@example.net": {"gregory"},
                "g.czaplinski@example.net": {"gregory"},
                "sales@example.net": {"gregory", "root"}, "@example.com": {"zoë"},
                '"john  smith"@example.net': {"external"},
                "o'neil+#<x>;=@example.net": {"gregory"}, "zoë@bücher.example": {"zoë"},
                "nobody-is-this@example.net": {":no-owner:"}}
        self.assertEqual(self.owners(path, list(want) + ["nobody-here", "@example.net"]), want)
        self.assertRegex(said, r"skipped: \S+/passwd:1: root: \S+/aliases has it already")
        self.assertIn("4 logins, 13 addresses, 1 skipped, 0 refused", said)
        # Owners that have an entry are named by it.
        self.assertIn("dictdOwner: uid=gregory," + BASE, self.slapd.search("(dictdAddress=office)"))

    def test_same_owners_as_the_table(self):
        """A generated table with hostile keys: texthash: and ldap: give the same."""
        rng = random.Random(SEED)
        print("seed %d" % SEED)
        logins = ["user%d" % i for i in range(40)]
        passwd = "".join("%s:x:%d:1::/:/bin/sh\n" % (login, 1000 + i)
                         for i, login in enumerate(logins))
        letters = "abcxyz019._-+=#/;<>&*()!'`~^|{}$%?éßø中"
        table, keys = [], []
        for i in range(2000):
            local = "".join(rng.choice(letters) for _ in range(rng.randrange(1, 12)))
            if rng.random() < 0.2:
                local = '"%s"' % rng.choice([local + " x", local + ",y", "\\\\" + local,
                                             local + "@z", " " + local, local + "<q>"])
            key = "%s@d%d.example" % (local, i)
            owners = [rng.choice(logins + ["outside%d" % i, "o@x.org", "Ünder"])
                      for _ in range(rng.randrange(1, 6))]
            table.append("%s %s\n" % (key, rng.choice([", ", ",", " ", "\t"]).join(owners)))
            keys.append(key)
        text = "# hostile\n" + "".join(line for line in table if not line.startswith("#"))
        path = self.file("table", text)
        ldif, _ = self.ldif(passwd=passwd, table=text)
        old = self.owners(path, keys, "texthash")
        self.assertGreater(len(old), 1900)
        path = self.directory(ldif)
        self.assertEqual(self.owners(path, keys), old)
        # And through the daemon, which takes the file and the directory for the same.
        d = daemon.Daemon("maps = old new\ndefault_search = full\nnew_sources = ldap:%s\n"
                          "old_sources = texthash:%s\n" % (path, self.file("old", text)))
        self.addCleanup(d.close)
        d.start()
        with d.client() as client:
            for key in keys:
                before, after = client.ask("old", key), client.ask("new", key)
                self.assertEqual(words(after), words(before), key)
        shuffled = [line for line in text.splitlines(True)]
        rng.shuffle(shuffled)
        self.assertEqual(self.ldif(passwd=passwd, table="".join(shuffled))[0], ldif)

    def test_dry_run(self):
        path = self.file("table", MAP)
        status, out, said = self.run_import("--to-ldif", "--base", BASE, "--map", path,
                                            "--dry-run")
        self.assertEqual((status, out), (0, ""))
        self.assertIn("0 logins, 8 addresses, 0 skipped, 0 refused (dry run)", said)

    def test_each_bad_line_is_named(self):
        table = "a@example.net x\n" + "nothing\n" * 15 + "b@example.net y\n"
        passwd = "bad\n" * 3 + "gregory:x:1:1::/:/bin/sh\n"
        ldif, said = self.ldif(passwd=passwd, aliases="x@y.org: a\nc: gregory\n", table=table)
        for line in range(2, 17):
            self.assertRegex(said, r"skipped: \S+/map:%d: expected a key" % line)
        for line in range(1, 4):
            self.assertRegex(said, r"skipped: \S+/passwd:%d: " % line)
        self.assertRegex(said, r"skipped: \S+/aliases:1: ")
        self.assertEqual(ldif.count("\ndn: ") + ldif.startswith("dn: "), 4)

    def test_nothing_is_printed_when_something_would_be_lost(self):
        for table, why in (
                ('"a  b"@example.net x\n"a b"@example.net y\n', r"map:[12]: .*the same as"),
                ("ａx@example.net x\nother@example.net z\nax@example.net y\n",
                 r"map:[13]: .*the same as")):
            ldif, said = self.ldif(table=table, status=1)
            self.assertEqual(ldif, "")
            self.assertRegex(said, "refused: .*" + why)
            self.assertIn("nothing is printed", said)
            # As a directory sees it:
            keys = [line.rsplit(" ", 1)[0] for line in table.splitlines() if "other" not in line]
            parts = [self.ldif(table=key + " x\n")[0] for key in keys]
            with self.assertRaisesRegex(AssertionError, "Already exists"):
                self.directory("".join(parts))
        # Nor when a file cannot be understood.
        ldif, said = self.ldif(passwd=PASSWD, aliases='a: b\nc: "open\n', status=64)
        self.assertEqual(ldif, "")
        self.assertRegex(said, r"aliases:2: ")
        ldif, said = self.ldif(table=" begins with white space\n", status=64)
        self.assertEqual(ldif, "")

    def test_command_line(self):
        path = self.file("map", MAP)
        for arguments, why in (
                (["--to-ldif"], "--map FILE"),
                (["--to-ldif", "--map", path, path], "what is"),
                (["--to-ldif", "--map", path + ".absent", "--base", BASE], "absent"),
                (["--to-ldif", "--nonsense"], "nonsense")):
            status, out, said = self.run_import(*arguments)
            self.assertEqual((status, out), (64, ""), said)
            self.assertIn(why, said)

    def test_base_from_the_domain(self):
        status, out, _ = self.run_import("--to-ldif", "--domain", "mail.example.org", "--map",
                                         self.file("map", "a@x b\n"))
        self.assertEqual(status, 0)
        self.assertIn("dn: dictdAddress=a@x,dc=mail,dc=example,dc=org\n", out)

    def test_what_is_local_in_aliases(self):
        """An alias that leads to root@example.net leads on; elsewhere it ends."""
        aliases = "root: gregory\na: root@example.net\nb: root@example.org\nc: root+x\n"
        ldif, _ = self.ldif(aliases=aliases)
        owners = self.owners(self.directory(ldif), ["a", "b", "c"])
        self.assertEqual(owners, {"a": {"gregory"}, "b": {"root@example.org"},
                                  "c": {"gregory"}})


if __name__ == "__main__":
    unittest.main(verbosity=2)
