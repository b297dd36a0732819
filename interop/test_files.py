"""An image that the server offers over CoAP (RFC 7959), fetched by libcoap, by aiocoap and block by block, or pushed.

The device that is told where the image lies is a raw peer with just enough of object 5.
"""

import json
import subprocess
import urllib.parse

import aiocoap
import pytest

from support import peers
from support.coap import BLOCK2, CONTENT_FORMAT, LOCATION_PATH, RawPeer, status_of, uint
from support.devices import LeshanDevice
from support.process import wait_until

ETAG, SIZE2 = 4, 28
LINKS = b"</1/0>,</3/0>,</5/0>"
TEXT, LINK, SENML_JSON, OPAQUE = 0, 40, 110, 42
IMAGE = bytes(i * i % 251 for i in range(10_007))


def content(number, payload):
    return "2.05", [(CONTENT_FORMAT, uint(number))], payload


class Downloader:
    """A device that is told a Package URI and does not fetch it by itself."""

    def __init__(self, port, endpoint):
        self.uri = None
        self.peer = RawPeer(port, self.answer)
        register = f"/rd?ep={endpoint}&lt=300&lwm2m=1.1&b=U"
        response = self.peer.request("POST", register, [(CONTENT_FORMAT, uint(LINK))], LINKS)
        assert response.status == "2.01", response
        self.location = "/" + "/".join(p.decode() for p in response.all(LOCATION_PATH))

    def answer(self, request):
        path = "/".join(p.decode() for p in request.all(11))
        method = {1: "GET", 3: "PUT"}.get(request.code)
        if (method, path) == ("GET", "3/0/3"):
            return content(TEXT, b"1.0")
        if (method, path) == ("GET", "5/0"):
            state = 1 if self.uri else 0
            records = [("3", state), ("5", 0), ("9", 2)]
            body = [{"n": f"/5/0/{n}", "v": v} for n, v in records]
            return content(SENML_JSON, json.dumps(body).encode())
        if (method, path) == ("PUT", "5/0/1"):
            self.uri = request.payload.decode()
            return "2.04", [], b""
        return "4.04", [], b""

    def wait_uri(self):
        told = self.peer.wait(lambda m: self.uri is not None, 20)
        assert told is not None, "the server does not offer the image"
        return self.uri

    def close(self):
        self.peer.request("DELETE", self.location)
        self.peer.close()


@pytest.fixture(scope="module")
def uri(dunlin_server):
    """Where the image lies, as a device is told."""
    endpoint = "downloader"
    answer = dunlin_server.call("POST", "/firmware?name=new.bin", IMAGE)
    assert answer.status == 201, answer
    image = answer.json()
    assert image["size"] == len(IMAGE)
    device = Downloader(dunlin_server.port, endpoint)
    body = {"image": image["id"], "method": "pull", "install": False}
    answer = dunlin_server.call("POST", f"/devices/{endpoint}/firmware", body)
    assert answer.status == 202, answer
    found = device.wait_uri()
    assert found.startswith(f"coap://127.0.0.1:{dunlin_server.port}/fw/"), found
    yield found
    device.close()


@pytest.fixture
def peer(dunlin_server):
    with RawPeer(dunlin_server.port) as raw:
        yield raw


def path_of(uri):
    return urllib.parse.urlsplit(uri).path


@pytest.mark.parametrize("size", [16, 64, 256, 1024])
def test_libcoap_fetches(uri, tmp_path, size):
    target = tmp_path / "image"
    command = [peers.coap_client(), "-B", "25", "-m", "get", "-b", str(size), "-o", str(target), uri]
    run = subprocess.run(command, capture_output=True, text=True, timeout=40)
    assert target.read_bytes() == IMAGE, run.stdout + run.stderr


def test_aiocoap_fetches(uri, loop):
    async def fetch():
        context = await aiocoap.Context.create_client_context()
        try:
            return await context.request(aiocoap.Message(code=aiocoap.GET, uri=uri)).response
        finally:
            await context.shutdown()

    response = loop.run(fetch())
    assert status_of(response) == "2.05", response
    assert response.payload == IMAGE
    assert response.opt.content_format == OPAQUE


@pytest.mark.parametrize("szx", range(7))
def test_every_block_size(uri, peer, szx):
    response = peer.block2("GET", path_of(uri), szx)
    assert response.payload == IMAGE
    assert len(response.all(ETAG)) == 1


def test_goes_on_from_another_port_in_another_size(uri, peer, dunlin_server):
    """A device that was interrupted asks for the rest, with the ETag to compare (RFC 7959 §2.4)."""
    path, half = path_of(uri), 64 * 80
    first = peer.request("GET", path, [(BLOCK2, uint(0 << 4 | 2))])
    assert (first.status, first.uint(SIZE2)) == ("2.05", len(IMAGE))
    body = b""
    with RawPeer(dunlin_server.port) as later:
        for number in range(half // 512, (len(IMAGE) + 511) // 512):
            response = later.request("GET", path, [(BLOCK2, uint(number << 4 | 5))])
            assert response.status == "2.05", response
            assert response.all(ETAG) == first.all(ETAG)
            body += response.payload
    assert body == IMAGE[half:]


def test_what_one_has_is_valid(uri, peer):
    path = path_of(uri)
    [tag] = peer.request("GET", path, [(BLOCK2, uint(2))]).all(ETAG)
    response = peer.request("GET", path, [(ETAG, tag)])
    assert (response.status, response.payload) == ("2.03", b"")
    assert peer.request("GET", path, [(ETAG, b"other"), (BLOCK2, uint(2))]).status == "2.05"


def test_nothing_beyond_the_end_and_nothing_to_guess(uri, peer):
    path = path_of(uri)
    assert peer.request("GET", path, [(BLOCK2, uint(4000 << 4 | 6))]).status == "4.00"
    assert peer.request("GET", path.rsplit("/", 1)[0] + "/old.bin").status == "4.04"
    assert peer.request("GET", "/fw/00000000000000000000000000000000/new.bin").status == "4.04"
    assert peer.request("GET", path, [(17, uint(SENML_JSON))]).status == "4.06"


# the same image pushed


def test_pushed_to_a_leshan_client(dunlin_server, endpoint):
    image = bytes(i % 251 for i in range(6000))
    added = dunlin_server.call("POST", "/firmware?name=pushed.bin", image)
    assert added.status == 201, added
    device = LeshanDevice(dunlin_server.coap, endpoint, firmware=True)
    try:
        device.wait_registered()
        wait_until(lambda: dunlin_server.registration(endpoint), 20, "the registration")
        mark = device.mark()
        body = {"image": added.json()["id"], "method": "push", "install": True}
        started = dunlin_server.call("POST", f"/devices/{endpoint}/firmware", body)
        assert started.status == 202, started
        job = lambda: dunlin_server.call("GET", f"/devices/{endpoint}/firmware").json()  # noqa: E731
        wait_until(lambda: job()["finishedAt"], 30, "the end of the update")
        assert job()["state"] == "done", job()
        assert job()["sent"] == len(image)
        assert device.event("package", mark, length=len(image))["good"] is True
        device.executed("/5/0/2", mark)
    finally:
        device.stop()
