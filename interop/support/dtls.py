"""DTLS implementations with one face: a server that answers what it receives, and a client that sends lines.

Those that we drive through a program of ours (Dunlin, Mbed TLS, Scandium, tinydtls) share its words; OpenSSL and GnuTLS
are their own command line tools. `Peer.lacks` says by name what one does not have: what is left out of the matrix.
"""

import dataclasses
import functools
import itertools
import os
import re
import shutil
import subprocess
import sys

import pytest

from . import peers
from .process import PEERS, ROOT, Process, free_port

# number on the wire -> names, and what authenticates
SUITES = {
    "C0A8": ("psk", "PSK-AES128-CCM8", "+AES-128-CCM-8:+AEAD:+PSK", "PSK_WITH_AES_128_CCM_8"),
    "00AE": ("psk", "PSK-AES128-CBC-SHA256", "+AES-128-CBC:+SHA256:+PSK", "PSK_WITH_AES_128_CBC_SHA256"),
    "C037": (
        "psk",
        "ECDHE-PSK-AES128-CBC-SHA256",
        "+AES-128-CBC:+SHA256:+ECDHE-PSK",
        "ECDHE_PSK_WITH_AES_128_CBC_SHA256",
    ),
    "C0AE": (
        "ecdsa",
        "ECDHE-ECDSA-AES128-CCM8",
        "+AES-128-CCM-8:+AEAD:+ECDHE-ECDSA",
        "ECDHE_ECDSA_WITH_AES_128_CCM_8",
    ),
    "C023": (
        "ecdsa",
        "ECDHE-ECDSA-AES128-SHA256",
        "+AES-128-CBC:+SHA256:+ECDHE-ECDSA",
        "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    ),
    "C02B": (
        "ecdsa",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "+AES-128-GCM:+AEAD:+ECDHE-ECDSA",
        "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
}
CBC = ("00AE", "C037", "C023")
KEY = bytes(range(0x10, 0x20))


@dataclasses.dataclass(frozen=True)
class Link:
    """An association to be. Lengths of connection IDs: what each side wants to be found by; None does not offer."""

    suite: str
    auth: str  # psk, rpk, x509
    client_cid: int | None = None
    server_cid: int | None = None
    identity: bytes = b"device-1"
    key: bytes = KEY
    chain: str = "short"
    mtu: int | None = None
    stranger: str | None = None  # the role that shows other keys than it should

    def who(self, role):
        """Whose keys this side has."""
        return "stranger" if self.stranger == role else role

    def cid(self, role):
        return self.client_cid if role == "client" else self.server_cid


def words(link, role, keys, mtu=None):
    """The options that the programs of ours share."""
    options = [f"suite={link.suite}"]
    if link.auth == "psk":
        options += [f"psk-identity={link.identity.hex()}", f"psk={link.key.hex()}"]
    else:
        options += [f"key={keys.path(link.who(role) + '.key.pem')}"]
    if link.auth == "x509":
        options += [f"certificate={keys.path(f'{link.who(role)}.{link.chain}.pem')}", f"trust={keys.path('root.pem')}"]
    if link.cid(role) is not None:
        options += [f"cid={link.cid(role)}"]
    if mtu or link.mtu:
        options += [f"mtu={mtu or link.mtu}"]
    return options


def is_text(identity):
    """Whether it can be an argument of a command."""
    try:
        return identity != b"" and "\0" not in identity.decode()
    except UnicodeDecodeError:
        return False


def other(role):
    return {"client": "server", "server": "client"}[role]


class End:
    """One side of an association."""

    refusal = "^(failed|closed|alert)"
    ready = None  # what it prints when it can send; None: it keeps what it is told before

    def __init__(self, process):
        self.process = process

    def send(self, text):
        if self.ready:
            self.process.wait_line(self.ready, 10)
        self.process.say(f"send {text}")

    def received(self, text, timeout=10):
        """Waits until the text came; what the peer says of the association then, if it does."""
        found = self.process.wait_line(rf"data (.*)text={re.escape(text)}$", timeout)
        return dict(pair.split("=", 1) for pair in found[1].split() if "=" in pair)

    def answer(self, text):
        """For servers that do not answer by themselves."""
        return self.received(text)

    def begin(self):
        """For clients that begin with their first message: sends one that will not arrive."""

    def refused(self):
        """Waits until a client knows that it is refused."""
        self.process.wait_line(self.refusal, 15)

    def resume(self):
        self.process.say("resume")

    def stop(self):
        self.process.stop()


class Peer:
    name = None
    programs = ()
    resumes = True

    @classmethod
    def version(cls):
        raise NotImplementedError

    @classmethod
    def lacks(cls, role, link):
        """What this peer would need and does not have, by name; None when it can."""
        return None

    @classmethod
    def cids(cls):
        """The lengths it can be told to be found by."""
        return (None,)


class Dunlin(Peer):
    name = "Dunlin"

    @classmethod
    def program(cls):
        path = os.environ.get("DUNLIN_DTLS_PEER") or peers.dunlin().parent / "examples" / "peer"
        if not os.access(path, os.X_OK):
            pytest.fail(
                f"no program at {path}: build it (cargo build --release -p dunlin-dtls --example peer)", pytrace=False
            )
        return path

    @classmethod
    def _options(cls, link, role, keys, more):
        options = words(link, role, keys) + list(more)
        if link.auth == "rpk":
            options += [f"peer={keys.path(other(role) + '.spki')}"]
        return options

    @classmethod
    def server(cls, link, keys, *more):
        process = Process("dtls-dunlin-server", [cls.program(), "server", "127.0.0.1:0", *cls._options(link, "server", keys, more)])
        end = End(process)
        end.port = int(process.wait_line(r"listening (\d+)")[1])
        return end

    @classmethod
    def client(cls, link, keys, port, *more):
        return End(
            Process("dtls-dunlin-client", [cls.program(), "client", f"127.0.0.1:{port}", *cls._options(link, "client", keys, more)])
        )


class MbedTls(Peer):
    name = "Mbed TLS"

    @classmethod
    def version(cls):
        return (PEERS / "mbedtls" / "version").read_text().strip()

    @classmethod
    def lacks(cls, role, link):
        return "raw public keys (RFC 7250)" if link.auth == "rpk" else None

    @classmethod
    def cids(cls):
        return (None, 0, 1, 8, 32)

    @classmethod
    def _start(cls, role, address, link, keys, more):
        program = PEERS / "mbedtls" / "peer"
        return Process(f"dtls-mbedtls-{role}", [program, role, address, *words(link, role, keys), *more])

    @classmethod
    def server(cls, link, keys, *more):
        process = cls._start("server", "127.0.0.1:0", link, keys, more)
        end = End(process)
        end.port = int(process.wait_line(r"listening (\d+)")[1])
        return end

    @classmethod
    def client(cls, link, keys, port, *more):
        return End(cls._start("client", f"127.0.0.1:{port}", link, keys, more))


class TinyDtls(Peer):
    name = "tinydtls"
    resumes = False

    @classmethod
    def version(cls):
        import importlib.metadata

        return f"in DTLSSocket {importlib.metadata.version('DTLSSocket')}"

    @classmethod
    def lacks(cls, role, link):
        if link.auth == "x509":
            return "certificates"
        if link.auth == "rpk":
            return "raw public keys in its Python binding"
        if link.suite != "C0A8":
            return f"suite {link.suite}"
        if len(link.identity) > 32:
            return "PSK identities of more than 32 bytes"
        if role == "client" and b"\0" in link.identity:
            return "PSK identities with a NUL in its Python binding's client"
        return None

    @classmethod
    def _start(cls, role, address, link, keys):
        options = [o for o in words(link, role, keys) if o.startswith("psk")]
        return Process(
            f"dtls-tinydtls-{role}", [sys.executable, ROOT / "support" / "tinydtls_peer.py", role, address, *options]
        )

    @classmethod
    def server(cls, link, keys):
        process = cls._start("server", "127.0.0.1:0", link, keys)
        end = End(process)
        end.port = int(process.wait_line(r"listening (\d+)")[1])
        return end

    @classmethod
    def client(cls, link, keys, port):
        end = End(cls._start("client", f"127.0.0.1:{port}", link, keys))
        end.ready = "^connected"
        return end


class ScandiumEnd(End):
    def __init__(self, java, identifier):
        super().__init__(java)
        self.id = identifier
        self.start = len(java.lines)

    def send(self, text):
        self.process.say(f"send {self.id} {text}")

    def received(self, text, timeout=10):
        found = self.process.wait_line(rf"^{self.id} data (.*)text={re.escape(text)}$", timeout, self.start)
        return dict(pair.split("=", 1) for pair in found[1].split() if "=" in pair)

    def said(self, pattern, timeout=10):
        return self.process.wait_line(rf"^{self.id} {pattern}", timeout, self.start)

    def begin(self):
        self.send("not to be delivered")

    def refused(self):
        self.said("(failed|not-sent)", 15)

    def resume(self):
        self.process.say(f"resume {self.id}")
        self.said("resuming")

    def stop(self):
        self.process.say(f"close {self.id}")


class Scandium(Peer):
    name = "Scandium"
    _java = None
    _ids = itertools.count(1)

    @classmethod
    def version(cls):
        [jar] = (PEERS / "leshan").glob("scandium-*.jar")
        return jar.stem.removeprefix("scandium-")

    @classmethod
    def cids(cls):
        return (None, 0, 1, 8, 32)

    @classmethod
    def _open(cls, role, address, link, keys, mtu):
        if cls._java is None or not cls._java.alive():
            cls._java = Process("dtls-scandium", peers.java("ScandiumPeer"))
            cls._java.wait_line("^ready", 30)
        end = ScandiumEnd(cls._java, f"{role[0]}{next(cls._ids)}")
        options = words(link, role, keys, mtu)
        if link.auth == "rpk":
            options += [f"public={keys.path(link.who(role) + '.pub.pem')}", f"peer={keys.path(other(role) + '.pub.pem')}"]
        cls._java.say(f"open {end.id} {role} {address} {' '.join(options)}")
        end.said("open")
        return end

    @classmethod
    def server(cls, link, keys, mtu=None):
        end = cls._open("server", "127.0.0.1:0", link, keys, mtu)
        end.port = int(end.said(r"listening (\d+)")[1])
        return end

    @classmethod
    def client(cls, link, keys, port, mtu=None):
        return cls._open("client", f"127.0.0.1:{port}", link, keys, mtu)


class PlainEnd(End):
    """A command line tool that prints what it receives and sends what it is typed."""

    refusal = "alert|[Ff]atal error|fatal"

    def __init__(self, process, ready):
        super().__init__(process)
        self.ready = ready

    def send(self, text):
        # what is typed while the handshake lasts is lost on some of them
        self.process.wait_line(self.ready, 10)
        self.process.say(text)

    def received(self, text, timeout=10):
        self.process.wait_line(rf"^(\*\*\* Processing \d+ bytes command: )?{re.escape(text)}$", timeout)
        return {}


class OpensslServer(PlainEnd):
    def answer(self, text):
        self.received(text)
        self.process.say(text)
        return {}


class OpenSsl(Peer):
    name = "OpenSSL"

    @classmethod
    @functools.cache
    def version(cls):
        return subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.split()[1]

    @classmethod
    def lacks(cls, role, link):
        if link.auth == "rpk":
            return "raw public keys before version 3.2"
        if link.auth == "psk" and not is_text(link.identity):
            return "PSK identities that are no text, on the command line"
        return None

    @classmethod
    def _options(cls, role, link, keys):
        options = ["-dtls1_2", "-cipher", f"{SUITES[link.suite][1]}:@SECLEVEL=0"]
        if link.auth == "psk":
            options += ["-psk_identity", link.identity.decode(), "-psk", link.key.hex()]
            options += ["-nocert"] if role == "server" else []
        else:
            chain = keys.path(f"{link.who(role)}.{link.chain}.pem")
            options += ["-cert", chain, "-cert_chain", chain, "-key", keys.path(f"{link.who(role)}.key.pem")]
            options += ["-CAfile", keys.path("root.pem"), "-verify_return_error"]
            options += ["-Verify", "8"] if role == "server" else ["-verify", "8"]
        if link.mtu:
            options += ["-mtu", link.mtu]
        return options

    @classmethod
    def server(cls, link, keys, *more):
        port = free_port()
        process = Process(
            "dtls-openssl-server",
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-listen", "-timeout",
             *cls._options("server", link, keys), *more],
        )  # fmt: skip
        process.wait_line("^ACCEPT")
        end = OpensslServer(process, "^CIPHER is")
        end.port = port
        return end

    @classmethod
    def client(cls, link, keys, port, *more):
        process = Process(
            "dtls-openssl-client",
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-timeout",
             *cls._options("client", link, keys), *more],
        )  # fmt: skip
        return PlainEnd(process, "Extended master secret: yes")


class GnuTls(Peer):
    name = "GnuTLS"

    @classmethod
    @functools.cache
    def version(cls):
        return subprocess.run(["gnutls-cli", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]

    @classmethod
    def lacks(cls, role, link):
        if link.auth == "psk" and not is_text(link.identity):
            return "PSK identities that are no text, on the command line"
        if link.suite == "C037" and role == "client":
            return "a command line client that lives on after a handshake with ECDHE_PSK"
        return None

    @classmethod
    def _options(cls, role, link, keys):
        priority = (
            "NONE:+VERS-DTLS1.2:+COMP-NULL:+SIGN-ECDSA-SHA256:+GROUP-SECP256R1:%NO_TICKETS:" + SUITES[link.suite][2]
        )
        options = []
        if link.auth == "rpk":
            priority += ":+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"
            options += ["--rawpkkeyfile", keys.path(f"{link.who(role)}.key.pem"), "--rawpkfile", keys.path(f"{link.who(role)}.pub.pem")]
        if link.auth == "x509":
            priority += ":+CTYPE-X509"
            options += ["--x509keyfile", keys.path(f"{link.who(role)}.key.pem")]
            options += ["--x509certfile", keys.path(f"{link.who(role)}.{link.chain}.pem"), "--x509cafile", keys.path("root.pem")]
        if link.mtu:
            options += ["--mtu", link.mtu]
        return ["--udp", "--priority", priority, *options]

    @classmethod
    def server(cls, link, keys, *more):
        port = free_port()
        options = cls._options("server", link, keys)
        if link.auth == "psk":
            known = keys.path("gnutls.psk")
            known.write_text(f"{link.identity.decode()}:{link.key.hex()}\n")
            options += ["--pskpasswd", known]
        else:
            options += ["--require-client-cert"]
        if link.auth == "x509":
            options += ["--verify-client-cert"]
        process = Process("dtls-gnutls-server", ["gnutls-serv", "--port", port, "--echo", *options, *more])
        process.wait_line("listening on IPv4")
        end = PlainEnd(process, "")
        end.port = port
        return end

    @classmethod
    def client(cls, link, keys, port, *more):
        options = cls._options("client", link, keys)
        if link.auth == "psk":
            options += ["--pskusername", link.identity.decode(), "--pskkey", link.key.hex()]
        if link.auth == "rpk":
            options += ["--insecure"]  # its tool has no way to be told which key to expect
        if link.auth == "x509":
            options += ["--verify-hostname", "server"]
        process = Process("dtls-gnutls-client", ["gnutls-cli", "-p", port, *options, *more, "127.0.0.1"])
        return PlainEnd(process, "Simple Client Mode")


ALL = {peer.name: peer for peer in (OpenSsl, GnuTls, MbedTls, TinyDtls, Scandium)}


def exchange(client, server, text):
    """One line to the server and back; what each says of the association."""
    client.send(text)
    at_server = server.answer(text)
    return client.received(text), at_server
