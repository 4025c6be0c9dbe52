"""`confab backup` beside a busy server: a copy that can be served, with all that was answered."""

import threading

import pytest

from client import ALL_APPLICATIONS
from expect import walk
from harness import Server, succeeds
from snapshot import all_tokens
from waiting import eventually

pytestmark = pytest.mark.embedded


class Writers:
    """Threads that write into chats until told to stop, and note every answer."""

    def __init__(self, server, chats: list[str], per_chat: int = 2):
        self.server = server
        self.answered: dict[str, dict[int, str]] = {chat: {} for chat in chats}
        self.stopping = threading.Event()
        self.failures: list[str] = []
        self.threads = [
            threading.Thread(target=self.write, args=(chat, number))
            for chat in chats
            for number in range(per_chat)
        ]
        for thread in self.threads:
            thread.start()

    def write(self, chat: str, writer: int) -> None:
        turn = 0
        with self.server.client() as client:
            while not self.stopping.is_set():
                turn += 1
                body = f"{writer}/{turn} needle"
                reply = client.post(f"{chat}/messages", json={"message_body": body})
                if reply.status != 201:
                    self.failures.append(repr(reply))
                    return
                self.answered[chat][reply.json()["message_number"]] = body

    def total(self) -> int:
        return sum(len(answered) for answered in self.answered.values())

    def so_far(self) -> dict[str, dict[int, str]]:
        return {chat: dict(answered) for chat, answered in self.answered.items()}

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert self.failures == []


def test_a_backup_under_load_has_all_that_was_answered_before(
    quiet_machine, own_server, own_client, tmp_path, tmp_path_factory
):
    application = own_client.create_application("backed up")
    chats = [own_client.create_chat(application) for _ in range(4)]
    writers = Writers(own_server, chats)
    try:
        eventually(lambda: writers.total() > 500, 30, "some load")
        before = writers.so_far()
        folder = tmp_path / "backup"
        succeeds(own_server.run("backup", folder))
        during = writers.total()
        eventually(lambda: writers.total() > during + 100, 30, "writes go on")
    finally:
        writers.stop()
    after = writers.so_far()

    restored = Server(tmp_path_factory.mktemp("restored"), data=folder)
    succeeds(restored.run("verify"))
    restored.start()
    try:
        with restored.client() as client:
            assert client.read("/readyz")["status"] == "ok"
            assert all_tokens(client) == [application.rpartition("/")[2]]
            for chat in chats:
                listed = walk(client, f"{chat}/messages?limit=1000")
                stored = {item["message_number"]: item["message_body"] for item in listed}
                assert sorted(stored) == list(range(1, len(stored) + 1))
                assert before[chat].items() <= stored.items() <= after[chat].items()
                search = f"{chat}/messages/search?query=needle&limit=100&order=asc"
                numbers = sorted(stored)
                eventually(
                    lambda: [hit["message_number"] for hit in walk(client, search)] == numbers,
                    10,
                    "the index has followed",
                )
                assert client.write(chat, "after the restoration") == len(stored) + 1
    finally:
        restored.close()
    assert len(walk(own_client, f"{chats[0]}/messages?limit=1000")) == len(after[chats[0]])


def test_a_backup_into_a_folder_with_something_in_it_is_refused(
    own_server, own_client, tmp_path
):
    own_client.create_application()
    folder = tmp_path / "backup"
    succeeds(own_server.run("backup", folder))
    names = sorted(file.name for file in folder.iterdir())
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
    result = own_server.run("backup", folder)
    assert result.returncode != 0
    assert result.stderr.strip()
    assert sorted(file.name for file in folder.iterdir()) == names
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == contents


def test_a_backup_of_a_stopped_data_set_is_the_same_data_set(
    own_server, own_client, tmp_path
):
    chat = own_client.create_chat(own_client.create_application())
    own_client.write(chat, "x")
    own_server.stop()
    exported = succeeds(own_server.run("export"))
    succeeds(own_server.run("backup", tmp_path / "backup"))
    copy = Server(tmp_path, data=tmp_path / "backup")
    assert succeeds(copy.run("export")) == exported
    copy.close()
    own_server.start()
    assert own_client.get(ALL_APPLICATIONS).status == 200
