"""Devices with one face: Leshan's client library, and our `dunlin device`."""

import json

from . import peers
from .process import Process
from .values import flatten_leshan


class LeshanDevice:
    """Leshan's client library behind our small driver (leshan/src/PeerClient.java)."""

    name = "leshan"
    # 40 and 0 need not be announced; what is in its register message and works on Read
    formats = ("TLV", "SENML_JSON", "SENML_CBOR", "JSON", "TEXT", "CBOR")

    def __init__(self, server, endpoint, lifetime=300, queue=False, firmware=False, security=()):
        self.endpoint = endpoint
        more = ["queue"] * queue + ["firmware"] * firmware + list(security)
        self.process = Process(
            "leshan-client", peers.java("PeerClient", server, endpoint, lifetime, peers.MODELS, *more)
        )

    def wait_registered(self):
        self.event("registered", timeout=30)
        return self

    def event(self, name, start=0, timeout=15, **fields):
        """The first event of that name (from line `start` on) with these fields."""
        while True:
            match = self.process.wait_line(r"^\{\"event\":\"" + name + r"\".*\}$", timeout, start)
            found = json.loads(match[0])
            if all(found.get(k) == v for k, v in fields.items()):
                return found
            start = self.process.lines.index(match[0], start) + 1

    def mark(self):
        return len(self.process.lines)

    def _command(self, line, event):
        mark = self.mark()
        self.process.say(line)
        return self.event(event, mark)

    def set(self, path, value):
        if isinstance(value, bool):
            value = str(value).lower()
        self._command(f"set {path} {value}", "set")

    def get(self, path):
        found = self._command(f"get {path}", "value")
        return flatten_leshan(path, found["node"]) if found["node"] else {}

    def executed(self, path, mark):
        return self.event("execute", mark, path=path)

    def update(self):
        self._command("update", "updated")

    def send(self, paths, fmt="SENML_CBOR"):
        assert self._command(f"send {fmt} {','.join(paths)}", "sent")["code"] == 204

    def collect(self, path):
        self._command(f"collect {path}", "collected")

    def flush(self, fmt="SENML_CBOR"):
        self._command(f"flush {fmt}", "flushed")

    def deregister(self):
        self._command("stop", "deregistered")

    def stop(self):
        self.process.stop()


class DunlinDevice:
    """`dunlin device` and its shell on stdin."""

    name = "dunlin"
    formats = ("TLV", "SENML_JSON", "SENML_CBOR", "TEXT", "CBOR")

    def __init__(self, server, endpoint, lifetime=None, queue=False, security=()):
        self.endpoint = endpoint
        command = [peers.dunlin(), "device", "--server", server, "--endpoint", endpoint]
        if lifetime is not None:
            command += ["--lifetime", lifetime]
        if queue:
            command += ["--queue"]
        command += security
        self.process = Process("dunlin-device", command)

    def wait_registered(self):
        return self  # the server's own list is the proof; the shell's words are not part of a contract

    def mark(self):
        return len(self.process.lines)

    def set(self, path, value):
        if isinstance(value, bool):
            value = str(value).lower()
        self.process.say(f"set {path} {value}")

    def update(self):
        self.process.say("update")

    def send(self, paths, fmt=None):
        self.process.say(f"send {' '.join(paths)}")

    def deregister(self):
        self.process.say("quit")

    def stop(self):
        self.process.stop()
