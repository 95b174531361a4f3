#!/usr/bin/env python3
"""The map files of sql/examples/, each against its schema in a real PostgreSQL.

All schemas hold the same little world, as far as they can say it; WORLD has the
answers, and a schema's own differences stand beside its tables. Asked are the
daemon, with the whole walk, and, with `postmap -q`, Postfix's own client: for
one key after the other it has to say what the daemon says for that key alone.
"""

import glob
import os
import re
import shutil
import subprocess
import unittest

from daemon import ROOT, SETTLED, Case, main, request, write
from pg import PASSWORD, ROLE, Postgres

EXAMPLES = os.path.join(ROOT, "sql", "examples")

# Addresses: their owners, and whether mail for them is taken. Domains: example.net, and
# catch.example with a catch-all of anna's; example.org is an alias of example.net.
GREGORY, ROOT_LOGIN, ANNA = "gregory@example.net", "root@example.net", "anna@example.net"
WORLD = {
    # address: (owners, exists)
    GREGORY: ([GREGORY], True),
    "Gregory@Example.NET": ([GREGORY], True),
    "gregory+lists@example.net": ([GREGORY], True),
    ROOT_LOGIN: ([ROOT_LOGIN], True),  # its mail is forwarded to gregory: he owns nothing by that
    "g.czaplinski@example.net": ([GREGORY], True),
    "G.Czaplinski+x@example.net": ([GREGORY], True),
    "nick@example.net": ([GREGORY], True),  # an alias of an alias
    "sales@example.net": ([GREGORY, ROOT_LOGIN], True),  # several owners
    "mixed@example.net": ([GREGORY], True),  # and somebody elsewhere
    "outside@example.net": ([], True),  # only somebody elsewhere
    "loop@example.net": ([], True),  # leads to itself over another
    "off@example.net": ([], False),  # an alias that is switched off
    "disabled@example.net": ([], False),  # a mailbox that is
    "former@example.net": ([], True),  # leads to the disabled one
    "nobody-here@example.net": ([], False),
    "gregory@example.org": ([GREGORY], True),  # alias domain
    "g.czaplinski@example.org": ([GREGORY], True),
    "nobody-here@example.org": ([], False),
    "boss@catch.example": (["boss@catch.example"], True),
    "whoever@catch.example": ([ANNA], True),  # catch-all
    "gregory@elsewhere.example": ([], False),
    "gregory": ([], False),
    "o'brien@example.net": ([], False),
    "gr\u00fcn@example.net": ([], False),
}

GRANT = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s;" % ROLE

POSTFIXADMIN = """
CREATE TABLE domain (domain varchar(255) PRIMARY KEY, active boolean NOT NULL DEFAULT true);
CREATE TABLE mailbox (username varchar(255) PRIMARY KEY, local_part varchar(255) NOT NULL,
    domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true);
CREATE TABLE alias (address varchar(255) PRIMARY KEY, goto text NOT NULL,
    domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true);
CREATE TABLE alias_domain (alias_domain varchar(255) PRIMARY KEY,
    target_domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true);
INSERT INTO domain VALUES ('example.net', true), ('catch.example', true), ('example.org', true),
    ('closed.example', false);
INSERT INTO alias_domain VALUES ('example.org', 'example.net', true),
    ('off.example', 'example.net', false);
INSERT INTO mailbox SELECT a, split_part(a, '@', 1), split_part(a, '@', 2), a !~ 'disabled'
    FROM unnest(ARRAY['gregory@example.net', 'root@example.net', 'anna@example.net',
                      'disabled@example.net', 'boss@catch.example', 'x@closed.example']) a;
INSERT INTO alias SELECT a, g, split_part(a, '@', 2), on_ FROM (VALUES
    ('gregory@example.net', 'gregory@example.net', true),
    ('root@example.net', 'root@example.net,gregory@example.net', true),
    ('anna@example.net', 'anna@example.net', true),
    ('disabled@example.net', 'disabled@example.net', false),
    ('boss@catch.example', 'boss@catch.example', true),
    ('g.czaplinski@example.net', 'Gregory@example.net', true),
    ('nick@example.net', 'g.czaplinski@example.net', true),
    ('sales@example.net', 'gregory@example.net, root@example.net', true),
    ('mixed@example.net', 'gregory@example.net,friend@elsewhere.example', true),
    ('outside@example.net', 'friend@elsewhere.example', true),
    ('loop@example.net', 'pool@example.net', true),
    ('pool@example.net', 'loop@example.net', true),
    ('off@example.net', 'gregory@example.net', false),
    ('former@example.net', 'disabled@example.net', true),
    ('@catch.example', 'anna@example.net', true)) v (a, g, on_);
"""

IREDMAIL = """
CREATE TABLE domain (domain varchar(255) PRIMARY KEY, active int2 NOT NULL DEFAULT 1);
CREATE TABLE mailbox (username varchar(255) PRIMARY KEY, active int2 NOT NULL DEFAULT 1);
CREATE TABLE forwardings (id serial PRIMARY KEY, address varchar(255) NOT NULL,
    forwarding varchar(255) NOT NULL, domain varchar(255) NOT NULL,
    is_list int2 NOT NULL DEFAULT 0, is_forwarding int2 NOT NULL DEFAULT 0,
    is_alias int2 NOT NULL DEFAULT 0, active int2 NOT NULL DEFAULT 1);
CREATE INDEX ON forwardings (address);
CREATE TABLE alias_domain (alias_domain varchar(255) PRIMARY KEY,
    target_domain varchar(255) NOT NULL, active int2 NOT NULL DEFAULT 1);
CREATE TABLE maillists (id serial PRIMARY KEY, address varchar(255) UNIQUE NOT NULL,
    active int2 NOT NULL DEFAULT 1);
INSERT INTO domain VALUES ('example.net', 1), ('catch.example', 1), ('closed.example', 0);
INSERT INTO alias_domain VALUES ('example.org', 'example.net', 1), ('off.example', 'example.net', 0);
INSERT INTO mailbox VALUES ('gregory@example.net', 1), ('root@example.net', 1),
    ('anna@example.net', 1), ('disabled@example.net', 0), ('boss@catch.example', 1),
    ('x@closed.example', 1);
INSERT INTO maillists (address) VALUES ('news@example.net');
INSERT INTO forwardings (address, forwarding, domain, is_forwarding, is_alias, is_list, active)
    SELECT a, g, CASE WHEN a ~ '@' THEN split_part(a, '@', 2) ELSE a END, (kind = 'own')::int,
           (kind = 'alias')::int, (kind = 'list')::int, active FROM (VALUES
    ('gregory@example.net', 'gregory@example.net', 'own', 1),
    ('root@example.net', 'root@example.net', 'own', 1),
    ('root@example.net', 'gregory@example.net', 'own', 1),
    ('anna@example.net', 'anna@example.net', 'own', 1),
    ('disabled@example.net', 'disabled@example.net', 'own', 1),
    ('boss@catch.example', 'boss@catch.example', 'own', 1),
    ('g.czaplinski@example.net', 'gregory@example.net', 'alias', 1),
    ('nick@example.net', 'g.czaplinski@example.net', 'list', 1),
    ('sales@example.net', 'gregory@example.net', 'list', 1),
    ('sales@example.net', 'root@example.net', 'list', 1),
    ('mixed@example.net', 'gregory@example.net', 'list', 1),
    ('mixed@example.net', 'friend@elsewhere.example', 'list', 1),
    ('outside@example.net', 'friend@elsewhere.example', 'list', 1),
    ('loop@example.net', 'pool@example.net', 'list', 1),
    ('pool@example.net', 'loop@example.net', 'list', 1),
    ('off@example.net', 'gregory@example.net', 'list', 0),
    ('former@example.net', 'disabled@example.net', 'list', 1),
    ('catch.example', 'anna@example.net', 'own', 1)) v (a, g, kind, active);
"""

MODOBOA = """
CREATE TABLE core_user (id serial PRIMARY KEY, email varchar(254) UNIQUE NOT NULL,
    is_active boolean NOT NULL DEFAULT true);
CREATE TABLE admin_domain (id serial PRIMARY KEY, name varchar(100) UNIQUE NOT NULL,
    enabled boolean NOT NULL DEFAULT true);
CREATE TABLE admin_domainalias (id serial PRIMARY KEY, name varchar(254) UNIQUE NOT NULL,
    target_id integer NOT NULL REFERENCES admin_domain, enabled boolean NOT NULL DEFAULT true);
CREATE TABLE admin_mailbox (id serial PRIMARY KEY, address varchar(252) NOT NULL,
    domain_id integer NOT NULL REFERENCES admin_domain, user_id integer NOT NULL REFERENCES core_user);
CREATE TABLE admin_senderaddress (id serial PRIMARY KEY, address varchar(254) NOT NULL,
    mailbox_id integer NOT NULL REFERENCES admin_mailbox);
CREATE TABLE admin_alias (id serial PRIMARY KEY, address varchar(254) NOT NULL,
    domain_id integer REFERENCES admin_domain, enabled boolean NOT NULL DEFAULT true,
    internal boolean NOT NULL DEFAULT false, expire_at timestamptz, UNIQUE (address, internal));
CREATE TABLE modoboa_admin_aliasrecipient (id serial PRIMARY KEY, address varchar(254) NOT NULL,
    alias_id integer NOT NULL REFERENCES admin_alias,
    r_mailbox_id integer REFERENCES admin_mailbox, r_alias_id integer REFERENCES admin_alias);
INSERT INTO admin_domain (name, enabled) VALUES ('example.net', true), ('catch.example', true),
    ('closed.example', false);
INSERT INTO admin_domainalias (name, target_id, enabled)
    SELECT v.name, d.id, v.enabled FROM admin_domain d,
        (VALUES ('example.org', true), ('off.example', false)) v (name, enabled)
    WHERE d.name = 'example.net';
INSERT INTO core_user (email, is_active) VALUES ('gregory@example.net', true),
    ('root@example.net', true), ('anna@example.net', true), ('disabled@example.net', false),
    ('boss@catch.example', true), ('x@closed.example', true);
INSERT INTO admin_mailbox (address, domain_id, user_id)
    SELECT split_part(u.email, '@', 1), d.id, u.id
    FROM core_user u JOIN admin_domain d ON d.name = split_part(u.email, '@', 2);
INSERT INTO admin_alias (address, internal) SELECT email, true FROM core_user;
INSERT INTO admin_alias (address, enabled, expire_at) VALUES
    ('g.czaplinski@example.net', true, NULL), ('nick@example.net', true, now() + interval '1 day'),
    ('sales@example.net', true, NULL), ('mixed@example.net', true, NULL),
    ('outside@example.net', true, NULL), ('loop@example.net', true, NULL),
    ('pool@example.net', true, NULL), ('off@example.net', false, NULL),
    ('over@example.net', true, now() - interval '1 day'),
    ('former@example.net', true, NULL), ('@catch.example', true, NULL);
INSERT INTO modoboa_admin_aliasrecipient (address, alias_id, r_mailbox_id)
    SELECT v.to_, a.id, b.id FROM (VALUES
        ('gregory@example.net', 'gregory@example.net'), ('root@example.net', 'root@example.net'),
        ('root@example.net', 'gregory@example.net'), ('anna@example.net', 'anna@example.net'),
        ('disabled@example.net', 'disabled@example.net'),
        ('boss@catch.example', 'boss@catch.example'),
        ('g.czaplinski@example.net', 'gregory@example.net'),
        ('nick@example.net', 'g.czaplinski@example.net'),
        ('sales@example.net', 'gregory@example.net'), ('sales@example.net', 'root@example.net'),
        ('mixed@example.net', 'gregory@example.net'),
        ('mixed@example.net', 'friend@elsewhere.example'),
        ('outside@example.net', 'friend@elsewhere.example'),
        ('loop@example.net', 'pool@example.net'), ('pool@example.net', 'loop@example.net'),
        ('off@example.net', 'gregory@example.net'), ('over@example.net', 'gregory@example.net'),
        ('former@example.net', 'disabled@example.net'),
        ('@catch.example', 'anna@example.net')) v (from_, to_)
    JOIN admin_alias a ON a.address = v.from_
    LEFT JOIN (SELECT m.id, u.email FROM admin_mailbox m JOIN core_user u ON u.id = m.user_id) b
        ON b.email = v.to_;
INSERT INTO admin_senderaddress (address, mailbox_id)
    SELECT v.address, m.id FROM (VALUES ('press@elsewhere.example', 'anna@example.net'),
        ('@shop.example', 'gregory@example.net'), ('@catch.example', 'root@example.net'),
        ('sales@example.net', 'disabled@example.net')) v (address, login)
    JOIN core_user u ON u.email = v.login JOIN admin_mailbox m ON m.user_id = u.id;
"""

MAILCOW = """
CREATE TABLE domain (domain varchar(255) PRIMARY KEY, active smallint NOT NULL DEFAULT 1);
CREATE TABLE mailbox (username varchar(255) PRIMARY KEY, domain varchar(255) NOT NULL,
    active smallint NOT NULL DEFAULT 1);
CREATE TABLE alias (id serial PRIMARY KEY, address varchar(255) UNIQUE NOT NULL,
    goto text NOT NULL, domain varchar(255) NOT NULL, active smallint NOT NULL DEFAULT 1);
CREATE TABLE alias_domain (alias_domain varchar(255) PRIMARY KEY,
    target_domain varchar(255) NOT NULL, active smallint NOT NULL DEFAULT 1);
CREATE TABLE sender_acl (id serial PRIMARY KEY, logged_in_as varchar(255) NOT NULL,
    send_as varchar(255) NOT NULL, external smallint NOT NULL DEFAULT 0);
CREATE INDEX ON sender_acl (send_as);
INSERT INTO domain VALUES ('example.net', 1), ('catch.example', 1), ('example.org', 0),
    ('closed.example', 0);
INSERT INTO alias_domain VALUES ('example.org', 'example.net', 1), ('off.example', 'example.net', 0);
INSERT INTO mailbox SELECT a, split_part(a, '@', 2), (a !~ 'disabled')::int
    FROM unnest(ARRAY['gregory@example.net', 'root@example.net', 'anna@example.net',
                      'disabled@example.net', 'boss@catch.example', 'x@closed.example']) a;
INSERT INTO alias (address, goto, domain, active) SELECT a, g, split_part(a, '@', 2), on_
    FROM (VALUES
    ('gregory@example.net', 'gregory@example.net', 1),
    ('root@example.net', 'root@example.net,gregory@example.net', 1),
    ('anna@example.net', 'anna@example.net', 1),
    ('disabled@example.net', 'disabled@example.net', 1),
    ('boss@catch.example', 'boss@catch.example', 1),
    ('g.czaplinski@example.net', 'gregory@example.net', 1),
    ('nick@example.net', 'g.czaplinski@example.net', 1),
    ('sales@example.net', 'gregory@example.net,root@example.net', 1),
    ('mixed@example.net', 'gregory@example.net,friend@elsewhere.example', 1),
    ('outside@example.net', 'friend@elsewhere.example', 1),
    ('loop@example.net', 'pool@example.net', 1),
    ('pool@example.net', 'loop@example.net', 1),
    ('off@example.net', 'gregory@example.net', 0),
    ('former@example.net', 'disabled@example.net', 1),
    ('hidden@example.net', 'gregory@example.net', 2),
    ('@catch.example', 'anna@example.net', 1)) v (a, g, on_);
"""

MAILCOW_ACL = """
INSERT INTO sender_acl (logged_in_as, send_as) VALUES ('root@example.net', '*'),
    ('gregory@example.net', '@catch.example'), ('anna@example.net', '@example.net'),
    ('anna@example.net', 'press@elsewhere.example'), ('gregory@example.net', 'root@example.net'),
    ('gregory@example.net', '@shop.example'), ('disabled@example.net', '*');
"""

ISPMAIL = """
CREATE TABLE virtual_domains (id serial PRIMARY KEY, name varchar(50) UNIQUE NOT NULL);
CREATE TABLE virtual_users (id serial PRIMARY KEY, domain_id integer NOT NULL,
    email varchar(100) UNIQUE NOT NULL);
CREATE TABLE virtual_aliases (id serial PRIMARY KEY, domain_id integer NOT NULL,
    source varchar(100) NOT NULL, destination varchar(100) NOT NULL);
CREATE INDEX ON virtual_aliases (source);
INSERT INTO virtual_domains (name) VALUES ('example.net'), ('catch.example');
INSERT INTO virtual_users (domain_id, email) VALUES (1, 'gregory@example.net'),
    (1, 'root@example.net'), (1, 'anna@example.net'), (2, 'boss@catch.example');
INSERT INTO virtual_aliases (domain_id, source, destination) VALUES
    (1, 'root@example.net', 'gregory@example.net'),
    (1, 'g.czaplinski@example.net', 'Gregory@example.net'),
    (1, 'nick@example.net', 'g.czaplinski@example.net'),
    (1, 'sales@example.net', 'gregory@example.net'), (1, 'sales@example.net', 'root@example.net'),
    (1, 'mixed@example.net', 'gregory@example.net'),
    (1, 'mixed@example.net', 'friend@elsewhere.example'),
    (1, 'outside@example.net', 'friend@elsewhere.example'),
    (1, 'loop@example.net', 'pool@example.net'), (1, 'pool@example.net', 'loop@example.net'),
    (1, 'former@example.net', 'disabled@example.net'), (2, '@catch.example', 'anna@example.net');
"""

NOT_ACTIVE = {"x@closed.example": ([], False), "gregory@off.example": ([], False)}


class Example:
    """A schema with its world."""
    name = ""
    schema = ""
    differences = {}

    @classmethod
    def world(cls):
        return {**WORLD, **cls.differences}


SERVER = None


def setUpModule():
    global SERVER
    SERVER = Postgres("shared_preload_libraries = 'pg_stat_statements'", schema=None)
    SERVER.sql("CREATE EXTENSION pg_stat_statements", database="postgres")


def tearDownModule():
    SERVER.close()


def map_text(path, database):
    """The example as a site makes it its own: the four lines that say where."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    mine = {"hosts": SERVER.inet, "user": ROLE, "password": PASSWORD, "dbname": database}
    for name, value in mine.items():
        text, n = re.subn(r"(?m)^%s = .*$" % name, "%s = %s" % (name, value), text)
        assert n == 1, (path, name)
    return text


class Checks:
    """What holds for each schema; a case has it as its class `example`."""

    @classmethod
    def setUpClass(cls):
        name = cls.example.name
        SERVER.sql("CREATE DATABASE %s" % name, database="postgres")
        SERVER.sql(cls.example.schema + GRANT, database=name)
        cls.case = cls("run_nothing")
        cls.addClassCleanup(cls.case.doCleanups)
        cls.d = cls.case.serve(name)

    def run_nothing(self):
        pass

    def serve(self, name):
        daemon = self.daemon(None)
        config = [SETTLED + "default_cache_ttl = 0\ndefault_negative_cache_ttl = 0\n",
                  "socketmap_listen = unix:%s\nmaps =" % daemon.socket]
        self.paths = {}
        for kind in ("sender_login", "local_recipient"):
            path = self.paths[kind] = os.path.join(daemon.dir, kind + ".cf")
            write(path, map_text(os.path.join(EXAMPLES, "%s_%s.cf" % (name, kind)), name), 0o600)
            config[1] += " %s %s_key" % (kind, kind)
            config.append("\n%s_sources = pgsql:%s\n%s_key_sources = pgsql:%s\n"
                          "%s_key_search = full\n" % (kind, path, kind, path, kind))
        daemon.configure("".join(config))
        return daemon.start()

    def test_owners(self):
        for address, (owners, _) in self.example.world().items():
            with self.subTest(address):
                self.assertEqual(self.d.ask("sender_login", address),
                                 "OK " + ",".join(sorted(owners)) if owners else "NOTFOUND ")

    def test_recipients(self):
        for address, (_, exists) in self.example.world().items():
            with self.subTest(address):
                self.assertEqual(self.d.ask("local_recipient", address).split(" ")[0],
                                 "OK" if exists else "NOTFOUND")

    def test_all_at_once(self):
        """As batches of arrays, which the log would not tell: the same answers."""
        keys = list(self.example.world()) * 8
        for kind in ("sender_login", "local_recipient"):
            alone = {key: self.d.ask(kind, key) for key in set(keys)}
            with self.d.client() as client:
                client.send(b"".join(request(kind, key) for key in keys))
                self.assertEqual([client.read() for _ in keys], [alone[key] for key in keys])

    def test_values_are_bound_and_travel_as_arrays(self):
        self.assertNotIn("escaped into the query", self.d.log())
        self.assertNotIn("a lookup failed", self.d.log())
        for kind in ("sender_login", "local_recipient"):
            SERVER.sql("SELECT pg_stat_statements_reset()", database="postgres")
            with self.d.client() as client:
                client.send(b"".join(request(kind, "u%d@example.net" % i) for i in range(300)))
                for _ in range(300):
                    client.read()
            arrays = SERVER.sql(
                "SELECT count(*) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
                "WHERE datname = '%s' AND calls > 0 AND query LIKE 'SELECT dictd_k.n%%'"
                % self.example.name, database="postgres")
            self.assertGreater(int(arrays), 0, kind)

    @unittest.skipUnless(shutil.which("postmap", path=os.environ["PATH"] + ":/usr/sbin"),
                         "no postmap here")
    def test_postfix_says_the_same(self):
        keys = {key for address in self.example.world() if address.isascii()
                for key in (address.lower(), "@" + address.rpartition("@")[2].lower())}
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
        for kind, path in self.paths_of_case().items():
            done = subprocess.run(["postmap", "-q", "-", "pgsql:" + path], env=environment,
                                  input="".join(key + "\n" for key in sorted(keys)),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
            self.assertEqual(done.stderr, "")
            theirs = dict(line.split("\t", 1) for line in done.stdout.splitlines())
            ours = {}
            for key in keys:
                reply = self.d.ask(kind + "_key", key)
                if reply.startswith("OK "):
                    ours[key] = reply[3:]
                else:
                    self.assertEqual(reply, "NOTFOUND ", key)
            self.assertEqual(ours, theirs)
            self.assertGreater(len(ours), 5)

    def paths_of_case(self):
        return self.case.paths


class PostfixAdmin(Checks, Case):
    class example(Example):
        name = "postfixadmin"
        schema = POSTFIXADMIN
        differences = NOT_ACTIVE


class IRedMail(Checks, Case):
    class example(Example):
        name = "iredmail"
        schema = IREDMAIL
        differences = {**NOT_ACTIVE, "news@example.net": ([], True)}


class Modoboa(Checks, Case):
    class example(Example):
        name = "modoboa"
        schema = MODOBOA
        differences = {
            **NOT_ACTIVE,
            "over@example.net": ([], False),  # expired
            "press@elsewhere.example": ([ANNA], False),  # sender addresses
            "anything@shop.example": ([GREGORY], False),
            "boss@catch.example": (["boss@catch.example", ROOT_LOGIN], True),
            "whoever@catch.example": ([ANNA, ROOT_LOGIN], True),
        }


class Mailcow(Checks, Case):
    class example(Example):
        name = "mailcow"
        schema = MAILCOW
        differences = {**NOT_ACTIVE, "hidden@example.net": ([], True)}

    def test_sender_acl(self):
        SERVER.sql(MAILCOW_ACL, database="mailcow")
        try:
            for address, owners in {
                GREGORY: [ANNA, GREGORY, ROOT_LOGIN],  # @example.net, and *
                "gregory+lists@example.net": [ANNA, GREGORY, ROOT_LOGIN],
                ROOT_LOGIN: [ANNA, GREGORY, ROOT_LOGIN],
                "gregory@example.org": [ANNA, GREGORY, ROOT_LOGIN],
                "disabled@example.net": [ANNA, ROOT_LOGIN],
                "nobody-here@example.net": [ANNA, ROOT_LOGIN],
                "boss@catch.example": ["boss@catch.example", GREGORY, ROOT_LOGIN],
                "whoever@catch.example": [ANNA, GREGORY, ROOT_LOGIN],
                "press@elsewhere.example": [ANNA],
                "anything@shop.example": [GREGORY],
                "gregory@elsewhere.example": [],  # * is about this site's domains
                "x@closed.example": [],
            }.items():
                with self.subTest(address):
                    self.assertEqual(self.d.ask("sender_login", address),
                                     "OK " + ",".join(sorted(owners)) if owners else "NOTFOUND ")
            self.test_postfix_says_the_same()
        finally:
            SERVER.sql("DELETE FROM sender_acl", database="mailcow")


class IspMail(Checks, Case):
    class example(Example):
        name = "ispmail"
        schema = ISPMAIL
        # Nothing can be switched off there, and there are no alias domains.
        differences = {
            "gregory@example.org": ([], False), "g.czaplinski@example.org": ([], False),
        }


CASES = (PostfixAdmin, IRedMail, Modoboa, Mailcow, IspMail)


class Files(unittest.TestCase):
    def test_every_file_is_tested_and_described(self):
        named = {cls.example.name for cls in CASES}
        files = {os.path.basename(path) for path in glob.glob(EXAMPLES + "/*.cf")}
        self.assertEqual(files, {"%s_%s.cf" % (name, kind) for name in named
                                 for kind in ("sender_login", "local_recipient")})
        with open(os.path.join(EXAMPLES, "README"), encoding="utf-8") as file:
            text = file.read()
        for name in named:
            self.assertIn(name + "_", text)


if __name__ == "__main__":
    main()
