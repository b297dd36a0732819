"""HTTP with the standard library, and a reader of server-sent events."""

import http.client
import json
import threading
import time
import urllib.parse


class Response:
    def __init__(self, status, body, headers):
        self.status = status
        self.text = body.decode("utf-8", "replace")
        self.headers = headers

    def json(self):
        return json.loads(self.text) if self.text else None

    def __repr__(self):
        return f"HTTP {self.status}: {self.text[:600]}"


def call(method, base, path, body=None, content_type=None, timeout=30):
    """One request; a dict or list as body goes as JSON, a string as text/plain, bytes as they are."""
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    headers = {}
    if body is not None:
        if isinstance(body, (dict, list)):
            headers["Content-Type"] = content_type or "application/json"
            body = json.dumps(body).encode()
        elif isinstance(body, bytes):
            headers["Content-Type"] = content_type or "application/octet-stream"
        else:
            headers["Content-Type"] = content_type or "text/plain"
            body = body.encode()
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Response(answer.status, answer.read(), answer.headers)
    finally:
        connection.close()


class Events:
    """Server-sent events, collected by a thread: (name, data, id)."""

    def __init__(self, base, path, headers=None):
        url = urllib.parse.urlsplit(base)
        self.all = []
        self._changed = threading.Condition()
        self._closed = False
        self._connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
        self._connection.request("GET", path, headers={"Accept": "text/event-stream", **(headers or {})})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, (path, self._answer.status, self._answer.read())
        assert self._answer.headers["Content-Type"].startswith("text/event-stream")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        name, data, number = None, [], None
        try:
            for raw in self._answer:
                line = raw.decode("utf-8").rstrip("\r\n")
                if line == "":
                    if data:
                        with self._changed:
                            self.all.append((name or "message", json.loads("\n".join(data)), number))
                            self._changed.notify_all()
                    name, data = None, []
                elif not line.startswith(":"):
                    field, _, value = line.partition(":")
                    value = value.removeprefix(" ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        data.append(value)
                    elif field == "id":
                        number = value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            if not self._closed:
                raise

    def wait(self, predicate, timeout=10, what="event"):
        """The first event the predicate likes."""
        end = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                while seen < len(self.all):
                    if predicate(*self.all[seen][:2]):
                        return self.all[seen]
                    seen += 1
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {timeout} s for {what}; saw {self.all!r}")
                self._changed.wait(min(left, 0.2))

    def close(self):
        self._closed = True
        try:
            self._answer.fp.raw._sock.shutdown(2)
        except (OSError, AttributeError):
            pass
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
