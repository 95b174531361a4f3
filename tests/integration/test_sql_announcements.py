#!/usr/bin/env python3
"""Each change of sql/ announces every answer that it changes.

Random changes of every table; the daemon listens, and has cached for an hour what the
functions say for every key. After each change its answers have to become the database's
own within moments. The seed is printed; ANNOUNCE_SEED and ANNOUNCE_STEPS repeat a run.
"""

import os
import random
import subprocess
import time

from daemon import Case, main, request, until, write
from pg import DATABASE
from sqlsite import SqlSite, text_of

SEED = int(os.environ.get("ANNOUNCE_SEED", random.randrange(10 ** 6)))
STEPS = int(os.environ.get("ANNOUNCE_STEPS", 200))
DOMAINS = ["d1.example", "d2.example"]
ALIASES = ["a1.example", "a2.example"]
LOGINS = ["l1", "l2", "l3", "l4@d1.example"]
GROUPS = ["g1", "g2", "g3"]
LOCALS = ["u1", "u2", "u3", ""]
ADDRESSES = ["%s@%s" % (local, domain) for local in LOCALS for domain in DOMAINS] + ["u1"]
KEYS = ADDRESSES + ["%s@%s" % (local, domain) for local in LOCALS for domain in ALIASES]
EXPECTED = ("SELECT key, coalesce((SELECT string_agg(login, ',') FROM dictd.sender_login(key)), "
            "'-'), coalesce((SELECT string_agg(address, ',') FROM dictd.local_recipient(key)), "
            "'-') FROM unnest(ARRAY[%s]) key" % ", ".join("'%s'" % key for key in KEYS))

# Random changes end in a database where nothing is left to change an answer.
RICH = """
UPDATE dictd.domains SET enabled = true; UPDATE dictd.logins SET enabled = true;
UPDATE dictd.groups SET enabled = true; UPDATE dictd.addresses SET enabled = true;
INSERT INTO dictd.alias_domains VALUES ('a1.example', 'd1.example'), ('a2.example', 'd2.example')
    ON CONFLICT DO NOTHING;
UPDATE dictd.alias_domains SET enabled = true;
INSERT INTO dictd.logins (name) SELECT unnest(ARRAY[%s]) ON CONFLICT DO NOTHING;
INSERT INTO dictd.groups (name) SELECT unnest(ARRAY[%s]) ON CONFLICT DO NOTHING;
INSERT INTO dictd.addresses (address, recipient)
    SELECT a, random() < 0.5 FROM unnest(ARRAY[%s]) a WHERE random() < 0.7 ON CONFLICT DO NOTHING;
INSERT INTO dictd.grants (address, login, group_name, anyone)
    SELECT a.address, l.name, g.name, left(a.address, 1) = '@' AND random() < 0.5
      FROM dictd.addresses a, dictd.logins l FULL JOIN dictd.groups g ON false
     WHERE random() < 0.2 ON CONFLICT DO NOTHING;
INSERT INTO dictd.group_members (group_name, login)
    SELECT g.name, l.name FROM dictd.groups g, dictd.logins l WHERE random() < 0.3
    ON CONFLICT DO NOTHING;
INSERT INTO dictd.group_members (group_name, member_group)
    SELECT a.name, b.name FROM dictd.groups a, dictd.groups b WHERE a.name < b.name
       AND random() < 0.5 ON CONFLICT DO NOTHING
""" % tuple(", ".join("'%s'" % name for name in names) for names in (LOGINS, GROUPS, ADDRESSES))


class Session:
    """psql that stays: a step costs no process."""

    def __init__(self, pg):
        self.psql = subprocess.Popen(
            ["psql", "-XqAt", "-h", pg.sockets, "-p", str(pg.port), "-U", "postgres", "-d",
             DATABASE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, bufsize=1)

    def rows(self, text):
        self.psql.stdin.write(text + ";\n\\echo over\n")
        self.psql.stdin.flush()
        return [line.rstrip("\n").split("|") for line in iter(self.psql.stdout.readline, "over\n")]

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()
        self.psql.stdout.close()


class Announced(Case):
    @classmethod
    def setUpClass(cls):
        cls.pg = SqlSite()
        cls.addClassCleanup(cls.pg.close)
        cls.session = Session(cls.pg)
        cls.addClassCleanup(cls.session.close)

    def serve(self):
        d = self.daemon(None)
        lines = ["maps = sender_login local_recipient\nadmin_listen = none\nlocal_domains =\n"
                 "recipient_delimiter =\nowner_request_special = no\ndefault_search = full\n"
                 "default_cache_ttl = 1h\ndefault_negative_cache_ttl = 1h\n"
                 "socketmap_listen = unix:%s\n" % d.socket]
        for name in ("sender_login", "local_recipient"):
            path = self.pg.shipped_map(name, os.path.join(d.dir, name + ".cf"))
            text = text_of(path).replace("#notify_channel", "notify_channel")
            self.assertRegex(text, "(?m)^notify_channel = dictd$")
            write(path, text, 0o600)
            lines.append("%s_sources = pgsql:%s\n" % (name, path))
        d.configure("".join(lines))
        d.start()
        until(lambda: self.pg.sql("SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN "
                                  "\"dictd\"'").strip() == "2", "both maps listen")
        return d

    def answers(self, client):
        names = ("sender_login", "local_recipient")
        client.send(b"".join(request(name, key) for key in KEYS for name in names))
        told = [client.read() for _ in range(2 * len(KEYS))]
        plain = [reply[3:] if reply.startswith("OK ") else "-" if reply == "NOTFOUND " else reply
                 for reply in told]
        return {key: (plain[2 * i], plain[2 * i + 1]) for i, key in enumerate(KEYS)}

    def expected(self):
        return {row[0]: (row[1], row[2]) for row in self.session.rows(EXPECTED)}

    def change(self, chance):
        pick = chance.choice
        flag = pick(["true", "true", "false"])
        holder = pick(["login = '%s'" % pick(LOGINS), "group_name = '%s'" % pick(GROUPS)])
        column, value = holder.split(" = ")
        address, other = pick(ADDRESSES), pick(ADDRESSES)
        anyone = "true" if address.startswith("@") and chance.random() < 0.5 else "false"
        until_time = "now() + interval '0.2 s'" if chance.random() < 0.1 else "'infinity'"
        member, other_login = pick(GROUPS), pick(LOGINS)
        return pick([
            "INSERT INTO dictd.domains (name) VALUES ('%s')" % pick(DOMAINS),
            "UPDATE dictd.domains SET enabled = %s WHERE name = '%s'" % (flag, pick(DOMAINS)),
            "INSERT INTO dictd.alias_domains (name, domain) VALUES ('%s', '%s')"
            % (pick(ALIASES), pick(DOMAINS)),
            "UPDATE dictd.alias_domains SET enabled = %s WHERE name = '%s'"
            % (flag, pick(ALIASES)),
            "UPDATE dictd.alias_domains SET domain = '%s' WHERE name = '%s'"
            % (pick(DOMAINS), pick(ALIASES)),
            "DELETE FROM dictd.alias_domains WHERE name = '%s'" % pick(ALIASES),
            "INSERT INTO dictd.logins (name) VALUES ('%s')" % pick(LOGINS),
            "UPDATE dictd.logins SET enabled = %s WHERE name = '%s'" % (flag, pick(LOGINS)),
            "UPDATE dictd.logins SET enabled = %s" % flag,
            "DELETE FROM dictd.logins WHERE name = '%s'" % pick(LOGINS),
            "INSERT INTO dictd.groups (name) VALUES ('%s')" % pick(GROUPS),
            "UPDATE dictd.groups SET enabled = %s WHERE name = '%s'" % (flag, pick(GROUPS)),
            "DELETE FROM dictd.groups WHERE name = '%s'" % pick(GROUPS),
            "INSERT INTO dictd.group_members (group_name, login) VALUES ('%s', '%s')"
            % (pick(GROUPS), pick(LOGINS)),
            "INSERT INTO dictd.group_members (group_name, member_group) VALUES ('%s', '%s')"
            % (pick(GROUPS), member),
            "UPDATE dictd.group_members SET group_name = '%s' WHERE group_name = '%s'"
            % (pick(GROUPS), member),
            "UPDATE dictd.group_members SET login = '%s' WHERE login = '%s'"
            % (other_login, pick(LOGINS)),
            "DELETE FROM dictd.group_members WHERE group_name = '%s'" % pick(GROUPS),
            "INSERT INTO dictd.addresses (address, recipient) VALUES ('%s', %s)" % (address, flag),
            "INSERT INTO dictd.addresses (address, recipient) VALUES ('%s', %s)" % (other, flag),
            "UPDATE dictd.addresses SET enabled = %s WHERE address = '%s'" % (flag, address),
            "UPDATE dictd.addresses SET recipient = %s WHERE address = '%s'" % (flag, address),
            "UPDATE dictd.addresses SET address = '%s' WHERE address = '%s'" % (other, address),
            "DELETE FROM dictd.addresses WHERE address = '%s'" % address,
            "INSERT INTO dictd.grants (address, %s, anyone, valid_until) VALUES ('%s', %s, %s, %s)"
            % (column, address, value, anyone, until_time),
            "INSERT INTO dictd.grants (address, %s) VALUES ('%s', %s)" % (column, other, value),
            "UPDATE dictd.grants SET enabled = %s WHERE address = '%s'" % (flag, address),
            "UPDATE dictd.grants SET enabled = %s WHERE %s" % (flag, holder),
            "UPDATE dictd.grants SET anyone = %s WHERE address = '%s'" % (anyone, address),
            "UPDATE dictd.grants SET address = '%s' WHERE address = '%s'" % (other, address),
            "UPDATE dictd.grants SET %s WHERE address = '%s' AND %s IS NOT NULL"
            % (holder, address, column),
            "UPDATE dictd.grants SET valid_from = now() + interval '0.2 s' WHERE address = '%s'"
            % address,
            "DELETE FROM dictd.grants WHERE %s" % holder,
        ])

    def test_random_changes(self):
        print("seed %d, %d steps" % (SEED, STEPS), flush=True)
        chance = random.Random(SEED)
        n_changed = 0
        d = self.serve()
        self.session.rows("SELECT setseed(%r)" % chance.random())
        with d.client() as client:
            for table, column, names in (("domains", "name", DOMAINS), ("logins", "name", LOGINS),
                                         ("groups", "name", GROUPS)):
                self.pg.sql("INSERT INTO dictd.%s (%s) VALUES %s" % (
                    table, column, ", ".join("('%s')" % name for name in names)))
            want = self.expected()
            for step in range(STEPS):
                if step % 10 == 0:
                    self.session.rows(RICH)
                statement = self.transactions(chance)
                self.session.rows(statement)
                if "0.2 s" in statement:
                    time.sleep(0.3)
                    self.session.rows("SELECT dictd.announce_due()")
                before, want = want, self.expected()
                n_changed += before != want
                self.follow(client, want, "seed %d, step %d: %s" % (SEED, step, statement))
        print("%d steps changed an answer" % n_changed, flush=True)
        self.assertGreater(n_changed, STEPS // 4)

    def transactions(self, chance):
        """Some of the changes are refused; in a transaction they take the others along."""
        lines = "".join(self.change(chance) + ";\n" for _ in range(chance.choice([1, 3, 6])))
        return "BEGIN;\n%sCOMMIT;" % lines if chance.random() < 0.3 else lines

    def follow(self, client, want, what):
        got = {}

        def alike():
            got.update(self.answers(client))
            return got == want
        try:
            until(alike, what, 5)
        except AssertionError:
            differing = {key: (got[key], want[key]) for key in KEYS if got[key] != want[key]}
            raise AssertionError("%s: (daemon's, database's): %s" % (what, differing)) from None


if __name__ == "__main__":
    main()
