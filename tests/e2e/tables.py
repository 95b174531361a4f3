"""A made-up sender_login table of all shapes, and addresses to ask it about.

Both are drawn from small pools of names, so that addresses meet entries often,
and by every step of the walk. Everything follows from the seed.
"""

import random

LOGINS = ["gregory", "root", "anna", "boris", "chandra", "dora", "emil", "fatima"]

LOCAL_DOMAINS = ["example.net", "tahoe.example.net", "localhost", "bücher.example.net"]
RELAY_DOMAINS = ["relay.example.org", "straße.example.org"]
VIRTUAL_DOMAINS = ["virtual.example.com"]
FOREIGN_DOMAINS = ["example.org", "example.com", "sub.example.net", "net"]
LOCAL_LITERALS = ["[127.0.0.1]", "[192.0.2.10]"]  # inet_interfaces, proxy_interfaces
OTHER_LITERALS = ["[IPv6:::1]", "[ipv6:0:0::1]", "[192.0.2.99]", "[IPv6:2001:db8::1]",
                  "[127.0.0.1", "[example.net]", "[]", "[ 127.0.0.1 ]", "[127.0.0.01]",
                  "[::1]", "[127.1]"]
DOMAINS = LOCAL_DOMAINS * 3 + RELAY_DOMAINS + VIRTUAL_DOMAINS + FOREIGN_DOMAINS
PROXY_INTERFACES = "192.0.2.10"

WORDS = ["gregory", "root", "anna", "boris", "g.czaplinski", "sales", "info", "dev", "list",
         "news", "a", "b", "x", "ops", "web-master", "first.last", "o'neil", "bill=paid",
         "100%", "q&a", "up_to", "{braces}", "a-b-c", "one+two+three"]
SPECIAL = ["postmaster", "mailer-daemon", "double-bounce", "owner-list", "list-request",
           "owner-list-request", "owner-", "-request", "owner-+x", "owner", "request",
           "MAILER-DAEMON", "Postmaster"]
# Pairs that fold to the same, or nearly: sharp s, final sigma, dotted and dotless i, a ligature,
# the Kelvin sign, an accent as one character and as two.
UTF8 = [
    "grégory", "GRÉGORY", "straße", "STRASSE", "strasse", "σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ",
    "istanbul", "İstanbul", "ıstanbul", "\ufb01sh", "fish", "kelvin", "\u212aelvin", "e\u0301mil",
    "émil", "Émil", "почта", "ПОЧТА", "用户", "\uff41\uff42\uff43", "\u01c6", "\u01c5", "\u0149",
    "\u1fb3", "\U00010400", "\U00010428", "\U0001f600"]
QUOTED = [
    "john smith", "a,b", 'say "hi"', "back\\slash", "semi;colon", "(comment)", "<angle>", "a@b",
    "@", ".dot", "dot.", "two..dots", "[box]", "a:b", " lead", "trail ", "tab\there",
    "john smith+x", "john+x smith", "", "é t é"]
EXTENSIONS = ["x", "lists", "a+b", "a-b", "X", "été", "1", "", "request"]
DELIMITERS = "+-"


def quote(localpart):
    """As a quoted-string of RFC 5321, needed or not."""
    return '"' + localpart.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def case(self, text):
        return self.random.choice([text, text, text, text.upper(), text.title(), text.swapcase()])

    def localpart(self):
        pick = self.random.random()
        if pick < 0.35:
            word = self.random.choice(WORDS)
        elif pick < 0.6:
            word = "user%d" % self.random.randrange(1500)
        elif pick < 0.75:
            word = self.random.choice(UTF8)
        elif pick < 0.82:
            word = self.random.choice(SPECIAL)
        else:
            return self.quoted_localpart()
        if self.random.random() < 0.3:
            word += self.random.choice(DELIMITERS) + self.random.choice(EXTENSIONS)
        return word

    def quoted_localpart(self):
        text = self.random.choice(QUOTED + WORDS[:3])
        if self.random.random() < 0.3:
            text += self.random.choice(DELIMITERS) + self.random.choice(EXTENSIONS)
        return quote(text)

    def domain(self):
        pick = self.random.random()
        if pick < 0.88:
            return self.random.choice(DOMAINS)
        if pick < 0.95:
            return self.random.choice(LOCAL_LITERALS)
        return self.random.choice(OTHER_LITERALS)

    def owners(self):
        names = self.random.sample(LOGINS, self.random.choice([1, 1, 1, 2, 3, 8]))
        return self.random.choice([",", ", ", " ", "\t", " , "]).join(
            self.case(name) for name in names)

    def key(self):
        pick = self.random.random()
        if pick < 0.62:
            return self.localpart() + "@" + self.domain()
        if pick < 0.86:
            return self.localpart()
        if pick < 0.93:
            # Found by the second, unquoted form only.
            odd = self.random.choice(["a,b", ".dot", "dot.", "two..dots", "semi;colon", "[box]",
                                      "a@b", "(comment)", "a:b"])
            return self.random.choice([odd, odd + "@" + self.domain()])
        return self.quoted_localpart() + "@" + self.domain()


def catch_alls(random_):
    """A few, or nothing else would be found: the specific entries must matter."""
    some = ["@relay.example.org", "@sub.example.net", "@[192.0.2.99]", "@Example.COM",
            "@bücher.example.net", "@STRASSE.example.org"]
    return [(key, random_.choice(LOGINS)) for key in some]


def table(seed, size=2500):
    """Entries (key, value) as a postmap input file may hold them, in file order.

    Keys differ, but not always after case folding: as with postmap, the first
    of those counts.
    """
    maker = Maker(seed)
    entries = catch_alls(maker.random)
    entries += [(login, login) for login in ("gregory", "root", "boris")]
    entries += [('"john smith"@example.net', "gregory"), ("grégory@example.net", "gregory,root"),
                ("gregory@[192.0.2.99]", "gregory"), ("+x@example.net", "root"), ("@", "root"),
                ("gregory@", "root"), ("example.net", "root"), ("owner-list", "anna"),
                ("list-request", "gregory"), ("owner@example.net", "gregory")]
    seen = {key for key, _ in entries}
    while len(entries) < size:
        key = maker.case(maker.key())
        if maker.random.random() < 0.3:
            key = "%s.%d%s" % (key.split("@")[0].strip('"').replace('"', "").replace("\\", ""),
                               maker.random.randrange(1000), "@" + key.split("@")[-1]
                               if "@" in key else "")
        if key in seen or not key or key[0] == "#" or _has_bare_space(key):
            continue
        seen.add(key)
        entries.append((key, maker.owners()))
    return entries


def _has_bare_space(key):
    """True for what postmap would not read as one key."""
    in_quotes = False
    escaped = False
    for character in key:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            in_quotes = not in_quotes
        elif character.isspace() and not in_quotes:
            return True
    return in_quotes or escaped or key[0].isspace()


def file_text(entries, seed=0):
    """The entries as the file, with what a hand would leave between them."""
    rng = random.Random(seed)
    lines = ["# Who may send as what.", ""]
    for key, value in entries:
        gap = rng.choice([" ", "\t", "    ", " \t "])
        if rng.random() < 0.05 and " " in value:
            head, tail = value.split(" ", 1)
            lines.append(key + gap + head)
            lines.append("    " + tail)  # a continuation line
        else:
            lines.append(key + gap + value + rng.choice(["", "", " "]))
        if rng.random() < 0.02:
            lines.append(rng.choice(["", "# a comment", "   ", "  # indented comment"]))
    return "\n".join(lines) + "\n"


BROKEN = [
    b"gregory@", b"@example.net", b"@", b"gregory@@example.net", b"a@b@example.net",
    b'"unterminated@example.net', b'gregory"@example.net', b'"gregory"x@example.net',
    b'"gre"gory@example.net', b'gre"go"ry@example.net', b'"a"."b"@example.net',
    b"gregory@example.net.", b"gregory@example.net..", b"gregory@.example.net", b"gregory@.",
    b"gregory@example..net", b".gregory@example.net", b"gregory.@example.net",
    b"g..czaplinski@example.net", b"+@example.net", b"+x@example.net", b"-x@example.net",
    b"+", b"+x", b"-", b"gregory+", b"gregory+@example.net", b"gregory++@example.net",
    b"gregory-+x@example.net", b"gregory+-x@example.net", b"root-a+b@example.net",
    b"greg ory@example.net", b" gregory@example.net", b"gregory@example.net ",
    b"gregory @ example.net", b"gregory\t@example.net", b"gregory@exam ple.net",
    b"gregory%example.net", b"gregory%example.net@example.net", b"gregory%relay.example.org",
    b"example.net!gregory", b"example.org!gregory@example.net", b"a!b!gregory",
    b"@example.org:gregory@example.net", b"@a,@b:gregory@example.net", b"@a:gregory", b"@a:",
    b"gregory(comment)@example.net", b"gregory@example.net(comment)", b"(comment)",
    b"<gregory@example.net>", b"gregory@example.net>", b"<gregory@example.net",
    b"gregory,root@example.net", b"gregory;root@example.net", b"gregory:root@example.net",
    b"gregory@[127.0.0.1", b"gregory@127.0.0.1", b"gregory@127.0.0.1]", b"gregory@[127.0.0.1].",
    b"gregory@[127.0.0.256]", b"gregory@[IPv6:zz]", b"gregory@[[127.0.0.1]]",
    b"gregory@[IPv6:127.0.0.1]", b"gregory@[IPv6:::ffff:127.0.0.1]",
    b"gregory@[127.0.0.1]x", b"gregory@example.net\\", b"gre\\gory@example.net",
    b"gre\\ gory@example.net", b"gre\\@gory@example.net", b"\\gregory@example.net",
    b"gregory\\@example.net", b'"\\g\\r\\egory"@example.net', b'"gregory\\"@example.net',
    b"gr\xe9gory@example.net", b"gregory@ex\xe1mple.net", b"\xff\xfe@example.net",
    b"gr\xc3@example.net", b"gr\xc3\xa9\xc3gory@example.net", b"\xc0\xafx@example.net",
    b"\xed\xa0\x80@example.net", b"\xf4\x90\x80\x80@example.net", b"\xe2\x82@example.net",
    b"gregory\x01@example.net", b"gregory\x7f@example.net", b"\x1bgregory@example.net",
    b"gregory@example.net\x0b", b"gre\x08gory@example.net", b'"gre\x01gory"@example.net',
    b"a" * 64 + b"@example.net", b"a" * 300 + b"@example.net",
    b"gregory+" + b"x" * 400 + b"@example.net",
    b"gregory@" + b"a" * 63 + b".example.net", b"gregory@" + b"a" * 64 + b".example.net",
    b"gregory@" + b"a." * 120 + b"example.net", b'"' + b"a" * 300 + b'"@example.net',
    b'""@example.net', b'""', b'" "@example.net', b'"@"@example.net', b'"@example.net"',
    b'"@example.net"@example.net', b'"gregory@example.net"', b'"gregory@example.net"@example.net',
    b'"+x"@example.net', b'"gregory+"@example.net', b'"gregory +x"@example.net',
    b"postmaster", b"postmaster+x@example.net", b"postmaster-x@example.net",
    b"Mailer-Daemon@example.net", b"mailer-daemon+x@example.net", b"mailer-daemon-x@example.net",
    b"double-bounce@example.net", b"double-bounce+x@example.net", b"double-bounce-x@example.net",
    b"owner-list@example.net", b"owner-list+x@example.net", b"list-request@example.net",
    b"owner-@example.net", b"-request@example.net", b"list-request+x@example.net",
    b"list+x-request@example.net", b"OWNER-list@example.net", b"list-REQUEST@example.net",
    b"xn--gregory@example.net", b"gregory@xn--bcher-kva.example.net",
    b"gregory@xn--strae-oqa.example.org", b"gregory@XN--BCHER-KVA.example.net",
    b"gregory@xn--zzzzzz.example.net", b"gregory@xn--.example.net",
    "gregory@bu\u0308cher.example.net".encode(), "gregory@BÜCHER.example.net".encode(),
    "gregory@example。net".encode(), "gregory@ｅxample.net".encode(),
    "gregory@straße.EXAMPLE.org".encode(), "x@strasse.example.org".encode(),
    "gré+gory@example.net".encode(), "grégory+été@example.net".encode(),
    '"grégory smith"@example.net'.encode(), "\u200bgregory@example.net".encode(),
    "gregory\u00a0@example.net".encode(), "\u2028@example.net".encode(),
    "\ufeffgregory@example.net".encode(),
]


def addresses(seed, entries, count):
    """(path, SMTPUTF8 wanted) pairs, all different; path is what stands between < and >."""
    maker = Maker("addresses %s" % seed)
    rng = maker.random
    keys = [key for key, _ in entries]
    out = {}

    def add(path):
        if b"\r" in path or b"\n" in path or b"\0" in path or len(path) > 900:
            return
        utf8 = not path.isascii()
        if utf8 and rng.random() < 0.05:
            utf8 = False
        out.setdefault(path, utf8)

    for path in BROKEN:
        add(path)
    while len(out) < count:
        pick = rng.random()
        if pick < 0.7:
            address = _near(maker, rng.choice(keys))
        elif pick < 0.93:
            address = maker.localpart() + ("" if rng.random() < 0.25 else "@" + maker.domain())
        else:
            add(_broken(rng, rng.choice(keys)))
            continue
        add(maker.case(address).encode("utf-8"))
    return list(out.items())


def _near(maker, key):
    """An address that should meet this entry by one step of the walk, or just miss it."""
    rng = maker.random
    localpart, at, domain = key.rpartition("@")
    if not at:
        localpart, domain = key, rng.choice(LOCAL_DOMAINS + LOCAL_LITERALS + ["", "example.org"])
    if at and rng.random() < 0.15:
        domain = maker.domain()
    if not localpart or (at and rng.random() < 0.03):
        localpart = maker.localpart()
    needs_quotes = any(character in localpart for character in ' ,;:@()[]<>\t') \
        or localpart.startswith(".") or localpart.endswith(".") or ".." in localpart
    if needs_quotes and not localpart.startswith('"'):
        localpart = quote(localpart)
    change = rng.random()
    if change < 0.35:
        extension = rng.choice(DELIMITERS) + rng.choice(EXTENSIONS)
        if localpart.endswith('"') and len(localpart) > 1:
            localpart = localpart[:-1] + extension + '"'
        else:
            localpart += extension
    elif change < 0.42 and not localpart.startswith('"'):
        localpart = quote(localpart)
    elif change < 0.47:
        localpart += rng.choice("zé1.")
    elif change < 0.50:
        localpart = localpart[:-1]
    elif change < 0.52:
        domain += "."
    return localpart + "@" + domain if domain else localpart


def _broken(rng, key):
    """A key with some bytes changed."""
    data = bytearray(key.encode("utf-8"))
    for _ in range(rng.choice([1, 1, 2, 3])):
        place = rng.randrange(len(data) + 1)
        what = rng.random()
        if what < 0.5:
            data.insert(place, rng.choice(b'"\\@+-.,<>()[] :;\t\x01\x7f\x80\xc3\xff%!\''))
        elif what < 0.75 and data:
            del data[min(place, len(data) - 1)]
        elif data:
            data[min(place, len(data) - 1)] = rng.randrange(1, 256)
    return bytes(data)
