"""Chats: numbers, names, edits, deletion."""

import pytest

from expect import assert_created, assert_done, assert_problem, assert_times
from waiting import in_parallel


def test_chats_are_numbered_from_one_in_each_application(client, application):
    other = client.create_application()
    for number in range(1, 6):
        for owner in (application, other):
            reply = client.post(f"{owner}/chats")
            created = assert_created(reply, f"{owner}/chats/{number}")
            assert created == {"chat_number": number}


def test_a_new_chat_is_empty(client, application, chat):
    reply = client.get(chat)
    thing = reply.json()
    assert_times(thing)
    assert thing == {
        "application_token": application.rpartition("/")[2],
        "chat_number": 1,
        "name": None,
        "messages_count": 0,
        "last_message_number": 0,
        "created_at": thing["created_at"],
        "updated_at": thing["created_at"],
    }
    assert client.read(f"{application}/chats") == [thing]


@pytest.mark.parametrize(
    "given",
    [{}, {"json": {}}, {"json": {"name": None}}, {"json": {"name": ""}}, {"form": b"name="}],
)
def test_a_chat_needs_no_name_and_an_empty_one_is_none(client, application, given):
    assert client.post(f"{application}/chats", **given).status == 201
    assert client.read(f"{application}/chats/1")["name"] is None


@pytest.mark.parametrize("name", ["a chat", " ", "\u3000\t", " x ", "null"])
def test_the_name_of_a_chat_is_kept_white_space_included(client, application, name):
    chat = client.create_chat(application, name=name)
    assert client.read(chat)["name"] == name


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_chat_is_renamed_and_an_empty_name_clears(client, application, method):
    chat = client.create_chat(application, name="before")
    before = client.read(chat)
    assert_done(client.request(method, chat, json={"name": "after"}))
    after = client.read(chat)
    assert after["updated_at"] > before["updated_at"]
    assert after == {**before, "name": "after", "updated_at": after["updated_at"]}
    assert_done(client.request(method, chat, json={"name": ""}))
    assert client.read(chat)["name"] is None


@pytest.mark.parametrize("given", [{}, {"json": {}}, {"json": {"name": None}}, {"query": {"x": 1}}])
def test_an_edit_without_a_name_changes_nothing(client, application, given):
    chat = client.create_chat(application, name="stays")
    before = client.read(chat)
    for edit in (client.put, client.patch):
        assert_done(edit(chat, **given))
    assert client.read(chat) == before


def test_an_edit_without_a_name_still_needs_the_chat(client, application):
    assert_problem(client.put(f"{application}/chats/1"), 404, "chat_not_found")


def test_the_last_numbers_are_seen_at_once(client, application, chat):
    for number in range(2, 6):
        client.create_chat(application)
        assert client.read(application)["last_chat_number"] == number
    for number in range(1, 6):
        client.write(chat, "x")
        assert client.read(chat)["last_message_number"] == number
        assert client.read(f"{application}/chats?limit=1")[0]["last_message_number"] == number
    client.delete(f"{application}/chats/5")
    client.delete(f"{chat}/messages/5")
    assert client.read(application)["last_chat_number"] == 5
    assert client.read(chat)["last_message_number"] == 5


def test_a_deleted_chat_is_gone_with_its_messages(client, application, chat, messages):
    client.write(chat, "needle")
    assert_done(client.delete(chat))
    for method, target in [
        ("GET", chat),
        ("PUT", f"{chat}?name=x"),
        ("PATCH", chat),
        ("GET", messages),
        ("POST", f"{messages}?message_body=x"),
        ("GET", f"{messages}/1"),
        ("PUT", f"{messages}/1?message_body=x"),
        ("DELETE", f"{messages}/1"),
        ("DELETE", f"{messages}/99"),
        ("GET", f"{messages}/search?query=needle"),
    ]:
        assert_problem(client.request(method, target), 404, "chat_not_found")
    assert client.read(f"{application}/chats") == []


def test_deleting_a_chat_again_succeeds_again_and_above_the_last_is_unknown(
    client, application, chat
):
    for _ in range(3):
        assert_done(client.delete(chat))
    assert_problem(client.delete(f"{application}/chats/2"), 404, "chat_not_found")


def test_the_number_of_a_deleted_chat_is_not_used_again(client, application, chat):
    second = client.create_chat(application)
    assert_done(client.delete(second))
    assert_done(client.delete(chat))
    assert client.create_chat(application) == f"{application}/chats/3"
    assert [item["chat_number"] for item in client.read(f"{application}/chats")] == [3]


def test_a_refused_chat_takes_no_number(client, application):
    assert_problem(client.post(f"{application}/chats", json={"name": 5}), 422, "invalid_type")
    too_long = {"name": "x" * 256}
    assert_problem(client.post(f"{application}/chats", json=too_long), 422, "name_too_long")
    assert_problem(client.post(f"{application}/chats", b"{"), 400, "malformed_json")
    assert client.create_chat(application) == f"{application}/chats/1"


def test_chats_created_at_once_get_all_numbers_once(client, application):
    def create(_):
        with client.clone() as own:
            return [own.post(f"{application}/chats").json()["chat_number"] for _ in range(20)]

    numbers = in_parallel(create, range(8))
    assert sorted(sum(numbers, [])) == list(range(1, 161))
    assert all(mine == sorted(mine) for mine in numbers)
    listed = client.read(f"{application}/chats?limit=1000")
    assert [item["chat_number"] for item in listed] == list(range(1, 161))
