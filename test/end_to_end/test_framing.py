"""Framing: what could smuggle, hang or confuse is refused, and the server goes on."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem

JSON = b'{"message_body":"x"}'


def smuggled(messages: str) -> bytes:
    """A whole request: it must never run where it is sent as somebody's body."""
    return (
        f"POST {messages}?message_body=smuggled HTTP/1.1\r\n"
        "Host: confab\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def stored(client, messages: str) -> list[str]:
    return [item["message_body"] for item in client.read(messages)]


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 3", "Content-Length: 5"],
        ["Content-Length: 0", "Content-Length: {}"],
        ["Content-Length: {}", "Content-Length: 0"],
        ["Content-Length: 0", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 0"],
        ["Content-Length: +0"],
        ["Content-Length: -1"],
        ["Content-Length: 0x0"],
        ["Content-Length: 0x"],
        ["Content-Length: 0, {}"],
        ["Content-Length: 1.0"],
        ["Content-Length: zero"],
        ["Content-Length: "],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, gzip"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: gzip"],
    ],
)
def test_an_ambiguous_length_is_refused_and_the_connection_closed(client, messages, headers):
    rest = smuggled(messages)
    with client.raw() as connection:
        lines = [line.format(len(rest)) for line in headers]
        connection.ask("POST", f"{messages}?message_body=x", *lines, body=rest)
        reply = connection.read_reply()
        assert_problem(reply, 400, "bad_request")
        assert reply.headers["Connection"] == "close"
        assert connection.is_closed()
    assert stored(client, messages) == []


def test_the_same_length_twice_is_refused_too(client, messages):
    with client.raw() as connection:
        length = f"Content-Length: {len(JSON)}"
        connection.ask("POST", messages, length, length, body=JSON)
        assert_problem(connection.read_reply(), 400, "bad_request")
        assert connection.is_closed()
    assert stored(client, messages) == []


@pytest.mark.parametrize("folded", [" folded", "\tfolded"])
def test_a_folded_header_does_not_make_a_body_a_request(client, messages, folded):
    rest = smuggled(messages)
    with client.raw() as connection:
        connection.ask(
            "POST",
            f"{messages}?message_body=x",
            "X-Folded: a",
            folded,
            f"Content-Length: {len(rest)}",
            "Content-Type: text/plain",
            body=rest,
        )
        reply = connection.read_reply()
        assert reply.headers["Connection"] == "close"
        assert connection.is_closed()
    assert "smuggled" not in stored(client, messages)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_without_any_length_the_connection_is_closed_after_the_reply(
    client, chat, messages, method
):
    client.write(chat, "x")
    path = messages if method == "POST" else f"{messages}/1"
    with client.raw() as connection:
        connection.ask(method, f"{path}?message_body=y", body=smuggled(messages))
        reply = connection.read_reply()
        assert reply.status == (201 if method == "POST" else 204)
        assert reply.headers["Connection"] == "close"
        assert connection.is_closed()
    assert "smuggled" not in stored(client, messages)


@pytest.mark.parametrize("body", [b"", b"{", JSON[:-1], JSON])
def test_a_body_shorter_than_its_length_is_refused(client, messages, body):
    with client.raw() as connection:
        connection.ask("POST", messages, f"Content-Length: {len(JSON) + 1}", body=body)
        connection.socket.shutdown(1)  # we will send nothing more
        reply = connection.read_reply()
        assert reply.status == 400, reply
        assert_problem(reply, 400, "bad_request")
        assert connection.is_closed()
    assert stored(client, messages) == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"14\r\n" + JSON + b"\r\n0\r\n\r\n",
        b"000014\r\n" + JSON + b"\r\n0\r\n\r\n",
        b"1\r\n{\r\n13\r\n" + JSON[1:] + b"\r\n0\r\n\r\n",
        b"".join(b"1\r\n%c\r\n" % byte for byte in JSON) + b"0\r\n\r\n",
        b"A\r\n" + JSON[:10] + b"\r\na\r\n" + JSON[10:] + b"\r\n0\r\n\r\n",
    ],
)
def test_a_good_chunked_body_is_read_and_the_connection_goes_on(client, messages, chunks):
    with client.raw() as connection:
        for number in (1, 2):
            connection.ask("POST", messages, "Transfer-Encoding: chunked", body=chunks)
            reply = connection.read_reply()
            assert (reply.status, reply.json()) == (201, {"message_number": number})


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n" + JSON + b"\r\n0\r\n\r\n",
        b"\r\n" + JSON,
        b"-1\r\n" + JSON + b"\r\n0\r\n\r\n",
        b"+14\r\n" + JSON + b"\r\n0\r\n\r\n",
        b"0x14\r\n" + JSON + b"\r\n0\r\n\r\n",
        b"13\r\n" + JSON + b"\r\n0\r\n\r\n",  # a byte too many
        b"14\r\n" + JSON + b"zz\r\n\r\n",
        b"14\r\n" + JSON + b"\r\nzz\r\n\r\n",
    ],
)
def test_a_bad_chunked_body_is_refused(client, messages, chunks):
    with client.raw() as connection:
        connection.ask("POST", messages, "Transfer-Encoding: chunked")
        connection.send(chunks + smuggled(messages))
        reply = connection.read_reply()
        assert_problem(reply, 400, "bad_request")
        assert connection.is_closed()
    assert stored(client, messages) == []


def test_a_chunked_body_that_ends_early_is_refused(client, messages):
    with client.raw() as connection:
        connection.ask("POST", messages, "Transfer-Encoding: chunked")
        connection.send(b"14\r\n" + JSON + b"\r\n")
        connection.socket.shutdown(1)
        assert_problem(connection.read_reply(), 400, "bad_request")
    assert stored(client, messages) == []


def test_a_client_that_expects_100_continue_gets_it(client, messages):
    for expectation in ("100-continue", "100-Continue"):
        with client.raw() as connection:
            length = f"Content-Length: {len(JSON)}"
            connection.ask("POST", messages, length, f"Expect: {expectation}")
            assert connection.read_reply().status == 100
            connection.send(JSON)
            assert connection.read_reply().status == 201


def test_a_client_that_expects_100_continue_is_refused_without_sending_its_body(client, messages):
    for length, target, status in [
        (2_000_000, messages, 413),
        (len(JSON), "/nope", 404),
        (len(JSON), f"{messages}/search", 405),
    ]:
        with client.raw() as connection:
            connection.ask("POST", target, f"Content-Length: {length}", "Expect: 100-continue")
            assert connection.read_reply().status == status
    assert stored(client, messages) == []


@pytest.mark.parametrize("expectation", ["200-ok", "x", "100-continue, x"])
def test_any_other_expectation_fails(client, messages, expectation):
    reply = client.post(messages, JSON, headers={"Expect": expectation})
    assert_problem(reply, 417, "expectation_failed")
    assert stored(client, messages) == []


def test_pipelined_requests_are_answered_in_their_order(client, messages):
    with client.raw() as connection:
        posts = [
            f"POST {messages}?message_body={number} HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 0\r\n\r\n"
            for number in range(1, 11)
        ]
        connection.send("".join(posts).encode())
        for number in range(1, 11):
            assert connection.read_reply().json() == {"message_number": number}
        gets = [f"GET {messages}/{number} HTTP/1.1\r\nHost: x\r\n\r\n" for number in range(1, 11)]
        connection.send("".join(gets).encode())
        for number in range(1, 11):
            assert connection.read_reply().json()["message_body"] == f"{number}"


def test_a_pipelined_request_after_a_refused_body_is_its_own(client, messages):
    with client.raw() as connection:
        connection.ask("POST", messages, "Content-Length: 1", body=b"{")
        connection.ask("GET", f"{messages}?limit=0")
        connection.ask("GET", messages)
        assert_problem(connection.read_reply(), 400, "malformed_json")
        assert_problem(connection.read_reply(), 400, "invalid_parameter")
        assert connection.read_reply().json() == []


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_a_body_that_is_ignored_is_not_taken_for_a_request(client, chat, messages, method):
    client.write(chat, "x")
    rest = smuggled(messages)
    with client.raw() as connection:
        connection.ask(method, f"{messages}/1", f"Content-Length: {len(rest)}", body=rest)
        assert connection.read_reply(method).status in (200, 204)
        connection.ask("GET", "/healthz")
        assert connection.read_reply().json() == {"status": "ok"}
    assert "smuggled" not in stored(client, messages)


def test_an_http_1_0_client_is_answered_and_its_connection_closed(client, messages):
    with client.raw() as connection:
        connection.ask("POST", f"{messages}?message_body=x", "Content-Length: 0", version="1.0")
        reply = connection.read_reply()
        assert (reply.status, reply.json()) == (201, {"message_number": 1})
        assert connection.is_closed()
    with client.raw() as connection:
        connection.send(f"GET {messages}/1 HTTP/1.0\r\n\r\n".encode())
        assert connection.read_reply().json()["message_body"] == "x"
        assert connection.is_closed()


def test_a_client_that_asks_for_it_gets_its_connection_closed(client):
    with client.raw() as connection:
        connection.ask("GET", ALL_APPLICATIONS + "?limit=1", "Connection: close")
        assert connection.read_reply().headers["Connection"] == "close"
        assert connection.is_closed()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"G\xff\xfe / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"{}\r\n\r\n",
        b" / HTTP/1.1\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_garbage_is_refused_or_cut_off(client, garbage):
    with client.raw() as connection:
        connection.send(garbage)
        connection.socket.shutdown(1)
        answer = connection.read_to_end()
    assert answer == b"" or answer.split(b" ")[1][:1] == b"4", answer[:200]
    assert client.get("/healthz").status == 200
