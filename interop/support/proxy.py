"""A NAT on loopback: relays datagrams between clients and one server, and can give its clients new addresses."""

import select
import socket
import threading


class Proxy:
    def __init__(self, server_port):
        self.server = ("127.0.0.1", server_port)
        self.inside = self._socket()
        self.port = self.inside.getsockname()[1]
        self._outside = {}  # client address -> the socket by which the server knows it
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self.seen = []  # ("up" or "down", length, first bytes) of every datagram relayed
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._running = True
        self._thread.start()

    @staticmethod
    def _socket():
        new = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        new.bind(("127.0.0.1", 0))
        return new

    def outside_ports(self):
        with self._lock:
            return [s.getsockname()[1] for s in self._outside.values()]

    def client_hellos(self):
        return sum(1 for way, _, first in self.seen if way == "up" and first[0] == 22 and first[13] == 1)

    def rebind(self):
        """From now on the clients come from other ports; what the server sends to the old ones is lost."""
        with self._lock:
            for client, old in list(self._outside.items()):
                self._outside[client] = self._socket()
                old.close()
        self._wake.send(b"x")

    def _run(self):
        while self._running:
            with self._lock:
                sockets = {self.inside: None, self._woken: None, **{s: c for c, s in self._outside.items()}}
            try:
                ready, _, _ = select.select(list(sockets), [], [], 1)
            except (OSError, ValueError):  # one was closed meanwhile
                continue
            for one in ready:
                if one is self._woken:
                    self._woken.recv(64)
                    continue
                try:
                    data, address = one.recvfrom(65536)
                except OSError:
                    continue
                with self._lock:
                    if one is self.inside:
                        out = self._outside.setdefault(address, None) or self._socket()
                        self._outside[address] = out
                        self.seen.append(("up", len(data), data[:48]))
                        out.sendto(data, self.server)
                    else:
                        self.seen.append(("down", len(data), data[:48]))
                        self.inside.sendto(data, sockets[one])

    def stop(self):
        self._running = False
        self._wake.send(b"x")
        self._thread.join(2)
        for one in (self.inside, self._wake, self._woken, *self._outside.values()):
            one.close()
