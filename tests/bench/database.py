"""The PostgreSQL that the benchmark asks: a real server with 100,000 addresses.

The server is the integration tests' (tests/integration/pg.py), with their role and their way
to begin and end it; here are the table and the queries.
"""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(TESTS / "integration"))

import pg  # noqa: E402 (needs the path above)
from servers import VALUE, Failed  # noqa: E402

ENTRIES = 100_000
TABLE = f"""
CREATE TABLE bench (address text PRIMARY KEY, login text NOT NULL);
INSERT INTO bench SELECT 'user' || lpad(i::text, 6, '0') || '@example.net', '{VALUE}'
    FROM generate_series(0, {ENTRIES - 1}) AS i;
GRANT SELECT ON bench TO {pg.ROLE};
VACUUM ANALYZE bench;
"""

QUERY = "SELECT login FROM bench WHERE address = '%s'"
# The same to the planner, which knows that the rest is true. To the daemon it might be a pattern
# match, and such a query is never asked for many keys at once.
QUERY_ONE_BY_ONE = QUERY + " AND '~' <> ''"
# What the ceiling program prepares.
PREPARED = "SELECT login FROM bench WHERE address = $1"
PREPARED_ARRAY = (
    "SELECT k.n, q.* FROM unnest($1::text[]) WITH ORDINALITY AS k(p, n)"
    " CROSS JOIN LATERAL (SELECT login FROM bench WHERE address = k.p OFFSET 0) AS q"
)


def why_not(bench):
    """Why nothing can be measured here; None when it can."""
    if bench.options.stand_in:
        return "the stand-in asks no database"
    if pg.bin_dir() is None:
        return "PostgreSQL is not installed"
    return None


class Database:
    """with Database() as database: ... Raises Failed when it does not start."""

    def __init__(self):
        try:
            self.server = pg.Postgres()
            self.uri = self.server.uri
            self.server.sql(TABLE)
        except AssertionError as error:
            raise Failed(f"PostgreSQL: {error}") from None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.close()

    def map_file(self, path, query=QUERY, **parameters):
        """A pgsql_table(5) file for the table; the path. All parameters are strings."""
        return self.server.map_file(str(path), query=query, **parameters)


def write_keys(folder):
    """The same names as in write_data. hit: each address of the table; not-found: as many others,
    local and with an extension, for the longest walk."""
    folder.mkdir()
    hit = (f"user{i:06d}@example.net\n" for i in range(ENTRIES))
    not_found = (f"nobody{i:06d}+lists@example.net\n" for i in range(ENTRIES))
    (folder / "keys.hit").write_text("".join(hit))
    (folder / "keys.not-found").write_text("".join(not_found))
