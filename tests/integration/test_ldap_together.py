#!/usr/bin/env python3
"""ldap:FILE when many keys travel in one search: each has the answer that it has alone.

The judge is Postfix's own client, one key after the other; slapd's log shows which searches were
for many keys. The tree has what makes it hard to tell whose an entry is: entries of several keys,
keys of several entries, values that may be searched and not read, and what a directory takes for
equal.
"""

import contextlib
import itertools
import os
import socket
import threading
import time

from daemon import main, request, until
from ldap import ACCESS, BASE, PEOPLE_INDEXES, READER, SUFFIX, Slapd, keys_in, ldif_entry
from ldap_case import LdapCase

SLAPD = None
PEOPLE = "ou=people," + SUFFIX
USERS = 200
FEW = "cn=few," + SUFFIX
WHO = "by dn.exact=\"%s\" search by * read\n" % READER
# What the reader may search and not read: all values of some entries, or of one attribute.
HIDDEN = ("access to filter=(uid=hidden*) attrs=mailLocalAddress " + WHO
          + "access to filter=(uid=blind*) attrs=mail " + WHO
          + "access to attrs=employeeNumber " + WHO)

BOTH = "(|(mail=%s)(mailLocalAddress=%s))"
ALL_ODD = ["one@example.net", "two@example.net", "dup@example.net", "shown1@example.net",
           "secret1@example.net", "shown2@example.net", "secret2@example.net", "blind1@example.net",
           "blind2@example.net", "seen@example.net", "local@example.net", "nobody@example.net",
           "loc2@example.net", "CASE@example.net", "case@example.net"]


def person(uid, **attributes):
    pairs = [("objectClass", one) for one in (
        "inetOrgPerson", "inetLocalMailRecipient", "extensibleObject")]
    pairs += [("uid", uid), ("cn", uid), ("sn", uid)]
    for name, values in attributes.items():
        pairs += [(name.replace("__", ";lang-"), value)
                  for value in ([values] if isinstance(values, str) else values)]
    return ldif_entry("uid=%s,%s" % (uid, PEOPLE), pairs)


def tree():
    text = BASE + "\n" + ldif_entry(FEW, [("objectClass", "organizationalRole"),
                                   ("objectClass", "simpleSecurityObject"), ("cn", "few"),
                                   ("userPassword", "Sesame-4711")])
    text += "".join(person("u%d" % i, mail="u%d@example.net" % i) for i in range(USERS))
    text += "".join(person("list%d" % i, mailLocalAddress="list%d@example.net" % i)
                    for i in range(20))
    text += person("pair", mail=["one@example.net", "two@example.net"])
    text += person("dup1", mail="dup@example.net", mailLocalAddress="loc2@example.net")
    text += person("dup2", mail="dup@example.net") + person("dup3", mailLocalAddress="dup@example.net")
    # Two keys at once: one that shows whose the entry is, and one that does not.
    text += person("hidden1", mail="shown1@example.net", mailLocalAddress="secret1@example.net")
    text += person("hidden2", mail="shown2@example.net", mailLocalAddress="secret2@example.net")
    text += person("blind1", mail="blind1@example.net")
    text += person("blind2", mail=["blind2@example.net", "u1@example.net"],
                   mailLocalAddress="seen@example.net")
    text += person("local", mailLocalAddress="local@example.net")
    text += person("case1", homeDirectory="case", mail="Case@Example.net")
    text += person("case2", homeDirectory="CASE", description__en="in english",
                   mailLocalAddress="case@example.net")
    text += person("fold1", description=["soft\u00adhyphen", "plain"])
    text += person("fold2", description=["\uff46ull", "two  spaces", " around "])
    text += person("fold3", description="fold")
    text += person("fold4", description=["FOLD", "\u017fold"])  # a long s
    text += person("lang", description__en="fold", description="other")
    text += person("number1", employeeNumber="n1", mail="number@example.net")
    text += person("number2", employeeNumber="n2")
    text += person("terminal1", mail="terminal@example.net", roomNumber="42")
    text += person("terminal2", mail="terminal@example.net")
    return text


def setUpModule():
    global SLAPD
    SLAPD = Slapd(ldif=tree(), access=HIDDEN + ACCESS + 'limits dn.exact="%s" size=3\n' % FEW,
                  indexes=PEOPLE_INDEXES, start=False)
    SLAPD.start(debug="stats")


def tearDownModule():
    SLAPD.close()


def map_text(*arguments, **parameters):
    return SLAPD.map_text(*arguments, **{"special_result_attribute": None, **parameters})


class Together(LdapCase):
    def at_once(self, daemon, name, keys):
        with daemon.client() as client:
            client.send(b"".join(request(name, key) for key in keys))
            return {key: client.read() for key in keys}

    def same_as_alone(self, daemon, name, keys, rounds=3):
        """rounds: the first may go alone, until the connection is there; what one batch teaches
        is used in the next. Gives the searches' numbers of keys."""
        alone = self.as_postfix(daemon, name, keys)
        since = os.path.getsize(SLAPD.log_path)
        for i in range(rounds):
            again = keys[i:] + keys[:i]
            self.assertEqual(self.at_once(daemon, name, again), {key: alone[key] for key in again})
        return [keys_in(filter) for filter in SLAPD.filters(since)]

    def serve_one(self, *arguments, extra="", **parameters):
        return self.serve({"x": map_text(*arguments, **parameters)},
                          extra="default_timeout = 20s\n" + extra)

    def users(self):
        return ["u%d@example.net" % i for i in range(USERS)]


class Answers(Together):
    def test_many_keys_few_searches(self):
        daemon = self.serve_one("(mail=%s)")
        keys = self.users()[2:] + ["nobody%d@example.net" % i for i in range(50)]
        searches = self.same_as_alone(daemon, "x", keys)
        self.assertGreaterEqual(sum(searches), 3 * len(keys))
        self.assertLess(len(searches), len(keys) / 10, searches)

    def test_two_attributes(self):
        """Entries that lack one of them are no reason to ask alone, after the first time."""
        daemon = self.serve_one(BOTH)
        keys = self.users()[2:] + ["list%d@example.net" % i for i in range(20)]
        searches = self.same_as_alone(daemon, "x", keys, rounds=6)
        alone = sum(1 for n in searches if n == 1)
        self.assertLess(alone, 3 * len(keys), searches)
        self.assertGreater(sum(searches) - alone, 3.5 * len(keys), searches)

    def test_hard_to_tell(self):
        """Always in the same batch, with the entries that could be anybody's."""
        for filter in ("(mail=%s)", BOTH, "(|(mail=%s)(mailLocalAddress=%s)(uid=%u))",
                       "(&(objectClass=inetOrgPerson)" + BOTH + ")",
                       "(|(&(uid=*)(mail=%s))(&(cn=*)(mailLocalAddress=%s)))",
                       "(&(uid=*)(mail=%s)(!(uid=root)))"):
            with self.subTest(filter):
                daemon = self.serve_one(filter)
                searches = self.same_as_alone(daemon, "x", ALL_ODD + self.users()[:5], rounds=12)
                self.assertGreater(max(searches), 5, searches)

    def test_hidden_beside_shown(self):
        """Each pair alone in a batch, so that no other entry's trouble makes it go alone."""
        daemon = self.serve_one(BOTH)
        for pair in (["shown1@example.net", "secret1@example.net"],
                     ["seen@example.net", "blind2@example.net"],
                     ["seen@example.net", "u1@example.net"],
                     ["shown2@example.net", "secret2@example.net"]):
            alone = self.as_postfix(daemon, "x", pair)
            for _ in range(20):
                self.at_once(daemon, "x", ["u5@example.net", "u6@example.net"])
                self.assertEqual(self.at_once(daemon, "x", pair), alone)

    def test_what_a_directory_takes_for_equal(self):
        keys = ["case", "CASE", "Case", "soft", "softhyphen", "soft-hyphen", "plain", "full", "ull",
                "fold", "FOLD", "other", "two  spaces", "two spaces", "around", " around", "in english",
                "inenglish", "n1", "n2", "gr\u00fcn"]
        for filter in ("(homeDirectory=%s)", "(description=%s)", "(employeeNumber=%s)",
                       "(|(homeDirectory=%s)(description=%s))",
                       "(|(employeeNumber=%s)(description=%s))", "(&(description=%s)(uid=*))"):
            with self.subTest(filter):
                daemon = self.serve_one(filter)
                searches = self.same_as_alone(daemon, "x", keys, rounds=12)
                self.assertGreater(max(searches), 5, searches)

    def test_results_and_limits(self):
        """What is made of the entries is the key's own."""
        keys = ALL_ODD + self.users()[:30] + ["terminal@example.net", "u1@example.org"]
        for parameters in ({"result_format": "%U=%s"}, {"size_limit": "1"}, {"expansion_limit": "1"},
                           {"result_attribute": "mail"}, {"result_attribute": "mail,cn;lang-en"},
                           {"terminal_result_attribute": "roomNumber"},
                           {"result_attribute": "uid", "leaf_result_attribute": "roomNumber",
                            "special_result_attribute": "member"},
                           {"domain": "example.net"}, {"scope": "one"}, {"search_base": PEOPLE}):
            with self.subTest(parameters):
                daemon = self.serve_one("(mail=%s)", **parameters)
                searches = self.same_as_alone(daemon, "x", keys)
                self.assertGreater(max(searches), 5, searches)

    def test_same_filter(self):
        daemon = self.serve_one("(uid=%u)", result_format="%s for %S")
        keys = ["u%d@%s" % (i, domain) for i in range(20)
                for domain in ("example.net", "example.org", "x")]
        searches = self.same_as_alone(daemon, "x", keys)
        self.assertLessEqual(sum(searches), 3 * 60)
        self.assertGreater(max(searches), 10, searches)

    def test_long_keys(self):
        """Too much for one search: slapd closes a connection that sends 256 KiB at once."""
        daemon = self.serve_one(BOTH)
        keys = ["%s%d@example.net" % ("()*\\" * 60, i) for i in range(120)]
        keys += ["%s%d@example.net" % ("x" * 5000, i) for i in range(80)] + self.users()[:5]
        searches = self.same_as_alone(daemon, "x", keys, rounds=2)
        self.assertGreater(max(searches), 5, searches)

    def test_a_walk_is_one_search(self):
        daemon = self.serve({"x": map_text("(mail=%s)")},
                            search="full noext localpart_if_local at_domain")
        for key, want in (("u7+ext@example.net", "OK u7"), ("nobody+ext@example.net", "NOTFOUND ")):
            daemon.ask("x", "u3@example.net")  # the connection
            since = os.path.getsize(SLAPD.log_path)
            self.assertEqual(daemon.ask("x", key), want)
            self.assertEqual([keys_in(filter) for filter in SLAPD.filters(since)], [5])


class Alone(Together):
    """Where keys do not travel together, or not for long."""

    def test_not_certain(self):
        for filter, parameters in (
                ("(mail:caseIgnoreIA5Match:=%s)", {}), ("(mail=%s*)", {}),
                ("(|(mail=%s)(uid=u3))", {}), ("(&(objectClass=*)(!(mail=%s)))", {}),
                ("(name=%u)", {}),  # cn is one, too
                ("(userid=%u)", {}),  # asked for as uid
                ("(member=uid=%u,ou=people,dc=example,dc=net)", {}),
                ("(mail=%s)", {"chase_referrals": "yes"}),
                ("(mail=%s)", {"search_base": "ou=people,dc=%2,dc=%1"})):
            with self.subTest(filter):
                daemon = self.serve_one(filter, **parameters)
                keys = self.users()[2:10]
                self.assertLessEqual(max(self.same_as_alone(daemon, "x", keys, rounds=2)), 1)

    def test_schema_that_cannot_be_read(self):
        slapd = Slapd(ldif=tree(), start=False,
                      config='access to dn.base="cn=Subschema" by * none\naccess to * by * read')
        self.addCleanup(slapd.close)
        slapd.start(debug="stats")
        daemon = self.serve({"x": slapd.map_text("(mail=%s)", special_result_attribute=None)})
        self.assertEqual(set(self.at_once(daemon, "x", self.users()[2:22]).values()),
                         {"OK u%d" % i for i in range(2, 22)})
        self.assertEqual(max(map(keys_in, slapd.filters())), 1)

    def test_limit_of_the_server(self):
        """Not more than three entries at once: batches fail, and are spared more and more."""
        daemon = self.serve_one("(mail=%s)", bind_dn=FEW)
        searches = self.same_as_alone(daemon, "x", self.users()[2:32], rounds=40)
        self.assertGreater(max(searches), 5, searches)
        self.assertLess(sum(1 for n in searches if n > 1), 15, searches)


class Meddler:
    """Between the daemon and slapd; searches for two addresses or more get no answer, or a result
    code of its own. On a connection whose schema could not be read in time there are none."""

    def __init__(self, port, code):
        self.port, self.code = port, code
        self.met = 0
        self.links = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "ldap://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.port))
                self.links.append((client, server))
                lock = threading.Lock()
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(client, server, lock), daemon=True).start()
        except OSError:
            pass

    def hang_up(self):
        """The daemon connects again when it is asked again."""
        links, self.links = self.links, []
        for end in itertools.chain(*links):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def _messages(sock):
        data = b""
        while True:
            more = sock.recv(65536)
            if not more:
                return
            data += more
            while len(data) >= 2:
                length, head = data[1], 2
                if length & 0x80:
                    head += length & 0x7f
                    length = int.from_bytes(data[2:head], "big")
                if len(data) < head + length:
                    break
                yield data[:head + length], data[head:head + length]
                data = data[head + length:]

    def _requests(self, client, server, lock):
        try:
            for whole, message in self._messages(client):
                if message.count(b"@example.net") < 2:
                    server.sendall(whole)
                    continue
                self.met += 1
                if self.code is not None:
                    ident = message[:2 + message[1]]
                    body = ident + b"\x65\x07\x0a\x01" + bytes([self.code]) + b"\x04\x00\x04\x00"
                    with lock:
                        client.sendall(b"\x30" + bytes([len(body)]) + body)
        except OSError:
            pass
        server.close()

    def _answers(self, client, server, lock):
        try:
            for whole, _ in self._messages(server):
                with lock:
                    client.sendall(whole)
        except OSError:
            pass
        client.close()


class Trouble(Together):
    """What becomes of a search for many keys is no key's trouble."""

    def meddled(self, code, **parameters):
        meddler = Meddler(SLAPD.port, code)
        self.addCleanup(meddler.listener.close)
        daemon = self.serve_one("(mail=%s)", server_host=meddler.url, **parameters)
        self.assertEqual(daemon.ask("x", "u2@example.net"), "OK u2")
        return meddler, daemon

    def check(self, meddler, daemon):
        keys = self.users()[2:40] + ["nobody@example.net"]
        want = {key: "OK " + key.split("@")[0] for key in keys[:-1]}
        want["nobody@example.net"] = "NOTFOUND "

        def met():
            for _ in range(3):
                self.assertEqual(self.at_once(daemon, "x", keys), want)
            if meddler.met == 0:
                meddler.hang_up()
            return meddler.met > 0
        until(met, "keys travel together")

    def test_codes(self):
        # operationsError, protocolError, timeLimit, sizeLimit, adminLimit, busy, unwilling, other,
        # a referral, noSuchObject
        for code in (1, 2, 3, 4, 11, 51, 53, 80, 10, 32):
            with self.subTest(code):
                self.check(*self.meddled(code))

    def test_silence(self):
        meddler, daemon = self.meddled(None, timeout="3")
        started = time.monotonic()
        self.check(meddler, daemon)
        self.assertGreater(time.monotonic() - started, 2.5)

    def test_slow_ones_do_not_hold_up_others(self):
        meddler, daemon = self.meddled(None, timeout="90")
        with contextlib.ExitStack() as stack:
            for i in range(36):
                if meddler.met > 8:
                    break
                client = stack.enter_context(daemon.client())
                client.send(b"".join(request("x", "u%d@example.net" % (4 * i + j))
                                     for j in range(2, 6)))
                time.sleep(0.15)  # long enough not to wait for those before
            self.assertGreater(meddler.met, 8)  # searches that are not answered, for 90 s
            for key in ("u150@example.net", "u151@example.net", "u152@example.net"):
                reply = daemon.ask("x", key)
                if reply == "OK " + key.split("@")[0]:
                    return
                self.temp(reply)  # it was asked for together with those before, which still waited
        self.fail("they hold up others: " + reply)

    def test_nobody_waits_any_more(self):
        """Its search is let go of, and nothing of it is left."""
        meddler = Meddler(SLAPD.port, None)
        self.addCleanup(meddler.listener.close)
        daemon = self.serve({"x": map_text("(mail=%s)", server_host=meddler.url)},
                            extra="default_timeout = 1s\n")
        self.assertEqual(daemon.ask("x", "u2@example.net"), "OK u2")
        keys = self.users()[2:40]
        for reply in self.at_once(daemon, "x", keys).values():
            self.temp(reply)
        until(lambda: set(self.at_once(daemon, "x", keys).values())
              == {"OK " + key.split("@")[0] for key in keys}, "the keys are asked alone")


if __name__ == "__main__":
    main()
