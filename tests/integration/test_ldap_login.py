#!/usr/bin/env python3
"""ldap:FILE and how it gets in: SASL with passwords, and servers that are not who they should be.

slapd's own users are those of its tree: the mechanisms read userPassword from there. Ways in that
work give Postfix's answers; ways in that fail are TEMP with a reason, as an error is in Postfix.
"""

from daemon import main, request
from ldap import ACCESS, BASE, PASSWORD, READER, SUFFIX, TREE, Slapd, ldif_entry
from ldap_case import LdapCase

REALM = "example.net"
KEY, NOBODY = "gregory@example.net", "nobody-here@example.net"
MANY = 3000

# Only the reader sees the people, and "asker" by being allowed to act as the reader.
SASL = """
sasl-auxprops slapd
sasl-realm {realm}
sasl-secprops noanonymous
authz-policy to
authz-regexp "uid=([^,]*),cn=[^,]*,cn=auth" "cn=$1,{suffix}"
authz-regexp "uid=([^,]*),cn={realm},cn=[^,]*,cn=auth" "cn=$1,{suffix}"
""".format(realm=REALM, suffix=SUFFIX)
ONLY_READER = """
access to attrs=userPassword,authzTo by anonymous auth by self read by * auth
access to dn.subtree="ou=people,{suffix}" by dn.exact="{reader}" read by * none
access to * by * read
""".format(suffix=SUFFIX, reader=READER)
ASKER = ldif_entry("cn=asker," + SUFFIX, [
    ("objectClass", "organizationalRole"), ("objectClass", "simpleSecurityObject"),
    ("cn", "asker"), ("userPassword", PASSWORD + "-asker"), ("authzTo", "dn.exact:" + READER)])
BIG = ldif_entry("uid=many,ou=people," + SUFFIX, [
    ("objectClass", "inetOrgPerson"), ("uid", "many"), ("cn", "many"), ("sn", "many"),
    ("mail", "many@example.net")] + [("description", "d%05d" % i) for i in range(MANY)])


class LoginCase(LdapCase):
    slapd = None

    def map(self, **parameters):
        values = {"bind": "sasl", "bind_dn": "dictd", "special_result_attribute": None}
        values.update(parameters)
        return self.slapd.map_text("(mail=%s)", **values)

    def working(self, **parameters):
        daemon = self.serve({"x": self.map(**parameters)})
        replies = self.as_postfix(daemon, "x", [KEY, NOBODY])
        self.assertEqual(replies, {KEY: "OK gregory", NOBODY: "NOTFOUND "})
        return daemon

    def failing(self, cause, postfix="TEMP", **parameters):
        daemon = self.serve({"x": self.map(**parameters)})
        for key in (KEY, NOBODY):
            self.temp(daemon.ask("x", key), cause)
        self.assertEqual(self.postfix(daemon, "x", KEY)[0], postfix)
        self.no_secret_in(daemon, PASSWORD, "Open-4711")


class Sasl(LoginCase):
    MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5")

    @classmethod
    def setUpClass(cls):
        cls.slapd = Slapd(ldif=TREE + "\n" + ASKER + BIG, access=ONLY_READER, config=SASL, tls=True)
        cls.addClassCleanup(cls.slapd.close)

    def tls(self):
        return {"server_host": self.slapd.ldaps, "tls_ca_cert_file": self.slapd.certificates.ca,
                "tls_require_cert": "yes"}

    def test_mechanisms(self):
        for mechanism in self.MECHANISMS:
            with self.subTest(mechanism):
                self.working(sasl_mechs=mechanism)

    def test_mechanisms_over_tls(self):
        for mechanism in self.MECHANISMS[:1] + self.MECHANISMS[2:3]:
            for how in (self.tls(), {"start_tls": "yes", "tls_require_cert": "yes",
                                     "tls_ca_cert_file": self.slapd.certificates.ca}):
                with self.subTest(mechanism, **how):
                    self.working(sasl_mechs=mechanism, **how)

    def test_the_server_chooses(self):
        self.working(sasl_mechs="SCRAM-SHA-256 DIGEST-MD5")
        self.working()

    def test_plain(self):
        """libldap sends no plain password by SASL unless it is told to, over TLS neither; Postfix
        does not tell it."""
        for how in ({}, self.tls()):
            self.failing("the SASL bind failed", sasl_mechs="PLAIN", **how)

    def test_realm(self):
        """A server with one realm does not ask which."""
        for realm in (REALM, "elsewhere"):
            self.working(sasl_mechs="DIGEST-MD5", sasl_realm=realm)

    def test_wrong(self):
        for mechanism in self.MECHANISMS:
            with self.subTest(mechanism):
                self.failing("the SASL bind failed", sasl_mechs=mechanism, bind_pw="Open-4711")
        self.failing("the SASL bind failed", sasl_mechs="SCRAM-SHA-256", bind_dn="nobody")
        self.failing("the SASL bind failed", sasl_mechs="NOSUCH")
        self.failing("the SASL bind failed", sasl_mechs="SCRAM-SHA-256", bind_pw="")

    def test_act_as_another(self):
        """The asker sees nobody, the reader does."""
        asker = {"bind_dn": "asker", "bind_pw": PASSWORD + "-asker"}
        for mechanism in self.MECHANISMS[:3:2]:
            daemon = self.serve({"x": self.map(sasl_mechs=mechanism, **asker)})
            self.assertEqual(daemon.ask("x", KEY), "NOTFOUND ")
            self.working(sasl_mechs=mechanism, sasl_authz_id="u:dictd", **asker)
            self.working(sasl_mechs=mechanism, sasl_authz_id="dn:" + READER, **asker)
            self.failing("the SASL bind failed", sasl_mechs=mechanism, bind_pw=PASSWORD,
                         sasl_authz_id="u:asker")

    def test_strength(self):
        """A layer of SASL's own between libldap and the socket: large answers, and many at once."""
        # Postfix hands libldap the VSTRING in the place of its text (dict_ldap_bind_sasl in
        # dict_ldap.c), so that nothing is required.
        self.failing("the SASL bind failed", sasl_mechs="SCRAM-SHA-256", sasl_minssf="56",
                     postfix="OK gregory")
        for minssf in ("1", "56", "128"):
            with self.subTest(minssf):
                daemon = self.serve({
                    "x": self.map(sasl_mechs="DIGEST-MD5", sasl_minssf=minssf),
                    "big": self.map(sasl_mechs="DIGEST-MD5", sasl_minssf=minssf,
                                    result_attribute="description", result_format="%s")})
                self.as_postfix(daemon, "big", ["many@example.net", NOBODY])
                keys = [KEY, NOBODY, "root@example.net", "many@example.net"] * 100
                want = self.as_postfix(daemon, "x", keys[:4])
                with daemon.client() as client:
                    client.send(b"".join(request("x", key) for key in keys))
                    self.assertEqual([client.read() for _ in keys], [want[key] for key in keys])


class AnotherName(LoginCase):
    """A certificate of the right authority that is for another host."""

    @classmethod
    def setUpClass(cls):
        cls.slapd = Slapd(tls="DNS:ldap.elsewhere.example,IP:192.0.2.1", ldif=TREE)
        cls.addClassCleanup(cls.slapd.close)

    def ways(self):
        """Servers by URL, name and address."""
        port, tls_port = self.slapd.port, self.slapd.tls_port
        return ({"server_host": "ldaps://127.0.0.1:%d" % tls_port},
                {"server_host": "ldaps://localhost:%d" % tls_port},
                {"server_host": "127.0.0.1:%d" % port, "start_tls": "yes"},
                {"server_host": "ldap://localhost:%d" % port, "start_tls": "yes"})

    def login(self, **parameters):
        return {"bind": "yes", "bind_dn": READER, **parameters,
                "tls_ca_cert_file": self.slapd.certificates.ca}

    def test_refused(self):
        for way in self.ways():
            with self.subTest(**way):
                self.failing("(cannot connect|STARTTLS failed): .*the server's certificate is not one for this name",
                             **self.login(tls_require_cert="yes", **way))

    def test_the_password_stays_here(self):
        """It was refused before the bind: nobody has tried to log in."""
        with Slapd(tls="DNS:ldap.elsewhere.example", ldif=BASE, start=False,
                   access=ACCESS) as slapd:
            slapd.start(debug="stats")
            since = len(slapd.log())
            daemon = self.serve({"x": slapd.map_text(
                server_host=slapd.ldaps, tls_require_cert="yes",
                tls_ca_cert_file=slapd.certificates.ca)})
            self.temp(daemon.ask("x", KEY))
            self.assertNotRegex(slapd.log()[since:], r" BIND | SRCH ")

    def test_not_required(self):
        for way in self.ways():
            with self.subTest(**way):
                self.working(**self.login(tls_require_cert="no", **way))


if __name__ == "__main__":
    main()
