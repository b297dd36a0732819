"""CoAP peers: aiocoap on an event loop of its own, and a hand-made UDP peer for what a library does not let one say."""

import asyncio
import collections
import itertools
import logging
import socket
import threading
import time

import aiocoap
import aiocoap.resource

logging.getLogger("coap").setLevel(logging.CRITICAL)
logging.getLogger("coap-server").setLevel(logging.CRITICAL)

CON, NON, ACK, RST = range(4)
OBSERVE, LOCATION_PATH, URI_PATH, CONTENT_FORMAT, URI_QUERY, ACCEPT, BLOCK2, BLOCK1 = 6, 8, 11, 12, 15, 17, 23, 27

CODES = {"GET": 0x01, "POST": 0x02, "PUT": 0x03, "DELETE": 0x04}


def code_number(text):
    return CODES.get(text) or int(text[0]) << 5 | int(text[2:])


def uint(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


class Message(collections.namedtuple("Message", "type code mid token options payload")):
    @property
    def status(self):
        return f"{self.code >> 5}.{self.code & 31:02}"

    def all(self, number):
        return [v for n, v in self.options if n == number]

    def uint(self, number):
        values = self.all(number)
        return int.from_bytes(values[0], "big") if values else None

    def encode(self):
        out = bytearray([0x40 | self.type << 4 | len(self.token), self.code]) + self.mid.to_bytes(2, "big") + self.token
        last = 0
        for number, value in sorted(self.options, key=lambda o: o[0]):
            head, tail = 0, b""
            for shift, n in ((4, number - last), (0, len(value))):
                nibble, extra = (n, b"") if n < 13 else (13, bytes([n - 13])) if n < 269 else (14, (n - 269).to_bytes(2, "big"))
                head |= nibble << shift
                tail += extra
            out += bytes([head]) + tail + value
            last = number
        return bytes(out) + (b"\xff" + self.payload if self.payload else b"")

    @classmethod
    def decode(cls, data):
        length = data[0] & 15
        assert data[0] >> 6 == 1 and length <= 8, data.hex()
        at, number, options = 4 + length, 0, []
        token = data[4:at]
        while at < len(data) and data[at] != 0xFF:
            parts = [data[at] >> 4, data[at] & 15]
            at += 1
            for i, nibble in enumerate(parts):
                assert nibble != 15, data.hex()
                if nibble == 13:
                    parts[i], at = data[at] + 13, at + 1
                elif nibble == 14:
                    parts[i], at = int.from_bytes(data[at : at + 2], "big") + 269, at + 2
            number += parts[0]
            options.append((number, data[at : at + parts[1]]))
            assert len(options[-1][1]) == parts[1], "option is cut off"
            at += parts[1]
        payload = data[at + 1 :] if at < len(data) else b""
        assert at >= len(data) or payload, "payload marker without payload"
        return cls(data[0] >> 4 & 3, data[1], int.from_bytes(data[2:4], "big"), token, options, payload)


def path_options(path):
    path, _, query = path.partition("?")
    options = [(URI_PATH, p.encode()) for p in path.split("/") if p]
    return options + [(URI_QUERY, q.encode()) for q in query.split("&") if q]


class RawPeer:
    """One UDP socket on loopback. Requests of the other side go to `handler`, which returns (code, options, payload)."""

    def __init__(self, port=None, handler=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.to = ("127.0.0.1", port) if port else None
        self.handler = handler
        self.requests = []
        self._mids = itertools.count(int(time.monotonic() * 1000) & 0xFFFF)
        self._tokens = itertools.count(1)
        self._answered = {}

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def next_mid(self):
        return next(self._mids) & 0xFFFF

    def next_token(self):
        return next(self._tokens).to_bytes(4, "big")

    def send(self, message):
        data = message if isinstance(message, bytes) else message.encode()
        self.socket.sendto(data, self.to)

    def receive(self, timeout=5.0):
        """The next message, or None."""
        data = self.receive_bytes(timeout)
        return None if data is None else Message.decode(data)

    def receive_bytes(self, timeout):
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data, peer = self.socket.recvfrom(65535)
        except (TimeoutError, BlockingIOError):
            return None
        assert peer[0] == "127.0.0.1"
        if self.to is None:
            self.to = peer
        return data

    def message(self, method, path, options=(), payload=b"", type=CON, token=None):
        token = self.next_token() if token is None else token
        return Message(type, code_number(method), self.next_mid(), token, path_options(path) + list(options), payload)

    def wait(self, wanted, timeout=10.0):
        """Runs the peer until a message is wanted; answers the requests of the other side on the way."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            message = self.receive(left) if left > 0 else None
            if message is None:
                return None
            if 0 < message.code < 0x20 and self.handler:
                self._serve(message)
            if wanted(message):
                return message

    def _serve(self, request):
        if request.mid not in self._answered:
            self.requests.append(request)
            code, options, payload = self.handler(request)
            kind, mid = (ACK, request.mid) if request.type == CON else (NON, self.next_mid())
            self._answered[request.mid] = Message(kind, code_number(code), mid, request.token, options, payload)
        self.send(self._answered[request.mid])

    def exchange(self, message, timeout=10.0):
        """Sends a request and returns the response; an Empty ACK before a separate response is passed over."""
        self.send(message)

        def wanted(m):
            return (m.code >= 0x40 and m.token == message.token) or (m.type == RST and m.mid == message.mid)

        response = self.wait(wanted, timeout)
        assert response is not None, f"no response to {message}"
        if response.type == CON:
            self.send(Message(ACK, 0, response.mid, b"", [], b""))
        elif response.type == ACK:
            assert response.mid == message.mid
        return response

    def request(self, method, path, options=(), payload=b"", **more):
        return self.exchange(self.message(method, path, options, payload, **more))

    def ping(self):
        mid = self.next_mid()
        self.send(Message(CON, 0, mid, b"", [], b""))
        return self.wait(lambda m: m.type == RST and m.mid == mid, 5)

    def block1(self, method, path, payload, szx, options=()):
        """Sends a body in blocks of one size and checks each 2.31; returns the final response and the number of blocks."""
        size, number = 1 << (szx + 4), 0
        while True:
            part = payload[number * size : (number + 1) * size]
            more = (number + 1) * size < len(payload)
            block = (BLOCK1, uint(number << 4 | more << 3 | szx))
            response = self.request(method, path, [*options, block], part)
            if not more:
                return response, number + 1
            assert response.status == "2.31", (number, response)
            answered = response.uint(BLOCK1)
            assert answered is not None and answered >> 4 == number and answered & 8, (number, answered)
            if answered & 7 < szx:  # it wants smaller blocks: the first one counts, go on at the same offset
                assert number == 0
                ratio = 1 << (szx - (answered & 7))
                szx = answered & 7
                size, number = 1 << (szx + 4), ratio
            else:
                number += 1

    def block2(self, method, path, szx, options=()):
        """Fetches a body in blocks of at most that size; returns the last response with the whole payload."""
        body, number, tag = b"", 0, None
        while True:
            block = (BLOCK2, uint(number << 4 | szx))
            response = self.request(method, path, [*options, block])
            assert response.status == "2.05", response
            answered = response.uint(BLOCK2)
            if answered is None:
                assert number == 0 and len(response.payload) <= 1 << (szx + 4)
                return response
            assert answered >> 4 == number and answered & 7 <= szx, (number, answered)
            szx = answered & 7
            assert len(body) == number << (szx + 4)
            tags = response.all(4)
            assert number == 0 or tags == tag, "the ETag changed"
            tag = tags
            body += response.payload
            if not answered & 8:
                return response._replace(payload=body)
            assert len(response.payload) == 1 << (szx + 4)
            number += 1


class Loop:
    """An event loop in a thread, so that tests stay plain functions."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine, timeout=40):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def stop(self):
        async def cancel():
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()

        self.run(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


def text_of(message):
    return message.payload.decode()


def status_of(message):
    return f"{message.code.class_}.{int(message.code) & 31:02}"
