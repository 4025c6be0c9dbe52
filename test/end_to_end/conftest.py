"""Fixtures: the shared server, servers of a test's own, clients, and a first chat."""

import fcntl
import os
from contextlib import ExitStack, closing

import pytest

from client import Client
from data_set import STACK, DataSet, new_data_set, stack_problem
from harness import BINARY, Server
from stack import elasticsearch_url, index_url, new_stack  # noqa: F401  (fixtures)

URLS = [url.rstrip("/") for url in os.environ.get("CONFAB_URLS", "").split(",") if url]
SERVERS = int(os.environ.get("CONFAB_SERVERS", "1"))

# The files that take longest come first, so that parallel workers end together.
SLOW_FILES = ["test_faults_outages.py", "test_faults_kills.py", "test_faults_between.py"]
SLOW_FILES += ["test_crash.py", "test_slow_clients.py", "test_shutdown.py", "test_older_copies.py"]


def pytest_configure(config):
    if getattr(config.option, "numprocesses", None) and config.option.dist == "load":
        config.option.dist = "loadfile"  # a file's fixtures are made once
    if not URLS and not os.access(BINARY, os.X_OK):
        raise pytest.UsageError(f"no confab binary at {BINARY}; set CONFAB_BINARY")
    problem = "" if URLS else stack_problem()
    if SERVERS > 1 and STACK != "full":
        problem = f"CONFAB_SERVERS={SERVERS} needs CONFAB_STACK=full"
    if problem:
        raise pytest.UsageError(problem)


def pytest_report_header():
    ours = f"{BINARY}, {STACK} stack" + (f", {SERVERS} servers" if SERVERS > 1 else "")
    return f"confab: {' and '.join(URLS) if URLS else ours}"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name.startswith("test_faults_"):
            item.add_marker(pytest.mark.faults)
        if item.path.name.startswith("test_full_"):
            item.add_marker(pytest.mark.full)
            if STACK != "full":
                item.add_marker(pytest.mark.skip(reason="needs the full stack"))
        if "private" in item.fixturenames:
            item.add_marker(pytest.mark.private)
            if URLS or SERVERS > 1:
                item.add_marker(pytest.mark.skip(reason="needs a server of its own"))
        if item.get_closest_marker("embedded") and STACK != "embedded":
            item.add_marker(pytest.mark.skip(reason="handles the files of the embedded stack"))
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
    """The servers under test: those of CONFAB_URLS, or what all tests share and we start."""
    if URLS:
        yield URLS
        return
    folder = tmp_path_factory.mktemp("shared")
    with closing(new_data_set(folder)) as data_set:
        servers = []
        try:
            for _ in range(SERVERS):
                servers.append(Server(folder, data_set=data_set).start())
            yield [server.url for server in servers]
        finally:
            close_all(servers)


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
    """Asked for, directly or not, by all that needs a process or a data set of its own."""


@pytest.fixture
def make_data_set(private, tmp_path_factory):
    """Call it for data sets of the test's own, of the stack under test, with nothing in them."""
    with ExitStack() as made:

        def make() -> DataSet:
            folder = tmp_path_factory.mktemp("data")
            return made.enter_context(closing(new_data_set(folder)))

        yield make


@pytest.fixture
def start_server(make_data_set, tmp_path_factory):
    """Call it for servers of the test's own, on a new data set if none is given; each is stopped
    and verified in the end."""
    servers = []

    def start(data_set: DataSet | None = None, **options) -> Server:
        folder = tmp_path_factory.mktemp("server")
        servers.append(Server(folder, data_set=data_set or make_data_set(), **options))
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
