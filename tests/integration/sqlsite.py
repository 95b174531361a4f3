"""A database with sql/ in it, for the tests: migrations, roles, map files."""

import glob
import os
import re
import subprocess

from daemon import BUILD, ROOT, write
from pg import DATABASE, PASSWORD, ROLE, Postgres

SQL = os.path.join(ROOT, "sql")
MIGRATIONS = sorted(glob.glob(os.path.join(SQL, "migrations", "[0-9]*.sql")))
DICTCTL = os.path.join(BUILD, "dictctl")
ADMIN = "postmaster"


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class SqlSite(Postgres):
    """ROLE is the daemon's, a dictd_reader; ADMIN is a dictd_admin. up_to: migrations."""

    def __init__(self, up_to=len(MIGRATIONS), **options):
        super().__init__(schema=None, **options)
        for path in MIGRATIONS[:up_to]:
            self.sql(text_of(path))
        self.sql("CREATE ROLE %s LOGIN PASSWORD '%s'" % (ADMIN, PASSWORD))
        if up_to > 0:
            self.give_roles()

    def give_roles(self):
        self.sql("GRANT dictd_reader TO %s; GRANT dictd_admin TO %s" % (ROLE, ADMIN))

    def as_role(self, role, text, check=True):
        return self.sql("SET SESSION AUTHORIZATION %s;\n%s" % (role, text), check=check)

    def rows(self, text, role=None):
        out = self.as_role(role, text) if role else self.sql(text)
        return [line.split("|") for line in out.splitlines()]

    def shipped_map(self, name, path):
        """sql/NAME.cf with this server's address in it; the query is what is shipped."""
        text = text_of(os.path.join(SQL, name + ".cf"))
        for parameter, value in (("hosts", self.inet), ("user", ROLE), ("password", PASSWORD),
                                 ("dbname", DATABASE)):
            text, n = re.subn(r"(?m)^%s =.*$" % parameter, "%s = %s" % (parameter, value), text)
            assert n == 1, parameter
        return write(path, text, 0o600)

    def environment(self, role=ADMIN, **more):
        values = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGDATABASE": DATABASE,
                  "PGUSER": role, "PGPASSWORD": PASSWORD}
        values.update(more)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        return dict(clean, **values)

    def ctl(self, *words, role=ADMIN, stdin=None, timeout=120, **more):
        """dictctl's exit status, standard output and standard error."""
        done = subprocess.run([DICTCTL, *words], env=self.environment(role, **more),
                              input=stdin, capture_output=True, timeout=timeout, text=True)
        return done.returncode, done.stdout, done.stderr
