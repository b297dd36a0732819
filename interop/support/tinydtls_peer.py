"""tinydtls over UDP (through PyPI's DTLSSocket), driven by lines on stdin; what happens goes to stdout.

    tinydtls_peer.py server|client HOST:PORT KEY=VALUE...   the server answers what it receives with the same bytes
        psk-identity=HEX psk=HEX
    send TEXT | close
"""

import select
import socket
import sys

from DTLSSocket import dtls

CONNECTED = 0x1DE
# the library only compares addresses, and knows IPv6 alone: the port is all that differs here
HOST = "::1"


class Peer:
    def __init__(self, role, address, options):
        host, port = address.rsplit(":", 1)
        self.server = role == "server"
        self.remote = (host, int(port))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(self.remote if self.server else (host, 0))
        identity, key = (bytes.fromhex(options[k]) for k in ("psk-identity", "psk"))
        self.dtls = dtls.DTLS(
            read=self.read, write=self.write, event=self.event, pskId=identity, pskStore={identity: key}
        )
        self.session = None
        self.echo = []
        if self.server:
            self.say("listening", self.socket.getsockname()[1])
        else:
            self.session = self.dtls.connect(HOST, self.remote[1])

    def say(self, *words):
        print(*words, flush=True)

    def write(self, address, data):
        self.socket.sendto(data, (self.remote[0], address[1]))
        return len(data)

    def read(self, address, data):
        self.say(f"data suite=C0A8 in=- out=- from={address[1]} text={data.decode().strip()}")
        if self.server:
            self.echo.append((address[1], data))  # not from within the library's own call
        return len(data)

    def event(self, level, code):
        if code == CONNECTED:
            self.say("connected suite=C0A8 in=- out=-")
        elif level:
            self.say(f"alert {level} {code}")

    def run(self):
        while True:
            due = self.dtls.checkRetransmit() / 1000
            waiting = [self.socket] if self.server else [self.socket, sys.stdin]
            ready, _, _ = select.select(waiting, [], [], 0.2 if due else None)
            if self.socket in ready:
                data, (_, port) = self.socket.recvfrom(2048)
                self.dtls.handleMessageAddr(HOST, port, data)
                for to, text in self.echo:
                    self.dtls.write(dtls.Session(HOST, to, 0, 0), text)
                self.echo.clear()
            if sys.stdin in ready:
                word, _, rest = sys.stdin.readline().rstrip("\n").partition(" ")
                if word == "send":
                    self.dtls.write(self.session, (rest + "\n").encode())
                else:
                    self.dtls.close(self.session)
                    self.say("closed")
                    return


Peer(sys.argv[1], sys.argv[2], dict(a.split("=", 1) for a in sys.argv[3:])).run()
