#!/usr/bin/env python3
"""The benchmark: postfix-dictd beside the least that any server of its protocols must do.

    BUILD=build tests/bench/run.py [--quick] [--json FILE] [--only PART,...] ...

Seven parts, each of them also alone with --only:

speed         lookups per second against a bare epoll server (floor.c), in alternating short
              runs of the same load generator (load.c); the result is the median of the
              ratios of neighbouring runs, so that slow drifts of the machine cancel out
memory        what 10,000 silent clients cost the daemon, before and after a lookup each
pgsql         uncached lookups from a real PostgreSQL against a bare libpq program, the gain of
              the array form, and the latency of a whole walk
cache         answers that PostgreSQL gave before, and a million of them in memory
ldap          uncached lookups from a real slapd against a bare libldap program and proxymap,
              cached ones against proxymap, and answers from memory while slapd is stopped
proxymap      the same map file through a real Postfix's proxymap (needs root)
instructions  machine instructions that the daemon itself executes for each lookup, counted
              by callgrind when valgrind is installed

It is a benchmark and no test: a missed target is printed and the exit status stays 0. It is
1 when something could not be run, or when a reply was malformed or wrong. How to read the
output: tests/bench/README.md. Needs Python 3.9 or newer and a C compiler.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from bench import ROOT, Bench, build_tools
from part_cache import cache
from part_instructions import instructions
from part_ldap import ldap
from part_memory import memory
from part_pgsql import pgsql
from part_proxymap import proxymap
from part_speed import speed
from servers import Failed

PARTS = {
    "speed": speed,
    "memory": memory,
    "pgsql": pgsql,
    "cache": cache,
    "ldap": ldap,
    "proxymap": proxymap,
    "instructions": instructions,
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short runs, figures less sure")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run")
    parser.add_argument("--targets-only", action="store_true", help="only rows with a target")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--pairs", type=int, default=9, help="pairs of runs for a target")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of those runs")
    parser.add_argument("--no-pin", action="store_true", help="leave the processors to the kernel")
    parser.add_argument("--no-spin", action="store_true", help="let the load generator sleep")
    parser.add_argument("--daemon", type=pathlib.Path, help="default: BUILD/postfix-dictd")
    parser.add_argument(
        "--stand-in", action="store_true",
        help="a second floor instead of the daemon: what the machine's noise does to the ratios",
    )
    options = parser.parse_args()
    options.warmup = 0.2
    options.info_pairs, options.info_seconds = 5, 0.5
    if options.quick:
        options.pairs, options.seconds = 3, 0.4
        options.info_pairs, options.info_seconds = 1, 0.4
    if len(os.sched_getaffinity(0)) < 2:
        print("Only one processor: load generator and server share it.", file=sys.stderr)
        options.no_pin = options.no_spin = True
    return options


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    build = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
    options.daemon = (options.daemon or build / "postfix-dictd").resolve()
    chosen = options.only.split(",")
    if not set(chosen) <= set(PARTS):
        print(f"--only takes {', '.join(PARTS)}", file=sys.stderr)
        return 64
    if not options.stand_in and not os.access(options.daemon, os.X_OK):
        print(f"{options.daemon} is not there: run make first", file=sys.stderr)
        return 1
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dictd-bench."))
    results = {}
    try:
        bench = Bench(options, build_tools(build), folder)
        for name in PARTS:
            if name in chosen:
                results[name] = PARTS[name](bench)
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        print(f"\nbench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
