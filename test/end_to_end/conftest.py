"""Fixtures: the shared server, servers of a test's own, clients, and a first chat."""

import fcntl
import os

import pytest

from client import Client
from harness import BINARY, Server

URLS = [url.rstrip("/") for url in os.environ.get("CONFAB_URLS", "").split(",") if url]

# The files that take longest come first, so that parallel workers end together.
SLOW_FILES = ["test_crash.py", "test_slow_clients.py", "test_shutdown.py", "test_older_copies.py"]


def pytest_configure(config):
    if getattr(config.option, "numprocesses", None) and config.option.dist == "load":
        config.option.dist = "loadfile"  # a file's fixtures are made once
    if not URLS and not os.access(BINARY, os.X_OK):
        raise pytest.UsageError(f"no confab binary at {BINARY}; set CONFAB_BINARY")


def pytest_report_header():
    return f"confab: {' and '.join(URLS) if URLS else BINARY}"


def pytest_collection_modifyitems(items):
    for item in items:
        if "private" in item.fixturenames:
            item.add_marker(pytest.mark.private)
            if URLS:
                item.add_marker(pytest.mark.skip(reason="needs a server of its own"))
    order = {name: place for place, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.failed:
        for server in Server.open_servers:
            report.sections.append((f"end of the log of {server}", server.log_tail()))


@pytest.fixture(scope="session")
def urls(tmp_path_factory):
    """The servers under test: those of CONFAB_URLS, or one that we share and start ourselves."""
    if URLS:
        yield URLS
        return
    server = Server(tmp_path_factory.mktemp("shared")).start()
    yield [server.url]
    server.close()


@pytest.fixture(scope="session")
def counts_lag() -> float:
    """Within how many seconds counts are exact: counts_flush and 2 s."""
    return float(os.environ.get("CONFAB_COUNTS_FLUSH", "10" if URLS else "1")) + 2


@pytest.fixture
def client(urls):
    with Client(urls) as client:
        yield client


@pytest.fixture
def application(client) -> str:
    """The path of an application of this test's own."""
    return client.create_application()


@pytest.fixture
def chat(client, application) -> str:
    """The path of a chat of this test's own."""
    return client.create_chat(application)


@pytest.fixture
def messages(chat) -> str:
    """The path of that chat's messages."""
    return f"{chat}/messages"


@pytest.fixture(scope="session")
def private():
    """Asked for, directly or not, by all that needs a process or a data folder of its own."""


@pytest.fixture
def start_server(private, tmp_path_factory):
    """Call it for servers of the test's own; each is stopped and verified in the end."""
    servers = []

    def start(**options) -> Server:
        servers.append(Server(tmp_path_factory.mktemp("server"), **options))
        return servers[-1].start()

    yield start
    close_all(servers)


def close_all(servers: list[Server]) -> None:
    """Close every one of them, also when closing one fails."""
    if servers:
        try:
            servers.pop().close()
        finally:
            close_all(servers)


@pytest.fixture
def own_server(start_server) -> Server:
    """A server of the test's own with the settings of the shared one."""
    return start_server()


@pytest.fixture
def own_client(own_server):
    with own_server.client() as client:
        yield client


@pytest.fixture
def quiet_machine(tmp_path_factory):
    """Held by tests that load or measure the machine: no two of them run at the same time."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    with open(folder / "quiet-machine.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
