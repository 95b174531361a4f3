#!/usr/bin/env python3
"""Sources of the running daemon: files that change under it, the name service, several sources
in one map, the walk's parameters."""

import os
import pwd
import threading
import time

from daemon import (FILE_PATIENCE_S, Case, TcpTable, in_a_world, main, replace, request, until,
                    write)
from prober import Prober

BOTH = "gregory@example.net gregory\nroot@example.net root\n"


class Asker:
    """Asks for the same keys over and over, from a thread; keeps every kind of reply."""

    def __init__(self, daemon, *keys):
        self.replies = {key: set() for key in keys}
        self.count = 0
        self._daemon = daemon
        self._stop = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            with self._daemon.client() as client:
                while not self._stop.is_set():
                    for key, replies in self.replies.items():
                        replies.add(client.ask("m", key))
                    self.count += 1
                    time.sleep(0.001)
        except Exception as error:  # pylint: disable=broad-except
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()
        if self._error is not None and exception == (None, None, None):
            raise AssertionError("the asking client failed: %r" % self._error)


class LiveCase(Case):
    def serving(self, sources, files, more=""):
        d = self.daemon("maps = m\nm_sources = %s\n%s" % (sources, more))
        for name, text in files.items():
            d.write(name, text)
        return d.start()

    def becomes(self, d, key, reply, name="m"):
        with d.client() as client:
            last = [None]

            def look():
                last[0] = client.ask(name, key)
                return last[0] == reply
            try:
                until(look, "%s: %s" % (key, reply), FILE_PATIENCE_S)
            except AssertionError as error:
                raise AssertionError("%s; still %r; the log:\n%s"
                                     % (error, last[0], d.log())) from None

    def stays(self, d, key, reply, seconds, name="m"):
        end = time.monotonic() + seconds
        with d.client() as client:
            while time.monotonic() < end:
                self.assertEqual(client.ask(name, key), reply)
                time.sleep(0.01)


class Texthash(LiveCase):
    def test_rename(self):
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        with Asker(d, "gregory@example.net") as asker:
            for i in range(2):
                replace(d.path("table"), BOTH + "new%d@example.net new\n" % i)
                self.becomes(d, "new%d@example.net" % i, "OK new")
            self.becomes(d, "new0@example.net", "NOTFOUND ")
        self.assertEqual(asker.replies["gregory@example.net"], {"OK gregory"})

    def test_append(self):
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        with Asker(d, "gregory@example.net") as asker:
            with open(d.path("table"), "a") as file:
                file.write("new@example.net new\n")
            self.becomes(d, "new@example.net", "OK new")
        self.assertEqual(asker.replies["gregory@example.net"], {"OK gregory"})
        self.assertRegex(d.log(), r"info: .*table.* 3 entries")

    def test_same_size_same_second(self):
        """A change that neither size nor the second of its time betrays."""
        d = self.serving("texthash:{dir}/table", {"table": "gregory@example.net aaa\n"})
        for value in ("bbb", "ccc", "ddd"):
            status = os.stat(d.path("table"))
            with open(d.path("table"), "r+") as file:
                file.write("gregory@example.net " + value)
            os.utime(d.path("table"), ns=(status.st_atime_ns, status.st_mtime_ns))
            self.becomes(d, "gregory@example.net", "OK " + value)

    def test_truncate_and_rewrite(self):
        """An editor that writes in place, with a pause between its two steps."""
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        with Asker(d, "gregory@example.net", "root@example.net") as asker:
            for pause in (0, 0.05, 0.7, 1.6):
                with self.subTest(pause):
                    value = "v%d" % (pause * 100)
                    with open(d.path("table"), "w") as file:
                        time.sleep(pause)
                        file.write("new@example.net %s\n%s" % (value, BOTH))
                    self.becomes(d, "new@example.net", "OK " + value)
            # Half of it first, in the middle of a line.
            for pause in (0.7, 1.6):
                with self.subTest("half, %s" % pause), open(d.path("table"), "w") as file:
                    value = "half%d" % (pause * 100)
                    text = "new@example.net %s\n%s" % (value, BOTH)
                    file.write(text[:len(text) // 2])
                    file.flush()
                    time.sleep(pause)
                    file.write(text[len(text) // 2:])
                    file.flush()
                    self.becomes(d, "new@example.net", "OK " + value)
        self.assertEqual(asker.replies, {"gregory@example.net": {"OK gregory"},
                                         "root@example.net": {"OK root"}})
        self.assertGreater(asker.count, 100)

    def test_many_changes_in_a_row(self):
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        with Asker(d, "gregory@example.net") as asker:
            for i in range(300):
                replace(d.path("table"), BOTH + "n@example.net %d\n" % i)
                time.sleep(0.005)
            self.becomes(d, "n@example.net", "OK 299")
        self.assertEqual(asker.replies["gregory@example.net"], {"OK gregory"})

    def test_broken_removed_and_repaired(self):
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        path = d.path("table")
        with Asker(d, "gregory@example.net", "root@example.net") as asker:
            # White space at the start, a NUL, nothing but keys.
            for text, line in (("  " + BOTH, 1), (BOTH + "x@example.net\0 x\n", 3),
                               ("gregory@example.net\nroot@example.net\n", 1)):
                since = d.log_size()
                d.write("table", text)
                d.wait_log(r"warning: %s:%d: .*old contents" % (path, line), since)
            since = d.log_size()
            os.rename(path, path + ".away")
            d.wait_log(r"warning: %s: No such file.*old contents" % path, since)
            since = d.log_size()
            os.mkdir(path)
            d.wait_log(r"warning: %s: .*irectory.*old contents" % path, since)
            os.rmdir(path)
            time.sleep(1.5)
            since = d.log_size()
            d.write("table", BOTH + "new@example.net new\n")
            self.becomes(d, "new@example.net", "OK new")
            d.wait_log(r"info: %s: .*new contents.* 3 entries" % path, since)
        self.assertEqual(asker.replies, {"gregory@example.net": {"OK gregory"},
                                         "root@example.net": {"OK root"}})

    def test_a_line_that_does_not_parse_keeps_the_old_contents(self):
        """One broken line in a good file: the edit is broken, and nobody loses an address."""
        d = self.serving("texthash:{dir}/table", {"table": BOTH + "third@example.net third\n"})
        for text in (BOTH + "third@example.net\n",
                     "gregory@example.net gregory\nroot@example.net\nthird@example.net third\n",
                     BOTH + "\"third@example.net third\n"):
            with self.subTest(text):
                line = next(i for i, one in enumerate(text.splitlines(), 1)
                            if len(one.split()) == 1 or one.count('"') == 1)
                since = d.log_size()
                d.write("table", text)
                d.wait_log(r"warning: %s:%d: " % (d.path("table"), line), since)
                for name in ("gregory", "root", "third"):
                    self.stays(d, name + "@example.net", "OK " + name, 0.3)
                self.assertIn("old contents", d.log(since))
                d.write("table", BOTH + "third@example.net third\n")
                time.sleep(1.5)

    def test_one_warning_for_each_broken_version(self):
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        d.write("table", "  broken\n")
        d.wait_log("old contents")
        time.sleep(4)
        self.assertEqual(d.log().count("old contents"), 1, d.log())

    def test_emptied_on_purpose(self):
        """An empty file is a table too, once it stays so."""
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        d.write("table", "")
        self.stays(d, "gregory@example.net", "OK gregory", 1)
        self.becomes(d, "gregory@example.net", "NOTFOUND ")

    def test_through_a_link(self):
        d = self.daemon("maps = m\nm_sources = texthash:{dir}/current/table\n")
        for name in ("a", "b"):
            os.mkdir(d.path(name))
            write(d.path(name + "/table"), "gregory@example.net %s\n" % name)
        os.symlink("a", d.path("current"))
        d.start()
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK a")
        os.symlink("b", d.path("new"))
        os.rename(d.path("new"), d.path("current"))
        self.becomes(d, "gregory@example.net", "OK b")

    def test_shared_by_two_maps(self):
        d = self.daemon("maps = one two\ndefault_sources = texthash:{dir}/table\n"
                        "two_search = full\n")
        d.write("table", BOTH)
        d.start()
        replace(d.path("table"), "gregory@example.net changed\n")
        for name in ("one", "two"):
            self.becomes(d, "gregory@example.net", "OK changed", name)
        self.assertEqual(d.ask("one", "gregory+x@example.net"), "OK changed")
        self.assertEqual(d.ask("two", "gregory+x@example.net"), "NOTFOUND ")

    def test_watched_after_a_reload(self):
        d = self.serving("texthash:{dir}/table", {"table": BOTH})
        d.configure("maps = m extra\nm_sources = texthash:{dir}/table\n"
                    "extra_sources = texthash:{dir}/table\n")
        d.reload()
        replace(d.path("table"), "gregory@example.net changed\n")
        self.becomes(d, "gregory@example.net", "OK changed")
        self.becomes(d, "gregory@example.net", "OK changed", "extra")

    def test_large(self):
        """200,000 entries: a change is obeyed, and nobody waits for it."""
        text = "".join("user%d@example.net login%d\n" % (i, i) for i in range(200000))
        d = self.serving("texthash:{dir}/table", {"table": text})
        with Prober(d, "m", "user7@example.net", "OK login7") as prober:
            replace(d.path("table"), text + "new@example.net new\n")
            self.becomes(d, "new@example.net", "OK new")
        self.assertIsNone(prober.wrong)
        self.assertLess(prober.worst_s, 2)


class Aliases(LiveCase):
    TEXT = ("root: gregory\n"
            "G.Czaplinski: gregory\n"
            "team: :include:{dir}/team\n"
            "all: team, root\n"
            "prog: \"|/usr/bin/vacation gregory\"\n"
            "file: /var/mail/file\n")

    def aliases(self, d, text=None):
        return (text or self.TEXT).replace("{dir}", d.dir)

    def serve(self):
        d = self.daemon("maps = m\nm_sources = aliases:{dir}/aliases\n")
        d.write("aliases", self.aliases(d))
        d.write("team", "gregory\n# a comment\nhelen, \"ivan\"\n")
        return d.start()

    def owners(self, d, name):
        reply = d.ask("m", name + "@example.net")
        self.assertTrue(reply.startswith("OK "), reply)
        return set(reply[3:].split(","))

    def become(self, d, name, owners):
        until(lambda: self.owners(d, name) == owners, "%s: %s" % (name, owners), FILE_PATIENCE_S)

    def test_answers(self):
        d = self.serve()
        self.assertEqual(d.ask("m", "G.Czaplinski@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "g.czaplinski+lists@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "root@example.net"), "OK gregory")
        self.assertEqual(self.owners(d, "team"), {"gregory", "helen", "ivan"})
        self.assertEqual(self.owners(d, "all"), {"gregory", "helen", "ivan"})
        for name in ("prog", "file"):
            self.assertNotIn("gregory", self.owners(d, name))
        self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
        self.assertEqual(d.ask("m", "g.czaplinski@example.org"), "NOTFOUND ")

    def test_included_file_changes(self):
        d = self.serve()
        with Asker(d, "g.czaplinski@example.net") as asker:
            replace(d.path("team"), "gregory\njane\n")
            self.become(d, "team", {"gregory", "jane"})
            self.become(d, "all", {"gregory", "jane"})
            with open(d.path("team"), "a") as file:
                file.write("kate\n")
            self.become(d, "team", {"gregory", "jane", "kate"})
            # Another file included from there is watched too.
            d.write("more", "leo\n")
            with open(d.path("team"), "a") as file:
                file.write(":include:%s\n" % d.path("more"))
            self.become(d, "team", {"gregory", "jane", "kate", "leo"})
            d.write("more", "mary\n")
            self.become(d, "team", {"gregory", "jane", "kate", "mary"})
        self.assertEqual(asker.replies["g.czaplinski@example.net"], {"OK gregory"})

    def test_included_file_goes_and_comes(self):
        """Without it the list would lose owners: the old contents stay."""
        d = self.serve()
        os.rename(d.path("team"), d.path("away"))
        d.wait_log(r"warning: .*%s.*old contents" % d.path("team"))
        self.assertEqual(self.owners(d, "team"), {"gregory", "helen", "ivan"})
        d.write("team", "jane\n")
        self.become(d, "team", {"jane"})

    def test_aliases_change(self):
        d = self.serve()
        replace(d.path("aliases"), self.aliases(d) + "new: gregory\n")
        self.becomes(d, "new@example.net", "OK gregory")

    def test_broken_removed_and_repaired(self):
        d = self.serve()
        path = d.path("aliases")
        text = self.aliases(d)
        lines = len(text.splitlines())
        with Asker(d, "g.czaplinski@example.net", "root@example.net") as asker:
            for broken, line in ((text + "no colon here\n", lines + 1),
                                 (text + "x: \"never closed\n", lines + 1),
                                 (text.replace("root: gregory", "root:"), 1),
                                 (" " + text, 1)):
                since = d.log_size()
                d.write("aliases", broken)
                d.wait_log(r"warning: %s:%d: .*old contents" % (path, line), since)
            os.unlink(path)
            d.wait_log(r"warning: %s: No such file.*old contents" % path)
            since = d.log_size()
            d.write("aliases", text + "new: gregory\n")
            self.becomes(d, "new@example.net", "OK gregory")
            d.wait_log(r"info: %s: " % path, since)
        self.assertEqual(asker.replies, {"g.czaplinski@example.net": {"OK gregory"},
                                         "root@example.net": {"OK gregory"}})

    def test_truncate_and_rewrite(self):
        d = self.serve()
        with Asker(d, "g.czaplinski@example.net") as asker:
            with open(d.path("aliases"), "w") as file:
                time.sleep(1.2)
                file.write(self.aliases(d))
                file.write("new: gregory\n")
            self.becomes(d, "new@example.net", "OK gregory")
        self.assertEqual(asker.replies["g.czaplinski@example.net"], {"OK gregory"})


class Passwd(LiveCase):
    TEXT = ("root:x:0:0:root:/root:/bin/sh\n"
            "gregory:x:1000:1000:Gregory:/home/gregory:/bin/sh\n")

    def test_file(self):
        d = self.serving("passwd:{dir}/passwd", {"passwd": self.TEXT})
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "Gregory+x@Example.NET"), "OK gregory")
        self.assertEqual(d.ask("m", "gregory"), "OK gregory")
        self.assertEqual(d.ask("m", "gregory@example.org"), "NOTFOUND ")
        self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")

    def test_file_changes(self):
        d = self.serving("passwd:{dir}/passwd", {"passwd": self.TEXT})
        path = d.path("passwd")
        with Asker(d, "gregory@example.net", "root@example.net") as asker:
            with open(path, "a") as file:  # as useradd(8) used to
                file.write("helen:x:1001:1001::/home/helen:/bin/sh\n")
            self.becomes(d, "helen@example.net", "OK helen")
            replace(path, self.TEXT)  # as it does now
            self.becomes(d, "helen@example.net", "NOTFOUND ")
            os.unlink(path)
            d.wait_log(r"warning: %s: .*old contents" % path)
            d.write("passwd", "rubbish\n")
            d.wait_log(r"warning: %s:1: .*old contents" % path)
            since = d.log_size()
            d.write("passwd", self.TEXT + "ivan:x:1002:1002::/:/bin/sh\n")
            self.becomes(d, "ivan@example.net", "OK ivan")
            d.wait_log(r"info: %s: " % path, since)
        self.assertEqual(asker.replies, {"gregory@example.net": {"OK gregory"},
                                         "root@example.net": {"OK root"}})

    def test_name_service(self):
        d = self.serving("passwd:", {})
        with d.client() as client:
            self.assertEqual(client.ask("m", "root@example.net"), "OK root")
            self.assertEqual(client.ask("m", "ROOT+x@Example.Net"), "OK root")
            self.assertEqual(client.ask("m", "root"), "OK root")
            self.assertEqual(client.ask("m", "root@example.org"), "NOTFOUND ")
            self.assertEqual(client.ask("m", "nobody-here@example.net"), "NOTFOUND ")
            me = pwd.getpwuid(os.geteuid()).pw_name
            self.assertEqual(client.ask("m", me + "@example.net"), "OK " + me)

    def test_name_service_odd_names(self):
        """No name, however odd, is an error, and none is somebody by accident."""
        names = ["", "0", "1000", "+", "+root", "-root", "root:", "root:x", "root:x:0:0", "/root",
                 "../root", "root\n", " root", "root ", "r" * 255, "r" * 256, "r" * 5000, "*", "%",
                 "root,daemon", "@", "r\u00f6\u00f6t", "\u202eroot", "~", "~root", "#root", "!root",
                 "root\\", "$(id)", ".", "..", "a/b", "root\x7f", "\x01"]
        d = self.serving("passwd:", {})
        with d.client() as client:
            for name in names:
                self.assertEqual(client.ask("m", name + "@example.net"), "NOTFOUND ", repr(name))

    def test_name_service_down(self):
        """Its back end is not there: TEMP, never "no such user". Here the files service without
        its file, which getpwnam_r(3) tells as LDAP's does whose daemon is down: ENOENT."""
        d = self.daemon("maps = m\nm_sources = passwd:\n")
        os.mkdir(d.path("etc"))
        d.write("etc/nsswitch.conf", "passwd: files\n")
        command = in_a_world(["-m"], "subprocess.check_call(['mount', '--bind', %r, '/etc'])"
                             % d.path("etc"), d.command())
        if command is None:
            self.skipTest("needs root and unshare(1)")
        d.start(command=command)
        with d.client() as client:
            for name in ("root", "nobody-here"):
                reply = client.ask("m", name + "@example.net")
                self.assertTrue(reply.startswith("TEMP m: passwd:"), reply)
            self.assertIn("warning", d.log())
            d.write("etc/passwd", self.TEXT)

            def is_back():  # after a failure the source is left alone for a moment
                reply = client.ask("m", "gregory@example.net")
                self.assertRegex(reply, "^(OK gregory$|TEMP )")
                return reply == "OK gregory"
            until(is_back, "the name service is asked again")
            self.assertEqual(client.ask("m", "nobody-here@example.net"), "NOTFOUND ")

    def test_name_service_pipelined(self):
        """Answers of workers and of memory, mixed: the order stays."""
        d = self.daemon("maps = m t\nm_sources = passwd:\nt_sources = texthash:{dir}/table\n"
                        "tcp_table_listen = unix:{dir}/tcp=m\n")
        d.write("table", BOTH)
        d.start()
        kinds = [("m", "root@example.net", "OK root"),
                 ("t", "gregory@example.net", "OK gregory"),
                 ("m", "nobody-here@example.net", "NOTFOUND "),
                 ("m", "no/login@example.net", "NOTFOUND "),
                 ("t", "nobody-here@example.net", "NOTFOUND "),
                 ("x", "y", None)]
        with d.client() as client:
            order = [kinds[i * i % len(kinds)] if i % 3 else kinds[i % len(kinds)]
                     for i in range(2000)]
            sender = threading.Thread(target=client.send, args=(
                b"".join(request(name, key) for name, key, _ in order),))
            sender.start()
            for i, (_, _, expected) in enumerate(order):
                reply = client.read()
                if expected is None:
                    self.assertTrue(reply.startswith("PERM "), reply)
                else:
                    self.assertEqual(reply, expected, i)
            sender.join()
        with TcpTable(d.path("tcp")) as client:
            client.send(b"get root@example.net\nget nobody-here@example.net\nbad\n" * 100)
            for _ in range(100):
                self.assertEqual(client.read(), "200 root")
                self.assertEqual(client.read(), "500 not found")
                self.assertTrue(client.read().startswith("400 "))

    def test_name_service_many_clients(self):
        """More lookups at once than max_in_flight: TEMP, never a wrong NOTFOUND."""
        d = self.serving("passwd:", {}, "m_max_in_flight = 2\n")
        clients = [self.closing(d.client()) for _ in range(50)]
        for client in clients:
            client.send(request("m", "root@example.net") * 20)
        replies = [client.read() for client in clients for _ in range(20)]
        self.assertIn("OK root", replies)
        for reply in replies:
            self.assertTrue(reply == "OK root" or reply.startswith("TEMP m: "), reply)
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")


class Maps(LiveCase):
    def test_first_and_union(self):
        d = self.daemon("maps = f u nss\n"
                        "f_sources = texthash:{dir}/a, texthash:{dir}/b\n"
                        "u_sources = texthash:{dir}/a, texthash:{dir}/b\nu_combine = union\n"
                        "nss_sources = texthash:{dir}/a passwd: texthash:{dir}/c\n"
                        "nss_combine = union\n")
        d.write("a", "both@example.net gregory, helen\na@example.net a\n"
                     "later@example.net x\nroot@example.net gregory\n")
        d.write("b", "both@example.net helen, ivan\nb@example.net b\n"
                     "later+x@example.net y\n@example.net catchall\n")
        d.write("c", "root boss\nroot@example.net c\n")
        d.start()
        with d.client() as client:
            self.assertEqual(client.ask("f", "both@example.net"), "OK gregory, helen")
            self.assertEqual(client.ask("u", "both@example.net").replace(" ", ""),
                             "OKgregory,helen,ivan")
            for name in ("f", "u"):
                self.assertEqual(client.ask(name, "a@example.net"), "OK a")
                self.assertEqual(client.ask(name, "b@example.net"), "OK b")
                # The first candidate with a value in any source ends the walk.
                self.assertEqual(client.ask(name, "later+x@example.net"), "OK y")
                self.assertEqual(client.ask(name, "later+z@example.net"), "OK x")
                self.assertEqual(client.ask(name, "other@example.net"), "OK catchall")
                self.assertEqual(client.ask(name, "other@example.org"), "NOTFOUND ")
            # The whole address is a candidate of its own: the bare login's owners don't join.
            self.assertEqual(client.ask("nss", "root@example.net"), "OK gregory,c")
            self.assertEqual(client.ask("nss", "root"), "OK root,boss")

    def test_search(self):
        d = self.daemon("maps = all full noext bare dom\ndefault_sources = texthash:{dir}/table\n"
                        "full_search = full\nnoext_search = full noext\n"
                        "bare_search = full localpart_if_local\ndom_search = full, at_domain\n")
        d.write("table", "john@example.net noext\njane+x bareext\njane bare\n"
                         "@example.net domain\nwhole+x@example.net whole\n")
        d.start()
        cases = {
            "whole+x@example.net": {"all": "whole", "full": "whole", "noext": "whole",
                                    "bare": "whole", "dom": "whole"},
            "john+x@example.net": {"all": "noext", "noext": "noext", "dom": "domain"},
            "jane+x@example.net": {"all": "bareext", "bare": "bareext", "dom": "domain"},
            "jane+y@example.net": {"all": "bare", "dom": "domain"},
            "jane@example.net": {"all": "bare", "bare": "bare", "dom": "domain"},
            "nobody-here@example.net": {"all": "domain", "dom": "domain"},
            "jane@example.org": {},
        }
        with d.client() as client:
            for key, expected in cases.items():
                for name in ("all", "full", "noext", "bare", "dom"):
                    value = expected.get(name)
                    self.assertEqual(client.ask(name, key),
                                     "OK " + value if value else "NOTFOUND ", (name, key))

    def test_two_maps_with_different_walks_at_once(self):
        d = self.daemon("maps = wide narrow\ndefault_sources = texthash:{dir}/table\n"
                        "narrow_search = full\n")
        d.write("table", BOTH)
        d.start()
        with d.client() as client:
            client.send(b"".join(request(name, "gregory+%d@example.net" % i)
                                 for i in range(500) for name in ("wide", "narrow")))
            for _ in range(500):
                self.assertEqual(client.read(), "OK gregory")
                self.assertEqual(client.read(), "NOTFOUND ")

    def test_idn(self):
        d = self.daemon("maps = idn plain\ndefault_sources = texthash:{dir}/table\n"
                        "idn_idn = yes\nlocal_domains = b\u00fccher.example\n")
        d.write("table", "gregory@b\u00fccher.example gregory\nroot@xn--bcher-kva.example root\n"
                         "@xn--kln-sna.example cologne\nbare bare\n")
        d.start()
        u, a = "b\u00fccher.example", "xn--bcher-kva.example"
        cases = [
            ("gregory@" + u, "OK gregory", "OK gregory"),
            ("gregory@" + a, "OK gregory", "NOTFOUND "),
            ("root@" + a, "OK root", "OK root"),
            ("root@" + u, "OK root", "NOTFOUND "),
            ("Gregory+x@XN--BCHER-KVA.Example", "OK gregory", "NOTFOUND "),
            ("GREGORY@B\u00dcCHER.EXAMPLE", "OK gregory", "OK gregory"),
            ("any@k\u00f6ln.example", "OK cologne", "NOTFOUND "),
            ("any@xn--kln-sna.example", "OK cologne", "OK cologne"),
            ("bare@" + u, "OK bare", "OK bare"),
            ("bare@" + a, "OK bare", None),
            ("nobody-here@" + a, "NOTFOUND ", "NOTFOUND "),
            ("x@xn--", "NOTFOUND ", "NOTFOUND "),
            ("x@xn--a-ecp.example", "NOTFOUND ", "NOTFOUND "),
        ]
        with d.client() as client:
            for key, with_idn, without in cases:
                self.assertEqual(client.ask("idn", key), with_idn, key)
                if without is not None:
                    self.assertEqual(client.ask("plain", key), without, key)

    def test_local_domains(self):
        for value, local in (("example.net", {"example.net"}),
                             ("example.net, example.org", {"example.net", "example.org"}),
                             ("EXAMPLE.NET", {"example.net"}),
                             ("", set()),
                             ("[192.0.2.1] example.org", {"[192.0.2.1]", "example.org"})):
            with self.subTest(value):
                d = self.serving("texthash:{dir}/table", {"table": "gregory gregory\n"},
                                 "local_domains = %s\n" % value)
                with d.client() as client:
                    for domain in ("example.net", "example.org", "sub.example.net", "[192.0.2.1]",
                                   "[192.0.2.2]"):
                        self.assertEqual(client.ask("m", "gregory@" + domain),
                                         "OK gregory" if domain in local else "NOTFOUND ", domain)
                    self.assertEqual(client.ask("m", "gregory"), "OK gregory")

    def test_recipient_delimiter(self):
        for value, split in (("+", "+"), ("-+", "-+"), ("", ""), ("+-._", "+-._")):
            with self.subTest(value):
                d = self.serving("texthash:{dir}/table", {"table": BOTH},
                                 "recipient_delimiter = %s\n" % value)
                with d.client() as client:
                    for c in "+-._=":
                        self.assertEqual(client.ask("m", "gregory%sx@example.net" % c),
                                         "OK gregory" if c in split else "NOTFOUND ", c)
                    self.assertEqual(client.ask("m", "gregory@example.net"), "OK gregory")
                    if "-" in split and "+" in split:
                        self.assertEqual(client.ask("m", "gregory-a+b@example.net"), "OK gregory")
                        self.assertEqual(client.ask("m", "gregory+a-b@example.net"), "OK gregory")

    def test_owner_request_special(self):
        table = "owner@example.net o\nlist@example.net l\npostmaster@example.net p\n"
        for value, special in (("yes", True), ("no", False), ("", False)):
            with self.subTest(value):
                d = self.serving("texthash:{dir}/table", {"table": table},
                                 "recipient_delimiter = -\nowner_request_special = %s\n" % value)
                with d.client() as client:
                    for key, found in (("owner-list", "o"), ("list-request", "l")):
                        self.assertEqual(client.ask("m", key + "@example.net"),
                                         "NOTFOUND " if special else "OK " + found, key)
                    self.assertEqual(client.ask("m", "list-x@example.net"), "OK l")

    def test_quoted(self):
        d = self.serving("texthash:{dir}/table",
                         {"table": "\"john smith\"@example.net john\njane\\ doe@example.net jane\n"
                                   "\"a b\" bare\n"})
        with d.client() as client:
            for key in ("\"john smith\"@example.net", "john smith@example.net",
                        "\"john smith+x\"@example.net", "\"JOHN SMITH\"@example.net"):
                self.assertEqual(client.ask("m", key), "OK john", key)
            self.assertEqual(client.ask("m", "\"a b\"@example.net"), "OK bare")
            self.assertEqual(client.ask("m", "john@example.net"), "NOTFOUND ")

    def test_case(self):
        d = self.serving("texthash:{dir}/table",
                         {"table": "GREGORY@Example.NET Gregory\nM\u00dcLLER@example.net m\n"})
        with d.client() as client:
            self.assertEqual(client.ask("m", "gregory@example.net"), "OK Gregory")
            self.assertEqual(client.ask("m", "Gregory@EXAMPLE.net"), "OK Gregory")
            self.assertEqual(client.ask("m", "m\u00fcller@example.net"), "OK m")
            self.assertEqual(client.ask("m", "M\u00dcller@example.net"), "OK m")


class RunningExample(LiveCase):
    def test_whole(self):
        """gregory, root and the alias, from a passwd and an aliases file."""
        d = self.daemon("maps = sender_login local_recipient\n"
                        "default_sources = passwd:{dir}/passwd aliases:{dir}/aliases\n"
                        "tcp_table_listen = unix:{dir}/tcp=sender_login\n")
        d.write("passwd", Passwd.TEXT)
        d.write("aliases", "postmaster: root\nG.Czaplinski: gregory\nsink: /dev/null\n"
                           "root: gregory\n")
        d.start()
        with d.client() as client, TcpTable(d.path("tcp")) as tcp:
            for key, owner in (("gregory", "gregory"), ("G.Czaplinski", "gregory"),
                               ("g.czaplinski+lists", "gregory"), ("root", "root"),
                               ("postmaster", None), ("sink", None)):
                reply = client.ask("sender_login", key + "@example.net")
                self.assertTrue(reply.startswith("OK "), (key, reply))
                if owner:
                    self.assertEqual(reply, "OK " + owner)
                    self.assertEqual(tcp.ask(key + "@example.net"), "200 " + owner)
                self.assertTrue(client.ask("local_recipient",
                                           key + "@example.net").startswith("OK "))
            self.assertEqual(client.ask("local_recipient", "nobody-here@example.net"), "NOTFOUND ")
            self.assertEqual(tcp.ask("nobody-here@example.net"), "500 not found")
            self.assertEqual(client.ask("sender_login", "gregory@example.org"), "NOTFOUND ")


if __name__ == "__main__":
    main(parallel=8)
