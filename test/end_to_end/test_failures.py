"""One part is away: only what needs it stops, and goes on when it is back."""

import time

import pytest

from expect import assert_counts, assert_problem, walk
from folders import write_locked
from waiting import PATIENCE, eventually

STALE = {"Cache-Control": "max-stale"}


@pytest.fixture
def chat_of_own(own_client) -> str:
    """A chat with one message that everybody knows of."""
    chat = own_client.create_chat(own_client.create_application())
    own_client.write(chat, "before")
    own_client.found(chat, "before")
    return chat


@pytest.mark.embedded
def test_without_the_store_creations_go_on_and_reads_are_never_old(
    own_server, own_client, chat_of_own
):
    client, messages = own_client, f"{chat_of_own}/messages"
    idle = client.create_chat(client.create_application())
    client.write(idle, "idle")
    assert client.read(f"{idle}/messages/1")["message_body"] == "idle"
    with write_locked(own_server.data, "store.db"):
        for number in range(2, 22):
            assert client.write(chat_of_own, f"meanwhile {number}") == number
        for target in (f"{messages}/2", f"{messages}/1", messages):
            began = time.monotonic()
            assert_problem(client.get(target), 503, "store_behind")
            assert 0.5 < time.monotonic() - began < 4 * PATIENCE
        assert client.get(f"{messages}/99").status in (404, 503)
        # whoever is content with an old state gets it
        reply = client.get(f"{messages}/1", headers=STALE)
        assert (reply.status, reply.json()["message_body"]) == (200, "before")
        assert float(reply.headers["Confab-Behind"]) >= 0
        reply = client.get(messages, headers=STALE)
        assert (reply.status, len(reply.json())) == (200, 1)
        assert float(reply.headers["Confab-Behind"]) >= 0
        assert_problem(client.get(f"{messages}/2", headers=STALE), 503, "store_behind")
        # a chat in which nothing happened does not wait
        began = time.monotonic()
        reply = client.get(f"{idle}/messages/1")
        assert (reply.status, reply.json()["message_body"]) == (200, "idle")
        assert "Confab-Behind" not in reply.headers
        assert time.monotonic() - began < 0.9 * PATIENCE
        assert client.get("/readyz").status == 200
        assert client.read("/readyz")["journal"]["pending"] >= 20
        # what needs only the look goes on
        assert client.delete(f"{messages}/3").status == 204
        assert_problem(client.delete(f"{messages}/99"), 404, "message_not_found")
        assert client.put(f"{chat_of_own}?name=renamed").status == 204
        assert client.create_chat(chat_of_own.rpartition("/chats")[0])
    eventually(lambda: client.get(f"{messages}/21").status == 200, 10, "the store catches up")
    numbers = [item["message_number"] for item in walk(client, messages)]
    assert numbers == [1, 2, *range(4, 22)]
    assert client.read(chat_of_own)["name"] == "renamed"
    assert_counts(client, chat_of_own, 5, messages_count=20, last_message_number=21)


@pytest.mark.embedded
def test_without_the_journal_writes_are_refused_in_time_and_reads_go_on(
    own_server, own_client, chat_of_own
):
    client, messages = own_client, f"{chat_of_own}/messages"
    key = {"Idempotency-Key": "k"}
    with write_locked(own_server.data, "journal.db"):
        began = time.monotonic()
        reply = client.post(f"{messages}?message_body=lost", headers=key)
        assert time.monotonic() - began < 6 * PATIENCE
        assert_problem(reply, 503, {"journal_unavailable", "overloaded"})
        for method, target in [
            ("POST", f"{messages}?message_body=x"),
            ("PUT", f"{messages}/1?message_body=x"),
            ("DELETE", f"{messages}/1"),
        ]:
            reply = client.request(method, target)
            assert_problem(reply, 503, {"journal_unavailable", "overloaded"})
        assert client.read(f"{messages}/1")["message_body"] == "before"
        assert [hit["message_number"] for hit in client.search(chat_of_own, "before").json()] == [1]
    reply = eventually(
        lambda: (reply := client.post(f"{messages}?message_body=lost", headers=key)).status == 201
        and reply,
        10,
        "creations go on",
    )
    number = reply.json()["message_number"]
    again = client.post(f"{messages}?message_body=lost", headers=key)
    assert (again.status, again.json()["message_number"]) == (201, number)
    listed = client.read(messages)
    assert [item["message_body"] for item in listed].count("lost") == 1
    last = client.read(chat_of_own)["last_message_number"]
    assert client.write(chat_of_own, "after") == last + 1


@pytest.mark.embedded
def test_without_the_index_only_search_is_behind(own_server, own_client, chat_of_own):
    client, messages = own_client, f"{chat_of_own}/messages"
    with write_locked(own_server.data, "search.db"):
        assert client.write(chat_of_own, "meanwhile") == 2
        assert client.read(f"{messages}/2")["message_body"] == "meanwhile"
        client.put(f"{messages}/1?message_body=edited")
        assert client.delete(f"{messages}/2").status == 204
        reply = client.search(chat_of_own, "meanwhile")
        assert not reply.search_is_complete
        assert reply.json() == []
        reply = client.search(chat_of_own, "before")
        assert not reply.search_is_complete
        assert client.get("/readyz").status == 200
    assert client.found(chat_of_own, "meanwhile") == []
    assert client.found(chat_of_own, "before") == []
    assert client.found(chat_of_own, "edited") == [1]


def test_without_search_at_all_only_search_is_refused(start_server):
    server = start_server(search="none")
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        assert client.write(chat, "x") == 1
        assert client.read(f"{chat}/messages/1")["message_body"] == "x"
        reply = client.get(f"{chat}/messages/search?query=x")
        assert (reply.status, reply.json()["code"]) == (503, "search_unavailable")
        assert reply.headers["Retry-After"] is None
        assert client.get(f"{chat}/messages/search").status == 400
        assert client.get("/readyz").status == 200


@pytest.mark.embedded
def test_a_backlog_over_its_limit_refuses_writes_until_it_is_gone(start_server):
    server = start_server(backlog_records=1000)
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        answered, refused = [], None
        with write_locked(server.data, "store.db"):
            while refused is None and len(answered) < 5000:
                reply = client.post(f"{chat}/messages?message_body={len(answered) + 1}")
                if reply.status == 201:
                    answered.append(reply.json()["message_number"])
                else:
                    refused = reply
            assert_problem(refused, 503, "overloaded")
            assert 900 <= len(answered) <= 1600
        eventually(
            lambda: client.post(f"{chat}/messages?message_body=after").status == 201,
            10,
            "writes go on",
        )
        bodies = {n["message_number"]: n["message_body"] for n in walk(client, f"{chat}/messages")}
        assert answered == list(range(1, len(answered) + 1))
        assert all(bodies[number] == f"{number}" for number in answered)
        assert bodies[len(answered) + 1] == "after"
