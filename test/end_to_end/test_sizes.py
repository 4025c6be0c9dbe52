"""Sizes: bodies, targets and headers exactly at their limits and past them."""

import pytest

from client import ALL_APPLICATIONS, with_query
from expect import assert_problem

MIB = 1024 * 1024


def padded(size: int, before=b'{"message_body":"x","pad":"', after=b'"}') -> bytes:
    """A message in a body of exactly this size."""
    return before + b"p" * (size - len(before) - len(after)) + after


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "content_type, body",
    [
        ("application/json", padded(MIB)),
        ("application/x-www-form-urlencoded", padded(MIB, b"message_body=x&pad=", b"")),
    ],
    ids=["json", "form"],
)
def test_a_body_of_one_mib_fits(client, messages, content_type, body):
    reply = client.post(messages, body, headers={"Content-Type": content_type})
    assert (reply.status, reply.json()) == (201, {"message_number": 1})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE"])
@pytest.mark.parametrize(
    "length", [MIB + 1, 10**9, 2**31, 2**32 + 5, 2**63 - 1, 2**64, 99999999999999999999, 10**60]
)
def test_a_larger_body_is_refused_before_it_is_sent(client, chat, messages, method, length):
    client.write(chat, "x")
    path = messages if method == "POST" else f"{messages}/1"
    with client.raw() as connection:
        connection.ask(method, path, f"Content-Length: {length}", "Content-Type: application/json")
        reply = connection.read_reply()
        assert_problem(reply, 413, "content_too_large")
        assert reply.headers["Connection"] == "close"
        assert connection.is_closed()
    assert client.read(f"{messages}/1")["message_body"] == "x"


@pytest.mark.parametrize("chunk", [1000, 65536, MIB])
def test_a_chunked_body_of_one_mib_fits(client, messages, chunk):
    with client.raw() as connection:
        connection.ask("POST", messages, "Transfer-Encoding: chunked")
        connection.send(chunked(padded(MIB), chunk))
        reply = connection.read_reply()
        assert (reply.status, reply.json()) == (201, {"message_number": 1})
        connection.ask("GET", f"{messages}/1")
        assert connection.read_reply().json()["message_body"] == "x"


@pytest.mark.parametrize("chunk", [1000, 65536, MIB + 1])
def test_a_chunked_body_is_refused_when_it_passes_the_limit(client, messages, chunk):
    with client.raw() as connection:
        connection.ask("POST", messages, "Transfer-Encoding: chunked")
        connection.send(chunked(padded(MIB + 1), chunk).removesuffix(b"0\r\n\r\n"))
        reply = connection.read_reply()
        assert_problem(reply, 413, "content_too_large")
        assert reply.headers["Connection"] == "close"
        assert connection.is_closed()
    assert client.read(messages) == []


def test_an_endless_chunked_body_is_refused(client, messages):
    piece = chunked(b"p" * 65536, 65536).removesuffix(b"0\r\n\r\n")
    with client.raw() as connection:
        connection.ask("POST", messages, "Transfer-Encoding: chunked")
        connection.send(chunked(b'{"pad":"', 8).removesuffix(b"0\r\n\r\n"))
        for _ in range(17):
            connection.send(piece)
        assert_problem(connection.read_reply(), 413, "content_too_large")


def test_one_huge_chunk_is_refused(client, messages):
    for size in (b"40000000", b"ffffffffffffffff", b"7fffffffffffffff", b"10000000000000001"):
        with client.raw() as connection:
            connection.ask("POST", messages, "Transfer-Encoding: chunked")
            connection.send(size + b"\r\n" + b"p" * 1000)
            # Nothing more comes: the server must decide by the size alone, or wait for the rest.
            connection.socket.settimeout(2)
            try:
                assert connection.read_reply().status in (400, 413)
            except TimeoutError:
                pass
    assert client.get("/healthz").status == 200


@pytest.mark.parametrize("limit", [1024, 5000])
def test_the_body_limit_can_be_set(start_server, limit):
    server = start_server(max_body=limit)
    with server.client() as client:
        messages = client.create_chat(client.create_application()) + "/messages"
        assert client.post(messages, padded(limit)).status == 201
        with client.raw() as connection:
            connection.ask("POST", messages, f"Content-Length: {limit + 1}")
            assert_problem(connection.read_reply(), 413, "content_too_large")
        with client.raw() as connection:
            connection.ask("POST", messages, "Transfer-Encoding: chunked")
            connection.send(chunked(padded(limit + 1), limit + 1))
            assert_problem(connection.read_reply(), 413, "content_too_large")


def test_a_target_that_is_too_long_is_refused(client, messages):
    for size in (17000, 20000, 60000):
        with client.raw() as connection:
            connection.ask("GET", f"{messages}?pad={'p' * size}")
            reply = connection.read_reply()
            assert_problem(reply, 414, "uri_too_long")
            assert reply.headers["Connection"] == "close"
            assert connection.is_closed()


def test_the_longest_search_fits_into_the_target(client, chat):
    query = "🙂" * 256
    client.write(chat, "x" + query)
    target = with_query(f"{chat}/messages/search", {"query": query, "after": 0, "before": 9999})
    assert len(target) > 3000
    client.search_complete(chat, query)
    assert client.read(target)[0]["highlights"] == [[1, 257]]


@pytest.mark.parametrize("count, size", [(1, 11000), (12, 1000), (60, 180)])
def test_12_kib_of_headers_fit(client, application, count, size):
    headers = [(f"X-Pad-{number}", "p" * (size - 12)) for number in range(count)]
    assert client.get(application, headers=headers).status == 200


@pytest.mark.parametrize("count, size", [(1, 20000), (25, 1000), (1, 60000), (60, 400)])
def test_longer_headers_are_refused(client, application, count, size):
    with client.raw() as connection:
        connection.ask("GET", application, *(f"X-Pad-{n}: {'p' * size}" for n in range(count)))
        reply = connection.read_reply()
        assert_problem(reply, 431, "headers_too_large")
        assert reply.headers["Connection"] == "close"
        assert connection.is_closed()


@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_headers_or_targets_without_end_are_cut_off(client, size):
    for start in (b"GET /", b"GET / HTTP/1.1\r\nX-Pad: ", b""):
        with client.raw() as connection:
            connection.send(start + b"p" * size)
            answer = connection.read_to_end()
        assert answer == b"" or answer.split(b" ")[1] in (b"400", b"414", b"431"), answer[:100]
    assert client.get("/healthz").status == 200


@pytest.mark.parametrize("count, status", [(20, 201), (63, 201), (64, 431), (75, 431), (200, 431)])
def test_63_headers_fit_and_64_do_not(client, messages, count, status):
    smuggled = f"POST {messages}?message_body=smuggled HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    body = smuggled.encode() if status == 431 else b'{"message_body":"x"}'
    # Host is the first, Content-Length the last of them.
    fillers = [f"X-Filler-{number}: x" for number in range(count - 2)]
    with client.raw() as connection:
        connection.ask("POST", messages, *fillers, f"Content-Length: {len(body)}", body=body)
        reply = connection.read_reply()
        assert reply.status == status, reply
        if status == 431:
            assert_problem(reply, 431, "headers_too_large")
            assert reply.headers["Connection"] == "close"
            assert connection.is_closed()
    assert [item["message_body"] for item in client.read(messages)] == ["x"] * (status == 201)


def test_a_large_list_of_unknown_parameters_is_no_problem(client, messages):
    body = "&".join(f"p{number}={number}" for number in range(20000)) + "&message_body=x"
    assert client.post(messages, form=body.encode()).status == 201
    members = ",".join(f'"p{number}":{number}' for number in range(20000))
    reply = client.post(messages, f'{{{members},"message_body":"x"}}'.encode())
    assert reply.status == 201
    assert client.post(ALL_APPLICATIONS, form=body.encode() + b"&name=x").status == 201
