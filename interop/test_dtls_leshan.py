"""LwM2M over DTLS with Leshan, in both roles: every way to authenticate, connection IDs, and a NAT that forgets."""

import pytest

from support.devices import DunlinDevice, LeshanDevice
from support.dtls import KEY
from support.process import wait_until
from support.proxy import Proxy
from support.servers import DunlinServer, LeshanServer

PAIRS = {
    "leshan-on-dunlin": ("leshan", "dunlin"),
    "dunlin-on-leshan": ("dunlin", "leshan"),
    "leshan-on-leshan": ("leshan", "leshan"),
    "dunlin-on-dunlin": ("dunlin", "dunlin"),
}


@pytest.fixture(scope="module")
def secure_servers(dtls_keys):
    """Each server once, with the key and the certificate of `server` and trust in the root."""
    running = {}
    kinds = {"leshan": lambda: LeshanServer(dtls_keys), "dunlin": lambda: DunlinServer(keys=dtls_keys)}

    def get(name):
        if name not in running or not running[name].process.alive():
            running[name] = kinds[name]()
        return running[name]

    yield get
    for server in running.values():
        server.stop()


def device_options(kind, mode, keys, endpoint, server, cid):
    """Lets the device in at the server; what the device is told."""
    identity = f"id of {endpoint}"
    name = keys.device(endpoint)
    public, key, certificate = (keys.path(f"{name}.{ending}") for ending in ("pub.pem", "key.pem", "pem"))
    server.accept(endpoint, mode, identity.encode(), KEY, public)
    theirs, authority = keys.path("server.pub.pem"), keys.path("server.short.pem")
    if kind == "leshan":
        return [f"cid={cid}"] + {
            "psk": [f"psk-identity={identity.encode().hex()}", f"psk={KEY.hex()}"],
            "rpk": [f"key={key}", f"public={public}", f"server-public={theirs}"],
            "x509": [f"key={key}", f"certificate={certificate}", f"server-certificate={authority}"],
        }[mode]
    return {
        "psk": ["--psk", f"{identity}:{KEY.hex()}"],
        "rpk": ["--rpk", key, "--server-key", theirs],
        "x509": ["--cert", certificate, "--key", key, "--ca", keys.path("root.pem")],
    }[mode]


@pytest.fixture
def nat():
    started = []

    def start(port):
        started.append(Proxy(port))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


def life(server, device, endpoint):
    """Update, Read and Write."""
    before = server.registration(endpoint)["id"]
    events = server.events(endpoint)
    try:
        device.update()
        events.wait_for("update")
    finally:
        events.close()
    assert server.registration(endpoint)["id"] == before
    assert server.read(endpoint, "/3/0/0").ok
    for zone in ("Europe/Paris", "Europe/Berlin"):
        assert server.write(endpoint, "/3/0/15", "STRING", zone).ok
        assert server.read(endpoint, "/3/0/15").records == {"/3/0/15": zone}


@pytest.mark.parametrize("cid", (0, 4))
@pytest.mark.parametrize("mode", ("psk", "rpk", "x509"))
@pytest.mark.parametrize("pair", PAIRS)
def test_device_over_dtls(secure_servers, dtls_keys, nat, endpoint, pair, mode, cid):
    kind, server_name = PAIRS[pair]
    server = secure_servers(server_name)
    options = device_options(kind, mode, dtls_keys, endpoint, server, cid)
    way = nat(server.secure_port)
    device = {"leshan": LeshanDevice, "dunlin": DunlinDevice}[kind](
        f"coaps://127.0.0.1:{way.port}", endpoint, security=options
    )
    try:
        device.wait_registered()
        wait_until(lambda: server.registration(endpoint), 20, f"{endpoint} to be registered")
        wait_until(lambda: server.read(endpoint, "/3/0/0").ok, 20, f"{endpoint} to be managed")
        life(server, device, endpoint)
        events = server.events(endpoint)
        assert server.observe(endpoint, "/3303/0/5700").ok
        hellos = way.client_hellos()
        way.rebind()
        # the device speaks first, and the server follows it to its new address
        device.update()
        events.wait_for("update")
        life(server, device, endpoint)
        device.set("/3303/0/5700", 31.5)
        events.wait_notification("/3303/0/5700", {"/3303/0/5700": 31.5})
        events.close()
        assert way.client_hellos() == hellos, "a handshake after the change of address"
    finally:
        device.stop()


def applies(_, arguments):
    """`dunlin device` chooses its connection ID itself."""
    return not (PAIRS[arguments["pair"]][0] == "dunlin" and arguments["cid"] == 4) if "pair" in arguments else True
