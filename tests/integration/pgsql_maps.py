"""Map files of pgsql_table(5), and keys for them, from a seed.

A file is made of parts that each come in all forms that the manual allows: literals of every
kind, conditions, columns, result formats, domains, hosts. Beside the text there is, where
Postfix itself goes wrong (see DIFFERENCES in test_pgsql_oracle.py), a second one that says
the same without what misleads it.

Databases (all filled by `fill`):
    plain   UTF8, and only ASCII in it
    full    UTF8, with everything
    bytes   SQL_ASCII, the same bytes as in `full`: no client encoding changes anything there
"""

import string
from random import Random

from pg import DATABASE, PASSWORD, ROLE

PLAIN, FULL, BYTES = DATABASE, "mail_full", "mail_bytes"

DOMAINS = ["example.net", "example.org", "lists.example.net", "a.b.c.example.com", "example",
           "[192.0.2.1]", "xn--grn-hoa.example", "o'brien.example"]
USERS = ["gregory", "root", "sales", "g.czaplinski", "gregory+lists", "o'brien", "back\\slash",
         "100%", "per%%cent", "%s", "under_score", "a,b", "{x,y}", '"john smith"', "john smith",
         "12", "7", "0x1f", "null", "true", "$1", "$$x$$", "a;b", "--", "semi;--", "/*x*/",
         "user", "abcd", "active", "a@b", "tab", "\x01bell", "e'x'", "login", "101", "-1", ".dot.",
         "x" * 60, "[a-z]+", "(", "a\"b"]
WIDE_USERS = ["gr\u00fcn", "\u00e9", "\u6f22\u5b57", "\U0001f4ee", "stra\u00dfe", "\u00ff"]
WIDE_DOMAINS = ["gr\u00fcn.example", "\u6f22.example"]

LOGINS = ["gregory", "root", "gregory,root", " spaces ", "a@b@c", "gregory@example.net",
          "G.Czaplinski@Example.NET", "@nobody", "nobody@", "@", "100%", "%s", "o'brien",
          "back\\slash", "a,,b", ",", "{1,2}", '"quoted" <x@example.org>', "x" * 2000, "0",
          "two\nlines", "cr\rhere", "smtp:[192.0.2.1]:25", "user@a.b.c.d", "user@..", None, ""]
WIDE_LOGINS = ["gr\u00fcn", "\u6f22@\u5b57.example", "\u00ff\u00fe"]

SCHEMA = r"""
CREATE EXTENSION citext;
CREATE TYPE state AS ENUM ('active', 'closed');
CREATE TABLE owners (
    id int PRIMARY KEY, address text NOT NULL, loc text, dom text, login text, note text,
    rank int, kind varchar(70), code char(12), ci citext, tags text[], state state, ok bool);
CREATE INDEX ON owners (address);
CREATE FUNCTION owner_of(key text) RETURNS SETOF text LANGUAGE sql STABLE AS
    $$SELECT login FROM owners WHERE address = key ORDER BY id$$;
CREATE FUNCTION one_owner(key text) RETURNS text LANGUAGE sql STABLE AS
    $$SELECT login FROM owners WHERE address = key ORDER BY id LIMIT 1$$;
CREATE FUNCTION two_columns(key text, OUT a text, OUT b int) RETURNS SETOF record
    LANGUAGE sql STABLE AS
    $$SELECT login, rank FROM owners WHERE address = key ORDER BY id$$;
CREATE FUNCTION strict_owner(key text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF key LIKE '%''%' THEN RAISE EXCEPTION 'no quotes, please: %', key; END IF;
    RETURN (SELECT login FROM owners WHERE address = key ORDER BY id LIMIT 1);
END$$;
GRANT SELECT ON owners TO ROLE;
"""


def quote(text):
    """As an SQL literal that no setting of the server reads otherwise."""
    if text is None:
        return "NULL"
    text = str(text)
    body = text.replace("'", "''")
    return "'%s'" % body if "\\" not in text else "E'%s'" % body.replace("\\", "\\\\")


def rows(random, wide):
    """Many owners for some addresses, none for others, and much that looks like syntax."""
    users = USERS + (WIDE_USERS if wide else [])
    domains = DOMAINS + (WIDE_DOMAINS if wide else [])
    logins = LOGINS + (WIDE_LOGINS if wide else [])
    addresses = [user + "@" + domain for user in users for domain in domains
                 if random.random() < 0.5]
    addresses += ["@" + domain for domain in domains] + users + domains
    if wide:  # what a Postfix that says LATIN1 asks for
        addresses += [word.encode("utf-8").decode("latin-1")
                      for word in (WIDE_USERS[0] + "@example.net", "\u00e9", "\u00e9@example.org")]
    for address in addresses:
        for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
            yield address, random.choice(logins)


def fill(pg, random):
    pg.sql("CREATE DATABASE %s; CREATE DATABASE %s ENCODING 'SQL_ASCII' TEMPLATE template0 "
           "LC_COLLATE 'C' LC_CTYPE 'C'" % (FULL, BYTES), database="postgres")
    contents = {True: list(rows(random, True)), False: list(rows(random, False))}
    found = {}
    for database in (PLAIN, FULL, BYTES):
        wide = database != PLAIN
        values = []
        for number, (address, login) in enumerate(contents[wide]):
            loc, _, dom = address.rpartition("@")
            values.append("(%s)" % ", ".join(quote(value) for value in (
                number, address, loc or address, dom, login,
                (None, "", "note")[number % 3], number % 20, loc[:70], ascii(loc)[1:12].strip("'"),
                address, None, ("active", "closed", None)[number % 3], number % 2 == 0)))
        pg.sql(SCHEMA.replace("ROLE", ROLE) + "INSERT INTO owners VALUES\n"
               + ",\n".join(values) + ";\nUPDATE owners SET tags = ARRAY[loc, dom, login];\n"
               "ANALYZE owners;\n", database=database)
        found[database] = list(dict.fromkeys(address for address, _ in contents[wide]))
    return found


# ------------------------------------------------------------------ queries


class Piece:
    """SQL with placeholders. plain: the same for a Postfix that is misled; flags:
    escapes, dollars, comment: where it is;
    chars: counts characters, which a database of bytes counts otherwise;
    fails: many keys are errors; outside: the key is SQL here."""

    def __init__(self, text, plain=None, flags=()):
        self.text = text
        self.plain = text if plain is None else plain
        self.flags = frozenset(flags)

    def __add__(self, other):
        if isinstance(other, str):
            other = Piece(other)
        return Piece(self.text + other.text, self.plain + other.plain, self.flags | other.flags)

    def __radd__(self, text):
        return Piece(text) + self


def literal(random, template, plain_only=False):
    """A template, which has no backslash, in any kind of literal."""
    quoted = "'" + template.replace("'", "''") + "'"
    kind = "plain" if plain_only else random.choice(
        ("plain",) * 5 + ("escape", "escape", "dollar", "tag", "text"))
    if kind == "escape":
        body = template.replace("'", random.choice(("''", "\\'")))
        if "@" in body and random.random() < 0.5:
            body = body.replace("@", random.choice(("\\x40", "\\100", "\\u0040", "\\@")), 1)
        return Piece(random.choice("eE") + "'" + body + "'", quoted, {"escapes"})
    if kind in ("dollar", "tag") and "'" in template:  # literals of its own, perhaps
        kind = "plain"
    if kind == "dollar":
        return Piece("$$" + template + "$$", quoted, {"dollars"})
    if kind == "tag":
        return Piece("$k_1$" + template + "$k_1$", quoted, {"dollars"})
    if kind == "text":
        return Piece(quoted + random.choice(("::text", " :: varchar", "||''")))
    return Piece(quoted)


def condition(random):
    def lit(template):
        return literal(random, template)
    return random.choice([
        lambda: "address = " + lit("%s"), lambda: "address = " + lit("%s"),
        lambda: "address = " + lit("%u@%d"), lambda: "address=" + lit("%U@%D"),
        lambda: "address =" + lit("%S"),
        lambda: "loc = " + lit("%u") + " AND dom = " + lit("%d"),
        lambda: "(address = " + lit("%s") + " OR address = " + lit("@%d") + ")",
        lambda: "address IN (" + lit("%s") + "," + lit("%u") + ")",
        lambda: "dom = " + lit("%d"), lambda: "dom=" + lit("%D"),
        lambda: "dom = " + lit("%2.%1"), lambda: "dom = " + lit("%3.%2.%1"),
        lambda: "dom LIKE " + lit("%%.%1"), lambda: "dom = " + lit("%9.%1"),
        lambda: "address LIKE " + lit("%%@%d") + Piece("", None, {"chars"}),
        lambda: "address LIKE " + lit("%u@%%") + Piece("", None, {"chars"}),
        lambda: "address ILIKE " + lit("%s") + Piece("", None, {"chars"}),
        lambda: "address ~ " + lit("^%u@") + Piece("", None, {"chars", "fails"}),
        lambda: lit("%s") + " IN (address, loc, dom)",
        lambda: lit("%u") + " = ANY (tags)", lambda: "tags @> ARRAY[" + lit("%u") + "]",
        lambda: "tags && " + literal(random, "{%u}", True) + Piece("", None, {"fails"}),
        lambda: "ci = " + lit("%s"), lambda: "kind = " + lit("%u"),
        lambda: "code = " + lit("%u") + Piece("", None, {"chars"}),
        lambda: "rank = " + literal(random, "%u", True) + Piece("", None, {"fails"}),
        lambda: "state = " + literal(random, "%u", True) + Piece("", None, {"fails"}),
        lambda: "ok = " + literal(random, "%u", True) + Piece("", None, {"fails"}),
        lambda: "octet_length(address) = octet_length(" + lit("%s") + ")",
        lambda: "address = lower(" + literal(random, "%s", True) + ")",
        lambda: "address = (SELECT a.address FROM owners a WHERE a.address = " + lit("%s")
                + " ORDER BY a.id LIMIT 1)",
        lambda: "EXISTS (SELECT FROM owners b WHERE b.login = owners.login AND b.address = "
                + lit("%s") + ")",
        lambda: "address = 'gregory@example.net'",
        lambda: "address = " + literal(random, "%s", True) + " /* 100%% */",
        lambda: "address = " + literal(random, "%s", True)
                + Piece(" /* for %s */ ", " ", {"comment"}),
        lambda: Piece("rank = %u", None, {"outside", "fails"}),
        lambda: Piece("rank < length('%u') - 5 AND loc = N'%u'", None, {"chars"}),
        lambda: Piece("address = U&'%s'", None, {"outside", "fails"}),
        lambda: Piece("rank = bit_length(B'1%u') - 4", None, {"fails"}),
    ])()


COLUMNS = ["login", "login", "login", "login, note", "note, login", "login, rank", "address",
           "rank", "ok", "tags", "login || ':' || rank", "NULL, login", "'', login", "login AS \"%\"",
           "upper(login)", "'constant'", "state, code", "'10%%' || login"]


def table_query(random):
    columns = Piece(random.choice(COLUMNS).replace('"%"', '"%%"'))
    if random.random() < 0.2:
        columns = literal(random, random.choice(("%s", "%u", "%d", "%u/%d", "%1.%u", "it's %s"))) \
            + (", login" if random.random() < 0.5 else "")
    if random.random() < 0.05:
        columns = Piece('"%u"', None, {"outside", "fails"})
    if "'constant'" in columns.text:
        tail = " ORDER BY id LIMIT 2"
    else:
        tail = random.choice((" ORDER BY id", " ORDER BY id", " ORDER BY id DESC",
                              " ORDER BY id LIMIT 1", " ORDER BY id LIMIT 3",
                              " ORDER BY id OFFSET 1", " ORDER BY login NULLS FIRST, id"))
    query = "SELECT " + columns + " FROM owners WHERE " + condition(random)
    if random.random() < 0.3:
        query = query + random.choice((" AND ", " OR ")) + condition(random)
    if random.random() < 0.1:
        query = query + " AND state = 'active'"
    query = query + tail
    if random.random() < 0.1:
        query = query + Piece(random.choice((" -- for %s", "; -- %s", " --%S")), "", {"comment"})
    elif random.random() < 0.1:
        query = query + random.choice((";", " ; ", " -- the owner"))
    return query


def free_query(random):
    """Of other forms."""
    def lit(template):
        return literal(random, template)
    return random.choice([
        lambda: "SELECT " + lit("%s"), lambda: "SELECT " + lit("%u") + ", " + lit("%d"),
        lambda: "SELECT " + lit("%u") + " WHERE " + lit("%d") + " = 'example.net'",
        lambda: "VALUES (" + lit("%u") + "), (NULL), (''), (" + lit("%s") + ")",
        lambda: "SELECT string_agg(login, ',' ORDER BY id) FROM owners WHERE address = "
                + lit("%s"),
        lambda: "SELECT count(*), min(login) FROM owners WHERE address = " + lit("%s"),
        lambda: "SELECT DISTINCT login FROM owners WHERE dom = " + lit("%d") + " ORDER BY 1",
        lambda: "SELECT login FROM owners WHERE address = " + lit("%s")
                + " UNION ALL SELECT login FROM owners WHERE address = " + lit("@%d")
                + " ORDER BY 1",
        lambda: "WITH k(a) AS (SELECT " + lit("%s") + "::text) SELECT login FROM owners JOIN k "
                "ON address = a ORDER BY id",
        lambda: "SELECT a.login, b.address FROM owners a JOIN owners b USING (login) "
                "WHERE a.address = " + lit("%s") + " ORDER BY a.id, b.id LIMIT 20",
        lambda: "SELECT owner_of(" + lit("%s") + ")",
        lambda: "SELECT * FROM two_columns(" + lit("%u@%d") + ")",
        lambda: "SELECT one_owner(" + lit("%s") + "), one_owner(" + lit("@%d") + ")",
        lambda: "SELECT concat(" + literal(random, "%u", True) + ", '@', "
                + literal(random, "%d", True) + ")",
        lambda: "SELECT pg_typeof(" + literal(random, "%s", True) + ")",
        lambda: "SELECT unnest(ARRAY[" + lit("%s") + ", 'x', NULL])",
        lambda: "SELECT coalesce(nullif(" + lit("%d") + ", 'example.net'), one_owner("
                + lit("%s") + "))",
        lambda: "SELECT CASE WHEN " + lit("%u") + " = 'root' THEN NULL ELSE " + lit("%u") + " END",
        lambda: "SELECT quote_literal(" + literal(random, "%s", True) + ")",
        lambda: "SELECT greatest(" + lit("%u") + ", " + lit("%d") + ")",
        lambda: "SELECT 1; SELECT login FROM owners WHERE address = " + literal(random, "%s", True)
                + " ORDER BY id",
        lambda: "SELECT login FROM owners WHERE address = " + literal(random, "%s", True)
                + " ORDER BY id; SET application_name = 'x'",
        lambda: Piece("SELECT 12 / (octet_length('%u') - 4)", None, {"fails"}),
        lambda: Piece("SELECT strict_owner('%s')", None, {"fails"}),
        lambda: Piece("SELECT '%u'::int + 1", None, {"fails"}),
        lambda: Piece("SELECT date '%u'", None, {"fails"}),
        lambda: Piece("SELECT interval '%u min'", None, {"fails"}),
        lambda: Piece("SELECT login FROM owners ORDER BY id LIMIT '%u'", None, {"fails"}),
        lambda: Piece("SELECT %1, '%s'", None, {"outside", "fails"}),
        lambda: Piece("SELECT login FROM no_such_table WHERE a = '%s'", None, {"fails"}),
        lambda: Piece("SELECT login FROM owners WHERE addres = '%s'", None, {"fails"}),
        lambda: Piece("SELEKT '%s'", None, {"fails"}),
        lambda: Piece("-- nothing at all %s", None, {"fails"}),
        lambda: Piece("SHOW server_version_num"),
        lambda: Piece("EXPLAIN (COSTS OFF) SELECT '%s'::text"),
        lambda: Piece("SET application_name = '%u'"),
        lambda: Piece("DO $$BEGIN END$$"),
        lambda: Piece("SELECT FROM owners WHERE address = '%s'"),
    ])()


def old_form(random):
    """The parameters from before `query`: (parameters, flags)."""
    if random.random() < 0.5:
        return random.choice((({"select_function": "owner_of"}, ()),
                              ({"select_function": "public.one_owner"}, ()),
                              ({"select_function": "strict_owner"}, ("fails",)),
                              ({"select_function": "upper"}, ())))
    lines = {"table": random.choice(("owners", "public.owners", "owners o")),
             "select_field": random.choice(("login", "login, note", "address || '/' || rank")),
             "where_field": random.choice(("address", "loc", "dom", "ci", "lower(address)"))}
    tail = random.choice((None, "", "ORDER BY id", "AND ok ORDER BY id DESC",
                          "AND dom = '%d' ORDER BY id", "OR address = '@%d' ORDER BY id LIMIT 2"))
    if tail is not None:
        lines["additional_conditions"] = tail
    if not tail:  # one address may have several rows, in an order of the server's
        lines["where_field"] = random.choice(("id::text", "(SELECT 'root@example.net')"))
        lines["additional_conditions"] = "ORDER BY id LIMIT 1"
    return lines, ()


# -------------------------------------------------------------------- files


RESULT_FORMATS = ["%s@%D", "%u", "%d", "%u at %d", "%S", "%U", "%D", "%s=%S", "[%s]", "%1",
                  "%2.%1", "100%%", "OK", "%s,%S", "smtp:[%d]", "%u+%U@%D", "%%s%%%s", "%s %s",
                  "%3", "%9", "%u%%"]


BREAKS = ("\n ", "\n    ", "\n\t", "\n# a comment\n ", "\n\n ", "\n  # = another\n ")


class MapFile:
    """parameters and flags; text(...) gives the file."""

    def __init__(self, database, parameters, plain_query, flags, layout):
        self.database = database
        self.parameters = parameters
        self.plain_query = plain_query
        self.flags = flags
        self.layout = layout  # a seed for where lines are broken

    def text(self, database=None, plain=False):
        """database: another one; plain: with what does not mislead Postfix."""
        random = Random(self.layout)
        lines = dict(self.parameters)
        database = database or self.database
        if plain:
            lines["query"] = self.plain_query
        if "dbname" in lines:
            lines["dbname"] = database
        if "hosts" in lines:
            lines["hosts"] = lines["hosts"].replace("DATABASE", database)
        order = list(lines)
        random.shuffle(order)
        # Where a line is broken its white space may change, and that of a literal in it.
        return "".join(_line(random, name, lines[name],
                             name == "query" and self.plain_query is not None)
                       for name in order)


def _line(random, name, value, whole):
    """`name = value` in one of the ways to write it; whole: in one line."""
    equals = random.choice((" = ", " = ", " = ", "=", "   =\t", "= "))
    if not whole and random.random() < 0.3:
        words = value.split(" ")
        value = words[0]
        for word in words[1:]:
            # A line of white space only would end nothing, one that begins with # is none.
            breaks = word != "" and word[0] != "#" and random.random() < 0.3
            value += random.choice(BREAKS) + word if breaks else " " + word
    return random.choice(("", "", "# " + name + "\n", "\n")) + name + equals + value \
        + random.choice(("", "", " ", "\t")) + "\n"


def servers(random, pg, dead_port, wide_latin1):
    """hosts and what belongs to it."""
    address = "127.0.0.1:%d" % pg.port
    uri = "postgresql://%s:%s@%s/DATABASE" % (ROLE, PASSWORD, address)
    kind = random.choice(("inet", "host", "unix", "path", "uri", "uris", "dead", "many", "name",
                          "default", "mixed"))
    hosts = {
        "inet": "inet:" + address, "host": address, "unix": "unix:" + pg.sockets,
        "path": pg.sockets, "uri": uri,
        "uris": "%s?connect_timeout=10&application_name=x, %s" % (uri, uri),
        "dead": "127.0.0.1:%d, inet:%s" % (dead_port, address),
        "many": "inet:%s,%s unix:%s" % (address, address, pg.sockets),
        "name": "localhost:%d" % pg.port, "default": None,
        "mixed": "unix:/nonexistent\t%s , inet:localhost" % uri,
    }[kind]
    lines = {} if hosts is None else {"hosts": hosts}
    lines["dbname"] = "DATABASE"  # Postfix wants it beside URIs too
    if kind in ("uri", "uris"):
        if random.random() < 0.5:
            lines.update(user="nobody-uses-this", password="nor this")
    else:
        lines.update(user=ROLE, password=PASSWORD)
    if wide_latin1:
        lines["encoding"] = "LATIN1"
    elif random.random() < 0.2:
        lines["encoding"] = random.choice(("UTF8", "utf-8", "UNICODE"))
    return lines


def domain_list(random, files):
    """A `domain`. files: a function that writes a file with a list and gives its path."""
    def spelled(name):
        return random.choice((name, name, name.upper(), name.title()))
    words = []
    for name in random.sample(DOMAINS, random.randrange(1, 5)):
        words.append(random.choice(("", "", "", "!", "!!")) + spelled(name))
    if random.random() < 0.4:
        lines = ["# a comment"] + [random.choice(("", "!")) + spelled(name)
                                   for name in random.sample(DOMAINS, 3)]
        words.insert(random.randrange(len(words) + 1),
                     random.choice(("", "", "!")) + files("\n".join(lines) + "\n"))
    if random.random() < 0.7:
        words.append("example.net")
    return random.choice((" ", ", ", ",")).join(words)


def map_file(random, pg, kind, files, dead_port):
    """kind: plain, bytes, twin (bytes for Postfix, full for us), latin1."""
    database = {"plain": PLAIN, "bytes": BYTES, "twin": FULL, "latin1": FULL}[kind]
    while True:
        parameters, plain_query = {}, None
        if random.random() < 0.12:
            old, flags = old_form(random)
            parameters.update(old)
            flags = frozenset(flags)
        else:
            query = (table_query if random.random() < 0.7 else free_query)(random)
            parameters["query"], flags = query.text, query.flags
            plain_query = query.plain if query.plain != query.text else None
        if not (kind == "twin" and "chars" in flags):
            break
    parameters.update(servers(random, pg, dead_port, kind == "latin1"))
    if random.random() < 0.45:
        parameters["result_format"] = random.choice(RESULT_FORMATS)
    if random.random() < 0.25:
        parameters["domain"] = domain_list(random, files)
    if random.random() < 0.2:
        parameters["expansion_limit"] = random.choice(("0", "1", "2", "5", "100"))
    if random.random() < 0.15:
        parameters["idle_interval"] = random.choice(("1", "60"))
    if random.random() < 0.15:
        parameters["retry_interval"] = random.choice(("1", "60"))
    if random.random() < 0.15:
        parameters["prepare"] = "no"
    if random.random() < 0.15:
        parameters["connections"] = random.choice(("1", "4"))
    return MapFile(database, parameters, plain_query, flags, random.getrandbits(32))


# --------------------------------------------------------------------- keys


ATOMS = ["'", "''", "\\", "\\'", '"', "%", "%%", "%s", "{", "}", "{}", ",", ";", "--", "/*", "*/",
         "$$", "$1", "$k_1$", "(", ")", "[", "]", ".", "..", "@", "@@", " ", "\x01", "\x1b", "\x7f",
         "\r", "|", "&", "=", "<", ">", "?", "*", "+", "^", "#", "!", "~", "`", ":", "::", "/", "_",
         "a", "b", "E'", "' OR '1'='1", "'; DROP TABLE owners; --", "NULL", "root", "gregory",
         "example.net", "\\x27", "\\047", "\\u0027", "0", "1"]
WIDE_ATOMS = ["\u00e9", "\u00c9", "\u00df", "\u0130", "\u03a3", "\u6f22", "\U0001f4ee", "e\u0301",
              "\u00a0", "\u2019", "\u02bc", "\uff07", "\u00ff", "\ufb01", "\u1e9e"]
INVALID = [b"\xff", b"\xfe\xff", b"\xc3", b"\xc0\xa7", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80",
           b"\xe0\x80\xa7", b"\xbf'"]


def _case(random, text):
    return random.choice((text, text, text.upper(), text.title()))


def _hostile(random, atoms, domains):
    word = "".join(random.choice(atoms) for _ in range(random.randrange(1, 8)))
    return word + random.choice(("", "@" + random.choice(domains), "@" + word))


def _long(random, domains):
    size = random.choice((100, 1000, 5000, 9900))
    body = random.choice(("x", "'", "\\", "%", "x.", "@", "a@b.")) * size
    return body[:size] + random.choice(("", "@" + random.choice(domains)))


def key(random, addresses, wide):
    """One key, as bytes without NUL."""
    users = USERS + (WIDE_USERS if wide else [])
    domains = DOMAINS + (WIDE_DOMAINS if wide else [])
    atoms = ATOMS + (WIDE_ATOMS * 2 if wide else [])
    if wide and random.random() < 0.03:
        return random.choice(INVALID) + b"@example.net"
    text = random.choice([
        lambda: random.choice(addresses), lambda: random.choice(addresses),
        lambda: random.choice(addresses), lambda: random.choice(addresses),
        lambda: _case(random, random.choice(addresses)),
        lambda: random.choice(users) + "@" + random.choice(domains),
        lambda: random.choice(users) + "@" + random.choice(domains),
        lambda: "nobody%d@%s" % (random.randrange(1000), random.choice(domains)),
        lambda: "%d@%s" % (random.randrange(25), random.choice(domains)),
        lambda: random.choice(users) + "@" + random.choice(
            ("a..b", ".", "..", ".net", "net.", "a.b.c.d.e.f.g.h.i", "a.b.c.d.e.f.g.h.i.j", "x",
             "[192.0.2.1]", "[IPv6:2001:db8::1]", "sub.example.net", "example.net.", "")),
        lambda: random.choice(("@", "@@", "a@", "@b", "a@@b", "a@b@c@example.net", "", " ", ".",
                               "@example.net@", "x@example.net@example.org")),
        lambda: _hostile(random, atoms, domains), lambda: _hostile(random, atoms, domains),
        lambda: _long(random, domains) if random.random() < 0.3 else random.choice(users),
        lambda: "".join(random.choice(string.printable[:95]) for _ in range(random.randrange(20))),
        lambda: "%s%s@%s" % (random.choice(users), random.choice(("\n", "\t", "\r")),
                             random.choice(domains)) if random.random() < 0.1 else "@",
    ])()
    return text.encode("utf-8")


def keys(random, n, addresses, wide):
    """n different ones."""
    found = {}
    while len(found) < n:
        one = key(random, addresses, wide)
        if len(one) <= 10000 and b"\0" not in one:
            found[one] = True
    return list(found)
