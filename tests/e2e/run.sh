#!/bin/sh
# Runs all end-to-end tests; ends with "N passed, N failed". Postfix needs root: as another user,
# through sudo. BUILD is the directory of the programs (default: build). Names on the command
# line choose tests: run.sh running_example same_verdicts postmap
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
BUILD=${BUILD:-$here/../../build}
if [ "$(id -u)" -ne 0 ]; then
    exec sudo BUILD="$BUILD" KEEP="${KEEP:-}" "$here/run.sh" "$@"
fi
export BUILD
exec python3 -B "$here/run.py" "$@"
