#!/usr/bin/env python3
"""Prints the expected bytes of known_answers.rs, out of an implementation that is not ours: Python's
hmac and hashlib, and OpenSSL's AES and P-256 through the package `cryptography`. The layouts are
written down here a second time, from the standards.

    pip install cryptography && crates/dtls/tests/known_answers.py
"""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def prf(secret, label, seed, length):  # RFC 5246 section 5
    seed = label + seed
    a, out = seed, b""
    while len(out) < length:
        a = mac(secret, a)
        out += mac(secret, a + seed)
    return out[:length]


def show(name, data):
    print(f"const {name}: &str = \"{data.hex()}\";")


def hello(byte):
    return bytes((byte + i) & 0xFF for i in range(32))


CLIENT, SERVER = hello(0x10), hello(0x80)
PSK = bytes.fromhex("00112233445566778899aabbccddeeff")
HASH = hashlib.sha256(b"transcript").digest()

show("PRF", prf(bytes.fromhex("9bbe436ba940f017b17652849a71db35"), b"test label",
                bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"), 100))

psk = struct.pack(">H", 16) + bytes(16) + struct.pack(">H", 16) + PSK  # RFC 4279 section 2
master = prf(psk, b"master secret", CLIENT + SERVER, 48)
show("MASTER_PSK", master)
extended = prf(psk, b"extended master secret", HASH, 48)
show("MASTER_PSK_EXTENDED", extended)

ours = ec.derive_private_key(int.from_bytes(b"\x01" * 32, "big"), ec.SECP256R1())
theirs = ec.derive_private_key(int.from_bytes(b"\x02" * 32, "big"), ec.SECP256R1())


def point(key):
    n = key.public_key().public_numbers()
    return b"\x04" + n.x.to_bytes(32, "big") + n.y.to_bytes(32, "big")


show("POINT_1", point(ours))
show("POINT_2", point(theirs))
z = ours.exchange(ec.ECDH(), theirs.public_key())
show("SHARED", z)
ecdhe_psk = struct.pack(">H", 32) + z + struct.pack(">H", 16) + PSK  # RFC 5489 section 2
show("MASTER_ECDHE_PSK_EXTENDED", prf(ecdhe_psk, b"extended master secret", HASH, 48))
show("MASTER_ECDHE_EXTENDED", prf(z, b"extended master secret", HASH, 48))

show("CLIENT_FINISHED", prf(extended, b"client finished", HASH, 12))
show("SERVER_FINISHED", prf(extended, b"server finished", HASH, 12))
show("KEY_BLOCK_AEAD", prf(extended, b"key expansion", SERVER + CLIENT, 40))
show("KEY_BLOCK_CBC", prf(extended, b"key expansion", SERVER + CLIENT, 96))

NUMBER = bytes.fromhex("0001000000000102")  # epoch 1, sequence number 0x102
CID = bytes.fromhex("c1d2e3")
CONTENT = b"a Register, an Update"
KEY, SALT, MAC_KEY = bytes(range(16)), bytes.fromhex("a0a1a2a3"), bytes(range(0x40, 0x60))
IV = bytes(range(0xE0, 0xF0))


def header(kind, cid, body):
    return bytes([kind]) + b"\xfe\xfd" + NUMBER + cid + struct.pack(">H", len(body)) + body


def associated(cid, length):
    if cid:  # RFC 9146 section 5
        return (b"\xff" * 8 + bytes([25, len(cid), 25]) + b"\xfe\xfd" + NUMBER + cid
                + struct.pack(">H", length))
    return NUMBER + bytes([23]) + b"\xfe\xfd" + struct.pack(">H", length)


def inner(cid):
    return CONTENT + bytes([23]) if cid else CONTENT


def cbc(data):
    e = Cipher(algorithms.AES(KEY), modes.CBC(IV)).encryptor()
    return e.update(data) + e.finalize()


def pad(data):
    n = 15 - len(data) % 16
    return data + bytes([n]) * (n + 1)


for name, cid in (("", b""), ("_CID", CID)):
    kind = 25 if cid else 23
    data = inner(cid)
    aad = associated(cid, len(data))
    show(f"CCM8{name}", header(kind, cid, NUMBER + AESCCM(KEY, 8).encrypt(SALT + NUMBER, data, aad)))
    show(f"GCM{name}", header(kind, cid, NUMBER + AESGCM(KEY).encrypt(SALT + NUMBER, data, aad)))
    show(f"CBC{name}", header(kind, cid, IV + cbc(pad(data + mac(MAC_KEY, aad + data)))))
    sealed = IV + cbc(pad(data))
    show(f"CBC_ENCRYPT_THEN_MAC{name}",
         header(kind, cid, sealed + mac(MAC_KEY, associated(cid, len(sealed)) + sealed)))

# With padding of the inner plaintext, as RFC 9146 section 4 lets a sender add it.
data = CONTENT + bytes([21]) + bytes(7)
show("CCM8_CID_PADDED", header(25, CID, NUMBER + AESCCM(KEY, 8).encrypt(
    SALT + NUMBER, data, associated(CID, len(data)))))
data = bytes(9)
show("CCM8_CID_NO_TYPE", header(25, CID, NUMBER + AESCCM(KEY, 8).encrypt(
    SALT + NUMBER, data, associated(CID, len(data)))))
# CBC with all the padding that fits, which a sender may choose (RFC 5246 section 6.2.3.2).
data = CONTENT + mac(MAC_KEY, associated(b"", len(CONTENT)) + CONTENT)
n = 255 - (len(data) + 255 + 1) % 16
show("CBC_LONG_PADDING", header(23, b"", IV + cbc(data + bytes([n]) * (n + 1))))
