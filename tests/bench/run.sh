#!/bin/sh
# The benchmark, as `make bench` calls it: run.sh BUILD [options of run.py]. See README.md.
BUILD=${1:-build}
export BUILD
[ $# -eq 0 ] || shift
exec python3 "$(dirname "$0")/run.py" "$@"
