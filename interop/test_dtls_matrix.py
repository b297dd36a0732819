"""Our DTLS against DTLS that other people wrote: every suite, both roles, every length of connection IDs."""

import itertools

import pytest

from support.dtls_coap import LIBCOAP
from support.dtls import ALL, SUITES, Dunlin, Link, exchange, other

CIDS = (None, 0, 1, 8, 32)


def links():
    for suite, (kind, *_) in SUITES.items():
        for auth in ("psk",) if kind == "psk" else ("rpk", "x509"):
            yield Link(suite, auth)


def matrix():
    """Every combination that exists."""
    for name, peer in ALL.items():
        for link, role in itertools.product(links(), ("client", "server")):
            for ours, theirs in itertools.product(CIDS, peer.cids()):
                if role == "server" and ours == 0:
                    continue  # a server that wants none does not answer the extension
                cids = (ours, theirs) if role == "client" else (theirs, ours)
                full = Link(link.suite, link.auth, *cids)
                if peer.lacks(other(role), full) is None:
                    text = f"{name}-{link.suite}-{link.auth}-we-{role}-cid-{ours}-{theirs}"
                    yield pytest.param(peer, full, role, id=text.replace("None", "none").replace(" ", ""))


def connect(ends, peer, link, role, keys):
    server_kind, client_kind = (peer, Dunlin) if role == "client" else (Dunlin, peer)
    server = ends(server_kind.server(link, keys))
    client = ends(client_kind.client(link, keys, server.port))
    return client, server


def check(told, link, role):
    """What a peer says of the association."""
    if "suite" in told:
        assert told["suite"] == link.suite, told
    if "ems" in told:
        assert told["ems"] == "true", told
    if "in" in told:
        negotiated = link.client_cid is not None and link.server_cid is not None
        expected = (link.cid(role), link.cid(other(role))) if negotiated else ("-", "-")
        if told["in"] == told["out"] == "-" and expected == (0, 0):
            return  # Mbed TLS calls two empty ones none
        assert (told["in"], told["out"]) == tuple(map(str, expected)), told


@pytest.mark.parametrize("peer, link, role", list(matrix()))
def test_matrix(ends, dtls_keys, peer, link, role):
    client, server = connect(ends, peer, link, role, dtls_keys)
    at_client, at_server = exchange(client, server, "over the first record")
    check(at_client if role == "server" else at_server, link, other(role))
    exchange(client, server, "and a second one")


# --- CoAP tools over DTLS

# Non-confirmable GET of the root with token ab; 2.05 with a text for the token t (coap-client adds one to what it is told)
GET = bytes.fromhex("51011234ab")
CONTENT = bytes.fromhex("51454321") + b"t\xffover DTLS"


def libcoap():
    found = []
    for peer, link, role, cid in itertools.product(LIBCOAP, links(), ("client", "server"), (None, 8)):
        full = Link(link.suite, link.auth, *((cid, None) if role == "client" else (None, cid)), key=b"0123456789abcdef")
        if peer.lacks(other(role), full) is None:
            name = f"{peer.name}-{link.suite}-{link.auth}-we-{role}-cid-{cid}"
            found.append(pytest.param(peer, full, role, id=name.replace(" ", "-")))
    return found


@pytest.mark.parametrize("peer, link, role", libcoap())
def test_coap_tool(ends, dtls_keys, peer, link, role):
    if role == "server":
        server = ends(Dunlin.server(link, dtls_keys, f"answer={CONTENT.hex()}"))
        client = ends(peer.client(link, dtls_keys, server.port, "-N", "-T", "s", "-w"))
        client.process.wait_line("^over DTLS$")
    else:
        server = ends(peer.server(link, dtls_keys))
        client = ends(Dunlin.client(link, dtls_keys, server.port))
        client.process.say(f"hex {GET.hex()}")
        client.process.wait_line("^data .*hex=5145....ab")
