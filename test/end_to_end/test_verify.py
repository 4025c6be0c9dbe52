"""`confab verify` finds each planted fault, and nothing in a good data set."""

from contextlib import closing

import pytest

from client import ALL_APPLICATIONS
from expect import assert_counts
from data_set import INDEX_FAULTS, new_data_set
from harness import Server, succeeds
from snapshot import fill
from waiting import in_parallel


@pytest.fixture(scope="module")
def good(private, tmp_path_factory):
    """The data set of a stopped server, and the token of the application in it."""
    folder = tmp_path_factory.mktemp("good")
    with closing(new_data_set(folder)) as data_set:
        server = Server(folder, data_set=data_set).start()
        with server.client() as client:
            (token,) = fill(client, applications=1)
            client.found(f"{ALL_APPLICATIONS}/{token}/chats/1", "needle")
            assert_counts(client, f"{ALL_APPLICATIONS}/{token}", 5, chats_count=3)
        server.close()
        data_set.keep()
        yield data_set, token


@pytest.fixture
def copy(good, tmp_path):
    """The same data for each test, however the one before has left its own."""
    data_set, token = good
    return data_set.as_kept(tmp_path / "copy"), token


STORE_FAULTS = {
    "a message gone": "DELETE FROM messages WHERE chat_number = 1 AND number = 5",
    "the last message of a chat gone": "DELETE FROM messages WHERE chat_number = 2 AND number = 9",
    "a message doubled under the next number": """
        INSERT INTO messages SELECT application_id, chat_number, 11, seq, created, updated, body
        FROM messages WHERE chat_number = 1 AND number = 9""",
    "a message back from the dead": """
        INSERT INTO messages SELECT application_id, chat_number, 2, seq, created, updated, body
        FROM messages WHERE chat_number = 1 AND number = 9""",
    "a wrong count of messages": """
        UPDATE chats SET messages_count = messages_count + 1 WHERE number = 1""",
    "a count of messages too small": """
        UPDATE chats SET messages_count = messages_count - 1 WHERE number = 1""",
    "a wrong count of chats": "UPDATE applications SET chats_count = chats_count + 1",
    "a last message number too low": """
        UPDATE chats SET last_message_number = 8 WHERE number = 1""",
    "a last chat number too low": "UPDATE applications SET last_chat_number = 2",
    "messages without a chat": """
        INSERT INTO messages SELECT application_id, 99, number, seq, created, updated, body
        FROM messages WHERE chat_number = 1""",
    "a chat without an application": """
        INSERT INTO chats (application_id, number, name, created, updated)
        VALUES (987654321, 1, '', 1, 1)""",
    "a chat gone": "DELETE FROM chats WHERE number = 2",
    "an application gone": "DELETE FROM applications",
}


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_fault_in_the_store_is_found(copy, fault):
    data_set, token = copy
    assert data_set.store_run(STORE_FAULTS[fault]) > 0
    result = data_set.run("verify")
    assert result.returncode != 0
    assert len(result.stdout.strip()) > 20
    if "application" not in fault:
        assert token[:8] in result.stdout.decode(), "the application is named"


def test_every_fault_is_listed_not_only_the_first(copy):
    data_set, _ = copy
    data_set.store_run(STORE_FAULTS["a message gone"])
    one = data_set.run("verify").stdout.splitlines()
    data_set.store_run(STORE_FAULTS["a wrong count of chats"])
    data_set.store_run("UPDATE chats SET messages_count = 77 WHERE number = 3")
    result = data_set.run("verify")
    assert result.returncode != 0
    assert len(result.stdout.splitlines()) >= len(one) + 2


@pytest.mark.parametrize("fault", INDEX_FAULTS)
def test_a_fault_in_the_index_is_found(copy, fault):
    data_set, _ = copy
    data_set.spoil_index(fault)
    result = data_set.run("verify")
    assert result.returncode != 0 and result.stdout.strip()
    succeeds(data_set.run("reindex"))
    succeeds(data_set.run("verify"))


@pytest.mark.embedded
@pytest.mark.parametrize("name", ["store.db", "search.db", "journal.db"])
def test_a_damaged_file_is_found(copy, name):
    data_set, _ = copy
    file = data_set.folder / name
    content = bytearray(file.read_bytes())
    for start in range(4096, len(content), 8192):  # every other page after the first
        content[start : start + 2000] = b"\xa5" * min(2000, len(content) - start)
    file.write_bytes(content)
    assert data_set.run("verify").returncode != 0


@pytest.mark.parametrize("fault", ["a wrong count of messages", "a wrong count of chats"])
def test_recount_mends_counts(copy, fault):
    data_set, _ = copy
    data_set.store_run(STORE_FAULTS[fault])
    assert data_set.run("verify").returncode != 0
    succeeds(data_set.run("recount"))
    succeeds(data_set.run("verify"))


def test_recount_and_reindex_leave_a_good_data_set_good(copy):
    data_set, _ = copy
    before = succeeds(data_set.run("export"))
    succeeds(data_set.run("recount"))
    succeeds(data_set.run("reindex"))
    succeeds(data_set.run("verify"))
    assert succeeds(data_set.run("export")) == before


def test_the_log_that_a_killed_reindex_holds_is_told_and_let_go(copy):
    data_set, _ = copy
    columns = "shard, epoch, seq, name_producer, name_sequence, time, run"
    data_set.store_run(
        f"INSERT INTO positions (follower, {columns}) "
        f"SELECT 'reindex', {columns} FROM positions WHERE follower = 'counting'"
    )
    assert b"is held" in succeeds(data_set.run("verify"))
    assert b"trimmed again" in succeeds(data_set.run("release"))
    assert b"is held" not in succeeds(data_set.run("verify"))


def test_verify_finds_nothing_beside_a_busy_server(own_server, own_client):
    chats = [own_client.create_chat(own_client.create_application()) for _ in range(4)]

    def write(chat: str) -> None:
        with own_server.client() as client:
            for turn in range(150):
                number = client.write(chat, f"needle {turn}")
                if turn % 5 == 0:
                    client.delete(f"{chat}/messages/{number}")
                if turn % 7 == 0:
                    client.put(f"{chat}/messages/1?message_body=edited")

    def verify(_) -> None:
        for _ in range(5):
            succeeds(own_server.run("verify"))

    in_parallel(lambda task: task[0](task[1]), [(verify, 0), *((write, chat) for chat in chats)])


@pytest.mark.embedded
def test_verify_of_a_folder_without_data_is_an_error(make_data_set):
    data_set = make_data_set()
    assert data_set.run("verify").returncode != 0
    assert not data_set.exists()
