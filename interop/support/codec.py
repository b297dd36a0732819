"""Readers of the formats on the wire, written from the standard and not shared with anything under test."""

import json
import math
import struct

import cbor2

TEXT, OPAQUE, LINK, CBOR, SENML_JSON, SENML_CBOR, TLV = 0, 42, 40, 60, 110, 112, 11542


def parse_links(text):
    """RFC 6690 as LwM2M uses it: {target: {name: value}}."""
    links, at = {}, 0
    while at < len(text):
        assert text[at] == "<", text[at:]
        end = text.index(">", at)
        target, at, attributes = text[at + 1 : end], end + 1, {}
        while at < len(text) and text[at] == ";":
            stop = at + 1
            quoted = False
            while stop < len(text) and (quoted or text[stop] not in ";,"):
                quoted ^= text[stop] == '"'
                stop += 1
            name, _, value = text[at + 1 : stop].partition("=")
            attributes[name] = value.strip('"')
            at = stop
        assert target not in links, f"{target} twice"
        links[target] = attributes
        assert at == len(text) or text[at] == ",", text[at:]
        at += 1
    return links


def senml(records):
    """Resolved SenML (RFC 8428): base name and name are put together as they are."""
    keys = {-2: "bn", -3: "bt", 0: "n", 2: "v", 3: "vs", 4: "vb", 6: "t", 8: "vd"}
    base, found = "", {}
    for record in records:
        record = {keys.get(k, k): v for k, v in record.items()}
        base = record.get("bn", base)
        name = base + record.get("n", "")
        values = [record[k] for k in ("v", "vs", "vb", "vd", "vlo") if k in record]
        assert len(values) == 1, record
        assert name.startswith("/") and name not in found, record
        found[name] = values[0]
    return found


def tlv(data, base):
    """{path: bytes} of TLV below a path (Core 1.1 §7.4.3)."""
    found, at = {}, 0
    while at < len(data):
        head = data[at]
        wide = 2 if head & 0x20 else 1
        number = int.from_bytes(data[at + 1 : at + 1 + wide], "big")
        at += 1 + wide
        count = head >> 3 & 3
        size = int.from_bytes(data[at : at + count], "big") if count else head & 7
        at += count
        value = data[at : at + size]
        assert len(value) == size, "TLV is cut off"
        at += size
        path = f"{base}/{number}"
        if head >> 6 in (0, 2):
            found.update(tlv(value, path))
        else:
            assert path not in found
            found[path] = value
    return found


def tlv_value(data, like):
    """A TLV value with the type another format showed."""
    if isinstance(like, bool):
        assert data in (b"\x00", b"\x01"), data
        return data == b"\x01"
    if isinstance(like, (int, float)):
        if isinstance(like, float) or len(data) not in (1, 2, 4, 8):
            return struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
        return int.from_bytes(data, "big", signed=True)
    return data.decode() if isinstance(like, str) else data


def decode(content_format, payload, base):
    if content_format == SENML_JSON:
        return senml(json.loads(payload))
    if content_format == SENML_CBOR:
        return senml(cbor2.loads(payload))
    if content_format == TLV:
        return tlv(payload, base)
    if content_format == TEXT:
        return {base: payload.decode()}
    if content_format == CBOR:
        return {base: cbor2.loads(payload)}
    raise AssertionError(f"Content-Format {content_format}")


def close(left, right):
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (left, right))
    return math.isclose(left, right, rel_tol=1e-6) if numbers else type(left) is type(right) and left == right
