"""What LwM2M 1.1 added, between a server and a device of two different makers: composite operations, Send, queue mode.

The pair of Leshan with itself is the control. The old demo server is left out: it has none of this in its REST.
"""

import time

import pytest

from conftest import DEVICES, Pair, Servers, start_device
from support.process import wait_until
from support.values import FORMATS, same, same_type

PAIRS = {
    "leshan_client-dunlin_server": ("leshan", "dunlin"),
    "dunlin_device-leshan_server": ("dunlin", "leshan"),
    "leshan_client-leshan_server": ("leshan", "leshan"),
}

TEMPERATURE = "/3303/0/5700"
COMPOSITE = ["SENML_JSON", "SENML_CBOR"]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda p: p)
def pair(request, servers):
    kind, server = PAIRS[request.param]
    server = servers.get(server)
    endpoint = f"{request.param}-more"
    device = start_device(server, kind, endpoint)
    yield Pair(server, device, endpoint)
    device.stop()


def set_and_see(pair, path, value):
    pair.device.set(path, value)
    seen = lambda: same(pair.server.read(pair.endpoint, path).records.get(path), value)  # noqa: E731
    wait_until(seen, 10, f"{path} to read {value}", step=0.05)


# composite


@pytest.mark.parametrize("fmt", COMPOSITE)
def test_read_composite(pair, fmt):
    set_and_see(pair, TEMPERATURE, 21.25)
    paths = [TEMPERATURE, "/3/0/0", "/1/0/1", "/3303/0/9999"]
    answer = pair.server.read_composite(pair.endpoint, paths, fmt)
    assert answer.code == "2.05", answer
    # what is not there is left out (Core 1.1 §6.3.8)
    assert set(answer.records) == {TEMPERATURE, "/3/0/0", "/1/0/1"}, answer
    assert same(answer.records[TEMPERATURE], 21.25)
    if answer.format is not None:
        assert answer.format == FORMATS[fmt].number


@pytest.mark.parametrize("fmt", COMPOSITE)
def test_read_composite_of_instances(pair, fmt):
    answer = pair.server.read_composite(pair.endpoint, ["/3303/0", "/3/0/16"], fmt)
    assert answer.code == "2.05", answer
    expected = pair.server.read(pair.endpoint, "/3303/0").records
    assert same_type({p: v for p, v in answer.records.items() if p.startswith("/3303/")}, expected)
    assert "/3/0/16" in answer.records


@pytest.mark.parametrize("fmt", COMPOSITE)
def test_write_composite(pair, fmt):
    for lifetime, offset in ((700, "+03:00"), (300, "+02:00")):
        values = {"/1/0/1": ("INTEGER", lifetime), "/3/0/14": ("STRING", offset)}
        answer = pair.server.write_composite(pair.endpoint, values, fmt)
        assert answer.code == "2.04", answer
        found = pair.server.read_composite(pair.endpoint, list(values)).records
        assert same_type(found, {p: v for p, (_, v) in values.items()}), found


def test_write_composite_is_done_whole_or_not_at_all(pair):
    before = pair.server.read(pair.endpoint, "/1/0/1").records
    values = {"/1/0/1": ("INTEGER", 777), "/3/0/0": ("STRING", "not writable")}
    assert pair.server.write_composite(pair.endpoint, values).code == "4.05"
    assert pair.server.read(pair.endpoint, "/1/0/1").records == before


@pytest.mark.parametrize("fmt", COMPOSITE)
def test_observe_composite(pair, fmt):
    set_and_see(pair, TEMPERATURE, 10.0)
    paths = [TEMPERATURE, "/3/0/16"]
    with pair.server.events(pair.endpoint) as events:
        answer = pair.server.observe_composite(pair.endpoint, paths, fmt)
        assert answer.code == "2.05", answer
        try:
            assert set(answer.records) == set(paths)
            for value in (11.5, 12.5):
                pair.device.set(TEMPERATURE, value)
                # every notification carries all of them (Core 1.1 §6.4.4)
                wait_until(
                    lambda: any(
                        set(n) == set(paths) and same(n[TEMPERATURE], value)
                        for n in events.composite_notifications(answer.handle)
                    ),
                    10,
                    f"a notification with {value}",
                )
        finally:
            pair.server.cancel_composite(pair.endpoint, answer.handle)
        seen = len(events.composite_notifications(answer.handle))
        set_and_see(pair, TEMPERATURE, 13.5)
        set_and_see(pair, TEMPERATURE, 14.5)
        assert len(events.composite_notifications(answer.handle)) == seen, "notified after the cancellation"


# attributes


def test_evaluation_periods(pair):
    """epmin and epmax came with 1.1."""
    wanted = {"epmin": 1, "epmax": 20}
    assert pair.server.attributes(pair.endpoint, TEMPERATURE, wanted).code == "2.04"
    found = pair.server.discover(pair.endpoint, TEMPERATURE).links[TEMPERATURE]
    assert {k: float(found[k]) for k in wanted} == wanted
    assert pair.server.attributes(pair.endpoint, TEMPERATURE, dict.fromkeys(wanted)).code == "2.04"
    found = pair.server.discover(pair.endpoint, TEMPERATURE).links[TEMPERATURE]
    assert not set(wanted) & set(found), found


def test_thresholds_of_an_observation(pair):
    """gt and lt decide what is told (Core 1.1 §5.1.2); the Leshan client does not tell that a value is back."""
    set_and_see(pair, TEMPERATURE, 20.0)
    assert pair.server.attributes(pair.endpoint, TEMPERATURE, {"pmin": 0, "gt": 30, "lt": 10}).code == "2.04"
    with pair.server.events(pair.endpoint) as events:
        answer = pair.server.observe(pair.endpoint, TEMPERATURE)
        assert answer.code == "2.05", answer
        try:
            # 31 and 9 are beyond a threshold; with 25 the value is back on the other side of one
            expected = [31.0, 25.0, 9.0] if pair.device.name == "dunlin" else [31.0, 9.0]
            for value in (21.0, 29.0, 31.0, 25.0, 15.0, 9.0):
                set_and_see(pair, TEMPERATURE, value)
            events.wait_notification(TEMPERATURE, {TEMPERATURE: 9.0})
            told = [n.records[TEMPERATURE] for n in events.notifications(TEMPERATURE)]
            assert [v for v in told if v != 20.0] == expected, told
        finally:
            pair.server.cancel(pair.endpoint, TEMPERATURE, answer.handle)
            unset = dict.fromkeys(("pmin", "gt", "lt"))
            assert pair.server.attributes(pair.endpoint, TEMPERATURE, unset).code == "2.04"


# Send


def test_send(pair):
    with pair.server.events(pair.endpoint) as events:
        for value in (5.5, 6.5):
            set_and_see(pair, TEMPERATURE, value)
            pair.device.send([TEMPERATURE, "/3/0/16"])
            wait_until(
                lambda: any(
                    {p for _, p, _ in pack} == {TEMPERATURE, "/3/0/16"}
                    and any(p == TEMPERATURE and same(v, value) for _, p, v in pack)
                    for pack in events.sends()
                ),
                10,
                f"a Send with {value}; saw {events.sends()}",
            )


@pytest.mark.only(device="leshan")
@pytest.mark.parametrize("fmt", COMPOSITE)
def test_send_of_several_times(pair, fmt):
    """What the device collected arrives with the times at which it did."""
    begin = time.time()
    values = (1.5, 2.5, 3.5)
    with pair.server.events(pair.endpoint) as events:
        for value in values:
            pair.device.set(TEMPERATURE, value)
            pair.device.collect(TEMPERATURE)
            time.sleep(0.02)
        pair.device.flush(fmt)
        pack = wait_until(
            lambda: next((p for p in events.sends() if {v for _, _, v in p} == set(values)), None), 10, "the Send"
        )
    by_time = sorted(pack)
    assert [v for _, _, v in by_time] == list(values), pack
    assert all(begin - 2 <= t <= time.time() + 2 for t, _, _ in pack), pack


@pytest.mark.only(server="dunlin")
def test_sends_are_kept(pair):
    set_and_see(pair, TEMPERATURE, 44.5)
    pair.device.send([TEMPERATURE])
    latest = wait_until(lambda: pair.server.sends(pair.endpoint)[:1], 10, "a Send in the history")[0]
    assert [(r["path"], r["value"]) for r in latest["records"]] == [(TEMPERATURE, 44.5)]


# queue mode


@pytest.fixture
def sleeper(servers, request, endpoint):
    kind, server = PAIRS[request.param]
    server = servers.get(server)
    device = DEVICES[kind](server.coap, endpoint, queue=True)
    try:
        device.wait_registered()
        wait_until(lambda: server.registration(endpoint), 20, "the registration")
        yield Pair(server, device, endpoint)
    finally:
        device.stop()


@pytest.mark.parametrize("sleeper", ["dunlin_device-leshan_server", "leshan_client-leshan_server"], indirect=True)
def test_queue_mode_is_announced_and_served(sleeper):
    server, endpoint = sleeper.server, sleeper.endpoint
    raw = server.registration(endpoint)["raw"]
    assert raw["queuemode"] is True
    assert raw["bindingMode"] == "[U]"  # Core 1.1 §6.2.1: queue mode is a flag of its own
    assert raw["awake"] is True
    assert server.read(endpoint, "/3/0/16").code == "2.05"
    sleeper.device.update()
    wait_until(lambda: server.registration(endpoint)["raw"]["awake"], 10, "awake after the Update")
    assert server.read(endpoint, "/3/0/16").code == "2.05"


def fall_asleep(sleeper):
    """The shortest awake time, and an Update from which it counts."""
    server, endpoint = sleeper.server, sleeper.endpoint
    response = server.call("PUT", f"/devices/{endpoint}/awake-time", {"seconds": 1})
    assert response.status in (200, 204), response
    sleeper.device.update()
    wait_until(lambda: server.registration(endpoint)["raw"]["awake"] is False, 10, "the server to take it for asleep")


@pytest.mark.parametrize("sleeper", ["leshan_client-dunlin_server"], indirect=True)
def test_composites_and_refusals_wait_as_well(sleeper):
    server, endpoint = sleeper.server, sleeper.endpoint
    fall_asleep(sleeper)
    numbers = [
        server.enqueue(endpoint, {"operation": "readComposite", "paths": ["/3/0/0", "/3303/0/5701"]}),
        server.enqueue(endpoint, {"operation": "read", "path": "/3/0/9999"}),
        server.enqueue(endpoint, {"operation": "execute", "path": "/3/0/4"}),
    ]
    cancelled = server.enqueue(endpoint, {"operation": "execute", "path": "/3/0/5"})
    assert server.call("DELETE", f"/devices/{endpoint}/operations/{cancelled}").status in (200, 204)
    mark = sleeper.device.mark()
    sleeper.device.process.say("update")
    ended = lambda: [server.operation(endpoint, n)["state"] for n in numbers] == ["done", "failed", "done"]  # noqa: E731
    wait_until(ended, 15, "all to end")
    records = {r["path"]: r["value"] for r in server.operation(endpoint, numbers[0])["result"]["records"]}
    assert records == {"/3/0/0": "Interop", "/3303/0/5701": "Cel"}
    assert server.operation(endpoint, numbers[1])["error"]["coapCode"] == "4.04"
    sleeper.device.executed("/3/0/4", mark)
    assert server.operation(endpoint, cancelled)["state"] == "cancelled"


@pytest.mark.parametrize("sleeper", ["leshan_client-dunlin_server"], indirect=True)
def test_operations_wait_for_a_sleeping_leshan_client(sleeper):
    """Once its awake time is over, what is asked for waits for its next Update and is then done in order."""
    server, endpoint = sleeper.server, sleeper.endpoint
    assert server.registration(endpoint)["raw"]["queueMode"] is True
    fall_asleep(sleeper)
    numbers = [
        server.enqueue(endpoint, {"operation": "write", "path": "/3/0/15", "value": f"Zone/{n}"}) for n in range(4)
    ]
    numbers.append(server.enqueue(endpoint, {"operation": "read", "path": "/3/0/15"}))
    direct = server.call("GET", f"/devices/{endpoint}/data/3/0/14")
    assert direct.status == 202, direct
    numbers.append(direct.json()["id"])
    assert all(server.operation(endpoint, n)["state"] == "queued" for n in numbers)
    mark = sleeper.device.mark()
    sleeper.device.process.say("update")
    wait_until(lambda: all(server.operation(endpoint, n)["state"] == "done" for n in numbers), 15, "all to be done")
    zones = [
        line for line in sleeper.device.process.lines[mark:] if '"event":"write"' in line and '"path":"/3/0/15"' in line
    ]
    assert [f"Zone/{n}" in line for n, line in enumerate(zones)] == [True] * 4, zones
    assert server.operation(endpoint, numbers[4])["result"]["records"][0]["value"] == "Zone/3"
    assert server.operation(endpoint, numbers[5])["result"]["code"] == "2.05"
