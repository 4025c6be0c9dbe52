"""Clients that send slowly or stop: cut off in time, all of them at the same time."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import ALL_APPLICATIONS, Client, Reply
from expect import assert_problem
from waiting import PATIENCE

HEAD = f"POST {ALL_APPLICATIONS} HTTP/1.1\r\nHost: confab\r\n".encode()
JSON_HEAD = HEAD + b"Content-Type: application/json\r\n"


def drip(urls: list[str], start: bytes, piece: bytes) -> tuple[float, list[Reply]]:
    """Send start, then a piece each second; the seconds until the end, and the replies."""
    with Client(urls).raw() as connection:
        connection.socket.settimeout(1)
        began = time.monotonic()
        connection.send(start)
        while time.monotonic() - began < 60 * PATIENCE:
            try:
                if not (data := connection.socket.recv(65536)):
                    break
                connection.received += data
            except TimeoutError:
                connection.send(piece)
            except ConnectionResetError:
                break
        seconds, replies = time.monotonic() - began, []
        while connection.received:
            replies.append(connection.read_reply())
        return seconds, replies


CASES = {
    "silent": (b"", b""),
    "half a request line": (HEAD[:10], b""),
    "half the headers": (HEAD, b""),
    "a header each second": (HEAD, b"X-Drip: x\r\n"),
    "a byte of a header each second": (HEAD + b"X-Drip: ", b"x"),
    "no body": (JSON_HEAD + b"Content-Length: 100\r\n\r\n", b""),
    "half a body": (JSON_HEAD + b'Content-Length: 100\r\n\r\n{"name"', b""),
    "a byte of the body each second": (JSON_HEAD + b"Content-Length: 100\r\n\r\n{", b" "),
    "no chunk": (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    "half a chunk": (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{", b""),
    "a chunk each second": (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "no body after 100": (
        JSON_HEAD + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        b"",
    ),
    "no body that is ignored": (
        f"GET {ALL_APPLICATIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode(),
        b"",
    ),
}
HEADER_CASES = [name for name in CASES if "header" in name or "request line" in name]
BODY_CASES = [name for name in CASES if name not in HEADER_CASES and name != "silent"]


@pytest.fixture(scope="module")
def outcomes(urls):
    """What became of each slow client; they all run at the same time."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {
            name: pool.submit(drip, urls, start, piece)
            for name, (start, piece) in CASES.items()
        }


def test_others_are_served_while_some_are_slow(outcomes, client):
    for _ in range(20):
        began = time.monotonic()
        client.create_application()
        assert time.monotonic() - began < 2 * PATIENCE
    assert not any(outcome.done() for outcome in outcomes.values())


@pytest.mark.parametrize("name", HEADER_CASES)
def test_headers_must_be_complete_within_ten_seconds(outcomes, name):
    seconds, replies = outcomes[name].result()
    assert 8 < seconds < 14 * PATIENCE
    (reply,) = replies
    assert_problem(reply, 408, "request_timeout")
    assert reply.headers["Connection"] == "close"


def test_a_connection_on_which_nothing_comes_is_closed(outcomes):
    seconds, replies = outcomes["silent"].result()
    assert seconds < 14 * PATIENCE
    assert [reply.status for reply in replies] in ([], [408])


@pytest.mark.parametrize("name", BODY_CASES)
def test_a_body_must_be_complete_within_thirty_seconds(outcomes, name):
    seconds, replies = outcomes[name].result()
    assert 25 < seconds < 35 * PATIENCE
    if "after 100" in name:
        assert replies.pop(0).status == 100
    (reply,) = replies
    assert_problem(reply, 408, "request_timeout")
    assert reply.headers["Connection"] == "close"


def test_a_body_may_take_longer_than_the_actors_may(start_server):
    server = start_server(deadline="300ms")
    body = b'{"message_body":"slow"}'
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        with client.raw() as slow:
            slow.ask("POST", f"{chat}/messages", f"Content-Length: {len(body)}", body=body[:5])
            until = time.monotonic() + 0.6
            while time.monotonic() < until:
                assert client.get("/healthz").status == 200
            slow.send(body[5:])
            assert slow.read_reply().status == 201
