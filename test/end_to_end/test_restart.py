"""What was answered outlives a restart and a kill."""

import pytest

from client import ALL_APPLICATIONS
from data_set import STACK, DataFolder
from expect import assert_counts
from snapshot import all_tokens, fill, snapshot
from waiting import eventually


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_everything_is_the_same_after_a_restart(own_server, own_client, counts_lag, end):
    tokens = fill(own_client)
    before = snapshot(own_client, tokens, counts=False)
    getattr(own_server, end)()
    own_server.start()
    assert snapshot(own_client, tokens, counts=False) == before
    assert all_tokens(own_client) == tokens
    for token in tokens:
        application = f"{ALL_APPLICATIONS}/{token}"
        assert_counts(own_client, application, counts_lag, chats_count=3, last_chat_number=4)
        chat = f"{application}/chats/1"
        assert_counts(own_client, chat, counts_lag, messages_count=8, last_message_number=10)
        assert own_client.found(chat, "needle", order="asc") == [3, 4, 5, 6, 7, 8, 9]
        assert own_client.write(chat, "next") == 11
        assert own_client.create_chat(application) == f"{application}/chats/5"


def kill_and_start(server) -> None:
    """And wait for the store: who was killed could not give back the leases that the full stack
    has, and while they last the store may be behind."""
    server.kill()
    server.start()
    eventually(lambda: server.status()["journal"]["pending"] == 0, 5, "the store has all")


def test_a_kill_right_after_each_answer_loses_nothing(own_server, own_client):
    application = own_client.create_application()
    chat = own_client.create_chat(application)
    for number in range(1, 6):
        assert own_client.write(chat, f"{number}") == number
        kill_and_start(own_server)
        assert own_client.read(f"{chat}/messages/{number}")["message_body"] == f"{number}"
        own_client.put(f"{chat}/messages/{number}?message_body=edited")
        kill_and_start(own_server)
        assert own_client.read(f"{chat}/messages/{number}")["message_body"] == "edited"
    own_client.delete(f"{chat}/messages/5")
    kill_and_start(own_server)
    assert own_client.get(f"{chat}/messages/5").status == 404
    assert own_client.write(chat, "6") == 6
    own_client.delete(chat)
    kill_and_start(own_server)
    assert own_client.get(chat).status == 404
    assert own_client.create_chat(application) == f"{application}/chats/2"


def test_a_deleted_application_stays_deleted_with_all_its_rows(own_server, own_client):
    (token,) = fill(own_client, applications=1)
    path = f"{ALL_APPLICATIONS}/{token}"
    assert own_client.delete(path).status == 204
    kill_and_start(own_server)
    assert own_client.get(path).status == 404
    assert own_client.delete(path).status == 204
    assert all_tokens(own_client) == []
    assert own_client.get(f"{ALL_APPLICATIONS}?after={token}").status == 200


@pytest.mark.embedded
def test_a_data_folder_can_be_moved(own_server, own_client, tmp_path):
    tokens = fill(own_client, applications=1)
    own_server.stop()
    moved = own_server.data.rename(tmp_path / "moved to here")
    own_server.data_set = DataFolder(moved)
    own_server.start()
    assert all_tokens(own_client) == tokens


@pytest.mark.embedded
def test_journal_store_and_index_may_be_anywhere(start_server, tmp_path):
    places = {name: f"sqlite:{tmp_path}/{name}.db" for name in ("journal", "store", "search")}
    server = start_server(**places)
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        assert client.write(chat, "elsewhere") == 1
        server.restart()
        assert client.write(chat, "again") == 2
        assert not server.data.exists()
        assert server.run("migrate").returncode == 1, "the journal is locked, wherever it is"


def test_every_one_of_many_shards_keeps_what_it_is_given(start_server):
    # The most that there can be; but for 256 of them, /readyz asks an Elasticsearch for seconds.
    server = start_server(shards=256 if STACK == "embedded" else 64)
    with server.client() as client:
        chats = [client.create_chat(client.create_application()) for _ in range(1500)]
        for chat in chats:
            assert client.write(chat, "x") == 1
        server.restart()
        for chat in chats:
            assert client.read(f"{chat}/messages/1")["message_body"] == "x"
