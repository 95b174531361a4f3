"""Map files of Postfix through Postfix's own client of them and through the daemon, key by key.

Each pair of a file and a key is asked three times: `postmap -q` of TYPE:FILE, `postmap -q` of
socketmap: with MAP_search = full, and once more without postmap, all keys of a file at once, so
that they travel as batches. All three have to say the same: the same value, in the same order, or
not found, or an error. A test says which files and keys, and where right is something else than
what Postfix says.

Python 3, standard library only.
"""

import collections
import concurrent.futures
import os
import random
import shutil
import subprocess
import tempfile
import time

from daemon import SETTLED, Case, free_port, request, write
from ldap import settled
from pg_case import NO_CACHE
from postmap import NONE, POSTMAP, Postmap, error, found

FILES = 24  # of one daemon
ERRORS = 5  # of one file: each costs seconds
MAX_REPLY = 100000  # socketmap_table(5)


def postfix_has(kind):
    done = subprocess.run([os.path.join(os.path.dirname(POSTMAP), "postconf"), "-m"],
                          capture_output=True, check=False) if POSTMAP else None
    return done is not None and kind.encode() in done.stdout.split()


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


class Bench:
    """A folder of map files of one type, and both clients of them."""

    def __init__(self, kind, settings):
        self.kind, self.settings = kind, settings
        self.dir = tempfile.mkdtemp(prefix="dictd-oracle-", dir="/tmp")
        os.mkdir(os.path.join(self.dir, "postfix"))
        self.postmap = Postmap(os.path.join(self.dir, "postfix"))

    def close(self):
        self.postmap.close()
        shutil.rmtree(self.dir, True)

    def put(self, name, text):
        """The table's name."""
        return "%s:%s" % (self.kind, settled(write(os.path.join(self.dir, name + ".cf"), text,
                                                   0o600)))

    def serve(self, case, texts):
        """One daemon with a map for each {name: text}."""
        daemon = case.daemon(None)
        daemon.configure(SETTLED + NO_CACHE + self.settings
                         + "socketmap_listen = unix:%s\nmaps = %s\ndefault_search = full\n"
                         % (daemon.socket, " ".join(texts))
                         + "".join("%s_sources = %s\n" % (name, self.put(name, text))
                                   for name, text in texts.items()))
        return daemon.start()

    @staticmethod
    def socketmap(daemon, name):
        return "socketmap:unix:%s:%s" % (daemon.socket, name)

    @staticmethod
    def at_once(daemon, name, keys):
        """{key: verdict}, without postmap and all in one."""
        with daemon.client() as client:
            client.send(b"".join(request(name, key) for key in keys))
            return {key: reply_verdict(client.read_bytes()) for key in keys}


class Round:
    """Some files, one daemon. A test makes map_file, keys, and what else differs."""

    AT_ONCE = 16  # files: most of the time is waiting
    AGAIN = 0  # times, a second apart: how long an error of ours may go away by itself

    def __init__(self, case, bench, seed, number):
        self.bench, self.number = bench, number
        self.random = random.Random("%d %d" % (seed, number))
        self.tally = collections.Counter()
        self.bad = []
        self.lists = 0
        self.dead = free_port()
        self.maps = {"m%d" % i: self.map_file(i) for i in range(FILES)}
        self.seeds = {name: self.random.getrandbits(64) for name in self.maps}
        self.daemon = bench.serve(case, {name: map.text() for name, map in self.maps.items()})

    def map_file(self, number):
        raise NotImplementedError

    def keys(self, map, choose):
        raise NotImplementedError

    def postfix(self, name, map, keys, failing, tally):
        """{key: what is right}, for which Postfix's client is asked."""
        return self.bench.postmap.ask(self.bench.put(name + "-postfix", map.text()), keys, failing)

    def spare(self, map, keys, failing):
        """The keys that are asked, and which of them are thought to fail."""
        return keys, failing

    def judge(self, map, right, ours, batch, tally):
        """What is right of one key, knowing what we say. Counts it."""
        return right

    def list_file(self, text):
        self.lists += 1
        return write(os.path.join(self.bench.dir, "list%d" % self.lists), text)

    def run(self):
        with concurrent.futures.ThreadPoolExecutor(self.AT_ONCE) as pool:
            for tally, bad in pool.map(self.compare, self.maps):
                self.tally.update(tally)
                self.bad += bad
        self.daemon.close()

    def right(self, name, keys, failing, tally):
        """MAP_search = full: of an address that needs quotes, both forms, as Postfix's programs
        do it for indexed tables."""
        map = self.maps[name]
        right = self.postfix(name, map, keys, failing, tally)
        forms = {key: other_form(key) for key in keys if right[key] == NONE and is_text(key)}
        forms = {key: form for key, form in forms.items() if key and form not in (key, b"")}
        others = self.postfix(name, map, list(dict.fromkeys(forms.values())),
                              {forms[key] for key in failing if key in forms}, tally)
        right.update({key: others[form] for key, form in forms.items()})
        tally["other form"] += sum(others[form] != NONE for form in forms.values())
        return right

    def compare(self, name):
        map = self.maps[name]
        keys = self.keys(map, random.Random(self.seeds[name]))
        batch = self.bench.at_once(self.daemon, name, keys)
        failing = [key for key in keys if batch[key].kind == "error"]
        keys = [key for key in keys if key not in set(failing[ERRORS:])]
        keys, failing = self.spare(map, keys, set(failing[:ERRORS]))
        tally, bad = collections.Counter(), []
        right = self.right(name, keys, failing, tally)
        got = self.bench.postmap.ask(self.bench.socketmap(self.daemon, name), keys, failing)
        for key in keys:
            ours = got[key]
            if right[key].kind == "found" and len(right[key].value) + 3 > MAX_REPLY:
                tally["too long for a reply"] += 1
                right[key] = error("PERM")
            right[key] = self.judge(map, right[key], ours, batch[key], tally)
            tally["pairs"] += 1
            tally[right[key].kind] += 1
            tally["not ASCII"] += not key.isascii()
            agrees = self.agrees(right[key], key, ours, batch[key])
            if not agrees and self.AGAIN and right[key].kind != "error" \
                    and "error" in (ours.kind, batch[key].kind):
                tally["asked again"] += 1
                agrees, ours, batch[key] = self.ask_again(name, key, right[key])
            if not agrees:
                bad.append("%s\nkey: %s\npostfix:   %s\nsocketmap: %s\nbatch:     %s\n"
                           % (map.text(), ascii(key), right[key], ours, batch[key]))
        return tally, bad

    @staticmethod
    def agrees(right, key, ours, batch):
        return ours == right and batch == (right if is_text(key) else NONE)

    def ask_again(self, name, key, right):
        """Where we say TEMP and Postfix, which waits for minutes, does not: a busy machine's
        time limits go away, a difference stays."""
        table = self.bench.socketmap(self.daemon, name)
        for _ in range(self.AGAIN):
            time.sleep(1)
            ours = self.bench.postmap.ask(table, [key], {key})[key]
            batch = self.bench.at_once(self.daemon, name, [key, key])[key]
            if self.agrees(right, key, ours, batch):
                return True, ours, batch
        return False, ours, batch


class OracleCase(Case):
    def rounds(self, round_class, bench, seed, pairs):
        """As many as give that many pairs, all of which have to agree: their tally."""
        tally, bad, number = collections.Counter(), [], 0
        started = time.monotonic()
        while tally["pairs"] < pairs and len(bad) < 20:
            one = round_class(self, bench, seed, number)
            one.run()
            tally.update(one.tally)
            bad += one.bad
            number += 1
        print("%d files in %.0f s: %s" % (number * FILES, time.monotonic() - started,
                                          ", ".join("%s %d" % item for item in tally.items())))
        if bad:
            self.fail("%d of %d differ:\n%s" % (len(bad), tally["pairs"], "\n".join(bad[:20])))
        self.assertGreaterEqual(tally["pairs"], pairs)
        self.assertGreater(tally["none"], 0.2 * pairs)
        self.assertGreater(tally["error"], 0.01 * pairs)
        self.assertGreater(tally["not ASCII"], 0.05 * pairs)
        return tally

    def still_differ(self, bench, table):
        """{name: (map text, key, postmap's options, what Postfix says, what we say)}"""
        daemon = bench.serve(self, {name: row[0] for name, row in table.items()})
        for name, (text, key, options, theirs, ours) in table.items():
            with self.subTest(name):
                for asked, says in ((bench.put(name, text), theirs),
                                    (bench.socketmap(daemon, name), ours)):
                    self.assertEqual(bench.postmap.ask_one(asked, key, *options), says)


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
