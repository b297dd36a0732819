"""CoAP peers that know nothing of LwM2M against a management server: registration, message layer, refusals.

The same requests go to Leshan's server, which shows that they are fair.
"""

import subprocess

import pytest

from support import peers
from support.coap import (
    ACK, BLOCK1, CON, CONTENT_FORMAT, LOCATION_PATH, NON, RST, Message, RawPeer, uint,
)  # fmt: skip
from support.process import wait_until

LINK_FORMAT = (CONTENT_FORMAT, uint(40))
LINKS = b'</>;rt="oma.lwm2m";ct=11542,</1/0>,</3/0>'


@pytest.fixture(scope="module", params=["dunlin", "leshan"])
def server(request, servers):
    return servers.get(request.param)


@pytest.fixture
def peer(server):
    with RawPeer(server.port) as raw:
        yield raw


def many_links(count):
    return ",".join(["</1/0>", "</3/0>", *(f"</3303/{i}>" for i in range(count))]).encode()


def register(peer, endpoint, links=LINKS, query="lt=300&lwm2m=1.1&b=U", **more):
    return peer.request("POST", f"/rd?ep={endpoint}&{query}", [LINK_FORMAT], links, **more)


def location(response):
    assert response.status == "2.01", response
    path = [p.decode() for p in response.all(LOCATION_PATH)]
    assert len(path) == 2 and path[0] == "rd" and path[1], path
    return "/" + "/".join(path)


def test_ping_is_answered_with_reset(server, peer):
    answer = peer.ping()
    assert answer is not None, "no answer to a ping"
    assert answer.code == 0 and answer.token == b"" and not answer.options and not answer.payload


def test_register_update_deregister(server, peer, endpoint):
    with server.events() as events:
        where = location(register(peer, endpoint))
        registration = server.registration(endpoint)
        assert registration["lifetime"] == 300
        assert registration["version"] == "1.1"
        assert registration["objects"] == {1: [0], 3: [0]}
        assert where.endswith("/" + registration["id"])

        answer = peer.request("POST", f"{where}?lt=600")
        assert answer.status == "2.04", answer
        assert server.registration(endpoint)["lifetime"] == 600

        answer = peer.request("POST", where, [LINK_FORMAT], b"</1/0>,</3/0>,</3303/0>,</3303/4>")
        assert answer.status == "2.04"
        assert server.registration(endpoint)["objects"] == {1: [0], 3: [0], 3303: [0, 4]}
        assert server.registration(endpoint)["lifetime"] == 600  # an Update without lt keeps it

        assert peer.request("DELETE", where).status == "2.02"
        assert server.registration(endpoint) is None
        assert peer.request("DELETE", where).status == "4.04"
        assert peer.request("POST", where).status == "4.04"
        for name in ("registration", "update", "deregistration"):
            wanted = events.NAMES[name]
            events.wait(lambda n, d: n == wanted and endpoint in str(d), 10, name)


@pytest.mark.parametrize("token", [b"", b"\x00", b"\x00\x01\x02\x03\x04\x05\x06\x07"], ids=["empty", "one", "eight"])
def test_token_lengths(server, peer, endpoint, token):
    answer = register(peer, endpoint, token=token)
    location(answer)
    assert answer.token == token


def test_non_confirmable_register(server, peer, endpoint):
    answer = register(peer, endpoint, type=NON)
    assert answer.type == NON
    if server.name == "leshan":  # it wants Register confirmable, and says so
        assert answer.status == "4.00"
    else:
        location(answer)


def test_duplicate_is_answered_alike_and_done_once(server, peer, endpoint):
    message = peer.message("POST", f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U", [LINK_FORMAT], LINKS)
    with server.events() as events:
        first = peer.exchange(message)
        number = server.registration(endpoint)["id"]
        for _ in range(3):
            again = peer.exchange(message)
            assert again.encode() == first.encode()
        assert server.registration(endpoint)["id"] == number
        events.wait(lambda n, d: n == events.NAMES["registration"] and endpoint in str(d), 10, "registration")
        seen = [n for n, d, _ in events.all if n == events.NAMES["registration"] and endpoint in str(d)]
        assert len(seen) == 1


@pytest.mark.parametrize("size", [16, 64, 512, 1024])
def test_blockwise_register(server, peer, endpoint, size):
    links = many_links(60 if size == 16 else 250)
    szx = size.bit_length() - 5
    answer, blocks = peer.block1("POST", f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U", links, szx, [LINK_FORMAT])
    location(answer)
    assert blocks > 2
    assert answer.uint(BLOCK1) & 8 == 0
    instances = server.registration(endpoint)["objects"][3303]
    assert instances == list(range(60 if size == 16 else 250))


def test_blockwise_register_restarts(server, peer, endpoint):
    """Block 0 again throws the half-sent body away; a block out of order is refused."""
    path = f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U"
    links = many_links(30)
    part = [LINK_FORMAT, (BLOCK1, uint(0 << 4 | 8 | 2))]
    assert peer.request("POST", path, part, links[:64]).status == "2.31"
    gap = [LINK_FORMAT, (BLOCK1, uint(2 << 4 | 8 | 2))]
    assert peer.request("POST", path, gap, links[128:192]).status == "4.08"
    assert server.registration(endpoint) is None
    answer, _ = peer.block1("POST", path, links, 2, [LINK_FORMAT])
    location(answer)
    assert server.registration(endpoint)["objects"][3303] == list(range(30))


def test_unknown_critical_option(server, peer, endpoint):
    message = peer.message("POST", f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U", [LINK_FORMAT, (65001, b"x")], LINKS)
    assert peer.exchange(message).status == "4.02"
    assert server.registration(endpoint) is None


def test_unknown_critical_option_in_non(server, peer, endpoint):
    """RFC 7252 §5.4.1: rejected, that is not done; the server may stay silent or reset."""
    message = peer.message(
        "POST", f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U", [LINK_FORMAT, (65001, b"x")], LINKS, type=NON
    )
    peer.send(message)
    assert peer.ping() is not None  # so the message before it has been looked at
    assert server.registration(endpoint) is None


def test_unknown_elective_option_is_ignored(server, peer, endpoint):
    message = peer.message("POST", f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U", [LINK_FORMAT, (65002, b"x" * 300)], LINKS)
    location(peer.exchange(message))
    assert server.registration(endpoint)


def test_unknown_paths_and_methods(server, peer):
    assert peer.request("GET", "/nothing/here").status == "4.04"
    assert peer.request("POST", "/rd/no-such-registration").status == "4.04"
    assert peer.request("GET", "/rd").status in ("4.04", "4.05")
    assert peer.request("PUT", "/rd", [], b"x").status in ("4.04", "4.05")


def test_well_known_core(server, peer):
    answer = peer.request("GET", "/.well-known/core")
    assert answer.status in ("2.05", "4.04"), answer
    if answer.status == "2.05":
        assert answer.uint(CONTENT_FORMAT) == 40
        assert b"</rd>" in answer.payload


def test_refused_registrations(server, peer, endpoint):
    assert register(peer, endpoint, query="lt=300&lwm2m=7.3&b=U").status == "4.12"
    # Leshan answers a lifetime that is no number with 5.00
    soon = register(peer, endpoint, query="lt=soon&lwm2m=1.1&b=U")
    assert soon.status == ("5.00" if server.name == "leshan" else "4.00")
    without = peer.request("POST", "/rd?lt=300&lwm2m=1.1&b=U", [LINK_FORMAT], LINKS)
    # Leshan looks for a name in the credentials first, and forbids when there are none
    assert without.status == ("4.03" if server.name == "leshan" else "4.00")
    assert server.registration(endpoint) is None


@pytest.mark.parametrize(
    "name", ["with space", "ünï-cødé", "urn:imei:123456789012345", "a%2Fb", "x" * 120], ids=lambda n: n[:12]
)
def test_endpoint_names(server, peer, name):
    message = peer.message("POST", "/rd?lt=300&lwm2m=1.1&b=U", [LINK_FORMAT, (15, f"ep={name}".encode())], LINKS)
    where = location(peer.exchange(message))
    assert server.registration(name)["endpoint"] == name
    assert peer.request("DELETE", where).status == "2.02"


NOISE = {
    "nothing": "",
    "three bytes": "400102",
    "version 0": "00010001",
    "version 3": "c0010001",
    "token length 9": "490100010102030405060708",
    "token cut off": "44010001ff",
    "reserved class 1": "40200001",
    "reserved class 7": "40e00001",
    "marker without payload": "40010001ff",
    "option nibble 15": "40010001f0",
    "option length cut off": "40010001bd",
    "option value cut off": "40010001b9",
    "empty with token": "4100000101",
    "ack of nothing": "60000001",
    "reset of nothing": "70000001",
    "response to nothing": "60450001ff31",
    "wakaama leak": "4402e6e2e2e68167b2726411",
}


@pytest.mark.parametrize("noise", NOISE, ids=lambda n: n.replace(" ", "-"))
def test_noise_does_no_harm(server, peer, endpoint, noise):
    if noise != "nothing":
        peer.send(bytes.fromhex(NOISE[noise]))
    else:
        peer.socket.sendto(b"", peer.to)
    assert peer.ping() is not None
    location(register(peer, endpoint))


def test_unexpected_confirmable_response_is_reset(server, peer):
    mid = peer.next_mid()
    peer.send(Message(CON, 0x45, mid, b"\xaa\xbb", [], b"95"))
    answer = peer.wait(lambda m: m.mid == mid and m.type in (ACK, RST), 5)
    assert answer is not None and answer.type == RST, answer


# libcoap's command line client


def coap_client(*arguments):
    run = subprocess.run(
        [peers.coap_client(), "-B", "10", "-v", "7", *arguments], capture_output=True, text=True, timeout=30
    )
    return run.stdout + run.stderr


def test_libcoap_registers(server, endpoint):
    uri = f"coap://127.0.0.1:{server.port}/rd?ep={endpoint}&lt=120&lwm2m=1.1&b=U"
    output = coap_client("-m", "post", "-t", "40", "-e", LINKS.decode(), uri)
    assert "2.01" in output and "Location-Path:rd" in output, output
    registration = wait_until(lambda: server.registration(endpoint), 5, "the registration")
    assert registration["lifetime"] == 120
    assert registration["objects"] == {1: [0], 3: [0]}
    where = [part for part in output.split() if part.startswith("Location-Path:")][-1]
    number = where.partition(":")[2].strip(",];")
    assert number == registration["id"]


def test_libcoap_is_refused_an_unknown_registration(server):
    for method in ("post", "delete"):
        assert "4.04" in coap_client("-m", method, f"coap://127.0.0.1:{server.port}/rd/nobody")


@pytest.mark.parametrize("size", [16, 64, 256, 1024])
def test_libcoap_registers_in_blocks(server, endpoint, tmp_path, size):
    count = 40 if size == 16 else 200
    body = tmp_path / "links"
    body.write_bytes(many_links(count))
    uri = f"coap://127.0.0.1:{server.port}/rd?ep={endpoint}&lt=120&lwm2m=1.1&b=U"
    output = coap_client("-m", "post", "-t", "40", "-b", str(size), "-f", str(body), uri)
    assert "2.31" in output and "2.01" in output, output
    registration = wait_until(lambda: server.registration(endpoint), 5, "the registration")
    assert registration["objects"][3303] == list(range(count))


def test_libcoap_is_told_404(server):
    output = coap_client("-m", "get", f"coap://127.0.0.1:{server.port}/nothing")
    assert "4.04" in output, output


def test_libcoap_sends_an_unknown_critical_option(server):
    output = coap_client("-m", "get", "-O", "9999,x", f"coap://127.0.0.1:{server.port}/rd")
    assert "4.02" in output, output


def test_libcoap_asks_for_blocks(server):
    """Early negotiation: the first request already names a block size (RFC 7959 2.4)."""
    uri = f"coap://127.0.0.1:{server.port}/.well-known/core"
    whole = coap_client("-m", "get", "-b", "1024", uri)
    parts = coap_client("-m", "get", "-b", "16", uri)
    assert "2.05" in whole and "Block2:1/" in parts, parts
