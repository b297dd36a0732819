import collections
import itertools
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.devices import DunlinDevice, LeshanDevice  # noqa: E402
from support.process import LOGS, stop_all, wait_until  # noqa: E402
from support.servers import DunlinServer, LeshanDemo, LeshanServer  # noqa: E402

_numbers = itertools.count(1)


def pytest_sessionstart(session):
    shutil.rmtree(LOGS, ignore_errors=True)


def pytest_addoption(parser):
    parser.addoption("--dtls-table", help="write what the DTLS tests found to this file")


def pytest_sessionfinish(session):
    stop_all()
    page = session.config.getoption("--dtls-table")
    if page:
        from support.dtls import Link
        from support.dtls_table import TABLE

        pathlib.Path(page).write_text(TABLE.text(Link))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when != "call":
        return
    arguments = item.callspec.params if hasattr(item, "callspec") else {}
    from support.dtls_table import TABLE

    if item.function.__name__ in ("test_matrix", "test_coap_tool"):
        TABLE.matrix(arguments["peer"], arguments["link"], arguments["role"], report.passed)
    for mark in item.iter_markers("feature"):
        peer, role = (mark.kwargs.get(k) or arguments[k] for k in ("peer", "role"))
        TABLE.feature(mark.args[0], peer, role, report.passed)


def pytest_configure(config):
    config.addinivalue_line("markers", "only(device=, server=): the test is about this maker's side")
    config.addinivalue_line("markers", "feature(name, peer=, role=): a row of the table of DTLS peers")
    config.addinivalue_line("markers", "never(device=, server=): beyond what this maker's side can do")


def pytest_collection_modifyitems(config, items):
    """Leaves out the combinations that do not exist, instead of skipping them one by one in the run."""
    keep, drop = [], []
    for item in items:
        arguments = item.callspec.params if hasattr(item, "callspec") else {}
        only = {k: v for mark in item.iter_markers("only") for k, v in mark.kwargs.items()}
        never = {k: v for mark in item.iter_markers("never") for k, v in mark.kwargs.items()}
        here = dict(zip(("device", "server"), item.module.PAIRS[arguments["pair"]])) if "pair" in arguments else arguments
        fits = all(here.get(k) == v for k, v in only.items()) and not any(here.get(k) == v for k, v in never.items())
        if fits and hasattr(item.module, "applies"):
            fits = item.module.applies(here, arguments)
        (keep if fits else drop).append(item)
    if drop:
        config.hook.pytest_deselected(items=drop)
        items[:] = keep


@pytest.fixture
def endpoint():
    """An endpoint name nobody else uses."""
    return f"interop-{next(_numbers)}"


class Servers:
    """Each kind of server once for the whole run, started when first asked for."""

    KINDS = {"dunlin": DunlinServer, "leshan": LeshanServer, "leshan-demo": LeshanDemo}

    def __init__(self):
        self.running = {}

    def get(self, name):
        if name not in self.running or not self.running[name].process.alive():
            self.running[name] = self.KINDS[name]()
        return self.running[name]

    def stop(self):
        for server in self.running.values():
            server.stop()


@pytest.fixture(scope="session")
def servers():
    all_of_them = Servers()
    yield all_of_them
    all_of_them.stop()


@pytest.fixture(scope="session")
def dunlin_server(servers):
    return servers.get("dunlin")


DEVICES = {"dunlin": DunlinDevice, "leshan": LeshanDevice}
Pair = collections.namedtuple("Pair", "server device endpoint")


def start_device(server, kind, endpoint):
    device = DEVICES[kind](server.coap, endpoint)
    try:
        device.wait_registered()
        wait_until(lambda: server.registration(endpoint), 20, f"{endpoint} to be registered with {server.name}")
        # the server has it before the device has the answer; a Read is served when the device has it too
        wait_until(lambda: server.read(endpoint, "/3/0/0").ok, 20, f"{endpoint} to be managed")
    except BaseException:
        device.stop()
        raise
    return device


@pytest.fixture
def new_device(servers):
    """Starts a further device; all of them are stopped after the test."""
    started = []

    def start(server, kind, endpoint):
        started.append(start_device(server, kind, endpoint))
        return started[-1]

    yield start
    for device in started:
        device.stop()


@pytest.fixture(scope="session")
def loop():
    """The event loop of the aiocoap peers."""
    from support.coap import Loop

    running = Loop()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def dtls_keys(tmp_path_factory):
    from support.dtls_keys import Keys

    return Keys(tmp_path_factory.mktemp("dtls-keys"))


@pytest.fixture
def ends():
    """Both sides of an association: stopped after the test."""
    started = []

    def start(end):
        started.append(end)
        return end

    yield start
    for end in reversed(started):
        end.stop()
