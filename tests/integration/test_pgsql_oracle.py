#!/usr/bin/env python3
"""pgsql:FILE against Postfix's own client of the same files, key by key.

    PGSQL_ORACLE_SEED=N PGSQL_ORACLE_PAIRS=N test_pgsql_oracle.py

pgsql_maps.py makes the files and the keys. Each pair of a file and a key is asked three times:
`postmap -q` of pgsql:FILE, `postmap -q` of socketmap: with MAP_search = full, and once more
without postmap, all keys of a file at once, so that they travel as batches. All three have to
say the same: the same value, not found, or an error. None may differ, but for what DIFFERENCES
lists, where the cause is not ours and what is right is asked of Postfix in another way.

Postfix before 3.8 (Debian 12 has 3.7) speaks LATIN1 to the database, whatever `encoding` says.
Four kinds of files keep that apart, so that keys and values of every alphabet are judged:
    plain   a UTF8 database with ASCII in it, ASCII keys: LATIN1 and UTF8 are the same
    latin1  `encoding = LATIN1`: we are misled just as Postfix is
    bytes   an SQL_ASCII database, where neither encoding changes a byte
    twin    we ask the UTF8 database in UTF8, Postfix asks the SQL_ASCII one that holds the same
            bytes; queries that count characters are left out
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

import pgsql_maps
from daemon import SETTLED, Case, free_port, main, request, write
from pg import Postgres
from postmap import NONE, POSTMAP, Postmap, error, found

SEED = int(os.environ.get("PGSQL_ORACLE_SEED", "2522"))
PAIRS = int(os.environ.get("PGSQL_ORACLE_PAIRS", "10000"))

FILES = 24  # of one daemon
KEYS = 90  # of one file
ERRORS = 5  # of one file: each costs seconds
AT_ONCE = 16  # files: most of the time is waiting
AGAIN = 20  # times, a second apart: how long an error of ours may go away by itself
KINDS = ("plain", "plain", "bytes", "twin", "twin", "latin1")
MAX_REPLY = 100000  # socketmap_table(5)


def has_pgsql():
    done = subprocess.run([os.path.join(os.path.dirname(POSTMAP), "postconf"), "-m"],
                          capture_output=True, check=False) if POSTMAP else None
    return done is not None and b"pgsql" in done.stdout.split()


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
    global PG, POST, DIR, ADDRESSES
    if not has_pgsql():
        print("no Postfix with pgsql: here")
        sys.exit(77)
    PG = Postgres("max_connections = 300\nlisten_addresses = 'localhost'", schema=None)
    unittest.addModuleCleanup(PG.close)
    os.environ["PGPORT"] = str(PG.port)  # for hosts without one, of both clients
    DIR = tempfile.mkdtemp(prefix="dictd-oracle-", dir="/tmp")
    unittest.addModuleCleanup(shutil.rmtree, DIR, True)
    os.mkdir(os.path.join(DIR, "postfix"))
    POST = Postmap(os.path.join(DIR, "postfix"))
    unittest.addModuleCleanup(POST.close)
    ADDRESSES = pgsql_maps.fill(PG, random.Random(SEED))


def reply_verdict(reply):
    """What Postfix makes of a reply, which has to be UTF-8 (src/util/dict_utf8.c)."""
    word, _, text = reply.partition(b" ")
    if word == b"OK" and text:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            return error(reply)
        return found(text)
    return NONE if reply == b"NOTFOUND " else error(reply)


class OracleCase(Case):
    def serve(self, texts):
        """One daemon with a map for each {name: text}."""
        daemon = self.daemon(None)
        daemon.configure(SETTLED + "socketmap_listen = unix:%s\nmaps = %s\n"
                         "default_search = full\ndefault_timeout = 60s\n"
                         "default_cache_ttl = 0\ndefault_negative_cache_ttl = 0\n"
                         % (daemon.socket, " ".join(texts))
                         + "".join("%s_sources = pgsql:%s\n" % (name, self.put(name, text))
                                   for name, text in texts.items()))
        return daemon.start()

    @staticmethod
    def put(name, text):
        return write(os.path.join(DIR, name + ".cf"), text, 0o600)

    @staticmethod
    def at_once(daemon, name, keys):
        """{key: verdict}, without postmap and all in one."""
        with daemon.client() as client:
            client.send(b"".join(request(name, key) for key in keys))
            return {key: reply_verdict(client.read_bytes()) for key in keys}


class Round:
    """Some files, one daemon."""

    def __init__(self, case, number):
        self.case = case
        self.random = random.Random("%d %d" % (SEED, number))
        self.tally = collections.Counter()
        self.bad = []
        self.lists = 0
        dead = free_port()
        self.maps, self.kinds = {}, {}
        for i in range(FILES):
            name = "m%d" % i
            self.kinds[name] = KINDS[(number * FILES + i) % len(KINDS)]
            self.maps[name] = pgsql_maps.map_file(self.random, PG, self.kinds[name],
                                                  self.list_file, dead)
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
        map, kind = self.maps[name], self.kinds[name]
        choose = random.Random(self.seeds[name])
        keys = pgsql_maps.keys(choose, KEYS, ADDRESSES[map.database], kind != "plain")
        batch = OracleCase.at_once(self.daemon, name, keys)
        failing = [key for key in keys if batch[key].kind == "error"]
        keys = [key for key in keys if key not in set(failing[ERRORS:])]
        failing = set(failing[:ERRORS])
        tally, bad = collections.Counter(), []
        right = self.postfix(name, keys, failing, tally)
        # MAP_search = full: of an address that needs quotes, both forms, as Postfix's programs
        # do it for indexed tables.
        forms = {key: other_form(key) for key in keys if right[key] == NONE and is_text(key)}
        forms = {key: form for key, form in forms.items() if key and form not in (key, b"")}
        others = self.postfix(name, list(dict.fromkeys(forms.values())),
                              {forms[key] for key in failing if key in forms}, tally)
        right.update({key: others[form] for key, form in forms.items()})
        tally["other form"] += sum(others[form] != NONE for form in forms.values())
        got = POST.ask("socketmap:unix:%s:%s" % (self.daemon.socket, name), keys, failing)

        for key in keys:
            ours = got[key]
            if right[key].kind == "found" and len(right[key].value) + 3 > MAX_REPLY:
                tally["too long for a reply"] += 1
                right[key] = error("PERM")
            tally["pairs"] += 1
            tally[kind] += 1
            tally[right[key].kind] += 1
            tally["not ASCII"] += not key.isascii()
            tally["%s %s" % (kind, right[key].kind)] += 1
            agrees = self.agrees(right[key], key, ours, batch[key])
            if not agrees and right[key].kind != "error" in (ours.kind, batch[key].kind):
                tally["asked again"] += 1
                agrees, ours, batch[key] = self.ask_again(name, key, right[key])
            if not agrees:
                bad.append("%s file:\n%skey: %s\npostfix:   %s\nsocketmap: %s\nbatch:     %s\n"
                           % (kind, map.text(), ascii(key), right[key], ours, batch[key]))
        return tally, bad

    @staticmethod
    def agrees(right, key, ours, batch):
        return ours == right and batch == (right if is_text(key) else NONE)

    def ask_again(self, name, key, right):
        """Where we say TEMP and Postfix, which waits for minutes, does not: a busy machine's
        time limits go away, a difference stays."""
        for _ in range(AGAIN):
            time.sleep(1)
            ours = POST.ask("socketmap:unix:%s:%s" % (self.daemon.socket, name), [key], {key})[key]
            batch = OracleCase.at_once(self.daemon, name, [key, key])[key]
            if self.agrees(right, key, ours, batch):
                return True, ours, batch
        return False, ours, batch

    def postfix(self, name, keys, failing, tally):
        """{key: what Postfix says, and where DIFFERENCES has it, what it should say}"""
        map, other = self.maps[name], pgsql_maps.BYTES if self.kinds[name] == "twin" else None
        right = POST.ask("pgsql:" + OracleCase.put(name + "-postfix", map.text(other)), keys,
                         failing)
        misled = {key: which for key in keys for which, _, when in DIFFERENCES
                  if when(map.flags, key)}
        if misled and map.plain_query is not None:
            plain = "pgsql:" + OracleCase.put(name + "-plain", map.text(other, plain=True))
            for key, verdict in POST.ask(plain, list(misled), failing).items():
                tally[misled[key]] += verdict != right[key]
                right[key] = verdict
        return right


def is_text(key):
    try:
        key.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


# The two forms of an address: src/global/quote_822_local.c.


def is_dot_string(local):
    return local != b"" and not local.startswith(b".") and not local.endswith(b".") \
        and b".." not in local \
        and not any(c <= 32 or c == 127 or c in b'()<>@,;:\\"[]' for c in local)


def route_length(key):
    return key.index(b":") + 1 if key.startswith(b"@") and b":" in key else 0


def quoted(key):
    start = route_length(key)
    end = key.rfind(b"@", start)
    end = len(key) if end < 0 else end
    local = key[start:end]
    if is_dot_string(local):
        return key
    for special in (b"\\", b'"', b"\r"):
        local = local.replace(special, b"\\" + special)
    return key[:start] + b'"' + local + b'"' + key[end:]


def unquoted(key):
    i = route_length(key)
    out, in_quotes, at, out_at = bytearray(key[:i]), False, None, 0
    while i < len(key):
        if key[i:i + 1] == b'"':
            in_quotes = not in_quotes
        else:
            if key[i:i + 1] == b"@" and not in_quotes:
                at, out_at = i, len(out)
            elif key[i:i + 1] == b"\\":
                i += 1
            out += key[i:i + 1]
        i += 1
    return bytes(out) if at is None else bytes(out[:out_at]) + key[at:]


def other_form(key):
    """Of an address in its external or internal form; the same where there is one form only."""
    internal = unquoted(key)
    return internal if quoted(internal) == key else quoted(key)


class Oracle(OracleCase):
    """The generated files and keys."""

    def test_same_answers(self):
        print("seed %d (PGSQL_ORACLE_SEED), %d pairs (PGSQL_ORACLE_PAIRS)" % (SEED, PAIRS),
              flush=True)
        tally, bad, number = collections.Counter(), [], 0
        started = time.monotonic()
        while tally["pairs"] < PAIRS and len(bad) < 20:
            one = Round(self, number)
            one.run()
            tally.update(one.tally)
            bad += one.bad
            number += 1
        print("%d files in %.0f s: %s" % (number * FILES, time.monotonic() - started,
                                          ", ".join("%s %d" % item for item in tally.items())))
        if bad:
            self.fail("%d of %d differ:\n%s" % (len(bad), tally["pairs"], "\n".join(bad[:20])))
        self.assertGreaterEqual(tally["pairs"], PAIRS)
        self.assertGreater(tally["found"], 0.2 * PAIRS)
        self.assertGreater(tally["none"], 0.2 * PAIRS)
        self.assertGreater(tally["error"], 0.01 * PAIRS)
        self.assertGreater(tally["not ASCII"], 0.05 * PAIRS)
        for kind in set(KINDS):
            for verdict in ("found", "none", "error"):
                self.assertGreater(tally["%s %s" % (kind, verdict)], 0.001 * PAIRS,
                                   "%s %s" % (kind, verdict))
        for name, _, _ in DIFFERENCES:
            if PAIRS >= 10000:  # fewer may not have a key that shows it
                self.assertGreater(tally[name], 0, name)


class Known(OracleCase):
    """Where Postfix 3.7 and we differ whatever the files say: each still does.

    (map text, key, postmap's options, what Postfix says, what we say)"""

    def test_they_still_occur(self):
        echo = "SELECT 'hit' WHERE '%s' <> ''"
        table = {
            # src/global/dict_pgsql.c:676: PQsetClientEncoding(LATIN1); UTF8 only in snapshots.
            "latin1": (PG.map_text("SELECT octet_length('%s')"), "\u00e9".encode(), (),
                       found(b"4"), found(b"2")),
            # src/global/dict_pgsql.c:723: dbname has to be there, though a URI does not use it.
            "dbname": (PG.map_text(echo, hosts=PG.uri, user=None, password=None, dbname=None),
                       b"x", (), error(b""), found(b"hit")),
            # src/global/dict_pgsql.c:351: what is not UTF-8 is passed over in snapshots only.
            "not_utf8": (PG.map_text(echo), b"\xff", ("-u",), found(b"hit"), NONE),
        }
        daemon = self.serve({name: row[0] for name, row in table.items()})
        for name, (text, key, options, theirs, ours) in table.items():
            with self.subTest(name):
                file = self.put(name, text)
                self.assertEqual(POST.ask_one("pgsql:" + file, key, *options), theirs)
                self.assertEqual(POST.ask_one("socketmap:unix:%s:%s" % (daemon.socket, name),
                                              key, *options), ours)


if __name__ == "__main__":
    main()
