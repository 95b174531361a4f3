"""A tree, map files of ldap_table(5) for it, and keys for them, from a seed.

A file is made of parts that each come in the forms that the manual allows: hosts, bases, filters,
attributes of every role, formats, limits. The tree has people under odd names, groups of
people and of groups, members that are not there, LDAP URLs with attributes and without, aliases,
referrals, and values that are no text.

Not made, because we differ on purpose (test_ldap_oracle.py's Known has them): groups that contain
themselves, values with a NUL, filters that the daemon refuses when it starts, and those with no
attribute that the server knows.
"""

import os
import urllib.parse

from daemon import ROOT
from ldap import PASSWORD, READER, SUFFIX, escape_dn, ldif_entry

SCHEMAS = ("core", "cosine", "inetorgperson", "nis", "misc", "dyngroup",
           os.path.join(ROOT, "tests/integration/ldap-schemas/postfix.schema"))

PEOPLE, GROUPS = "ou=people," + SUFFIX, "ou=groups," + SUFFIX
ALIASES, ELSEWHERE = "ou=aliases," + SUFFIX, "ou=elsewhere," + SUFFIX
DOMAINS = ["example.net", "example.org", "lists.example.net", "a.b.c.example.com", "example",
           "grün.example", "xn--grn-hoa.example", "[192.0.2.1]"]

NAMES = ["gregory", "root", "Czaplinski, Gregory", 'the "boss"', "a+b=c", "#hash", " space ",
         "back\\slash", "<angle>", "semi;colon", "grün", "漢字", "📮", "stra\u00dfe", "100%",
         "%s", "star*", "(paren)", "o'neil", "x" * 60, "two  spaces", "comma,", "a/b", "?query",
         "tab\there", "=", "\\2a", "zoë@bücher"]
USERS = ["gregory", "root", "sales", "g.czaplinski", "gregory+lists", "o'neil", "back\\slash",
         "100%", "%s", "star*", "*", "(paren)", "a,b", '"john smith"', "john smith", "grün", "漢",
         "under_score", "12", "a@b", "x" * 50, "\\2a", "\x01bell", "é", "stra\u00dfe", ".dot."]
VALUES = ["gregory", "root", "gregory,root", "a@b@c", "gregory@example.net", "@nobody", "nobody@",
          "@", "100%", "%s", "G.Czaplinski@Example.NET", "user@a.b.c.d", "grün@漢.example",
          '"quoted" <x@example.org>', "x" * 1500, "smtp:[192.0.2.1]:25", "two words", ",", "0",
          "user@.."]


class Tree:
    """ldif, and what keys can be made of: addresses, names."""

    def __init__(self, random):
        self.random = random
        self.entries = []
        self.addresses = []
        self.people, self.groups = [], []
        for dn in (PEOPLE, GROUPS, ALIASES, ELSEWHERE):
            self.add(dn, [("objectClass", "organizationalUnit"), ("ou", dn[3:].split(",")[0])])
        for i in range(90):
            self.person(i)
        for i in range(50):
            self.group(i)
        for i in range(25):
            self.alias(i)
        self.referrals()

    def add(self, dn, attributes):
        seen, kept = set(), []
        for name, value in attributes:  # a directory refuses what it takes for equal
            mark = (name.lower(), value.lower() if isinstance(value, str) else value)
            if mark not in seen:
                seen.add(mark)
                kept.append((name, value))
        self.entries.append(ldif_entry(dn, kept))
        return dn

    def some(self, values, least=0, most=3):
        return [self.random.choice(values) for _ in range(self.random.randint(least, most))]

    def address(self):
        one = self.random.choice(USERS) + "@" + self.random.choice(DOMAINS)
        self.addresses.append(one)
        return one

    def attributes(self, name, i):
        ascii_address = [a for a in (self.address() for _ in range(self.random.randrange(4)))
                         if a.isascii()]
        out = [("cn", name), ("cn", "entry %d" % i)]
        out += [("uid", one) for one in self.some(USERS, 0, 2)]
        out += [("description", one) for one in self.some(VALUES + self.addresses[-3:])]
        out += [("description", self.address())]
        out += [("mail", one) for one in ascii_address]
        out += [("mailacceptinggeneralid", self.address()), ("maildrop", self.address())]
        out += [("mailLocalAddress", one) for one in ascii_address[:1]]
        out += [("sn", one) for one in self.some(VALUES, 0, 1)]
        exact = self.random.choice([one for one in USERS if one.isascii()])  # of caseExactIA5Match
        out += [("homeDirectory", self.random.choice([exact, exact, exact.upper(), " " + exact]))]
        if self.random.random() < 0.1:
            out.append(("description;lang-en", "in English"))
        if self.random.random() < 0.03:
            out.append(("audio", b"\xff\xfe\x80"))
        return out

    def person(self, i):
        name = NAMES[i] if i < len(NAMES) else "%s %d" % (self.random.choice(NAMES).strip(), i)
        dn = "cn=%s,%s" % (escape_dn(name), PEOPLE)
        if self.random.random() < 0.1 and self.people:  # deeper
            dn = "cn=%s,%s" % (escape_dn(name), self.random.choice(self.people))
        self.people.append(self.add(dn, [("objectClass", "device"),
                                         ("objectClass", "extensibleObject")]
                                    + self.attributes(name, i)))

    def url(self):
        base = self.random.choice([PEOPLE, GROUPS, SUFFIX, self.random.choice(self.people),
                                   "ou=missing," + SUFFIX])
        attributes = self.random.choice(["", "", "uid", "mail", "uid,mail", "description;lang-en",
                                         "cn", "telephoneNumber", "UID,member"])
        scope = self.random.choice(["", "base", "one", "sub"])
        filter = self.random.choice(["(cn=entry 1*)", "(uid=gregory)", "(mail=*example.org)",
                                     "(cn=entry 3)",
                                     "(uid=nobody)", "(&(uid=root)(description=*))"])
        if scope in ("", "base"):
            filter = self.random.choice(["", filter])
        if scope == "sub" and base == SUFFIX or base == GROUPS:
            filter = "(&(uid=gregory)(!(member=*))(!(memberURL=*)))"  # no group: no circle
        host = self.random.choice(["", "", "elsewhere.invalid"])
        if self.random.random() < 0.03:
            return self.random.choice(["ldap:///%s?uid?nonsense" % PEOPLE,
                                       "ldap:///%s?uid?sub?(uid=x" % PEOPLE])
        return "ldap://%s/%s?%s?%s?%s" % (host, urllib.parse.quote(base), attributes, scope,
                                          urllib.parse.quote(filter))

    def group(self, i):
        """Members come before it: no group contains itself."""
        attributes = [("objectClass", "device"), ("objectClass", "extensibleObject")]
        attributes += self.attributes("group %d" % i, 1000 + i)
        members = self.some(self.people, 0, 4) + self.some(self.groups or self.people, 0, 1)
        members += self.some(["cn=missing," + PEOPLE, "cn=a\\,b," + GROUPS], 0, 1)
        self.random.shuffle(members)
        role = self.random.choice(["member", "member", "member", "seeAlso", "owner"])
        attributes += [(role, one) for one in members]
        if self.random.random() < 0.3:
            attributes += [("memberURL", self.url()) for _ in range(self.random.randint(1, 2))]
        self.groups.append(self.add("cn=group %d,%s" % (i, GROUPS), attributes))

    def alias(self, i):
        target = self.random.choice(self.people + self.groups[:20] + ["cn=missing," + PEOPLE])
        self.add("cn=alias %d,%s" % (i, ALIASES),
                 [("objectClass", "alias"), ("objectClass", "extensibleObject"),
                  ("cn", "alias %d" % i), ("aliasedObjectName", target)])

    def referrals(self):
        self.add("cn=away," + ELSEWHERE,
                 [("objectClass", "referral"), ("objectClass", "extensibleObject"),
                  ("cn", "away"), ("ref", "ldap://127.0.0.1:PORT/" + PEOPLE)])

    def ldif(self, port):
        return "\n" + "".join(self.entries).replace("127.0.0.1:PORT", "127.0.0.1:%d" % port)


FILTERS = [
    "(mail=%s)", "(mail=%s)", "(|(mail=%s)(description=%s)(cn=%u))", "(|(mail=%s)(mailLocalAddress=%s))", "(|(mail=%s)(uid=%u))",
    "(|(mail=%s)(description=%s))", "(|(mail=%s)(description=%s))", "(|(mail=%s)(uid=%u)(cn=%s))",
    "(|(mail=%s)(uid=%u)(cn=%s))", "(|(description=%s)(uid=%u)(cn=%u))", "(|(mail=%s)(uid=%u))",
    "(uid=%u)", "(uid=%u)", "(cn=%u)", "(cn=%s)", "(|(cn=%s)(uid=%s)(description=%s))",
    "(description=%s)", "(mail=%u@%d)", "(mail=%U@%D)", "(mail=%S)", "(&(mail=%s)(!(uid=root)))",
    "(mail=*@%d)", "(uid=%u*)", "(description=*%u*)", "(&(objectClass=device)(uid=%u))",
    "mail=%s", "uid=%u", "(mail=*%2.%1)", "(description=user@%4.%3.%2.%1)", "(uid=%1)", "(mail=%9)",
    "(description=%%s)", "(|(description=100%%)(mail=%s))", "(|(unknownAttribute=%s)(mail=%s))",
    "(&(mail=%s)(!(unknownAttribute=%s)))", "(uid:caseExactMatch:=%u)",
    "(&(uid>=%u)(mail=%s))", "(&(cn~=%u)(mail=%s))",
    "(& (mail=%s) (uid=*) )", "(|(member=cn=%u,ou=people,dc=example,dc=net)(mail=%s))",
    "(mail=\\67regory@%d)", "(&(&)(mail=%s))", "(|(mail=%s)(description=%S)(cn=%u)(uid=%D))",
    "(member=%s)", "(homeDirectory=%u)", "(|(homeDirectory=%u)(mail=%s))",
    "(|(&(uid=*)(mail=%s))(&(!(uid=*))(description=%s)))", "(&(uid=%u)(mail=%s))",
    "(&(objectClass=device)(|(mail=%s)(cn=%u)))", None]

BASES = [SUFFIX] * 20 + [PEOPLE, GROUPS, ALIASES, "cn=%u," + PEOPLE,
         "cn=%s," + PEOPLE, "dc=%2,dc=%1", "ou=%U," + SUFFIX, "cn=group 12," + GROUPS,
         "cn=%u+cn=x," + PEOPLE, ELSEWHERE]
RESULTS = ["uid", "uid", "uid, mail", "uid", "uid,cn", "cn", "mail", "description",
           "UID description", "cn", "uid,sn",
           "description;lang-en", "audio, uid", "telephoneNumber", "mail,description,uid,sn", None]
FORMATS = [None, None, None, None, "%s", "%u", "%d", "<%s>", "%u@%S", "%U:%s", "%1", "%2.%1",
           "%D,%s",
           "%%", "%s %s", "%9", "%u+%U"]
SPECIALS = ["member", "member", "member, memberURL", "memberURL", "seeAlso owner member",
            "member,seeAlso,memberURL,owner"]
DOMAIN_LISTS = ["example.net", "example.net, example.org", "!example.org example.net grün.example",
                "lists.example.net,[192.0.2.1]", "EXAMPLE.NET"]


class Map:
    def __init__(self, parameters):
        self.parameters = parameters

    def text(self):
        return "".join("%s = %s\n" % item for item in self.parameters.items())


def hosts(random, slapd, dead):
    """server_host and what it needs."""
    return dict(random.choice([
        {"server_host": slapd.url}, {"server_host": slapd.url},
        {"server_host": slapd.ldapi}, {"server_host": "127.0.0.1:%d" % slapd.port},
        {"server_host": "127.0.0.1", "server_port": slapd.port},
        {"server_host": "ldap://127.0.0.1:%d %s" % (dead, slapd.url)},
        {"server_host": "127.0.0.1:%d, 127.0.0.1:%d" % (dead, slapd.port)},
        {"server_host": slapd.ldaps, "tls_ca_cert_file": slapd.certificates.ca,
         "tls_require_cert": "yes"},
        {"server_host": slapd.url, "start_tls": "yes", "version": "3",
         "tls_ca_cert_file": slapd.certificates.ca, "tls_require_cert": "yes"},
        {"server_host": "ldap://localhost:%d" % slapd.port},
    ]))


def binds(random):
    return dict(random.choice([
        {"bind": "yes", "bind_dn": READER, "bind_pw": PASSWORD},
        {"bind": "simple", "bind_dn": READER, "bind_pw": PASSWORD},
        {"bind_dn": READER, "bind_pw": PASSWORD}, {"bind": "no"}, {"bind": "none"},
        {"bind": "yes", "bind_dn": "", "bind_pw": ""}]))


def map_file(random, slapd, list_file, dead):
    parameters = hosts(random, slapd, dead)

    def maybe(share, name, values):
        if random.random() < share:
            value = random.choice(values)
            if value is not None:
                parameters[name] = value
    if random.random() < 0.85:
        parameters.update(binds(random))
    else:  # who may see few entries at once, or not what it searches for, or nothing at all
        parameters.update(random.choice([
            {"bind": "yes", "bind_dn": READER, "bind_pw": "wrong"},
            {"bind": "yes", "bind_dn": "cn=few," + SUFFIX, "bind_pw": PASSWORD},
            {"bind": "yes", "bind_dn": "cn=blind," + SUFFIX, "bind_pw": PASSWORD},
            {"bind": "yes", "bind_dn": "cn=blind," + SUFFIX, "bind_pw": PASSWORD}]))
    if "version" not in parameters:
        parameters["version"] = random.choice("3333332")
    maybe(0.97, "search_base", BASES)
    if "search_base" not in parameters:
        parameters["search_base"] = "ou=missing," + SUFFIX
    maybe(1, "query_filter", FILTERS)
    maybe(1, "result_attribute", RESULTS)
    maybe(0.6, "special_result_attribute", SPECIALS)
    maybe(0.15, "terminal_result_attribute", ["uid", "description", "sn, audio"])
    maybe(0.15, "leaf_result_attribute", ["mail", "sn", "uid"])
    maybe(0.9, random.choice(["result_format", "result_format", "result_filter"]), FORMATS)
    maybe(0.12, "domain", DOMAIN_LISTS + [list_file("example.net\ngrün.example\n")])
    maybe(0.2, "scope", ["sub", "sub", "one", "base", "SUB"])
    maybe(0.15, "size_limit", [1, 2, 5, 50])
    maybe(0.15, "expansion_limit", [1, 3, 10])
    maybe(0.15, "recursion_limit", [1, 2, 3, 50])
    maybe(0.4, "dereference", [0, 1, 2, 3])
    maybe(0.3, "chase_referrals", ["no", "yes"] if parameters["search_base"] == ELSEWHERE
          else ["no"])
    maybe(0.1, "timeout", [20])
    maybe(0.1, "cache", ["no"])
    return Map(parameters)


HOSTILE = [b"*", b"(", b")", b"\\", b"*)(uid=*", b"\\2a", b"gregory)(|(uid=*", b"a,b@example.net",
           b"*@example.net", b"gregory*@example.net", b"@", b"@@", b"user@", b"\xff", b"\xc3(",
           b"gr\xfcn@example.net", b"%s", b"%u@%d", b"cn=x,dc=y", b"=", b"#", b" ", b" x",
           b"x ", b"+", b"a+b=c", b'"', b'"a b"@example.net', b"<>", b";", b"a\tb", b"a\nb",
           b"\x7f", b"x" * 3000, b"@example.net", b"@example.org", b"gregory@", b"a@b@example.net",
           b"user@[192.0.2.1]", b"user@a.b.c.d.e.f.g.h.i.j.k", b"user@..", b"user@.", b"(&)"]


def keys(random, n, tree):
    out = []
    while len(out) < n:
        kind = random.random()
        if kind < 0.55:
            key = random.choice(tree.addresses)
        elif kind < 0.62:
            key = random.choice(USERS) + "@" + random.choice(DOMAINS)
        elif kind < 0.75:
            key = random.choice(NAMES + USERS + ["group 12", "entry 7", "group 5"])
        elif kind < 0.85:
            key = random.choice(VALUES)
        else:
            key = None
            out.append(random.choice(HOSTILE))
        if key is not None:
            if random.random() < 0.15:
                key = key.upper() if random.random() < 0.5 else key.title()
            if random.random() < 0.05:
                key = key + random.choice("*()\\,+ x")
            out.append(key.encode("utf-8"))
    return [key for key in dict.fromkeys(out) if key not in (b"", b"-") and b"\0" not in key]
