#!/usr/bin/env python3
"""The same verdicts as an indexed table.

For each set of address rules one smtpd has the table as hash: (or lmdb:), one
has the same file behind the daemon over socketmap:. Thousands of addresses go
through MAIL FROM and RCPT TO of both. Not one reply may differ: not in code,
not in enhanced code, not in text.

    test_same_verdicts.py [--seed N] [--count N]
"""

import argparse
import collections
import concurrent.futures
import os
import random
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
import tables

SEED = 2521
BATCH = 60  # commands sent at once
SHOWN = 20  # differences printed in full

Rules = collections.namedtuple("Rules", "name delimiter owner_special table protocol share")

# share: the part of the addresses that goes through this set.
RULES = [
    Rules("main", "+", "yes", "hash", "socketmap", 1.0),
    Rules("both-special", "+-", "yes", "hash", "socketmap", 0.5),
    Rules("both-plain", "-+", "no", "hash", "socketmap", 0.5),
    Rules("dash-special", "-", "yes", "lmdb", "socketmap", 0.5),
    Rules("dash-plain", "-", "no", "hash", "tcp", 0.5),
    Rules("none", "", "yes", "hash", "socketmap", 0.5),
]

# Removing any one step of the walk must show, or the addresses would not be testing it.
CRIPPLED = {
    "noext": "full localpart_if_local at_domain",
    "localpart_if_local": "full noext at_domain",
    "at_domain": "full noext localpart_if_local",
    "all but the literal key": "full",
}

SENDER_CHECKS = "reject_known_sender_login_mismatch, reject_unauthenticated_sender_login_mismatch"


def tables_on(table):
    return {"smtpd_sender_login_maps": table, "local_recipient_maps": table,
            "relay_recipient_maps": table, "virtual_mailbox_maps": table}


class Setup:
    """One Postfix with two smtpd services per rule set, and one daemon per rule set."""

    def __init__(self, scratch, entries, seed):
        self.file = scratch.file("sender_login", tables.file_text(entries, seed))
        self.postfix = harness.Postfix(scratch, harness.Accounts(scratch), {
            "mydestination": " ".join(tables.LOCAL_DOMAINS),
            "proxy_interfaces": tables.PROXY_INTERFACES,
            "relay_domains": " ".join(tables.RELAY_DOMAINS),
            "virtual_mailbox_domains": " ".join(tables.VIRTUAL_DOMAINS),
            "smtpd_delay_reject": "no",
            "smtpd_sender_restrictions": SENDER_CHECKS,
        })
        self.indexed, self.served, self.ports = {}, {}, {}
        self.daemons = daemons = []
        types = harness.run("postconf", "-m").decode().split()
        for rules in RULES:
            kind = rules.table if rules.table in types else "hash"
            self.indexed[rules.name] = "%s:%s" % (kind, self.file)
            daemon = self._daemon(scratch, rules, {})
            daemons.append(daemon)
            self.served[rules.name] = daemon.table(rules.protocol, "sender_login")
            options = {"recipient_delimiter": rules.delimiter,
                       "owner_request_special": rules.owner_special}
            self.ports[rules.name] = tuple(
                self.postfix.add_smtpd(**options, **tables_on(table))
                for table in (self.indexed[rules.name], self.served[rules.name]))
        options = {"smtpd_sender_restrictions": "reject_authenticated_sender_login_mismatch"}
        self.strict_ports = tuple(
            self.postfix.add_smtpd(**options, **tables_on(table))
            for table in (self.indexed["main"], self.served["main"]))
        self.crippled_ports = {}
        for number, (what, steps) in enumerate(CRIPPLED.items()):
            daemon = self._daemon(scratch, RULES[0]._replace(name="crippled%d" % number),
                                  {"sender_login_search": steps})
            daemons.append(daemon)
            self.crippled_ports[what] = self.postfix.add_smtpd(
                **tables_on(daemon.socketmap("sender_login")))
        self.postfix.write_config()
        for kind in sorted({table.split(":")[0] for table in self.indexed.values()}):
            status, _, errors = self.postfix.postmap("%s:%s" % (kind, self.file))
            if status != 0:
                raise harness.SetupError("postmap: " + errors)
        for daemon in daemons:
            daemon.start()
        self.postfix.start()

    def _daemon(self, scratch, rules, more):
        settings = {"postfix_config_directory": self.postfix.config}
        if rules.name != "main":  # main takes these from Postfix too
            settings.update({"recipient_delimiter": rules.delimiter,
                             "owner_request_special": rules.owner_special})
        settings.update(more)
        return harness.Daemon(scratch, rules.name, settings,
                              {"sender_login": "texthash:" + self.file})


def ask_senders(postfix, port, login, paths):
    """The reply to MAIL FROM for each path."""
    replies = []
    with harness.Smtp(postfix, port, login) as smtp:
        for start in range(0, len(paths), BATCH):
            lines = []
            for path, utf8 in paths[start:start + BATCH]:
                lines += [b"RSET", b"MAIL FROM:<" + path + b">" + (b" SMTPUTF8" if utf8 else b"")]
            replies += smtp.commands(lines)[1::2]
    return replies


def ask_recipients(postfix, port, login, paths):
    """The reply to RCPT TO for each path, from the null sender. No login."""
    del login
    replies = []
    with harness.Smtp(postfix, port) as smtp:
        for start in range(0, len(paths), BATCH):
            batch = [b"RCPT TO:<" + path + b">" for path, _ in paths[start:start + BATCH]]
            answers = smtp.commands([b"RSET", b"MAIL FROM:<> SMTPUTF8"] + batch)
            replies += answers[2:]
    return replies


def ask_both(pool, postfix, ports, ask, login, paths):
    """The two smtpd services at the same time; two lists of replies."""
    jobs = [pool.submit(ask, postfix, port, login, paths) for port in ports]
    return [job.result() for job in jobs]


def count_verdicts(replies):
    """How often each verdict came, by what it says after the address."""
    counts = collections.Counter()
    for reply in replies:
        words = reply.text.rsplit(": ", 1)[-1].split("\n")[0]
        counts["%d %s %s" % (reply.code, reply.enhanced, words[:50])] += 1
    return counts


def show_difference(report, setup, rules, path, one, other):
    report.note("  address %r" % path)
    report.note("    %-8s %s" % (rules.table + ":", one))
    report.note("    %-8s %s" % (rules.protocol + ":", other))
    for table in (setup.indexed[rules.name], setup.served[rules.name]):
        status, value, errors = setup.postfix.postmap("-q", "-", table, stdin=path + b"\n")
        report.note("    postmap -q on %s: exit %d %r %s" % (table, status, value, errors.strip()))


def compare(report, setup, pool, rules, ports, what, ask, login, paths):
    start = time.monotonic()
    one, other = ask_both(pool, setup.postfix, ports, ask, login, paths)
    seconds = time.monotonic() - start
    different = [(path, a, b) for (path, _), a, b in zip(paths, one, other) if a != b]
    counts = count_verdicts(one)
    name = "%s (delimiter '%s', owner_request_special %s) %s: %d addresses, %s against %s" % (
        rules.name, rules.delimiter, rules.owner_special, what, len(paths),
        setup.indexed[rules.name].split(":")[0], rules.protocol)
    report.check(not different, name, "%d differ (%.1f s)" % (len(different), seconds))
    for path, a, b in different[:SHOWN]:
        show_difference(report, setup, rules, path, a, b)
    for verdict, count in counts.most_common(8):
        report.note("         %6d  %s" % (count, verdict))
    return counts


def check_spread(report, what, counts, wanted):
    """Every verdict that matters came often: a comparison of nothing would pass as well."""
    total = sum(counts.values())
    for prefix, text, part in wanted:
        count = sum(number for verdict, number in counts.items()
                    if verdict.startswith(prefix) and text in verdict)
        report.check(count >= part * total, "%s: enough verdicts %s %s" % (what, prefix, text),
                     "%d of %d" % (count, total))


def a_part(paths, rules, seed):
    """This set's share of the addresses; all of the broken ones, which stand first."""
    first, rest = paths[:len(tables.BROKEN)], paths[len(tables.BROKEN):]
    rng = random.Random("%s %d" % (rules.name, seed))
    chosen = sorted(rng.sample(range(len(rest)), int(len(rest) * rules.share)))
    return first + [rest[number] for number in chosen]


def run(report, arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED, help="-1: another each time")
    parser.add_argument("--count", type=int, default=5400)
    parser.add_argument("--entries", type=int, default=2500)
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed >= 0 else random.SystemRandom().randrange(1 << 30)
    report.note("== the same verdicts as an indexed table: --seed %d" % seed)
    entries = tables.table(seed, options.entries)
    paths = tables.addresses(seed, entries, options.count)
    report.note("%d entries, %d addresses" % (len(entries), len(paths)))
    with harness.Scratch("verdicts") as scratch, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        setup = Setup(scratch, entries, seed)
        for rules in RULES:
            some = a_part(paths, rules, seed)
            ports = setup.ports[rules.name]
            mine = compare(report, setup, pool, rules, ports, "MAIL FROM as gregory",
                           ask_senders, "gregory", some)
            theirs = compare(report, setup, pool, rules, ports, "MAIL FROM not logged in",
                             ask_senders, None, some)
            recipients = compare(report, setup, pool, rules, ports, "RCPT TO", ask_recipients,
                                 None, some)
            if rules.name != "main":
                continue
            check_spread(report, "MAIL FROM as gregory", mine,
                         [("250", "", 0.1), ("553 5.7.1", "not owned", 0.1)])
            check_spread(report, "MAIL FROM not logged in", theirs,
                         [("250", "", 0.1), ("553 5.7.1", "not logged in", 0.1)])
            check_spread(report, "RCPT TO", recipients,
                         [("250", "", 0.1), ("550 5.1.1", "local recipient", 0.1),
                          ("550 5.1.1", "virtual mailbox", 0.01)])
            compare(report, setup, pool, rules, setup.strict_ports,
                    "MAIL FROM as gregory, unknown ones refused", ask_senders, "gregory", some)
        for what, port in setup.crippled_ports.items():
            one, other = ask_both(pool, setup.postfix, (setup.ports["main"][0], port),
                                  ask_senders, None, paths)
            count = sum(a != b for a, b in zip(one, other))
            report.check(count > 0, "without %s in MAP_search the difference shows" % what,
                         "%d of %d differ" % (count, len(paths)))
        for daemon in setup.daemons:
            daemon.check_end(report, os.path.basename(daemon.dir))


if __name__ == "__main__":
    sys.exit(harness.main(run))
