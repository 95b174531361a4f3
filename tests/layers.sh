#!/bin/sh
# Fails on an #include that goes to a higher floor, across floors that do not
# know each other, or in a circle. The floors are docs/ARCHITECTURE.md's.
set -eu
cd "$(dirname "$0")/.."

# folder: the folders that its files may include, besides itself
allowed() {
    case $1 in
    dictd/base) echo "" ;;
    dictd/loop) echo "dictd/base" ;;
    dictd/protocol) echo "dictd/base" ;;
    dictd/lookup) echo "dictd/base dictd/loop" ;;
    sources/file) echo "dictd/base dictd/loop dictd/lookup" ;;
    sources/backend) echo "dictd/base dictd/loop dictd/lookup sources/file" ;;
    sources/*) echo "dictd/base dictd/loop dictd/lookup sources/file sources/backend" ;;
    dictd/server) echo "dictd/base dictd/loop dictd/protocol dictd/lookup" ;;
    dictd/dictctl) echo "dictd/base dictd/protocol" ;;
    dictd/dictctl/lint)
        echo "dictd/dictctl dictd/base dictd/loop dictd/protocol dictd/lookup dictd/server" $(find sources -mindepth 1 -type d) ;;
    dictd/dictctl/sql) echo "dictd/base dictd/lookup dictd/dictctl sources/pgsql" ;;
    *) echo "layers: no floor for folder $1 in tests/layers.sh" >&2; exit 1 ;;
    esac
}

includes() { # FILE: the project files that it includes
    sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$1"
}

status=0
for file in $(find dictd sources -name '*.[ch]' | sort); do
    folder=$(dirname "$file")
    may=" $folder $(allowed "$folder") "
    # Only these read what the file sources read, with their parsers.
    case $file in
    dictd/dictctl/import_read.c | dictd/dictctl/import_lines.[ch])
        may="$may dictd/loop dictd/lookup sources/file sources/aliases sources/passwd sources/texthash "
        ;;
    esac
    # dictctl's main.c names its commands, which have rooms of their own.
    [ "$file" = dictd/dictctl/main.c ] && may="$may$(find dictd/dictctl -mindepth 1 -type d | tr '\n' ' ')"
    # Otherwise only main.c names concrete sources.
    [ "$file" = dictd/server/main.c ] && may="$may$(find sources -mindepth 1 -type d | tr '\n' ' ')"
    for target in $(includes "$file"); do
        if [ ! -f "$target" ]; then
            echo "$file: includes \"$target\", which is not a file from the root" >&2
            status=1
            continue
        fi
        case "$may" in
        *" $(dirname "$target") "*) ;;
        *) echo "$file: includes $target, which is not on a floor below" >&2; status=1 ;;
        esac
    done
done

# A circle among headers, also within a folder: tsort names its members.
circle=$(for file in $(find dictd sources -name '*.h'); do
    for target in $(includes "$file"); do echo "$file $target"; done
done | tsort 2>&1 >/dev/null) || true
if [ -n "$circle" ]; then
    echo "headers include each other in a circle:" >&2
    echo "$circle" >&2
    status=1
fi
[ $status -eq 0 ] && echo "layers: no upward or circular include"
exit $status
