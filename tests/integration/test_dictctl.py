"""dictctl against a running daemon, against a daemon that misbehaves, and against postmap.

Everything lives in one temporary directory. Needs Python's standard library; the tests of
`compare` need Postfix's postmap and are left out where there is none.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from daemon import until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
DAEMON = os.path.join(BUILD, "postfix-dictd")
DICTCTL = os.path.join(BUILD, "dictctl")
SBIN = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
POSTMAP = shutil.which("postmap", path=SBIN)
YES, NO, USAGE, TEMP = 0, 1, 64, 75

SENDER_LOGIN = """\
gregory@example.net  gregory
G.Czaplinski@example.net  gregory
root@example.net  root
staff@example.net  gregory, root
"john smith"@example.net  gregory
@catchall.example  root
bare  gregory
"""


def run(*args, stdin="", env=None, timeout=60):
    """dictctl's exit status, standard output and standard error."""
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run([DICTCTL, *args], input=data, capture_output=True, timeout=timeout,
                          env=env)
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode(
        "utf-8", "surrogateescape")


def write(path, text):
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


class Daemon:
    """A postfix-dictd of its own, in a directory of its own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="dictctl-", dir="/tmp")
        self.config = os.path.join(self.dir, "dictd.cf")
        self.admin = os.path.join(self.dir, "admin")
        self.table = os.path.join(self.dir, "sender_login")
        self.process = None
        write(self.table, SENDER_LOGIN)
        write(os.path.join(self.dir, "passwd"),
              "gregory:x:1000:1000::/home/gregory:/bin/sh\nroot:x:0:0::/root:/bin/sh\n")
        write(os.path.join(self.dir, "aliases"), "G.Czaplinski: gregory\npostmaster: root\n")
        os.mkdir(os.path.join(self.dir, "postfix"))
        write(os.path.join(self.dir, "postfix", "main.cf"), "myhostname = tahoe.example.net\n")
        self.configure()

    def configure(self, more_maps="", more=""):
        write(self.config, f"""\
home = {self.dir}
socketmap_listen = unix:$home/map
tcp_table_listen = unix:$home/tcp=sender_login
admin_listen = unix:${{home}}/admin
maps = sender_login local_recipient both {more_maps}
local_domains = example.net tahoe.example.net
recipient_delimiter = +
owner_request_special = yes
sender_login_sources = texthash:$home/sender_login
local_recipient_sources = passwd:$home/passwd aliases:$home/aliases
both_sources = aliases:$home/aliases passwd:$home/passwd
both_combine = union
{more}""")

    def start(self):
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen([DAEMON, "-c", self.config], stderr=self.log)
        for _ in range(1500):
            if os.path.exists(self.admin):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as log:
            raise RuntimeError("the daemon did not start: " + log.read())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.log.close()
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)

    def ctl(self, *args, **kwargs):
        return run("-c", self.config, *args, **kwargs)


class WithDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.remove)
        cls.daemon.start()

    def ctl(self, *args, **kwargs):
        return self.daemon.ctl(*args, **kwargs)


class Lookup(WithDaemon):
    def test_one_key_prints_its_value(self):
        self.assertEqual(self.ctl("lookup", "sender_login", "gregory@example.net"),
                         (YES, "gregory\n", ""))
        self.assertEqual(self.ctl("lookup", "sender_login", "G.Czaplinski+lists@example.net"),
                         (YES, "gregory\n", ""))
        self.assertEqual(self.ctl("lookup", "sender_login", "anyone@catchall.example"),
                         (YES, "root\n", ""))
        self.assertEqual(self.ctl("lookup", "sender_login", "john smith@example.net"),
                         (YES, "gregory\n", ""))

    def test_nothing_that_a_terminal_obeys(self):
        """Escape sequences, C1 in UTF-8 and alone, text that turns around: of values and of keys."""
        for raw, shown in ((b"\x1b]0;owned\x07x", "?]0;owned?x"), (b"\xc2\x9b2J", "?2J"),
                           ("a\u202eb\u2066c".encode(), "a?b?c"), (b"a\x7f\x08b", "a??b"),
                           ("b\u00fccher \u4e16\U0001f600 \ufffd".encode(),
                            "b\u00fccher \u4e16\U0001f600 \ufffd")):
            key = "t%d@example.net" % len(raw)
            write(self.daemon.table, SENDER_LOGIN.encode() + key.encode() + b" " + raw + b"\n")
            self.assertTrue(self.until_it_has(key), raw)
            self.assertEqual(self.ctl("lookup", "sender_login", key), (YES, shown + "\n", ""))
            _, out, _ = self.ctl("explain", "sender_login", key)
            self.assertRegex(out, "(?m)^found: " + re.escape(shown) + "$")
            self.assertIn("  found: " + shown + "\n", out)
            _, out, _ = self.ctl("--json", "lookup", "sender_login", key)
            self.assertEqual(json.loads(out)["value"].encode(), raw)
        write(self.daemon.table, SENDER_LOGIN)
        _, out, _ = self.ctl("lookup", "sender_login", "\x1b[2J@catchall.example", "x@y")
        self.assertEqual(out, "?[2J@catchall.example\troot\n")
        _, _, err = self.ctl("lookup", "no\x1b[2Jmap", "x@y")
        self.assertNotIn("\x1b", err)

    def until_it_has(self, key):
        for _ in range(1500):
            if self.ctl("lookup", "sender_login", key)[0] == YES:
                return True
            time.sleep(0.02)
        return False

    def test_not_found(self):
        self.assertEqual(self.ctl("lookup", "sender_login", "nobody-here@example.net"),
                         (NO, "", ""))
        self.assertEqual(self.ctl("lookup", "sender_login", ""), (NO, "", ""))
        self.assertEqual(self.ctl("lookup", "sender_login", b"\xff@example.net"), (NO, "", ""))

    def test_no_such_map(self):
        status, out, err = self.ctl("lookup", "sender_logins", "gregory@example.net")
        self.assertEqual((status, out), (NO, ""))
        self.assertIn("no such map", err)

    def test_several_keys(self):
        status, out, err = self.ctl("lookup", "sender_login", "root@example.net", "nobody@x",
                                    "Gregory@example.net")
        self.assertEqual((status, err), (YES, ""))
        self.assertEqual(out, "root@example.net\troot\nGregory@example.net\tgregory\n")
        self.assertEqual(self.ctl("lookup", "sender_login", "a@b.example", "b@b.example"),
                         (NO, "", ""))

    def test_standard_input(self):
        status, out, err = self.ctl("lookup", "sender_login", "-",
                                    stdin=b"root@example.net\n\nno\n\xff@x\ngregory@example.net")
        self.assertEqual((status, err), (YES, ""))
        self.assertEqual(out, "root@example.net\troot\ngregory@example.net\tgregory\n")
        self.assertEqual(self.ctl("lookup", "sender_login", "-", stdin=""), (NO, "", ""))

    def test_json(self):
        status, out, _ = self.ctl("--json", "lookup", "sender_login", "staff@example.net")
        self.assertEqual(status, YES)
        self.assertEqual(json.loads(out), {"map": "sender_login", "key": "staff@example.net",
                                           "status": "found", "value": "gregory, root"})
        status, out, _ = self.ctl("--json", "lookup", "sender_login", "-",
                                  stdin=b"no@example.net\n\xff\nroot@example.net\n")
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([line["status"] for line in lines], ["not_found", "not_found", "found"])
        self.assertEqual(lines[1]["key_hex"], "ff")
        self.assertEqual(status, YES)
        status, out, _ = self.ctl("--json", "lookup", "sender_login", "no@example.net")
        self.assertEqual((status, json.loads(out)["status"]), (NO, "not_found"))

    def test_many_keys_stream(self):
        keys = "".join(f"user{i}@example.net\ngregory+{i}@example.net\n" for i in range(50000))
        status, out, err = self.ctl("lookup", "sender_login", "-", stdin=keys, timeout=120)
        self.assertEqual((status, err), (YES, ""))
        lines = out.splitlines()
        self.assertEqual(len(lines), 50000)
        self.assertEqual(lines[-1], "gregory+49999@example.net\tgregory")
        self.assertEqual(lines[12345], "gregory+12345@example.net\tgregory")

    def test_answers_come_before_the_next_key_is_waited_for(self):
        process = subprocess.Popen([DICTCTL, "-c", self.daemon.config, "lookup", "sender_login", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            for key, value in (("root", "root"), ("gregory", "gregory"), ("staff", "gregory, root")):
                process.stdin.write(f"nobody@x\n{key}@example.net\n".encode())
                process.stdin.flush()
                self.assertEqual(process.stdout.readline().decode(),
                                 f"{key}@example.net\t{value}\n")
            process.stdin.close()
            self.assertEqual(process.wait(), YES)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            process.stdout.close()

    def test_a_line_without_end(self):
        status, out, err = self.ctl("lookup", "sender_login", "-",
                                    stdin="root@example.net\n" + "x" * 1000000)
        self.assertEqual(status, USAGE)
        self.assertIn("line 2 is longer than", err)

    def test_a_long_key(self):
        status, out, err = self.ctl("lookup", "sender_login", "-",
                                    stdin=b"\x01" * 100000 + b"\nroot@example.net\n")
        self.assertEqual((status, err), (YES, ""))

    def test_output_that_cannot_be_written(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([DICTCTL, "-c", self.daemon.config, "lookup", "sender_login",
                                   "root@example.net"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, TEMP)
        self.assertIn(b"cannot write", done.stderr)


class Explain(WithDaemon):
    def test_found(self):
        status, out, err = self.ctl("explain", "local_recipient", "G.Czaplinski+x@example.net")
        self.assertEqual((status, err), (YES, ""))
        keys = re.findall(r"^ *(\d) +(\S+)", out, re.M)
        self.assertEqual(keys, [("1", "g.czaplinski+x@example.net"),
                                ("2", "g.czaplinski@example.net"), ("3", "g.czaplinski+x"),
                                ("4", "g.czaplinski"), ("5", "@example.net")])
        self.assertIn("found: ", out)
        self.assertRegex(out, r"found at the 4th of 5 keys by aliases:\S+/aliases \(")
        self.assertRegex(out, r"memory +\d+ us +not found")
        self.assertIn("not asked", out)

    def test_union_names_all_sources(self):
        write(os.path.join(self.daemon.dir, "aliases"), "gregory: root\nG.Czaplinski: gregory\n")
        self.addCleanup(write, os.path.join(self.daemon.dir, "aliases"), "G.Czaplinski: gregory\n")
        self.assertEqual(self.ctl("reload")[0], YES)
        status, out, _ = self.ctl("explain", "both", "gregory@example.net")
        self.assertEqual(status, YES)
        self.assertRegex(out, r"by aliases:\S+ and passwd:\S+ \(")

    def test_not_found(self):
        status, out, err = self.ctl("explain", "local_recipient", "nobody-here@example.net")
        self.assertEqual((status, err), (NO, ""))
        self.assertIn("not found: no source has any of the 3 keys", out)
        status, out, _ = self.ctl("explain", "local_recipient", b"\xff@example.net")
        self.assertEqual(status, NO)
        self.assertIn("no key that a table could have", out)

    def test_no_such_map(self):
        status, out, err = self.ctl("explain", "nothing", "x")
        self.assertEqual((status, out), (NO, ""))
        self.assertIn("the maps are sender_login, local_recipient, both", err)

    def test_json(self):
        status, out, _ = self.ctl("--json", "explain", "sender_login", "root+x@example.net")
        reply = json.loads(out)
        self.assertEqual(status, YES)
        self.assertEqual(reply["answer"]["status"], "found")
        self.assertEqual(reply["answer"]["value"], "root")
        self.assertEqual([step["status"] for step in reply["steps"]], ["not_found", "found"])
        self.assertEqual([step["step"] for step in reply["steps"]], ["full", "noext"])

    def test_control_characters_do_not_reach_the_terminal(self):
        status, out, _ = self.ctl("explain", "sender_login", "a\x1b[31m@example.net")
        self.assertEqual(status, NO)
        self.assertNotIn("\x1b", out)


class Reports(WithDaemon):
    def test_status(self):
        status, out, err = self.ctl("status")
        self.assertEqual((status, err), (YES, ""))
        self.assertRegex(out, r"^postfix-dictd \S+, up for ")
        self.assertRegex(out, r"(?m)^both +aliases:\S+ passwd:\S+ +union ")
        self.assertRegex(out, r"(?m)^texthash:\S+ +up for ")
        self.assertRegex(out, rf"(?m)^socketmap +unix:{re.escape(self.daemon.dir)}/map ")
        self.assertRegex(out, r"(?m)^tcp_table +\S+ +sender_login$")
        self.assertIn("0 of 10000 clients connected", out)

    def test_columns_are_aligned(self):
        _, out, _ = self.ctl("status")
        lines = out.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("MAP"))
        column = lines[start].index("COMBINE")
        for line, combine in zip(lines[start + 1:start + 4], ("first", "first", "union")):
            self.assertTrue(line[column:].startswith(combine + " "), line)
            self.assertEqual(line[column - 1], " ")

    def test_status_json(self):
        status, out, _ = self.ctl("--json", "status")
        reply = json.loads(out)
        self.assertEqual(status, YES)
        self.assertEqual([m["name"] for m in reply["maps"]],
                         ["sender_login", "local_recipient", "both"])
        self.assertEqual(reply["config"], self.daemon.config)
        self.assertEqual({e["protocol"] for e in reply["endpoints"]},
                         {"socketmap", "tcp_table", "admin"})
        for source in reply["sources"]:
            self.assertIs(source["up"], True)
            self.assertRegex(source["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_stats_count(self):
        def counts():
            reply = json.loads(self.ctl("--json", "stats")[1])
            return next(m for m in reply["maps"] if m["name"] == "sender_login")

        before = counts()
        self.ctl("lookup", "sender_login", "root@example.net", "gregory@example.net", "no@x")
        after = counts()
        self.assertEqual(after["lookups"] - before["lookups"], 3)
        self.assertEqual(after["found"] - before["found"], 2)
        self.assertEqual(after["not_found"] - before["not_found"], 1)
        status, out, err = self.ctl("stats")
        self.assertEqual((status, err), (YES, ""))
        self.assertRegex(out, rf"(?m)^sender_login +{after['lookups']} +{after['found']} ")

    def test_an_empty_line_only_between_two_tables(self):
        for command, heads in (("status", 3), ("stats", 6)):
            out = self.ctl(command)[1]
            self.assertRegex(out, r"[^\n]\n\Z", command)
            self.assertNotIn("\n\n\n", out, command)
            self.assertRegex(out, r"\A[^\n]", command)
            self.assertEqual(len(re.findall(r"(?:\A|\n\n)[A-Z]{3,} ", out)), heads, out)

    def test_clients_are_counted(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(self.daemon.dir, "map"))
            client.sendall(b"4:no x,")
            client.recv(100)
            self.assertIn("1 of 10000 clients connected", self.ctl("status")[1])


class Reload(unittest.TestCase):
    def test_reload(self):
        daemon = Daemon()
        self.addCleanup(daemon.remove)
        daemon.start()
        self.assertEqual(daemon.ctl("lookup", "more", "root@example.net")[0], NO)
        daemon.configure("more", "more_sources = passwd:$home/passwd\n")
        status, out, err = daemon.ctl("reload")
        self.assertEqual((status, err), (YES, ""))
        self.assertEqual(daemon.ctl("lookup", "more", "root@example.net")[:2], (YES, "root\n"))
        self.assertEqual(json.loads(daemon.ctl("--json", "reload")[1]), {"reloaded": True})

        daemon.configure("bad", "bad_sources = passwd:$home/passwd\nmapps = x\n")
        status, out, err = daemon.ctl("reload")
        self.assertEqual((status, out), (NO, ""))
        self.assertIn("dictd.cf:", err)
        self.assertIn("mapps", err)
        self.assertEqual(daemon.ctl("lookup", "more", "root@example.net")[:2], (YES, "root\n"))
        status, out, err = daemon.ctl("--json", "reload")
        self.assertEqual(status, NO)
        self.assertIn("mapps", json.loads(out)["error"])

    def test_the_daemon_ends(self):
        daemon = Daemon()
        self.addCleanup(daemon.remove)
        daemon.start()
        daemon.stop()
        status, out, err = daemon.ctl("lookup", "sender_login", "root@example.net")
        self.assertEqual((status, out), (TEMP, ""))
        self.assertIn(f"cannot reach the daemon at unix:{daemon.admin}: ", err)
        self.assertIn("is postfix-dictd running?", err)


class WhereItIs(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="dictctl-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir)
        self.file = os.path.join(self.dir, "dictd.cf")

    def status(self, text):
        write(self.file, text)
        return run("-c", self.file, "status")

    def test_the_path_comes_from_the_file(self):
        for text, path in (("admin_listen = unix:/nowhere/a\n", "/nowhere/a"),
                           ("x = /nowhere\nadmin_listen = unix:$x/b\n", "/nowhere/b"),
                           ("admin_listen = unix:/nowhere/${y}\ny = $z\nz = c", "/nowhere/c"),
                           ("admin_listen = unix:/a\nadmin_listen =\n unix:/nowhere/d\n",
                            "/nowhere/d"),
                           ("maps = x\n", "/postfix-dictd/admin")):
            status, out, err = self.status(text)
            self.assertEqual((status, out), (TEMP, ""), text)
            self.assertRegex(err, rf"at unix:\S*{re.escape(path)}: ")

    def test_a_file_that_does_not_say(self):
        for text, why in (("admin_listen =\n", "no socket for dictctl"),
                          ("admin_listen = none\n", "no socket for dictctl"),
                          ("admin_listen = inet:127.0.0.1:1\n", "not of the form unix:/path"),
                          ("admin_listen = unix:relative\n", "not of the form unix:/path"),
                          ("admin_listen = unix:$nothing\n", "nothing"),
                          ("admin_listen = unix:${x\n", "-s"),
                          ("admin_listen\n", "dictd.cf:1"),
                          ("a = $a\nadmin_listen = $a\n", "-s")):
            status, out, err = self.status(text)
            self.assertEqual((status, out), (USAGE, ""), text)
            self.assertIn(why, err)
        status, _, err = run("-c", self.dir, "status")
        self.assertEqual(status, USAGE)
        status, _, err = run("-c", os.path.join(self.dir, "none"), "status")
        self.assertEqual(status, USAGE)
        self.assertIn("-s", err)

    def test_socket_option(self):
        self.assertEqual(run("-s", "unix:/nowhere/x", "status")[0], TEMP)
        for wrong in ("/nowhere/x", "unix:x", "", "inet:1.2.3.4:5"):
            self.assertEqual(run("-s", wrong, "status")[0], USAGE)
        status, _, err = run("-s", "unix:/" + "x" * 300, "status")
        self.assertEqual(status, TEMP)
        self.assertIn("longer than a socket's may be", err)

    def test_permission_is_named(self):
        path = os.path.join(self.dir, "s")
        os.chmod(self.dir, 0o755)
        other = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            os.chmod(path, 0)
            try:
                done = subprocess.run([DICTCTL, "-s", "unix:" + path, "status"], timeout=60,
                                      capture_output=True, **other)
            except (PermissionError, LookupError) as error:
                self.skipTest(f"cannot run dictctl as nobody: {error}")
        self.assertEqual(done.returncode, TEMP)
        self.assertIn(b"Permission denied", done.stderr)
        self.assertIn(b"socket_group", done.stderr)


class Usage(unittest.TestCase):
    def test_wrong_use(self):
        for words in ((), ("lokup",), ("alias", "lst"), ("lookup",), ("lookup", "m"),
                      ("explain", "m"), ("explain", "m", "k", "k"), ("status", "x"),
                      ("stats", "x"), ("reload", "x"), ("compare",), ("compare", "m"),
                      ("compare", "m", "table"), ("compare", "m", "hash:x", "y"),
                      ("compare", "-x", "m", "hash:x"), ("compare", "-P"), ("-x",), ("--jsn",),
                      ("-c",), ("-t", "0", "status"), ("-t", "1x", "status")):
            status, out, err = run("-s", "unix:/nowhere", *words)
            self.assertEqual((status, out), (USAGE, ""), words)
            self.assertNotEqual(err, "", words)
        self.assertIn('did you mean "lookup"?', run("lokup")[2])

    def test_help_and_version(self):
        for words in (("help",), ("--help",), ("-h",), ("-s", "unix:/nowhere", "help")):
            status, out, err = run(*words)
            self.assertEqual((status, err), (YES, ""))
            for word in ("lookup", "explain", "status", "stats", "reload", "compare", "--json"):
                self.assertIn(word, out)
        status, out, _ = run("--version")
        self.assertEqual(status, YES)
        self.assertRegex(out, r"^dictctl \S+\n$")


class BadDaemon:
    """Listens as a daemon would; `serve` is given each connection."""

    def __init__(self, test, serve):
        self.dir = tempfile.mkdtemp(prefix="dictctl-", dir="/tmp")
        self.path = os.path.join(self.dir, "admin")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.serve = serve
        self.served = 0  # connections that are closed
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def loop(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.serve(connection)
                except OSError:
                    pass
            self.served += 1

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)
        shutil.rmtree(self.dir)

    def ctl(self, *args, **kwargs):
        return run("-s", "unix:" + self.path, *args, **kwargs)


def requests(connection):
    """The requests of one connection, as they come."""
    data = b""
    while True:
        match = re.match(rb"(\d+):", data)
        if match and len(data) > match.end() + int(match[1]):
            end = match.end() + int(match[1])
            yield json.loads(data[match.end():end])
            data = data[end + 1:]
            continue
        more = connection.recv(65536)
        if not more:
            return
        data += more


def netstring(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return b"%d:%s," % (len(data), data)


def answering(answer):
    """A server that answers each request with answer(request)."""

    def serve(connection):
        for request in requests(connection):
            connection.sendall(netstring(answer(request)))

    return serve


class Misbehaviour(unittest.TestCase):
    def test_temporary_failure(self):
        bad = BadDaemon(self, answering(lambda r: {
            "map": r["map"], "key": r["key"], **(
                {"status": "found", "value": "gregory"} if r["key"] == "yes" else
                {"status": "temp", "reason": "sender_login: ldap:x: down"})}))
        status, out, err = bad.ctl("lookup", "sender_login", "no")
        self.assertEqual((status, out), (TEMP, ""))
        self.assertIn("sender_login: ldap:x: down", err)
        status, out, err = bad.ctl("lookup", "sender_login", "yes", "no")
        self.assertEqual((status, out), (TEMP, "yes\tgregory\n"))
        self.assertIn("down", err)

    def test_explained_failure(self):
        step = {"key": "x@example.net", "step": "full", "source": "ldap:x", "from": "backend",
                "status": "temp", "reason": "down", "elapsed_us": 1500}
        bad = BadDaemon(self, answering(lambda r: {
            "map": "m", "key": "x@example.net", "combine": "first", "sources": ["ldap:x"],
            "candidates": [{"key": "x@example.net", "step": "full"},
                           {"key": "@example.net", "step": "at_domain"}],
            "steps": [step],
            "answer": {"status": "temp", "reason": "m: ldap:x: down", "elapsed_us": 1700}}))
        status, out, err = bad.ctl("explain", "m", "x@example.net")
        self.assertEqual((status, err), (TEMP, ""))
        self.assertIn("temporary failure: m: ldap:x: down", out)
        self.assertIn("failed in ldap:x at the 1st of 2 keys", out)
        self.assertIn("1.5 ms", out)

    def test_what_is_no_answer(self):
        for reply in (b"", b"x", b"[]", b"{", b"{}", b'{"status":"found"}', b'{"status":1}',
                      b'{"status":"maybe","value":"x"}', b'{"status":"found","value":{}}',
                      b'{"status":"found","value_hex":"0"}', b'{"status":"temp"}'):
            bad = BadDaemon(self, answering(lambda r, reply=reply: reply))
            status, out, err = bad.ctl("lookup", "m", "k")
            self.assertEqual((status, out), (TEMP, ""), reply)
            self.assertNotEqual(err, "")
            status, out, err = bad.ctl("explain", "m", "k")
            self.assertEqual((status, out), (TEMP, ""), reply)

    def test_empty_objects_do_not_crash_the_reports(self):
        for reply in (b"{}", b'{"maps":{},"sources":[[]],"clients":3,"uptime_ms":-1,"version":[]}',
                      b'{"maps":[1,{}],"sources":["x"],"endpoints":[{"map":"\\u0000"}]}'):
            bad = BadDaemon(self, answering(lambda r, reply=reply: reply))
            for command in ("status", "stats"):
                self.assertEqual(bad.ctl(command)[0], YES, reply)

    def test_no_netstring(self):
        for reply in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"01:x,", b"9999999:", b"2:{}x"):
            bad = BadDaemon(self, lambda c, reply=reply: (c.recv(100), c.sendall(reply),
                                                          c.recv(100)))
            status, out, err = bad.ctl("status")
            self.assertEqual((status, out), (TEMP, ""), reply)
            self.assertIn("is not postfix-dictd's admin socket", err)

    def test_the_connection_breaks(self):
        for reply in (b"", b"20:{\"version\":"):
            bad = BadDaemon(self, lambda c, reply=reply: (c.recv(100), c.sendall(reply)))
            status, out, err = bad.ctl("status")
            self.assertEqual((status, out), (TEMP, ""))
            self.assertIn("closed the connection", err)

    def test_silence(self):
        bad = BadDaemon(self, lambda c: c.recv(100) and c.recv(100))
        began = time.monotonic()
        status, out, err = bad.ctl("-t", "1", "status")
        self.assertEqual((status, out), (TEMP, ""))
        self.assertIn("within 1 s", err)
        self.assertLess(time.monotonic() - began, 20)

    def test_error_replies(self):
        bad = BadDaemon(self, answering(lambda r: {"error": "cannot", "usage": True}))
        self.assertEqual(bad.ctl("status"), (USAGE, "", "dictctl: cannot\n"))
        bad = BadDaemon(self, answering(lambda r: {"error": "cannot"}))
        for words in (("status",), ("lookup", "m", "k"), ("explain", "m", "k"), ("reload",)):
            self.assertEqual(bad.ctl(*words), (NO, "", "dictctl: cannot\n"))
            status, out, err = bad.ctl("--json", *words)
            self.assertEqual((status, json.loads(out)), (NO, {"error": "cannot"}))

    def test_one_that_does_not_read_while_it_writes(self):
        """It takes all requests that come, then writes long replies: nobody may wait for ever."""
        def serve(connection):
            for request in requests(connection):
                connection.sendall(netstring({"map": "m", "key": request["key"], "status": "found",
                                              "value": "v" * 20000}))

        bad = BadDaemon(self, serve)
        keys = "".join("k" * 5000 + f"{i}\n" for i in range(500))
        status, out, err = bad.ctl("-t", "20", "lookup", "m", "-", stdin=keys)
        self.assertEqual((status, err), (YES, ""))
        self.assertEqual(len(out.splitlines()), 500)

    def test_a_connection_that_was_closed_while_idle_is_made_anew(self):
        def serve(connection):
            for request in requests(connection):
                connection.sendall(netstring({"map": "m", "key": request["key"],
                                              "status": "found", "value": "v"}))
                return

        bad = BadDaemon(self, serve)
        process = subprocess.Popen([DICTCTL, "-s", "unix:" + bad.path, "lookup", "m", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            for i, key in enumerate((b"a", b"b", b"c")):
                process.stdin.write(key + b"\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), key + b"\tv\n")
                until(lambda: bad.served > i, "the connection is closed")
            process.stdin.close()
            self.assertEqual(process.wait(), YES)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            process.stdout.close()


class HostileClients(WithDaemon):
    def exchange(self, data, shut=True):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(self.daemon.admin)
            try:
                client.sendall(data)
                if shut:
                    client.shutdown(socket.SHUT_WR)
                reply = b""
                while True:
                    more = client.recv(65536)
                    if not more:
                        return reply
                    reply += more
            except (BrokenPipeError, ConnectionResetError):
                return b""

    def test_nonsense(self):
        deep = netstring(b"[" * 1000000)
        for data in (b"", b"x", b"-1:,", b"0:,", b"1048577:x", b"9" * 100000, deep,
                     netstring(b'{"command":"lookup","map":[],"key":{}}'),
                     netstring(b"\xff" * 1000), b"5:{},",
                     netstring({"command": "lookup", "map": "sender_login", "key": "x" * 1000000}),
                     netstring({"command": "status"}) * 3000 + b"bad", b"1000:{"):
            self.exchange(data)
            self.assertEqual(self.ctl("lookup", "sender_login", "root@example.net")[0], YES)

    def test_replies_keep_the_requests_order(self):
        keys = [f"user{i}@example.net" for i in range(2000)]
        reply = self.exchange(b"".join(
            netstring({"command": "lookup", "map": "sender_login", "key": key}) for key in keys))
        found = re.findall(rb'"key":"([^"]*)"', reply)
        self.assertEqual([key.decode() for key in found], keys)

    def test_the_lookup_sockets_know_no_commands(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(os.path.join(self.daemon.dir, "map"))
            client.sendall(netstring({"command": "status"}))
            self.assertIn(b":PERM ", client.recv(1000))


@unittest.skipUnless(POSTMAP, "needs Postfix's postmap")
class Compare(WithDaemon):
    def setUp(self):
        self.postfix = os.path.join(self.daemon.dir, "postfix")
        self.file = os.path.join(self.daemon.dir, "table")
        self.addCleanup(lambda: os.path.exists(self.file) and os.remove(self.file))

    def compare(self, text, *words, json_out=False, type_="texthash", **kwargs):
        write(self.file, text)
        os.utime(self.file, (0, 0))  # Postfix waits until a table has been left alone for a second
        words = ["compare", "-P", self.postfix, *words]
        at = next((i for i, word in enumerate(words) if word == "-"), len(words))
        words[at:at] = ["sender_login", f"{type_}:{self.file}"]
        return self.ctl(*(["--json"] if json_out else []), *words, **kwargs)

    def test_the_same_table(self):
        for type_ in ("texthash", "hash"):
            if type_ == "hash":
                write(self.file, SENDER_LOGIN)
                subprocess.run([POSTMAP, "-c", self.postfix, "hash:" + self.file], check=True)
            self.assertEqual(self.compare(SENDER_LOGIN, type_=type_),
                             (YES, "7 keys compared, 0 differences\n", ""))

    def test_every_difference_is_listed(self):
        changed = SENDER_LOGIN.replace("root@example.net  root", "root@example.net  gregory")
        changed += "new@example.net  gregory\n"
        status, out, err = self.compare(changed)
        table = f"texthash:{self.file}"
        self.assertEqual((status, err), (NO, ""))
        self.assertEqual(sorted(out.splitlines()), [
            "8 keys compared, 2 differences",
            f"new@example.net: {table} says gregory, sender_login says not found",
            f"root@example.net: {table} says gregory, sender_login says root"])

    def test_keys_from_standard_input_walk_as_in_postfix(self):
        keys = ("gregory+lists@example.net\nGREGORY@EXAMPLE.NET\nx+y@catchall.example\n"
                "bare@example.net\nbare+x@tahoe.example.net\nbare@elsewhere.example\n"
                '"john smith"@example.net\njohn smith@example.net\nnobody@example.net\n\n')
        self.assertEqual(self.compare(SENDER_LOGIN, "-", stdin=keys),
                         (YES, "10 keys compared, 0 differences\n", ""))
        status, out, _ = self.compare("@example.net  root\n", "-v", "-",
                                      stdin="gregory+lists@example.net\n")
        self.assertEqual(status, NO)
        self.assertIn("says root (for @example.net), sender_login says gregory\n", out)

    def test_owner_lists(self):
        cases = (("gregory, root", 0, 0), ("gregory root", 0, 0), (",gregory,,root ,", 0, 0),
                 ("root, gregory", 0, 1), ("Gregory, ROOT", 0, 1), ("root,gregory,gregory", 0, 1),
                 ("gregory", 1, 0), ("gregory, root, x", 1, 0), ("gregory, roo", 1, 0),
                 ("gregoryroot", 1, 0))
        for value, differences, reordered in cases:
            text = f"staff@example.net  {value}\n"
            status, out, err = self.compare(text)
            self.assertEqual((status, err), (NO if differences else YES, ""), value)
            self.assertTrue(out.endswith(f"1 keys compared, {differences} differences\n"), out)
            self.assertEqual(len(out.splitlines()), 1 + differences)
            _, out, _ = self.compare(text, "-v")
            self.assertEqual("same owners, other order" in out, bool(reordered), value)
            _, out, _ = self.compare(text, json_out=True)
            self.assertEqual(json.loads(out.splitlines()[-1]),
                             {"compared": 1, "differences": differences, "other_order": reordered,
                              "failures": 0, "skipped": 0})

    def test_json(self):
        status, out, _ = self.compare("root@example.net  x\nno@example.net y\n", json_out=True)
        self.assertEqual(status, NO)
        lines = {line.get("key"): line for line in map(json.loads, out.splitlines())}
        self.assertEqual(lines["root@example.net"]["table"],
                         {"status": "found", "value": "x", "table_key": "root@example.net"})
        self.assertEqual(lines["root@example.net"]["map"], {"status": "found", "value": "root"})
        self.assertEqual(lines["no@example.net"]["map"], {"status": "not_found"})

    def test_a_pattern_table_gets_whole_addresses_only(self):
        keys = "bare@example.net\nroot@example.net\n"
        status, out, err = self.compare("/^bare$/ gregory\n/^root@/ root\n", "-", stdin=keys,
                                        type_="regexp")
        self.assertEqual((status, err), (NO, ""))
        self.assertEqual(out, f"bare@example.net: regexp:{self.file} says not found, "
                              "sender_login says gregory\n2 keys compared, 1 differences\n")

    def test_tables_that_cannot_be_listed(self):
        status, out, err = self.compare("/x/ y\n", type_="regexp")
        self.assertEqual((status, out), (USAGE, ""))
        self.assertIn("give the keys on standard input", err)

    def test_tables_that_are_not_there(self):
        for table in ("texthash:/nonexistent", "no-such-type:x"):
            for more in ((), ("-",)):
                status, out, err = self.ctl("compare", "-P", self.postfix, "sender_login", table,
                                            *more, stdin="root@example.net\n")
                self.assertEqual((status, out), (USAGE, ""))
                self.assertIn("postmap: fatal:", err)

    def test_no_such_map(self):
        write(self.file, SENDER_LOGIN)
        os.utime(self.file, (0, 0))
        status, out, err = self.ctl("compare", "-P", self.postfix, "nothing",
                                    f"texthash:{self.file}")
        self.assertEqual((status, out), (NO, ""))
        self.assertIn("the maps are", err)

    def test_keys_that_postmap_cannot_be_asked(self):
        status, out, _ = self.compare(SENDER_LOGIN, "-",
                                      stdin=b"a\tb@example.net\n\xff@x\nroot@example.net\n")
        self.assertEqual(status, YES)
        self.assertIn("2 keys compared, 0 differences, 1 passed over", out)

    def test_many_keys(self):
        keys = "".join(f"user{i}+x@example.net\n" for i in range(25000)) + "root@example.net\n"
        status, out, err = self.compare("root@example.net  nobody\n", "-", stdin=keys, timeout=120)
        self.assertEqual((status, err), (NO, ""))
        self.assertEqual(len(out.splitlines()), 2)
        self.assertIn("25001 keys compared, 1 differences\n", out)

    def with_postmap(self, script, *more, stdin="root@example.net\n"):
        """Compares with a postmap that is a script."""
        place = tempfile.mkdtemp(prefix="dictctl-", dir="/tmp")
        self.addCleanup(shutil.rmtree, place)
        program = os.path.join(place, "postmap")
        write(program, "#!/bin/sh\n" + script)
        os.chmod(program, 0o755)
        env = dict(os.environ, PATH=place + ":" + SBIN)
        return self.ctl("compare", "sender_login", "hash:x", *more, stdin=stdin, env=env)

    def test_postmap_fails(self):
        for script, why in (("echo 'postmap: fatal: table hash:x: query error' >&2; exit 1",
                             "query error"),
                            ("cat; echo postmap: panic: oops >&2; exit 1", "panic: oops"),
                            ("kill -9 $$", "signal 9"), ("exit 127", "status 127"),
                            ("echo what", "no key explains"),
                            ("printf 'root@example.net\\tone\\ntwo\\n'", "no key explains")):
            status, out, err = self.with_postmap(script, "-")
            self.assertEqual((status, out), (TEMP, ""), script)
            self.assertIn(why, err)

    def test_postmap_warns(self):
        status, out, err = self.with_postmap(
            "echo 'postmap: warning: database x is older' >&2; sed 's/$/\troot/'", "-")
        self.assertEqual((status, err), (YES, ""))
        status, out, _ = self.with_postmap("echo 'postmap: warning: hm' >&2; exit 1", "-",
                                           stdin="no@example.net\n")
        self.assertEqual(status, YES)

    def test_the_daemon_fails(self):
        def answer(request):
            if request["command"] == "candidates":
                return {"candidates": [{"key": request["key"], "step": "full"}]}
            if request["key"].startswith("root"):
                return {"status": "found", "value": "root"}
            return {"status": "temp", "reason": "ldap:x: down"}

        write(self.file, SENDER_LOGIN)
        os.utime(self.file, (0, 0))
        bad = BadDaemon(self, answering(answer))
        table = f"texthash:{self.file}"
        status, out, err = bad.ctl("compare", "-P", self.postfix, "m", table, "-",
                                   stdin="root@example.net\nx@example.net\n")
        self.assertEqual(status, TEMP)
        self.assertIn("1 keys compared, 0 differences, 1 without an answer", out)
        self.assertIn("ldap:x: down", err)
        status, out, err = bad.ctl("compare", "-P", self.postfix, "m", table, "-",
                                   stdin="x@example.net\n" * 1000)
        self.assertEqual(status, TEMP)
        self.assertIn("given up after 20", err)
        self.assertLess(len(err.splitlines()), 30)


if __name__ == "__main__":
    unittest.main()
