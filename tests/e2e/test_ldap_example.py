#!/usr/bin/env python3
"""The running example with slapd as the only source.

The tree has the schema of ldap-schema/, and the daemon reads the two map files
that come with it. The verdicts are those of test_running_example.py. With the
directory down every one of them is 451; when it is back they are right again,
with no reload of the daemon or of Postfix.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "integration"))
import backend_example
import harness
from ldap import BASE, PASSWORD, SUFFIX, Slapd, ldif_entry

SCHEMA = os.path.join(os.path.dirname(os.path.dirname(HERE)), "ldap-schema")

# Who logs in; an alias, an address of several owners, a catch-all for senders and recipients.
PEOPLE = {"gregory": ["gregory", '"john smith"@example.net', "grégory@example.net",
                      "@catchall.example.net"],
          "root": ["root", "postmaster"]}
ALIASES = {"g.czaplinski": ["gregory"], "team@example.net": ["root", "gregory"]}


def dn_of(login):
    return "uid=%s,ou=people,%s" % (login, SUFFIX)


def tree():
    out = BASE
    for login, addresses in PEOPLE.items():
        out += "\n" + ldif_entry(dn_of(login), [
            ("objectClass", "account"), ("objectClass", "dictdAccount"), ("uid", login),
            ("dictdLogin", login)] + [("dictdAddress", one) for one in addresses])
    for address, owners in ALIASES.items():
        out += ldif_entry("dictdAddress=%s,ou=groups,%s" % (address, SUFFIX), [
            ("objectClass", "dictdAlias"), ("dictdAddress", address)]
            + [("dictdOwner", dn_of(one)) for one in owners])
    return out


def map_text(kind, slapd):
    """As it comes, but for the host and the password."""
    with open(os.path.join(SCHEMA, "maps/dictd", kind + ".cf"), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"(?m)^server_host = .*", "server_host = " + slapd.url, text)
    return re.sub(r"(?m)^bind_pw = .*", "bind_pw = " + PASSWORD, text)


def run(report, arguments):
    with harness.Scratch("ldap") as scratch, \
            Slapd(schemas=("core", "cosine", os.path.join(SCHEMA, "dictd.schema")),
                  ldif=tree(), indexes="index objectClass,dictdAddress eq") as slapd:
        sender = "ldap:" + scratch.file("sender_login.cf", map_text("sender_login", slapd))
        # @domain is an owner there and no recipient: this site wants it for both.
        recipient = "ldap:" + scratch.file("local_recipient.cf",
                                           map_text("local_recipient", slapd))
        backend_example.check(report, scratch, "ldap", slapd,
                              {"sender_login": sender,
                               "local_recipient": recipient + " " + sender})


if __name__ == "__main__":
    sys.exit(harness.main(run))
