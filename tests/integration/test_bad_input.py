#!/usr/bin/env python3
"""What clients and administrators get wrong, or do on purpose, against the running daemon:
broken requests on both protocols, clients that hog, broken configuration and map files."""

import os
import pwd
import random
import re
import socket
import time

from daemon import (DAEMON, IS_ROOT, PATIENCE_S, Case, SharedCase, Socketmap, TcpTable, free_port,
                    main, many_files, memory_counts, netstring, request, run_daemon, until)

KEYS = 1000
TABLE = ("gregory@example.net gregory\n"
         + "".join("k%d@example.net v%d\n" % (i, i) for i in range(KEYS))
         + "big@example.net %s\n" % ("b" * 20000)
         + "fits@example.net %s\n" % ("f" * 99997)
         + "toolong@example.net %s\n" % ("t" * 99998)
         + "line@example.net %s\n" % ("l" * 4091)
         + "longline@example.net %s\n" % ("l" * 4092)
         + "comma@example.net gregory, root%20\n")
GOOD = request("m", "gregory@example.net")
GOOD_REPLY = "OK gregory"


class Server(SharedCase):
    """One daemon with a table on socketmap and tcp."""

    files = {"table": TABLE}

    @classmethod
    def setUpClass(cls):
        cls.tcp = ("127.0.0.1", free_port())
        cls.config = ("maps = m\n"
                      "m_sources = texthash:{dir}/table\n"
                      "tcp_table_listen = inet:%s:%d=m\n"
                      "max_clients = 12000\n" % cls.tcp)
        super().setUpClass()


class Netstrings(Server):
    # What can never become a request. The part before | may come without the connection's end.
    BAD = [
        ("a leading zero", b"0|5:m abc,"),
        ("leading zeros", b"0|0005:m abc,"),
        ("two zeros", b"0|0:,"),
        ("no length", b"|:m abc,"),
        ("no length, only a comma", b"|,"),
        ("a negative length", b"|-5:m abc,"),
        ("a sign", b"|+5:m abc,"),
        ("white space before the length", b"| 5:m abc,"),
        ("white space behind the length", b"5| :m abc,"),
        ("hexadecimal", b"|x5:m abc,"),
        ("hexadecimal with 0x", b"0|x5:m abc,"),
        ("eleven digits", b"1234|5678901:m abc,"),
        ("eleven zeros", b"0|0000000000:m abc,"),
        ("two to the 32nd", b"4294|967296:"),
        ("two to the 64th, and five", b"1844|6744073709551621:m abc,"),
        ("a hundred digits", b"1111|" + b"1" * 100 + b":"),
        ("over the limit", b"1050|0:"),
        ("over the limit by one", b"1025|7:"),
        ("far over the limit", b"9999|9:"),
        ("a missing comma", b"5:m abc|;"),
        ("a comma too late", b"5:m abc|d,"),
        ("a length too short", b"4:m ab|c,"),
        ("a newline", b"|\n"),
        ("a NUL", b"|\0"),
        ("a byte over 127", b"|\xff5:m abc,"),
        ("another protocol", b"|get gregory@example.net\n"),
        ("HTTP", b"|GET / HTTP/1.0\r\n\r\n"),
        ("TLS", b"|\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ]

    def test_closes(self):
        for name, text in self.BAD:
            with self.subTest(name), self.d.client() as client:
                client.send(text.replace(b"|", b"", 1))
                self.assertEqual(client.wait_closed(), b"")

    def test_closes_behind_a_good_request(self):
        for name, text in self.BAD:
            with self.subTest(name), self.d.client() as client:
                client.send(GOOD + text.replace(b"|", b"", 1))
                self.assertEqual(client.read(), GOOD_REPLY)
                self.assertEqual(client.wait_closed(), b"")

    def test_ignores_what_comes_behind(self):
        for name, text in self.BAD:
            with self.subTest(name), self.d.client() as client:
                client.send(GOOD + text.replace(b"|", b"", 1) + b"," + GOOD)
                self.assertEqual(client.read(), GOOD_REPLY)
                self.assertEqual(client.wait_closed(), b"")

    def test_closes_as_soon_as_it_can_tell(self):
        for name, text in self.BAD:
            before, after = text.split(b"|", 1)
            with self.subTest(name), self.d.client() as client:
                if before:
                    client.send(before)
                    client.send(b"")
                    time.sleep(0.005)
                    self.assertTrue(client.is_open(), "closed too early")
                client.send(after[:1])
                self.assertEqual(client.wait_closed(), b"")

    def test_tcp_too(self):
        """Over TCP unread input makes the end a reset, which must not eat replies."""
        port = free_port()
        d = self.daemon("maps = m\nm_sources = texthash:{dir}/table\n"
                        "socketmap_listen = inet:127.0.0.1:%d\n" % port)
        d.write("table", TABLE)
        d.start()
        for name, text in self.BAD:
            with self.subTest(name), Socketmap(("127.0.0.1", port)) as client:
                client.send(GOOD + text.replace(b"|", b"", 1))
                self.assertEqual(client.read(), GOOD_REPLY)
                self.assertEqual(client.wait_closed(), b"")

    def test_goes_on(self):
        """Sound framing, unsound content: an answer, and the connection stays."""
        cases = [
            ("zero length", b"0:,", "PERM "),
            ("no space", b"3:abc,", "PERM "),
            ("only the map", b"1:m,", "PERM "),
            ("an empty map", netstring(b" gregory@example.net"), "PERM "),
            ("a space alone", netstring(b" "), "PERM "),
            ("an empty key", netstring(b"m "), "NOTFOUND "),
            ("a space as key", netstring(b"m  "), "NOTFOUND "),
            ("no such map", request("other", "gregory@example.net"), "PERM "),
            ("the map in capitals", request("M", "gregory@example.net"), "PERM "),
            ("a map name of 10,000 bytes", request("m" * 10000, "k"), "PERM "),
            ("a newline in the map's name", request("m\n", "gregory@example.net"), "PERM "),
            ("a NUL in the map's name", request("m\0", "gregory@example.net"), "PERM "),
            ("a newline in a word without a space", netstring(b"m\nabc"), "PERM "),
            ("the longest request", netstring(b"m " + b"k" * 10254), "NOTFOUND "),
            ("a comma inside", request("m", "a,b@example.net"), "NOTFOUND "),
            ("a netstring inside", request("m", GOOD), "NOTFOUND "),
        ]
        with self.d.client() as client:
            for name, text, expected in cases:
                with self.subTest(name):
                    client.send(text)
                    reply = client.read()
                    self.assertTrue(reply.startswith(expected), reply)
                    if expected == "NOTFOUND ":
                        self.assertEqual(reply, "NOTFOUND ")
                    self.assertTrue(reply.isprintable(), reply)
                    self.assertLess(len(reply), 300)
                    client.send(GOOD)
                    self.assertEqual(client.read(), GOOD_REPLY)

    def test_keys_of_all_bytes(self):
        """Every byte, at the start, inside, and at the end of a key: an answer, never TEMP."""
        with self.d.client() as client:
            for byte in range(256):
                c = bytes([byte])
                for key in (c, c + b"gregory@example.net", b"greg" + c + b"ory@example.net",
                            b"gregory@exam" + c + b"ple.net", b"gregory@example.net" + c):
                    reply = client.ask("m", key)
                    if reply == "NOTFOUND ":
                        continue
                    # `+` is the recipient_delimiter, "" quotes nothing, and so on: sane finds.
                    self.assertIn(reply, ("OK gregory",), repr(key))
                    self.assertTrue(32 < byte < 127, repr(key))

    def test_odd_keys(self):
        keys = [
            b"\0", b"gregory\0@example.net", b"gregory@example.net\0", b"\0gregory@example.net",
            b"gregory@example.net\n", b"gregory@example.net\r\n", b"\tgregory@example.net",
            b"gregory@example.net\x7f", b"\xff\xfe@example.net", b"gregory@example.net\xc3",
            b"\xc0\xaf@example.net", b"\xed\xa0\x80@example.net", b"\xf4\x90\x80\x80@example.net",
            b"@", b"@@", b"@@@@", b"+@example.net", b"\"\"@example.net", b"\"", b"\"@", b"\\",
            b"\\@", b"\"\\\"@example.net", b"\"gregory@example.net", b"@[", b"a@[192.0.2.1",
            b"a@[]", b"a@[IPv6:::::::::]", b"a@[IPv6:" + b"f" * 200 + b"]", b"%s%n%s@example.net",
            b"." * 10000, b"@" * 10000, b"\"" * 10000, b"\\" * 10000, b"+" * 10000,
            b"a+" * 5000, b"xn--" * 2500, b"a@xn--", b"a@xn--\xc3\xa9", b"a@" + b"." * 5000,
            "\u0130@example.net".encode() * 500, "\ufb03".encode() * 3000,
            b"(" * 10000, b"<" * 5000 + b">" * 5000, b"a@b:" * 2500,
        ]
        with self.d.client() as client:
            for key in keys:
                self.assertEqual(client.ask("m", key), "NOTFOUND ", repr(key[:60]))

    def test_byte_by_byte(self):
        """The same replies as from the same bytes sent whole."""
        stream = (GOOD + b"3:abc," + request("m", "k7@example.net") + b"0:,"
                  + request("m", "nobody-here@example.net") + request("other", "k7@example.net"))
        with self.d.client() as whole, self.d.client() as bytewise:
            whole.send(stream)
            for byte in stream:
                bytewise.send(bytes([byte]))
                time.sleep(0.0005)
            expected = [whole.read() for _ in range(6)]
            self.assertEqual([bytewise.read() for _ in range(6)], expected)
            self.assertEqual(expected[2], "OK v7")

    def test_random_pieces(self):
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        wanted = [rng.randrange(KEYS) for _ in range(3000)]
        stream = b"".join(request("m", "k%d@example.net" % i) for i in wanted)
        with self.d.client() as client:
            at = 0
            while at < len(stream):
                size = rng.choice((1, 2, 3, 7, 100, 5000, 16384, 40000))
                client.send(stream[at:at + size])
                at += size
            for i in wanted:
                self.assertEqual(client.read(), "OK v%d" % i, "seed %d" % seed)

    def test_garbage(self):
        """Random bytes: the daemon closes or waits for more; it does not fall over."""
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        clients = []
        for _ in range(200):
            client = self.closing(self.d.client())
            clients.append(client)
            alphabet = rng.choice((b"0123456789:, m", bytes(range(256)), b"0:,1"))
            try:
                client.send(bytes(rng.choice(alphabet) for _ in range(rng.randrange(1, 200))))
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assertEqual(self.d.ask("m", "gregory@example.net"), GOOD_REPLY, "seed %d" % seed)


class Pipelining(Server):
    def test_ten_thousand_in_one_write(self):
        stream = b"".join(request("m", "k%d@example.net" % (i % KEYS)) for i in range(10000))
        with self.d.client() as client:
            # A blocking sendall would wait for ever if the daemon waited for us.
            self.exchange(client, stream, ["OK v%d" % (i % KEYS) for i in range(10000)])

    def test_all_kinds_in_order(self):
        kinds = [(request("m", "k1@example.net"), "OK v1"),
                 (request("m", "nobody-here@example.net"), "NOTFOUND "),
                 (request("m", b"\xff"), "NOTFOUND "),
                 (request("m", "big@example.net"), "OK " + "b" * 20000),
                 (request("m", "fits@example.net"), "OK " + "f" * 99997)]
        rng = random.Random(7)
        chosen = [rng.choice(kinds) for _ in range(1000)]
        with self.d.client() as client:
            self.exchange(client, b"".join(text for text, _ in chosen),
                          [reply for _, reply in chosen])

    def test_half_close(self):
        """A client that has said all it has to say gets all its replies, then the end."""
        for count in (0, 1, 10, 10000):
            with self.subTest(count), self.d.client() as client:
                stream = b"".join(request("m", "k%d@example.net" % (i % KEYS))
                                  for i in range(count))
                self.exchange(client, stream, ["OK v%d" % (i % KEYS) for i in range(count)],
                              finish=True)
                self.assertEqual(client.wait_closed(), b"")

    def test_half_close_with_half_a_request(self):
        with self.d.client() as client:
            client.send(GOOD + GOOD[:-3])
            client.finish()
            self.assertEqual(client.read(), GOOD_REPLY)
            self.assertEqual(client.wait_closed(), b"")

    def exchange(self, client, stream, replies, finish=False):
        """Writes and reads at once."""
        sent = 0
        got = 0
        client.socket.setblocking(False)
        deadline = time.monotonic() + PATIENCE_S
        while got < len(replies) or sent < len(stream):
            self.assertLess(time.monotonic(), deadline, "sent %d bytes, got %d replies"
                            % (sent, got))
            if sent < len(stream):
                try:
                    sent += client.socket.send(stream[sent:sent + (1 << 20)])
                except BlockingIOError:
                    pass
                if sent == len(stream) and finish:
                    client.finish()
            try:
                while got < len(replies):
                    self.assertEqual(client.read()[:50], replies[got][:50], "reply %d" % got)
                    got += 1
            except BlockingIOError:
                time.sleep(0.0005)
        if finish and not stream:
            client.finish()
        client.socket.settimeout(PATIENCE_S)

    def test_values_at_the_limit(self):
        with self.d.client() as client:
            self.assertEqual(client.ask("m", "fits@example.net"), "OK " + "f" * 99997)
            reply = client.ask("m", "toolong@example.net")
            self.assertTrue(reply.startswith("PERM "), reply[:60])
            self.assertEqual(client.ask("m", "gregory@example.net"), GOOD_REPLY)


class Hogs(Server):
    """Clients that take what they can get. Others must not notice, and memory stays bounded."""

    def assert_prompt(self):
        """Another client is served."""
        started = time.monotonic()
        self.assertEqual(self.d.ask("m", "gregory@example.net"), GOOD_REPLY)
        self.assertLess(time.monotonic() - started, 5, "too long for another client")

    def assert_grew_at_most(self, before_kib, kib, what):
        if not memory_counts():
            return
        grown = self.d.rss_kib() - before_kib
        self.assertLess(grown, kib, "%s: the daemon grew by %d KiB" % (what, grown))

    def warm(self):
        """What the first clients cost once does not count."""
        clients = [self.d.client() for _ in range(50)]
        for client in clients:
            client.ask("m", "k1@example.net")
            client.ask("m", "fits@example.net")
        for client in clients:
            client.close()
        return self.d.rss_kib() if memory_counts() else 0

    def test_announced_is_not_taken(self):
        before = self.warm()
        for length in (b"99999:", b"10500:", b"4294967295:"):
            for _ in range(500):
                with self.d.client() as client:
                    client.send(length + b"x" * 50)
                    self.assertEqual(client.wait_closed(), b"")
        self.assert_grew_at_most(before, 4096, "1,500 oversized announcements")

    def test_announced_within_the_limit_is_not_taken_either(self):
        before = self.warm()
        clients = [self.closing(self.d.client()) for _ in range(500)]
        for client in clients:
            client.send(b"10000:m ")
        self.assert_prompt()
        self.assert_grew_at_most(before, 500 * 4 + 4096, "500 announcements of 10,000 bytes")

    def test_half_requests(self):
        before = self.warm()
        clients = [self.closing(self.d.client()) for _ in range(500)]
        for client in clients:
            client.send(b"10000:m " + b"k" * 9000)
        self.assert_prompt()
        self.assert_grew_at_most(before, 500 * 24 + 4096, "500 half requests of 9,000 bytes")
        for client in clients:
            client.send(b"k" * 998 + b",")
        for client in clients:
            self.assertEqual(client.read(), "NOTFOUND ")

    def test_half_requests_keep_no_output_buffer(self):
        """A buffer for replies is lent for the time of a reply, not held by half a request."""
        before = self.warm()
        clients = []
        with self.d.client() as busy:
            for _ in range(300):
                busy.ask("m", "fits@example.net")
                client = self.closing(self.d.client())
                clients.append(client)
                client.send(b"2000:m ")
        self.assert_prompt()
        self.assert_grew_at_most(before, 300 * 8 + 4096, "300 half requests of 7 bytes")

    def test_ten_thousand_silent_clients(self):
        with many_files(10500) as limit:
            count = min(10000, limit - 300, self.daemon_files() - 300)
            if count < 2000:
                self.skipTest("only %d file descriptors" % limit)
            before = self.warm()
            clients = []
            try:
                for i in range(count):
                    clients.append(self.d.client())
                    if i % 500 == 0:
                        self.assert_prompt()
                for _ in range(20):
                    self.assert_prompt()
                self.assert_grew_at_most(before, count * 2 + 4096, "%d silent clients" % count)
                for client in clients[::97]:
                    self.assertEqual(client.ask("m", "k3@example.net"), "OK v3")
            finally:
                for client in clients:
                    client.close()
            until(lambda: self.d.n_files() < 200, "the daemon closed its ends")

    def daemon_files(self):
        try:
            with open("/proc/%d/limits" % self.d.pid) as file:
                return int(re.search(r"Max open files\s+(\d+)", file.read()).group(1))
        except OSError:
            return 0

    def test_never_reads(self):
        """Its requests wait in the sockets, not in the daemon; then it reads, and all is there."""
        for name in ("k%d@example.net", "big@example.net"):
            with self.subTest(name):
                self.never_reads(name)

    def never_reads(self, name):
        before = self.warm()
        with self.d.client() as client:
            sent = 0
            client.socket.settimeout(0.5)
            block = 200
            while sent < 200000:
                stream = b"".join(request("m", name % ((sent + i) % KEYS) if "%" in name else name)
                                  for i in range(block))
                at = 0
                try:
                    while at < len(stream):
                        at += client.socket.send(stream[at:])
                except socket.timeout:
                    break
                sent += block
            else:
                self.fail("the daemon took 200,000 requests without a reply being read")
            self.assert_prompt()
            self.assert_grew_at_most(before, 4096, "a client that does not read")
            self.assertTrue(client.is_open())
            client.socket.settimeout(PATIENCE_S)
            got = 0
            rest = stream[at:]
            client.socket.setblocking(False)
            deadline = time.monotonic() + PATIENCE_S
            while got < sent + block:
                self.assertLess(time.monotonic(), deadline, "got %d of %d" % (got, sent + block))
                try:
                    if rest:
                        rest = rest[client.socket.send(rest):]
                except BlockingIOError:
                    pass
                try:
                    while got < sent + block:
                        expected = "OK v%d" % (got % KEYS) if "%" in name else "OK " + "b" * 20000
                        self.assertEqual(client.read(), expected, "reply %d" % got)
                        got += 1
                except BlockingIOError:
                    time.sleep(0.0005)

    def test_many_that_never_read(self):
        before = self.warm()
        stream = b"".join(request("m", "k%d@example.net" % i) for i in range(KEYS)) * 20
        clients = [self.closing(self.d.client()) for _ in range(100)]
        for client in clients:
            client.socket.setblocking(False)
            at = 0
            for _ in range(100):
                try:
                    at += client.socket.send(stream[at:at + 65536])
                except BlockingIOError:
                    break
        for _ in range(5):
            self.assert_prompt()
        # 64 KiB and what doubling a buffer leaves over, each.
        self.assert_grew_at_most(before, 100 * 160 + 4096, "100 clients that do not read")
        self.d.wait_at_rest("while 100 clients do not read")

    def test_leaves_without_reading(self):
        """SIGPIPE and resets are harmless."""
        stream = b"".join(request("m", "k%d@example.net" % i) for i in range(KEYS))
        for i in range(300):
            client = Socketmap(self.d.socket) if i % 2 else TcpTable(self.tcp)
            try:
                client.send(stream if i % 2 else b"get k1@example.net\n" * 500)
            except OSError:
                pass
            client.abort()
        self.assert_prompt()
        until(lambda: self.d.n_files() < 60, "the daemon closed its ends")


class TcpLines(Server):
    def tcp_client(self):
        return self.closing(TcpTable(self.tcp))

    def test_answers(self):
        client = self.tcp_client()
        cases = [
            (b"get gregory@example.net\n", "200 gregory"),
            (b"get gregory@example.net\r\n", "200 gregory"),
            (b"get greg%6Fry@example.net\n", "200 gregory"),
            (b"get greg%6fry%40example.net\n", "200 gregory"),
            (b"get GREGORY@EXAMPLE.NET\n", "200 gregory"),
            (b"get comma@example.net\n", "200 gregory,%20root%2520"),
            (b"get nobody-here@example.net\n", "500 not found"),
            (b"get nobody@here%00\n", "500 not found"),
            (b"get gregory@example.net%00\n", "500 not found"),
            (b"get gregory@example.net%0D\r\n", "500 not found"),
            (b"get gregory@example.net%0A\n", "500 not found"),
            (b"get %FF%FE\n", "500 not found"),
            (b"get \xff\xfe\n", "500 not found"),
            (b"get \n", "500 not found"),
            (b"get  gregory@example.net\n", "500 not found"),
            (b"get line@example.net\n", "200 " + "l" * 4091),
        ]
        for text, expected in cases:
            with self.subTest(text):
                client.send(text)
                self.assertEqual(client.read(), expected)

    def test_bad_lines_are_400(self):
        client = self.tcp_client()
        for text in (b"\n", b"\r\n", b"get\n", b"put a b\n", b"GET a\n", b"gett a\n", b"get\ta\n",
                     b"quit\n", b"5:m abc,\n", b"get %\n", b"get a%4\n", b"get a%4\r\n",
                     b"get %zz\n", b"get %4g\n", b"get %-1\n", b"get % 41\n", b"get %%41\n",
                     b"get \0%\n", b"\0\n", b"\xff\xff\n", b"get longline@example.net\n"):
            with self.subTest(text):
                client.send(text)
                reply = client.read()
                self.assertTrue(reply.startswith("400 "), reply)
                self.assertGreater(len(reply), 8)
                self.assertLessEqual(len(reply), 4095)
                # The framing is sound: the connection goes on.
                self.assertEqual(client.ask("gregory@example.net"), "200 gregory")

    def test_long_lines(self):
        longest = b"get " + b"k" * (4095 - 4) + b"\n"
        self.assertEqual(len(longest), 4096)
        client = self.tcp_client()
        client.send(longest)
        self.assertEqual(client.read(), "500 not found")
        client.send(b"get gregory@example.net\n" + b"get " + b"k" * 4092)
        self.assertEqual(client.read(), "200 gregory")
        self.assertEqual(client.wait_closed(), b"")

    def test_line_without_end(self):
        client = self.tcp_client()
        with self.assertRaises(OSError):
            for _ in range(100000):
                client.send(b"x" * 1024)
        for text in (b"x" * 4096, b"get " + b"%41" * 1400):
            client = self.tcp_client()
            client.send(text)
            self.assertEqual(client.wait_closed(), b"")

    def test_byte_by_byte(self):
        stream = b"get k1@example.net\r\nbogus\nget %zz\nget k2%40example.net\n"
        client = self.tcp_client()
        for byte in stream:
            client.send(bytes([byte]))
            time.sleep(0.0005)
        replies = [client.read() for _ in range(4)]
        self.assertEqual([replies[0], replies[3]], ["200 v1", "200 v2"])
        self.assertEqual([reply[:4] for reply in replies[1:3]], ["400 ", "400 "])

    def test_pipelined(self):
        client = self.tcp_client()
        client.send(b"".join(b"get k%d@example.net\n" % i for i in range(KEYS)))
        for i in range(KEYS):
            self.assertEqual(client.read(), "200 v%d" % i)

    def test_half_close(self):
        client = self.tcp_client()
        client.send(b"".join(b"get k%d@example.net\n" % i for i in range(KEYS)) + b"get k")
        client.finish()
        for i in range(KEYS):
            self.assertEqual(client.read(), "200 v%d" % i)
        self.assertEqual(client.wait_closed(), b"")


GOOD_CONFIG = ("maps = m\n"
               "m_sources = texthash:{dir}/table\n"
               "local_domains = example.net\nrecipient_delimiter = +\n"
               "owner_request_special = yes\n"
               "admin_listen = none\n"
               "socketmap_listen = unix:{dir}/socketmap")


class Configuration(Case):
    """-t: 0, or 1 with FILE:LINE: what is wrong; the same at start."""

    def setUp(self):
        self.d = self.daemon(None)
        self.d.write("table", TABLE)

    def check(self, text):
        """Writes the file as it is; gives what -t says."""
        if isinstance(text, str):
            text = text.replace("{dir}", self.d.dir)
        self.d.write("dictd.cf", text)
        return run_daemon("-t", "-c", self.d.config_path)

    def assert_refused(self, text, line, about):
        status, out, err = self.check(text)
        self.assertEqual(status, 1, err)
        self.assertEqual(out, "")
        where = "%s:%d: " % (self.d.config_path, line)
        self.assertTrue(any(said.startswith(where) for said in err.splitlines()),
                        "no line begins with %r:\n%s" % (where, err))
        self.assertIn(about, err)
        for said in err.splitlines():
            self.assertTrue(said.isprintable(), repr(said))
        # The daemon does not start either, and says the same.
        d = self.daemon(None, dir=self.d.dir)
        d.launch()
        self.assertEqual(d.wait(), 1)
        self.assertIn(where, d.log())
        self.assertIn(about, d.log())
        return err

    def assert_accepted(self, text):
        status, out, err = self.check(text)
        self.assertEqual((status, out), (0, ""), err)
        return err

    def test_good(self):
        self.assertEqual(self.assert_accepted(GOOD_CONFIG + "\n"), "")
        self.assertFalse(os.path.exists(self.d.socket), "-t leaves nothing behind")

    def test_directory(self):
        status, _, err = run_daemon("-t", "-c", self.d.dir)
        self.assertEqual(status, 1)
        self.assertTrue(err.startswith(self.d.dir + ":"), err)
        self.assertIn("directory", err)

    def test_missing(self):
        path = self.d.path("nowhere.cf")
        status, _, err = run_daemon("-t", "-c", path)
        self.assertEqual(status, 1)
        self.assertTrue(err.startswith(path + ":"), err)
        self.assertIn("No such file", err)

    def test_unreadable(self):
        options = {}
        self.d.write("dictd.cf", GOOD_CONFIG.replace("{dir}", self.d.dir))
        os.chmod(self.d.config_path, 0)
        if IS_ROOT:
            nobody = pwd.getpwnam("nobody")
            os.chmod(self.d.dir, 0o755)
            pid = os.fork()
            if pid == 0:
                os.setuid(nobody.pw_uid)
                os._exit(0 if os.access(DAEMON, os.X_OK) else 1)
            if os.waitpid(pid, 0)[1] != 0:
                self.skipTest("nobody cannot run " + DAEMON)
            options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [],
                       "cwd": "/"}
        status, _, err = run_daemon("-t", "-c", self.d.config_path, **options)
        self.assertEqual(status, 1)
        self.assertTrue(err.startswith(self.d.config_path + ":"), err)
        self.assertIn("Permission denied", err)

    def test_ends_inside_a_continuation(self):
        # Whole, though the last newline is missing.
        self.assert_accepted(GOOD_CONFIG.replace("m_sources = ", "m_sources =\n  ", 1) + ",\n  ")
        self.assert_accepted(GOOD_CONFIG + ",\n\n# a comment\n   \n\t")
        self.assert_accepted(GOOD_CONFIG.replace("socketmap_listen = ", "socketmap_listen =\n\t"))
        # Cut short.
        text = GOOD_CONFIG + "\ndefault_sources =\n   texthash:"
        self.assert_refused(text, 8, "default_sources")
        self.assert_refused(GOOD_CONFIG + ",\n  unix:", 7, "socketmap_listen")
        self.assert_refused(GOOD_CONFIG + "\nsocket_mode =\n", 8, "socket_mode")
        self.assert_refused(GOOD_CONFIG + "\nlocal_domains =\n  ${unfinished", 8, "unfinished")

    def test_begins_with_a_continuation(self):
        self.assert_refused("  maps = m\n" + GOOD_CONFIG, 1, "white space")

    def test_damaged(self):
        self.assert_refused("maps\n" + GOOD_CONFIG, 1, "=")
        self.assert_refused("= m\n" + GOOD_CONFIG, 1, "name")
        self.assert_refused("ma ps = m\n" + GOOD_CONFIG, 1, "white space")
        self.assert_refused(GOOD_CONFIG + "\nmaps = m\0n\n", 8, "NUL")
        status, _, err = self.check(os.urandom(20000))
        self.assertEqual(status, 1)
        self.assertLess(len(err.splitlines()), 200, "a wrong file floods the log")

    def test_suggestions(self):
        for wrong, right in (("socketmap_lisen", "socketmap_listen"),
                             ("max_client", "max_clients"),
                             ("recipient_delimeter", "recipient_delimiter"),
                             ("m_source", "m_sources"),
                             ("m_serch", "m_search"),
                             ("default_combin", "default_combine"),
                             ("log_levle", "log_level")):
            with self.subTest(wrong):
                self.assert_refused(GOOD_CONFIG + "\n%s = x\n" % wrong, 8, right)

    def test_wrong_values(self):
        for name, value in (("max_clients", "0"), ("max_clients", "many"), ("max_clients", "-1"),
                            ("client_idle_timeout", "0"), ("client_idle_timeout", "5 parsecs"),
                            ("client_request_timeout", "-3s"), ("socket_mode", "0999"),
                            ("socket_mode", "rw"), ("allowed_clients", "127.0.0.1/33"),
                            ("allowed_clients", "[::1]/129"), ("allowed_clients", "localhost"),
                            ("allowed_clients", "127.0.0.1/8/8"), ("log_level", "loud"),
                            ("log_target", "printer"), ("m_search", "full everywhere"),
                            ("m_combine", "both"), ("m_idn", "perhaps"), ("m_timeout", "x"),
                            ("m_sources", "oracle:/x"), ("m_sources", "/x"), ("m_sources", ""),
                            ("tcp_table_listen", "inet:127.0.0.1:1=other"),
                            ("tcp_table_listen", "inet:127.0.0.1:1"),
                            ("socketmap_listen", "inet:127.0.0.1:70000"),
                            ("socketmap_listen", "inet:127.0.0.1"),
                            ("socketmap_listen", "unix:relative"),
                            ("socketmap_listen", "unix:/" + "x" * 200),
                            ("socketmap_listen", "::1:99"), ("local_domains", "$nothing")):
            with self.subTest("%s = %s" % (name, value)):
                self.assert_refused(GOOD_CONFIG + "\n%s = %s\n" % (name, value), 8, name)

    def test_unknown_account(self):
        self.assert_refused(GOOD_CONFIG + "\nsocket_group = no-such-group-here\n", 8,
                            "no-such-group-here")
        self.assert_refused(GOOD_CONFIG + "\nsocket_owner = no-such-user-here\n", 8,
                            "no-such-user-here")
        self.assert_refused(GOOD_CONFIG + "\nuser = no-such-user-here\n", 8, "no-such-user-here")
        self.assert_refused(GOOD_CONFIG + "\nuser = nobody\ngroup = no-such-group-here\n", 9,
                            "no-such-group-here")
        self.assert_refused(GOOD_CONFIG + "\ngroup = root\n", 8, "user")

    def test_warnings_are_said(self):
        """What is legal but odd is not swallowed."""
        err = self.assert_accepted(GOOD_CONFIG + "\nmax_clients = 5\nmax_clients = 6\n")
        self.assertIn("%s:9: " % self.d.config_path, err)
        self.assertIn("max_clients", err)
        d = self.daemon(None, dir=self.d.dir)
        d.launch()
        d.wait_log("serving")
        self.assertIn("%s:9: " % self.d.config_path, d.log())

    def test_every_error_is_a_line_of_its_own(self):
        text = GOOD_CONFIG + "\nmax_clients = x\nlog_level = y\nsocket_mode = z\n"
        _, _, err = self.check(text)
        self.assertEqual(sorted(said.split(": ", 1)[0] for said in err.splitlines()),
                         sorted("%s:%d" % (self.d.config_path, line) for line in (8, 9, 10)))
        d = self.daemon(None, dir=self.d.dir)
        d.launch()
        d.wait()
        self.assertEqual([line.startswith("postfix-dictd: error: " + self.d.config_path)
                          for line in d.log().splitlines()], [True] * 3)


class MapFiles(Case):
    """Map files that are broken when the daemon starts."""

    def start(self, sources, files):
        d = self.daemon("maps = m\nm_sources = %s\n" % sources)
        for name, text in files.items():
            d.write(name, text)
        return d.start()

    def assert_refused(self, sources, files, *about):
        d = self.daemon("maps = m\nm_sources = %s\n" % sources)
        for name, text in files.items():
            d.write(name, text)
        status, _, err = run_daemon("-t", "-c", d.config_path)
        self.assertEqual(status, 1, err)
        self.assertIn("%s:2: " % d.config_path, err)
        for word in about:
            self.assertIn(word.replace("{dir}", d.dir), err)
        d.launch()
        self.assertEqual(d.wait(), 1)
        self.assertIn("%s:2: " % d.config_path, d.log())
        self.assertFalse(os.path.exists(d.socket))

    def test_missing_file(self):
        for kind in ("texthash", "aliases", "passwd"):
            with self.subTest(kind):
                self.assert_refused(kind + ":{dir}/nowhere", {}, "{dir}/nowhere", "No such file",
                                    "m_sources")

    def test_directory(self):
        for kind in ("texthash", "aliases", "passwd"):
            with self.subTest(kind):
                self.assert_refused(kind + ":{dir}", {}, "irectory")

    def test_device_and_pipe(self):
        self.assert_refused("texthash:/dev/zero", {}, "/dev/zero")
        d = self.daemon("maps = m\nm_sources = texthash:{dir}/pipe\n")
        os.mkfifo(d.path("pipe"))
        status, _, err = run_daemon("-t", "-c", d.config_path)  # and does not hang
        self.assertEqual(status, 1)
        self.assertIn(d.path("pipe"), err)

    def test_syntax_errors(self):
        for kind, text, line in (
                ("texthash", "   a@example.net a\n", 1),
                ("texthash", "only-a-key\n", 1),
                ("texthash", "a@example.net a\nb@example.net b\0\n", 2),
                ("aliases", "# comment\npostmaster: root\nno colon here\n", 3),
                ("aliases", "postmaster: root\nx: \"open\n", 2),
                ("aliases", "  postmaster: root\n", 1),
                ("passwd", "gregory\nroot:x\n", 1)):
            with self.subTest(kind=kind, text=text):
                self.assert_refused(kind + ":{dir}/file", {"file": text},
                                    "{dir}/file:%d:" % line)

    def test_binary(self):
        for kind in ("texthash", "aliases", "passwd"):
            with self.subTest(kind):
                self.assert_refused(kind + ":{dir}/file",
                                    {"file": bytes(range(256)) * 100}, "{dir}/file")

    def test_skipped_lines_are_named(self):
        """What postmap would skip is skipped, with a warning; the rest is served."""
        d = self.start("texthash:{dir}/table",
                       {"table": b"gregory@example.net gregory\nvalueless@example.net\n"
                                 b"\xff@example.net x\n\"open@example.net y\n"
                                 b"root@example.net root\n"})
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        self.assertEqual(d.ask("m", "valueless@example.net"), "NOTFOUND ")
        for line in (2, 3, 4):
            self.assertIn("%s:%d: " % (d.path("table"), line), d.log())

    def test_alias_loop(self):
        d = self.start("aliases:{dir}/aliases",
                       {"aliases": "a: b\nb: c\nc: a\n"
                                   "self: self\n"
                                   "mixed: mixed, gregory\n"
                                   "into: a, gregory\n"
                                   "deep: :include:{0}\n"
                                   "G.Czaplinski: gregory\n"})
        for name in ("a", "b", "c"):
            reply = d.ask("m", name + "@example.net")
            self.assertTrue(reply.startswith("OK "), (name, reply))  # it exists as a recipient
            self.assertNotIn("gregory", reply)
        self.assertRegex(d.log(), r"%s:1: .*leads back" % re.escape(d.path("aliases")))
        self.assertIn("gregory", d.ask("m", "mixed@example.net"))
        self.assertIn("gregory", d.ask("m", "into@example.net"))
        self.assertEqual(d.ask("m", "g.czaplinski@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "G.Czaplinski+lists@example.net"), "OK gregory")

    def test_include_loop_and_depth(self):
        d = self.daemon("maps = m\nm_sources = aliases:{dir}/aliases\n")
        d.write("aliases", "list: :include:%s, gregory\nG.Czaplinski: gregory\n"
                           "missing: :include:%s\n" % (d.path("i0"), d.path("nowhere")))
        for i in range(50):
            d.write("i%d" % i, "member%d\n:include:%s\n" % (i, d.path("i%d" % ((i + 1) % 50))))
        d.start()
        self.assertIn("gregory", d.ask("m", "list@example.net"))
        self.assertIn("member0", d.ask("m", "list@example.net"))
        self.assertTrue(d.ask("m", "missing@example.net").startswith("OK "))
        self.assertEqual(d.ask("m", "g.czaplinski@example.net"), "OK gregory")
        self.assertIn(d.path("nowhere"), d.log())

    def test_many_nested_aliases(self):
        """A chain of 20,000 and a tree that doubles 60 times: an answer, no stack, no hour."""
        chain = "".join("c%d: c%d\n" % (i, i + 1) for i in range(20000)) + "c20000: gregory\n"
        tree = "".join("t%d: t%d, t%d\n" % (i, i + 1, i + 1) for i in range(60)) + "t60: root\n"
        d = self.start("aliases:{dir}/aliases", {"aliases": chain + tree})
        self.assertEqual(d.ask("m", "c0@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "t0@example.net"), "OK root")

    def test_passwd_with_short_lines(self):
        d = self.start("passwd:{dir}/passwd",
                       {"passwd": "root:x:0:0:root:/root:/bin/sh\nshort:x:1\n\n# comment\n"
                                  ":x:5:5::/:/bin/sh\nnumbers:x:a:b::/:/bin/sh\n"
                                  "+nis:x:1:1::/:\n-nis\n+\n"
                                  "gregory:x:1000:1000:,,,:/home/gregory:/bin/sh\nshort\n"})
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        for name in ("short", "numbers", "nis", "+nis", "-nis", "+", "nobody-here"):
            self.assertEqual(d.ask("m", name + "@example.net"), "NOTFOUND ", name)
        self.assertIn(d.path("passwd") + ":2: ", d.log())


if __name__ == "__main__":
    main()
