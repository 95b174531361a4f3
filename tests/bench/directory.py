"""The directory that the benchmark asks: a real slapd with 100,000 users.

The server is the integration tests' (tests/integration/ldap.py), with their tree and their way to
begin and end it; the schema and what slapd needs for it are the project's own (ldap-schema/). Here
are the users and the map file.
"""

import pathlib
import shutil
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(TESTS / "integration"))

import ldap  # noqa: E402 (needs the path above)
from servers import VALUE, Failed, process_cpu_ns  # noqa: E402

ENTRIES = 100_000
SCHEMAS = ("core", "cosine", str(TESTS.parent / "ldap-schema" / "dictd.schema"))
INDEXES = "index objectClass,dictdAddress,dictdOwner,member eq"
KEY_ATTRIBUTE, VALUE_ATTRIBUTE = "dictdAddress", "dictdLogin"
FILTER = f"({KEY_ATTRIBUTE}=%s)"
# The same to slapd, but the daemon keeps keys apart where the filter has escapes.
FILTER_ALONE = f"({KEY_ATTRIBUTE}=%u\\40%d)"


def why_not(bench):
    """Why nothing can be measured here; None when it can."""
    if bench.options.stand_in:
        return "the stand-in asks no directory"
    for program in ("slapd", "slapadd", "ldapwhoami"):
        if shutil.which(program, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin") is None:
            return f"{program} is not installed"
    return None


def address(i):
    return f"user{i:06d}@example.net"


def users():
    return "".join(
        f"dn: uid=user{i:06d},ou=people,{ldap.SUFFIX}\n"
        "objectClass: account\n"
        "objectClass: dictdAccount\n"
        f"uid: user{i:06d}\n"
        f"{VALUE_ATTRIBUTE}: {VALUE}\n"
        f"{KEY_ATTRIBUTE}: {address(i)}\n\n"
        for i in range(ENTRIES)
    )


class Directory:
    """with Directory() as directory: ... Raises Failed when it does not start."""

    def __init__(self):
        try:
            self.slapd = ldap.Slapd(
                schemas=SCHEMAS, indexes=INDEXES, ldif=ldap.BASE + "\n" + users()
            )
        except AssertionError as error:
            raise Failed(f"slapd: {error}") from None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.slapd.close()

    def cpu_s(self):
        return process_cpu_ns(self.slapd.process.pid) / 1e9

    def map_file(self, path, filter=FILTER, **parameters):
        """An ldap_table(5) file for the users; the path. All parameters are strings."""
        return self.slapd.map_file(
            str(path), filter, result_attribute=VALUE_ATTRIBUTE, special_result_attribute=None,
            **parameters,
        )

    def ceiling_arguments(self):
        return ["-H", self.slapd.url, "-b", ldap.SUFFIX, "-D", ldap.READER, "-p", ldap.PASSWORD,
                "-a", KEY_ATTRIBUTE, "-v", VALUE_ATTRIBUTE, "--value", VALUE]


def write_keys(folder):
    """The same name as in write_data. hit: each user's address."""
    folder.mkdir()
    (folder / "keys.hit").write_text("".join(address(i) + "\n" for i in range(ENTRIES)))
