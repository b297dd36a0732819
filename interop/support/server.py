"""A management server made of aiocoap: takes registrations, then sends what a test wants to the device."""

import asyncio

import aiocoap
import aiocoap.resource as resource
from aiocoap import Code
from aiocoap.numbers import OptionNumber
from aiocoap.optiontypes import OpaqueOption

from .process import free_port, wait_until


class Registration:
    def __init__(self, request, location):
        self.query = dict(q.partition("=")[::2] for q in request.opt.uri_query)
        self.links = request.payload.decode()
        self.content_format = request.opt.content_format
        self.remote = request.remote.hostinfo
        self.location = location
        self.updates = []
        self.gone = False


class _Location(resource.Resource):
    def __init__(self, registration):
        super().__init__()
        self.registration = registration

    async def render_post(self, request):
        if self.registration.gone:
            return aiocoap.Message(code=Code.NOT_FOUND)
        query = dict(q.partition("=")[::2] for q in request.opt.uri_query)
        self.registration.updates.append((query, request.payload.decode()))
        if request.payload:
            self.registration.links = request.payload.decode()
        return aiocoap.Message(code=Code.CHANGED)

    async def render_delete(self, request):
        self.registration.gone = True
        return aiocoap.Message(code=Code.DELETED)


class _Directory(resource.Resource):
    def __init__(self, server):
        super().__init__()
        self.server = server

    async def render_post(self, request):
        server = self.server
        number = f"{len(server.attempts):x}a"
        registration = Registration(request, ("rd", number))
        server.attempts.append(registration)
        if registration.query.get("lwm2m") not in server.versions:
            return aiocoap.Message(code=Code.PRECONDITION_FAILED)
        server.registrations[registration.query["ep"]] = registration
        server.site.add_resource(registration.location, _Location(registration))
        answer = aiocoap.Message(code=Code.CREATED)
        answer.opt.location_path = registration.location
        return answer


class AiocoapServer:
    name = "aiocoap"

    def __init__(self, loop, versions=("1.0", "1.1", "1.2")):
        self.loop, self.versions = loop, versions
        self.port = free_port()
        self.coap = f"coap://127.0.0.1:{self.port}"
        self.attempts, self.registrations = [], {}
        loop.run(self._start())

    async def _start(self):
        self.site = resource.Site()
        self.site.add_resource(("rd",), _Directory(self))
        self.context = await aiocoap.Context.create_server_context(self.site, bind=("127.0.0.1", self.port))

    def stop(self):
        self.loop.run(self.context.shutdown())

    def registration(self, endpoint):
        found = self.registrations.get(endpoint)
        return None if found is None or found.gone else found

    def message(self, code, endpoint, path, payload=b"", block_size=None, option=None, **options):
        uri = f"coap://{self.registrations[endpoint].remote}{path}"
        message = aiocoap.Message(code=code, uri=uri, payload=payload, **options)
        if block_size is not None:
            message.remote.maximum_block_size_exp = block_size
        if option is not None:
            message.opt.add_option(OpaqueOption(OptionNumber(option[0]), option[1]))
        return message

    def request(self, code, endpoint, path, payload=b"", **options):
        message = self.message(code, endpoint, path, payload, **options)

        async def send():
            return await self.context.request(message).response

        return self.loop.run(send())

    def observe(self, endpoint, path, **options):
        return Observation(self, self.message(aiocoap.GET, endpoint, path, observe=0, **options))


class Observation:
    def __init__(self, server, message):
        self.server = server
        self.notifications = []

        async def collect():
            async for notification in self.request.observation:
                self.notifications.append(notification)

        async def start():
            self.request = server.context.request(message)
            first = await self.request.response
            self.task = asyncio.ensure_future(collect())
            return first

        self.first = server.loop.run(start())

    def wait(self, predicate, timeout=10, what="a notification"):
        return wait_until(lambda: next((n for n in list(self.notifications) if predicate(n)), None), timeout, what)

    def cancel(self):
        async def cancel():
            self.task.cancel()
            self.request.observation.cancel()

        self.server.loop.run(cancel())
