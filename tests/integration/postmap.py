"""postmap(1) as a client of any table: one verdict for each key, errors told from absences.

`postmap -q -` ends at the first error, keeps what it has found to itself then, and sleeps a
second on its way out. So keys that are thought to fail are asked alone, many at once, the
others together; when these end in an error after all, their halves are asked.

Python 3, standard library only.
"""

import collections
import concurrent.futures
import os
import shutil
import subprocess

from daemon import write

POSTMAP = shutil.which("postmap", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
PATIENCE_S = 120
ALONE = 32  # processes at once; each of them mostly sleeps

MAIN_CF = """\
compatibility_level = 3.6
myhostname = tahoe.example.net
mydomain = example.net
maillog_file = /dev/null
maillog_file_prefixes = /dev
smtputf8_enable = yes
"""


class Verdict(collections.namedtuple("Verdict", "kind value")):
    """FOUND with its value, NONE, or an ERROR with what postmap said."""

    __slots__ = ()

    def __eq__(self, other):
        return self.kind == other.kind and (self.kind != "found" or self.value == other.value)

    def __ne__(self, other):
        return not self == other

    __hash__ = None

    def __str__(self):
        return self.kind if self.kind == "none" else "%s %s" % (self.kind, ascii(self.value)[:300])


NONE = Verdict("none", b"")


def found(value):
    return Verdict("found", value)


def error(said):
    return Verdict("error", said)


class Stopped(Exception):
    """One of several keys was an error."""


class Postmap:
    """dir: an empty directory for its main.cf. Safe to use from several threads."""

    def __init__(self, dir):
        self.dir = dir
        write(os.path.join(dir, "main.cf"), MAIN_CF)
        write(os.path.join(dir, "master.cf"), "")
        self._alone = concurrent.futures.ThreadPoolExecutor(ALONE)

    def close(self):
        self._alone.shutdown()

    def run(self, *arguments, stdin=b""):
        """(exit status, stdout, stderr)"""
        done = subprocess.run([POSTMAP, "-c", self.dir, *arguments], input=stdin,
                              capture_output=True, check=False, timeout=PATIENCE_S)
        return done.returncode, done.stdout, done.stderr

    def ask_one(self, table, key, *options):
        """Any key that a command line can hold, but "-"."""
        status, out, said = self.run(*options, "-q", key, table)
        if b"fatal:" in said or status not in (0, 1):
            return error(said)
        if (status == 0) != (out != b"") or out and not out.endswith(b"\n"):
            raise AssertionError("postmap: exit %d, %r, %r" % (status, out, said))
        return found(out[:-1]) if status == 0 else NONE

    def _ask_together(self, table, keys, options):
        """keys: no newlines, no tabs, none twice. Raises Stopped."""
        status, out, said = self.run(*options, "-q", "-", table,
                                     stdin=b"".join(key + b"\n" for key in keys))
        if b"fatal:" in said or status not in (0, 1):
            raise Stopped(said)
        verdicts = dict.fromkeys(keys, NONE)
        last = None
        for line in out.split(b"\n")[:-1]:
            key, tab, value = line.partition(b"\t")
            if tab and key in verdicts:
                if verdicts[key] is not NONE:
                    raise AssertionError("postmap answers %r twice" % key)
                verdicts[key] = found(value)
                last = key
            elif last is not None:  # a value of several lines
                verdicts[last] = found(verdicts[last].value + b"\n" + line)
            else:
                raise AssertionError("postmap says %r" % line)
        return verdicts

    def _ask_halves(self, table, keys, options):
        if not keys:
            return {}
        try:
            return self._ask_together(table, keys, options)
        except Stopped as stopped:
            if len(keys) == 1:
                return {keys[0]: error(stopped.args[0])}
        middle = len(keys) // 2
        verdicts = self._ask_halves(table, keys[:middle], options)
        verdicts.update(self._ask_halves(table, keys[middle:], options))
        return verdicts

    def ask(self, table, keys, expect_errors=(), options=()):
        """{key: Verdict}. expect_errors only saves time."""
        alone = {key for key in keys if b"\n" in key or b"\t" in key}
        early = {key for key in keys if key in expect_errors and key not in alone}
        tasks = {key: self._alone.submit(self.ask_one, table, key, *options) for key in alone}
        tasks.update({key: self._alone.submit(self._ask_halves, table, [key], options)
                      for key in early})
        verdicts = self._ask_halves(
            table, [key for key in dict.fromkeys(keys) if key not in tasks], options)
        for key, task in tasks.items():
            verdicts[key] = task.result()[key] if key in early else task.result()
        return verdicts

