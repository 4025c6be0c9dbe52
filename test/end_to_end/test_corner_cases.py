"""The corner cases of the contract's table that one request decides."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
UNKNOWN = ALL_APPLICATIONS + "/" + "A" * 36


@pytest.mark.parametrize(
    "query, headers, body, stored",
    [
        ("?message_body=Hey!", {}, None, "Hey!"),
        ("?message_body=Hey", JSON, b'{"message_body":"Hola"}', "Hola"),
        ("?message_body=x", JSON, b"", "x"),
        ("", FORM, b"message_body=Hey%21", "Hey!"),
        ("", JSON, b'{"message_body":"Hey!"}', "Hey!"),
    ],
)
def test_a_message_body_is_taken_from_query_form_or_json(
    client, messages, query, headers, body, stored
):
    reply = client.post(messages + query, body, headers=headers)
    assert (reply.status, reply.json()) == (201, {"message_number": 1})
    assert client.read(f"{messages}/1")["message_body"] == stored


@pytest.mark.parametrize(
    "query, headers, body, status, code",
    [
        ("?message_body=a%00b", {}, None, 422, "invalid_text"),
        ("?message_body=%ff", {}, None, 400, "malformed_query"),
        ("", FORM, b"message_body=a%00b", 422, "invalid_text"),
        ("", FORM, b"message_body=%ff", 400, "malformed_form"),
        ("", JSON, rb'{"message_body":"\ud800"}', 400, "malformed_json"),
        ("", JSON, b'{"message_body":5}', 422, "invalid_type"),
        ("", JSON, rb'{"message_body":"a\u0000b"}', 422, "invalid_text"),
        ("", JSON, rb'{"message_body":"\uX000"}', 400, "malformed_json"),
        ("", JSON, b"[1]", 400, "malformed_json"),
        ("", JSON, b'"x"', 400, "malformed_json"),
        ("", JSON, b'{"a":1}x', 400, "malformed_json"),
        ("", JSON, b"{", 400, "malformed_json"),
        ("", {"Content-Type": "text/plain"}, b"hi", 415, "unsupported_media_type"),
    ],
)
def test_a_bad_message_is_refused_and_takes_no_number(
    client, messages, query, headers, body, status, code
):
    assert_problem(client.post(messages + query, body, headers=headers), status, code)
    assert client.post(messages + "?message_body=x").json() == {"message_number": 1}


def test_an_application_needs_no_body(client):
    assert client.post(f"{ALL_APPLICATIONS}?name=x").status == 201


def test_an_application_needs_a_name_of_more_than_blanks(client):
    assert_problem(client.post(f"{ALL_APPLICATIONS}?name=%20%20"), 422, "name_missing")


@pytest.mark.parametrize("number", ["0", "01", "abc", "99999999999999999999"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_chat_number_of_the_wrong_form_is_unknown(client, application, number, method):
    assert_problem(client.request(method, f"{application}/chats/{number}"), 404, "chat_not_found")


@pytest.mark.parametrize(
    "method, rest",
    [
        ("GET", ""),
        ("PUT", "?name=x"),
        ("PATCH", "?name=x"),
        ("DELETE", ""),
        ("GET", "/chats"),
        ("POST", "/chats"),
        ("GET", "/chats/1"),
        ("PUT", "/chats/1?name=x"),
        ("PATCH", "/chats/1"),
        ("DELETE", "/chats/1"),
        ("GET", "/chats/1/messages"),
        ("POST", "/chats/1/messages?message_body=x"),
        ("GET", "/chats/1/messages/1"),
        ("PUT", "/chats/1/messages/1?message_body=x"),
        ("PATCH", "/chats/1/messages/1?message_body=x"),
        ("DELETE", "/chats/1/messages/1"),
        ("GET", "/chats/1/messages/search?query=x"),
    ],
)
def test_below_an_unknown_application_everything_is_unknown(client, method, rest):
    assert_problem(client.request(method, UNKNOWN + rest), 404, "application_not_found")


def test_a_missing_body_is_told_before_an_unknown_token(client):
    assert_problem(client.post(f"{UNKNOWN}/chats/1/messages"), 400, "message_body_missing")


def test_a_message_that_never_existed_or_is_deleted_cannot_be_edited(client, chat, messages):
    edit = "?message_body=y"
    assert_problem(client.put(f"{messages}/1{edit}"), 404, "message_not_found")
    client.write(chat, "x")
    assert_done(client.delete(f"{messages}/1"))
    assert_problem(client.put(f"{messages}/1{edit}"), 404, "message_not_found")
    assert_problem(client.patch(f"{messages}/1{edit}"), 404, "message_not_found")


def test_a_message_above_the_last_cannot_be_deleted(client, chat, messages):
    for _ in range(5):
        client.write(chat, "x")
    assert_problem(client.delete(f"{messages}/7"), 404, "message_not_found")


def test_the_number_of_a_deleted_last_message_is_not_used_again(client, chat, messages):
    assert [client.write(chat, "x") for _ in range(3)] == [1, 2, 3]
    assert_done(client.delete(f"{messages}/3"))
    assert client.write(chat, "y") == 4


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "order=up"])
def test_a_bad_list_parameter_is_named(client, messages, query):
    name = query.split("=")[0]
    reply = client.get(f"{messages}?{query}")
    assert_problem(reply, 400, "invalid_parameter", parameter=name)


def test_a_list_after_its_last_message_is_empty(client, messages):
    assert client.read(f"{messages}?after=999999") == []


@pytest.mark.parametrize("query", ["", "?query=", "?query=%20"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_search_needs_a_query(client, messages, query, slash):
    assert_problem(client.get(f"{messages}/search{slash}{query}"), 400, "query_missing")


@pytest.mark.parametrize("query", ["a", "上海", "*", "100%"])
def test_a_short_or_odd_query_is_literal(client, chat, query):
    bodies = ["a quarter of 100%", "in 上海 *", "nothing", "100 percent"]
    for body in bodies:
        client.write(chat, body)
    expected = [number for number, body in enumerate(bodies, 1) if query in body]
    assert client.found(chat, query, order="asc") == expected


def test_a_query_of_257_characters_is_too_long(client, messages):
    assert_problem(client.get(f"{messages}/search?query={'x' * 257}"), 400, "query_too_long")


@pytest.mark.parametrize(
    "method, path, status, code",
    [
        ("GET", "/api/v1/applications//chats", 404, "route_not_found"),
        ("GET", "/api/v1/nope", 404, "route_not_found"),
        ("GET", "/api/v2/applications", 404, "route_not_found"),
        ("OPTIONS", "/api/v1/nope", 404, "route_not_found"),
        ("GET", "/api/v1/applications/a+b", 404, "application_not_found"),
        ("DELETE", "/api/v1/applications", 405, "method_not_allowed"),
    ],
)
def test_unknown_paths_and_methods_are_told(client, method, path, status, code):
    assert_problem(client.request(method, path), status, code)


@pytest.mark.parametrize("method", ["TRACE", "FOO"])
def test_a_method_that_nobody_knows_reaches_no_handler(client, application, method):
    with client.raw() as connection:
        connection.ask(method, f"{application}?name=renamed", "Content-Length: 0")
        reply = connection.read_reply()
    assert reply.status in (400, 405)
    code = "bad_request" if reply.status == 400 else "method_not_allowed"
    assert_problem(reply, reply.status, code)
    assert client.read(application)["name"] == "an application"


def test_a_token_in_other_letter_case_is_unknown(client, application):
    reply = client.get(f"{ALL_APPLICATIONS}/{application.rpartition('/')[2].swapcase()}")
    assert_problem(reply, 404, "application_not_found")


@pytest.mark.parametrize("header", [{"If-None-Match": "*"}, {"Range": "bytes=0-1"}])
def test_conditions_and_ranges_are_ignored(client, application, header):
    reply = client.get(application, headers=header)
    assert (reply.status, reply.json()) == (200, client.read(application))
