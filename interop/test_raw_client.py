"""A device under a management server made of aiocoap, and under a hand-made one: blocks, message layer, refusals.

The Leshan client under the same server shows that the server plays by the rules.
"""

import struct

import aiocoap
import cbor2
import pytest

from conftest import DEVICES
from support import codec
from support.coap import (
    ACCEPT, ACK, BLOCK2, CON, CONTENT_FORMAT, LOCATION_PATH, NON, OBSERVE, RST, URI_PATH, URI_QUERY,
    Message, RawPeer, status_of, uint,
)  # fmt: skip
from support.device import tlv
from support.process import wait_until
from support.server import AiocoapServer

KINDS = ["dunlin", "leshan"]
# where a device takes a long value, and how its arrival shows
LONG = {"dunlin": "/5/0/0", "leshan": "/3/0/15"}


@pytest.fixture(scope="module")
def aio_server(loop):
    running = AiocoapServer(loop)
    yield running
    running.stop()


@pytest.fixture(scope="module", params=KINDS)
def device(request, aio_server):
    """A device registered with the aiocoap server; `ask` sends it a request."""
    endpoint = f"{request.param}-on-aiocoap"
    running = DEVICES[request.param](aio_server.coap, endpoint)
    try:
        running.wait_registered()
        wait_until(lambda: aio_server.registration(endpoint), 20, "the registration")
        running.ask = lambda code, path, payload=b"", **options: aio_server.request(
            code, endpoint, path, payload, **options
        )
        # it has the answer to its Register when it serves
        wait_until(lambda: status_of(running.ask(aiocoap.GET, "/3/0/0")) == "2.05", 20, "a first Read")
        running.observe = lambda path, **options: aio_server.observe(endpoint, path, **options)
        running.registration = lambda: aio_server.registration(endpoint)
        yield running
    finally:
        running.stop()


def get(device, path, accept=None, **options):
    answer = device.ask(aiocoap.GET, path, accept=accept, **options)
    assert status_of(answer) == "2.05", (path, accept, answer, answer.payload)
    if accept is not None:
        assert answer.opt.content_format == accept
    return answer


def set_and_see(device, path, value):
    device.set(path, value)
    wait_until(lambda: float(get(device, path, codec.TEXT).payload) == value, 10, f"{path} to read {value}", step=0.05)


# aiocoap as the server


def test_register_message(device):
    registration = device.registration()
    assert registration.content_format == codec.LINK
    assert registration.query["lwm2m"] in ("1.1", "1.2")
    assert int(registration.query.get("lt", 86400)) > 0
    links = codec.parse_links(registration.links)
    assert not any(target == "/0" or target.startswith("/0/") for target in links)
    for target in ("/1/0", "/3/0", "/3303/0"):
        assert target in links
    root = links.get("/", {})
    assert root.get("rt", "oma.lwm2m") == "oma.lwm2m"


def test_update_message(device):
    before = len(device.registration().updates)
    device.update()
    wait_until(lambda: len(device.registration().updates) > before, 10, "an Update")
    query, payload = device.registration().updates[-1]
    assert "ep" not in query and "lwm2m" not in query
    if payload:
        codec.parse_links(payload)


@pytest.mark.parametrize("path", ["/3303/0", "/3303", "/3/0", "/1/0"])
def test_payloads_agree_on_the_wire(device, path):
    """SenML JSON, SenML CBOR and TLV, each read by an own reader, hold the same."""
    json = codec.decode(codec.SENML_JSON, get(device, path, codec.SENML_JSON).payload, path)
    cbor = codec.decode(codec.SENML_CBOR, get(device, path, codec.SENML_CBOR).payload, path)
    raw = codec.decode(codec.TLV, get(device, path, codec.TLV).payload, path)
    for found in (json, cbor, raw):
        found.pop("/3/0/13", None)  # Current Time
        assert found
    assert json.keys() == cbor.keys() == raw.keys()
    for name, value in cbor.items():
        if not isinstance(value, bytes):  # bytes are base64 text in JSON
            assert codec.close(json[name], value), name
        assert codec.close(codec.tlv_value(raw[name], value), value), name


@pytest.mark.parametrize("accept", [codec.TEXT, codec.SENML_JSON, codec.SENML_CBOR, codec.CBOR])
def test_resource_on_the_wire(device, accept):
    path = "/3303/0/5700"
    set_and_see(device, path, -12.5)
    found = codec.decode(accept, get(device, path, accept).payload, path)
    assert list(found) == [path]
    assert float(found[path]) == -12.5


@pytest.mark.parametrize("size", [16, 32, 64, 256])
@pytest.mark.parametrize("accept", [codec.SENML_JSON, codec.TLV])
def test_block2_read(device, size, accept):
    """An early Block2 in the request: the device answers in blocks of that size."""
    whole = get(device, "/3303/0", accept).payload
    assert len(whole) > 16
    answer = get(device, "/3303/0", accept, block2=(0, False, size.bit_length() - 5))
    assert answer.payload == whole


@pytest.mark.parametrize("size,length", [(16, 200), (64, 700), (1024, 5000)])
def test_block1_write(device, size, length):
    path = LONG[device.name]
    payload = bytes(97 + i % 23 for i in range(length))
    content_format = codec.OPAQUE if device.name == "dunlin" else codec.TEXT
    answer = device.ask(
        aiocoap.PUT, path, payload, content_format=content_format, block_size=size.bit_length() - 5
    )
    assert status_of(answer) == "2.04", (answer, answer.payload)
    if device.name == "leshan":
        assert device.get(path) == {path: payload.decode()}
    else:
        wait_until(lambda: get(device, "/5/0/3", codec.TEXT).payload == b"2", 10, "the state Downloaded")
        answer = device.ask(aiocoap.PUT, path, b"", content_format=codec.OPAQUE)
        assert status_of(answer) == "2.04"
        wait_until(lambda: get(device, "/5/0/3", codec.TEXT).payload == b"0", 10, "the state Idle")


def test_write_and_read_back(device):
    for accept, payload in (
        (codec.TEXT, b"+01:00"),
        (codec.SENML_JSON, b'[{"bn":"/3/0/","n":"14","vs":"+02:00"}]'),
        (codec.SENML_CBOR, _senml_cbor("+03:00")),
        (codec.TLV, b"\xc6\x0e+04:00"),
    ):
        answer = device.ask(aiocoap.PUT, "/3/0/14", payload, content_format=accept)
        assert status_of(answer) == "2.04", (accept, answer)
        expected = f"+0{(codec.TEXT, codec.SENML_JSON, codec.SENML_CBOR, codec.TLV).index(accept) + 1}:00"
        assert get(device, "/3/0/14", codec.TEXT).payload.decode() == expected


def _senml_cbor(value):
    return cbor2.dumps([{-2: "/3/0", 0: "/14", 3: value}])


def test_execute_create_delete(device):
    assert status_of(device.ask(aiocoap.POST, "/3303/0/5605")) == "2.04"
    payload = tlv_instance(2, 1.5)
    answer = device.ask(aiocoap.POST, "/3303", payload, content_format=codec.TLV)
    assert status_of(answer) == "2.01", (answer, answer.payload)
    assert status_of(device.ask(aiocoap.GET, "/3303/2/5700")) == "2.05"
    wait_until(
        lambda: "/3303/2" in codec.parse_links(device.registration().links), 10, "the Update that names the instance"
    )
    assert status_of(device.ask(aiocoap.DELETE, "/3303/2")) == "2.02"
    assert status_of(device.ask(aiocoap.GET, "/3303/2/5700")) == "4.04"
    wait_until(
        lambda: "/3303/2" not in codec.parse_links(device.registration().links), 10, "the Update without the instance"
    )


def tlv_instance(number, value):
    """A temperature as the payload of a Create."""
    return tlv(0, number, tlv(3, 5700, struct.pack(">d", value)))


def test_discover(device):
    answer = get(device, "/3303/0", codec.LINK)
    links = codec.parse_links(answer.payload.decode())
    assert {"/3303/0", "/3303/0/5700", "/3303/0/5605"} <= set(links)


def test_write_attributes(device):
    path = "/3303/0/5700"
    assert status_of(device.ask(aiocoap.PUT, path + "?pmin=1&pmax=60&lt=-10.5")) == "2.04"
    links = codec.parse_links(get(device, path, codec.LINK).payload.decode())
    assert {k: float(links[path][k]) for k in ("pmin", "pmax", "lt")} == {"pmin": 1, "pmax": 60, "lt": -10.5}
    assert status_of(device.ask(aiocoap.PUT, path + "?pmin&pmax&lt")) == "2.04"
    links = codec.parse_links(get(device, path, codec.LINK).payload.decode())
    assert not {"pmin", "pmax", "lt"} & set(links[path])


@pytest.mark.parametrize("accept", [codec.TEXT, codec.SENML_CBOR, codec.TLV])
def test_observe(device, accept):
    path = "/3303/0/5700"
    set_and_see(device, path, 20.0)
    observation = device.observe(path, accept=accept)
    assert status_of(observation.first) == "2.05"
    assert observation.first.opt.observe is not None
    assert observation.first.opt.content_format == accept
    for value in (21.5, 22.5):
        device.set(path, value)
        message = observation.wait(lambda n, value=value: _float(n, path) == value, 10, f"{value}")
        assert message.opt.content_format == accept  # RFC 7641 §4.2: as in the first response
    observation.cancel()
    set_and_see(device, path, 23.5)
    assert not any(_float(n, path) == 23.5 for n in observation.notifications)


def _float(message, path):
    """The value of a notification; a resource read as TLV holds the resource itself (Core 1.1 §7.4.3)."""
    found = codec.decode(message.opt.content_format, message.payload, path)
    [value] = found.values()
    return struct.unpack(">f" if len(value) == 4 else ">d", value)[0] if isinstance(value, bytes) else float(value)


def test_refusals(device):
    for path, code in (("/3303/77", "4.04"), ("/31024/0", "4.04"), ("/3303/0/9999", "4.04"), ("/3303/0/5605", "4.05")):
        assert status_of(device.ask(aiocoap.GET, path)) == code, path
    assert status_of(device.ask(aiocoap.PUT, "/3/0/0", b"x", content_format=codec.TEXT)) == "4.05"
    assert status_of(device.ask(aiocoap.DELETE, "/3/0")) == "4.05"
    answer = device.ask(aiocoap.GET, "/0/0")
    # Core 1.1 §6.2: not for a server; Leshan hides it, the standard forbids it
    assert status_of(answer) in ("4.01", "4.04")


def test_unknown_critical_option(device):
    assert status_of(device.ask(aiocoap.GET, "/3/0/0", option=(65001, b"x"))) == "4.02"
    assert status_of(device.ask(aiocoap.GET, "/3/0/0", option=(65002, b"x"))) == "2.05"


@pytest.mark.parametrize("kind", KINDS)
def test_deregisters(aio_server, endpoint, kind):
    device = DEVICES[kind](aio_server.coap, endpoint)
    try:
        device.wait_registered()
        wait_until(lambda: aio_server.registration(endpoint), 20, "the registration")
        # it has the answer to its Register when it serves
        wait_until(lambda: status_of(aio_server.request(aiocoap.GET, endpoint, "/3/0/0")) == "2.05", 20, "a Read")
        device.deregister()
        wait_until(lambda: aio_server.registrations[endpoint].gone, 10, "the Deregister")
    finally:
        device.stop()


def test_older_server_is_met_with_an_older_version(loop, endpoint):
    """4.12 on one version leads to the next lower one at once."""
    server = AiocoapServer(loop, versions=("1.0", "1.1"))
    device = DEVICES["dunlin"](server.coap, endpoint)
    try:
        wait_until(lambda: server.registration(endpoint), 20, "the registration")
        versions = [a.query["lwm2m"] for a in server.attempts]
        assert versions[-1] == "1.1"
        assert versions in (["1.1"], ["1.2", "1.1"]), versions
    finally:
        device.stop()
        server.stop()


# a hand-made server


class RawServer(RawPeer):
    """Answers Register with 2.01, Update with 2.04, Deregister with 2.02, and is otherwise led by the test."""

    def __init__(self):
        super().__init__(handler=self.answer)
        self.coap = f"coap://127.0.0.1:{self.port}"
        self.registered = None

    def answer(self, request):
        path = [p.decode() for p in request.all(URI_PATH)]
        if request.code == 2 and path == ["rd"]:
            self.registered = {q.decode().partition("=")[0]: q.decode().partition("=")[2] for q in request.all(URI_QUERY)}
            return "2.01", [(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"7")], b""
        if path == ["rd", "7"]:
            return ("2.02" if request.code == 4 else "2.04"), [], b""
        return "4.04", [], b""

    def wait_registered(self, timeout=20):
        self.wait(lambda m: self.registered is not None, timeout)
        assert self.registered, "no Register"
        return self.registered


@pytest.fixture(scope="module", params=KINDS)
def raw(request):
    with RawServer() as server:
        server.device = DEVICES[request.param](server.coap, f"{request.param}-on-raw")
        try:
            server.wait_registered()
            yield server
        finally:
            server.device.stop()


def test_raw_ping(raw):
    assert raw.ping() is not None


def test_raw_duplicate_is_answered_alike(raw):
    message = raw.message("GET", "/3/0/0", [(ACCEPT, uint(codec.TEXT))])
    first = raw.exchange(message)
    assert first.status == "2.05" and first.type == ACK
    assert raw.exchange(message).encode() == first.encode()


def test_raw_duplicate_execute_is_done_once(raw):
    if raw.device.name == "leshan":
        mark = raw.device.mark()
        message = raw.message("POST", "/3303/0/5605")
        for _ in range(3):
            assert raw.exchange(message).status == "2.04"
        raw.device.executed("/3303/0/5605", mark)
        assert sum('"event":"execute"' in line for line in raw.device.process.lines[mark:]) == 1
    else:
        message = raw.message("POST", "/3303", [(CONTENT_FORMAT, uint(codec.TLV))], tlv_instance(8, 1.5))
        for _ in range(3):
            assert raw.exchange(message).status == "2.01"  # a second Create would be refused
        assert raw.request("DELETE", "/3303/8").status == "2.02"


@pytest.mark.parametrize("token", [b"", b"\x01\x02\x03\x04\x05\x06\x07\x08"], ids=["empty", "eight"])
def test_raw_tokens(raw, token):
    assert raw.request("GET", "/3/0/0", token=token).token == token


def test_raw_non_confirmable_request(raw):
    answer = raw.request("GET", "/3/0/0", type=NON)
    assert answer.status == "2.05" and answer.type == NON


@pytest.mark.parametrize("szx", [0, 2, 4])
def test_raw_block2(raw, szx):
    accept = [(ACCEPT, uint(codec.SENML_JSON))]
    whole = raw.request("GET", "/3303/0", accept)
    assert whole.status == "2.05" and whole.uint(BLOCK2) is None
    assert raw.block2("GET", "/3303/0", szx, accept).payload == whole.payload


@pytest.mark.parametrize("szx,length", [(0, 200), (2, 700), (6, 5000)])
def test_raw_block1(raw, szx, length):
    payload = bytes(97 + i % 23 for i in range(length))
    content_format = codec.OPAQUE if raw.device.name == "dunlin" else codec.TEXT
    path = LONG[raw.device.name]
    answer, blocks = raw.block1("PUT", path, payload, szx, [(CONTENT_FORMAT, uint(content_format))])
    assert answer.status == "2.04", answer
    assert blocks >= length >> (szx + 4)
    if raw.device.name == "dunlin":
        assert raw.request("PUT", path, [(CONTENT_FORMAT, uint(codec.OPAQUE))]).status == "2.04"


def test_raw_unknown_critical_option(raw):
    assert raw.request("GET", "/3/0/0", [(65001, b"x")]).status == "4.02"
    assert raw.request("GET", "/3/0/0", [(65002, b"x")]).status == "2.05"


def test_raw_observe_and_reset(raw):
    """A notification that is answered with Reset is the last one (RFC 7641 §3.6)."""
    path = "/3303/0/5700"
    first = raw.request("GET", path, [(OBSERVE, b""), (ACCEPT, uint(codec.TEXT))])
    assert first.status == "2.05" and first.uint(OBSERVE) is not None
    numbers = [first.uint(OBSERVE)]
    for value in (31.5, 32.5):
        raw.device.set(path, value)
        note = raw.wait(lambda m: m.token == first.token and m.code == 0x45 and float(m.payload) == value, 10)
        assert note is not None, f"no notification with {value}"
        assert note.type in (CON, NON)
        numbers.append(note.uint(OBSERVE))
        if note.type == CON:
            raw.send(Message(ACK, 0, note.mid, b"", [], b""))
    assert numbers == sorted(set(numbers)), numbers
    raw.device.set(path, 33.5)
    note = raw.wait(lambda m: m.token == first.token and m.code == 0x45 and float(m.payload) == 33.5, 10)
    assert note is not None
    raw.send(Message(RST, 0, note.mid, b"", [], b""))
    raw.device.set(path, 34.5)
    wait_until(
        lambda: float(raw.request("GET", path, [(ACCEPT, uint(codec.TEXT))]).payload) == 34.5, 10, "the new value"
    )
    assert raw.wait(lambda m: m.token == first.token, 0.5) is None, "notified after the Reset"


def test_raw_cancel_by_observe_1(raw):
    path = "/3303/0/5700"
    first = raw.request("GET", path, [(OBSERVE, b""), (ACCEPT, uint(codec.TEXT))])
    assert first.uint(OBSERVE) is not None
    last = raw.request("GET", path, [(OBSERVE, b"\x01"), (ACCEPT, uint(codec.TEXT))], token=first.token)
    assert last.status == "2.05" and last.uint(OBSERVE) is None
    raw.device.set(path, 44.5)
    wait_until(
        lambda: float(raw.request("GET", path, [(ACCEPT, uint(codec.TEXT))]).payload) == 44.5, 10, "the new value"
    )
    assert raw.wait(lambda m: m.token == first.token, 0.5) is None, "notified after the cancellation"


@pytest.mark.only(raw="dunlin")
def test_raw_strangers_are_not_served(raw):
    """Only the server the device registered with may manage it; a stranger on the same host gets nothing."""
    with RawPeer(raw.to[1]) as stranger:
        stranger.send(stranger.message("GET", "/3/0/0"))
        answer = stranger.receive(1.0)
        assert answer is None or answer.type == RST or answer.status in ("4.01", "4.03"), answer
    assert raw.request("GET", "/3/0/0").status == "2.05"
