"""A device made of aiocoap: it registers from the socket it listens on, and its resources behave as told."""

import asyncio
import json
import struct

import aiocoap
import aiocoap.resource as resource
import cbor2
from aiocoap import Code

from .process import free_port

TEXT, OPAQUE, LINK, SENML_JSON, SENML_CBOR, TLV = 0, 42, 40, 110, 112, 11542


def tlv(kind, number, value):
    """One TLV (Core 1.1 §7.4.3); kind 0 instance, 1 resource instance, 2 multiple resource, 3 resource with value."""
    wide = number > 255
    head = kind << 6 | wide << 5
    size = len(value)
    if size < 8:
        lengths = b""
        head |= size
    else:
        count = (size.bit_length() + 7) // 8
        head |= count << 3
        lengths = size.to_bytes(count, "big")
    return bytes([head]) + number.to_bytes(2 if wide else 1, "big") + lengths + value


class Value(resource.Resource):
    """A resource with a fixed answer per content format, after a delay; keeps what is written to it."""

    def __init__(self, formats, delay=0.0, code=Code.CONTENT):
        super().__init__()
        self.formats = formats
        self.delay = delay
        self.code = code
        self.received = []

    async def _answer(self, request):
        if self.delay:
            await asyncio.sleep(self.delay)
        accept = request.opt.accept
        if accept is None:
            accept = next(iter(self.formats))
        if accept not in self.formats:
            return aiocoap.Message(code=Code.NOT_ACCEPTABLE)
        return aiocoap.Message(code=self.code, payload=self.formats[accept], content_format=accept)

    async def render_get(self, request):
        return await self._answer(request)

    async def render_put(self, request):
        self.received.append((request.opt.content_format, request.payload))
        if self.delay:
            await asyncio.sleep(self.delay)
        return aiocoap.Message(code=Code.CHANGED)

    async def render_post(self, request):
        self.received.append((request.opt.content_format, request.payload))
        return aiocoap.Message(code=Code.CHANGED)


class Refusal(resource.Resource):
    def __init__(self, code, words=""):
        super().__init__()
        self.code, self.words = code, words

    async def render_get(self, request):
        return aiocoap.Message(code=self.code, payload=self.words.encode())


class Creation(resource.Resource):
    """An object: POST makes instance 9, and says so."""

    def __init__(self):
        super().__init__()
        self.received = []

    async def render_post(self, request):
        self.received.append((request.opt.content_format, request.payload))
        answer = aiocoap.Message(code=Code.CREATED)
        answer.opt.location_path = ("3303", "9")
        return answer

    async def render_delete(self, request):
        return aiocoap.Message(code=Code.DELETED)


class Observed(resource.ObservableResource):
    """A number that is observed: text, or SenML when asked for."""

    def __init__(self, path, value):
        super().__init__()
        self.path, self.value = path, value
        self.observers = 0

    def set(self, value):
        self.value = value
        self.updated_state()

    def update_observation_count(self, count):
        self.observers = count

    async def render_get(self, request):
        if request.opt.accept == SENML_CBOR:
            return aiocoap.Message(payload=cbor2.dumps([{0: self.path, 2: self.value}]), content_format=SENML_CBOR)
        if request.opt.accept == SENML_JSON:
            pack = json.dumps([{"n": self.path, "v": self.value}]).encode()
            return aiocoap.Message(payload=pack, content_format=SENML_JSON)
        if request.opt.accept == TLV:
            return aiocoap.Message(payload=tlv(3, 5700, struct.pack(">d", self.value)), content_format=TLV)
        return aiocoap.Message(payload=str(self.value).encode(), content_format=TEXT)


LINKS = '</>;rt="oma.lwm2m";ct="60 110 112 11542",</1/0>,</3/0>,</19/0>,</3303/0>'
BIG = "".join(f"{i:07}," for i in range(400))  # 3200 characters, no two blocks alike


class AiocoapDevice:
    def __init__(self, loop, server_port, endpoint, lifetime=300, links=LINKS):
        self.loop, self.server_port, self.endpoint = loop, server_port, endpoint
        self.lifetime, self.links = lifetime, links
        self.port = free_port()
        self.location = None
        self.values = {
            "/3/0/0": Value({TEXT: b"aiocoap", TLV: tlv(3, 0, b"aiocoap")}),
            "/3/0/1": Value({TEXT: b"slow", TLV: tlv(3, 1, b"slow")}, delay=0.7),
            "/3/0/2": Value({TEXT: b"slower", TLV: tlv(3, 2, b"slower")}, delay=3.5),
            "/3/0/15": Value({TEXT: BIG.encode(), TLV: tlv(3, 15, BIG.encode())}),
            "/3/0/14": Value({TEXT: b"+00:00", TLV: tlv(3, 14, b"+00:00")}),
            "/3/0/4": Value({}),
            "/3/0": Value(
                {
                    SENML_JSON: json.dumps(
                        [{"bn": "/3/0/", "n": "0", "vs": "aiocoap"}, {"n": "9", "v": 87}, {"n": "15", "vs": BIG}]
                    ).encode(),
                    SENML_CBOR: cbor2.dumps([{-2: "/3/0/", 0: "0", 3: "aiocoap"}, {0: "9", 2: 87}, {0: "15", 3: BIG}]),
                    TLV: tlv(3, 0, b"aiocoap") + tlv(3, 9, bytes([87])) + tlv(3, 15, BIG.encode()),
                }
            ),
            "/3303": Creation(),
            "/3303/0/5700": Observed("/3303/0/5700", 20.5),
            "/3/0/17": Refusal(Code.SERVICE_UNAVAILABLE, "warming up"),
            "/3/0/18": Refusal(Code.UNAUTHORIZED),
            "/3/0/19": Refusal(Code.METHOD_NOT_ALLOWED),
        }
        self.context = None

    def start(self):
        self.loop.run(self._start())
        return self

    async def _start(self):
        site = resource.Site()
        for path, value in self.values.items():
            site.add_resource(path.strip("/").split("/"), value)
        self.context = await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", self.port))
        await self._register()

    async def _register(self):
        uri = f"coap://127.0.0.1:{self.server_port}/rd?ep={self.endpoint}&lt={self.lifetime}&lwm2m=1.1&b=U"
        answer = await self._request(aiocoap.POST, uri, self.links.encode(), LINK)
        assert answer.code == Code.CREATED, answer
        self.location = answer.opt.location_path
        assert len(self.location) == 2 and self.location[0] == "rd", self.location

    async def _request(self, code, uri, payload=b"", content_format=None):
        message = aiocoap.Message(code=code, uri=uri, payload=payload, content_format=content_format)
        return await self.context.request(message).response

    def uplink(self, code, query="", payload=b"", content_format=None):
        """An Update (POST) or a Deregister (DELETE)."""
        uri = f"coap://127.0.0.1:{self.server_port}/{'/'.join(self.location)}{query}"
        return self.loop.run(self._request(code, uri, payload, content_format))

    def set(self, path, value):
        self.loop.loop.call_soon_threadsafe(self.values[path].set, value)

    def stop(self):
        if self.context:
            self.loop.run(self.context.shutdown())
