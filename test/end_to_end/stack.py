"""A full stack of a test's own: Redis, MariaDB, an index, and confab servers on them.

Everything in it can be killed, cut off, put back to an older state and healed. In the end all that
is left must be sound: see assert_sound().
"""

import os
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from chaos import Writers
from client import ALL_APPLICATIONS, Client
from commands import run_confab
from expect import assert_counts, walk
from harness import Server
from history import check, check_after_loss
from services import Elasticsearch, MariaDB, Redis
from waiting import eventually, in_parallel

SETTLING = 60  # seconds from the last fault until everything is equal
STORED = """SELECT a.token, m.chat_number, m.number, m.body
            FROM messages m JOIN applications a ON a.id = m.application_id
            WHERE a.deleted IS NULL ORDER BY 1, 2, 3"""


class Stack:
    """Services by name in `services`, and the confab servers in `servers`."""

    def __init__(self, folder: Path, redis: list[Redis] | None = None, **settings: str):
        self.folder = folder
        self.folder.mkdir()
        self.redis = redis or [Redis()]
        self.mariadb = MariaDB()
        self.elasticsearch: Elasticsearch | None = None
        self.servers: list[Server] = []
        journal = ",".join(server.url for server in self.redis)
        store = f"{self.mariadb.url}/confab"
        self.settings = {"journal": journal, "store": store, "search": "none"}
        self.settings.update({"shards": "2", "counts_flush": "1s", **settings})

    @property
    def services(self) -> list:
        found = [*self.redis, self.mariadb, self.elasticsearch]
        return [service for service in found if service]

    def with_elasticsearch(self) -> "Stack":
        """An index of its own, which can be killed."""
        self.elasticsearch = Elasticsearch()
        self.settings["search"] = f"{self.elasticsearch.url}/messages"
        return self

    def start(self, servers: int = 2) -> "Stack":
        for service in self.services:
            service.spawn()
        for service in self.services:
            service.wait_ready()
        self.mariadb.sql("CREATE DATABASE confab CHARACTER SET utf8mb4")
        for _ in range(servers):
            self.add_server()
        return self

    def add_server(self, **settings) -> Server:
        """One more confab, perhaps by another way to the services than the others."""
        self.servers.append(Server(self.folder, **{**self.settings, **settings}))
        return self.servers[-1].start()

    def stop_servers(self) -> None:
        """One that has died is a fault."""
        with ExitStack() as stopped:
            for server in self.servers:
                stopped.callback(end, server)
        self.servers.clear()

    def close(self) -> None:
        try:
            self.stop_servers()
        finally:
            for service in self.services:
                service.close()

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def client(self) -> Client:
        return Client(self.urls)

    def run(self, *arguments, **settings):
        """One of confab's other commands, on these services."""
        return run_confab(*arguments, data=self.folder, **{**self.settings, **settings})

    def log_text(self) -> str:
        return "".join(server.log_text() for server in self.servers)

    # What is in it.

    def make_chats(self, applications: int = 2, chats: int = 6) -> list[str]:
        """Chats, spread over new applications."""
        with self.client() as client:
            paths = [client.create_application() for _ in range(applications)]
            return [client.create_chat(paths[turn % applications]) for turn in range(chats)]

    def write(self, chats: list[str], seed: str, count: int = 200, **options) -> Writers:
        """What writers wrote who had this many answers, all of them in the store by now."""
        writers = Writers(self.urls, chats, 8, seed, **options).run(count)
        self.settle()
        return writers

    def stored(self, chats: list[str]) -> dict[str, list[tuple[int, str]]]:
        """The (number, key) of all messages in these chats, by MariaDB's own client."""
        found: dict[str, list[tuple[int, str]]] = {chat: [] for chat in chats}
        for token, chat, number, body in self.mariadb.sql(STORED, "confab"):
            path = f"{ALL_APPLICATIONS}/{token}/chats/{chat}"
            if path in found:
                found[path].append((int(number), body.removeprefix("needle ")))
        return found

    # Whether it is as it must be.

    def wait_for_status(self, status: str) -> None:
        """Until every server's /readyz says so."""
        for server in self.servers:
            with server.client() as client:
                eventually(
                    lambda: client.get("/readyz").json()["status"] == status,
                    SETTLING,
                    f"{server} says {status}",
                )

    def settle(self) -> None:
        """Wait until everybody has followed: stored, indexed, counted."""
        for server in self.servers:
            if server.process:
                try:
                    eventually(lambda: is_quiet(server), SETTLING, f"{server} has followed")
                except AssertionError:
                    with server.client() as client:
                        print(client.get("/readyz"))
                    raise

    def assert_sound(self, *crowds: Writers, forgiven: frozenset[str] = frozenset()) -> None:
        """All that the checker looks at. `forgiven`: keys that only a lost history knew."""
        began = time.monotonic()
        self.settle()
        print(f"quiet after {time.monotonic() - began:.1f} s")
        chats = sorted({chat for crowd in crowds for chat in crowd.chats})
        invoked = [key for crowd in crowds for key in crowd.invoked]
        answers = [answer for crowd in crowds for answer in crowd.answers]
        print(f"{len(answers)} answers in {len(chats)} chats, {len(forgiven)} forgiven")
        assert [odd for crowd in crowds for odd in crowd.odd] == []

        stored = self.stored(chats)
        if forgiven:
            faults = check_after_loss(invoked, answers, stored, forgiven)
        else:
            faults = check(invoked, answers, stored)
        assert faults == [], f"{len(faults)} faults, the first are {faults[:10]}"
        in_parallel(lambda server: self.assert_shown(server, stored), self.servers)
        self.assert_verified()

    def assert_shown(self, server: Server, stored: dict[str, list[tuple[int, str]]]) -> None:
        """The server shows what is stored: listed, counted, found."""
        with server.client() as client:
            for chat, messages in stored.items():
                assert by_key(walk(client, f"{chat}/messages?limit=1000")) == messages
                assert_counts(client, chat, 5, messages_count=len(messages))
                last = client.read(chat)["last_message_number"]
                assert last >= max((number for number, _ in messages), default=0)
                if self.settings["search"] != "none" and messages:
                    client.search_complete(chat, "needle", limit=1)
                    hits = walk(client, f"{chat}/messages/search?query=needle&order=asc&limit=100")
                    assert by_key(hits) == messages

    def assert_verified(self) -> None:
        """confab agrees; the records that a rebuild put aside are no fault if they are dropped."""
        result = self.run("verify")
        output = result.stdout.decode()
        assert result.returncode == 0, output[-4000:] + result.stderr.decode()[-2000:]
        if self.elasticsearch:
            messages = self.mariadb.sql("SELECT COUNT(*) FROM messages", "confab")[0][0]
            assert f"{messages} messages" in output, output


def is_quiet(server: Server) -> bool:
    try:
        with server.client() as client:
            ready = client.get("/readyz")
    except OSError:
        return False
    if ready.status != 200 or ready.json()["status"] != "ok":
        return False
    parts = ready.json()
    lags = [parts[part]["lag_seconds"] for part in ("store", "search", "counts")]
    return parts["journal"]["pending"] == 0 and not any(lags)


def by_key(items: list[dict]) -> list[tuple[int, str]]:
    return [
        (item["message_number"], item["message_body"].removeprefix("needle ")) for item in items
    ]


def end(server: Server) -> None:
    """Stop it, if it runs, as an operator does."""
    try:
        if server.process:
            code = server.process.poll()
            assert code is None, f"{server} died with {code}\n{server.log_tail()}"
            server.stop()
    finally:
        if server.process:
            server.kill()
        server.open_servers.remove(server)


@pytest.fixture(scope="session")
def elasticsearch_url(private):
    """One that is shared by all who do not break it: the one that runs, or our own."""
    if url := os.environ.get("CONFAB_TEST_ELASTICSEARCH"):
        yield url
        return
    with Elasticsearch() as elasticsearch:
        yield elasticsearch.url


@pytest.fixture
def index_url(elasticsearch_url) -> str:
    """An index that nobody else uses."""
    return f"{elasticsearch_url}/faults-{uuid.uuid4().hex}"


@pytest.fixture
def new_stack(private, tmp_path):
    """Call it for a stack of the test's own; it ends with the test."""
    with ExitStack() as made:

        def make(**options) -> Stack:
            stack = Stack(tmp_path / f"stack-{uuid.uuid4().hex[:8]}", **options)
            made.callback(stack.close)
            return stack

        yield make
