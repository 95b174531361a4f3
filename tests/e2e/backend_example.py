"""The running example with a server as the only source: right, 451 while it is down, right again."""

import harness
import test_running_example as example


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


def check(report, scratch, kind, server, sources):
    """sources: {map: its sources}; server: what stop() and start() take down and bring back."""
    accounts = harness.Accounts(scratch)
    postfix = harness.Postfix(scratch, accounts, {
        "mydestination": "example.net, tahoe.example.net, localhost, catchall.example.net"})
    # What the cache still answers in an outage is test_outage.py's.
    daemon = harness.Daemon(scratch, "dictd", {"postfix_config_directory": postfix.config,
                                               "default_cache_ttl": "0",
                                               "default_negative_cache_ttl": "0"}, sources)
    port = postfix.add_smtpd(
        smtpd_sender_login_maps=daemon.table("socketmap", "sender_login"),
        local_recipient_maps=daemon.table("socketmap", "local_recipient"))
    postfix.write_config()
    daemon.start()
    postfix.start()
    master = postfix.master_pid()
    example.check_verdicts(report, kind, postfix, port)
    server.stop()
    check_all_later(report, postfix, port)
    server.start()
    # The first attempts after an outage may still meet the pause between two.
    with harness.Smtp(postfix, port, "gregory") as smtp:
        harness.until(lambda: smtp.verdict("gregory@example.net",
                                           "gregory@example.net").code == 250,
                      60, "the way back")
    example.check_verdicts(report, kind + ", restarted", postfix, port)
    report.check(postfix.master_pid() == master, "Postfix is the same")
    daemon.check_end(report, "at last")
