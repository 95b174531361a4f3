#!/usr/bin/env python3
"""ldap-schema/: the schema, slapd's configuration for it, the sample tree, and the map files for
it and for directories that sites already have, each asked by Postfix's own client and through
the daemon, on a slapd that has the schema. Of the map files only the host, the password and
the authority for TLS are changed.
"""

import os
import re
import subprocess
import unittest

import daemon
from ldap import ACCESS, ADMIN_PASSWORD, Slapd, settled, postmap_all, postmap_query

SCHEMA = os.path.join(daemon.ROOT, "ldap-schema")
STUBS = os.path.join(daemon.ROOT, "tests/integration/ldap-schemas")
MAPS = os.path.join(SCHEMA, "maps")
KINDS = ("sender_login", "local_recipient")
PASSWORD = "change-me"  # of the map files and the sample


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def here(name):
    return os.path.join(SCHEMA, name)


def stub(name):
    return os.path.join(STUBS, name + ".schema")


# --- trees of other schemas: who may send as what is the same in all of them ---

ROOTS = """
dn: dc=example,dc=net
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=dictd,dc=example,dc=net
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: dictd
userPassword: change-me
"""


def entry(dn, *lines, **attributes):
    """LDIF; attributes with a list have several values."""
    out = ["dn: %s,dc=example,dc=net" % dn, *lines]
    for name, value in attributes.items():
        out += ["%s: %s" % (name, one) for one in (value if isinstance(value, list) else [value])]
    return "\n" + "\n".join(out) + "\n"


def dn(name):
    return name + ",dc=example,dc=net"


def person(uid, dn=None, classes=(), **attributes):
    return entry(dn or "uid=" + uid, objectClass=["inetOrgPerson", *classes], uid=uid, cn=uid,
                 sn=uid, **attributes)


def posix(uid, number, dn=None, classes=(), **attributes):
    return entry(dn or "uid=" + uid, objectClass=["account", "posixAccount", *classes], uid=uid,
                 cn=uid, uidNumber=number, gidNumber=number, homeDirectory="/home/" + uid,
                 **attributes)


def ad_user(name, control="512", **attributes):
    return entry("cn=%s,cn=Users" % name, objectClass="user", cn=name, name=name,
                 sAMAccountName=name, userPrincipalName=name + "@example.net",
                 userAccountControl=control, **attributes)


def ad_group(name, members, **attributes):
    return entry("cn=%s,cn=Users" % name, objectClass="group", cn=name, name=name,
                 sAMAccountName=name, member=[dn("cn=%s,cn=Users" % one) for one in members],
                 **attributes)


def ipa_group(name, members, **attributes):
    return entry("cn=%s,cn=groups,cn=accounts" % name, objectClass="ipaUserGroup", cn=name,
                 member=[dn(one + ",cn=accounts") for one in members], **attributes)


def container(dn):
    kind = dn.split("=")[0]
    return entry(dn, objectClass="organizationalUnit" if kind == "ou" else "organizationalRole",
                 **{kind: dn.split("=")[1].split(",")[0]})


IPA_USERS = "cn=users,cn=accounts"

# name: the schemas, the tree, {key: owners} and the keys that are recipients; what is in neither
# list must not be found.
SITES = {
    "dictd": (
        ("core", "cosine", here("dictd.schema")),
        read(SCHEMA, "sample.ldif"),
        {"gregory": "gregory", "root": "root", "g.czaplinski": "gregory",
         "zoe@example.net": "zoe", "zoe@example.org": "root zoe",
         "office@example.net": "gregory zoe", "sales@example.net": "gregory zoe",
         "staff@example.net": "gregory zoe root",
         "news@example.net": "gregory zoe root newsletter", "@example.com": "zoe"},
        "gregory root g.czaplinski zoe@example.net zoe@example.org office@example.net "
        "sales@example.net staff@example.net news@example.net"),
    "rfc2307": (
        ("core", "cosine", "nis", "misc"),
        ROOTS + posix("gregory", 1000) + posix("root", 0)
        + entry("cn=G.Czaplinski", objectClass="nisMailAlias", cn="G.Czaplinski",
                rfc822MailMember="gregory")
        + entry("cn=sales", objectClass="nisMailAlias", cn="sales",
                rfc822MailMember=["gregory", "root", "friend@example.org"])
        + entry("cn=empty", objectClass="nisMailAlias", cn="empty"),
        {"gregory@example.net": "gregory", "root@example.net": "root",
         "g.czaplinski@example.net": "gregory",
         "sales@example.net": "gregory root friend@example.org"},
        "gregory@example.net root@example.net g.czaplinski@example.net sales@example.net "
        "empty@example.net"),
    "inetLocalMailRecipient": (
        ("core", "cosine", "inetorgperson", "misc"),
        ROOTS
        + person("gregory", classes=["inetLocalMailRecipient"],
                 mailLocalAddress=["gregory@example.net", "G.Czaplinski@example.net",
                                   "sales@example.net"])
        + person("root", classes=["inetLocalMailRecipient"],
                 mailLocalAddress=["root@example.net", "sales@example.net", "@example.com"])
        + entry("cn=archive", objectClass=["organizationalRole", "inetLocalMailRecipient"],
                cn="archive", mailLocalAddress="archive@example.net",
                mailRoutingAddress="archive@mx.example.net"),
        {"gregory@example.net": "gregory", "g.czaplinski@example.net": "gregory",
         "root@example.net": "root", "sales@example.net": "gregory root",
         "@example.com": "root"},
        "gregory@example.net g.czaplinski@example.net root@example.net sales@example.net "
        "@example.com archive@example.net"),
    "qmail-ldap": (
        ("core", "cosine", "inetorgperson", stub("qmail-ldap")),
        ROOTS
        + person("gregory", classes=["qmailUser"], mail="gregory@example.net",
                 mailAlternateAddress=["G.Czaplinski@example.net", "sales@example.net"],
                 accountStatus="active")
        + person("root", classes=["qmailUser"], mail="root@example.net",
                 mailAlternateAddress="sales@example.net")
        + person("quiet", classes=["qmailUser"], mail="quiet@example.net",
                 accountStatus="noaccess")
        + person("gone", classes=["qmailUser"], mail="gone@example.net",
                 mailAlternateAddress="sales@example.net", accountStatus="disabled"),
        {"gregory@example.net": "gregory", "g.czaplinski@example.net": "gregory",
         "root@example.net": "root", "sales@example.net": "gregory root"},
        "gregory@example.net g.czaplinski@example.net root@example.net sales@example.net "
        "quiet@example.net"),
    "kolab": (
        ("core", "cosine", "inetorgperson", stub("kolab")),
        ROOTS
        + person("gregory", classes=["kolabInetOrgPerson"], mail="gregory@example.net",
                 alias="G.Czaplinski@example.net", kolabDelegate=dn("uid=zoe"))
        + person("root", classes=["kolabInetOrgPerson"], mail="root@example.net",
                 kolabDelegate=dn("uid=gregory"))
        + person("zoe", classes=["kolabInetOrgPerson"], mail="zoe@example.net"),
        {"gregory@example.net": "gregory gregory@example.net zoe zoe@example.net",
         "g.czaplinski@example.net": "gregory gregory@example.net zoe zoe@example.net",
         "zoe@example.net": "zoe zoe@example.net",
         # Delegation passes on, as the map file says.
         "root@example.net": "root root@example.net gregory gregory@example.net zoe "
                             "zoe@example.net"},
        "gregory@example.net g.czaplinski@example.net root@example.net zoe@example.net"),
    "active-directory": (
        ("core", "cosine", stub("active-directory")),
        ROOTS + container("cn=Users")
        + entry("cn=dictd,cn=Users", objectClass=["organizationalRole", "simpleSecurityObject"],
                cn="dictd", userPassword=PASSWORD)
        + ad_user("gregory", mail="gregory@example.net",
                  proxyAddresses=["SMTP:gregory@example.net", "smtp:G.Czaplinski@example.net",
                                  "x400:c=DE;s=Czaplinski"])
        + ad_user("root", mail="root@example.net")
        + ad_user("gone", control="514", mail="gone@example.net",
                  proxyAddresses="smtp:old@example.net")
        + ad_group("Sales", ["gregory", "root"], mail="sales@example.net")
        + ad_group("Staff", ["Sales", "gone"],
                   proxyAddresses=["SMTP:staff@example.net", "smtp:all@example.net"])
        + entry("cn=Friend,cn=Users", objectClass="contact", cn="Friend", name="Friend",
                mail="friend@example.net"),
        {"gregory@example.net": "gregory", "g.czaplinski@example.net": "gregory",
         "root@example.net": "root", "sales@example.net": "gregory root",
         "staff@example.net": "gregory root gone", "all@example.net": "gregory root gone"},
        "gregory@example.net g.czaplinski@example.net root@example.net sales@example.net "
        "staff@example.net all@example.net friend@example.net"),
    "freeipa": (
        ("core", "cosine", "inetorgperson", "nis", stub("freeipa")),
        ROOTS + container("cn=accounts") + container(IPA_USERS)
        + container("cn=groups,cn=accounts") + container("cn=etc")
        + container("cn=sysaccounts,cn=etc")
        + entry("uid=dictd,cn=sysaccounts,cn=etc",
                objectClass=["account", "simpleSecurityObject"], uid="dictd",
                userPassword=PASSWORD)
        + person("gregory", "uid=gregory," + IPA_USERS, ["posixAccount", "ipaObject"],
                 uidNumber="1000", gidNumber="1000", homeDirectory="/home/gregory",
                 mail="gregory@example.net", mailAlternateAddress="G.Czaplinski@example.net")
        + person("root", "uid=root," + IPA_USERS, ["posixAccount", "ipaObject"], uidNumber="0",
                 gidNumber="0", homeDirectory="/root", mail=["root@example.net"])
        + person("gone", "uid=gone," + IPA_USERS, ["posixAccount", "ipaObject"],
                 uidNumber="1001", gidNumber="1001", homeDirectory="/home/gone",
                 mail="gone@example.net", nsAccountLock="TRUE")
        + ipa_group("sales", ["uid=gregory,cn=users", "uid=root,cn=users"],
                    mail="sales@example.net")
        + ipa_group("staff", ["cn=sales,cn=groups"], mail="staff@example.net"),
        {"gregory@example.net": "gregory", "g.czaplinski@example.net": "gregory",
         "root@example.net": "root", "sales@example.net": "gregory root",
         "staff@example.net": "gregory root"},
        "gregory@example.net g.czaplinski@example.net root@example.net sales@example.net "
        "staff@example.net"),
}

# Looked up everywhere, and found nowhere.
NOWHERE = ["nobody-here@example.net", "gone@example.net", "old@example.net",
           "gregory@example.org", "@example.net", "@example.org", "*@example.net", "*",
           "gregory@example.net)(mail=*", "root\\2a@example.net", "(&)@example.net"]


def adapt(text, slapd):
    """A shipped map file for that server: the host, the password, the authority."""
    def host(match):
        kind = match.group(1).split(":")[0]
        return "server_host = " + {"ldapi": slapd.ldapi, "ldap": slapd.url,
                                   "ldaps": slapd.certificates and slapd.ldaps}[kind]
    text, hosts = re.subn(r"^server_host = (.*)$", host, text, flags=re.M)
    assert hosts == 1, text
    if "tls_require_cert" in text:
        text += "tls_ca_cert_file = %s\n" % slapd.certificates.ca
    return text


class Sites(unittest.TestCase):
    """Each site's tree, its two map files, asked key by key."""

    def check(self, name):
        schemas, tree, owners, recipients = SITES[name]
        recipients = recipients.split()
        keys = sorted(set(owners) | set(recipients)) + NOWHERE
        with Slapd(schemas=schemas, ldif=tree, indexes="index objectClass eq",
                   tls="ldaps:" in read(MAPS, name, KINDS[0] + ".cf")) as slapd:
            files = {}
            for kind in KINDS:
                text = adapt(read(MAPS, name, kind + ".cf"), slapd)
                files[kind] = settled(daemon.write(slapd.path(kind + ".cf"), text))
            self.check_postmap(files, keys, owners, recipients)
            self.check_daemon(files, keys, owners, recipients)

    def check_postmap(self, files, keys, owners, recipients):
        got = postmap_all(files["sender_login"], keys)
        self.assertEqual({key: sorted(value.split(",")) for key, value in got.items()},
                         {key: sorted(value.split()) for key, value in owners.items()})
        got = postmap_all(files["local_recipient"], keys)
        self.assertEqual(sorted(got), sorted(recipients))
        self.assertTrue(all(got.values()))

    def check_daemon(self, files, keys, owners, recipients):
        d = daemon.Daemon("maps = %s\ndefault_search = full\n" % " ".join(KINDS)
                          + "".join("%s_sources = ldap:%s\n" % item for item in files.items()))
        self.addCleanup(d.close)
        d.start()
        for key in keys:
            owned = d.ask("sender_login", key)
            word, _, value = owned.partition(" ")
            self.assertEqual((word, sorted(value.split(",")) if value else []),
                             ("OK", sorted(owners[key].split())) if key in owners
                             else ("NOTFOUND", []), key)
            word, _, value = d.ask("local_recipient", key).partition(" ")
            self.assertEqual(word, "OK" if key in recipients else "NOTFOUND", key)

    def test_all_there(self):
        self.assertEqual(sorted(os.listdir(MAPS)), sorted(SITES))


for _name in SITES:
    setattr(Sites, "test_" + _name.replace("-", "_"),
            lambda self, name=_name: self.check(name))


class Own(unittest.TestCase):
    """The schema of our own, and slapd's configuration for it."""

    READER = "cn=dictd,dc=example,dc=net"

    def ask(self, slapd, key, kind="sender_login"):
        path = settled(daemon.write(slapd.path("map.cf"),
                                    adapt(read(MAPS, "dictd", kind + ".cf"), slapd)))
        status, value, said = postmap_query(path, key)
        self.assertEqual(said, "")
        return sorted(value.split(",")) if status == 0 else None

    def whole_search(self, slapd, *attributes):
        """What the reader sees."""
        return slapd._run("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", slapd.ldapi,
                          "-D", self.READER, "-w", PASSWORD, "-b", "dc=example,dc=net",
                          "(objectClass=*)", *attributes)

    def check_configured(self, slapd):
        self.assertEqual(self.ask(slapd, "staff@example.net"), ["gregory", "root", "zoe"])
        self.assertEqual(self.ask(slapd, "staff@example.net", "local_recipient"),
                         ["staff@example.net"])
        self.check_privileges(slapd)
        self.check_indexed(slapd)
        self.check_syncs(slapd)

    def check_privileges(self, slapd):
        seen = self.whole_search(slapd, "*", "+")
        self.assertIn("dictdLogin: gregory", seen)
        self.assertIn("dictdAddress: G.Czaplinski", seen)
        names = set(re.findall(r"^([A-Za-z]+):", seen, re.M))
        self.assertEqual(names, {"dn", "objectClass", "dictdAddress", "dictdLogin", "dictdOwner",
                                 "dictdOwnerLogin", "member"})
        # Nor can it find out by searching for what it cannot read.
        hidden = slapd._run("ldapsearch", "-x", "-LLL", "-H", slapd.ldapi, "-D", self.READER,
                            "-w", PASSWORD, "-b", "dc=example,dc=net", "(uid=gregory)", "dn")
        self.assertEqual(hidden.strip(), "")
        said = slapd._run(
            "ldapmodify", "-x", "-H", slapd.ldapi, "-D", self.READER, "-w", PASSWORD,
            input=b"dn: uid=root,ou=people,dc=example,dc=net\nchangetype: modify\n"
                  b"add: dictdLogin\ndictdLogin: mallory\n", check=False)
        self.assertIn("Insufficient access (50)", said)

    def check_indexed(self, slapd):
        """Which slapd would say of each search for an attribute that is not."""
        slapd.stop()
        slapd.start(debug="stats,filter")
        since = os.path.getsize(slapd.log_path)
        for kind in KINDS:
            self.ask(slapd, "office@example.net", kind)
        said = slapd.log(since)
        self.assertIn('filter="(dictdAddress=office@example.net)"', said)
        self.assertNotIn("not indexed", said)
        # As it says here:
        slapd.search("(o=Example)")
        self.assertIn("(o) not indexed", slapd.log(since))

    def check_syncs(self, slapd):
        """A consumer that asks with the reader's rights gets an entry, its UUID and a cookie."""
        done = subprocess.run(
            ["ldapsearch", "-x", "-H", slapd.ldapi, "-D", self.READER, "-w", PASSWORD, "-b",
             "dc=example,dc=net", "-E", "!sync=ro", "(dictdAddress=office@example.net)",
             "dictdAddress"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = done.stdout.decode()
        self.assertIn("dictdAddress: office@example.net", said)
        self.assertIn("csn=", said)

    def test_slapd_conf(self):
        """dictd.conf, included in the database's section before rules that are there."""
        with Slapd(schemas=("core", "cosine", here("dictd.schema")), modules=["syncprov"],
                   ldif=read(SCHEMA, "sample.ldif"), indexes="",
                   access="include %s\n%s" % (here("slapd/dictd.conf"), ACCESS)) as slapd:
            self.check_configured(slapd)

    def test_cn_config(self):
        """The same by LDIF, into a server that runs."""
        with Slapd(schemas=("core", "cosine"), ldif="", config_dir=True,
                   indexes="index objectClass,member eq") as slapd:
            slapd.add(read(SCHEMA, "dictd.ldif"), who="cn=config")
            slapd.modify(read(SCHEMA, "slapd/index.ldif"), who="cn=config")
            slapd.modify(read(SCHEMA, "slapd/access.ldif"), who="cn=config")
            slapd.add(read(SCHEMA, "slapd/sync.ldif"), who="cn=config")
            slapd.add(read(SCHEMA, "sample.ldif"))
            self.check_configured(slapd)

    def test_others_are_left_alone(self):
        """Rules behind ours still hold for everybody else."""
        with Slapd(schemas=("core", "cosine", here("dictd.schema")), modules=["syncprov"],
                   ldif=read(SCHEMA, "sample.ldif"), indexes="",
                   access="include %s\n%s" % (here("slapd/dictd.conf"), ACCESS)) as slapd:
            said = slapd._run("ldapsearch", "-x", "-LLL", "-H", slapd.ldapi, "-b",
                              "dc=example,dc=net", "(uid=gregory)", "*")
            self.assertIn("uid: gregory", said)
            self.assertIn("dictdLogin: gregory", said)
            self.assertNotIn("userPassword", slapd._run(
                "ldapsearch", "-x", "-LLL", "-H", slapd.ldapi, "-b", "dc=example,dc=net"))

    def test_both_forms_of_the_schema_agree(self):
        def words(text):
            return re.sub(r"\s+", " ", text).strip()
        conf = re.sub(r"^#.*\n", "", read(SCHEMA, "dictd.schema"), flags=re.M)
        ldif = re.sub(r"^#.*\n", "", read(SCHEMA, "dictd.ldif"), flags=re.M).split("cn: dictd", 1)[1]
        for a, b in (("objectIdentifier ", "olcObjectIdentifier: "),
                     ("attributetype ", "olcAttributeTypes: "),
                     ("objectclass ", "olcObjectClasses: ")):
            self.assertGreater(conf.count(a), 2)
            conf = conf.replace(a, b)
        self.assertEqual(words(conf), words(ldif))

    def test_what_the_schema_refuses(self):
        with Slapd(schemas=("core", "cosine", here("dictd.schema")),
                   ldif=read(SCHEMA, "sample.ldif")) as slapd:
            for lines in (
                    ["dn: cn=x,ou=aliases,dc=example,dc=net", "objectClass: dictdAlias", "cn: x"],
                    ["dn: cn=x,ou=aliases,dc=example,dc=net", "objectClass: dictdAlias", "cn: x",
                     "dictdAddress: x", "dictdOwner: not a DN"],
                    ["dn: uid=x,ou=people,dc=example,dc=net", "objectClass: account",
                     "objectClass: dictdAccount", "uid: x", "dictdAddress: x"]):
                said = slapd.add("\n".join(lines) + "\n", check=False)
                self.assertRegex(said, r"Object class violation|Invalid syntax")
            # The same address in another case is the same address.
            said = slapd.modify("dn: uid=zoe,ou=people,dc=example,dc=net\nchangetype: modify\n"
                                "add: dictdAddress\ndictdAddress: ZOE@example.net\n", check=False)
            self.assertIn("Type or value exists", said)

    def test_utf8_address(self):
        with Slapd(schemas=("core", "cosine", here("dictd.schema")),
                   ldif=read(SCHEMA, "sample.ldif")) as slapd:
            slapd.replace("uid=zoe,ou=people,dc=example,dc=net", "dictdAddress",
                          "Zoë@bücher.example", '"zoe d"@example.net')
            self.assertEqual(self.ask(slapd, "zoë@bücher.example"), ["zoe"])
            self.assertEqual(self.ask(slapd, '"zoe d"@example.net'), ["zoe"])
            self.assertIsNone(self.ask(slapd, "zoe@bücher.example"))

    def test_a_member_that_is_gone(self):
        """It is skipped: the others still own the address."""
        with Slapd(schemas=("core", "cosine", here("dictd.schema")),
                   ldif=read(SCHEMA, "sample.ldif")) as slapd:
            slapd.delete("uid=root,ou=people,dc=example,dc=net")
            path = settled(daemon.write(slapd.path("map.cf"), adapt(
                read(MAPS, "dictd", "sender_login.cf"), slapd)))
            status, value, said = postmap_query(path, "staff@example.net")
            self.assertEqual((status, value), (0, "gregory,zoe"))
            self.assertIn("not found, skipping", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
