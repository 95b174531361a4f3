#!/usr/bin/env python3
"""Where the running daemon listens, for whom, and for how long: endpoints and their files,
allowed_clients, the limits on clients, two daemons on one socket, sockets from systemd."""

import fcntl
import grp
import os
import pwd
import re
import select
import signal
import socket
import stat
import subprocess
import time

from daemon import (DAEMON, IS_ROOT, PATIENCE_S, Case, Client, Closed, Socketmap, TcpTable,
                    free_port, have_ipv6, in_a_world, main, request, until)

MAPS = ("maps = m other\n"
        "m_sources = texthash:{dir}/table\n"
        "other_sources = texthash:{dir}/other\n")
KEY = "gregory@example.net"


class ListenerCase(Case):
    def daemon(self, config="", **options):
        d = super().daemon(MAPS + config, **options)
        d.write("table", "gregory@example.net gregory\nroot@example.net root\n")
        d.write("other", "gregory@example.net other\n")
        return d


class Endpoints(ListenerCase):
    def test_several_at_once(self):
        ports = [free_port() for _ in range(3)]
        v6 = have_ipv6()
        v6_ports = [free_port("::1") for _ in range(2)] if v6 else []
        d = self.daemon(
            "socketmap_listen = unix:{dir}/one, unix:{dir}/two\n"
            "   inet:127.0.0.1:%d inet:127.0.0.1:%d%s\n"
            "tcp_table_listen = inet:127.0.0.1:%d=m unix:{dir}/tcp=other%s\n"
            % (ports[0], ports[1], " inet:[::1]:%d" % v6_ports[0] if v6 else "", ports[2],
               " inet:[::1]:%d=other" % v6_ports[1] if v6 else ""))
        d.start()
        where = [d.path("one"), d.path("two"), ("127.0.0.1", ports[0]), ("127.0.0.1", ports[1])]
        tcp = [(("127.0.0.1", ports[2]), "200 gregory"), (d.path("tcp"), "200 other")]
        if v6:
            where.append(("::1", v6_ports[0]))
            tcp.append((("::1", v6_ports[1]), "200 other"))
        for place in where:
            with self.subTest(place), Socketmap(place) as client:
                self.assertEqual(client.ask("m", KEY), "OK gregory")
                self.assertEqual(client.ask("other", KEY), "OK other")
        for place, reply in tcp:
            with self.subTest(place), TcpTable(place) as client:
                self.assertEqual(client.ask(KEY), reply)

    def test_ipv6_port_leaves_ipv4_alone(self):
        if not have_ipv6():
            self.skipTest("no IPv6 here")
        port = free_port("::1")
        d = self.daemon("socketmap_listen = inet:[::]:%d\n" % port)
        d.start()
        with Socketmap(("::1", port)) as client:
            self.assertEqual(client.ask("m", KEY), "OK gregory")
        with self.assertRaises(ConnectionRefusedError):
            Socketmap(("127.0.0.1", port))
        # The same port for both families.
        both = self.daemon("socketmap_listen = inet:127.0.0.1:%d\n" % port)
        both.start()
        with Socketmap(("127.0.0.1", port)) as client:
            self.assertEqual(client.ask("m", KEY), "OK gregory")

    def test_host_name(self):
        port = free_port()
        d = self.daemon("socketmap_listen = inet:localhost:%d\n" % port)
        d.start()
        with Socketmap(("127.0.0.1", port)) as client:
            self.assertEqual(client.ask("m", KEY), "OK gregory")

    def test_host_name_without_ipv6(self):
        """localhost has two addresses in many an /etc/hosts, and only one works where IPv6 is
        off, as in most containers."""
        d = self.daemon("socketmap_listen = inet:localhost:%d unix:{dir}/socketmap\n"
                        % free_port())
        d.write("hosts", "127.0.0.1 localhost\n::1 localhost\n")
        program = """
subprocess.check_call(["mount", "--bind", %r, "/etc/hosts"])
with open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w") as file:
    file.write("1")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh22x", b"lo", 0x49))  # SIOCSIFFLAGS, up
""" % d.path("hosts")
        command = in_a_world(["-n", "-m"], program, d.command())
        if command is None or not os.path.exists("/proc/sys/net/ipv6"):
            self.skipTest("needs root, unshare(1) and a kernel with IPv6")
        d.start(command=command)
        self.assertEqual(d.ask("m", KEY), "OK gregory")

    def test_port_in_use(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            d = self.daemon("socketmap_listen = unix:{dir}/first inet:127.0.0.1:%d\n" % port)
            d.launch()
            self.assertEqual(d.wait(), 1)
            self.assertIn("inet:127.0.0.1:%d" % port, d.log())
            self.assertIn("in use", d.log())
            self.assertFalse(os.path.exists(d.path("first")), "leaves its first socket behind")

    def test_no_such_directory(self):
        d = self.daemon("socketmap_listen = unix:{dir}/first unix:{dir}/no/such/socket\n")
        d.launch()
        self.assertEqual(d.wait(), 1)
        self.assertIn(d.path("no/such/socket"), d.log())
        self.assertIn("No such file", d.log())
        self.assertFalse(os.path.exists(d.path("first")), "leaves its first socket behind")


class SocketFiles(ListenerCase):
    def mode_of(self, path):
        return stat.S_IMODE(os.lstat(path).st_mode)

    def test_default_mode(self):
        for umask in (0o000, 0o022, 0o077):
            with self.subTest(oct(umask)):
                d = self.daemon("tcp_table_listen = unix:{dir}/tcp=m\n"
                                "admin_listen = unix:{dir}/admin\n")
                d.start(umask=umask)
                for name in ("socketmap", "tcp", "admin"):
                    self.assertEqual(self.mode_of(d.path(name)), 0o660, name)

    def test_mode(self):
        for mode in (0o600, 0o666, 0o777, 0o640):
            with self.subTest(oct(mode)):
                d = self.daemon("socket_mode = 0%o\nadmin_listen = unix:{dir}/admin\n" % mode)
                if mode & 0o600 != 0o600 and not IS_ROOT:
                    continue
                d.start()
                self.assertEqual(self.mode_of(d.socket), mode)
                # Whatever may look up: steering is for the owner and the group.
                self.assertEqual(self.mode_of(d.path("admin")), mode & 0o770)

    def test_mode_without_leading_zero(self):
        d = self.daemon("socket_mode = 666\n")
        d.start()
        self.assertEqual(self.mode_of(d.socket), 0o666)

    def test_mode_changed_by_reload(self):
        d = self.daemon("socket_mode = 0600\n")
        d.start()
        with d.client() as client:
            self.assertEqual(client.ask("m", KEY), "OK gregory")
            d.configure(MAPS + "socket_mode = 0666\n")
            d.reload()
            self.assertEqual(self.mode_of(d.socket), 0o666)
            self.assertEqual(client.ask("m", KEY), "OK gregory")

    def test_owner_and_group(self):
        if not IS_ROOT:
            self.skipTest("only root may give a socket away")
        nobody = pwd.getpwnam("nobody")
        group = grp.getgrgid(nobody.pw_gid).gr_name
        d = self.daemon("socket_owner = nobody\nsocket_group = %s\n" % group)
        d.start()
        status = os.lstat(d.socket)
        self.assertEqual((status.st_uid, status.st_gid), (nobody.pw_uid, nobody.pw_gid))
        self.assertEqual(self.mode_of(d.socket), 0o660)
        d = self.daemon("socket_owner = 12345\nsocket_group = 23456\nsocket_mode = 0640\n")
        d.start()
        status = os.lstat(d.socket)
        self.assertEqual((status.st_uid, status.st_gid), (12345, 23456))
        self.assertEqual(self.mode_of(d.socket), 0o640)
        d = self.daemon("socket_group = %s\n" % group)
        d.start()
        status = os.lstat(d.socket)
        self.assertEqual((status.st_uid, status.st_gid), (0, nobody.pw_gid))

    def test_group_of_mine(self):
        mine = [gid for gid in os.getgroups() if gid != os.getegid()]
        if not mine:
            self.skipTest("this user is in one group only")
        d = self.daemon("socket_group = %d\n" % mine[0])
        d.start()
        self.assertEqual(os.lstat(d.socket).st_gid, mine[0])

    def test_owner_that_is_not_allowed(self):
        if IS_ROOT:
            self.skipTest("root may give a socket away")
        d = self.daemon("socket_owner = root\n")
        d.launch()
        self.assertEqual(d.wait(), 1)
        self.assertIn("socket_owner", d.log())
        self.assertFalse(os.path.exists(d.socket))

    def test_stale_socket_is_replaced(self):
        d = self.daemon()
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(d.socket)
        d.start()
        self.assertEqual(d.ask("m", KEY), "OK gregory")
        d.kill()  # leaves its socket behind
        self.assertTrue(os.path.exists(d.socket))
        d.start()
        self.assertEqual(d.ask("m", KEY), "OK gregory")

    def test_other_files_are_kept(self):
        def regular(path):
            with open(path, "w") as file:
                file.write("precious")

        def link(path):
            os.symlink("precious", path)

        for make in (regular, os.mkdir, link, os.mkfifo):
            with self.subTest(make.__name__):
                d = self.daemon()
                make(d.socket)
                before = os.lstat(d.socket)
                d.launch()
                self.assertEqual(d.wait(), 1)
                after = os.lstat(d.socket)
                self.assertEqual((before.st_ino, before.st_size), (after.st_ino, after.st_size))
                self.assertIn(d.socket, d.log())
                self.assertIn("not a socket", d.log())

    def test_second_daemon_refuses(self):
        first = self.daemon("socketmap_listen = unix:{dir}/socketmap\n")
        first.start()
        before = os.lstat(first.socket)
        with first.client() as client:
            self.assertEqual(client.ask("m", KEY), "OK gregory")
            for config in ("socketmap_listen = unix:{dir}/own unix:%s\n" % first.socket,
                           "socketmap_listen = unix:{dir}/own\ntcp_table_listen = unix:%s=m\n"
                           % first.socket,
                           "socketmap_listen = unix:{dir}/own\nadmin_listen = unix:%s\n"
                           % first.socket):
                second = self.daemon(config)
                second.launch()
                self.assertEqual(second.wait(), 1)
                self.assertIn(first.socket, second.log())
                self.assertIn("listens", second.log())
                self.assertFalse(os.path.exists(second.path("own")))
                self.assertEqual(client.ask("m", KEY), "OK gregory")
                self.assertEqual(first.ask("m", KEY), "OK gregory")
                self.assertEqual(os.lstat(first.socket).st_ino, before.st_ino)

    def test_many_start_at_once(self):
        """Exactly one of them wins, and serves."""
        place = self.daemon()
        racers = [self.daemon("socketmap_listen = unix:%s\n" % place.socket) for _ in range(6)]
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(place.socket)
        for racer in racers:
            racer.launch()
        until(lambda: sum(racer.process.poll() is not None for racer in racers) == 5,
              "five of six have ended")
        for racer in racers:
            if racer.process.poll() is None:
                winner = racer
            else:
                self.assertEqual(racer.process.returncode, 1, racer.log())
        winner.wait_log("serving")
        self.assertEqual(winner.ask("m", KEY, place.socket), "OK gregory")

    def test_lock_on_the_directory_does_not_hold_it_up(self):
        """Everybody who may read the directory may flock(2) it, /tmp for example."""
        d = self.daemon()
        fd = os.open(d.dir, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX)
        d.launch()
        d.wait_log("serving", seconds=15)

    def test_files_go_at_the_end(self):
        d = self.daemon("tcp_table_listen = unix:{dir}/tcp=m\nadmin_listen = unix:{dir}/admin\n")
        d.start()
        self.assertEqual(d.stop(), 0)
        for name in ("socketmap", "tcp", "admin"):
            self.assertFalse(os.path.lexists(d.path(name)), name)

    def test_anothers_file_stays_at_the_end(self):
        d = self.daemon()
        d.start()
        os.unlink(d.socket)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(d.socket)
            other.listen()
            self.assertEqual(d.stop(), 0)
            self.assertTrue(os.path.exists(d.socket), "it has removed another process's socket")


class AllowedClients(ListenerCase):
    def setUp(self):
        self.port = free_port()
        self.where = ("127.0.0.1", self.port)
        try:
            with socket.socket() as probe:
                probe.bind(("127.0.0.2", 0))
        except OSError:
            self.skipTest("127.0.0.2 cannot be used here")

    def allowing(self, value):
        d = self.daemon(self.config(value))
        return d.start()

    def config(self, value):
        line = "" if value is None else "allowed_clients = %s\n" % value
        return ("socketmap_listen = unix:{dir}/socketmap inet:127.0.0.1:%d\n" % self.port) + line

    def is_served(self, source, where=None):
        try:
            with Socketmap(where or self.where, source=source) as client:
                try:
                    return client.ask("m", KEY) == "OK gregory"
                except (Closed, BrokenPipeError, ConnectionResetError):
                    return False
        except ConnectionResetError:
            return False

    def test_default_is_loopback(self):
        self.allowing(None)
        self.assertTrue(self.is_served("127.0.0.1"))
        self.assertTrue(self.is_served("127.0.0.2"))

    def test_one_address(self):
        for value in ("127.0.0.1", "127.0.0.1/32", "192.0.2.0/24, 127.0.0.1 [::1]"):
            with self.subTest(value):
                d = self.allowing(value)
                self.assertTrue(self.is_served("127.0.0.1"))
                self.assertFalse(self.is_served("127.0.0.2"))
                self.assertRegex(d.log(), r"warning: .*127\.0\.0\.2.*allowed_clients")
                self.assertNotIn("127.0.0.1: not", d.log())
                d.stop()

    def test_prefixes(self):
        for value, one, two in (("127.0.0.0/8", True, True), ("127.0.0.0/31", True, False),
                                ("127.0.0.2/31", False, True), ("0.0.0.0/0", True, True),
                                ("127.0.0.0/30", True, True), ("10.0.0.0/8", False, False),
                                ("", False, False), ("[::]/0", False, False),
                                ("[::1]/128", False, False)):
            with self.subTest(value):
                d = self.allowing(value)
                self.assertEqual((self.is_served("127.0.0.1"), self.is_served("127.0.0.2")),
                                 (one, two))
                # A UNIX socket's mode decides, not this list.
                self.assertEqual(d.ask("m", KEY), "OK gregory")
                d.stop()

    def test_ipv6(self):
        if not have_ipv6():
            self.skipTest("no IPv6 here")
        port = free_port("::1")
        for value, served in (("[::1]/128", True), ("[::]/0", True), ("127.0.0.0/8", False),
                              ("[2001:db8::]/32", False), (None, True)):
            with self.subTest(value):
                d = self.daemon("socketmap_listen = inet:[::1]:%d\n" % port
                                + ("" if value is None else "allowed_clients = %s\n" % value))
                d.start()
                self.assertEqual(self.is_served("::1", ("::1", port)), served)
                d.stop()

    def test_refusals_are_few_lines(self):
        d = self.allowing("127.0.0.1")
        for _ in range(300):
            self.assertFalse(self.is_served("127.0.0.2"))
        lines = [line for line in d.log().splitlines() if "allowed_clients" in line]
        self.assertTrue(1 <= len(lines) <= 5, lines)
        self.assertTrue(self.is_served("127.0.0.1"))

    def test_reload(self):
        d = self.allowing("127.0.0.1")
        self.assertFalse(self.is_served("127.0.0.2"))
        d.configure(MAPS + self.config("127.0.0.2"))
        d.reload()
        self.assertTrue(self.is_served("127.0.0.2"))
        self.assertFalse(self.is_served("127.0.0.1"))


class Limits(ListenerCase):
    def test_max_clients(self):
        d = self.daemon("max_clients = 3\n")
        d.start()
        clients = [self.served_client(d) for _ in range(3)]
        for _ in range(20):
            with d.client() as more:
                self.assertEqual(more.wait_closed(), b"")
        self.assertRegex(d.log(), r"warning: .*max_clients \(3\)")
        lines = [line for line in d.log().splitlines() if "max_clients" in line]
        self.assertLessEqual(len(lines), 4, lines)
        for client in clients:
            self.assertEqual(client.ask("m", KEY), "OK gregory")
        clients[1].close()
        until(lambda: self.is_free(d), "room again")

    def is_free(self, d):
        with d.client() as client:
            return self.is_served(client)

    def is_served(self, client):
        try:
            return client.ask("m", KEY) == "OK gregory"
        except (Closed, BrokenPipeError, ConnectionResetError):
            return False

    def served_client(self, d):
        """The daemon may not have noticed yet that the one before has gone."""
        def attempt():
            client = self.closing(d.client())
            return client if self.is_served(client) else None
        return until(attempt, "a client is served")

    def test_max_clients_leaves_room_for_the_admin(self):
        d = self.daemon("max_clients = 1\nadmin_listen = unix:{dir}/admin\n")
        d.start()
        self.served_client(d)
        with Client(d.path("admin")) as admin:
            admin.send(b'20:{"command":"status"},')
            admin.fill()
            self.assertIn(b"{", bytes(admin.buffer))

    def test_max_clients_raised_by_reload(self):
        d = self.daemon("max_clients = 1\n")
        d.start()
        client = self.served_client(d)
        with d.client() as more:
            self.assertEqual(more.wait_closed(), b"")
        d.configure(MAPS + "max_clients = 2\n")
        d.reload()
        self.assertEqual(d.ask("m", KEY), "OK gregory")
        self.assertEqual(client.ask("m", KEY), "OK gregory")

    def test_idle_timeout(self):
        d = self.daemon("client_idle_timeout = 2s\n")
        d.start()
        busy, idle, silent = [self.closing(d.client()) for _ in range(3)]
        started = time.monotonic()
        self.assertEqual(idle.ask("m", KEY), "OK gregory")
        while idle.is_open() or silent.is_open():
            self.assertLess(time.monotonic() - started, PATIENCE_S, "idle clients stay")
            self.assertEqual(busy.ask("m", KEY), "OK gregory")
            time.sleep(0.1)
        self.assertGreater(time.monotonic() - started, 1.5, "closed too early")
        self.assertEqual(busy.ask("m", KEY), "OK gregory")

    def test_request_timeout(self):
        d = self.daemon("client_request_timeout = 2s\ntcp_table_listen = unix:{dir}/tcp=m\n")
        d.start()
        half = self.closing(d.client())
        slow = self.closing(d.client())
        line = self.closing(TcpTable(d.path("tcp")))
        idle = self.closing(d.client())
        behind = self.closing(d.client())
        text = request("m", "gregory@example.net")
        started = time.monotonic()
        half.send(text[:5])
        line.send("get greg")
        behind.send(text + text[:3])
        self.assertEqual(behind.read(), "OK gregory")
        # A byte now and then does not buy more time.
        waiting = [half, slow, line, behind]
        stream = iter(b"9000:m " + b"k" * 9000)
        while waiting:
            self.assertLess(time.monotonic() - started, PATIENCE_S, "half requests stay")
            waiting = [client for client in waiting if client.is_open()]
            if slow in waiting:
                try:
                    slow.send(bytes([next(stream)]))
                except OSError:
                    pass
            time.sleep(0.1)
        self.assertGreater(time.monotonic() - started, 1.5, "closed too early")
        self.assertTrue(idle.is_open(), "idle is not half a request")
        self.assertEqual(idle.ask("m", KEY), "OK gregory")

    def test_time_limits_changed_by_reload(self):
        d = self.daemon()
        d.start()
        with d.client() as idle:
            self.assertEqual(idle.ask("m", KEY), "OK gregory")
            d.configure(MAPS + "client_idle_timeout = 1s\n")
            d.reload()
            self.assertEqual(idle.wait_closed(), b"")

    def test_slow_reader_is_not_a_half_request(self):
        """What waits in the daemon because the client does not read is not the client's delay."""
        d = self.daemon("client_request_timeout = 1s\n")
        d.write("table", "big@example.net %s\n" % ("b" * 90000))
        d.start()
        with d.client() as client:
            client.send(request("m", "big@example.net") * 100)
            time.sleep(3.5)
            for i in range(100):
                self.assertEqual(client.read(), "OK " + "b" * 90000, "reply %d" % i)


class SystemdSockets(ListenerCase):
    """The protocol of sd_listen_fds(3): descriptors from 3, LISTEN_PID, _FDS, _FDNAMES."""

    SCRIPT = 'export LISTEN_PID=${PID_OVERRIDE:-$$}; exec "$@" %s'

    def launch_with(self, d, sockets, names, **environment):
        """As systemd does it."""
        fds = []
        redirections = ""
        for number, one in enumerate(sockets):
            fd = fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 50)
            self.addCleanup(os.close, fd)
            fds.append(fd)
            redirections += " %d<&%d" % (3 + number, fd)
        script = self.SCRIPT % redirections
        env = dict(os.environ, LISTEN_FDS=str(len(sockets)), **environment)
        if names is not None:
            env["LISTEN_FDNAMES"] = names
        with open(d.log_path, "ab") as log:
            d.process = subprocess.Popen(
                ["bash", "-c", script, "bash", DAEMON, "-c", d.config_path], pass_fds=fds,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def listening(self, where):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        one = socket.socket(family)
        self.addCleanup(one.close)
        one.bind(where)
        one.listen()
        return one

    def admin_asks(self, path):
        with Client(path) as admin:
            admin.send(b'20:{"command":"status"},')
            admin.fill()
            return bytes(admin.buffer)

    def test_by_name(self):
        d = self.daemon("socketmap_listen =\n")
        where = ("127.0.0.1", free_port())
        sockets = [self.listening(d.path("s")), self.listening(where),
                   self.listening(d.path("a")), self.listening(d.path("x")),
                   self.listening(d.path("s2"))]
        self.launch_with(d, sockets, "socketmap:tcp_table=other:admin:mystery:socketmap")
        d.wait_log("serving")
        self.assertEqual(d.ask("m", KEY, d.path("s")), "OK gregory")
        self.assertEqual(d.ask("m", KEY, d.path("s2")), "OK gregory")
        with TcpTable(where) as client:
            self.assertEqual(client.ask(KEY), "200 other")
        self.assertIn(b"{", self.admin_asks(d.path("a")))
        self.assertRegex(d.log(), r"warning: .*mystery")
        # They are systemd's: their files stay, and so do they over a reload.
        d.reload()
        self.assertEqual(d.ask("m", KEY, d.path("s")), "OK gregory")
        self.assertEqual(d.stop(), 0)
        for name in ("s", "s2", "a", "x"):
            self.assertTrue(os.path.exists(d.path(name)), name)

    def test_beside_its_own(self):
        """What dictd.cf names too is not opened twice; what only dictd.cf names is opened."""
        d = self.daemon("socketmap_listen = unix:{dir}/s unix:{dir}/own\n")
        passed = self.listening(d.path("s"))
        before = os.lstat(d.path("s")).st_ino
        self.launch_with(d, [passed], "socketmap")
        d.wait_log("serving")
        self.assertEqual(os.lstat(d.path("s")).st_ino, before)
        self.assertEqual(d.ask("m", KEY, d.path("s")), "OK gregory")
        self.assertEqual(d.ask("m", KEY, d.path("own")), "OK gregory")
        d.reload()
        self.assertEqual(d.ask("m", KEY, d.path("s")), "OK gregory")

    def test_for_somebody_else(self):
        """LISTEN_PID is another process: they are not ours."""
        d = self.daemon("socketmap_listen = unix:{dir}/own\n")
        passed = self.listening(d.path("s"))
        self.launch_with(d, [passed], "socketmap", PID_OVERRIDE="1")
        d.wait_log("serving")
        self.assertEqual(d.ask("m", KEY, d.path("own")), "OK gregory")
        with Socketmap(d.path("s"), timeout=1) as client, self.assertRaises(socket.timeout):
            client.ask("m", KEY)

    def test_without_names(self):
        d = self.daemon("socketmap_listen = unix:{dir}/own\n")
        self.launch_with(d, [self.listening(d.path("s"))], None)
        d.wait_log("serving")
        self.assertIn("warning", d.log())
        self.assertEqual(d.ask("m", KEY, d.path("own")), "OK gregory")

    def test_what_cannot_listen(self):
        """A unit with a mistake: not a socket, not listening. No spinning, and a word about it."""
        deaf = socket.socket(socket.AF_UNIX)
        deaf.bind(self.daemon().path("deaf"))
        one, other = socket.socketpair()
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagram.bind(("127.0.0.1", 0))
        datagram.sendto(b"x", datagram.getsockname())
        file = open("/dev/null")
        regular = open(__file__)
        for thing in (deaf, one, other, datagram, file, regular):
            self.addCleanup(thing.close)
        for name, thing in (("deaf", deaf), ("connected", one), ("datagram", datagram),
                            ("device", file), ("file", regular)):
            with self.subTest(name):
                d = self.daemon("socketmap_listen = unix:{dir}/own\n")
                self.launch_with(d, [thing], "socketmap")
                self.cannot_listen(d)

    def cannot_listen(self, d):
        until(lambda: d.process.poll() is not None or "serving" in d.log(), "it starts or ends")
        if d.process.poll() is not None:
            self.assertEqual(d.wait(), 1, d.log())  # refusing is as good
            self.assertIn("error", d.log())
            return
        self.assertEqual(d.ask("m", KEY, d.path("own")), "OK gregory")
        d.wait_at_rest("with a descriptor that cannot listen")
        self.assertIn("warning", d.log())

    def test_tcp_table_of_no_map(self):
        d = self.daemon("socketmap_listen = unix:{dir}/own\n")
        self.launch_with(d, [self.listening(d.path("t"))], "tcp_table=nothere")
        d.wait_log("serving|error", alive=False)
        if d.process.poll() is None and "serving" in d.log():
            with TcpTable(d.path("t")) as client:
                self.assertTrue(client.ask(KEY).startswith("400 "))
        self.assertIn("nothere", d.log())

    def notify_socket(self, d):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notify.close)
        notify.bind(d.path("notify"))
        notify.settimeout(PATIENCE_S)
        return notify

    def test_notify(self):
        d = self.daemon()
        notify = self.notify_socket(d)
        d.launch(environment={"NOTIFY_SOCKET": d.path("notify")})
        self.assertIn("READY=1", notify.recv(4096).decode().splitlines())
        self.assertEqual(d.ask("m", KEY), "OK gregory")  # ready means ready
        d.signal_until(signal.SIGHUP, lambda: select.select([notify], [], [], 0.5)[0])
        self.assertIn("RELOADING=1", notify.recv(4096).decode().splitlines())
        self.assertIn("READY=1", notify.recv(4096).decode().splitlines())
        d.signal(signal.SIGTERM)
        self.assertIn("STOPPING=1", notify.recv(4096).decode().splitlines())
        self.assertEqual(d.wait(), 0)

    def test_notify_after_a_refused_reload(self):
        """systemd waits for READY=1 in any case."""
        d = self.daemon()
        notify = self.notify_socket(d)
        d.launch(environment={"NOTIFY_SOCKET": d.path("notify")})
        notify.recv(4096)
        d.write("dictd.cf", "nonsense\n")
        d.signal_until(signal.SIGHUP, lambda: select.select([notify], [], [], 0.5)[0])
        self.assertIn("RELOADING=1", notify.recv(4096).decode().splitlines())
        self.assertIn("READY=1", notify.recv(4096).decode().splitlines())

    def test_notify_nobody(self):
        """A notify socket that is not there, or not one, hurts nobody."""
        for path in ("/nowhere/at/all", "relative", "/" + "x" * 300, "@", ""):
            with self.subTest(path):
                d = self.daemon()
                d.launch(environment={"NOTIFY_SOCKET": path})
                d.wait_log("serving")
                self.assertEqual(d.ask("m", KEY), "OK gregory")
                self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    main(parallel=8)
