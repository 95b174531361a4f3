#!/usr/bin/env python3
"""Our walk and case folding against those of Postfix's own library, address by address.

    test_walk_oracle.py [--seed N] [--count N]

Compiles tests/oracle/walk_oracle.c against $BUILD/libdictd.a and the installed
libpostfix-global, and runs it; that file says what is compared. Passes with a
line that says why where Postfix or its library is not installed.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
SOURCE = os.path.join(ROOT, "tests", "oracle", "walk_oracle.c")
SEED = 2522
COUNT = 200000  # addresses: under a second, ten times that with a sanitizer
PATIENCE_S = 300
# Debian's place, if postconf cannot say.
DEBIAN = "/usr/lib/postfix"


def default_directory():
    """Where this Postfix was built to have its libraries; no main.cf is needed for that."""
    postconf = shutil.which("postconf", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if postconf is None:
        return None
    result = subprocess.run([postconf, "-d", "-h", "shlib_directory"], capture_output=True,
                            text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


def libraries():
    """The two libraries' paths, or None."""
    for directory in (default_directory(), DEBIAN):
        paths = [os.path.join(directory or "", "libpostfix-%s.so" % name)
                 for name in ("global", "util")]
        if directory and all(os.path.isfile(path) for path in paths):
            return paths
    return None


def sanitizers(library):
    """The flags that what is linked with a sanitized libdictd.a needs too."""
    with open(library, "rb") as file:
        contents = file.read()
    names = [name for name, mark in (("address", b"__asan_init"), ("undefined", b"__ubsan_handle"),
                                     ("thread", b"__tsan_init")) if mark in contents]
    return ["-fsanitize=" + ",".join(names)] if names else []


def compile_oracle(program, postfix):
    library = os.path.join(BUILD, "libdictd.a")
    command = shlex.split(os.environ.get("CC", "cc")) + [
        "-std=c11", "-D_DEFAULT_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-I" + ROOT, "-O1", "-g",
        "-Wall", "-Wextra", "-Werror", "-pthread", *sanitizers(library), "-o", program, SOURCE,
        library, *postfix, "-Wl,-rpath," + os.path.dirname(postfix[0]), "-lidn2", "-lunistring"]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        print(shlex.join(command))
        print(result.stderr)
    return result.returncode == 0


def run_oracle(program, seed, count):
    environment = dict(os.environ)
    # What Postfix's library allocates once, it keeps.
    environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    result = subprocess.run([program, str(seed), str(count)], capture_output=True, text=True,
                            errors="backslashreplace", env=environment, timeout=PATIENCE_S,
                            check=False)
    print(result.stdout, end="")
    # Postfix's library warns of every malformed address literal.
    others = [line for line in result.stderr.splitlines() if "warning: valid_" not in line]
    for line in others[:40]:
        print("stderr: " + line)
    return result.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(os.environ.get("DICTD_TEST_SEED", SEED)))
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    postfix = libraries()
    if postfix is None:
        print("skipped: no libpostfix-global.so here (Debian's package postfix has it)")
        return 0
    print("walk_oracle: --seed %d --count %d, %s" % (options.seed, options.count, postfix[0]))
    with tempfile.TemporaryDirectory(prefix="dictd-walk-") as directory:
        program = os.path.join(directory, "walk_oracle")
        good = compile_oracle(program, postfix) and run_oracle(program, options.seed,
                                                               options.count)
    print("walk_oracle: %s" % ("passed" if good else "FAILED"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
