"""Keys and certificates for DTLS, made anew in each run with the openssl command line."""

import pathlib
import subprocess

LEAF = """basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:{name},IP:127.0.0.1
"""
AUTHORITY = """basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
"""
# Certificates of the long chains carry this much text that nobody reads, so that the Certificate message is larger than
# any datagram and than the 4 kB that some libraries take for granted.
BALLAST = 1200


class Keys:
    """Below `folder`: root.pem; and for NAME of client, server and stranger (of another root) NAME.key.pem, NAME.pub.pem, NAME.spki (the public key in DER), and the
    chains NAME.short.pem (leaf alone) and NAME.long.pem (leaf, three authorities between it and the root)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for root in ("root", "foreign"):
            self._key(root)
            self._run("req", "-x509", "-new", "-key", self.path(f"{root}.key.pem"), "-subj", f"/CN=Dunlin {root}",
                      "-days", "30", "-addext", "keyUsage=critical,keyCertSign",
                      "-out", self.path(f"{root}.pem"))  # fmt: skip
        above = "root"
        between = []
        for number in (1, 2, 3):
            name = f"between{number}"
            self._key(name)
            self._sign(name, f"Authority {number}", above, AUTHORITY + f"nsComment={'x' * BALLAST}\n")
            between.insert(0, self.path(f"{name}.pem").read_text())
            above = name
        for name in ("client", "server", "stranger"):
            self._key(name)
            self._sign(name, name, "foreign" if name == "stranger" else "root", LEAF.format(name=name))
            self.path(f"{name}.pem").rename(self.path(f"{name}.short.pem"))
            self._sign(name, name, above, LEAF.format(name=name))
            long = self.path(f"{name}.pem").read_text() + "".join(between)
            self.path(f"{name}.long.pem").write_text(long)

    def device(self, name):
        """Keys and a certificate for an endpoint: NAME.key.pem, NAME.pub.pem, NAME.pem."""
        if not self.path(f"{name}.pem").exists():
            self._key(name)
            self._sign(name, name, "root", LEAF.format(name=name))
        return name

    def path(self, name):
        return self.folder / name

    def _run(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def _key(self, name):
        self._run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.path(f"{name}.key.pem"))
        self._run("pkey", "-in", self.path(f"{name}.key.pem"), "-pubout", "-out", self.path(f"{name}.pub.pem"))
        self._run("pkey", "-in", self.path(f"{name}.key.pem"), "-pubout", "-outform", "DER", "-out", self.path(f"{name}.spki"))

    def _sign(self, name, subject, issuer, extensions):
        self.path("extensions").write_text(extensions)
        self._run("req", "-new", "-key", self.path(f"{name}.key.pem"), "-subj", f"/CN={subject}", "-out", self.path("csr"))
        self._run("x509", "-req", "-in", self.path("csr"), "-CA", self.path(f"{issuer}.pem"), "-CAkey",
                  self.path(f"{issuer}.key.pem"), "-days", "30", "-sha256", "-extfile", self.path("extensions"),
                  "-out", self.path(f"{name}.pem"))  # fmt: skip
