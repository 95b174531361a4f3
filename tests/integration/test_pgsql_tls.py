#!/usr/bin/env python3
"""pgsql:FILE over TLS, sslmode=verify-full, against a throw-away CA.

Everything that can be wrong with a certificate is TEMP, says what it is, and is
over once the server has a right one, without a word to the daemon.
"""

import fcntl
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

from daemon import main, until, write
from pg import DATABASE, PASSWORD, ROLE, Postgres
from pg_case import PgCase
from prober import Prober

CA = None
PG = None  # has TLS, and a right certificate at the beginning of each test

HBA = """\
hostssl all needs_certificate 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all is_certified 127.0.0.1/32 cert
host all needs_certificate 127.0.0.1/32 reject
host all is_certified 127.0.0.1/32 reject
"""


def openssl(*arguments, **options):
    done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise AssertionError("openssl %s: %s" % (arguments[0], done.stdout.decode()))


class Authority:
    """Signs keys; all files in one directory."""

    def __init__(self, dir, name):
        self.dir, self.name = dir, name
        self.file = self.path("crt")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=" + name, "-keyout", self.path("key"), "-out", self.file)

    def path(self, end, name=None):
        return os.path.join(self.dir, "%s.%s" % (name or self.name, end))

    def issue(self, name, common_name, days=2, alternative=None):
        """Gives the paths of the certificate and its key."""
        request, extensions = self.path("csr", name), self.path("ext", name)
        write(extensions, "subjectAltName = %s\n" % (alternative or "DNS:" + common_name))
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + common_name,
                "-keyout", self.path("key", name), "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.path("key"),
                "-CAcreateserial", "-days", str(days), "-extfile", extensions,
                "-out", self.path("crt", name))
        return self.path("crt", name), self.path("key", name)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def present(certificate):
    """The server shows this one from now on."""
    PG.put("server.crt", read(certificate[0]))
    PG.put("server.key", read(certificate[1]))
    PG.reload()


def setUpModule():
    global CA, PG
    dir = tempfile.mkdtemp(prefix="dictd-ca-", dir="/tmp")
    unittest.addModuleCleanup(shutil.rmtree, dir)
    CA = Authority(dir, "throw-away")
    CA.stranger = Authority(dir, "stranger")
    CA.good = CA.issue("good", "localhost")
    CA.wrong_name = CA.issue("wrong_name", "db.example.org")
    CA.expired = CA.issue("expired", "localhost", days=-1)
    CA.unknown = CA.stranger.issue("unknown", "localhost")
    CA.client = CA.issue("client", "is_certified")
    CA.other_client = CA.issue("other_client", "somebody")
    CA.unknown_client = CA.stranger.issue("unknown_client", "is_certified")
    CA.locked_key = CA.path("key", "locked")
    openssl("rsa", "-aes256", "-passout", "pass:Lock-0815", "-in", CA.client[1], "-out",
            CA.locked_key)
    os.chmod(CA.locked_key, 0o600)
    PG = Postgres("ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n"
                  "ssl_ca_file = 'ca.crt'\n", hba=HBA,
                  files={"server.crt": read(CA.good[0]), "server.key": read(CA.good[1]),
                         "ca.crt": read(CA.file)})
    unittest.addModuleCleanup(PG.close)
    for role in ("needs_certificate", "is_certified"):
        PG.sql("CREATE ROLE %s LOGIN PASSWORD '%s'; GRANT SELECT ON owners TO %s"
               % (role, PASSWORD, role))


def uri(pg=None, user=ROLE, host="localhost", port=None, **options):
    values = {"sslmode": "verify-full", "sslrootcert": CA.file}
    values.update(options)
    return "postgresql://%s:%s@%s:%d/%s?%s" % (
        user, PASSWORD, host, port or (pg or PG).port, DATABASE,
        "&".join("%s=%s" % item for item in values.items() if item[1] is not None))


class TlsCase(PgCase):
    def over(self, text, **options):
        """A daemon with one map over that URI."""
        return self.serve({"m": PG.map_text(hosts=text, user=None, password=None, dbname=None,
                                            **options)})

    def works(self, d):
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")


class Good(TlsCase):
    def test_verified_name_and_address(self):
        d = self.over(uri())
        self.works(d)
        self.assertEqual(PG.sql("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity "
                                "USING (pid) WHERE usename = '%s'" % ROLE).strip(), "t")
        # The name is what is verified, also where the address is given.
        self.works(self.over(uri(host="localhost", hostaddr="127.0.0.1")))
        self.assertNotIn("warning:", d.log())
        self.no_secret_in(d)

    def test_channel_binding(self):
        self.works(self.over(uri(channel_binding="require")))
        d = self.over(uri(sslmode="disable", sslrootcert=None, channel_binding="require"))
        self.always_temp(d, "m", "channel binding", n=20)

    def test_client_certificate(self):
        key = dict(sslcert=CA.client[0], sslkey=CA.client[1])
        self.works(self.over(uri(user="needs_certificate", **key)))
        self.works(self.over(uri(user="is_certified", **key)))
        self.works(self.over(uri(user="is_certified", sslcert=CA.client[0],
                                 sslkey=CA.locked_key, sslpassword="Lock-0815")))


class Bad(TlsCase):
    """Each is TEMP, says why, is quiet in the log, and keeps the password."""

    def setUp(self):
        self.addCleanup(present, CA.good)

    def fails(self, text, cause, n=30, **options):
        d = self.over(text, **options)
        self.always_temp(d, "m", cause, n=n)
        self.assertRegex(d.log(), "warning: .*" + cause)
        self.no_secret_in(d, PASSWORD, "Lock-0815")
        return d

    def kick(self):
        """Ends all sessions of the role; new ones see the certificate that is in force."""
        PG.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%s'"
               % ROLE)

    def test_wrong_now_and_right_later(self):
        for certificate, cause in ((CA.wrong_name, 'certificate for "db.example.org" does not '
                                    'match host name "localhost"'),
                                   (CA.unknown, "certificate verify failed"),
                                   (CA.expired, "certificate verify failed")):
            with self.subTest(cause=cause):
                present(certificate)
                self.wait_shown(certificate)
                d = self.fails(uri(), cause, n=1100)
                present(CA.good)
                self.ask_until(d, "m", "gregory@example.net", "OK gregory")
                self.works(d)
                self.assertIn("works again", d.log())
                # The other way round: what has worked stops, and works again.
                present(certificate)
                self.wait_shown(certificate)
                self.kick()
                until(lambda: re.search(cause, d.ask("m", "root@example.net")), cause)
                self.always_temp(d, "m", cause, n=30)
                present(CA.good)
                self.ask_until(d, "m", "gregory@example.net", "OK gregory")

    def wait_shown(self, certificate):
        """HUP is obeyed a moment later."""
        want = subprocess.run(["openssl", "x509", "-in", certificate[0], "-outform", "DER"],
                              stdout=subprocess.PIPE, check=True).stdout

        def shown():
            done = subprocess.run(
                ["openssl", "s_client", "-starttls", "postgres", "-connect",
                 "127.0.0.1:%d" % PG.port], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL)
            der = subprocess.run(["openssl", "x509", "-outform", "DER"], input=done.stdout,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            return der == want
        until(shown, "the server shows " + certificate[0])

    def test_files_that_are_missing(self):
        d = self.fails(uri(sslrootcert=CA.path("crt", "late")), "root certificate file .* does "
                       "not exist")
        shutil.copy(CA.file, CA.path("crt", "late"))
        self.ask_until(d, "m", "gregory@example.net", "OK gregory")
        self.fails(uri(user="is_certified", sslcert=CA.client[0], sslkey=CA.path("key", "none")),
                   "certificate present, but not private key file")

    def test_client_certificate(self):
        for user in ("needs_certificate", "is_certified"):
            self.fails(uri(user=user), "requires a valid client certificate")
        self.fails(uri(user="is_certified", sslcert=CA.other_client[0],
                       sslkey=CA.other_client[1]), "certificate authentication failed")
        self.fails(uri(user="needs_certificate", sslcert=CA.unknown_client[0],
                       sslkey=CA.unknown_client[1]), "unknown ca|closed the connection")

    def test_key_that_others_may_read(self):
        key = CA.path("key", "open")
        shutil.copy(CA.client[1], key)
        os.chmod(key, 0o644)
        d = self.fails(uri(user="is_certified", sslcert=CA.client[0], sslkey=key),
                       "has group or world access")
        os.chmod(key, 0o600)
        self.ask_until(d, "m", "gregory@example.net", "OK gregory")

    def test_wrong_key_password(self):
        self.fails(uri(user="is_certified", sslcert=CA.client[0], sslkey=CA.locked_key,
                       sslpassword="Lock-0816"), "could not load private key file")

    def test_server_without_tls_learns_it(self):
        with Postgres(files={"server.crt": read(CA.good[0]), "server.key": read(CA.good[1])},
                      ) as pg:
            d = self.fails(uri(pg), "server does not support SSL", n=1100)
            pg.sql("ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf()")
            self.ask_until(d, "m", "gregory@example.net", "OK gregory")

    def test_right_server_beside_wrong_ones(self):
        """Several hosts: the one whose certificate is right answers."""
        with Postgres(files={"server.crt": read(CA.wrong_name[0]),
                             "server.key": read(CA.wrong_name[1])}, config="ssl = on") as pg, \
                Postgres() as plain:
            for _ in range(3):  # the order is random
                d = self.over(uri(pg) + ", " + uri(plain) + ", " + uri())
                for _ in range(10):
                    self.works(d)


class Stalled(TlsCase):
    """A handshake that does not get on holds up nobody else."""

    def listen(self, talk):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        kept = []

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                kept.append(client)
                threading.Thread(target=self.attempt, args=(talk, client), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(lambda: [client.close() for client in kept])
        return listener.getsockname()[1]

    @staticmethod
    def attempt(talk, client):
        try:
            client.recv(8)  # SSLRequest
            talk(client)
        except OSError:
            pass

    def check(self, talk, cause, limit_s=8):
        d = self.over(uri(port=self.listen(talk)))
        with Prober(d) as prober:
            started = time.monotonic()
            self.temp(d.ask("m", "gregory@example.net"), cause)
            self.assertLess(time.monotonic() - started, limit_s)
            self.always_temp(d, "m", cause, n=200)
        self.quick(prober)
        self.no_secret_in(d)

    def test_silent_after_yes(self):
        self.check(lambda client: client.sendall(b"S"), "does not answer|connecting takes too long")

    def test_trickle(self):
        def talk(client):
            client.sendall(b"S")
            for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(60):
                time.sleep(0.3)
                client.sendall(bytes([byte]))
        self.check(talk, "does not answer|connecting takes too long")

    def test_no_tls_behind_yes(self):
        def talk(client):
            client.sendall(b"S")
            client.recv(10000)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
        self.check(talk, "SSL error|closed")

    def test_closed_after_yes(self):
        def talk(client):
            client.sendall(b"S")
            client.recv(10000)
            client.close()
        self.check(talk, "SSL|closed|reset")

    def test_neither_yes_nor_no(self):
        self.check(lambda client: client.sendall(b"HTTP/1.1"), "SSL negotiation")

    @unittest.skipUnless(sys.platform == "linux", "needs a controlling terminal of its own")
    def test_no_question_at_the_terminal(self):
        """A locked key without its password: OpenSSL would ask whoever is at the terminal."""
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        text = PG.map_text(hosts=uri(user="is_certified", sslcert=CA.client[0],
                                     sslkey=CA.locked_key),
                           user=None, password=None, dbname=None)
        d = self.serve({"m": text}, preexec_fn=lambda: _take_terminal(terminal))
        os.close(terminal)
        with Prober(d) as prober:
            self.temp(d.ask("m", "gregory@example.net"), "could not load private key file")
        self.quick(prober)


def _take_terminal(terminal):
    """In the child: the session's leader, with that terminal; its streams stay."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


if __name__ == "__main__":
    main()
