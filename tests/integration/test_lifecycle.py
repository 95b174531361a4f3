#!/usr/bin/env python3
"""The life of the daemon: options, start, reload, the end, privileges, restart."""

import grp
import os
import pwd
import re
import signal
import socket
import threading
import time
import unittest

from daemon import (DAEMON, IS_ROOT, Case, Client, Closed, Socketmap, TcpTable, free_port, main,
                    memory_counts, request, run_daemon, until)

KEY = "gregory@example.net"
ONE = "maps = m\nm_sources = texthash:{dir}/table\n"


class LifeCase(Case):
    def daemon(self, config=ONE, **options):
        d = super().daemon(config, **options)
        d.write("table", "gregory@example.net gregory\nroot@example.net root\n"
                + "".join("k%d@example.net v%d\n" % (i, i) for i in range(1000)))
        d.write("other", "gregory@example.net other\n")
        return d

    @staticmethod
    def try_ask(d):
        try:
            return d.ask("m", KEY)
        except OSError:
            return None


class Options(LifeCase):
    def test_version(self):
        status, out, err = run_daemon("-V")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^postfix-dictd \d+\.\d+\S*\n$")

    def test_help(self):
        status, out, err = run_daemon("-h")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("usage: postfix-dictd", out)
        for option in ("-c", "-t", "-V"):
            self.assertIn(option, out)

    def test_bad_usage(self):
        for arguments in (["-x"], ["--help-me"], ["-c"], ["-t", "-Z"], ["extra"],
                          ["-t", "-c", "/dev/null", "extra"]):
            with self.subTest(arguments):
                status, out, err = run_daemon(*arguments)
                self.assertEqual((status, out), (64, ""))
                self.assertIn("usage", err)

    def test_empty_configuration(self):
        """Nothing to serve is legal, and said."""
        status, _, err = run_daemon("-t", "-c", "/dev/null")
        self.assertIn(status, (0, 1), err)

    def test_check_does_not_disturb(self):
        """-t beside a running daemon of the same file."""
        d = self.daemon().start()
        inode = os.lstat(d.socket).st_ino
        self.assertEqual(run_daemon("-t", "-c", d.config_path)[0], 0)
        self.assertEqual(os.lstat(d.socket).st_ino, inode)
        self.assertEqual(d.ask("m", KEY), "OK gregory")

    def test_closed_standard_descriptors(self):
        """Started without stdin, stdout and stderr: no client gets one of their numbers."""
        d = self.daemon()
        pid = os.fork()
        if pid == 0:
            os.closerange(0, 3)
            os.execv(DAEMON, [DAEMON, "-c", d.config_path])
        try:
            until(lambda: os.path.exists(d.socket), "its socket")
            self.assertEqual(until(lambda: self.try_ask(d), "an answer"), "OK gregory")
            d.write("table", "broken\n")  # logs something
            time.sleep(2.5)
            with d.client() as client:
                self.assertEqual(client.ask("m", KEY), "OK gregory")
                self.assertTrue(client.is_open())
        finally:
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)


class Reload(LifeCase):
    def test_new_and_removed_maps(self):
        d = self.daemon("maps = m old\nm_sources = texthash:{dir}/table\n"
                        "old_sources = texthash:{dir}/other\n").start()
        with d.client() as client:
            self.assertEqual(client.ask("old", KEY), "OK other")
            self.assertTrue(client.ask("new", KEY).startswith("PERM "))
            d.configure("maps = m new\nm_sources = texthash:{dir}/other texthash:{dir}/table\n"
                        "new_sources = texthash:{dir}/other\n")
            d.reload()
            self.assertEqual(client.ask("new", KEY), "OK other")
            self.assertEqual(client.ask("m", KEY), "OK other")
            self.assertEqual(client.ask("m", "root@example.net"), "OK root")
            self.assertTrue(client.ask("old", KEY).startswith("PERM "))
            self.assertEqual(d.ask("new", KEY), "OK other")

    def test_rules(self):
        d = self.daemon(ONE + "recipient_delimiter = +\n").start()
        d.write("bare", "bare bare\n")
        with d.client() as client:
            self.assertEqual(client.ask("m", "gregory+x@example.net"), "OK gregory")
            self.assertEqual(client.ask("m", "gregory-x@example.net"), "NOTFOUND ")
            d.configure("maps = m\nm_sources = texthash:{dir}/table texthash:{dir}/bare\n"
                        "recipient_delimiter = -\nlocal_domains = example.org\n")
            d.reload()
            self.assertEqual(client.ask("m", "gregory+x@example.net"), "NOTFOUND ")
            self.assertEqual(client.ask("m", "gregory-x@example.net"), "OK gregory")
            self.assertEqual(client.ask("m", "bare@example.net"), "NOTFOUND ")
            self.assertEqual(client.ask("m", "bare@example.org"), "OK bare")

    def test_changed_file_is_read(self):
        """HUP obeys a changed map file at once, without waiting for the watch."""
        d = self.daemon().start()
        with d.client() as client:
            for i in range(5):
                d.write("table", "gregory@example.net version%d\n" % i)
                d.reload()
                self.assertEqual(client.ask("m", KEY), "OK version%d" % i)

    def test_endpoints_come_and_go(self):
        port = free_port()
        d = self.daemon(ONE + "socketmap_listen = unix:{dir}/stays unix:{dir}/goes\n"
                        "tcp_table_listen = unix:{dir}/tcpgoes=m\n").start()
        inode = os.lstat(d.path("stays")).st_ino
        stays = self.closing(Socketmap(d.path("stays")))
        goes = self.closing(Socketmap(d.path("goes")))
        tcp = self.closing(TcpTable(d.path("tcpgoes")))
        self.assertEqual(stays.ask("m", KEY), "OK gregory")
        self.assertEqual(goes.ask("m", KEY), "OK gregory")
        self.assertEqual(tcp.ask(KEY), "200 gregory")
        stays.send(request("m", KEY)[:9])  # in the middle of a request
        d.configure(ONE + "socketmap_listen = unix:{dir}/stays unix:{dir}/new inet:127.0.0.1:%d\n"
                    "tcp_table_listen = unix:{dir}/tcpnew=m\n" % port)
        d.reload()
        stays.send(request("m", KEY)[9:])
        self.assertEqual(stays.read(), "OK gregory")
        self.assertEqual(os.lstat(d.path("stays")).st_ino, inode)
        # Its endpoint is gone; the connection goes on.
        self.assertEqual(goes.ask("m", KEY), "OK gregory")
        self.assertEqual(tcp.ask(KEY), "200 gregory")
        for name in ("goes", "tcpgoes"):
            self.assertFalse(os.path.exists(d.path(name)), name)
        for place in (d.path("stays"), d.path("new"), ("127.0.0.1", port)):
            self.assertEqual(d.ask("m", KEY, place), "OK gregory")
        with TcpTable(d.path("tcpnew")) as client:
            self.assertEqual(client.ask(KEY), "200 gregory")

    def test_tcp_endpoint_gets_another_map(self):
        both = ("maps = m other\nm_sources = texthash:{dir}/table\n"
                "other_sources = texthash:{dir}/other\n")
        for where in ("unix:{dir}/tcp", "inet:127.0.0.1:%d" % free_port()):
            with self.subTest(where):
                d = self.daemon(both + "tcp_table_listen = %s=m\n" % where).start()
                place = (d.path("tcp") if where.startswith("unix")
                         else ("127.0.0.1", int(where.rsplit(":", 1)[1])))
                with TcpTable(place) as client:
                    self.assertEqual(client.ask(KEY), "200 gregory")
                d.configure(both + "tcp_table_listen = %s=other\n" % where)
                d.reload()
                with TcpTable(place) as client:
                    self.assertEqual(client.ask(KEY), "200 other")

    def test_endpoint_changes_its_protocol(self):
        for where in ("unix:{dir}/x", "inet:127.0.0.1:%d" % free_port()):
            with self.subTest(where):
                d = self.daemon(ONE + "socketmap_listen = %s\n" % where).start()
                place = (d.path("x") if where.startswith("unix")
                         else ("127.0.0.1", int(where.rsplit(":", 1)[1])))
                self.assertEqual(d.ask("m", KEY, place), "OK gregory")
                d.configure(ONE + "socketmap_listen = unix:{dir}/y\n"
                            "tcp_table_listen = %s=m\n" % where)
                d.reload()
                with TcpTable(place) as client:
                    self.assertEqual(client.ask(KEY), "200 gregory")
                self.assertEqual(d.ask("m", KEY, d.path("y")), "OK gregory")

    def test_socket_file_that_was_removed_comes_back(self):
        d = self.daemon().start()
        with d.client() as client:
            os.unlink(d.socket)
            d.reload()
            self.assertEqual(client.ask("m", KEY), "OK gregory")
        self.assertEqual(d.ask("m", KEY), "OK gregory")

    def test_bad_configurations_change_nothing(self):
        d = self.daemon(ONE + "socketmap_listen = unix:{dir}/socketmap\n").start()
        d.write("broken", "broken\n")
        inode = os.lstat(d.socket).st_ino
        moved = "socketmap_listen = unix:{dir}/moved\n"
        new = "maps = new\nnew_sources = texthash:{dir}/other\n" + moved
        # text, line of the error, a word of it
        cases = [
            (new + "max_client = 5\n", 4, "max_clients"),
            ("maps = new\n" + moved, 1, "new_sources"),
            ("maps = new\nnew_sources = texthash:{dir}/nowhere\n" + moved, 2, "No such file"),
            ("maps = new\nnew_sources = texthash:{dir}/broken\n" + moved, 2, "broken:1"),
            (new + "socket_group = no-such-group-here\n", None, "no-such-group-here"),
            (new + "tcp_table_listen = unix:{dir}/no/such/dir=new\n", None, "no/such/dir"),
            (new + "tcp_table_listen = unix:{dir}/table=new\n", None, "not a socket"),
            ("nonsense\n", 1, "="),
        ]
        with d.client() as client:
            for text, line, word in cases:
                with self.subTest(text):
                    d.configure(text)
                    said = d.reload(expect="reload refused")
                    self.assertIn(word, said)
                    if line is not None:
                        self.assertIn("%s:%d: " % (d.config_path, line), said)
                    self.assert_unchanged(d, client, inode)
            os.unlink(d.config_path)
            self.assertIn(d.config_path, d.reload(expect="reload refused"))
            os.mkdir(d.config_path)
            self.assertIn("directory", d.reload(expect="reload refused"))
            os.rmdir(d.config_path)
            self.assert_unchanged(d, client, inode)
            d.configure(new)
            d.reload()
            self.assertEqual(client.ask("new", KEY), "OK other")
            self.assertEqual(d.ask("new", KEY, d.path("moved")), "OK other")
        self.assertEqual(d.stop(), 0)

    def assert_unchanged(self, d, client, inode):
        self.assertEqual(client.ask("m", KEY), "OK gregory")
        self.assertTrue(client.ask("new", KEY).startswith("PERM "))
        self.assertEqual(d.ask("m", KEY), "OK gregory")
        self.assertEqual(os.lstat(d.socket).st_ino, inode)
        self.assertFalse(os.path.exists(d.path("moved")))

    def test_every_error_is_a_line_of_its_own(self):
        d = self.daemon().start()
        d.configure("max_clients = x\nlog_level = y\nsocket_mode = z\n" + ONE)
        since = d.log_size()
        d.reload(expect="reload refused")
        for line in d.log(since).splitlines():
            self.assertRegex(line, r"^postfix-dictd: ", "a line without its beginning")

    def test_warnings_are_said(self):
        d = self.daemon().start()
        d.configure(ONE + "max_clients = 5\nmax_clients = 6\n")
        self.assertIn("%s:4: " % d.config_path, d.reload())

    def test_fifty_in_a_row(self):
        d = self.daemon(ONE + "socketmap_listen = unix:{dir}/socketmap\n"
                        "tcp_table_listen = unix:{dir}/tcp=m\n").start()
        files = d.n_files()
        stop = threading.Event()
        wrong = []
        counts = [0, 0, 0]

        def one_connection(number):
            try:
                with d.client() as client:
                    while not stop.is_set():
                        i = counts[number] % 1000
                        reply = client.ask("m", "k%d@example.net" % i)
                        if reply != "OK v%d" % i:
                            wrong.append((i, reply))
                        counts[number] += 1
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(repr(error))

        def many_connections():
            try:
                while not stop.is_set():
                    with d.client() as client:
                        if client.ask("m", KEY) != "OK gregory":
                            wrong.append("gregory")
                    counts[2] += 1
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(repr(error))

        threads = [threading.Thread(target=one_connection, args=(i,)) for i in range(2)]
        threads.append(threading.Thread(target=many_connections))
        for thread in threads:
            thread.start()
        try:
            for i in range(50):
                d.configure(ONE + "max_clients = %d\n" % (1000 + i)
                            + "socketmap_listen = unix:{dir}/socketmap%s\n"
                            % (" unix:{dir}/extra" if i % 2 else "")
                            + "tcp_table_listen = unix:{dir}/tcp=m\n"
                            + ("recipient_delimiter = -\n" if i % 3 else ""))
                d.signal(signal.SIGHUP)
                time.sleep(0.01)
            d.reload()
            until(lambda: min(counts) > 10 or wrong, "all of them are served")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        until(lambda: d.n_files() <= files + 2, "no descriptors are lost")
        self.assertEqual(d.stop(), 0)

    def test_reloads_lose_no_memory(self):
        d = self.daemon().start()
        for _ in range(30):
            d.reload()
        before = d.rss_kib() if memory_counts() else 0
        for _ in range(60):
            d.reload()
        if memory_counts():
            self.assertLess(d.rss_kib() - before, 2048)

    def test_under_way(self):
        """Lookups that wait for a worker while their map changes, or goes: an answer, in order."""
        config = "maps = m nss\nm_sources = texthash:{dir}/table\nnss_sources = passwd:\n"
        d = self.daemon(config).start()
        with d.client() as client:
            for i in range(20):
                for j in range(50):
                    client.send(request("nss", "root@example.net" if j % 2 else
                                        "nobody-here@example.net"))
                    client.send(request("m", "k%d@example.net" % j))
                d.configure(config if i % 2 else ONE)
                d.signal(signal.SIGHUP)
                for j in range(50):
                    reply = client.read()
                    self.assertTrue(reply.startswith("PERM ") or reply ==
                                    ("OK root" if j % 2 else "NOTFOUND "), reply)
                    self.assertEqual(client.read(), "OK v%d" % j)


class Departures(LifeCase):
    """Clients that go while a worker looks something up for them."""

    CONFIG = "maps = m nss\nm_sources = texthash:{dir}/table\nnss_sources = passwd:\n"

    def test_reset_while_answers_come(self):
        port = free_port()
        d = self.daemon(self.CONFIG
                        + "socketmap_listen = unix:{dir}/socketmap inet:127.0.0.1:%d\n" % port
                        + "tcp_table_listen = unix:{dir}/tcp=nss\n").start()
        text = request("nss", "root@example.net")
        for i in range(3000):
            client = Client((d.socket, ("127.0.0.1", port))[i % 2])
            client.send(text * (1 + i % 5))
            if i % 3 == 0:
                client.send(request("m", KEY))
            if i % 4 == 0:
                time.sleep(0.0002)
            client.abort()
            if i % 500 == 0:
                d.check_alive()
                self.assertEqual(d.ask("nss", "root@example.net"), "OK root")
        self.assertEqual(d.ask("nss", "root@example.net"), "OK root")

    def test_reset_as_soon_as_a_reply_comes(self):
        """Many connections with answers on the way, all of them reset at once."""
        port = free_port()
        d = self.daemon(self.CONFIG + "socketmap_listen = inet:127.0.0.1:%d\n" % port).start()
        text = request("nss", "root@example.net")
        for _ in range(150):
            clients = [Client(("127.0.0.1", port)) for _ in range(8)]
            for client in clients:
                client.send(text)
            for client in clients:
                client.abort()
            d.check_alive()
        self.assertEqual(d.ask("nss", "root@example.net", ("127.0.0.1", port)), "OK root")

    def test_end_while_answers_come(self):
        for _ in range(5):
            d = self.daemon(self.CONFIG).start()
            clients = [self.closing(d.client()) for _ in range(20)]
            for client in clients:
                client.send(request("nss", "root@example.net") * 20)
            d.signal(signal.SIGTERM)
            for client in clients[::2]:
                client.abort()
            self.assertEqual(d.wait(), 0, d.log())


class End(LifeCase):
    def test_idle_clients(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                d = self.daemon(ONE + "socketmap_listen = unix:{dir}/socketmap\n"
                                "tcp_table_listen = unix:{dir}/tcp=m\n"
                                "admin_listen = unix:{dir}/admin\n").start()
                fresh = self.closing(d.client())
                used = self.closing(d.client())
                half = self.closing(d.client())
                tcp = self.closing(TcpTable(d.path("tcp")))
                admin = self.closing(Client(d.path("admin")))
                self.assertEqual(used.ask("m", KEY), "OK gregory")
                half.send(request("m", KEY)[:-4])
                self.assertEqual(tcp.ask(KEY), "200 gregory")
                started = time.monotonic()
                d.signal(number)
                for client in (fresh, used, half, tcp, admin):
                    self.assertEqual(client.wait_closed(), b"")
                self.assertEqual(d.wait(), 0)
                self.assertLess(time.monotonic() - started, 8, "too long for idle clients")
                for name in ("socketmap", "tcp", "admin"):
                    self.assertFalse(os.path.lexists(d.path(name)), name)

    def test_in_a_burst(self):
        """What it answers is right, in order and whole; then the connection ends."""
        for where in ("unix", "inet"):
            for delay in (0, 0.002, 0.02):
                with self.subTest(where=where, delay=delay):
                    self.burst(where, delay)

    def burst(self, where, delay):
        port = free_port()
        d = self.daemon(ONE + "socketmap_listen = unix:{dir}/socketmap inet:127.0.0.1:%d\n"
                        % port).start()
        client = self.closing(Socketmap(d.socket if where == "unix" else ("127.0.0.1", port)))
        stream = b"".join(request("m", "k%d@example.net" % i) for i in range(1000)) * 20

        def feed():
            try:
                client.socket.sendall(stream)
            except OSError:
                pass

        writer = threading.Thread(target=feed)
        writer.start()
        time.sleep(delay)
        d.signal(signal.SIGTERM)
        got = 0
        try:
            while True:
                self.assertEqual(client.read(), "OK v%d" % (got % 1000))
                got += 1
        except Closed as closed:
            if where == "unix":  # a reset may cut what is under way on TCP
                self.assertEqual(closed.args[0], b"", "half a reply after %d whole ones" % got)
        self.assertEqual(d.wait(), 0)
        writer.join()

    def test_under_way(self):
        """Answers that a worker still looks up are given before the end."""
        d = self.daemon("maps = nss\nnss_sources = passwd:\n").start()
        clients = [self.closing(d.client()) for _ in range(10)]
        for client in clients:
            client.send(request("nss", "root@example.net") * 100)
            self.assertEqual(client.read(), "OK root")  # it has read them: one write, one read
        d.signal(signal.SIGTERM)
        for client in clients:
            for _ in range(99):
                self.assertEqual(client.read(), "OK root")
            self.assertEqual(client.wait_closed(), b"")
        self.assertEqual(d.wait(), 0)

    def test_client_that_does_not_read(self):
        """It cannot hold the end up for long."""
        d = self.daemon().start()
        client = self.closing(d.client())
        client.socket.settimeout(0.5)
        stream = b"".join(request("m", "k%d@example.net" % i) for i in range(1000)) * 50
        try:
            client.socket.sendall(stream)
            self.fail("it took everything")
        except socket.timeout:
            pass
        self.assertEqual(d.stop(), 0)
        got = 0
        try:
            while True:
                self.assertEqual(client.read(), "OK v%d" % (got % 1000))
                got += 1
        except Closed:
            pass
        self.assertGreater(got, 100)

    def test_twice(self):
        """A second TERM does not wait."""
        d = self.daemon().start()
        client = self.closing(d.client())
        client.socket.settimeout(0.5)
        try:
            client.socket.sendall(request("m", KEY) * 100000)
        except socket.timeout:
            pass
        d.signal(signal.SIGTERM)
        d.wait_log("ending")
        time.sleep(0.3)
        if d.process.poll() is None:
            d.signal(signal.SIGTERM)
        started = time.monotonic()
        self.assertEqual(d.wait(), 0)
        self.assertLess(time.monotonic() - started, 5)

    def test_right_after_the_start(self):
        for _ in range(10):
            d = self.daemon().launch()
            d.wait_log("serving")
            d.signal(signal.SIGTERM)
            self.assertEqual(d.wait(), 0)

    def test_reload_and_end_at_once(self):
        for _ in range(10):
            d = self.daemon().start()
            for _ in range(3):
                d.signal(signal.SIGHUP)
            d.signal(signal.SIGTERM)
            self.assertEqual(d.wait(), 0)
            self.assertFalse(os.path.exists(d.socket))

    def test_no_new_clients(self):
        d = self.daemon().start()
        d.signal(signal.SIGTERM)
        d.wait()
        with self.assertRaises((FileNotFoundError, ConnectionRefusedError)):
            d.client()

    def test_sigpipe(self):
        d = self.daemon().start()
        d.signal(signal.SIGPIPE)
        self.assertEqual(d.ask("m", KEY), "OK gregory")

    def test_log_that_nobody_reads(self):
        """stderr is a pipe whose reader has gone."""
        d = self.daemon()
        read, written = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(written, 2)
            os.close(read)
            os.execv(DAEMON, [DAEMON, "-c", d.config_path])
        os.close(written)
        try:
            os.read(read, 1)  # it has said something
            os.close(read)
            until(lambda: os.path.exists(d.socket), "its socket")
            os.kill(pid, signal.SIGHUP)
            self.assertEqual(until(lambda: self.try_ask(d), "an answer"), "OK gregory")
            time.sleep(0.3)
            self.assertEqual(d.ask("m", KEY), "OK gregory")
        finally:
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)


class Restart(LifeCase):
    def test_client_reconnects(self):
        """As Postfix does it: an end of the connection, a second try at once, an answer."""
        d = self.daemon().start()
        client = d.client()
        self.assertEqual(client.ask("m", KEY), "OK gregory")
        for number in (signal.SIGTERM, signal.SIGKILL):
            d.signal(number)
            d.wait()
            with self.assertRaises((Closed, BrokenPipeError, ConnectionResetError)):
                client.ask("m", KEY)
            client.close()
            d.start()
            client = d.client()
            self.assertEqual(client.ask("m", KEY), "OK gregory")
        client.close()

    def test_inet_port_is_free_at_once(self):
        port = free_port()
        d = self.daemon(ONE + "socketmap_listen = inet:127.0.0.1:%d\n" % port)
        for _ in range(3):
            d.start()
            client = self.closing(Socketmap(("127.0.0.1", port)))
            self.assertEqual(client.ask("m", KEY), "OK gregory")
            self.assertEqual(d.stop(), 0)  # it closes first: TIME_WAIT is on its side


@unittest.skipUnless(IS_ROOT, "only root can become somebody else")
class Privileges(LifeCase):
    def setUp(self):
        self.nobody = pwd.getpwnam("nobody")

    def ids(self, pid):
        """{name: [numbers]} of every thread."""
        result = {}
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/status" % (pid, task)) as file:
                text = file.read()
            for name in ("Uid", "Gid", "Groups"):
                numbers = re.search(r"^%s:(.*)$" % name, text, re.M).group(1).split()
                result.setdefault(name, set()).update(int(number) for number in numbers)
        return result

    def test_user(self):
        d = self.daemon(ONE + "user = nobody\n").start()
        ids = self.ids(d.pid)
        self.assertEqual(ids["Uid"], {self.nobody.pw_uid})
        self.assertEqual(ids["Gid"], {self.nobody.pw_gid})
        self.assertNotIn(0, ids["Groups"])
        self.assertEqual(d.ask("m", KEY), "OK gregory")
        with open("/proc/%d/status" % d.pid) as file:
            capabilities = re.findall(r"^Cap(?:Prm|Eff):\s*(\w+)$", file.read(), re.M)
        self.assertEqual([int(c, 16) for c in capabilities], [0, 0])

    def test_user_and_group(self):
        group = next(g for g in grp.getgrall() if g.gr_gid not in (0, self.nobody.pw_gid))
        d = self.daemon(ONE + "user = nobody\ngroup = %s\n" % group.gr_name).start()
        ids = self.ids(d.pid)
        self.assertEqual((ids["Uid"], ids["Gid"]), ({self.nobody.pw_uid}, {group.gr_gid}))
        self.assertNotIn(0, ids["Groups"])

    def test_by_number(self):
        d = self.daemon(ONE + "user = %d\ngroup = 12345\n" % self.nobody.pw_uid).start()
        ids = self.ids(d.pid)
        self.assertEqual((ids["Uid"], ids["Gid"]), ({self.nobody.pw_uid}, {12345}))

    def test_low_port(self):
        """Sockets are opened before."""
        for port in range(1023, 1000, -1):
            try:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
                break
            except OSError:
                continue
        d = self.daemon(ONE + "user = nobody\nsocketmap_listen = inet:127.0.0.1:%d\n" % port)
        d.start()
        self.assertEqual(d.ask("m", KEY, ("127.0.0.1", port)), "OK gregory")

    def test_no_such_user(self):
        d = self.daemon(ONE + "user = no-such-user-here\n").launch()
        self.assertEqual(d.wait(), 1)
        self.assertIn("no-such-user-here", d.log())
        self.assertFalse(os.path.exists(d.socket))

    def test_reload_as_somebody_else(self):
        d = self.daemon(ONE + "user = nobody\n")
        d.start()
        os.chmod(d.dir, 0o755)
        with d.client() as client:
            d.write("table", "gregory@example.net changed\n")
            d.reload()
            self.assertEqual(client.ask("m", KEY), "OK changed")
            # What it may not read any more is a refused reload, not an empty map.
            os.chmod(d.path("table"), 0o600)
            d.configure(ONE + "user = nobody\ndefault_idn = yes\n")
            self.assertIn("Permission denied", d.reload(expect="reload refused"))
            self.assertEqual(client.ask("m", KEY), "OK changed")

    def test_ends_cleanly(self):
        """It may not remove its socket from root's directory; that is no failure, and the next
        start replaces it."""
        d = self.daemon(ONE + "user = nobody\n")
        d.start()
        self.assertEqual(d.stop(), 0)
        d.start()
        self.assertEqual(d.ask("m", KEY), "OK gregory")


class NotRoot(LifeCase):
    def test_user_that_it_is_already(self):
        me = pwd.getpwuid(os.geteuid()).pw_name
        d = self.daemon(ONE + "user = %s\n" % me).start()
        self.assertEqual(d.ask("m", KEY), "OK gregory")

    @unittest.skipIf(IS_ROOT, "root can become anybody")
    def test_user_that_it_cannot_become(self):
        d = self.daemon(ONE + "user = root\n").launch()
        self.assertEqual(d.wait(), 1)
        self.assertIn("not started as root", d.log())


if __name__ == "__main__":
    main()
