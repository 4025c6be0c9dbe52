"""confab reindex, and an index that is lost, beside servers that go on searching and writing."""

import json
import subprocess
import threading
from contextlib import contextmanager
from typing import Iterator

import pytest

from client import ALL_APPLICATIONS, Client
from commands import BINARY, clean_environment, flags
from data_set import STACK
from harness import succeeds
from waiting import PATIENCE, eventually, in_parallel

pytestmark = pytest.mark.skipif(STACK != "full", reason="needs servers of the full stack")

CHATS, MESSAGES = 4, 2000
OLD = f"{ALL_APPLICATIONS}/old/chats"


@pytest.fixture
def full(make_data_set):
    """With enough in it that making its index takes a while."""
    data_set = make_data_set()
    succeeds(data_set.run("import", input="".join(old_lines()).encode()))
    return data_set


@pytest.fixture
def client(full, start_server):
    """Of two servers."""
    with Client([start_server(full).url, start_server(full).url]) as client:
        eventually(lambda: client.read("/readyz")["search"]["ok"], 60, "the index is made")
        eventually(lambda: client.read("/readyz")["search"]["ok"], 60, "the other sees it")
        yield client


def old_lines() -> Iterator[str]:
    """An export with chats that nobody writes to."""

    def line(**members) -> str:
        members |= dict.fromkeys(["created_at", "updated_at"], "2025-03-04T05:06:07.089010Z")
        return json.dumps(members, separators=(",", ":")) + "\n"

    yield line(type="application", token="old", name="old", last_chat_number=CHATS)
    for chat in range(1, CHATS + 1):
        place = {"application_token": "old", "chat_number": chat}
        yield line(type="chat", **place, name=None, last_message_number=MESSAGES)
        for number in range(1, MESSAGES + 1):
            body = f"needle {number} " + "x" * (number % 300)
            yield line(type="message", **place, message_number=number, message_body=body)


class Busy:
    """Threads that write, edit and delete, and that search all the time.

    Whatever a search that says it is complete does not find of the old chats is a fault, and so is
    every answer but 200, unless the index may be away.
    """

    def __init__(self, client: Client, away: bool = False):
        self.away = away
        self.ended = threading.Event()
        self.faults: list[str] = []
        self.kept: dict[str, dict[int, str]] = {}  # by chat: the number and body of what is left
        self.searches = self.incomplete = self.written = 0
        self.client = client
        tasks = [self.write, self.write, self.search, self.search]
        self.threads = [threading.Thread(target=self.run, args=[task]) for task in tasks]

    def __enter__(self) -> "Busy":
        for thread in self.threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def goes_on(self, searches: int = 20, written: int = 20) -> None:
        """Wait until there is so much more."""
        searches, written = self.searches + searches, self.written + written
        eventually(
            lambda: self.faults or (self.searches >= searches and self.written >= written),
            30,
            "searching and writing go on",
        )
        assert not self.faults, self.faults[:3]

    def run(self, task) -> None:
        with self.client.clone() as client:
            while not self.ended.is_set():
                try:
                    task(client)
                except Exception as problem:
                    self.faults.append(repr(problem))

    def write(self, client: Client) -> None:
        """A chat with ten messages, of which two are edited and one is gone; and one without."""
        chat = client.create_chat(client.create_application("busy"))
        left = self.kept[chat] = {}
        for number in range(1, 11):
            assert client.write(chat, f"needle {number}") == number
            left[number] = f"needle {number}"
            self.written += 1
        for number in (1, 5):
            edited = f"{chat}/messages/{number}?message_body=changed"
            eventually(lambda to=edited: client.put(to).status == 204, 10, f"PUT {edited}")
            left[number] = "changed"
        assert client.delete(f"{chat}/messages/2").status == 204
        del left[2]
        gone = client.create_chat(chat.rpartition("/chats")[0])
        client.write(gone, "needle")
        assert client.delete(gone).status == 204

    def search(self, client: Client) -> None:
        chat = 1 + self.searches % CHATS
        number = 1 + self.searches * 37 % MESSAGES
        target = f"{OLD}/{chat}/messages/search?query=needle%20{number}%20"
        reply = client.get(target)
        self.searches += 1
        if self.away and reply.status == 503:
            assert reply.json()["code"] == "search_unavailable", reply
        elif reply.status != 200:
            self.faults.append(f"{target}: {reply}")
        elif not reply.search_is_complete:
            self.incomplete += 1
        elif [hit["message_number"] for hit in reply.json()] != [number]:
            self.faults.append(f"{target} complete without it: {reply}")

    def assert_all_found(self) -> None:
        """What is left is found, and nothing else."""
        assert self.faults == []
        words = {"needle": lambda body: "needle" in body, "changed": lambda body: body == "changed"}

        def look(part: int) -> None:
            with self.client.clone() as client:
                for chat in list(self.kept)[part::4]:
                    for word, matches in words.items():
                        left = sorted(self.kept[chat].items())
                        expected = [number for number, body in left if matches(body)]
                        found = client.found(chat, word, limit=100)
                        assert sorted(found) == expected, chat

        in_parallel(look, range(4))


def index_names(full) -> list[str]:
    _, found = full.ask("GET", f"/{full.index}-*/_alias")
    assert all(list(index["aliases"]) == [full.index] for index in found.values()), found
    return sorted(found)


def assert_tidy(full, client: Client) -> None:
    """One index, nothing that holds the log, and every message is found."""
    assert len(index_names(full)) == 1, index_names(full)
    assert full.sql("SELECT COUNT(*) FROM positions WHERE follower = 'reindex'") == [["0"]]
    for chat in range(1, CHATS + 1):
        eventually(lambda at=chat: all_found(client, at), 60, "all is found")
    assert b"fault:" not in succeeds(full.run("verify"))


def all_found(client: Client, chat: int) -> bool:
    reply = client.search(f"{OLD}/{chat}", "needle", limit=1)
    if not reply.search_is_complete:
        return False
    for number in (1, 2, MESSAGES // 2, MESSAGES - 1, MESSAGES):
        assert client.found(f"{OLD}/{chat}", f"needle {number} ") == [number]
    return True


@contextmanager
def reindexing(full) -> Iterator[subprocess.Popen]:
    """The command under way; it ends with the block."""
    process = subprocess.Popen(
        [BINARY, "reindex", *flags(full.settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def documents_made(full) -> int:
    """How many the unfinished index has been given so far; -1 if there is none."""
    code, found = full.ask("GET", f"/{full.index}-building/_stats/indexing")
    made = found["_all"]["primaries"].get("indexing", {}) if code == 200 else {"index_total": -1}
    return made.get("index_total", 0)


def test_searches_and_writes_go_on_while_the_index_is_made_anew(full, client):
    before = index_names(full)
    with Busy(client) as busy:
        for _ in range(3):
            succeeds(full.run("reindex"))
            after = index_names(full)
            assert len(after) == 1 and after != before
            before = after
            busy.goes_on()
    busy.assert_all_found()
    assert_tidy(full, client)


def test_a_reindex_that_was_killed_changes_nothing_and_the_next_one_cleans_up(full, client):
    before = index_names(full)
    with Busy(client) as busy:
        for least in (0, 1, 1000):
            with reindexing(full) as process:
                what = f"{least} documents are in the new index"
                eventually(lambda n=least: documents_made(full) >= n, 20, what)
                assert process.poll() is None, "it was still at it"
                process.kill()
            assert full.ask("HEAD", f"/{before[0]}/_alias/{full.index}")[0] == 200
            busy.goes_on()
        assert busy.incomplete == 0
        succeeds(full.run("reindex"))
        assert index_names(full) > before
        busy.goes_on()
    busy.assert_all_found()
    assert_tidy(full, client)


def test_two_that_reindex_at_once_do_no_harm(full, client):
    with Busy(client) as busy:
        for _ in range(2):
            with reindexing(full) as first, reindexing(full) as second:
                ends = in_parallel(
                    lambda process: process.communicate(timeout=60 * PATIENCE), [first, second]
                )
                codes = [first.returncode, second.returncode]
            assert 0 in codes and set(codes) <= {0, 1}, ends
            if 1 in codes:
                complaints = ends[codes.index(1)][1]
                assert b"another reindex" in complaints or b"ERR_CONFLICT" in complaints
            busy.goes_on()
    busy.assert_all_found()
    assert_tidy(full, client)


def test_an_index_that_is_deleted_is_made_again_by_the_servers(full, client):
    with Busy(client, away=True) as busy:
        for _ in range(2):
            incomplete = busy.incomplete
            assert full.ask("DELETE", f"/{index_names(full)[0]}")[0] == 200
            eventually(lambda: busy.incomplete > incomplete, 20, "a search says it is incomplete")
            eventually(lambda: all_found(client, 1), 60, "the index is whole again")
            busy.goes_on()
    busy.assert_all_found()
    assert_tidy(full, client)


def test_an_index_that_is_deleted_under_a_reindex_is_whole_in_the_end(full, client):
    with Busy(client, away=True) as busy:
        with reindexing(full) as process:
            eventually(lambda: documents_made(full) >= 0, 20, "the new index is there")
            assert full.ask("DELETE", f"/{full.index}-000001")[0] == 200
            _, complaints = process.communicate(timeout=60 * PATIENCE)
        if process.returncode != 0:
            succeeds(full.run("reindex"))
        busy.goes_on()
    busy.assert_all_found()
    assert_tidy(full, client)
