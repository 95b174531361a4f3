#!/usr/bin/env python3
"""The running example, whole: what Postfix says to each sender and recipient.

gregory and root can log in; G.Czaplinski is an alias that gregory owns. The
verdicts are asked over socketmap:, then over tcp:, of a real Postfix.
"""

import concurrent.futures
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

# The host's files.
PASSWD = """\
root:x:0:0:root:/root:/bin/bash
gregory:x:1000:1000:Gregory Czaplinski:/home/gregory:/bin/bash
"""
ALIASES = """\
# Who reads what.
postmaster: root
G.Czaplinski: gregory
"""
SENDER_LOGIN = """\
# Written by hand, as the site has it for hash: today.
"john smith"@example.net        gregory
team@example.net                root, gregory
@catchall.example.net           gregory
grégory@example.net             gregory
"""

NOT_OWNED = (553, "5.7.1", "not owned by user ")
NOT_LOGGED_IN = (553, "5.7.1", "not logged in")
UNKNOWN = (550, "5.1.1", "User unknown")
LATER = (451, "4.3.0", "")
ACCEPTED = (250, "2.1.5", "")

# Who is logged in (None: nobody), MAIL FROM, the verdict, what the case shows.
SENDERS = [
    ("gregory", "gregory@example.net", ACCEPTED, "as gregory"),
    ("gregory", "Gregory@Tahoe.Example.NET", ACCEPTED, "case; another local domain"),
    ("gregory", "G.Czaplinski@example.net", ACCEPTED, "as G.Czaplinski"),
    ("gregory", "g.czaplinski+lists@example.net", ACCEPTED, "an extension"),
    ("gregory", "gregory+a+b@example.net", ACCEPTED, "an extension with two delimiters"),
    ("gregory", "root@example.net", NOT_OWNED, "as root"),
    ("gregory", "root+x@example.net", NOT_OWNED, "as root, extended"),
    ("gregory", "postmaster@example.net", NOT_OWNED, "as root's alias"),
    ("gregory", "nobody-here@example.net", NOT_OWNED, "as somebody who does not exist"),
    ("gregory", "gregory@example.org", NOT_OWNED, "a domain that is not ours"),
    ("root", "root@example.net", ACCEPTED, "root as root"),
    ("root", "postmaster@example.net", ACCEPTED, "root as its alias"),
    ("root", "gregory@example.net", NOT_OWNED, "root as gregory"),
    ("root", "G.Czaplinski@example.net", NOT_OWNED, "root as gregory's alias"),
    (None, "gregory@example.net", NOT_LOGGED_IN, "not logged in, as gregory"),
    (None, "G.Czaplinski@example.net", NOT_LOGGED_IN, "not logged in, as G.Czaplinski"),
    (None, "g.czaplinski+lists@example.net", NOT_LOGGED_IN, "not logged in, an extension"),
    (None, "root@example.net", NOT_LOGGED_IN, "not logged in, as root"),
    (None, "friend@example.org", ACCEPTED, "mail from outside"),
    (None, "", ACCEPTED, "the null sender"),
    ("gregory", "team@example.net", ACCEPTED, "several owners, the second"),
    ("root", "team@example.net", ACCEPTED, "several owners, the first"),
    ("gregory", "whatever@catchall.example.net", ACCEPTED, "a catch-all domain"),
    ("gregory", "whatever+x@catchall.example.net", ACCEPTED, "a catch-all domain, extension"),
    ("root", "whatever@catchall.example.net", NOT_OWNED, "somebody else's catch-all domain"),
    (None, "whatever@catchall.example.net", NOT_LOGGED_IN, "not logged in, a catch-all domain"),
    ("gregory", '"john smith"@example.net', ACCEPTED, "a quoted localpart"),
    ("gregory", '"John Smith+x"@example.net', ACCEPTED, "a quoted localpart, extension"),
    ("root", '"john smith"@example.net', NOT_OWNED, "somebody else's quoted localpart"),
    (None, '"john smith"@example.net', NOT_LOGGED_IN, "not logged in, a quoted localpart"),
    ("gregory", '"gregory"@example.net', ACCEPTED, "quotes that need not be"),
    ("gregory", "gregory", ACCEPTED, "a bare login"),
    ("root", "gregory", NOT_OWNED, "a bare login, somebody else's"),
    (None, "gregory", NOT_LOGGED_IN, "not logged in, a bare login"),
    ("gregory", "gregory@[127.0.0.1]", ACCEPTED, "an address literal"),
    ("root", "gregory@[127.0.0.1]", NOT_OWNED, "somebody else's address literal"),
    (None, "gregory@[127.0.0.1]", NOT_LOGGED_IN, "not logged in, an address literal"),
    ("gregory", "gregory@[192.0.2.1]", NOT_OWNED, "another host's address literal"),
    ("gregory", "grégory@example.net", ACCEPTED, "a UTF-8 address"),
    ("gregory", "GRÉGORY+été@example.net", ACCEPTED, "a UTF-8 address, case and extension"),
    ("root", "grégory@example.net", NOT_OWNED, "somebody else's UTF-8 address"),
    (None, "grégory@example.net", NOT_LOGGED_IN, "not logged in, a UTF-8 address"),
]

# RCPT TO by a stranger, the verdict, what the case shows.
RECIPIENTS = [
    ("gregory@example.net", ACCEPTED, "a login"),
    ("gregory+lists@example.net", ACCEPTED, "a login, extension"),
    ("GREGORY@localhost", ACCEPTED, "a login in another local domain"),
    ("g.czaplinski@example.net", ACCEPTED, "an alias"),
    ("gregory", ACCEPTED, "a bare login"),
    ("gregory@[127.0.0.1]", ACCEPTED, "an address literal"),
    ('"john smith"@example.net', ACCEPTED, "a quoted localpart"),
    ("anybody@catchall.example.net", ACCEPTED, "a catch-all domain"),
    ("grégory@example.net", ACCEPTED, "a UTF-8 address"),
    ("postmaster", ACCEPTED, "postmaster"),
    ("nobody-here@example.net", UNKNOWN, "nobody-here"),
    ("nobody-here+x@example.net", UNKNOWN, "nobody-here, extension"),
    ("nobody-here", UNKNOWN, "a bare name that is no login"),
    ('"jane smith"@example.net', UNKNOWN, "a quoted localpart that is unknown"),
    ("grègory@example.net", UNKNOWN, "a UTF-8 address that is unknown"),
    ("friend@example.org", (554, "5.7.1", "Relay access denied"), "no open relay"),
]

STRANGER = "friend@example.org"


def matches(reply, want):
    code, enhanced, text = want
    return reply is not None and (reply.code, reply.enhanced) == (code, enhanced) \
        and text in reply.text


def parameters_for(*addresses):
    return "" if all(address.isascii() for address in addresses) else "SMTPUTF8"


def check_verdict(report, protocol, who, action, reply, want):
    report.check(matches(reply, want), "%s: %s" % (protocol, action),
                 "%s [%s]" % (reply, who) if matches(reply, want)
                 else "%s [%s]; expected %s %s %s" % ((reply, who) + want))


def check_verdicts(report, protocol, postfix, port):
    for login in ("gregory", "root", None):
        who = "login " + login if login else "not logged in"
        with harness.Smtp(postfix, port, login) as smtp:
            for owner, sender, want, what in SENDERS:
                if owner != login:
                    continue
                if want is NOT_OWNED:
                    want = (want[0], want[1], want[2] + login)
                reply = smtp.verdict(sender, "gregory@example.net", parameters_for(sender))
                check_verdict(report, protocol, who, "MAIL FROM:<%s> (%s)" % (sender, what),
                              reply, want)
    with harness.Smtp(postfix, port) as smtp:
        for recipient, want, what in RECIPIENTS:
            reply = smtp.verdict(STRANGER, recipient, parameters_for(recipient))
            check_verdict(report, protocol, "not logged in",
                          "RCPT TO:<%s> (%s)" % (recipient, what), reply, want)


def check_login(report, postfix, port):
    """The logins of this test are real ones: plain text and a wrong password are refused."""
    with harness.Smtp(postfix, port) as smtp:
        report.check("AUTH" not in smtp.features.text, "no AUTH is offered without TLS")
    try:
        harness.Smtp(postfix, port, "gregory", "wrong").close()
        report.check(False, "a wrong password is refused")
    except harness.SetupError as refusal:
        report.check(" got 535 " in str(refusal), "a wrong password is refused")


# Login, MAIL FROM, RCPT TO, the verdict while the daemon runs.
OUTAGE = [
    ("gregory", "gregory@example.net", "gregory@example.net", ACCEPTED),
    ("gregory", "root@example.net", "gregory@example.net", NOT_OWNED),
    (None, "gregory@example.net", "gregory@example.net", NOT_LOGGED_IN),
    (None, "", "gregory@example.net", ACCEPTED),
    (None, "", "nobody-here@example.net", UNKNOWN),
]


def check_outage(report, protocol, postfix, port, daemon):
    """Daemon stopped: 451, never a wrong answer. Started: mail flows, with no reload.

    The sessions stay open throughout: the same smtpd processes have to find
    the way back. They ask at the same time, because a tcp: client tries for
    nine seconds before it gives up.
    """
    master = postfix.master_pid()
    sessions = [harness.Smtp(postfix, port, case[0]) for case in OUTAGE]

    def ask_all(when, verdicts):
        with concurrent.futures.ThreadPoolExecutor(len(OUTAGE)) as pool:
            replies = list(pool.map(lambda n: sessions[n].verdict(OUTAGE[n][1], OUTAGE[n][2]),
                                    range(len(OUTAGE))))
        for (login, sender, recipient, _), reply, want in zip(OUTAGE, replies, verdicts):
            check_verdict(report, protocol, "login " + login if login else "not logged in",
                          "%s, MAIL FROM:<%s> RCPT TO:<%s>" % (when, sender, recipient),
                          reply, want)

    usual = [case[3] for case in OUTAGE]
    try:
        ask_all("before the stop", usual)
        status = daemon.stop()
        report.check(status == 0, "%s: the daemon ends on TERM" % protocol, "status %s" % status)
        ask_all("stopped", [LATER] * len(OUTAGE))
        daemon.start()
        ask_all("started again", usual)
        reply = sessions[0].send("gregory@example.net", "G.Czaplinski@example.net")
        report.check(reply.code == 250 and "queued as" in reply.text,
                     "%s: started again, a whole message is taken" % protocol, reply)
    finally:
        for session in sessions:
            session.close()
    mark = reply.text.rsplit(" ", 1)[-1] + ": to=<G.Czaplinski@example.net>"
    delivered = harness.until(lambda: [line for line in postfix.text_of_log().splitlines()
                                       if mark in line], 60, "a delivery")
    report.check("status=sent" in delivered[0] and "/discard[" in delivered[0],
                 "%s: started again, mail flows" % protocol, delivered[0])
    report.check(postfix.master_pid() == master and "reload" not in postfix.text_of_log(),
                 "%s: with no reload of Postfix" % protocol)


def run(report, arguments):
    protocols = arguments or ["socketmap", "tcp"]
    with harness.Scratch("example") as scratch:
        accounts = harness.Accounts(scratch)
        postfix = harness.Postfix(scratch, accounts, {
            "mydestination": "example.net, tahoe.example.net, localhost, catchall.example.net"})
        sources = "texthash:%s passwd:%s aliases:%s" % (
            scratch.file("sender_login", SENDER_LOGIN), scratch.file("passwd", PASSWD),
            scratch.file("aliases", ALIASES))
        # Local domains and the delimiter are Postfix's own: read from its main.cf.
        daemon = harness.Daemon(scratch, "dictd", {"postfix_config_directory": postfix.config},
                                {"sender_login": sources, "local_recipient": sources})
        ports = {protocol: postfix.add_smtpd(
            smtpd_sender_login_maps=daemon.table(protocol, "sender_login"),
            local_recipient_maps=daemon.table(protocol, "local_recipient"))
                 for protocol in protocols}
        postfix.write_config()
        daemon.start()
        postfix.start()
        check_login(report, postfix, ports[protocols[0]])
        for protocol in protocols:
            report.note("== the running example over %s: (%s)"
                        % (protocol, daemon.table(protocol, "sender_login")))
            check_verdicts(report, protocol, postfix, ports[protocol])
            check_outage(report, protocol, postfix, ports[protocol], daemon)
        daemon.check_end(report, "at last")


if __name__ == "__main__":
    sys.exit(harness.main(run))
