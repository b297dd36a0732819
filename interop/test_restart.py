"""Registrations over a kill -9, with a device that did not notice."""

import pytest

from support.coap import CONTENT_FORMAT, RawPeer, uint
from support.process import free_port, wait_until
from support.rest import call
from support.servers import DunlinServer
from support.values import same_type


@pytest.fixture
def fixed(tmp_path):
    """A server on ports and a data folder that stay the same over a restart."""
    coap = free_port()
    started = []

    def start():
        server = DunlinServer(coap=coap, data=tmp_path / "data")
        started.append(server)
        assert server.port == coap
        return server

    yield start
    for server in started:
        server.stop()


def test_registration_survives_a_kill(fixed, new_device, endpoint):
    server = fixed()
    device = new_device(server, "leshan", endpoint)
    before = server.registration(endpoint)
    server.process.kill()

    server = fixed()
    after = server.registration(endpoint)
    assert after is not None, "the registration is gone"
    for field in ("endpoint", "id", "version", "lifetime", "objects", "formats"):
        assert after[field] == before[field], field
    # it is managed as before, and its Update is taken
    device.set("/3303/0/5700", 31.5)
    assert same_type(server.read(endpoint, "/3303/0/5700").records, {"/3303/0/5700": 31.5})
    with server.events(endpoint) as events:
        device.update()
        events.wait_for("update")
    device.deregister()
    wait_until(lambda: server.registration(endpoint) is None, 10, "the deregistration")


def test_observation_wish_survives_a_kill(fixed, new_device, endpoint):
    """The wish is on disk; it works again as soon as the device registers again."""
    server = fixed()
    path = "/3303/0/5700"
    first = new_device(server, "leshan", endpoint)
    server.observe(endpoint, path)
    first.process.kill()
    server.process.kill()

    server = fixed()
    response = call("GET", server.http, f"/api/v1/devices/{endpoint}/observations")
    assert response.status == 200, response
    assert [o["path"] for o in response.json()["items"]] == [path]
    with server.events(endpoint) as events:
        device = new_device(server, "leshan", endpoint)

        def active():
            [wish] = call("GET", server.http, f"/api/v1/devices/{endpoint}/observations").json()["items"]
            return wish["state"] == "active"

        wait_until(active, 10, "the observation to be active again")
        device.set(path, 55.5)
        events.wait_notification(path, {path: 55.5})


def test_lifetime_runs_out(fixed, new_device, endpoint):
    """A device that falls silent is forgotten after its lifetime, and that is told."""
    server = fixed()
    with RawPeer(server.port) as peer, server.events(endpoint) as events:
        options = [(CONTENT_FORMAT, uint(40))]
        answer = peer.request("POST", f"/rd?ep={endpoint}&lt=2&lwm2m=1.1&b=U", options, b"</1/0>,</3/0>")
        assert answer.status == "2.01"
        assert server.registration(endpoint)["lifetime"] == 2
        events.wait(lambda n, d: n == "expiry", 30, "the expiry")
    assert server.registration(endpoint) is None
