"""A TCP proxy in front of a real PostgreSQL that a test can make misbehave.

It knows of the protocol only where messages begin: what the server says has to be
unencrypted (sslmode=disable, as in Proxy.uri).
"""

import select
import socket
import struct
import threading

from daemon import free_port
from pg import DATABASE, PASSWORD, ROLE


FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
DYING = b"E" + struct.pack("!I", 4 + len(FIELDS)) + FIELDS


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", proxy.server_port))
        self.from_client = 0   # bytes
        self.pending = b""     # of a message of the server's that is not complete
        self.ready = 0         # how many ReadyForQuery went to the client
        self.over = False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while not self.over:
                readable, _, _ = select.select([self.client, self.server], [], [], 0.05)
                if self.client in readable and not self.take_from_client():
                    break
                if self.server in readable and not self.take_from_server():
                    break
        except OSError:
            pass
        self.close()

    def take_from_client(self):
        data = self.client.recv(1 << 16)
        self.from_client += len(data)
        self.server.sendall(data)
        return bool(data)

    def take_from_server(self):
        data = self.server.recv(1 << 16)
        self.pending += data
        while len(self.pending) >= 5:
            size = 1 + struct.unpack("!I", self.pending[1:5])[0]
            if len(self.pending) < size:
                break
            message, self.pending = self.pending[:size], self.pending[size:]
            if self.proxy.silent:
                continue
            if message[:1] == b"Z" and self.ready + 1 == self.proxy.dies_before:
                self.client.sendall(DYING)
                return False
            self.client.sendall(message)
            self.ready += message[:1] == b"Z"
            if self.ready == self.proxy.closes_after:
                return False
        return bool(data)

    def close(self):
        """For good, on both sides."""
        self.over = True
        for one in (self.client, self.server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


class Proxy:
    """closes_after: a connection is closed behind that many ReadyForQuery; the first one ends
    the log-in. dies_before: in the place of that one it says that it is being ended, and is.
    silent: what the server says does not arrive."""

    def __init__(self, server_port, listens=True):
        self.server_port = server_port
        self.port = free_port()
        self.closes_after = None
        self.dies_before = None
        self.silent = False
        self.links = []
        self.listener = None
        if listens:
            self.listen()

    @property
    def uri(self):
        return "postgresql://%s:%s@127.0.0.1:%d/%s?sslmode=disable&connect_timeout=20" % (
            ROLE, PASSWORD, self.port, DATABASE)

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                self.links.append(Link(self, client))
            except OSError:
                client.close()

    def refuse(self):
        """No new connections."""
        listener, self.listener = self.listener, None
        if listener is not None:
            try:
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            except OSError:
                pass
            listener.close()

    def open_links(self):
        return [link for link in self.links if not link.over]

    def close(self):
        self.refuse()
        for link in self.links:
            link.close()
