"""Of several faults the first in the contract's order is told."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem

UNKNOWN = f"{ALL_APPLICATIONS}/{'A' * 36}/chats/1/messages"
TEXT = "Content-Type: text/plain"
JSON = "Content-Type: application/json"
HUGE = "Content-Length: 2000000"


def sent_raw(client, method: str, target: str, *headers: str, body: bytes = b""):
    with client.raw() as connection:
        connection.ask(method, target, *headers, body=body)
        return connection.read_reply(method)


@pytest.mark.parametrize(
    "method, target, headers, body, status, code",
    [
        # framing before the path
        ("POST", "/%zz", ["Content-Length: +3"], b"abc", 400, "bad_request"),
        # the path's escapes before the route
        ("GET", "/nope/%zz", [], b"", 400, "malformed_path"),
        ("DELETE", "/api/v1/%zz", [], b"", 400, "malformed_path"),
        # the route before the method
        ("DELETE", "/api/v1/nope", [], b"", 404, "route_not_found"),
        ("POST", "/nope", [HUGE, TEXT, "Expect: x"], b"", 404, "route_not_found"),
        # the method before expectation, length and type
        ("PUT", ALL_APPLICATIONS, [HUGE, TEXT, "Expect: x"], b"", 405, "method_not_allowed"),
        ("POST", UNKNOWN + "/search?query=%zz", [TEXT, HUGE], b"", 405, "method_not_allowed"),
        # the expectation before the length
        ("POST", UNKNOWN, ["Expect: x", HUGE, TEXT], b"", 417, "expectation_failed"),
        # the length before the type
        ("POST", UNKNOWN + "?a=%zz", [HUGE, TEXT], b"", 413, "content_too_large"),
        ("GET", UNKNOWN + "?limit=0", [HUGE, TEXT], b"", 413, "content_too_large"),
        # the type before the body is read and before the query's syntax
        (
            "POST",
            UNKNOWN + "?a=%zz",
            [TEXT, "Content-Length: 2"],
            b"hi",
            415,
            "unsupported_media_type",
        ),
        # reading the body before the query's syntax
        (
            "POST",
            UNKNOWN + "?a=%zz",
            ["Transfer-Encoding: chunked"],
            b"zz\r\n",
            400,
            "bad_request",
        ),
        # the query's syntax before the body's
        ("POST", UNKNOWN + "?a=%zz", [JSON, "Content-Length: 1"], b"{", 400, "malformed_query"),
        # the body's syntax before the key's
        (
            "POST",
            UNKNOWN,
            [JSON, "Content-Length: 1", "Idempotency-Key: a b"],
            b"{",
            400,
            "malformed_json",
        ),
        # the key's syntax before the parameters
        (
            "POST",
            UNKNOWN,
            ["Content-Length: 0", "Idempotency-Key: a b"],
            b"",
            400,
            "invalid_idempotency_key",
        ),
        # parameters before existence
        ("POST", UNKNOWN, ["Content-Length: 0"], b"", 400, "message_body_missing"),
        ("PUT", UNKNOWN + "/0", ["Content-Length: 0"], b"", 400, "message_body_missing"),
        ("GET", UNKNOWN + "?limit=0", [], b"", 400, "invalid_parameter"),
        ("GET", UNKNOWN + "/search", [], b"", 400, "query_missing"),
        ("GET", f"{ALL_APPLICATIONS}/!/chats?order=up", [], b"", 400, "invalid_parameter"),
        ("PUT", f"{ALL_APPLICATIONS}/!?name=%20", ["Content-Length: 0"], b"", 422, "name_missing"),
        (
            "POST",
            f"{ALL_APPLICATIONS}/!/chats?name=a%00",
            ["Content-Length: 0"],
            b"",
            422,
            "invalid_text",
        ),
    ],
)
def test_the_first_fault_is_told(client, method, target, headers, body, status, code):
    assert_problem(sent_raw(client, method, target, *headers, body=body), status, code)


def test_the_application_is_looked_for_before_the_chat_and_the_chat_before_the_message(
    client, application, chat
):
    nobody = f"{ALL_APPLICATIONS}/{'A' * 36}"
    assert_problem(client.get(f"{nobody}/chats/0/messages/0"), 404, "application_not_found")
    assert_problem(client.get(f"{application}/chats/2/messages/0"), 404, "chat_not_found")
    assert_problem(client.get(f"{application}/chats/0/messages/0"), 404, "chat_not_found")
    assert_problem(client.get(f"{chat}/messages/0"), 404, "message_not_found")
