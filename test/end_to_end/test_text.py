"""Text: stored and returned byte for byte, with exact limits."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem

# All characters with Unicode's White_Space property.
BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Characters that look empty and are not white space.
NO_BLANKS = "\u200b\ufeff\u180e\u2800\u3164\u200d\u2060\x1c\x1f\x08\xad"

TEXTS = [
    "a",
    " leading and trailing ",
    "\ttabs\tand\nnew\r\nlines\n",
    "e\u0301 is not \u00e9",
    "\u212b \u00c5 A\u030a",
    "👩‍👩‍👧‍👦 🇪🇬 👍🏽",
    "مرحبا بالعالم",
    "שלום",
    "漢字かな交じり文",
    "\u202eright to left\u202c",
    "\ufeffmark",
    "\uffff \ufffe \ufdd0 \U0010ffff",
    "\x01\x02\x1f\x7f\x80\x9f",
    "<script>alert('1')</script> & \"quotes\" \\ back /slash",
    "Robert'); DROP TABLE messages;--",
    "%00 %s %n ${x} {{x}} \\u0000 \\0",
    "null",
    "0",
    "a\u2028b\u2029",
    "x" + BLANKS,
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_byte_for_byte(client, messages, text):
    for send in ("json", "form", "query"):
        reply = client.post(messages, **{send: {"message_body": text}})
        number = reply.json()["message_number"]
        message = client.read(f"{messages}/{number}")
        assert message["message_body"].encode() == text.encode()
    listed = client.read(messages)
    assert [item["message_body"] for item in listed] == [text] * 3
    assert_done(client.put(f"{messages}/1", json={"message_body": text + text}))
    assert client.read(f"{messages}/1")["message_body"] == text + text


@pytest.mark.parametrize("text", TEXTS)
def test_names_come_back_byte_for_byte(client, text):
    application = client.create_application(text)
    assert client.read(application)["name"] == text
    chat = client.create_chat(application, name=text)
    assert client.read(chat)["name"] == text
    assert client.read(f"{application}/chats")[0]["name"] == text
    assert_done(client.put(chat, json={"name": "." + text}))
    assert client.read(chat)["name"] == "." + text


def test_only_white_space_is_no_body_and_no_name(client, application, chat, messages):
    client.write(chat, "x")
    for blank in ["", *BLANKS, BLANKS, BLANKS * 30]:
        body = {"message_body": blank}
        assert_problem(client.post(messages, json=body), 400, "message_body_missing")
        assert_problem(client.post(messages, form=body), 400, "message_body_missing")
        assert_problem(client.put(f"{messages}/1", json=body), 400, "message_body_missing")
        assert_problem(client.post(ALL_APPLICATIONS, json={"name": blank}), 422, "name_missing")
        assert_problem(client.put(application, json={"name": blank}), 422, "name_missing")
        query = {"query": blank}
        assert_problem(client.get(f"{messages}/search", query=query), 400, "query_missing")
    assert client.write(chat, "y") == 2


@pytest.mark.parametrize("character", NO_BLANKS)
def test_what_only_looks_empty_is_text(client, chat, messages, character):
    client.write(chat, character)
    assert client.read(f"{messages}/1")["message_body"] == character
    assert client.read(client.create_application(character))["name"] == character
    assert client.search(chat, character).status == 200


@pytest.mark.parametrize("size, unit", [(65535, "x"), (21845, "上"), (16383, "🙂"), (32767, "é")])
def test_a_body_of_65535_bytes_fits_and_one_more_character_does_not(client, chat, size, unit):
    largest = unit * size
    largest += "x" * (65535 - len(largest.encode()))
    messages = f"{chat}/messages"
    for send in ("json", "form"):
        reply = client.post(messages, **{send: {"message_body": largest}})
        number = reply.json()["message_number"]
        assert client.read(f"{messages}/{number}")["message_body"] == largest
        too_long = {send: {"message_body": largest + "x"}}
        assert_problem(client.post(messages, **too_long), 422, "message_body_too_long")
        reply = client.put(f"{messages}/{number}", **too_long)
        assert_problem(reply, 422, "message_body_too_long")
        assert_done(client.put(f"{messages}/{number}", **{send: {"message_body": largest}}))
    assert client.write(chat, "x") == 3


def test_white_space_counts_for_the_length(client, messages):
    reply = client.post(messages, json={"message_body": "x" + " " * 65535})
    assert_problem(reply, 422, "message_body_too_long")


@pytest.mark.parametrize("unit", ["x", "é", "上", "🙂", " x"])
def test_a_name_of_255_characters_fits_and_256_do_not(client, unit):
    largest = (unit * 255)[:254] + "x"
    application = client.create_application(largest)
    assert client.read(application)["name"] == largest
    chat = client.create_chat(application, name=largest)
    assert client.read(chat)["name"] == largest
    too_long = {"name": largest + "x"}
    assert_problem(client.post(ALL_APPLICATIONS, json=too_long), 422, "name_too_long")
    assert_problem(client.put(application, json=too_long), 422, "name_too_long")
    assert_problem(client.post(f"{application}/chats", json=too_long), 422, "name_too_long")
    assert_problem(client.put(chat, json=too_long), 422, "name_too_long")
    assert_problem(client.post(ALL_APPLICATIONS, query=too_long), 422, "name_too_long")


@pytest.mark.parametrize("unit", ["x", "上", "🙂"])
def test_a_query_of_256_characters_fits_and_257_do_not(client, chat, messages, unit):
    longest = unit * 256
    client.write(chat, longest)
    assert client.found(chat, longest) == [1]
    reply = client.get(f"{messages}/search", query={"query": longest + unit})
    assert_problem(reply, 400, "query_too_long")


def test_a_nul_is_no_text_wherever_it_comes_from(client, application, chat, messages):
    client.write(chat, "x")
    for text in ("\0", "a\0", "\0a", "a\0b"):
        for send in ("json", "form", "query"):
            body = {send: {"message_body": text}}
            name = {send: {"name": text}}
            assert_problem(client.post(messages, **body), 422, "invalid_text")
            assert_problem(client.put(f"{messages}/1", **body), 422, "invalid_text")
            assert_problem(client.post(ALL_APPLICATIONS, **name), 422, "invalid_text")
            assert_problem(client.put(application, **name), 422, "invalid_text")
            assert_problem(client.post(f"{application}/chats", **name), 422, "invalid_text")
            assert_problem(client.put(chat, **name), 422, "invalid_text")
        reply = client.get(f"{messages}/search", query={"query": text})
        assert_problem(reply, 422, "invalid_text")


def test_an_error_never_echoes_more_than_64_characters(client, messages):
    long = "echo" * 60
    for reply in [
        client.get(f"{messages}?limit={long}"),
        client.get(f"{messages}?order={long}"),
        client.get(f"{ALL_APPLICATIONS}?after={long}"),
        client.get(f"{ALL_APPLICATIONS}/{long}"),
        client.get(f"/{long}"),
        client.post(messages, b"x", headers={"Content-Type": f"text/{long}"}),
        client.post(messages, b'{"' + long.encode() + b'":nope}'),
        client.post(messages, headers={"Idempotency-Key": long * 2}),
        client.request(f"ECHO{long}".upper(), messages),
    ]:
        assert reply.status >= 400
        assert long[:65].casefold() not in reply.body.decode().casefold()
