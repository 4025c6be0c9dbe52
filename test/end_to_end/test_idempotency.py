"""Idempotency-Key: one request, one effect, however often it is sent."""

import uuid

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem
from waiting import in_parallel

def key(value) -> dict:
    return {"Idempotency-Key": value}


@pytest.fixture
def new_key() -> dict:
    """A header with a key that nobody used, whatever ran before on these servers."""
    return key(f"test-{uuid.uuid4()}")


def assert_first(reply) -> None:
    assert reply.status == 201, reply
    assert reply.headers["Idempotent-Replayed"] is None


def assert_replay(reply, original) -> None:
    assert reply.status == 201, reply
    assert reply.headers["Idempotent-Replayed"] == "true"
    assert reply.body == original.body
    assert reply.headers["Location"] == original.headers["Location"]


@pytest.mark.parametrize("what", ["application", "chat", "message"])
def test_the_same_request_again_gets_the_same_reply_and_takes_no_number(
    client, application, chat, messages, new_key, what
):
    target, parameters = {
        "application": (ALL_APPLICATIONS, {"name": "once"}),
        "chat": (f"{application}/chats", {"name": "once"}),
        "message": (messages, {"message_body": "once"}),
    }[what]
    first = client.post(target, json=parameters, headers=new_key)
    assert_first(first)
    for _ in range(3):
        assert_replay(client.post(target, json=parameters, headers=new_key), first)
    if what == "chat":
        assert client.create_chat(application) == f"{application}/chats/3"
    if what == "message":
        assert client.write(chat, "next") == 2


def test_the_same_key_with_other_parameters_is_refused(client, chat, messages, new_key):
    assert_first(client.post(messages, json={"message_body": "x"}, headers=new_key))
    for other in ("y", "x ", "X"):
        reply = client.post(messages, json={"message_body": other}, headers=new_key)
        assert_problem(reply, 422, "idempotency_key_reuse")
    assert client.write(chat, "next") == 2


def test_the_same_key_with_another_name_is_refused(client, application, new_key):
    for target in (ALL_APPLICATIONS, f"{application}/chats"):
        first = client.post(target, json={"name": "x"}, headers=new_key)
        assert_first(first)
        reply = client.post(target, json={"name": "y"}, headers=new_key)
        assert_problem(reply, 422, "idempotency_key_reuse")
        assert_replay(client.post(target, json={"name": "x"}, headers=new_key), first)


def test_only_the_decoded_values_of_known_parameters_are_compared(client, messages, new_key):
    first = client.post(messages, json={"message_body": "a é"}, headers=new_key)
    assert_first(first)
    for given in [
        {"json": {"message_body": "a é", "junk": 1}},
        {"body": rb'{ "message_body" : "a \u00e9" }'},
        {"form": {"message_body": "a é", "junk": "1"}},
        {"query": {"message_body": "a é", "junk": "1"}},
        {"query": {"message_body": "other"}, "json": {"message_body": "a é"}},
    ]:
        assert_replay(client.post(messages, headers=new_key, **given), first)
    assert_replay(client.post(f"{messages}/?message_body=a+%c3%a9", headers=new_key), first)


def test_for_a_chat_no_name_null_and_empty_are_the_same(client, application, new_key):
    chats = f"{application}/chats"
    first = client.post(chats, headers=new_key)
    assert_first(first)
    for given in ({"json": {}}, {"json": {"name": None}}, {"json": {"name": ""}}):
        assert_replay(client.post(chats, headers=new_key, **given), first)
    reply = client.post(chats, json={"name": " "}, headers=new_key)
    assert_problem(reply, 422, "idempotency_key_reuse")


def test_a_key_counts_in_its_collection_only(client, application, chat, new_key):
    other_chat = client.create_chat(application)
    other_application = client.create_application()
    for target in (
        f"{chat}/messages",
        f"{other_chat}/messages",
        f"{application}/chats",
        f"{other_application}/chats",
        ALL_APPLICATIONS,
    ):
        parameters = {"message_body": target[-60:], "name": target[-60:]}
        assert_first(client.post(target, json=parameters, headers=new_key))


def test_a_replay_shows_the_original_also_after_an_edit(client, application, chat, new_key):
    parameters = {"name": "original"}
    first = client.post(ALL_APPLICATIONS, json=parameters, headers=new_key)
    created = first.headers["Location"]
    assert_done(client.put(f"{created}?name=renamed"))
    client.create_chat(created)
    assert_replay(client.post(ALL_APPLICATIONS, json=parameters, headers=new_key), first)
    message = client.post(f"{chat}/messages", json={"message_body": "x"}, headers=new_key)
    assert_done(client.put(f"{message.headers['Location']}?message_body=y"))
    again = client.post(f"{chat}/messages", json={"message_body": "x"}, headers=new_key)
    assert_replay(again, message)


def test_a_replay_works_after_the_thing_was_deleted(client, application, chat, messages, new_key):
    for target, parameters in [
        (messages, {"message_body": "x"}),
        (f"{application}/chats", {"name": "x"}),
        (ALL_APPLICATIONS, {"name": "x"}),
    ]:
        first = client.post(target, json=parameters, headers=new_key)
        assert_first(first)
        assert_done(client.delete(first.headers["Location"]))
        assert_replay(client.post(target, json=parameters, headers=new_key), first)
        assert client.get(first.headers["Location"]).status == 404


def test_a_replay_below_something_deleted_is_not_found(
    client, application, chat, messages, new_key
):
    client.post(messages, json={"message_body": "x"}, headers=new_key)
    chats = f"{application}/chats"
    client.post(chats, headers=new_key)
    assert_done(client.delete(chat))
    for body in ("x", "other"):
        reply = client.post(messages, json={"message_body": body}, headers=new_key)
        assert_problem(reply, 404, "chat_not_found")
    assert_done(client.delete(application))
    for name in ("", "other"):
        reply = client.post(chats, json={"name": name}, headers=new_key)
        assert_problem(reply, 404, "application_not_found")
    reply = client.post(messages, json={"message_body": "x"}, headers=new_key)
    assert_problem(reply, 404, "application_not_found")


def test_a_refused_request_stores_no_key(client, application, new_key):
    messages = f"{application}/chats/1/messages"
    assert client.post(messages, json={"message_body": "x"}, headers=new_key).status == 404
    assert client.post(messages, headers=new_key).status == 400
    assert client.create_chat(application) == f"{application}/chats/1"
    assert client.post(messages, json={"message_body": 5}, headers=new_key).status == 422
    assert client.post(messages, b"{", headers=new_key).status == 400
    assert_first(client.post(messages, json={"message_body": "y"}, headers=new_key))


GOOD_KEYS = ["k", "x" * 255, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\\", "0", "8e03978e-40d5-43dd-bc93"]


@pytest.mark.parametrize("value", GOOD_KEYS)
def test_a_bare_key_is_visible_ascii(client, messages, value):
    first = client.post(f"{messages}?message_body=x", headers=key(value))
    assert_first(first)
    for again in (value, f" {value}  "):
        assert_replay(client.post(f"{messages}?message_body=x", headers=key(again)), first)


@pytest.mark.parametrize(
    "quoted, bare",
    [
        ('"k"', "k"),
        (' "k" ', "k"),
        ('"a\\\\b"', "a\\b"),
        ('"a\\"b"', 'a"b'),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)
def test_a_quoted_key_is_the_same_as_the_bare_one(client, messages, quoted, bare):
    first = client.post(f"{messages}?message_body=x", headers=key(quoted))
    assert_first(first)
    assert_replay(client.post(f"{messages}?message_body=x", headers=key(bare)), first)


def test_a_quoted_key_may_hold_blanks(client, messages):
    first = client.post(f"{messages}?message_body=x", headers=key('"a b"'))
    assert_first(first)
    assert_replay(client.post(f"{messages}?message_body=x", headers=key('"a b"')), first)
    assert_first(client.post(f"{messages}?message_body=x", headers=key('"a  b"')))
    assert_first(client.post(f"{messages}?message_body=x", headers=key("ab")))


BAD_KEYS = ["", " ", "a b", "x" * 256, '"' + "x" * 256 + '"', b"\xc3\xa9", b'"\xe9"']


@pytest.mark.parametrize("value", BAD_KEYS)
def test_any_other_key_is_refused(client, application, chat, messages, value):
    every = (f"{messages}?message_body=x", f"{application}/chats", f"{ALL_APPLICATIONS}?name=x")
    for target in every:
        reply = client.post(target, headers=key(value))
        assert_problem(reply, 400, "invalid_idempotency_key")
    assert client.write(chat, "x") == 1


@pytest.mark.parametrize("value", ["a\tb", "\ta", b"a\x7f"])
def test_a_control_character_makes_the_whole_head_malformed(client, messages, value):
    reply = client.post(f"{messages}?message_body=x", headers=key(value))
    assert_problem(reply, 400, "bad_request")
    assert client.write(messages.removesuffix("/messages"), "x") == 1


def test_a_key_sent_twice_is_refused(client, messages):
    for first, second in (("a", "b"), ("a", "a")):
        reply = client.post(
            f"{messages}?message_body=x",
            headers=[("Idempotency-Key", first), ("Idempotency-Key", second)],
        )
        assert_problem(reply, 400, "invalid_idempotency_key")


@pytest.mark.parametrize("value", ["", "a b", "used"])
def test_other_methods_ignore_the_key(client, messages, value):
    assert_first(client.post(f"{messages}?message_body=x", headers=key("used")))
    for body in ("y", "z"):
        assert_done(client.put(f"{messages}/1?message_body={body}", headers=key(value)))
        reply = client.get(f"{messages}/1", headers=key(value))
        assert (reply.status, reply.json()["message_body"]) == (200, body)
    assert_done(client.patch(f"{messages}/1?message_body=p", headers=key(value)))
    assert_done(client.delete(f"{messages}/1", headers=key(value)))
    assert client.get(f"{messages}/1", headers=key(value)).status == 404


def test_a_key_used_at_the_same_time_gives_one_number(client, chat, messages, new_key):
    def post(_):
        with client.clone() as own:
            return own.post(messages, json={"message_body": "x"}, headers=new_key)

    replies = in_parallel(post, range(16))
    assert {reply.status for reply in replies} == {201}
    assert {reply.body for reply in replies} == {replies[0].body}
    firsts = [reply for reply in replies if not reply.headers["Idempotent-Replayed"]]
    assert len(firsts) == 1
    assert client.write(chat, "next") == 2


def test_two_requests_with_one_key_at_the_same_time_are_one(client, messages, new_key):
    def post(turn):
        with client.clone() as own:
            return own.post(messages, json={"message_body": f"{turn % 2}"}, headers=new_key)

    replies = in_parallel(post, range(16))
    statuses = sorted(reply.status for reply in replies)
    assert statuses == [201] * 8 + [422] * 8
    assert len(client.read(messages)) == 1


def test_an_application_created_with_one_key_at_the_same_time_is_one(client, new_key):
    def post(_):
        with client.clone() as own:
            return own.post(ALL_APPLICATIONS, json={"name": "x"}, headers=new_key)

    replies = in_parallel(post, range(16))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.json()["token"] for reply in replies}) == 1


def test_without_a_key_each_request_counts(client, messages):
    for number in range(1, 4):
        assert client.post(f"{messages}?message_body=x").json() == {"message_number": number}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_keys_outlive_a_restart(own_server, own_client, end):
    chat = own_client.create_chat(own_client.create_application())
    first = own_client.post(f"{chat}/messages?message_body=x", headers=key("k"))
    assert_first(first)
    getattr(own_server, end)()
    own_server.start()
    assert_replay(own_client.post(f"{chat}/messages?message_body=x", headers=key("k")), first)
    reply = own_client.post(f"{chat}/messages?message_body=y", headers=key("k"))
    assert_problem(reply, 422, "idempotency_key_reuse")


def test_more_keys_than_the_server_keeps_are_overload(start_server):
    server = start_server(keys_max=5)
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        target = f"{chat}/messages?message_body=x"
        first = client.post(target, headers=key("1"))
        assert_first(first)
        for value in range(2, 6):
            assert_first(client.post(target, headers=key(f"{value}")))
        assert_problem(client.post(target, headers=key("6")), 503, "overloaded")
        assert_replay(client.post(target, headers=key("1")), first)
        assert client.post(target).json() == {"message_number": 6}
        assert_problem(client.post(target, headers=key("6")), 503, "overloaded")
        assert len(client.read(f"{chat}/messages")) == 6
