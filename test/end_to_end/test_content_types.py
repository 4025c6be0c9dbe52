"""Content types, charsets and codings of request bodies."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem

GOOD_JSON = b'{"message_body":"x"}'
GOOD_FORM = b"message_body=x"
LOOKS_LIKE_JSON = (
    "the body looks like JSON but Content-Type is application/x-www-form-urlencoded"
)


@pytest.mark.parametrize(
    "content_type, body",
    [
        (None, GOOD_JSON),
        ("application/json", GOOD_JSON),
        ("Application/JSON", GOOD_JSON),
        ("application/json;charset=utf-8", GOOD_JSON),
        ("application/json; charset=UTF-8", GOOD_JSON),
        ('application/json ; charset="utf-8"', GOOD_JSON),
        ("application/json; profile=x", GOOD_JSON),
        ("application/vnd.api+json", GOOD_JSON),
        ("application/problem+json; charset=utf-8", GOOD_JSON),
        ("application/x-www-form-urlencoded", GOOD_FORM),
        ("APPLICATION/X-WWW-FORM-URLENCODED", GOOD_FORM),
        ("application/x-www-form-urlencoded; charset=UTF-8", GOOD_FORM),
    ],
)
def test_json_and_forms_are_read(client, messages, content_type, body):
    headers = {"Content-Type": content_type} if content_type else {}
    assert client.post(messages, body, headers=headers).status == 201
    assert client.read(f"{messages}/1")["message_body"] == "x"


REFUSED = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "text/json"},
    {"Content-Type": "application/xml"},
    {"Content-Type": "application/jsonx"},
    {"Content-Type": "application/octet-stream"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "json"},
    {"Content-Type": "application/json; charset=iso-8859-1"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/x-www-form-urlencoded; charset=latin1"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    {"Content-Type": "application/json", "Content-Encoding": "br"},
    {"Content-Encoding": "deflate"},
]


@pytest.mark.parametrize("headers", REFUSED)
def test_any_other_type_charset_or_coding_is_refused(client, chat, messages, headers):
    client.write(chat, "x")
    for send, path in [
        (client.post, messages),
        (client.put, f"{messages}/1"),
        (client.patch, chat),
        (client.post, ALL_APPLICATIONS),
    ]:
        reply = send(f"{path}?message_body=y&name=y", GOOD_JSON, headers=headers)
        assert_problem(reply, 415, "unsupported_media_type")
        accepted = reply.headers["Accept-Post"] or reply.headers["Accept"] or ""
        types = {part.strip() for part in accepted.split(",")}
        assert types >= {"application/json", "application/x-www-form-urlencoded"}, reply
    assert [item["message_body"] for item in client.read(messages)] == ["x"]


@pytest.mark.parametrize("headers", REFUSED)
def test_an_empty_body_has_no_type(client, messages, headers):
    assert client.post(f"{messages}?message_body=x", b"", headers=headers).status == 201
    assert_done(client.put(f"{messages}/1?message_body=y", b"", headers=headers))


def test_the_identity_coding_is_no_coding(client, messages):
    headers = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    assert client.post(messages, GOOD_JSON, headers=headers).status == 201


@pytest.mark.parametrize("headers", REFUSED)
def test_the_type_of_a_body_that_is_not_needed_is_not_checked(client, chat, messages, headers):
    client.write(chat, "x")
    assert client.request("GET", messages, b"hi", headers=headers).status == 200
    assert client.request("HEAD", messages, b"hi", headers=headers).status == 200
    assert client.request("OPTIONS", messages, b"hi", headers=headers).status == 204
    assert client.request("DELETE", f"{messages}/1", b"hi", headers=headers).status == 204


@pytest.mark.parametrize("body", [b'{"message_body":"x"}', b' \r\n\t{"name":"x"}', b"{"])
def test_json_sent_as_a_form_is_told_apart_in_the_detail(client, messages, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    problem = assert_problem(
        client.post(messages, body, headers=headers), 400, "message_body_missing"
    )
    assert LOOKS_LIKE_JSON in problem["detail"]
    problem = assert_problem(
        client.post(ALL_APPLICATIONS, body, headers=headers), 422, "name_missing"
    )
    assert LOOKS_LIKE_JSON in problem["detail"]


def test_json_sent_as_a_form_does_not_hide_the_query(client, messages):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = client.post(f"{messages}?message_body=query", GOOD_JSON, headers=headers)
    assert reply.status == 201
    assert client.read(f"{messages}/1")["message_body"] == "query"


def test_a_missing_parameter_is_not_blamed_on_the_type_without_reason(client, messages):
    problem = assert_problem(client.post(messages, form={"a": "b"}), 400, "message_body_missing")
    assert LOOKS_LIKE_JSON not in problem["detail"]
