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
import harness
import test_running_example as example
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


def check_all_later(report, postfix, port):
    """No verdict but 451 for any sender or recipient of the table."""
    for login in ("gregory", "root", None):
        who = "login " + login if login else "not logged in"
        with harness.Smtp(postfix, port, login) as smtp:
            for owner, sender, _, what in example.SENDERS:
                if owner == login:
                    reply = smtp.verdict(sender, "gregory@example.net",
                                         example.parameters_for(sender))
                    example.check_verdict(report, "down", who, "MAIL FROM:<%s> (%s)"
                                          % (sender, what), reply, example.LATER)
    with harness.Smtp(postfix, port) as smtp:
        for recipient, _, what in example.RECIPIENTS:
            if recipient == "postmaster":
                continue  # smtpd takes that one without asking anybody (RFC 5321, 4.5.1)
            reply = smtp.verdict(example.STRANGER, recipient,
                                 example.parameters_for(recipient))
            example.check_verdict(report, "down", "not logged in", "RCPT TO:<%s> (%s)"
                                  % (recipient, what), reply, example.LATER)


def run(report, arguments):
    with harness.Scratch("pgsql") as scratch, Postgres(schema=SCHEMA) as pg:
        accounts = harness.Accounts(scratch)
        postfix = harness.Postfix(scratch, accounts, {
            "mydestination": "example.net, tahoe.example.net, localhost, catchall.example.net"})
        source = "pgsql:" + scratch.file("owners.cf", pg.map_text(QUERY))
        # What the cache still answers in an outage is test_outage.py's.
        daemon = harness.Daemon(scratch, "dictd", {"postfix_config_directory": postfix.config,
                                                   "default_cache_ttl": "0",
                                                   "default_negative_cache_ttl": "0"},
                                {"sender_login": source, "local_recipient": source})
        port = postfix.add_smtpd(
            smtpd_sender_login_maps=daemon.table("socketmap", "sender_login"),
            local_recipient_maps=daemon.table("socketmap", "local_recipient"))
        postfix.write_config()
        daemon.start()
        postfix.start()
        master = postfix.master_pid()
        example.check_verdicts(report, "pgsql", postfix, port)
        pg.stop()
        check_all_later(report, postfix, port)
        pg.start()
        # The first attempts after an outage may still meet the pause between two.
        with harness.Smtp(postfix, port, "gregory") as smtp:
            harness.until(lambda: smtp.verdict("gregory@example.net",
                                               "gregory@example.net").code == 250,
                          30, "the way back")
        example.check_verdicts(report, "pgsql, restarted", postfix, port)
        report.check(postfix.master_pid() == master, "Postfix is the same")
        daemon.check_end(report, "at last")


if __name__ == "__main__":
    sys.exit(harness.main(run))
