#!/bin/sh
# Installs the Debian packages that are missing for a purpose, and only those:
#   install-deps.sh build    to build and run
#   install-deps.sh check    to run every test as well
# Works as root and as a user with sudo. Says what it does; nothing when there
# is nothing to do. Starts no service (Debian lets them start at the next boot) and
# removes no package.
set -eu

build="gcc libc6-dev make pkg-config libevent-dev libjansson-dev libidn2-dev libunistring-dev
       libpq-dev libldap-dev libsasl2-dev uthash-dev"
check="clang libclang-rt-14-dev libcunit1-dev python3 postfix postfix-lmdb sasl2-bin libsasl2-modules
       openssl mandoc procps postgresql pgbouncer postfix-pgsql slapd ldap-utils
       postfix-ldap postgresql-15-pgtap"

case ${1-} in
build) wanted=$build ;;
check) wanted="$build $check" ;;
*) echo "usage: $0 build|check" >&2; exit 64 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "Not a Debian system: please see to it that these are installed, or their like:"
    echo $wanted
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "Missing:$missing. Install them as root (no sudo here): apt-get install$missing" >&2
        exit 1
    }
    as_root="sudo"
fi

echo "Installing what is missing:$missing"
$as_root apt-get -qq update
# policy-rc.d: packages do not start their services now, with systemd or without.
# --no-remove: another mail transport agent stays; then postfix cannot be
# installed, and apt says so.
$as_root env DEBIAN_FRONTEND=noninteractive sh -euc '
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ] && [ ! -h $policy ]; then
        trap "rm -f $policy" EXIT
        trap "exit 130" HUP INT TERM
        printf "#!/bin/sh\nexit 101\n" >$policy
        chmod 755 $policy
    fi
    apt-get -qq -y --no-install-recommends --no-remove install "$@" >/dev/null
' install $missing
