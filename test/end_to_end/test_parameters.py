"""Parameters: where they come from, which of them wins, and how they are decoded."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem

FORM = "application/x-www-form-urlencoded"


def stored(client, messages: str) -> str:
    """The body of the newest message."""
    return client.read(f"{messages}?order=desc&limit=1")[0]["message_body"]


def test_the_body_wins_over_the_query(client, messages):
    for send in ("json", "form"):
        reply = client.post(f"{messages}?message_body=query", **{send: {"message_body": send}})
        assert reply.status == 201
        assert stored(client, messages) == send
    reply = client.put(f"{messages}/1?message_body=query", json={"message_body": "edited"})
    assert_done(reply)
    assert client.read(f"{messages}/1")["message_body"] == "edited"


@pytest.mark.parametrize("json", [{}, {"message_body": None}, {"other": "x"}])
def test_the_query_counts_where_the_body_does_not_have_the_parameter(client, messages, json):
    assert client.post(f"{messages}?message_body=query", json=json).status == 201
    assert stored(client, messages) == "query"


@pytest.mark.parametrize("given", [{"json": {"message_body": ""}}, {"form": b"message_body="}])
def test_an_empty_parameter_in_the_body_wins_too(client, messages, given):
    reply = client.post(f"{messages}?message_body=query", **given)
    assert_problem(reply, 400, "message_body_missing")


def test_the_path_always_wins(client, application, chat, messages):
    other = client.create_chat(application)
    names = {"token": "A" * 36, "chat_number": 2, "message_number": 7, "application_token": "x"}
    reply = client.post(messages, query=names, json={**names, "message_body": "x"})
    assert (reply.status, reply.json()) == (201, {"message_number": 1})
    assert client.read(f"{messages}/1?chat_number=2&message_number=9")["message_number"] == 1
    assert client.read(f"{other}/messages") == []


def test_the_last_of_two_wins(client, messages):
    assert client.post(f"{messages}?message_body=a&message_body=b").status == 201
    assert stored(client, messages) == "b"
    assert client.post(messages, form=b"message_body=c&x=1&message_body=d").status == 201
    assert stored(client, messages) == "d"
    assert client.post(messages, b'{"message_body":"e","message_body":"f"}').status == 201
    assert stored(client, messages) == "f"
    assert client.post(messages, rb'{"message_body":"e","message\u005fbody":"g"}').status == 201
    assert stored(client, messages) == "g"


def test_the_last_of_two_json_members_wins_whatever_it_is(client, messages):
    reply = client.post(messages, b'{"message_body":"e","message_body":5}')
    assert_problem(reply, 422, "invalid_type")
    assert client.post(messages, b'{"message_body":5,"message_body":"h"}').status == 201
    reply = client.post(messages, b'{"message_body":"e","message_body":null}')
    assert_problem(reply, 400, "message_body_missing")


@pytest.mark.parametrize(
    "given",
    [
        {"query": {"junk": "\0", "limit": "0", "order": "up", "message_body": "x"}},
        {"form": {"junk": "\0", "limit": "0", "message_body": "x"}},
        {"json": {"junk": "\0", "limit": 0, "\0": [{}], "message_body": "x"}},
        {"query": {"\0": "y", "Message_Body": "y", "message_body[]": "y", "message_body": "x"}},
        {"json": {"MESSAGE_BODY": 5, "message_body ": 5, "message_body": "x"}},
    ],
)
def test_unknown_names_are_ignored_whatever_their_value(client, messages, given):
    assert client.post(messages, **given).status == 201
    assert stored(client, messages) == "x"


def test_names_are_decoded_too(client, messages):
    assert client.post(f"{messages}?message%5Fbody=x").status == 201
    assert client.post(messages, form=b"%6dessage_body=y").status == 201
    assert stored(client, messages) == "y"


@pytest.mark.parametrize(
    "encoded, decoded",
    [
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%20b", "a b"),
        ("a%26b%3Dc", "a&b=c"),
        ("a=b", "a=b"),
        ("a;b", "a;b"),
        ("100%25", "100%"),
        ("%25%34%31", "%41"),
        ("%C3%a9", "é"),
        ("%F0%9F%99%82", "🙂"),
        ("a%0D%0Ab", "a\r\nb"),
        ("a%01b%7F", "a\x01b\x7f"),
    ],
)
def test_query_and_form_are_decoded_alike(client, messages, encoded, decoded):
    assert client.post(f"{messages}?message_body={encoded}").status == 201
    assert stored(client, messages) == decoded
    assert client.post(messages, form=f"x=1&message_body={encoded}".encode()).status == 201
    assert stored(client, messages) == decoded


@pytest.mark.parametrize(
    "text", ["%", "a%", "%4", "%zz", "%4g", "%g4", "%ff", "%c0%af", "%ed%a0%80", "%F0%9F%99"]
)
@pytest.mark.parametrize("name", ["message_body", "junk"])
def test_what_cannot_be_decoded_is_malformed_whatever_its_name(client, messages, text, name):
    reply = client.post(f"{messages}?message_body=x&{name}={text}")
    assert_problem(reply, 400, "malformed_query")
    reply = client.post(messages, form=f"message_body=x&{name}={text}".encode())
    assert_problem(reply, 400, "malformed_form")
    reply = client.get(f"{messages}?limit=1&{name}={text}")
    assert_problem(reply, 400, "malformed_query")
    assert client.read(messages) == []


@pytest.mark.parametrize("text", ["%=x", "%ff=x", "message_body=x&%zz"])
def test_a_name_that_cannot_be_decoded_is_malformed(client, messages, text):
    assert_problem(client.post(f"{messages}?{text}"), 400, "malformed_query")
    assert_problem(client.post(messages, form=text.encode()), 400, "malformed_form")


def test_raw_utf8_in_a_form_is_text_and_raw_garbage_is_malformed(client, messages):
    assert client.post(messages, form="message_body=é🙂".encode()).status == 201
    assert stored(client, messages) == "é🙂"
    reply = client.post(messages, form=b"message_body=a\xffb")
    assert_problem(reply, 400, "malformed_form")


@pytest.mark.parametrize(
    "form, status, code",
    [
        (b"a=b\0c=d", 400, "message_body_missing"),
        (b"a=b\0", 400, "message_body_missing"),
        (b"a=b%", 400, "malformed_form"),
        (b"a=%4", 400, "malformed_form"),
        (b"message_body=b\0c", 422, "invalid_text"),
        (b"\0", 400, "message_body_missing"),
        (b"&", 400, "message_body_missing"),
        (b"=", 400, "message_body_missing"),
        (b"message_body", 400, "message_body_missing"),
    ],
)
def test_a_form_that_would_hang_a_careless_parser_is_answered(client, messages, form, status, code):
    for _ in range(5):
        assert_problem(client.post(messages, form=form), status, code)
    expected = 400 if code == "malformed_form" else 201
    assert client.post(messages, form=form + b"&message_body=x").status == expected


@pytest.mark.parametrize("send", ["query", "form", "json"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_put_and_patch_take_parameters_from_everywhere(client, application, chat, send, method):
    client.write(chat, "before")
    edit = getattr(client, method)
    assert_done(edit(f"{chat}/messages/1", **{send: {"message_body": "after é"}}))
    assert client.read(f"{chat}/messages/1")["message_body"] == "after é"
    assert_done(edit(chat, **{send: {"name": "chat é"}}))
    assert client.read(chat)["name"] == "chat é"
    assert_done(edit(application, **{send: {"name": "application é"}}))
    assert client.read(application)["name"] == "application é"


@pytest.mark.parametrize("send", ["query", "form", "json"])
def test_creations_take_parameters_from_everywhere(client, application, send):
    reply = client.post(ALL_APPLICATIONS, **{send: {"name": "a é"}})
    assert (reply.status, reply.json()["name"]) == (201, "a é")
    assert client.post(f"{application}/chats", **{send: {"name": "c é"}}).status == 201
    assert client.read(f"{application}/chats/1")["name"] == "c é"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_the_body_of_a_request_that_needs_none_is_ignored(client, chat, messages, method):
    expected = 204 if method == "DELETE" else 200
    for content_type, body in [
        ("application/json", b'{"limit":0}'),
        ("application/json", b"{"),
        ("text/plain", b"hi"),
        (FORM, b"limit=%zz"),
    ]:
        path = f"{messages}/{client.write(chat, 'x')}" if method == "DELETE" else messages
        reply = client.request(method, path, body, headers={"Content-Type": content_type})
        assert reply.status == expected, reply


def test_a_search_query_in_a_body_is_ignored(client, messages):
    reply = client.request("GET", f"{messages}/search", json={"query": "x"})
    assert_problem(reply, 400, "query_missing")
