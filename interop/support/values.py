"""Values and content formats as the tests see them."""

import dataclasses
import math
import typing


class Format(typing.NamedTuple):
    number: int
    rest: str


FORMATS = {
    "TEXT": Format(0, "text"),
    "OPAQUE": Format(42, "opaque"),
    "CBOR": Format(60, "cbor"),
    "SENML_JSON": Format(110, "senml-json"),
    "SENML_CBOR": Format(112, "senml-cbor"),
    "TLV": Format(11542, "tlv"),
    "JSON": Format(11543, "json"),
    "LWM2M_CBOR": Format(11544, "lwm2m-cbor"),
}


@dataclasses.dataclass
class Answer:
    code: str
    format: int
    records: dict
    location: str = None
    handle: str = None
    links: dict = None
    detail: str = ""
    raw: dict = None

    @property
    def ok(self):
        return self.code is not None and self.code.startswith("2.")


def same(left, right):
    """Equal values of the same JSON kind; numbers may be int or float (JSON has one number type)."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right or math.isclose(left, right, rel_tol=1e-6)
    return type(left) is type(right) and left == right


def same_type(left, right):
    return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)


def flatten_leshan(path, node):
    """Leshan's nested JSON below `path` as {path: value}."""
    out = {}
    _flatten(path.rstrip("/"), node, out)
    return out


def flatten_composite(nodes):
    """Leshan's nodes by path, as {path: value}; a path without a node is left out."""
    out = {}
    for path, node in nodes.items():
        if node is not None:
            _flatten(path, node, out)
    return out


def _value(node, value):
    return bytes.fromhex(value) if node.get("type") == "OPAQUE" else value


def _flatten(path, node, out):
    if "instances" in node:
        for instance in node["instances"]:
            _flatten(f"{path}/{instance['id']}", instance, out)
    elif "resources" in node:
        for resource in node["resources"]:
            _flatten(f"{path}/{resource['id']}", resource, out)
    elif "values" in node:
        for i, value in node["values"].items():
            out[f"{path}/{i}"] = _value(node, value)
    elif "value" in node:
        out[path] = _value(node, node["value"])
