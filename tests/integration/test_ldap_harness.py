#!/usr/bin/env python3
"""The slapd that the tests start does what the tests take for granted: every way to it, every
way to end it, and replication, with Postfix's own client as the one who asks."""

import os
import time
import unittest

import daemon
from ldap import (PASSWORD, READER, SUFFIX, Slapd, escape_dn, ldif_entry, pair, postmap_query)

SALES = "gregory,root"


class Harness(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.slapd = Slapd(tls=True, config_dir=True)
        cls.addClassCleanup(cls.slapd.close)

    def ask(self, key, expect=SALES, **parameters):
        path = self.slapd.map_file(self.slapd.path("map.cf"), **parameters)
        status, value, said = postmap_query(path, key)
        self.assertEqual((status, value), (0, expect), said)

    def test_ldap(self):
        self.ask("sales@example.net")
        self.ask("g.czaplinski@example.net", "gregory")

    def test_ldapi(self):
        self.ask("sales@example.net", server_host=self.slapd.ldapi)

    def test_external_over_ldapi(self):
        self.ask("sales@example.net", server_host=self.slapd.ldapi, bind="sasl",
                 sasl_mechs="EXTERNAL", bind_dn=None, bind_pw=None)

    def test_starttls(self):
        self.ask("sales@example.net", start_tls="yes", tls_require_cert="yes",
                 tls_ca_cert_file=self.slapd.certificates.ca)

    def test_ldaps(self):
        self.ask("sales@example.net", server_host=self.slapd.ldaps, tls_require_cert="yes",
                 tls_ca_cert_file=self.slapd.certificates.ca)

    def test_external_over_tls(self):
        certificates = self.slapd.certificates
        self.ask("sales@example.net", server_host=self.slapd.ldaps, tls_require_cert="yes",
                 tls_ca_cert_file=certificates.ca, tls_cert=certificates.client,
                 tls_key=certificates.client_key, bind="sasl", sasl_mechs="EXTERNAL",
                 bind_dn=None, bind_pw=None)

    def test_who_external_is(self):
        out = self.slapd._run("ldapwhoami", "-Y", "EXTERNAL", "-Q", "-H", self.slapd.ldapi)
        self.assertEqual(out.strip(), "dn:" + READER)
        env = dict(os.environ, LDAPTLS_CACERT=self.slapd.certificates.ca,
                   LDAPTLS_CERT=self.slapd.certificates.client,
                   LDAPTLS_KEY=self.slapd.certificates.client_key)
        out = self.slapd._run("ldapwhoami", "-Y", "EXTERNAL", "-Q", "-H", self.slapd.ldaps,
                              env=env)
        self.assertEqual(out.strip(), "dn:" + READER)

    def test_contents(self):
        name = 'O"Neil, Zoë + #1'
        dn = "cn=%s,ou=people,%s" % (escape_dn(name), SUFFIX)
        self.slapd.add(ldif_entry(dn, [("objectClass", "inetOrgPerson"), ("cn", name),
                                       ("sn", name), ("uid", "zoe"),
                                       ("mail", "zoe@example.net")]))
        self.ask("zoe@example.net", "zoe")
        self.slapd.replace(dn, "uid", "zoë")
        self.ask("zoe@example.net", "zoë")
        self.slapd.delete(dn)
        status, value, _ = postmap_query(self.slapd.path("map.cf"), "zoe@example.net")
        self.assertEqual((status, value), (1, ""))

    def test_counts(self):
        before, made = self.slapd.searches(), self.slapd.connections_made()
        self.ask("gregory@example.net", "gregory")
        self.assertGreaterEqual(self.slapd.searches() - before, 1)
        self.assertGreaterEqual(self.slapd.connections_made() - made, 1)
        daemon.until(lambda: self.slapd.connections() == 0, "nobody is connected")

    def test_cn_config(self):
        self.slapd.modify("dn: cn=config\nchangetype: modify\nreplace: olcIdleTimeout\n"
                          "olcIdleTimeout: 7\n", who="cn=config")
        self.slapd.stop()
        self.slapd.start()
        self.assertIn("olcIdleTimeout: 7", self.slapd.search(
            "(objectClass=*)", "olcIdleTimeout", base="cn=config", scope="base",
            who="cn=config"))


class Life(unittest.TestCase):
    def test_its_ends(self):
        slapd = Slapd()
        self.addCleanup(slapd.close)
        path = slapd.map_file(slapd.path("map.cf"), timeout="1")
        self.assertEqual(postmap_query(path, "sales@example.net")[:2], (0, SALES))
        for end in (slapd.stop, slapd.kill):
            end()
            self.assertEqual(postmap_query(path, "sales@example.net")[:2], (1, ""))
            slapd.start()
            self.assertEqual(postmap_query(path, "sales@example.net")[:2], (0, SALES))
        slapd.freeze()
        since = time.monotonic()
        status, value, said = postmap_query(path, "sales@example.net")
        self.assertEqual((status, value), (1, ""), said)
        self.assertIn("warning", said)
        self.assertGreater(time.monotonic() - since, 0.9)
        slapd.thaw()
        self.assertEqual(postmap_query(path, "sales@example.net")[:2], (0, SALES))

    def test_replication(self):
        provider, consumer = pair()
        self.addCleanup(provider.close)
        self.addCleanup(consumer.close)
        path = consumer.map_file(consumer.path("map.cf"))
        self.assertEqual(postmap_query(path, "sales@example.net")[:2], (0, SALES))
        provider.replace("uid=root,ou=people," + SUFFIX, "uid", "root", "wheel")
        consumer.wait_synced(provider)
        self.assertEqual(postmap_query(path, "root@example.net")[:2], (0, "root,wheel"))
        provider.kill()
        self.assertEqual(postmap_query(path, "root@example.net")[:2], (0, "root,wheel"))
        provider.start()
        provider.replace("uid=root,ou=people," + SUFFIX, "uid", "root")
        consumer.wait_synced(provider)
        self.assertEqual(postmap_query(path, "root@example.net")[:2], (0, "root"))

    def test_anonymous_and_wrong_password(self):
        slapd = Slapd()
        self.addCleanup(slapd.close)
        path = slapd.map_file(slapd.path("map.cf"), bind="no", bind_dn=None, bind_pw=None)
        self.assertEqual(postmap_query(path, "sales@example.net")[:2], (0, SALES))
        slapd.map_file(path, bind_pw=PASSWORD + "x")
        status, value, said = postmap_query(path, "sales@example.net")
        self.assertEqual((status, value), (1, ""))
        self.assertIn("warning", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
