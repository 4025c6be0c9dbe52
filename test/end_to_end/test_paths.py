"""Paths: segments, escapes, trailing slashes, tokens and numbers."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem


@pytest.mark.parametrize(
    "segment",
    ["%", "%4", "%zz", "%4g", "%00", "a%00b", "%ff", "%c0%80", "%ed%a0%80", "%f4%90%80%80"],
)
@pytest.mark.parametrize(
    "path", ["/api/v1/applications/{}", "/api/v1/{}/nope", "/{}", "/api/v1/applications/{}/chats/1"]
)
def test_a_segment_that_cannot_be_decoded_is_malformed(client, path, segment):
    assert_problem(client.get(path.format(segment)), 400, "malformed_path")


def test_an_escaped_slash_never_splits_a_segment(client, application):
    token = application.rpartition("/")[2]
    reply = client.get(f"{ALL_APPLICATIONS}/{token}%2Fchats")
    assert_problem(reply, 404, "application_not_found")
    assert_problem(client.get("/api/v1%2Fapplications"), 404, "route_not_found")
    assert_problem(client.get("/api%2fv1/applications"), 404, "route_not_found")


def test_each_segment_is_decoded_once(client, application, chat):
    token = application.rpartition("/")[2]
    escaped = "".join(f"%{ord(letter):02x}" for letter in token)
    assert client.get(f"/api/v1/%61pplications/{escaped}").json()["token"] == token
    assert client.get(f"{application}/chats/%31").status == 200
    assert_problem(client.get(f"{application}/chats/%2531"), 404, "chat_not_found")


def test_one_trailing_slash_is_ignored(client, application, chat, messages):
    assert client.post(f"{ALL_APPLICATIONS}/?name=x").status == 201
    assert client.post(f"{messages}/?message_body=x").json() == {"message_number": 1}
    for path in (ALL_APPLICATIONS, application, f"{application}/chats", chat, messages):
        assert client.get(path + "/").status == 200
    assert client.get(f"{messages}/1/").status == 200
    assert client.get("/healthz/").status == 200
    assert_done(client.delete(f"{messages}/1/"))


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/applications",
        "/api//v1/applications",
        "/api/v1/applications//",
        "/api/v1/applications//chats",
        "//",
    ],
)
def test_any_other_empty_segment_is_no_route(client, path):
    assert_problem(client.get(path), 404, "route_not_found")


def test_an_empty_segment_before_a_number_is_no_route(client, application):
    assert_problem(client.get(f"{application}//chats"), 404, "route_not_found")
    assert_problem(client.get(f"{application}/chats//1"), 404, "route_not_found")
    assert_problem(client.get(f"{application}/chats/1//"), 404, "route_not_found")


@pytest.mark.parametrize("dots", [".", "..", "%2e", "%2e%2e", ".%2E"])
def test_dots_are_ordinary_segments(client, application, dots):
    assert_problem(client.get(f"{ALL_APPLICATIONS}/{dots}"), 404, "application_not_found")
    assert_problem(client.get(f"{application}/{dots}/chats"), 404, "route_not_found")
    assert_problem(client.get(f"/api/v1/{dots}/applications"), 404, "route_not_found")
    assert_problem(client.get(f"{application}/chats/{dots}"), 404, "chat_not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/API/v1/applications",
        "/api/V1/applications",
        "/api/v1/Applications",
        "/api/v1/applications.json",
        "/api/v1",
        "/api",
        "/",
        "/Healthz",
        "/healthz/x",
        "/nope",
    ],
)
def test_other_paths_are_no_route_whatever_the_method(client, path):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert_problem(client.request(method, path), 404, "route_not_found")
    assert client.head(path).status == 404


def test_a_json_suffix_is_part_of_its_segment(client, application, chat, messages):
    client.write(chat, "x")
    assert_problem(client.get(f"{application}.json"), 404, "application_not_found")
    assert_problem(client.get(f"{application}/chats.json"), 404, "route_not_found")
    assert_problem(client.get(f"{chat}.json"), 404, "chat_not_found")
    assert_problem(client.get(f"{messages}/1.json"), 404, "message_not_found")
    assert_problem(client.get(f"{messages}/search.json?query=x"), 404, "message_not_found")


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/metrics", "/version", ALL_APPLICATIONS, "/api/v1/openapi.json"],
)
def test_a_query_string_is_allowed_on_any_path(client, path):
    assert client.get(f"{path}?foo=bar&baz").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/version"])
def test_the_query_string_of_an_operations_path_is_not_looked_at(client, path):
    assert client.get(f"{path}?a=%zz&b=%ff&limit=0").status == 200


@pytest.mark.parametrize(
    "token",
    [
        "a",
        "A" * 64,
        "A" * 65,
        "A" * 2000,
        "a-b_c",
        "a%20b",
        "a+b",
        "a.b",
        "%C3%A9",
        "%F0%9F%99%82",
        "%27%20OR%201=1",
        "*",
        "..%2f..",
        "%0a",
    ],
)
def test_a_token_of_any_wrong_form_is_unknown_not_bad(client, token):
    for method, rest in [
        ("GET", ""),
        ("DELETE", ""),
        ("PUT", "?name=x"),
        ("GET", "/chats"),
        ("POST", "/chats"),
        ("POST", "/chats/1/messages?message_body=x"),
        ("GET", "/chats/1/messages/search?query=x"),
    ]:
        reply = client.request(method, f"{ALL_APPLICATIONS}/{token}{rest}")
        assert_problem(reply, 404, "application_not_found")


WRONG_NUMBERS = [
    "0",
    "00",
    "-1",
    "+1",
    "01",
    "1.0",
    "1e0",
    "0x1",
    "abc",
    "1a",
    "%201",
    "1%20",
    "1%0a",
    "%EF%BC%91",  # FULLWIDTH DIGIT ONE
    "%D9%A1",  # ARABIC-INDIC DIGIT ONE
    "9007199254740991",
    "9007199254740992",
    "9223372036854775808",
    "18446744073709551617",
    "99999999999999999999",
    "1" * 300,
]


@pytest.mark.parametrize("number", WRONG_NUMBERS)
def test_a_chat_number_of_another_form_is_unknown(client, application, chat, number):
    path = f"{application}/chats/{number}"
    for method, rest in [
        ("GET", ""),
        ("PUT", "?name=x"),
        ("DELETE", ""),
        ("GET", "/messages"),
        ("POST", "/messages?message_body=x"),
        ("GET", "/messages/1"),
        ("DELETE", "/messages/1"),
        ("GET", "/messages/search?query=x"),
    ]:
        assert_problem(client.request(method, path + rest), 404, "chat_not_found")


@pytest.mark.parametrize("number", WRONG_NUMBERS)
def test_a_message_number_of_another_form_is_unknown(client, chat, messages, number):
    client.write(chat, "x")
    for method, rest in [("GET", ""), ("PUT", "?message_body=y"), ("DELETE", "")]:
        reply = client.request(method, f"{messages}/{number}{rest}")
        assert_problem(reply, 404, "message_not_found")
    assert client.read(f"{messages}/1")["message_body"] == "x"
