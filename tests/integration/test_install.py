#!/usr/bin/env python3
"""What `make install` leaves behind: files, modes, adapted paths, and what it leaves alone.

Runs as any user, into temporary directories, from $BUILD (default: build). The
manual pages and the systemd unit are checked with mandoc and systemd-analyze
where those are installed.
"""

import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
PAGES = ("man/postfix-dictd.8", "man/dictctl.1", "man/dictd.cf.5", "man/dictd-pgsql.5", "man/dictd-ldap.5")

FILES = {  # under PREFIX=/usr, SYSCONFDIR=/etc; the mode
    "usr/sbin/postfix-dictd": 0o755,
    "usr/bin/dictctl": 0o755,
    "usr/share/man/man8/postfix-dictd.8": 0o644,
    "usr/share/man/man1/dictctl.1": 0o644,
    "usr/share/man/man5/dictd.cf.5": 0o644,
    "usr/share/man/man5/dictd-ldap.5": 0o644,
    "usr/share/man/man5/dictd-pgsql.5": 0o644,
    "usr/share/doc/postfix-dictd/README.md": 0o644,
    "usr/share/doc/postfix-dictd/INSTALL": 0o644,
    "usr/share/doc/postfix-dictd/postfix-dictd.socket": 0o644,
    "usr/share/doc/postfix-dictd/try-sender.py": 0o644,
    "usr/lib/systemd/system/postfix-dictd.service": 0o644,
    "usr/lib/sysusers.d/postfix-dictd.conf": 0o644,
    "etc/postfix-dictd/dictd.cf": 0o644,
}
FILES.update({os.path.join("usr/share/doc/postfix-dictd", os.path.relpath(os.path.join(path, name),
                                                                          ROOT)): 0o644
              for path, _, names in os.walk(os.path.join(ROOT, "ldap-schema")) for name in names})
FILES.update(("usr/share/doc/postfix-dictd/" + os.path.relpath(path, ROOT), 0o644)
             for folder in ("*.md", "*.cf", "migrations/*", "examples/*")
             for path in glob.glob(os.path.join(ROOT, "sql", folder)))
CONFIG = "etc/postfix-dictd/dictd.cf"


def environment():
    """What the caller's make was told holds for ours too, but for its job server."""
    env = dict(os.environ, LC_ALL="C")
    flags = env.pop("MAKEFLAGS", "")
    env["MAKEFLAGS"] = " ".join(flag for flag in flags.split() if not re.match(r"--job|-j", flag))
    env.pop("MFLAGS", None)
    return env


def make(*arguments, build=BUILD):
    result = subprocess.run(["make", "-C", ROOT, "--no-print-directory", "BUILD=" + build]
                            + list(arguments), env=environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise AssertionError("make %s:\n%s" % (" ".join(arguments), result.stdout))
    return result.stdout


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def tree(top):
    """{relative name of each file: its mode}"""
    return {os.path.relpath(os.path.join(path, name), top):
            stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode)
            for path, _, names in os.walk(top) for name in names}


class Scratch(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="dictd-install-")
        self.addCleanup(shutil.rmtree, self.top)
        self.root = os.path.join(self.top, "root")
        os.mkdir(self.root)

    def install(self, *arguments, target="install", build=BUILD):
        return make(target, "DESTDIR=" + self.root, "PREFIX=/usr", "SYSCONFDIR=/etc",
                    "RUNDIR=/run", *arguments, build=build)


class Install(Scratch):
    def test_files_and_modes(self):
        mask = os.umask(0o077)  # of the one who installs; the files are for all
        try:
            self.install()
        finally:
            os.umask(mask)
        self.assertEqual(tree(self.root), FILES)

    def test_programs_run(self):
        self.install()
        for name in ("usr/sbin/postfix-dictd", "usr/bin/dictctl"):
            with open(os.path.join(self.root, name), "rb") as installed, \
                    open(os.path.join(BUILD, os.path.basename(name)), "rb") as built:
                self.assertEqual(installed.read(), built.read(), name)
        version = re.search(r"^VERSION\s*:=\s*(\S+)", read(ROOT, "Makefile"), re.M).group(1)
        printed = subprocess.run([os.path.join(self.root, "usr/sbin/postfix-dictd"), "-V"],
                                 stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(printed, "postfix-dictd %s\n" % version)

    def test_installed_configuration_is_good(self):
        self.install()
        checked = subprocess.run([os.path.join(self.root, "usr/sbin/postfix-dictd"), "-t", "-c",
                                  os.path.join(self.root, CONFIG)], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False)
        # Postfix need not be set up where this test runs.
        self.assertTrue(checked.returncode == 0 or "postconf" in checked.stdout, checked.stdout)

    def test_paths_are_adapted(self):
        self.install("SBINDIR=/opt/dictd/sbin")
        unit = read(self.root, "usr/lib/systemd/system/postfix-dictd.service")
        self.assertIn("\nExecStart=/opt/dictd/sbin/postfix-dictd\n", unit)
        self.assertNotIn("/usr/local", unit)
        self.assertTrue(os.path.exists(self.root + "/opt/dictd/sbin/postfix-dictd"))

    def test_uninstall_leaves_the_configuration_only(self):
        self.install()
        self.install(target="uninstall")
        self.assertEqual(list(tree(self.root)), [CONFIG])
        self.assertFalse(os.path.exists(os.path.join(self.root, "usr/share/doc/postfix-dictd")))
        self.install(target="uninstall")  # once more does no harm

    def test_twice_is_as_once(self):
        self.install()
        self.install()
        self.assertEqual(tree(self.root), FILES)


class ExistingConfiguration(Scratch):
    MINE = "maps = mine\nmine_sources = passwd:\n"

    def setUp(self):
        super().setUp()
        self.config = os.path.join(self.root, CONFIG)
        os.makedirs(os.path.dirname(self.config))

    def test_is_not_touched(self):
        write(self.MINE, self.config)
        os.chmod(self.config, 0o640)
        os.utime(self.config, (1000, 1000))
        said = self.install()
        self.assertEqual(read(self.config), self.MINE)
        status = os.stat(self.config)
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_mtime), (0o640, 1000))
        self.assertEqual(read(self.config + ".new"), read(ROOT, "packaging/dictd.cf"))
        self.assertIn("dictd.cf.new", said)

    def test_an_empty_one_is_not_touched(self):
        write("", self.config)
        self.install()
        self.assertEqual(read(self.config), "")

    def test_a_link_is_not_touched(self):
        for target in ("elsewhere", "not-there"):
            with self.subTest(target):
                write(self.MINE, self.root, "etc/postfix-dictd/elsewhere")
                if os.path.lexists(self.config):
                    os.unlink(self.config)
                os.symlink(target, self.config)
                self.install()
                self.assertEqual(os.readlink(self.config), target)
                self.assertEqual(read(self.root, "etc/postfix-dictd/elsewhere"), self.MINE)
                self.assertFalse(os.path.exists(self.root + "/etc/postfix-dictd/not-there"))

    def test_the_same_one_needs_no_new_one(self):
        write("old", self.config + ".new")
        shutil.copy(os.path.join(ROOT, "packaging/dictd.cf"), self.config)
        self.install()
        self.assertFalse(os.path.exists(self.config + ".new"))


class OtherPaths(Scratch):
    """SYSCONFDIR and RUNDIR are compiled in: the programs must follow."""

    def setUp(self):
        super().setUp()
        self.build = os.path.join(self.top, "build")
        os.mkdir(self.build)
        for name in ("postfix-dictd", "dictctl", "libdictd.a", "paths"):
            if os.path.exists(os.path.join(BUILD, name)):
                shutil.copy2(os.path.join(BUILD, name), self.build)
        for floor in ("dictd", "sources"):
            shutil.copytree(os.path.join(BUILD, "obj", floor),
                            os.path.join(self.build, "obj", floor))

    def test_programs_and_files_follow(self):
        places = ("PREFIX=/opt", "SYSCONFDIR=/opt/settings", "RUNDIR=/opt/volatile")
        make("install", "DESTDIR=" + self.root, *places, build=self.build)
        daemon = os.path.join(self.root, "opt/sbin/postfix-dictd")
        self.assertIn("/opt/settings/postfix-dictd/dictd.cf",
                      subprocess.run([daemon, "-h"], stdout=subprocess.PIPE, text=True,
                                     check=True).stdout)
        for name in ("opt/sbin/postfix-dictd", "opt/bin/dictctl"):
            with open(os.path.join(self.root, name), "rb") as file:
                program = file.read()
            self.assertTrue(b"/opt/settings/postfix-dictd" in program
                            or b"/opt/volatile/postfix-dictd" in program, name)
            for old in (b"\0/etc/postfix-dictd", b"\0/run/postfix-dictd",
                        b"unix:/run/postfix-dictd"):
                self.assertNotIn(old, program, name)
        config = read(self.root, "opt/settings/postfix-dictd/dictd.cf")
        self.assertIn("#admin_listen = unix:/opt/volatile/postfix-dictd/admin\n", config)
        self.assertIn("#postfix_config_directory = /etc/postfix\n", config)
        for page in PAGES:
            text = read(self.root, "opt/share/man/man%s" % page[-1], os.path.basename(page))
            self.assertNotRegex(text, r"(?<!\w)/(etc|run)/postfix-dictd")
        # The same again compiles nothing; other values do.
        self.assertNotIn("  CC ", make("all", *places, build=self.build))
        self.assertIn("  CC ", make("all", "RUNDIR=/else", build=self.build))

    def test_headers_count_however_build_is_spelt(self):
        """An object that was made by an absolute path is old when its header changes, for a
        relative one too."""
        thing = "obj/dictd/base/mem.o"
        make("-W", "dictd/base/mem.c", os.path.join(self.build, thing), build=self.build)
        for build in (self.build, os.path.relpath(self.build, ROOT)):
            path = os.path.join(build, thing)
            self.assertNotIn("mem.c", make("-n", path, build=build))
            self.assertIn("mem.c", make("-n", "-W", "dictd/base/mem.h", path, build=build))

    def test_no_header_uses_them(self):
        """install.mk compiles again what uses them, and looks into .c files only."""
        for floor in ("dictd", "sources"):
            for path, _, names in os.walk(os.path.join(ROOT, floor)):
                for name in names:
                    if name.endswith(".h"):
                        code = re.sub(r"(?s)/\*.*?\*/", "", read(path, name))
                        self.assertNotRegex(code, r"\b(SYSCONFDIR|RUNDIR|VERSION)\b", name)


def code_of(folder):
    """All that is compiled of it."""
    return "".join(read(path, name) for path, _, names in os.walk(os.path.join(ROOT, folder))
                   for name in sorted(names) if name.endswith(".c"))


class Manuals(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_lint(self):
        for page in PAGES:
            with self.subTest(page):
                result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning",
                                         os.path.join(ROOT, page)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, check=False)
                self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_every_option_of_the_daemon(self):
        usage = subprocess.run([os.path.join(BUILD, "postfix-dictd"), "-h"],
                               stdout=subprocess.PIPE, text=True, check=True).stdout
        source = read(ROOT, "dictd/server/main.c")
        letters = set(re.search(r'getopt\(argc, argv, "([^"]+)"\)', source).group(1)) - {":"}
        page = read(ROOT, "man/postfix-dictd.8")
        described = set(re.findall(r"^\.It Fl (\w)", page, re.M))
        self.assertEqual(described, letters)
        self.assertLessEqual(set(re.findall(r"^  -(\w)", usage, re.M)), letters)
        synopsis = page.split(".Sh SYNOPSIS")[1].split(".Sh")[0]
        for letter in letters:
            self.assertRegex(synopsis, r"\.Op Fl \w*" + letter)

    def test_every_command_and_option_of_dictctl(self):
        result = subprocess.run([os.path.join(BUILD, "dictctl"), "help"], stdout=subprocess.PIPE,
                                text=True, check=True)
        page = read(ROOT, "man/dictctl.1")

        def describes(pattern):
            self.assertTrue(re.search(r"(?m)^\.It " + pattern, page), "dictctl.1: " + pattern)

        commands = set(re.findall(r"(?m)^  ([a-z]+) ", result.stdout))
        self.assertLessEqual({"lookup", "explain", "status", "stats", "compare", "reload"},
                             commands)
        for command in commands - {"help"}:
            describes(r"(Cm|Ic) %s\b" % command)
        for option in set(re.findall(r"(?<![\w-])-(\w)\b", result.stdout)):
            describes(r"Fl %s\b" % option)
        for option in set(re.findall(r"--([a-z-]+)", result.stdout)):
            describes(r"(.* )?Fl (-|Fl )%s\b" % option)

    def every_parameter(self, name, n_defaults):
        """Each one that the map file may have, with the program's default where it is a number
        or a word; and none besides."""
        code = code_of("sources/" + name)
        known = re.search(r"\bparameters\[\] = \{(.*?)NULL\}", code, re.S).group(1)
        known = re.findall(r'"(\w+)"', known)
        self.assertGreater(len(known), 15)
        page = dict(re.findall(r'(?m)^\.It Sy (\w+) Pq "(.*)"$',
                               read(ROOT, "man/dictd-%s.5" % name)))
        self.assertEqual(sorted(page), sorted(known))

        def calls(function, value):
            return re.findall(r'map_value_%s\([^"();]*"(\w+)",\s*(%s)[,)]' % (function, value), code)
        defaults = {name: "%gs" % (int(ms) / 1000) if ms != "0" else "0"
                    for name, ms in calls("interval_ms", r"\d+")}
        defaults.update(calls("count", r"\d+"))
        defaults.update((name, {"true": "yes", "false": "no"}[word])
                        for name, word in calls("bool", r"\w+"))
        self.assertEqual(len(defaults), n_defaults)
        for name, value in defaults.items():
            self.assertEqual(page[name], "default: " + value, name)

    def test_every_parameter_of_pgsql(self):
        self.every_parameter("pgsql", 6)

    def test_every_parameter_of_ldap(self):
        self.every_parameter("ldap", 12)

    def test_log_lines(self):
        """What the manuals say is logged stands in the program."""
        code = code_of("dictd") + code_of("sources")
        code = re.sub(r'"\s*(?:PRI\w+)?\s*"', "", code)  # literals that the compiler joins
        entries = []
        for page in ("man/postfix-dictd.8", "man/dictd-pgsql.5", "man/dictd-ldap.5"):
            found = re.findall(r'(?m)^\.It "(.*)"$', read(ROOT, page))
            self.assertGreater(len(found), 4)
            entries += found
        for entry in entries:
            for part in re.split(r"\b[A-Z]{2,}\b:?|\bN\b|\.\.\.|: ", entry):
                part = part.strip(" ,:()")
                if len(part) > 3:
                    self.assertTrue(part in code, entry)

    def test_socket_names(self):
        page = read(ROOT, "man/postfix-dictd.8")
        source = code_of("dictd/server")
        for name in ("socketmap", "tcp_table=", "admin", "http"):
            self.assertIn('"%s"' % name, source)
            self.assertRegex(page, r"(?m)^\.It Cm %s" % name)


class Systemd(Scratch):
    UNIT = "usr/lib/systemd/system/postfix-dictd.service"

    def unit(self):
        """The installed unit, with the program where it is now: verify looks for it."""
        self.install()
        text = read(self.root, self.UNIT)
        return text.replace("=/usr/sbin/", "=%s/usr/sbin/" % self.root)

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_verify(self):
        text = self.unit()
        # No manual pages of ours are installed on the host.
        text = re.sub(r"(?m)^Documentation=.*\n", "", text)
        path = os.path.join(self.top, "postfix-dictd.service")
        write(text, path)
        result = self.analyze("verify", "--recursive-errors=no", path)
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        write(text.replace("Type=notify", "Type=notfiy"), path)
        self.assertNotEqual(self.analyze("verify", "--recursive-errors=no", path).stdout, "",
                            "systemd-analyze finds no mistake at all")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_verify_socket(self):
        write(self.unit(), self.top, "postfix-dictd.service")
        shutil.copy(os.path.join(ROOT, "packaging/postfix-dictd.socket"), self.top)
        result = self.analyze("verify", "--recursive-errors=no", "--man=no",
                              os.path.join(self.top, "postfix-dictd.socket"))
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_exposure(self):
        path = os.path.join(self.top, "postfix-dictd.service")
        write(self.unit(), path)
        result = self.analyze("security", "--offline=true", "--threshold=20", path)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_says_what_the_daemon_does(self):
        unit = self.unit()
        for line in ("Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "User=postfix-dictd",
                     "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict",
                     "RuntimeDirectory=postfix-dictd", "MemoryDenyWriteExecute=yes"):
            self.assertRegex(unit, r"(?m)^%s$" % re.escape(line))
        limit = int(re.search(r"(?m)^LimitNOFILE=(\d+)$", unit).group(1))
        settings = read(ROOT, "dictd/server/settings_table.c")
        clients = int(re.search(r'"max_clients", "(\d+)"', settings).group(1))
        self.assertGreater(limit, clients + 128)


if __name__ == "__main__":
    unittest.main(verbosity=2)
