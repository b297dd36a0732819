"""libcoap's command line tools over DTLS: its two builds that Debian has, on OpenSSL and on GnuTLS."""

import subprocess

from .dtls import End, Peer
from .process import Process, free_port


class Libcoap(Peer):
    library = None

    @classmethod
    def version(cls):
        program = f"coap-client-{cls.library}"
        text = subprocess.run([program], capture_output=True, text=True, check=False)
        return (text.stdout + text.stderr).split(f"{program} v", 1)[1].split()[0]

    @classmethod
    def _options(cls, link, role, keys):
        if link.auth == "psk":
            return ["-k", link.key.decode()] + (["-u", link.identity.decode()] if role == "client" else ["-h", ""])
        return ["-c", keys.path(f"{link.who(role)}.{link.chain}.pem"), "-j", keys.path(f"{link.who(role)}.key.pem"),
                "-C", keys.path("root.pem")]  # fmt: skip

    @classmethod
    def lacks(cls, role, link):
        if link.auth == "rpk":
            return "raw public keys on its command line"
        return None

    @classmethod
    def server(cls, link, keys):
        """Its secure port is the one after the other."""
        port = free_port()
        process = Process(
            f"dtls-libcoap-{cls.library}-server",
            [f"coap-server-{cls.library}", "-v", "6", "-A", "127.0.0.1", "-p", port, *cls._options(link, "server", keys)],
        )
        end = End(process)
        end.port = port + 1
        return end

    @classmethod
    def client(cls, link, keys, port, *more):
        return End(
            Process(
                f"dtls-libcoap-{cls.library}-client",
                [f"coap-client-{cls.library}", "-B", "10", *cls._options(link, "client", keys), *more,
                 f"coaps://127.0.0.1:{port}/"],
            )
        )  # fmt: skip


class LibcoapOpenSsl(Libcoap):
    name = "libcoap on OpenSSL"
    library = "openssl"

    @classmethod
    def lacks(cls, role, link):
        if role == "server" and link.suite in ("00AE", "C037"):
            return "CBC suites with pre-shared keys at its server"
        return super().lacks(role, link)


class LibcoapGnuTls(Libcoap):
    name = "libcoap on GnuTLS"
    library = "gnutls"


LIBCOAP = (LibcoapOpenSsl, LibcoapGnuTls)
