#!/usr/bin/env python3
"""The running example with PostgreSQL as the only source.

The verdicts are those of test_running_example.py. With the database down every
one of them is 451; when it is back they are right again, with no reload of the
daemon or of Postfix.
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "integration"))
import backend_example
import harness
from pg import ROLE, Postgres

SCHEMA = """
CREATE TABLE owners (address text NOT NULL, login text NOT NULL);
CREATE INDEX ON owners (address);
INSERT INTO owners VALUES
    ('gregory', 'gregory'), ('root', 'root'), ('postmaster', 'root'),
    ('g.czaplinski', 'gregory'),
    ('"john smith"@example.net', 'gregory'),
    ('team@example.net', 'root'), ('team@example.net', 'gregory'),
    ('@catchall.example.net', 'gregory'),
    ('grégory@example.net', 'gregory');
GRANT SELECT ON owners TO %s;
""" % ROLE

QUERY = "SELECT login FROM owners WHERE address = '%s'"


def run(report, arguments):
    with harness.Scratch("pgsql") as scratch, Postgres(schema=SCHEMA) as pg:
        source = "pgsql:" + scratch.file("owners.cf", pg.map_text(QUERY))
        backend_example.check(report, scratch, "pgsql", pg,
                              {"sender_login": source, "local_recipient": source})


if __name__ == "__main__":
    sys.exit(harness.main(run))
