"""What the DTLS tests found, as a page of the book: `interop/run -k dtls --dtls-table docs/src/dtls-interop.md`."""

import collections

from .dtls import SUITES

HEAD = """# DTLS with other implementations

<!-- Generated: interop/run -k dtls --dtls-table docs/src/dtls-interop.md -->

`interop/run` connects `dunlin-dtls` with implementations that other people wrote, in both roles, in each run of the
project's checks. This page says what one such run found. A cell names the roles that **Dunlin** had. A dash is a
combination the peer does not have; its number says what is missing.
"""

LENGTHS = """
## Connection IDs

Both sides of each association chose their lengths out of none, 0, 1, 8 and 32 bytes (RFC 9146), in every combination
and with every suite above; the peer told the lengths it uses, and they were the expected ones. A server of ours issues
none of length 0: it needs its own to find the session. Peers that do not know the extension (all others) were offered
every length of ours, and did not answer it.
"""

AUTH = {"psk": "pre-shared key", "rpk": "raw public keys", "x509": "certificates, mutual"}


class Table:
    def __init__(self):
        self.tried = collections.defaultdict(list)  # (peer, suite, auth, role) -> [passed]
        self.lengths = collections.defaultdict(list)  # peer -> [passed], where both sides offered one
        self.features = collections.defaultdict(lambda: collections.defaultdict(list))
        self.peers = {}
        self.missing = {}

    def matrix(self, peer, link, role, passed):
        self.peers[peer.name] = peer
        self.tried[peer.name, link.suite, link.auth, role].append(passed)
        if link.client_cid is not None and link.server_cid is not None:
            self.lengths[peer.name].append(passed)

    def feature(self, name, peer, role, passed):
        self.peers[peer.name] = peer
        self.features[name][peer.name, role].append(passed)

    def _footnote(self, text):
        return self.missing.setdefault(text, len(self.missing) + 1)

    def _cell(self, peer, suite, auth, link):
        words = []
        for role, theirs in (("client", "server"), ("server", "client")):
            results = self.tried.get((peer.name, suite, auth, role))
            lack = peer.lacks(theirs, link(suite, auth))
            if results:
                words.append(role if all(results) else f"**{role} fails**")
            elif lack:
                words.append(f"–<sup>{self._footnote(lack)}</sup>")
            else:
                words.append("not run")
        return ", ".join(dict.fromkeys(words))

    def text(self, link):
        names = list(self.peers)
        lines = [HEAD]
        heads = [f"{name} {self.peers[name].version()}" for name in names]
        lines.append("| Suite | Authentication | " + " | ".join(heads) + " |")
        lines.append("|---|---|" + "---|" * len(names))
        for suite, (kind, *_, long) in SUITES.items():
            for auth in ("psk",) if kind == "psk" else ("rpk", "x509"):
                cells = [self._cell(self.peers[name], suite, auth, link) for name in names]
                lines.append(f"| `{long}` ({suite}) | {AUTH[auth]} | " + " | ".join(cells) + " |")
        lines.append("")
        for text, number in self.missing.items():
            lines.append(f"{number}. It has no {text}." if not text.startswith("a ") else f"{number}. It lacks {text}.")
        lines.append(LENGTHS)
        for name, results in self.lengths.items():
            lines.append(f"* {name}: {sum(results)} of {len(results)} combinations.")
        lines.append("\n## What lasts longer than a handshake\n")
        lines.append("| | " + " | ".join(names) + " |")
        lines.append("|---|" + "---|" * len(names))
        for feature, found in self.features.items():
            cells = []
            for name in names:
                roles = [r if all(found[name, r]) else f"**{r} fails**" for r in ("client", "server") if found.get((name, r))]
                cells.append(", ".join(roles))
            lines.append(f"| {feature} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


TABLE = Table()
