#!/bin/sh
# Runs every test there is against $BUILD (default build). Ends with
# "N passed, N failed, N skipped" (a test that ends with 77 says why it cannot run
# here), and fails when any did. Parts that need root (a Postfix
# of their own) go through sudo where the caller is not root.
set -u
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export BUILD
passed=0
failed=0
skipped=0
failures=

run() { # NAME COMMAND...: one test program
    name=$1
    shift
    log=$(mktemp)
    start=$(date +%s)
    status=0
    "$@" >"$log" 2>&1 || status=$?
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok    $name ($(($(date +%s) - start)) s)"
    elif [ $status -eq 77 ]; then
        skipped=$((skipped + 1))
        echo "skip  $name: $(tail -n 1 "$log")"
    else
        failed=$((failed + 1))
        failures="$failures $name"
        echo "FAIL  $name ($(($(date +%s) - start)) s)"
        sed 's/^/      /' "$log"
    fi
    rm -f "$log"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n env BUILD="$BUILD" "$@"; fi
}

run layers tests/layers.sh
for program in tests/unit/test_*.c; do
    name=$(basename "$program" .c)
    run "unit/$name" "$BUILD/tests/unit/$name"
done
run replay "$BUILD/tests/replay/replay" tests/replay/*.replay
for script in tests/manual/test_*.sh; do
    [ -f "$script" ] && run "manual/$(basename "$script" .sh)" sh "$script"
done
for script in tests/integration/test_*.py; do
    [ -f "$script" ] && run "integration/$(basename "$script" .py)" python3 "$script"
done
for script in tests/e2e/test_*.py; do
    [ -f "$script" ] && run "e2e/$(basename "$script" .py)" as_root python3 "$script"
done

[ -z "$failures" ] || echo "failed:$failures"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
