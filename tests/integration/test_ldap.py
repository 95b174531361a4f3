#!/usr/bin/env python3
"""ldap:FILE against a real slapd: answers as Postfix's own client gives them, hostile keys, and
what the map file may say wrong.

What fails may never be NOTFOUND: each test that breaks something looks at that.
"""

import os

from daemon import run_daemon, write, main
from ldap import PASSWORD, READER, SUFFIX, TREE, Slapd, escape_dn, ldif_entry
from ldap_case import LdapCase

SHARED = None  # the server that no test breaks

PEOPLE, GROUPS = "ou=people," + SUFFIX, "ou=groups," + SUFFIX
ODD = ['comma, inside', 'quote"d', 'back\\slash', ' space ', '#hash', 'plus+equals=',
       'star*(paren)', 'Größe', 'semi;<>']


def person(uid, *mail, base=PEOPLE, **more):
    attributes = [("objectClass", "inetOrgPerson"), ("objectClass", "inetLocalMailRecipient"),
                  ("uid", uid), ("cn", uid), ("sn", uid)]
    attributes += [("mail", address) for address in mail]
    attributes += [(name, value) for name, values in more.items() for value in values]
    return ldif_entry("uid=%s,%s" % (escape_dn(uid), base), attributes)


def group(name, *members, **more):
    attributes = [("objectClass", "groupOfNames"), ("objectClass", "inetLocalMailRecipient"),
                  ("objectClass", "extensibleObject"), ("cn", name),
                  ("mailLocalAddress", name + "@example.net")]
    attributes += [("member", member) for member in members]
    attributes += [(key, value) for key, values in more.items() for value in values]
    return ldif_entry("cn=%s,%s" % (name, GROUPS), attributes)


def dn(uid, base=PEOPLE):
    return "uid=%s,%s" % (escape_dn(uid), base)


def tree():
    text = TREE + "\n"
    for i, name in enumerate(ODD):
        text += person(name, "odd%d@example.net" % i)
    text += group("odd", *[dn(name) for name in ODD])
    text += group("nested", "cn=sales," + GROUPS, dn("Größe"))
    text += group("twice", "cn=sales," + GROUPS, "cn=nested," + GROUPS)
    text += group("dangling", dn("nobody"), dn("root"))
    text += group("noone", dn("nobody"))
    text += group("loop", dn("gregory"), "cn=loop," + GROUPS)
    text += group("ring1", dn("gregory"), "cn=ring2," + GROUPS)
    text += group("ring2", dn("root"), "cn=ring1," + GROUPS)
    # Two entries of one search, of which the first has what the second lacks.
    text += person("t1", "two@example.net", mailRoutingAddress=["term@example.org"])
    text += person("t2", "two@example.net")
    text += group("mixed", dn("root"))
    text += person("t3", mailLocalAddress=["mixed@example.net"])
    for name, url in (
            ("url", "ldap:///%s??one?(mail=root@example.net)" % PEOPLE),
            ("urluid", "ldap:///%s?uid?sub?(uid=t*)" % PEOPLE),
            ("urlnone", "ldap:///%s?telephoneNumber?sub?(uid=t*)" % PEOPLE),
            ("urlbad", "ldap:///%s?uid?sub?(uid=t*" % PEOPLE),
            ("urlscope", "ldap:///%s?uid?everywhere" % PEOPLE),
            ("urlbase", "ldap:///%s?uid" % dn("root")),
            ("urlhost", "ldap://192.0.2.1/%s?uid" % dn("root")),
            ("urlnowhere", "ldap:///ou=nowhere,%s?uid?sub" % SUFFIX)):
        text += group(name, dn("gregory"), labeledURI=[url])
    text += person("bin", "bin@example.net", jpegPhoto=[b"ab\0cd"])
    text += person("latin", "latin@example.net", jpegPhoto=[b"\xff\xd8"])
    text += person("comma", "comma@example.net", description=["a, b", "c,d"])
    text += person("many", "many@example.net", description=["d%05d" % i for i in range(10000)])
    text += person("star", "*@example.net", "@example.net")
    text += ldif_entry("ou=away," + SUFFIX, [
        ("objectClass", "referral"), ("objectClass", "extensibleObject"), ("ou", "away"),
        ("ref", "ldap://127.0.0.1:1/ou=away," + SUFFIX)])
    text += ldif_entry("ou=alias," + SUFFIX, [
        ("objectClass", "alias"), ("objectClass", "extensibleObject"), ("ou", "alias"),
        ("aliasedObjectName", PEOPLE)])
    return text


def setUpModule():
    global SHARED
    SHARED = Slapd(ldif=tree(), tls=True)


def tearDownModule():
    SHARED.close()


BOTH = "(|(mail=%s)(mailLocalAddress=%s))"


def maps():
    s = SHARED
    members = {"special_result_attribute": "member"}
    urls = {"special_result_attribute": "member, labeledURI"}
    return {
        "plain": s.map_text(special_result_attribute=None),
        "groups": s.map_text(**members),
        "shallow": s.map_text(recursion_limit="2", **members),
        "flat": s.map_text(recursion_limit="1", **members),
        "urls": s.map_text(**urls),
        "leaf": s.map_text(result_attribute="", leaf_result_attribute="uid", **members),
        "leafcn": s.map_text(result_attribute="cn", leaf_result_attribute="uid", **members),
        "terminal": s.map_text(terminal_result_attribute="mailRoutingAddress", **members),
        "all": s.map_text(terminal_result_attribute="mailRoutingAddress", result_attribute="",
                          leaf_result_attribute="uid", **members),
        "several": s.map_text(result_attribute="cn, uid mail", **members),
        "format": s.map_text(result_format="%u/%d/%U/%D/%s", result_attribute="mail"),
        "filtered": s.map_text(result_filter="[%s]"),
        "domain": s.map_text(domain="example.net, !example.org"),
        "limit": s.map_text(expansion_limit="1", **members),
        "size": s.map_text(size_limit="1"),
        "user": s.map_text("(uid=%u)"),
        "labels": s.map_text("(&(uid=%u)(!(uid=%1)))"),
        "base": s.map_text("(uid=*)", search_base="uid=%u,ou=people,dc=%2,dc=%1", scope="base"),
        "one": s.map_text(scope="one"),
        "onein": s.map_text(scope="ONE", search_base=PEOPLE),
        "nowhere": s.map_text(search_base="ou=nowhere," + SUFFIX),
        "somewhere": s.map_text(search_base="ou=%u," + SUFFIX),
        "rubbish": s.map_text(search_base="rubbish"),
        "away": s.map_text(search_base="ou=away," + SUFFIX),
        "chase": s.map_text(search_base="ou=away," + SUFFIX, chase_referrals="yes"),
        "deref": s.map_text(search_base="ou=alias," + SUFFIX, dereference="3"),
        "noderef": s.map_text(search_base="ou=alias," + SUFFIX),
        "photo": s.map_text(result_attribute="jpegPhoto"),
        "text": s.map_text(result_attribute="description"),
        "manylimit": s.map_text(result_attribute="description", expansion_limit="9999"),
        "bare": s.map_text("mail=%s"),
        "percent": s.map_text("(|(mail=%s)(cn=100%%))"),
        "anonymous": s.map_text(bind="no", bind_dn=None, bind_pw=None),
        "v2": s.map_text(version="2"),
        "socket": s.map_text(server_host=s.ldapi, bind="none", bind_dn=None, bind_pw=None),
        "ldaps": s.map_text(server_host=s.ldaps, tls_ca_cert_file=s.certificates.ca,
                            tls_require_cert="yes"),
        "starttls": s.map_text(start_tls="yes", tls_ca_cert_file=s.certificates.ca,
                               tls_require_cert="yes"),
        "port": s.map_text(server_host="127.0.0.1", server_port=str(s.port)),
        "noresult": s.map_text(result_attribute="mialdrop, nosuch"),
        "nofilter": s.map_text("(|(nosuch=%s)(!(mial=%u)))"),
        "halffilter": s.map_text("(|(nosuch=%s)(mail=%s))", result_attribute="nosuch uid"),
        "obsolete": s.map_text(cache="yes", cache_expiry="30", cache_size="100"),
    }


KEYS = ["gregory@example.net", "G.Czaplinski@example.net", "sales@example.net",
        "nested@example.net", "twice@example.net", "odd@example.net", "dangling@example.net",
        "noone@example.net", "two@example.net", "mixed@example.net", "nobody-here@example.net",
        "root", "@example.net", "gregory@example.org", "comma@example.net"]
KEYS += ["odd%d@example.net" % i for i in range(len(ODD))]
HOSTILE = ["*", "g*", "*@example.net", "gregory@example.net)(uid=*", "x)(|(uid=*)", "\\2a",
           "\\", "(", ")", "()", "gregory@example.net\\00", "a\\", "&(uid=*)", "=*",
           " gregory@example.net", "gregory@example.net ", "#gregory", "größe@example.net",
           "gregory,ou=people", "gregory+cn=x", "\"x\"@example.net", "<x>@example.net",
           "a;b@example.net", "%s", "100%", "'; DROP", "a" * 5000 + "@example.net"]


class Answers(LdapCase):
    """The same as Postfix, key by key and map by map."""

    @classmethod
    def setUpClass(cls):
        cls.case = cls("run_nothing")
        cls.d = LdapCase.serve(cls.case, maps())
        cls.addClassCleanup(cls.case.doCleanups)

    def run_nothing(self):
        pass

    def test_postfix_agrees(self):
        for name in ("plain", "groups", "shallow", "leaf", "leafcn", "terminal", "all", "several",
                     "format", "domain", "limit", "size", "user", "labels", "base"):
            self.as_postfix(self.d, name, KEYS)

    def test_postfix_agrees_on_little(self):
        keys = ["gregory@example.net", "sales@example.net", "nobody-here@example.net",
                "people@example.net"]
        for name in ("flat", "filtered", "one", "onein", "nowhere", "somewhere", "rubbish", "away",
                     "chase", "deref", "noderef", "bare", "percent", "anonymous", "v2", "socket",
                     "ldaps", "starttls", "port", "obsolete"):
            self.as_postfix(self.d, name, keys)

    def test_urls(self):
        keys = ["url%s@example.net" % what for what in (
            "", "uid", "none", "bad", "scope", "base", "host", "nowhere")]
        replies = self.as_postfix(self.d, "urls", keys)
        self.assertEqual(replies["url@example.net"], "OK gregory,root")

    def test_hostile_keys(self):
        """No key finds more than Postfix finds for it, and most of them nothing."""
        for name in ("plain", "user", "base", "somewhere"):
            replies = self.as_postfix(self.d, name, HOSTILE)
            found = {key for key, reply in replies.items() if reply.startswith("OK")}
            if name == "plain":
                self.assertLessEqual(found, {"*@example.net", " gregory@example.net",
                                             "gregory@example.net "})

    def test_nul_is_not_found(self):
        for name in ("plain", "base"):
            self.assertEqual(self.d.ask(name, "gregory@example.net\0"), "NOTFOUND ")
            self.assertEqual(self.d.ask(name, "\0"), "NOTFOUND ")

    def test_a_group_that_contains_itself(self):
        """Where Postfix gives up at recursion_limit."""
        self.assertEqual(self.d.ask("groups", "loop@example.net"), "OK gregory")
        self.assertEqual(self.d.ask("groups", "ring1@example.net"), "OK gregory,root")
        self.assertEqual(self.d.ask("groups", "ring2@example.net"), "OK root,gregory")
        self.temp(self.d.ask("shallow", "twice@example.net"), "recursion_limit")

    def test_binary_values(self):
        self.temp(self.d.ask("photo", "bin@example.net"), "jpegPhoto is binary")
        self.temp(self.d.ask("photo", "latin@example.net"), "jpegPhoto is binary")
        self.assertEqual(self.d.ask("photo", "gregory@example.net"), "NOTFOUND ")

    def test_ten_thousand_values(self):
        reply = self.d.ask("text", "many@example.net")
        self.assertTrue(reply.startswith("OK ") or reply.startswith("PERM "), reply[:100])
        want, _ = self.postfix(self.d, "text", "many@example.net")
        self.assertEqual(want.count(","), 9999)
        if reply.startswith("OK "):
            self.assertEqual(reply, want)
        self.temp(self.d.ask("manylimit", "many@example.net"), "expansion_limit")

    def test_many_at_once(self):
        """Pipelined by one client, each its own answer, in order."""
        keys = ["sales@example.net", "nobody@example.net", "gregory@example.net",
                "odd@example.net"] * 200
        want = [self.d.ask("groups", key) for key in keys[:4]] * 200
        with self.d.client() as client:
            client.send(b"".join(_request("groups", key) for key in keys))
            self.assertEqual([client.read() for _ in keys], want)

    def test_attributes_that_do_not_exist(self):
        """Where nothing can ever be found, Postfix says "not found"; one that exists is enough."""
        for key in ("gregory@example.net", "nobody-here@example.net"):
            self.temp(self.d.ask("noresult", key), "has none of the result attributes")
            self.temp(self.d.ask("nofilter", key), "has no attribute of query_filter")
        self.assertEqual(self.d.ask("halffilter", "gregory@example.net"), "OK gregory")
        self.assertEqual(self.d.ask("halffilter", "nobody-here@example.net"), "NOTFOUND ")

    def test_no_secret(self):
        self.no_secret_in(self.d)


def _request(name, key):
    payload = ("%s %s" % (name, key)).encode()
    return b"%d:%s," % (len(payload), payload)


class BadFiles(LdapCase):
    """What is wrong is said at start, with the line, and without what stands there."""

    def wrong(self, text, reason):
        daemon = self.daemon(None)
        path = write(os.path.join(daemon.dir, "x.cf"), text, 0o600)
        daemon.configure("maps = x\nx_sources = ldap:%s\n" % path)
        status, _, said = run_daemon("-t", "-c", daemon.config_path)
        self.assertEqual(status, 1, said)
        self.assertRegex(said, reason)
        self.assertNotIn(PASSWORD, said)

    def test_wrong(self):
        base = "search_base = dc=x\n"
        for text, reason in (
                (base + "query_fliter = (mail=%s)\n", 'x.cf:2: query_fliter: .*"query_filter"'),
                (base + "query_filter = (mail=%s\n", "x.cf:2: query_filter: .*RFC 4515"),
                (base + "query_filter = \n", "query_filter: is empty"),
                (base + "bind = maybe\nbind_pw = %s\n" % PASSWORD, "x.cf:2: bind: must be"),
                (base + "result_attribute =\n", "result_attribute"),
                (base + "timeout = soon\n", "x.cf:2: timeout"),
                (base + "server_host = ldap://a:b:c/\n", "server_host"),
                (base + "server_host = ldaps://a\ntls_ca_cert_file = /nowhere/ca\n",
                 "tls_ca_cert_file: that file is not there"),
                (base + "result_format = %x\n", "result_format"),
                (base + "recursion_limit = 0\n", "recursion_limit")):
            with self.subTest(text):
                self.wrong(text, reason)

    def test_odd(self):
        """Postfix goes on with a warning, and so does the daemon."""
        s = SHARED
        daemon = self.serve({"x": s.map_text(scope="tree", dereference="9", version="7",
                                             cache="yes")})
        for name in ("scope", "dereference", "version", "cache"):
            daemon.wait_log(r"x\.cf:\d+: %s: " % name)
        self.assertEqual(daemon.ask("x", "gregory@example.net"), "OK gregory")


class Login(LdapCase):
    """Ways in that fail are TEMP with a reason; ways in that work, work."""

    def failing(self, cause, **parameters):
        daemon = self.serve({"x": SHARED.map_text(**parameters)})
        for key in ("gregory@example.net", "nobody-here@example.net"):
            self.temp(daemon.ask("x", key), cause)
        self.no_secret_in(daemon)

    def working(self, **parameters):
        daemon = self.serve({"x": SHARED.map_text(**parameters)})
        self.assertEqual(daemon.ask("x", "gregory@example.net"), "OK gregory")
        self.assertEqual(daemon.ask("x", "nobody-here@example.net"), "NOTFOUND ")
        return daemon

    def test_wrong_password(self):
        self.failing("the bind failed: Invalid credentials", bind_pw="Open-4711")

    def test_no_such_dn(self):
        self.failing("the bind failed", bind_dn="cn=nobody," + SUFFIX)

    def test_certificate_of_another_authority(self):
        for how in ({"server_host": SHARED.ldaps}, {"start_tls": "yes"}):
            self.failing("cannot connect|STARTTLS failed", tls_require_cert="yes",
                         tls_ca_cert_file=SHARED.certificates.client, **how)

    def test_unverified_certificate_without_require(self):
        self.working(server_host=SHARED.ldaps)

    def test_external(self):
        c = SHARED.certificates
        sasl = {"bind": "sasl", "sasl_mechs": "EXTERNAL", "bind_dn": None, "bind_pw": None}
        self.working(server_host=SHARED.ldapi, **sasl)
        for how in ({"server_host": SHARED.ldaps}, {"start_tls": "yes"}):
            self.working(tls_cert=c.client, tls_key=c.client_key, tls_ca_cert_file=c.ca,
                         tls_require_cert="yes", **how, **sasl)

    def test_external_without_certificate(self):
        self.failing("the SASL bind failed", bind="sasl", sasl_mechs="EXTERNAL", bind_dn=None,
                     bind_pw=None)

    def test_external_is_who_it_says(self):
        """An ACL for the reader alone: with EXTERNAL it is the reader that asks."""
        with Slapd(access='access to * by dn.exact="%s" read by * auth\n' % READER) as slapd:
            sasl = {"bind": "sasl", "sasl_mechs": "EXTERNAL", "bind_dn": None, "bind_pw": None}
            daemon = self.serve({"x": slapd.map_text(server_host=slapd.ldapi, **sasl),
                                 "y": slapd.map_text(bind="no")})
            self.assertEqual(daemon.ask("x", "gregory@example.net"), "OK gregory")
            self.temp(daemon.ask("y", "gregory@example.net"))


if __name__ == "__main__":
    main()
