"""What the tests of pgsql:FILE share: daemons over map files, and what must never be seen."""

import http.client
import os
import re
import subprocess

from daemon import BUILD, PATIENCE_S, SETTLED, Case, free_port, is_sanitized, until, write
from pg import PASSWORD

# What a busy machine may take: limits that are a test's subject it sets itself.
QUERY_TIMEOUT = "query_timeout = 20s\n"
MAP_TIMEOUT = "default_timeout = 30s\n"

# These tests are about the source itself.
NO_CACHE = "default_cache_ttl = 0\ndefault_negative_cache_ttl = 0\n"
DICTCTL = os.path.join(BUILD, "dictctl")


class PgCase(Case):
    source = "pgsql"  # the type of the map files

    def serve(self, maps, extra="", search="full", **start):
        return self.prepare(maps, extra, search).start(**start)

    def prepare(self, maps, extra="", search="full"):
        """A daemon for {map name: map file's text}, with a map `file` in memory beside them;
        the files may be rewritten in its directory, as NAME.cf. Not started yet. Lookups have
        plenty of time unless a map file, or extra, says how much."""
        daemon = self.daemon(None)
        daemon.admin = os.path.join(daemon.dir, "admin")
        daemon.http = free_port()
        table = daemon.write("table", "gregory@example.net gregory\n")
        lines = [SETTLED, "socketmap_listen = unix:%s\n" % daemon.socket,
                 "admin_listen = unix:%s\n" % daemon.admin,
                 "http_listen = %d\n" % daemon.http,
                 "maps = %s file\n" % " ".join(maps), "default_search = %s\n" % search,
                 NO_CACHE,
                 "file_sources = texthash:%s\n" % table]
        for name, text in maps.items():
            path = os.path.join(daemon.dir, name + ".cf")
            if self.source == "pgsql" and "query_timeout" not in text:
                text += QUERY_TIMEOUT
            write(path, text, 0o600)
            lines.append("%s_sources = %s:%s\n" % (name, self.source, path))
        if "_timeout" not in extra:
            lines.append(MAP_TIMEOUT)
        daemon.configure("".join(lines) + extra)
        return daemon

    def temp(self, reply, cause=None):
        self.assertTrue(reply.startswith("TEMP "), reply)
        self.assertNotIn(PASSWORD, reply)
        self.assertNotRegex(reply, "SELECT (?!in a read-only transaction)")  # no query
        if cause is not None:
            self.assertRegex(reply, cause)
        return reply

    def ask_until(self, daemon, name, key, reply, seconds=PATIENCE_S):
        """TEMP in between is allowed, anything else is not."""
        seen = []

        def look():
            got = daemon.ask(name, key)
            seen.append(got)
            if got == reply:
                return True
            self.temp(got)
            return False
        until(look, "%s for %s" % (reply, key), seconds)
        return seen

    def always_temp(self, daemon, name, cause, n=1100, warnings=3,
                    keys=("gregory@example.net", "nobody-here@example.net")):
        """n lookups in a row, each TEMP for that cause, and few lines about it in the log."""
        since = daemon.log_size()
        with daemon.client() as client:
            for i in range(n):
                self.temp(client.ask(name, keys[i % len(keys)]), cause)
        said = daemon.log(since).splitlines()
        lines = [line for line in said if "warning:" in line or "error:" in line]
        self.assertLessEqual(len(lines), warnings, "\n".join(lines))

    def no_secret_in(self, daemon, *secrets):
        """Not in the log, in what dictctl and HTTP tell, or in what ps shows."""
        for place, text in self.all_that_it_tells(daemon).items():
            for secret in secrets or (PASSWORD,):
                if secret in text:
                    at = text.index(secret)
                    self.fail("%s shows a password: ...%s..."
                              % (place, text[max(0, at - 100):at + 60]))

    def all_that_it_tells(self, daemon):
        told = {"the log": daemon.log()}
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (daemon.pid, name), "rb") as file:
                told["/proc/PID/" + name] = file.read().decode("utf-8", "replace")
        if hasattr(daemon, "admin"):
            with open(daemon.config_path, encoding="utf-8") as file:
                maps = re.search(r"^maps = (.*)$", file.read(), re.M).group(1).split()
            commands = [("status",), ("stats",)]
            commands += [("explain", name, "gregory@example.net") for name in maps]
            for command in commands:
                for option in ((), ("--json",)):
                    told["dictctl " + " ".join(option + command)] = self.ctl(
                        daemon, *option, *command)
            for path in ("/metrics", "/", "/readyz"):
                told["http " + path] = get(daemon.http, path)
        return told

    def ctl(self, daemon, *words):
        done = subprocess.run([DICTCTL, "-s", "unix:" + daemon.admin, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
        text = done.stdout.decode("utf-8", "replace")
        self.assertIn(done.returncode, (0, 1, 75), text)
        return text

    def quick(self, prober, limit_s=0.3):
        """prober: a Prober that is over. It would be a second and more if the loop had waited for
        anything. A sanitizer makes all of it slower."""
        if is_sanitized():
            limit_s = max(limit_s, 0.8)
        self.assertIsNone(prober.wrong)
        self.assertLess(prober.worst_s, limit_s, "of %d lookups in memory; it took %.2f s with what "
                        "the machine took" % (prober.asked, prober.took_s))


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode("utf-8", "replace")
    finally:
        connection.close()
