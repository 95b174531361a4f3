"""A real slapd for the tests, in a temporary directory of its own.

It listens on a UNIX socket (ldapi) and on free loopback ports (ldap, and ldaps when it has
TLS), keeps nothing safe on disk, runs as the caller, root or not, and is ended by the process
id that was started here. Its databases: the suffix (mdb), cn=config and cn=Monitor.

    with Slapd() as slapd:
        map_file = slapd.map_file("/tmp/x.cf", query_filter="(mail=%s)")

Several servers that replicate: pair() gives a provider and a consumer.

Python 3, standard library only; the programs are those of Debian's slapd and ldap-utils.
"""

import base64
import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from daemon import free_port, until, write

SUFFIX = "dc=example,dc=net"
ADMIN = "cn=admin," + SUFFIX
ADMIN_PASSWORD = "Manager-0815"
READER = "cn=dictd," + SUFFIX  # who asks for the daemon and for postmap
PASSWORD = "Sesame-4711"

SCHEMA_DIR = "/etc/ldap/schema"
MODULE_DIR = "/usr/lib/ldap"
SCHEMAS = ("core", "cosine", "inetorgperson", "nis", "misc")

PATIENCE_S = 60

BASE = """
dn: {suffix}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=dictd,{suffix}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: dictd
userPassword: {password}

dn: ou=people,{suffix}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{suffix}
objectClass: organizationalUnit
ou: groups
""".format(suffix=SUFFIX, password=PASSWORD)

# The running example in attributes that Debian's schemas have: people by mail, a group of them
# by mailLocalAddress, with its owners as DNs.
TREE = BASE + """
dn: uid=gregory,ou=people,{suffix}
objectClass: inetOrgPerson
uid: gregory
cn: Gregory Czaplinski
sn: Czaplinski
mail: gregory@example.net
mail: G.Czaplinski@example.net

dn: uid=root,ou=people,{suffix}
objectClass: inetOrgPerson
uid: root
cn: root
sn: root
mail: root@example.net

dn: cn=sales,ou=groups,{suffix}
objectClass: groupOfNames
objectClass: inetLocalMailRecipient
cn: sales
mailLocalAddress: sales@example.net
member: uid=gregory,ou=people,{suffix}
member: uid=root,ou=people,{suffix}
""".format(suffix=SUFFIX)

QUERY_FILTER = "(|(mail=%s)(mailLocalAddress=%s))"

INDEXES = "index objectClass,entryUUID,entryCSN,member,cn eq"  # whatever the schemas

# For SCHEMAS.
PEOPLE_INDEXES = INDEXES + "\nindex uid,mail,mailLocalAddress eq"

ACCESS = """
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


def ldif_line(name, value):
    """One attribute in LDIF (RFC 2849); value is str or bytes, and may be anything."""
    data = value.encode("utf-8") if isinstance(value, str) else bytes(value)
    if re.fullmatch(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )", data):
        return "%s: %s\n" % (name, data.decode("ascii"))
    return "%s:: %s\n" % (name, base64.b64encode(data).decode("ascii"))


def ldif_entry(dn, attributes):
    """An entry in LDIF. attributes: (name, value) pairs."""
    return ldif_line("dn", dn) + "".join(ldif_line(*pair) for pair in attributes) + "\n"


def escape_dn(value):
    """An attribute's value inside a DN (RFC 4514)."""
    text = re.sub(r'([\\",+;<>=])', r"\\\1", value).replace("\0", r"\00")
    text = re.sub(r"^([ #])", r"\\\1", text)
    return re.sub(r" $", r"\\ ", text)


class Certificates:
    """A throwaway authority in a directory, and what it signs: a server's certificate, for
    localhost and 127.0.0.1 if nothing else is said, and a client's for the reader's DN."""

    def __init__(self, directory, name="dictd test CA", server="DNS:localhost,IP:127.0.0.1"):
        self.dir = directory
        self.ca = self._path("ca.pem")
        self.server, self.server_key = self._path("server.pem"), self._path("server.key")
        self.client, self.client_key = self._path("client.pem"), self._path("client.key")
        os.makedirs(directory, exist_ok=True)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout",
                      self._path("ca.key"), "-out", self.ca)
        self._sign(self.server, self.server_key, "/CN=" + server.split(",")[0].split(":")[1],
                   "subjectAltName=" + server)
        self._sign(self.client, self.client_key, "/DC=net/DC=example/CN=dictd",
                   "extendedKeyUsage=clientAuth")

    def _path(self, name):
        return os.path.join(self.dir, name)

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise AssertionError("openssl: " + done.stdout.decode())

    def _sign(self, certificate, key, subject, extension):
        request = write(self._path("request.ext"), extension + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", subject, "-keyout", key, "-out", self._path("request.csr"))
        self._openssl("x509", "-req", "-in", self._path("request.csr"), "-CA", self.ca, "-CAkey",
                      self._path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", request,
                      "-out", certificate)


class Slapd:
    """schemas: names in Debian's folder, or paths of .schema files.
    ldif: what the tree begins with. access, indexes: directives of the database.
    config, database: more slapd.conf lines, global and of the database (its overlays too).
    modules: to load besides back_mdb. tls: an authority of its own, ldaps and STARTTLS; a text
    says what its certificate is for.
    provider: another Slapd that this one is a consumer of; then ldif is not loaded.
    syncprov: others can be consumers of this one, and the daemon may ask for changes.
    config_dir: runs from cn=config (made from the same slapd.conf), which then keeps changes.
    """

    def __init__(self, schemas=SCHEMAS, ldif=TREE, access=ACCESS, indexes=None, config="",
                 database="", modules=(), tls=False, provider=None, syncprov=False,
                 config_dir=False, start=True, suffix=SUFFIX):
        self.suffix = suffix
        self.admin = "cn=admin," + suffix
        # Short, because a UNIX socket's path is.
        self.dir = tempfile.mkdtemp(prefix="dictd-ldap-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.socket = self.path("ldapi")
        self.log_path = self.path("log")
        self.port = free_port()
        names = {"server": tls} if isinstance(tls, str) else {}
        self.certificates = Certificates(self.path("tls"), **names) if tls else None
        self.tls_port = free_port() if tls else None
        self.process = None
        self.uses_config_dir = False
        os.mkdir(self.path("db"))
        write(self.log_path, "")
        if indexes is None:
            indexes = PEOPLE_INDEXES if schemas == SCHEMAS else INDEXES
        modules = ["back_mdb", "back_monitor", *modules] + (["syncprov"] if syncprov else [])
        write(self.path("slapd.conf"),
              self._config(schemas, modules, access, indexes, config, database, provider, syncprov),
              0o600)
        try:
            self.load("" if provider else ldif)
            if config_dir:  # slaptest opens the database: it has to be there by now
                os.mkdir(self.path("slapd.d"))
                self._run("slaptest", "-f", self.path("slapd.conf"), "-F", self.path("slapd.d"))
                self.uses_config_dir = True
            if start:
                self.start()
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.dir, name)

    def _config(self, schemas, modules, access, indexes, config, database, provider,
                syncprov):
        lines = ["include %s" % (name if "/" in name else "%s/%s.schema" % (SCHEMA_DIR, name))
                 for name in schemas]
        lines.append("modulepath " + MODULE_DIR)
        lines += ["moduleload " + name for name in modules if self._is_module(name)]
        lines += ["pidfile " + self.path("pid"), "argsfile " + self.path("args"), "threads 4",
                  "sizelimit unlimited",
                  # Who comes by the UNIX socket, or with the client's certificate, by EXTERNAL.
                  'authz-regexp "gidNumber=%d[+]uidNumber=%d,cn=peercred,cn=external,cn=auth" "%s"'
                  % (os.getegid(), os.geteuid(), READER),
                  'authz-regexp "cn=dictd,dc=example,dc=net" "%s"' % READER]
        if self.certificates is not None:
            lines += ["TLSCACertificateFile " + self.certificates.ca,
                      "TLSCertificateFile " + self.certificates.server,
                      "TLSCertificateKeyFile " + self.certificates.server_key,
                      "TLSVerifyClient try"]
        lines += [config, "database config", "rootdn cn=config", "rootpw " + ADMIN_PASSWORD,
                  "database mdb", 'suffix "%s"' % self.suffix, 'rootdn "%s"' % self.admin,
                  "rootpw " + ADMIN_PASSWORD, "directory " + self.path("db"),
                  "maxsize 1073741824", "dbnosync", indexes, access, database]
        if provider is not None:
            lines += ['syncrepl rid=1 provider=%s type=refreshAndPersist retry="1 +" '
                      'searchbase="%s" bindmethod=simple binddn="%s" credentials=%s '
                      'schemachecking=off network-timeout=3 keepalive=2:2:2'
                      % (provider.url, self.suffix, provider.admin, ADMIN_PASSWORD),
                      "updateref " + provider.url]
        if syncprov:
            lines += ["overlay syncprov", "syncprov-checkpoint 100 1", "syncprov-sessionlog 1000"]
        lines += ["database monitor", "access to * by * read"]
        return "\n".join(line for line in lines if line) + "\n"

    @staticmethod
    def _is_module(name):
        """Some are built in: cn=Monitor is, on Debian."""
        return os.path.exists("%s/%s.la" % (MODULE_DIR, name))

    def _run(self, *command, check=True, **options):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd="/", **options)
        if check and done.returncode != 0:
            raise AssertionError("%s: %s" % (command[0], done.stdout.decode("utf-8", "replace")))
        return done.stdout.decode("utf-8", "replace")

    def _configuration(self):
        return ["-F", self.path("slapd.d")] if self.uses_config_dir else [
            "-f", self.path("slapd.conf")]

    # --- its life ---

    def launch(self, debug="none"):
        """debug: slapd's -d, such as "stats" to see the operations in the log."""
        urls = [self.ldapi, self.url] + ([self.ldaps] if self.certificates else [])
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["slapd", "-d", debug, "-h", " ".join(urls), *self._configuration()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")

    def start(self, debug="none"):
        self.launch(debug)
        until(self.is_up, "slapd is up; its log: " + self.log_path, PATIENCE_S)
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("slapd ended:\n" + self.log())
        return subprocess.run(["ldapwhoami", "-x", "-H", self.ldapi], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def log(self, since=0):
        with open(self.log_path, "rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def filters(self, since=0):
        """Of the searches that the log has, when it was started with debug="stats"."""
        return re.findall(r'SRCH base=.*? filter="(.*)"$', self.log(since), re.M)

    def stop(self, how=signal.SIGTERM):
        """SIGTERM: connections are told; SIGKILL: no word."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("slapd did not end on signal %d" % how) from None

    def kill(self):
        self.stop(signal.SIGKILL)

    def freeze(self):
        """It stops; connections are still accepted by the kernel."""
        self.process.send_signal(signal.SIGSTOP)
        until(self._is_stopped, "slapd is stopped")

    def _is_stopped(self):
        with open("/proc/%d/stat" % self.process.pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # --- its contents ---

    def load(self, ldif):
        """Before it is started: slapadd, fast, for large trees."""
        self._run("slapadd", "-q", *self._configuration(), "-b", self.suffix,
                  input=_bytes(ldif))

    def _client(self, program, *arguments, who=None, check=True, ldif=None):
        bind = who or self.admin
        return self._run(program, "-x", "-H", self.ldapi, "-D", bind, "-w",
                         PASSWORD if bind == READER else ADMIN_PASSWORD, *arguments, check=check,
                         input=_bytes(ldif or ""))

    def add(self, ldif, **options):
        """Entries; as the administrator of the tree, or who="cn=config" for that database."""
        return self._client("ldapadd", ldif=ldif, **options)

    def modify(self, ldif, **options):
        """Change records of any kind."""
        return self._client("ldapmodify", ldif=ldif, **options)

    def replace(self, dn, name, *values, **options):
        """Gives an attribute new values; none at all removes it."""
        return self.modify(ldif_line("dn", dn) + "changetype: modify\nreplace: %s\n" % name
                           + "".join(ldif_line(name, value) for value in values), **options)

    def delete(self, *dns, **options):
        return self._client("ldapdelete", *dns, **options)

    def search(self, filter="(objectClass=*)", *attributes, base=None, scope="sub", **options):
        """LDIF without comments and line folding."""
        return self._client("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b",
                            self.suffix if base is None else base, "-s", scope, filter,
                            *attributes, **options)

    def _monitor(self, dn, name):
        text = self.search("(objectClass=*)", name, base=dn, scope="base")
        return int(re.search(r"^%s: (\d+)$" % name, text, re.M).group(1))

    def connections(self):
        """How many there are now, without the one that asks."""
        return self._monitor("cn=Current,cn=Connections,cn=Monitor", "monitorCounter") - 1

    def connections_made(self):
        """Since it was started; those that the helper itself makes count too."""
        return self._monitor("cn=Total,cn=Connections,cn=Monitor", "monitorCounter")

    def searches(self):
        """How many were completed; the one that asks is not yet."""
        return self._monitor("cn=Search,cn=Operations,cn=Monitor", "monitorOpCompleted")

    def csn(self):
        """The state that replication compares."""
        text = self.search("(objectClass=*)", "contextCSN", scope="base", check=False)
        return re.findall(r"^contextCSN: (\S+)$", text, re.M)

    def wait_synced(self, provider):
        until(lambda: provider.csn() and self.csn() == provider.csn(),
              "the consumer has caught up", PATIENCE_S)

    # --- map files ---

    @property
    def ldapi(self):
        return "ldapi://" + urllib.parse.quote(self.socket, safe="")

    @property
    def url(self):
        return "ldap://127.0.0.1:%d" % self.port

    @property
    def ldaps(self):
        return "ldaps://127.0.0.1:%d" % self.tls_port

    def map_text(self, query_filter=QUERY_FILTER, **parameters):
        """A file of ldap_table(5); a parameter that is None is left out."""
        values = {"server_host": self.url, "search_base": self.suffix, "version": "3",
                  "bind": "yes", "bind_dn": READER, "bind_pw": PASSWORD,
                  "query_filter": query_filter, "result_attribute": "uid",
                  "special_result_attribute": "member"}
        values.update(parameters)
        return "".join("%s = %s\n" % (name, value) for name, value in values.items()
                       if value is not None)

    def map_file(self, path, query_filter=QUERY_FILTER, **parameters):
        return settled(write(path, self.map_text(query_filter, **parameters), 0o600))


def keys_in(filter):
    """How many keys a search is for: where the map's filter names no attribute twice, as often as
    the one that the filter has most often."""
    counts = collections.Counter(re.findall(r"\((\w+)=(?!\*\))", filter))
    return max(counts.values(), default=0)


def _bytes(text):
    return text.encode("utf-8") if isinstance(text, str) else bytes(text)


def settled(path):
    """Postfix reads a file again and again until it is more than a second old, and so waits."""
    past = time.time() - 10
    os.utime(path, (past, past))
    return path


def pair(**options):
    """A provider and a consumer that has caught up; close both."""
    provider = Slapd(syncprov=True, **options)
    try:
        consumer = Slapd(provider=provider, syncprov=True, **options)
    except BaseException:
        provider.close()
        raise
    try:
        consumer.wait_synced(provider)
    except BaseException:
        consumer.close()
        provider.close()
        raise
    return provider, consumer


def postmap_query(map_file, key, kind="ldap", **options):
    """Postfix's own client: (exit status, value, what it says)."""
    done = subprocess.run(["postmap", "-q", key, "%s:%s" % (kind, map_file)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S,
                          **options)
    return (done.returncode, done.stdout.decode("utf-8").rstrip("\n"),
            done.stderr.decode("utf-8", "replace"))


def postmap_all(map_file, keys, kind="ldap"):
    """The same for many keys in one go: {key: value} of those that are found. Any failure, and
    any warning, is an AssertionError."""
    done = subprocess.run(["postmap", "-q", "-", "%s:%s" % (kind, map_file)],
                          input="".join(key + "\n" for key in keys).encode("utf-8"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
    if done.stderr or done.returncode not in (0, 1):
        raise AssertionError("postmap: %s" % done.stderr.decode("utf-8", "replace"))
    return dict(line.split("\t", 1) for line in done.stdout.decode("utf-8").splitlines())
