"""Where the peers come from: Leshan from Maven, libcoap from the system, our own binary from DUNLIN."""

import os
import pathlib
import shutil
import zipfile

import pytest

from .process import PEERS, ROOT

MODELS = ROOT / "leshan" / "models"


def java(main, *arguments):
    """Our drivers on Leshan's current libraries."""
    classpath = f"{PEERS}/classes:{PEERS}/leshan/*"
    # one core's worth of collector and compiler: start-up counts here, not speed
    return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx192m", "-cp", classpath, main, *arguments]


def leshan_demo(coap, coaps, web):
    """Leshan's own demo server application (an older release, see README.md)."""
    return [
        "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m",
        "--add-opens", "java.base/java.util=ALL-UNNAMED",  # its JSON library reflects on java.util
        f"-Dlogback.configurationFile={ROOT}/leshan/logback.xml",
        "-cp", f"{PEERS}/leshan-demo/*", "org.eclipse.leshan.server.demo.LeshanServerDemo",
        "-lh", "127.0.0.1", "-lp", coap, "-slh", "127.0.0.1", "-slp", coaps, "-wh", "127.0.0.1", "-wp", web,
        "-m", demo_models(),
    ]  # fmt: skip


def demo_models():
    """Our definitions and the core ones of the current Leshan: the demo only knows older versions of those."""
    folder = PEERS / "models"
    if not folder.exists():
        part = PEERS / f"models.{os.getpid()}"
        part.mkdir(parents=True)
        [core] = [p for p in (PEERS / "leshan").glob("leshan-lwm2m-core-*.jar") if "tests" not in p.name]
        with zipfile.ZipFile(core) as jar:
            for name in jar.namelist():
                if name.startswith("models/") and name.endswith(".xml"):
                    (part / pathlib.Path(name).name).write_bytes(jar.read(name))
        for definition in MODELS.glob("*.xml"):
            shutil.copy(definition, part)
        part.rename(folder)
    return folder


def dunlin():
    """The binary under test. Its absence is a failure, never a skip: a run without it proves nothing."""
    path = pathlib.Path(os.environ.get("DUNLIN") or ROOT.parent / "target" / "release" / "dunlin").absolute()
    if not (path.is_file() and os.access(path, os.X_OK)):
        pytest.fail(f"no binary at {path}: build it (cargo build --release -p dunlin) or set DUNLIN", pytrace=False)
    return path


def coap_client():
    for name in ("coap-client-notls", "coap-client-openssl", "coap-client-gnutls", "coap-client"):
        if shutil.which(name):
            return name
    pytest.fail("no coap-client: install libcoap3-bin", pytrace=False)
