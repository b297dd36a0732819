"""Management servers with one face: ours through its REST, Leshan's through the REST of its demo.

Every operation returns an Answer: the device's CoAP code ("2.05"), the Content-Format it used when the server tells,
and the values by path. Opaque values are bytes, times are seconds.
"""

import base64
import dataclasses
import pathlib
import tempfile
import urllib.parse

from . import peers
from .process import Process, free_port, wait_until
from .rest import Events, call
from .values import Answer, FORMATS, flatten_composite, flatten_leshan, same_type


def _quote(text):
    return urllib.parse.quote(text, safe="")


@dataclasses.dataclass
class Notification:
    path: str
    records: dict


class DunlinServer:
    name = "dunlin"
    formats = ("TLV", "SENML_JSON", "SENML_CBOR", "JSON", "TEXT", "CBOR")

    def __init__(self, coap=0, data=None, keys=None):
        """With keys it has those of `server`, and trusts certificates of the root."""
        self._folder = None
        if data is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dunlin-interop-")
            data = self._folder.name
        self.data = pathlib.Path(data)
        self.process = None
        self._start(coap)
        if keys:
            own = {"key": keys.path("server.key.pem"), "certificates": keys.path("server.short.pem")}
            answer = self.call("PUT", "/credentials/server", {name: path.read_text() for name, path in own.items()})
            assert answer.status == 200, answer
            root = keys.path("root.pem").read_text()
            assert self.call("POST", "/credentials/trust", {"certificate": root}).status in (200, 201)
            self.process.stop()
            self._start(coap)  # its own key is read at its start

    def _start(self, coap):
        self.process = Process(
            "dunlin-serve",
            [peers.dunlin(), "serve", "--http", "127.0.0.1:0", "--coap", f"127.0.0.1:{coap}", "--data", self.data],
        )
        try:
            self.coap = self.process.wait_line(r"^CoAP\s+(coap://127\.0\.0\.1:\d+)")[1]
            self.secure_port = int(self.process.wait_line(r"^CoAPS\s+coaps://127\.0\.0\.1:(\d+)")[1])
            self.http = self.process.wait_line(r"^Console\s+(http://127\.0\.0\.1:\d+)/")[1]
            wait_until(lambda: self._health() == "ok", 10, "/health")
        except BaseException:
            self.stop()
            raise
        self.port = int(self.coap.rsplit(":", 1)[1])

    def accept(self, endpoint, mode, identity=b"", key=b"", public=None):
        """Lets a device in: the endpoint with what it will prove."""
        if mode == "x509":
            return  # its name is in the certificate, and the root is trusted
        credential = {
            "psk": {"identityHex": identity.hex(), "key": key.hex()},
            "rpk": {"publicKey": pathlib.Path(public).read_text()} if public else None,
        }[mode]
        response = self.call("POST", "/credentials", {"endpoint": endpoint, mode: credential})
        assert response.status == 201, response

    def _health(self):
        try:
            return self.call("GET", "/health").json()["status"]
        except OSError:
            return None

    def stop(self):
        self.process.stop()
        if self._folder:
            self._folder.cleanup()

    def call(self, method, path, body=None, content_type=None, timeout=40):
        return call(method, self.http, "/api/v1" + path, body, content_type, timeout)

    def _answer(self, response, *good):
        """Our REST answers 2xx with the code, or problem details with coapCode."""
        json = response.json()
        if response.status >= 300:
            assert response.headers["Content-Type"] == "application/problem+json", response
            assert json["status"] == response.status, response
            assert json["title"] and json["detail"], response
            return Answer(json.get("coapCode"), None, {}, detail=str(json))
        assert response.status in good, response
        return Answer(json["code"], json.get("format"), self._records(json), location=json.get("location"), raw=json)

    @staticmethod
    def _records(json):
        records = {}
        for record in json.get("records") or []:
            if "value" not in record:  # an instance or a multiple resource that is there, and empty
                continue
            value = record["value"]
            if record["type"] == "Opaque":
                value = base64.b64decode(value, validate=True)
            assert record["path"] not in records, f"two records for {record['path']}"
            records[record["path"]] = value
        return records

    def endpoints(self):
        return [d["endpoint"] for d in self.call("GET", "/devices").json()["items"]]

    def registration(self, endpoint):
        """The registration in neutral terms, or None."""
        response = self.call("GET", f"/devices/{_quote(endpoint)}")
        if response.status == 404:
            assert response.json()["title"] == "Unknown endpoint", response
            return None
        assert response.status == 200, response
        device = response.json()
        objects = {}
        for entry in device["objects"]:
            objects.setdefault(entry["id"], set()).update(entry["instances"])
        return {
            "endpoint": device["endpoint"],
            "id": device["registrationId"],
            "version": device["version"],
            "lifetime": device["lifetime"],
            "objects": {k: sorted(v) for k, v in objects.items()},
            "formats": sorted(device["contentFormats"]),
            "raw": device,
        }

    def _data(self, endpoint, path, fmt=None):
        query = f"?format={FORMATS[fmt].rest}" if fmt else ""
        return f"/devices/{_quote(endpoint)}/data{path}{query}"

    def read(self, endpoint, path, fmt=None):
        return self._answer(self.call("GET", self._data(endpoint, path, fmt)), 200)

    @staticmethod
    def _json(value):
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    def write(self, endpoint, path, kind, value, fmt=None):
        return self._answer(self.call("PUT", self._data(endpoint, path, fmt), {"value": self._json(value)}), 200)

    def write_instance(self, endpoint, path, values, replace=False, fmt=None):
        records = [{"path": f"{path}/{rid}", "value": self._json(v)} for rid, (_, v) in values.items()]
        method = "PUT" if replace else "PATCH"
        return self._answer(self.call(method, self._data(endpoint, path, fmt), {"records": records}), 200)

    def write_multiple(self, endpoint, path, kind, values, replace=True, fmt=None):
        # the type is named for objects the server has no definition of
        word = {"OPAQUE": "Opaque"}[kind]
        records = [{"path": f"{path}/{i}", "value": self._json(v), "type": word} for i, v in values.items()]
        method = "PUT" if replace else "PATCH"
        return self._answer(self.call(method, self._data(endpoint, path, fmt), {"records": records}), 200)

    def execute(self, endpoint, path, arguments=None):
        return self._answer(self.call("POST", self._data(endpoint, path), arguments), 200)

    def create(self, endpoint, object_id, instance, values, fmt=None):
        body = {
            "instance": instance,
            "records": [
                {"path": f"/{object_id}/{instance}/{rid}", "value": self._json(v)} for rid, (_, v) in values.items()
            ],
        }
        return self._answer(self.call("POST", self._data(endpoint, f"/{object_id}", fmt), body), 201)

    def delete(self, endpoint, path):
        return self._answer(self.call("DELETE", self._data(endpoint, path)), 200)

    def discover(self, endpoint, path):
        response = self.call("GET", f"/devices/{_quote(endpoint)}/discover{path}")
        answer = self._answer(response, 200)
        if answer.ok:
            answer.links = {link["path"]: dict(link["attributes"]) for link in answer.raw["links"]}
        return answer

    def attributes(self, endpoint, path, attributes):
        return self._answer(self.call("PUT", f"/devices/{_quote(endpoint)}/attributes{path}", attributes), 200)

    def events(self, endpoint=None):
        return DunlinEvents(self, endpoint)

    def observe(self, endpoint, path, fmt=None):
        """Records the wish and waits until the device has accepted it."""
        response = self.call("POST", f"/devices/{_quote(endpoint)}/observations", {"path": path})
        assert response.status == 201, response
        wish = response.json()
        assert wish["path"] == path

        def active():
            items = self.call("GET", f"/devices/{_quote(endpoint)}/observations").json()["items"]
            [mine] = [o for o in items if o["id"] == wish["id"]]
            assert mine["state"] != "failed", mine
            return mine if mine["state"] == "active" and mine["records"] else None

        observation = wait_until(active, 10, "the observation to become active")
        return Answer("2.05", None, self._records(observation), handle=wish["id"])

    def cancel(self, endpoint, path, handle):
        response = self.call("DELETE", f"/devices/{_quote(endpoint)}/observations/{handle}")
        assert response.status == 204, response

    def _composite(self, endpoint, what, fmt):
        query = f"?format={FORMATS[fmt].rest}" if fmt else ""
        return f"/devices/{_quote(endpoint)}/composite/{what}{query}"

    def read_composite(self, endpoint, paths, fmt=None):
        return self._answer(self.call("POST", self._composite(endpoint, "read", fmt), {"paths": paths}), 200)

    def write_composite(self, endpoint, values, fmt=None):
        records = [{"path": path, "value": self._json(value)} for path, (_, value) in values.items()]
        return self._answer(self.call("POST", self._composite(endpoint, "write", fmt), {"records": records}), 200)

    def observe_composite(self, endpoint, paths, fmt=None):
        """Records the wish and waits until the device has accepted it."""
        response = self.call("POST", f"/devices/{_quote(endpoint)}/observations", {"paths": paths})
        assert response.status == 201, response
        wish = response.json()
        assert wish["paths"] == paths

        def active():
            items = self.call("GET", f"/devices/{_quote(endpoint)}/observations").json()["items"]
            [mine] = [o for o in items if o["id"] == wish["id"]]
            assert mine["state"] != "failed", mine
            return mine if mine["state"] == "active" and mine["records"] else None

        observation = wait_until(active, 10, "the observation to become active")
        return Answer("2.05", None, self._records(observation), handle=wish["id"])

    def cancel_composite(self, endpoint, handle):
        self.cancel(endpoint, None, handle)

    def sends(self, endpoint):
        return self.call("GET", f"/devices/{_quote(endpoint)}/sends").json()["items"]

    def enqueue(self, endpoint, operation):
        response = self.call("POST", f"/devices/{_quote(endpoint)}/operations", operation)
        assert response.status == 201, response
        return response.json()["id"]

    def operation(self, endpoint, number):
        return self.call("GET", f"/devices/{_quote(endpoint)}/operations/{number}").json()


class DunlinEvents(Events):
    NAMES = {
        "registration": "registration",
        "update": "update",
        "deregistration": "deregistration",
        "notification": "notification",
    }

    def __init__(self, server, endpoint, last=None):
        path = "/api/v1/events" + (f"?endpoint={_quote(endpoint)}" if endpoint else "")
        super().__init__(server.http, path, {"Last-Event-ID": last} if last else None)

    def wait_for(self, name, timeout=10):
        found = self.wait(lambda n, d: n == name, timeout, f"a {name} event")
        return found[1]

    def notifications(self, path):
        return [
            Notification(d["path"], DunlinServer._records(d))
            for n, d, _ in list(self.all)
            if n == "notification" and d["path"] == path
        ]

    def composite_notifications(self, handle):
        return [
            DunlinServer._records(d)
            for n, d, _ in list(self.all)
            if n == "notification" and d["observation"] == handle
        ]

    def sends(self):
        """Each Send as [(time, path, value)]."""
        return [
            [(r.get("time"), r["path"], r["value"]) for r in d["records"]] for n, d, _ in list(self.all) if n == "send"
        ]

    def wait_notification(self, path, records, timeout=10):
        wait_until(
            lambda: any(same_type(n.records, records) for n in self.notifications(path)),
            timeout,
            f"a notification of {path} with {records}; saw {self.notifications(path)}",
        )


class LeshanEvents(Events):
    NAMES = {"registration": "REGISTRATION", "update": "UPDATED", "deregistration": "DEREGISTRATION"}

    def __init__(self, server, endpoint):
        super().__init__(server.http, f"/api/event?ep={_quote(endpoint)}" if endpoint else "/api/event")

    def wait_for(self, name, timeout=10):
        return self.wait(lambda n, d: n == self.NAMES[name], timeout, f"a {name} event")[1]

    def notifications(self, path):
        return [
            Notification(d["res"], flatten_leshan(path, d["val"]))
            for n, d, _ in list(self.all)
            if n == "NOTIFICATION" and d["res"] == path
        ]

    wait_notification = DunlinEvents.wait_notification

    def composite_notifications(self, handle):
        return [flatten_composite(d["val"]) for n, d, _ in list(self.all) if n == "COMPOSITE_NOTIFICATION"]

    def sends(self):
        return [
            [(t["time"], path, value) for t in d["times"] for path, value in flatten_composite(t["val"]).items()]
            for n, d, _ in list(self.all)
            if n == "SEND"
        ]


class LeshanServer:
    """Leshan's current server library behind our small driver (leshan/src/PeerServer.java)."""

    name = "leshan"
    formats = ("TLV", "SENML_JSON", "SENML_CBOR", "JSON", "TEXT", "CBOR")
    tells_format = True
    resource_instances = True
    active_cancel = True

    def __init__(self, keys=None, cid=6):
        """With keys also by coaps, on `secure_port`."""
        self.port = free_port()
        web = free_port()
        self.coap = f"coap://127.0.0.1:{self.port}"
        self.http = f"http://127.0.0.1:{web}"
        self.secure_port = free_port()
        secure = []
        if keys:
            secure = [self.secure_port, f"cid={cid}", f"key={keys.path('server.key.pem')}",
                      f"certificate={keys.path('server.short.pem')}", f"trust={keys.path('root.pem')}"]  # fmt: skip
        self.process = Process("leshan-server", peers.java("PeerServer", self.port, web, peers.MODELS, *secure))
        self._ready("^ready$")

    def accept(self, endpoint, mode, identity=b"", key=b"", public=None):
        """Lets a device in: the endpoint with what it will prove."""
        query = {"endpoint": endpoint}
        if mode == "psk":
            query |= {"identity": identity.hex(), "psk": key.hex()}
        if mode == "rpk":
            query |= {"public": public}
        assert call("POST", self.http, "/api/security?" + urllib.parse.urlencode(query)).status == 204

    def _ready(self, pattern):
        try:
            self.process.wait_line(pattern, 40)
            wait_until(self._answers, 20, "the REST of Leshan")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        try:
            return call("GET", self.http, "/api/clients").status == 200
        except OSError:
            return False

    def stop(self):
        self.process.stop()

    def endpoints(self):
        return [c["endpoint"] for c in call("GET", self.http, "/api/clients").json()]

    def registration(self, endpoint):
        response = call("GET", self.http, f"/api/clients/{_quote(endpoint)}")
        if response.status == 400:
            return None
        client = response.json()
        objects = {}
        for link in client["objectLinks"]:
            parts = [int(p) for p in link["url"].strip("/").split("/") if p]
            if parts:
                objects.setdefault(parts[0], []).extend(parts[1:2])
        return {
            "endpoint": client["endpoint"],
            "id": client["registrationId"],
            "version": client["lwM2mVersion"],
            "lifetime": client["lifetime"],
            "objects": {k: sorted(v) for k, v in objects.items()},
            "formats": sorted(client["contentFormats"]) if "contentFormats" in client else None,
            "raw": client,
        }

    def _call(self, method, endpoint, path, body=None, query="", content_type=None):
        return call(method, self.http, f"/api/clients/{_quote(endpoint)}{path}{query}", body, content_type)

    def _answer(self, response, path=None):
        assert response.status == 200, response
        json = response.json()
        digits = json["status"].rsplit("(", 1)[1].rstrip(")")
        answer = Answer(f"{digits[0]}.{digits[1:]}", None, {}, raw=json, location=json.get("location"))
        answer.detail = json.get("errormessage", "")
        if self.tells_format and json.get("contentFormat", -1) >= 0:
            answer.format = json["contentFormat"]
        if path is not None and "content" in json:
            answer.records = flatten_leshan(path, json["content"])
        return answer

    @staticmethod
    def _query(fmt):
        return f"?format={fmt}" if fmt else ""

    def read(self, endpoint, path, fmt=None):
        return self._answer(self._call("GET", endpoint, path, query=self._query(fmt)), path)

    @staticmethod
    def _resource(rid, kind, value):
        if isinstance(value, bytes):
            value = value.hex()
        return {"id": int(rid), "kind": "singleResource", "type": kind, "value": value}

    def write(self, endpoint, path, kind, value, fmt=None):
        body = self._resource(path.rsplit("/", 1)[1], kind, value)
        return self._answer(self._call("PUT", endpoint, path, body, self._query(fmt)))

    def write_instance(self, endpoint, path, values, replace=False, fmt=None):
        body = {"id": int(path.split("/")[2]), "kind": "instance"}
        body["resources"] = [self._resource(rid, k, v) for rid, (k, v) in values.items()]
        query = f"?replace={str(replace).lower()}" + (f"&format={fmt}" if fmt else "")
        return self._answer(self._call("PUT", endpoint, path, body, query))

    def write_multiple(self, endpoint, path, kind, values, replace=True, fmt=None):
        body = {"id": int(path.split("/")[3]), "kind": "multiResource", "type": kind}
        body["values"] = {str(i): v.hex() if isinstance(v, bytes) else v for i, v in values.items()}
        query = f"?replace={str(replace).lower()}" + (f"&format={fmt}" if fmt else "")
        return self._answer(self._call("PUT", endpoint, path, body, query))

    def execute(self, endpoint, path, arguments=None):
        return self._answer(self._call("POST", endpoint, path, arguments or ""))

    def create(self, endpoint, object_id, instance, values, fmt=None):
        body = {"id": instance, "kind": "instance"}
        body["resources"] = [self._resource(rid, k, v) for rid, (k, v) in values.items()]
        return self._answer(self._call("POST", endpoint, f"/{object_id}", body, self._query(fmt)))

    def delete(self, endpoint, path):
        return self._answer(self._call("DELETE", endpoint, path))

    def discover(self, endpoint, path):
        answer = self._answer(self._call("GET", endpoint, f"{path}/discover"))
        if answer.ok:
            answer.links = {
                link["url"]: {k: None if v is None else str(v) for k, v in link["attributes"].items()}
                for link in answer.raw["objectLinks"]
            }
        return answer

    def attributes(self, endpoint, path, attributes):
        query = "&".join(k if v is None else f"{k}={v}" for k, v in attributes.items())
        return self._answer(self._call("PUT", endpoint, f"{path}/attributes", query=f"?{query}"))

    def _composite(self, paths, fmt):
        return f"?paths={','.join(paths)}&format={fmt or 'SENML_CBOR'}"

    def _composite_answer(self, response):
        answer = self._answer(response)
        answer.records = flatten_composite(answer.raw.get("content") or {})
        return answer

    def read_composite(self, endpoint, paths, fmt=None):
        return self._composite_answer(self._call("GET", endpoint, "/composite", query=self._composite(paths, fmt)))

    def write_composite(self, endpoint, values, fmt=None):
        body = {p: self._resource(p.rsplit("/", 1)[1], kind, value) for p, (kind, value) in values.items()}
        query = f"?format={fmt or 'SENML_CBOR'}"
        return self._answer(self._call("PUT", endpoint, "/composite", body, query))

    def observe_composite(self, endpoint, paths, fmt=None):
        return self._composite_answer(self._call("POST", endpoint, "/composite", query=self._composite(paths, fmt)))

    def cancel_composite(self, endpoint, handle):
        assert self._call("DELETE", endpoint, "/composite", query="?active=true").status == 200

    def events(self, endpoint=None):
        return LeshanEvents(self, endpoint)

    def observe(self, endpoint, path, fmt=None):
        return self._answer(self._call("POST", endpoint, f"{path}/observe", query=self._query(fmt)), path)

    def cancel(self, endpoint, path, handle):
        query = "?active=true" if self.active_cancel else ""
        assert self._call("DELETE", endpoint, f"{path}/observe", query=query).status == 200


class LeshanDemo(LeshanServer):
    """The demo server application as released, with its own REST and event stream."""

    name = "leshan-demo"
    formats = ("TLV", "SENML_JSON", "SENML_CBOR", "JSON", "TEXT")
    tells_format = False
    resource_instances = False
    active_cancel = False

    def __init__(self):
        self.port = free_port()
        coaps, web = free_port(), free_port()
        self.coap = f"coap://127.0.0.1:{self.port}"
        self.http = f"http://127.0.0.1:{web}"
        self.process = Process("leshan-demo", peers.leshan_demo(self.port, coaps, web), cwd=str(peers.PEERS))
        self._ready("Web server started")
