"""The page of the book about OpenSSL, GnuTLS and libcoap: each block as printed, and what it says comes out of it."""

import os
import re
import subprocess


from support import peers
from support.process import ROOT

PAGE = ROOT.parent / "docs" / "src" / "connect-by-hand.md"


def steps():
    """(commands, text that is to come of them or None) in the order of the page."""
    found = []
    for kind, body in re.findall(r"^```(sh|text)\n(.*?)^```$", PAGE.read_text(), re.S | re.M):
        if kind == "sh":
            found.append([body, None])
        else:
            found[-1][1] = body.strip()
    return found


def test_connect_by_hand(dunlin_server, tmp_path):
    # the page has the default ports
    link = tmp_path / "bin" / "dunlin"
    link.parent.mkdir()
    link.symlink_to(peers.dunlin())
    environment = {
        **os.environ,
        "PATH": f"{link.parent}:{os.environ['PATH']}",
        "DUNLIN_API": dunlin_server.http,
    }
    all_of_it = steps()
    assert len(all_of_it) >= 8 and sum(1 for _, text in all_of_it if text) >= 6
    for commands, text in all_of_it:
        for_this_server = commands.replace("5684", str(dunlin_server.secure_port))
        done = subprocess.run(
            ["bash", "-e", "-c", for_this_server], cwd=tmp_path, env=environment, capture_output=True, text=True,
            errors="replace", timeout=60, check=False,
        )  # fmt: skip
        if text is None:
            assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
        else:
            assert text in done.stdout, f"{commands}\n{done.stdout}{done.stderr}"
