"""Messages: numbers, edits, deletion; what was answered is seen at once."""

import pytest

from expect import assert_created, assert_done, assert_problem, assert_times
from waiting import in_parallel


def test_messages_are_numbered_from_one_in_each_chat(client, application, chat):
    other = client.create_chat(application)
    for number in range(1, 6):
        for owner in (chat, other):
            reply = client.post(f"{owner}/messages", json={"message_body": f"{number}"})
            created = assert_created(reply, f"{owner}/messages/{number}")
            assert created == {"message_number": number}
            message = client.read(reply.headers["Location"])
            assert_times(message)
            assert message == {
                "message_number": number,
                "message_body": f"{number}",
                "created_at": message["created_at"],
                "updated_at": message["created_at"],
            }


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"json": {}},
        {"json": {"message_body": None}},
        {"json": {"message_body": ""}},
        {"form": b"message_body="},
        {"form": b"message_body"},
        {"query": {"message_body": " \t"}},
        {"json": {"Message_Body": "x", "body": "x"}},
    ],
)
def test_a_body_is_required_and_its_absence_is_told_as_in_the_seed(client, chat, messages, given):
    client.write(chat, "x")
    problem = assert_problem(client.post(messages, **given), 400, "message_body_missing")
    assert problem["error"] == problem["message"] == problem["detail"]
    for edit in (client.put, client.patch):
        problem = assert_problem(edit(f"{messages}/1", **given), 400, "message_body_missing")
        assert problem["error"] == problem["detail"]
    assert client.write(chat, "y") == 2


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_edit_changes_the_body_and_its_time(client, chat, messages, method):
    client.write(chat, "before")
    before = client.read(f"{messages}/1")
    assert_done(client.request(method, f"{messages}/1", json={"message_body": "after"}))
    after = client.read(f"{messages}/1")
    assert after["updated_at"] > before["updated_at"]
    assert after == {**before, "message_body": "after", "updated_at": after["updated_at"]}


def test_the_same_body_again_still_moves_the_time(client, chat, messages):
    client.write(chat, "same")
    times = [client.read(f"{messages}/1")["updated_at"]]
    for _ in range(3):
        assert_done(client.put(f"{messages}/1?message_body=same"))
        times.append(client.read(f"{messages}/1")["updated_at"])
    assert times == sorted(set(times))


def test_a_deleted_message_is_gone_and_its_deletion_repeats(client, chat, messages):
    for _ in range(3):
        client.write(chat, "x")
    for _ in range(3):
        assert_done(client.delete(f"{messages}/2"))
    assert_problem(client.get(f"{messages}/2"), 404, "message_not_found")
    assert_problem(client.put(f"{messages}/2?message_body=y"), 404, "message_not_found")
    assert [item["message_number"] for item in client.read(messages)] == [1, 3]
    assert_problem(client.delete(f"{messages}/4"), 404, "message_not_found")
    assert client.write(chat, "x") == 4


def test_below_an_unknown_chat_everything_is_unknown(client, application):
    messages = f"{application}/chats/1/messages"
    for method, target in [
        ("GET", messages),
        ("POST", f"{messages}?message_body=x"),
        ("GET", f"{messages}/1"),
        ("PUT", f"{messages}/1?message_body=x"),
        ("DELETE", f"{messages}/1"),
        ("GET", f"{messages}/search?query=x"),
    ]:
        assert_problem(client.request(method, target), 404, "chat_not_found")


def test_one_writer_after_another_gets_growing_numbers(client, chat):
    writers = [client.clone() for _ in range(4)]
    numbers = [writers[turn % 4].write(chat, "x") for turn in range(100)]
    for writer in writers:
        writer.close()
    assert numbers == list(range(1, 101))


def test_messages_written_at_once_get_all_numbers_once(client, chat, messages):
    def write(writer):
        with client.clone() as own:
            return {own.write(chat, f"{writer}-{turn}"): f"{writer}-{turn}" for turn in range(25)}

    written = in_parallel(write, range(16))
    assert all(list(mine) == sorted(mine) for mine in written)
    expected = {number: body for mine in written for number, body in mine.items()}
    listed = client.read(f"{messages}?limit=1000")
    assert {item["message_number"]: item["message_body"] for item in listed} == expected
    assert sorted(expected) == list(range(1, 401))
    created = [item["created_at"] for item in listed]
    assert created == sorted(created)


def test_every_answered_write_is_seen_by_the_next_read(client, application):
    for turn in range(100):
        chat = client.create_chat(application, name=f"{turn}")
        messages = f"{chat}/messages"
        assert client.read(chat)["name"] == f"{turn}"
        assert client.write(chat, "first") == 1
        assert client.read(f"{messages}/1")["message_body"] == "first"
        assert [item["message_body"] for item in client.read(messages)] == ["first"]
        assert client.read(chat)["last_message_number"] == 1
        assert_done(client.put(f"{messages}/1?message_body=second"))
        assert client.read(f"{messages}/1")["message_body"] == "second"
        assert_done(client.delete(f"{messages}/1"))
        assert client.get(f"{messages}/1").status == 404
        assert client.read(messages) == []
        assert_done(client.put(f"{chat}?name=x"))
        assert client.read(chat)["name"] == "x"
        if turn % 2:
            assert_done(client.delete(chat))
            assert client.get(chat).status == 404
    assert client.read(application)["last_chat_number"] == 100
    left = [item["chat_number"] for item in client.read(f"{application}/chats?limit=1000")]
    assert left == list(range(1, 101, 2))


def test_every_answered_application_is_seen_by_the_next_read(client):
    for _ in range(50):
        path = client.create_application("new")
        token = path.rpartition("/")[2]
        assert client.read(path)["token"] == token
        assert client.get(f"/api/v1/applications?after={token}").status == 200
        assert_done(client.put(f"{path}?name=renamed"))
        assert client.read(path)["name"] == "renamed"
        assert_done(client.delete(path))
        assert client.get(path).status == 404


def test_reads_under_load_see_what_was_answered_before(client, chat, messages):
    def write_and_read(writer):
        with client.clone() as own:
            for turn in range(40):
                number = own.write(chat, f"{writer}/{turn}")
                assert own.read(f"{messages}/{number}")["message_body"] == f"{writer}/{turn}"
                newest = own.read(f"{messages}?order=desc&limit=1")[0]["message_number"]
                assert newest >= number
                listed = own.read(f"{messages}?after={number - 1}&limit=1")
                assert listed[0]["message_number"] == number
                assert own.read(chat)["last_message_number"] >= number
        return True

    assert all(in_parallel(write_and_read, range(12)))


def test_an_edit_answered_before_another_began_loses(client, chat, messages):
    client.write(chat, "0")
    writers = [client.clone() for _ in range(4)]
    for turn in range(1, 81):
        assert_done(writers[turn % 4].put(f"{messages}/1?message_body={turn}"))
        assert client.read(f"{messages}/1")["message_body"] == f"{turn}"
    for writer in writers:
        writer.close()


@pytest.mark.parametrize("value", ["max-stale", "max-stale=60"])
def test_a_client_content_with_an_old_state_is_answered(client, chat, messages, value):
    client.write(chat, "x")
    client.read(f"{messages}/1")
    reply = client.get(f"{messages}/1", headers={"Cache-Control": value})
    assert (reply.status, reply.json()["message_body"]) == (200, "x")
