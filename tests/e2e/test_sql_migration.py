#!/usr/bin/env python3
"""The move of a host to sql/, whole: /etc/passwd, /etc/aliases and a sender_login_maps made by
hand become a database; dictctl compare finds no difference to the old hash; Postfix is switched
to socketmap:; an alias added with dictctl is accepted by SMTP at once, after a flush, and
without one where the daemon listens; the audit trail shows it."""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "integration"))
import harness
from pg import DATABASE, PASSWORD, ROLE
from sqlsite import ADMIN, SqlSite

PASSWD = "root:x:0:0::/root:/bin/sh\ngregory:x:1000:1000::/home/gregory:/bin/sh\n"
ALIASES = "postmaster: root\nG.Czaplinski: gregory\nstaff: gregory, root\n"
# Typed by hand, from passwd and from memory.
SENDER_LOGIN = """\
gregory@example.net gregory
root@example.net root
postmaster@example.net root
G.Czaplinski@example.net gregory
staff@example.net gregory, root
"john smith"@example.net gregory
@catchall.example.net root
"""
NOT_OWNED = (553, "5.7.1")
UNKNOWN = (550, "5.1.1")
ACCEPTED = (250, "2.1.5")


def verdict(report, what, reply, want):
    report.check(str(reply).startswith("%d %s " % want), what, reply)


def run(report, arguments):
    with harness.Scratch("sqlmove") as scratch, SqlSite(auth="trust") as pg:
        def ctl(*words):
            status, out, err = pg.ctl(*words)
            report.check(status == 0, "dictctl " + " ".join(words[:3]), out + err)
            return out

        def flush():
            if "  flush" in pg.ctl("help")[1]:  # without a cache there is nothing to flush
                ctl("-s", "unix:" + daemon.admin, "flush")
        passwd, aliases, old = (scratch.file(name, text) for name, text in (
            ("passwd", PASSWD), ("aliases", ALIASES), ("sender_login_maps", SENDER_LOGIN)))
        accounts = harness.Accounts(scratch)
        postfix = harness.Postfix(scratch, accounts, {
            "mydestination": "example.net, tahoe.example.net, localhost, catchall.example.net"})
        maps = {name: pg.shipped_map(name, scratch.file(name + ".cf"))
                for name in ("sender_login", "local_recipient")}
        for path in maps.values():
            os.chmod(path, 0o644)  # the daemon drops to another user
        daemon = harness.Daemon(scratch, "dictd", {"postfix_config_directory": postfix.config},
                                {name: "pgsql:" + path for name, path in maps.items()})
        before = postfix.add_smtpd(smtpd_sender_login_maps="hash:" + old,
                                   local_recipient_maps="")
        after = postfix.add_smtpd(
            smtpd_sender_login_maps=daemon.socketmap("sender_login"),
            local_recipient_maps=daemon.socketmap("local_recipient"))
        postfix.write_config()
        postfix.postmap("hash:" + old)
        daemon.start()
        postfix.start()

        ctl("import", "--domain", "example.net", "--domain", "catchall.example.net",
            "--passwd", passwd, "--aliases", aliases, "--map", old)
        out = ctl("-s", "unix:" + daemon.admin, "compare", "-P", postfix.config, "sender_login",
                  "hash:" + old)
        report.check("7 keys compared, 0 differences" in out, "no difference", out)

        cases = [("gregory", "G.Czaplinski@example.net", ACCEPTED),
                 ("gregory", "root@example.net", NOT_OWNED),
                 ("gregory", "staff+x@example.net", ACCEPTED),
                 ("root", "any@catchall.example.net", ACCEPTED),
                 ("gregory", "any@catchall.example.net", NOT_OWNED),
                 ("gregory", '"john smith"@example.net', ACCEPTED),
                 ("root", "G.Czaplinski@example.net", NOT_OWNED)]
        for name, port in (("hash:", before), ("socketmap:", after)):
            for login, sender, want in cases:
                with harness.Smtp(postfix, port, login, harness.PASSWORDS[login]) as smtp:
                    verdict(report, "%s %s as %s" % (name, login, sender),
                            smtp.verdict(sender, "gregory@example.net"), want)

        with harness.Smtp(postfix, after, "gregory", harness.PASSWORDS["gregory"]) as smtp:
            verdict(report, "before it is added", smtp.verdict("new@example.net", "root@example.net"),
                    NOT_OWNED)
            verdict(report, "before it is added, a recipient",
                    smtp.verdict("gregory@example.net", "new@example.net"), UNKNOWN)
            ctl("alias", "add", "New@example.net", "gregory")
            flush()
            verdict(report, "added, at once, in the same session",
                    smtp.verdict("new@example.net", "root@example.net"), ACCEPTED)
            verdict(report, "a recipient, too", smtp.verdict("gregory@example.net", "new@example.net"),
                    ACCEPTED)
            ctl("login", "disable", "gregory")
            flush()
            verdict(report, "a disabled login may not",
                    smtp.verdict("new@example.net", "root@example.net"), NOT_OWNED)

            # As sql/README.md says: uncomment the line, and nothing is flushed any more.
            with open(maps["sender_login"], encoding="utf-8") as file:
                text = file.read()
            with open(maps["sender_login"], "w", encoding="utf-8") as file:
                file.write(text.replace("#notify_channel", "notify_channel"))
            harness.until(lambda: pg.ctl("-s", "unix:" + daemon.admin, "status")[1]
                          .count(" told ") == 2, 30, "the daemon listens for both maps")

            def at_once(what, want):
                seen = []

                def look():
                    seen.append(str(smtp.verdict("new@example.net", "root@example.net")))
                    return seen[-1].startswith("%d %s " % want)
                harness.until(look, 5, what)
                report.check(True, what, seen[-1])
            ctl("login", "enable", "gregory")
            at_once("enabled again, and announced", ACCEPTED)
            ctl("alias", "remove", "new@example.net")
            at_once("removed, and announced", NOT_OWNED)
        out = ctl("audit", "--about", "new@example.net")
        report.check("add" in out and ADMIN in out and "new@example.net gregory" in out,
                     "the audit trail shows it", out)
        daemon.check_end(report, "at last")


if __name__ == "__main__":
    sys.exit(harness.main(run))
