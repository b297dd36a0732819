"""CoAP clients over DTLS against the coaps of `dunlin serve`: aiocoap on tinydtls, libcoap on OpenSSL and on GnuTLS."""

import subprocess

import aiocoap
import pytest

from support.coap import status_of
from support.process import wait_until

KEY = b"0123456789abcdef"
LINKS = b"</1/0>,</3/0>"
# more than fits one block of 1024 bytes
MANY = b",".join([b"</1/0>", b"</3/0>", *(b"</3303/%d>" % i for i in range(150))])


def query(endpoint):
    return f"ep={endpoint}&lt=120&lwm2m=1.1&b=U"


async def aiocoap_life(port, identity, key, endpoint, links):
    """Register, an Update and a De-register; the codes, and how many registrations there were in between."""
    context = await aiocoap.Context.create_client_context(transports=["tinydtls"])
    try:
        uri = f"coaps://127.0.0.1:{port}"
        context.client_credentials.load_from_dict(
            {f"{uri}/*": {"dtls": {"psk": key, "client-identity": identity}}}
        )
        register = aiocoap.Message(code=aiocoap.POST, uri=f"{uri}/rd?{query(endpoint)}", content_format=40, payload=links)
        registered = await context.request(register).response
        codes = [status_of(registered)]
        if codes == ["2.01"]:
            where = "/".join(registered.opt.location_path)
            for code in (aiocoap.POST, aiocoap.DELETE):
                codes.append(status_of(await context.request(aiocoap.Message(code=code, uri=f"{uri}/{where}")).response))
        return codes
    finally:
        await context.shutdown()


@pytest.mark.parametrize("links", (LINKS, MANY), ids=("one-message", "blocks"))
def test_aiocoap(dunlin_server, endpoint, loop, links):
    dunlin_server.accept(endpoint, "psk", endpoint.encode(), KEY)
    codes = loop.run(aiocoap_life(dunlin_server.secure_port, endpoint.encode(), KEY, endpoint, links))
    assert codes == ["2.01", "2.04", "2.02"]
    assert dunlin_server.registration(endpoint) is None


def test_aiocoap_under_another_name(dunlin_server, endpoint, loop):
    dunlin_server.accept(endpoint, "psk", endpoint.encode(), KEY)
    codes = loop.run(aiocoap_life(dunlin_server.secure_port, endpoint.encode(), KEY, endpoint + "-not", LINKS))
    assert codes == ["4.00"]
    assert dunlin_server.registration(endpoint + "-not") is None


def libcoap(library, port, endpoint, key):
    run = subprocess.run(
        [f"coap-client-{library}", "-B", "10", "-v", "7", "-m", "post", "-u", endpoint, "-k", key.decode(),
         "-t", "40", "-e", LINKS.decode(), f"coaps://127.0.0.1:{port}/rd?{query(endpoint)}"],
        capture_output=True, text=True, errors="replace", timeout=40, check=False,
    )  # fmt: skip
    return run.stdout + run.stderr


@pytest.mark.parametrize("library", ("openssl", "gnutls"))
def test_libcoap(dunlin_server, endpoint, library):
    dunlin_server.accept(endpoint, "psk", endpoint.encode(), KEY)
    output = libcoap(library, dunlin_server.secure_port, endpoint, KEY)
    assert "2.01" in output and "Location-Path:rd" in output, output
    registration = wait_until(lambda: dunlin_server.registration(endpoint), 5, "the registration")
    assert registration["objects"] == {1: [0], 3: [0]}


@pytest.mark.parametrize("library", ("openssl", "gnutls"))
def test_libcoap_with_another_key(dunlin_server, endpoint, library):
    dunlin_server.accept(endpoint, "psk", endpoint.encode(), KEY)
    output = libcoap(library, dunlin_server.secure_port, endpoint, KEY[::-1])
    assert "2.01" not in output, output
    assert dunlin_server.registration(endpoint) is None
