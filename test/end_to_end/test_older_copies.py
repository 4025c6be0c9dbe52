"""Older copies of single files put back: noticed, never silently continued, mended by a command."""

import shutil

import pytest

from client import ALL_APPLICATIONS
from closed import assert_closed
from expect import assert_problem
from folders import copy_folder, put_back, remove
from harness import succeeds
from snapshot import fill, snapshot
from waiting import eventually

pytestmark = pytest.mark.embedded


class History:
    """A data set, an older copy of it, and what was done before and after the copy."""

    def __init__(self, server, client, older):
        self.server, self.client = server, client
        self.tokens = fill(client)
        self.chat = f"{ALL_APPLICATIONS}/{self.tokens[0]}/chats/1"
        self.messages = f"{self.chat}/messages"
        server.stop()
        self.older = copy_folder(server.data, older)
        server.start()
        self.before = snapshot(client, self.tokens, counts=False)
        for number in range(11, 31):
            assert client.write(self.chat, f"after {number}") == number
        self.new_tokens = fill(client, applications=1)
        self.after = snapshot(client, self.tokens + self.new_tokens, counts=False)
        eventually(self.is_quiet, 15, "everybody has followed")
        server.stop()

    def is_quiet(self) -> bool:
        """Everybody has followed: stored, indexed, counted."""
        ready = self.client.read("/readyz")
        lags = [ready[part]["lag_seconds"] for part in ("store", "search", "counts")]
        return ready["journal"]["pending"] == 0 and not any(lags)

    def put_back(self, *names: str) -> None:
        put_back(self.older, self.server.data, *names)

    def assert_closed(self) -> None:
        """Writes are refused, reads go on from the store, and the way out is named."""
        assert_closed(self.client, self.chat)
        reply = self.client.search(self.chat, "needle")
        assert reply.headers["Confab-Search-Complete"] == "false"
        ready = self.client.get("/readyz")
        assert "confab rebuild" in ready.body.decode() + self.server.log_text()

    def rebuild(self) -> None:
        self.server.stop()
        succeeds(self.server.run("rebuild"))
        self.server.start()
        eventually(lambda: self.client.read("/readyz")["status"] == "ok", 10, "all is well")

    def assert_writable(self, last: int) -> None:
        """New numbers are above every number ever given."""
        assert self.client.write(self.chat, "mended needle") == last + 1
        assert self.client.read(self.chat)["last_message_number"] == last + 1
        assert last + 1 in self.client.found(self.chat, "mended")
        self.client.create_application("mended")


@pytest.fixture
def history(own_server, own_client, tmp_path):
    """At the end the records that a rebuild put aside, which verify reports, are dropped."""
    history = History(own_server, own_client, tmp_path / "older")
    yield history
    if own_server.process:
        own_server.stop()
    if b"is dead" in own_server.run("verify").stdout:
        assert own_server.run("dead", "list").stdout
        succeeds(own_server.run("dead", "drop", "all"))


def test_an_older_journal_is_noticed_and_mended_without_loss(history):
    history.put_back("journal.db")
    history.server.start()
    history.assert_closed()
    history.rebuild()
    tokens = history.tokens + history.new_tokens
    assert snapshot(history.client, tokens, counts=False) == history.after
    history.assert_writable(last=30)


def test_a_lost_journal_is_noticed_and_mended_without_loss(history):
    remove(history.server.data, "journal.db")
    history.server.start()
    history.assert_closed()
    history.rebuild()
    tokens = history.tokens + history.new_tokens
    assert snapshot(history.client, tokens, counts=False) == history.after
    history.assert_writable(last=30)


def test_an_older_store_is_noticed_and_mended_without_a_number_used_again(history):
    history.put_back("store.db")
    history.server.start()
    history.assert_closed()
    history.rebuild()
    now = snapshot(history.client, history.tokens, counts=False)
    for path, thing in now.items():
        if "/messages/" in path:
            assert thing == history.after[path], "nothing but what was written"
    missing = [path for path in history.before if path not in now]
    assert missing == [], "what the older store had is still there"
    history.assert_writable(last=30)


def test_a_journal_and_a_store_from_different_days_are_noticed(history, tmp_path):
    newest = copy_folder(history.server.data, tmp_path / "newest")
    history.put_back("store.db", "journal.db")
    history.server.start()
    assert history.client.write(history.chat, "another history") == 11
    history.server.stop()
    put_back(newest, history.server.data, "journal.db")
    history.server.start()
    history.assert_closed()
    history.rebuild()
    history.assert_writable(last=30)


def test_an_older_index_heals_by_itself(history):
    history.put_back("search.db")
    history.server.start()
    found = history.client.found(history.chat, "after", limit=100, order="asc")
    assert found == list(range(11, 31))
    assert history.client.read("/readyz")["status"] == "ok"
    history.assert_writable(last=30)


def test_a_lost_index_heals_by_itself(history):
    remove(history.server.data, "search.db")
    history.server.start()
    found = history.client.found(history.chat, "after", limit=100, order="asc")
    assert found == list(range(11, 31))
    history.assert_writable(last=30)


def test_a_damaged_index_is_kept_aside_and_heals_by_itself(history):
    """The index can be had from the store: its damage stops nothing, not even the start."""
    remove(history.server.data, "search.db")
    (history.server.data / "search.db").write_bytes(b"this is no database\n" * 1000)
    history.server.start()
    found = history.client.found(history.chat, "after", limit=100, order="asc")
    assert found == list(range(11, 31))
    assert history.client.read("/readyz")["status"] == "ok"
    assert "event=index_damaged" in history.server.log_text()
    damaged = (history.server.data / "search.db.damaged").read_bytes()
    assert damaged.startswith(b"this is no database")
    history.assert_writable(last=30)


def test_an_index_newer_than_journal_and_store_shows_no_ghosts(history):
    history.put_back("store.db", "journal.db")
    history.server.start()
    assert snapshot(history.client, history.tokens, counts=False) == history.before
    assert history.client.found(history.chat, "after") == []
    assert history.client.write(history.chat, "other after") == 11
    assert history.client.found(history.chat, "after") == [11]
    assert history.client.found(history.chat, "other") == [11]


def test_a_whole_older_folder_is_simply_an_older_state(history):
    shutil.rmtree(history.server.data)
    copy_folder(history.older, history.server.data)
    history.server.start()
    assert snapshot(history.client, history.tokens, counts=False) == history.before
    assert history.client.get(f"{ALL_APPLICATIONS}/{history.new_tokens[0]}").status == 404
    history.assert_writable(last=10)


def test_a_lost_store_is_noticed(history):
    remove(history.server.data, "store.db")
    process = history.server.process = history.server.spawn()
    # Either it refuses to start, or it serves and refuses to write.
    eventually(lambda: process.poll() is not None or history.server.is_ready(), 20, "decided")
    if process.poll() is not None:
        assert history.server.wait() != 0
    else:
        reply = history.client.post(f"{history.messages}?message_body=never")
        assert_problem(reply, 503, {"journal_unavailable", "store_unavailable"})
        history.server.stop()
    assert "rebuild" in history.server.log_text()
    put_back(history.older, history.server.data, "store.db", "journal.db", "search.db")


def test_rebuild_leaves_a_good_data_set_alone(history):
    history.server.run("rebuild")
    history.server.start()
    tokens = history.tokens + history.new_tokens
    assert snapshot(history.client, tokens, counts=False) == history.after
    history.assert_writable(last=30)


def test_rebuild_happens_by_itself_only_when_told(history):
    history.put_back("journal.db")
    history.server.settings["rebuild"] = "auto"
    history.server.start()
    eventually(
        lambda: history.client.read("/readyz")["status"] == "ok", 10, "mended without hands"
    )
    tokens = history.tokens + history.new_tokens
    assert snapshot(history.client, tokens, counts=False) == history.after
    history.assert_writable(last=30)
