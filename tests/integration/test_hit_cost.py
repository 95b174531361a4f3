#!/usr/bin/env python3
"""What a hit in the cache costs, in machine instructions: session, codec, walk, cache, reply.

Counted by callgrind in the replay program, which asks for one cached key again and again: no
kernel, no libevent, no noise of the machine. The key is found by the first candidate of the walk,
or by the fourth, behind three absences. The test fails when that is more than 10 % above the
figures below; whoever makes hits dearer on purpose changes the figures, and says why.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import BUILD, is_sanitized  # noqa: E402

REPLAY = os.path.join(BUILD, "tests", "replay", "replay")
FIGURES = {"first": 1155, "fourth": 4180}  # instructions, gcc 12, -O2, x86-64
HITS = 2000


def instructions(hits, candidate):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind")
        subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, REPLAY,
                        "--hits", str(hits), candidate], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120)
        with open(out, encoding="ascii", errors="replace") as file:
            return int(re.search(r"^(?:summary|totals):\s+(\d+)", file.read(), re.M).group(1))


class HitCost(unittest.TestCase):
    def test_instructions(self):
        for candidate, figure in FIGURES.items():
            each = (instructions(2 * HITS, candidate) - instructions(HITS, candidate)) / HITS
            print("%.0f instructions for each cached hit of the %s candidate (%d allowed)"
                  % (each, candidate, figure * 1.1))
            with self.subTest(candidate=candidate):
                self.assertLessEqual(each, figure * 1.1)

    def test_no_allocation(self):
        """The same number of allocations, however many hits."""
        def allocations(hits, candidate):
            done = subprocess.run(["valgrind", REPLAY, "--hits", str(hits), candidate],
                                  check=True, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True, timeout=120)
            return int(re.search(r"total heap usage: ([\d,]+) allocs", done.stderr).group(1)
                       .replace(",", ""))
        for candidate in FIGURES:
            with self.subTest(candidate=candidate):
                self.assertEqual(allocations(HITS, candidate), allocations(10, candidate))


if __name__ == "__main__":
    compiler = subprocess.run(["cc", "-dumpmachine"], capture_output=True, text=True).stdout
    version = subprocess.run(["cc", "-dumpversion"], capture_output=True, text=True).stdout
    if shutil.which("valgrind") is None:
        print("valgrind is not installed")
        sys.exit(77)
    if is_sanitized() or "x86_64" not in compiler or version.strip() != "12":
        print("the figure is for a plain build by gcc 12 on x86-64")
        sys.exit(77)
    unittest.main()
