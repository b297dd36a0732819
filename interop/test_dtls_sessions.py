"""What lasts over a DTLS handshake with other people's implementations: resumption, connection IDs over changes of
address, fragments, identities of any bytes, long chains; and who is refused."""

import dataclasses
import itertools
import re

import pytest

from support.dtls import ALL, Dunlin, GnuTls, Link, MbedTls, OpenSsl, Scandium, TinyDtls, exchange, other
from support.proxy import Proxy

ROLES = ("client", "server")
SHORT = {"C0A8": "psk", "C037": "psk", "C0AE": "rpk", "C02B": "x509", "C023": "x509"}


def pairs(peer, link, role):
    """(kind of the server, kind of the client) when we have this role."""
    return (peer, Dunlin) if role == "client" else (Dunlin, peer)


def cases(peers_of_it, links):
    """Every (peer, link, our role) that the peer can."""
    found = []
    for peer, link, role in itertools.product(peers_of_it, links, ROLES):
        if peer.lacks(other(role), link) is None:
            text = "-".join((peer.name.replace(" ", ""), link.suite, link.auth, f"we-{role}"))
            if link.server_cid is not None:
                text += f"-cid-{link.client_cid}-{link.server_cid}"
            found.append(pytest.param(peer, link, role, id=text))
    return found


def handshakes(process, pattern):
    return sum(1 for line in process.lines if re.search(pattern, line))


# --- resumption by session id


def resumable():
    return [Link(suite, auth) for suite, auth in SHORT.items()]


@pytest.mark.feature("resumption by session id")
@pytest.mark.parametrize("peer, link, role", cases((MbedTls, Scandium), resumable()))
def test_resumption(ends, dtls_keys, peer, link, role):
    server_kind, client_kind = pairs(peer, link, role)
    server = ends(server_kind.server(link, dtls_keys))
    client = ends(client_kind.client(link, dtls_keys, server.port))
    exchange(client, server, "in the full handshake's session")
    client.resume()
    exchange(client, server, "in the same session again")
    ours = client if role == "client" else server
    assert handshakes(ours.process, "^connected resumed=false") == 1
    assert handshakes(ours.process, "^connected resumed=true") == 1


@pytest.mark.feature("resumption by session id", peer=OpenSsl, role="server")
@pytest.mark.parametrize("link", [link for link in resumable() if link.auth != "rpk"], ids=lambda link: link.suite)
def test_resumption_by_openssl_client(ends, dtls_keys, tmp_path, link):
    server = ends(Dunlin.server(link, dtls_keys))
    first = ends(OpenSsl.client(link, dtls_keys, server.port, "-sess_out", tmp_path / "session"))
    exchange(first, server, "first")
    first.process.say("Q")
    server.process.wait_line("^closed")
    second = ends(OpenSsl.client(link, dtls_keys, server.port, "-sess_in", tmp_path / "session"))
    second.process.wait_line("^Reused, ")
    exchange(second, server, "second")
    server.process.wait_line("^connected resumed=true")


@pytest.mark.feature("resumption by session id", peer=OpenSsl, role="client")
@pytest.mark.parametrize("link", resumable(), ids=lambda link: link.suite)
def test_resumption_at_openssl_server(ends, dtls_keys, link):
    if OpenSsl.lacks("server", link):
        link = Link(link.suite, "x509")
    server = ends(OpenSsl.server(link, dtls_keys))
    client = ends(Dunlin.client(link, dtls_keys, server.port))
    exchange(client, server, "first")
    client.resume()
    client.process.wait_line("^connected resumed=true")
    exchange(client, server, "second")


@pytest.mark.feature("resumption by session id", peer=GnuTls, role="server")
@pytest.mark.parametrize(
    "link", [link for link in resumable() if not GnuTls.lacks("client", link)], ids=lambda link: link.suite
)
def test_resumption_by_gnutls_client(ends, dtls_keys, link):
    server = ends(Dunlin.server(link, dtls_keys))
    client = ends(GnuTls.client(link, dtls_keys, server.port, "--resume"))
    client.process.wait_line("This is a resumed session")
    exchange(client, server, "resumed")
    server.process.wait_line("^connected resumed=true")


@pytest.mark.feature("resumption by session id", peer=GnuTls, role="client")
@pytest.mark.parametrize("link", resumable(), ids=lambda link: link.suite)
def test_resumption_at_gnutls_server(ends, dtls_keys, link):
    server = ends(GnuTls.server(link, dtls_keys))
    client = ends(Dunlin.client(link, dtls_keys, server.port))
    exchange(client, server, "first")
    client.resume()
    client.process.wait_line("^connected resumed=true")
    exchange(client, server, "second")


# --- connection IDs over a change of address


@pytest.fixture
def proxies():
    started = []

    def start(port):
        started.append(Proxy(port))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


def movable():
    for (suite, auth), (client, server) in itertools.product(SHORT.items(), ((0, 8), (8, 1), (1, 32))):
        yield Link(suite, auth, client, server)


@pytest.mark.feature("the client changes its address three times, connection ID, no handshake")
@pytest.mark.parametrize("peer, link, role", cases((MbedTls, Scandium), movable()))
def test_change_of_address(ends, proxies, dtls_keys, peer, link, role):
    server_kind, client_kind = pairs(peer, link, role)
    server = ends(server_kind.server(link, dtls_keys))
    nat = proxies(server.port)
    client = ends(client_kind.client(link, dtls_keys, nat.port))
    exchange(client, server, "from the first port")
    before = nat.outside_ports()
    for round in range(3):
        nat.rebind()
        text = f"from another port {round}"
        _, at_server = exchange(client, server, text)
        assert [int(at_server["from"])] == nat.outside_ports() != before
    # one handshake: its ClientHellos are the only ones that passed
    assert nat.client_hellos() == 2
    # and what the client sent in the session carried the server's connection ID (RFC 9146 §4)
    last = [first for way, _, first in nat.seen if way == "up"][-1]
    assert last[0] == 25


@pytest.mark.feature("our client goes on from stored bytes and another address, no handshake", role="client")
@pytest.mark.parametrize("peer", (MbedTls, Scandium), ids=lambda peer: peer.name)
@pytest.mark.parametrize("suite", ("C0A8", "C02B"))
def test_sleep_without_handshake(ends, proxies, dtls_keys, peer, suite):
    """The association goes through bytes in the device and on from another port."""
    link = Link(suite, SHORT[suite], 0, 8)
    server = ends(peer.server(link, dtls_keys))
    client = ends(Dunlin.client(link, dtls_keys, server.port))
    exchange(client, server, "before")
    client.process.say("sleep")
    client.process.wait_line("^awake")
    exchange(client, server, "after")
    assert handshakes(client.process, "^connected") == 1


# --- fragments


@pytest.mark.feature("handshakes in datagrams of 256, 512 and 1280 bytes, chains of 5 kB")
@pytest.mark.parametrize("mtu", (256, 512, 1280))
@pytest.mark.parametrize("peer, link, role", cases((MbedTls, Scandium, OpenSsl, GnuTls), [
    Link("C0A8", "psk"), Link("C0AE", "rpk"), Link("C02B", "x509", chain="long")]))  # fmt: skip
def test_small_datagrams(ends, proxies, dtls_keys, peer, link, role, mtu):
    """Handshake messages in fragments from both sides, certificates of 5 kB among them."""
    link = Link(link.suite, link.auth, chain=link.chain, mtu=mtu)
    server_kind, client_kind = pairs(peer, link, role)
    server = ends(server_kind.server(link, dtls_keys))
    nat = proxies(server.port)
    client = ends(client_kind.client(link, dtls_keys, nat.port))
    exchange(client, server, "whole again")
    way = "up" if role == "client" else "down"
    ours = [length for direction, length, _ in nat.seen if direction == way]
    assert max(ours) <= mtu
    if link.chain == "long" and mtu == 256:
        assert len(ours) > 20


# --- identities


IDENTITIES = {
    "nul": b"dev\0ice",
    "no-text": b"\xff\xfe\x80 \xc3",
    "umlaut": "gerät-1".encode(),
    "128-bytes": bytes(range(1, 129)),
    "one-byte": b"\0",
}


@pytest.mark.feature("PSK identities beyond ASCII: with NUL, no text, of 128 bytes where the peer can be told such")
@pytest.mark.parametrize("name", IDENTITIES)
@pytest.mark.parametrize("peer, link, role", cases((MbedTls, Scandium, TinyDtls, OpenSsl, GnuTls), [Link("C0A8", "psk")]))
def test_psk_identity(ends, dtls_keys, peer, link, role, name):
    link = Link("C0A8", "psk", identity=IDENTITIES[name])
    server_kind, client_kind = pairs(peer, link, role)
    server = ends(server_kind.server(link, dtls_keys))
    client = ends(client_kind.client(link, dtls_keys, server.port))
    exchange(client, server, "by its bytes")
    if role == "server":
        server.process.wait_line(f"^connected .*peer=psk:{link.identity.hex()}$")


def applies(_, arguments):
    """Leaves out what a peer cannot be told."""
    if "name" in arguments and "peer" in arguments and "role" in arguments:
        link = Link("C0A8", "psk", identity=IDENTITIES[arguments["name"]])
        return arguments["peer"].lacks(other(arguments["role"]), link) is None
    return True


# --- who is refused


@pytest.mark.feature("wrong key or unknown identity refused", role="server")
@pytest.mark.parametrize("change", ("wrong key", "unknown identity"))
@pytest.mark.parametrize("peer", ALL.values(), ids=ALL)
def test_stranger_with_psk_is_refused(ends, dtls_keys, peer, change):
    good = Link("C0A8", "psk")
    bad = Link("C0A8", "psk", **({"key": bytes(16)} if change == "wrong key" else {"identity": b"device-2"}))
    server = ends(Dunlin.server(good, dtls_keys))
    stranger = ends(peer.client(bad, dtls_keys, server.port))
    stranger.begin()
    stranger.refused()
    client = ends(peer.client(good, dtls_keys, server.port))
    exchange(client, server, "the right one goes on")
    assert handshakes(server.process, "^connected") == 1
    assert handshakes(server.process, "^data") == 1


STRANGERS = cases((MbedTls, Scandium, OpenSsl, GnuTls), [Link("C0AE", "rpk"), Link("C0AE", "x509")])


@pytest.mark.feature("raw public key or certificate of a stranger refused")
@pytest.mark.parametrize("peer, link, role", STRANGERS)
def test_stranger_with_key_is_refused(ends, dtls_keys, peer, link, role):
    """A client that shows another key, or a chain of another root, to our server; a server that does so to our client."""
    bad = dataclasses.replace(link, stranger=other(role))
    server_kind, client_kind = pairs(peer, link, role)
    server = ends(server_kind.server(link if role == "server" else bad, dtls_keys))
    if role == "client":
        client = ends(Dunlin.client(link, dtls_keys, server.port))
        client.process.wait_line(r"^closed AlertSent\(")
        assert handshakes(client.process, "^connected") == 0
    else:
        stranger = ends(peer.client(bad, dtls_keys, server.port))
        stranger.begin()
        stranger.refused()
        good = ends(peer.client(link, dtls_keys, server.port))
        exchange(good, server, "the right one goes on")
        assert handshakes(server.process, "^connected") == 1
