"""A device made of aiocoap under a management server: piggybacked and separate responses, blocks, notifications.

The same device under Leshan's server shows that the device plays by the rules.
"""

import concurrent.futures
import itertools
import json

import aiocoap
import cbor2
import pytest

from support.coap import status_of
from support.device import BIG, LINKS, SENML_CBOR, SENML_JSON, TEXT, TLV, AiocoapDevice
from support.process import wait_until
from support.values import FORMATS, same_type

BIG_INSTANCE = {"/3/0/0": "aiocoap", "/3/0/9": 87, "/3/0/15": BIG}


def applies(here, arguments):
    """Our observation wishes have no format: the device's choice is taken."""
    return not (arguments.get("server") == "dunlin" and arguments.get("observed") and arguments.get("fmt"))


@pytest.fixture(scope="module", params=["dunlin", "leshan"])
def server(request, servers):
    return servers.get(request.param)


@pytest.fixture(scope="module")
def device(server, loop):
    running = AiocoapDevice(loop, server.port, f"aiocoap-{server.name}").start()
    yield running
    running.stop()


@pytest.fixture
def own_device(server, loop, endpoint):
    running = AiocoapDevice(loop, server.port, endpoint).start()
    yield running
    running.stop()


def test_registered_from_its_listening_socket(server, device):
    registration = server.registration(device.endpoint)
    assert registration["raw"]["address"] == f"127.0.0.1:{device.port}"
    assert registration["objects"] == {1: [0], 3: [0], 19: [0], 3303: [0]}
    assert {60, 110, 112, 11542} <= set(registration["formats"])


def test_piggybacked_response(server, device):
    for fmt in ("TEXT", "TLV"):
        answer = server.read(device.endpoint, "/3/0/0", fmt)
        assert (answer.code, answer.format) == ("2.05", FORMATS[fmt].number)
        assert answer.records == {"/3/0/0": "aiocoap"}


def test_separate_response(server, device):
    """aiocoap acknowledges after 0.1 s and answers later; 3.5 s is past ACK_TIMEOUT, so no repetition may disturb."""
    for path, value in (("/3/0/1", "slow"), ("/3/0/2", "slower")):
        answer = server.read(device.endpoint, path, "TEXT")
        assert answer.code == "2.05"
        assert answer.records == {path: value}


def test_several_slow_reads_at_once(server, device):
    """Answers that come back in any order reach who asked."""
    paths = ["/3/0/1", "/3/0/0", "/3/0/1", "/3/0/15", "/3/0/0"]
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(lambda p: server.read(device.endpoint, p, "TEXT"), paths))
    expected = {"/3/0/0": "aiocoap", "/3/0/1": "slow", "/3/0/15": BIG}
    for path, answer in zip(paths, answers):
        assert answer.records == {path: expected[path]}


@pytest.mark.parametrize("fmt", ["TEXT", "TLV"])
def test_block2_resource(server, device, fmt):
    answer = server.read(device.endpoint, "/3/0/15", fmt)
    assert (answer.code, answer.format) == ("2.05", FORMATS[fmt].number)
    assert answer.records == {"/3/0/15": BIG}


@pytest.mark.parametrize("fmt", ["SENML_JSON", "SENML_CBOR", "TLV"])
def test_block2_instance(server, device, fmt):
    answer = server.read(device.endpoint, "/3/0", fmt)
    assert (answer.code, answer.format) == ("2.05", FORMATS[fmt].number)
    assert same_type(answer.records, BIG_INSTANCE)


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 2048, 5000])
def test_block1_write(server, device, size):
    text = "".join(chr(97 + i % 23) for i in range(size))
    written = device.values["/3/0/14"]
    written.received.clear()
    assert server.write(device.endpoint, "/3/0/14", "STRING", text, "TEXT").code == "2.04"
    assert written.received == [(TEXT, text.encode())]


def test_write_in_the_asked_format(server, device):
    written = device.values["/3/0/14"]
    for fmt in ("TEXT", "TLV", "SENML_JSON", "SENML_CBOR"):
        written.received.clear()
        assert server.write(device.endpoint, "/3/0/14", "STRING", "+05:30", fmt).code == "2.04"
        [(number, payload)] = written.received
        assert number == FORMATS[fmt].number
        if number == TEXT:
            assert payload == b"+05:30"
        elif number == TLV:
            assert payload == b"\xc6\x0e+05:30"
        elif number == SENML_JSON:
            [record] = json.loads(payload)
            assert record.get("bn", "") + record.get("n", "") == "/3/0/14" and record["vs"] == "+05:30"
        elif number == SENML_CBOR:
            [record] = cbor2.loads(payload)
            assert record.get(-2, "") + record.get(0, "") == "/3/0/14" and record[3] == "+05:30"


def test_slow_write(server, own_device):
    own_device.values["/3/0/14"].delay = 2.5
    assert server.write(own_device.endpoint, "/3/0/14", "STRING", "late", "TEXT").code == "2.04"
    assert own_device.values["/3/0/14"].received == [(TEXT, b"late")]  # once, whatever was repeated on the way


def test_execute(server, device):
    executed = device.values["/3/0/4"]
    executed.received.clear()
    assert server.execute(device.endpoint, "/3/0/4", "0='x'").code == "2.04"
    assert [payload for _, payload in executed.received] == [b"0='x'"]
    executed.received.clear()
    assert server.execute(device.endpoint, "/3/0/4").code == "2.04"
    assert [payload for _, payload in executed.received] == [b""]


def test_create_tells_the_location(server, device):
    answer = server.create(device.endpoint, 3303, 9, {5700: ("FLOAT", 1.5)}, "SENML_CBOR")
    assert answer.code == "2.01"
    assert answer.location.strip("/") == "3303/9"
    assert device.values["/3303"].received[-1][0] == SENML_CBOR


def test_refusals_reach_the_caller(server, device):
    for path, code in (
        ("/3/0/17", "5.03"),
        ("/3/0/18", "4.01"),
        ("/3/0/19", "4.05"),
        ("/3/0/3", "4.04"),
    ):
        assert server.read(device.endpoint, path).code == code, path
    assert server.read(device.endpoint, "/3/0", "TEXT").code == "4.06"
    assert "warming up" in server.read(device.endpoint, "/3/0/17").detail


@pytest.mark.parametrize("fmt", [None, "TEXT", "SENML_JSON", "SENML_CBOR", "TLV"])
@pytest.mark.parametrize("observed", ["/3303/0/5700"])
def test_observe(server, own_device, observed, fmt):
    path = observed
    own_device.values[path].value = 1.5
    with server.events(own_device.endpoint) as events:
        answer = server.observe(own_device.endpoint, path, fmt)
        assert same_type(answer.records, {path: 1.5})
        wait_until(lambda: own_device.values[path].observers == 1, 5, "one observer")
        for value in (2.5, -3.25, 1e6):
            own_device.set(path, value)
            events.wait_notification(path, {path: value})
        server.cancel(own_device.endpoint, path, answer.handle)
        # told by a GET with Observe 1, or by a Reset of the next notification
        seen = len(events.notifications(path))
        own_device.set(path, 4.0)
        wait_until(lambda: own_device.values[path].observers == 0, 10, "the end of the observation at the device")
        assert len(events.notifications(path)) == seen


@pytest.mark.only(server="dunlin")  # Leshan leaves that to its user
def test_observation_is_made_again_after_register(server, own_device):
    """An observation ends with the registration (Core 1.1 §6.4.4); our server keeps the wish and asks again."""
    path = "/3303/0/5700"
    with server.events(own_device.endpoint) as events:
        server.observe(own_device.endpoint, path)
        first = server.registration(own_device.endpoint)["id"]
        own_device.loop.run(own_device._register())
        assert server.registration(own_device.endpoint)["id"] != first
        values = itertools.count(77)

        def notified():
            own_device.set(path, float(next(values)))
            return any(n.records[path] >= 77 for n in events.notifications(path))

        wait_until(notified, 10, "a notification under the new registration", step=0.2)


def test_update_and_deregister(server, own_device):
    with server.events(own_device.endpoint) as events:
        assert own_device.uplink(aiocoap.POST, "?lt=900").code == aiocoap.CHANGED
        events.wait_for("update")
        assert server.registration(own_device.endpoint)["lifetime"] == 900
        answer = own_device.uplink(aiocoap.POST, "", (LINKS + ",</3303/1>").encode(), 40)
        assert answer.code == aiocoap.CHANGED
        assert server.registration(own_device.endpoint)["objects"][3303] == [0, 1]
        assert status_of(own_device.uplink(aiocoap.DELETE)) == "2.02"
        events.wait_for("deregistration")
    assert server.registration(own_device.endpoint) is None


def test_register_with_a_large_list(server, loop, endpoint):
    links = LINKS + "".join(f",</3311/{i}>" for i in range(300))
    device = AiocoapDevice(loop, server.port, endpoint, links=links).start()  # aiocoap cuts it into blocks of 1024
    try:
        assert server.registration(endpoint)["objects"][3311] == list(range(300))
        assert server.read(endpoint, "/3/0/0", "TEXT").records == {"/3/0/0": "aiocoap"}
    finally:
        device.stop()


@pytest.mark.only(server="dunlin")
def test_silent_device_is_a_timeout(server, loop, endpoint):
    """A device that is gone: our REST says 504 within the time the caller gave."""
    device = AiocoapDevice(loop, server.port, endpoint).start()
    device.stop()
    response = server.call("GET", f"/devices/{endpoint}/data/3/0/0?timeout=1")
    assert response.status == 504, response
    assert response.headers["Content-Type"] == "application/problem+json"
