"""SIGTERM: nothing accepted is dropped, nothing new is taken, and the exit code is 0."""

import signal
import threading
import time

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem, walk
from prometheus import Metrics
from waiting import PATIENCE, eventually

BODY = b'{"message_body":"in flight"}'


def terminate(server) -> None:
    server.process.send_signal(signal.SIGTERM)


def is_refused(server) -> bool:
    """Whether a new connection gets no answer any more."""
    try:
        with server.client() as client:
            return client.get("/healthz").status == 503
    except OSError:
        return True


def in_flight(client) -> float:
    return Metrics(client.get("/metrics").body.decode()).sum("confab_http_requests_in_flight")


@pytest.fixture
def chat_of_own(own_client) -> str:
    return own_client.create_chat(own_client.create_application())


def test_a_request_in_flight_is_finished_while_others_are_turned_away(
    own_server, own_client, chat_of_own
):
    target = f"{chat_of_own}/messages"
    with own_client.raw() as slow, own_client.raw() as kept, own_client.raw() as probe:
        for connection in (kept, probe):
            connection.ask("GET", "/readyz")
            assert connection.read_reply().status == 200
        slow.ask("POST", target, f"Content-Length: {len(BODY)}", body=BODY[:5])
        eventually(lambda: in_flight(own_client) >= 2, 5, "the slow request and this one")
        terminate(own_server)
        eventually(lambda: is_refused(own_server), 5, "no new connections")
        probe.ask("GET", "/readyz")
        reply = probe.read_reply()
        assert (reply.status, reply.json()["status"]) == (503, "unavailable")
        kept.ask("POST", f"{target}?message_body=late", "Content-Length: 0")
        assert_problem(kept.read_reply(), 503, "shutting_down")
        slow.send(BODY[5:])
        reply = slow.read_reply()
        assert (reply.status, reply.json()) == (201, {"message_number": 1})
        assert reply.headers["Connection"] == "close"
    assert own_server.wait() == 0
    own_server.start()
    bodies = [item["message_body"] for item in own_client.read(target)]
    assert bodies == ["in flight"]


def test_a_request_that_does_not_end_is_waited_for_ten_seconds_at_most(
    own_server, own_client, chat_of_own
):
    with own_client.raw() as slow:
        slow.ask("POST", f"{chat_of_own}/messages", "Content-Length: 100", body=b"{")
        eventually(lambda: in_flight(own_client) >= 2, 5, "the slow request and this one")
        began = time.monotonic()
        terminate(own_server)
        assert own_server.wait() == 0
        assert 5 < time.monotonic() - began < 14 * PATIENCE
    own_server.start()
    assert own_client.read(f"{chat_of_own}/messages") == []


def test_idle_connections_do_not_delay_the_end(own_server, own_client):
    connections = [own_client.raw() for _ in range(100)]
    for connection in connections:
        connection.ask("GET", "/healthz")
        assert connection.read_reply().status == 200
    began = time.monotonic()
    terminate(own_server)
    assert own_server.wait() == 0
    assert time.monotonic() - began < 8 * PATIENCE
    for connection in connections:
        connection.socket.close()


@pytest.mark.parametrize("round", range(3))
def test_under_load_no_answer_to_a_stored_message_is_lost(
    own_server, own_client, chat_of_own, round
):
    """What is stored in the end is exactly what was answered with 201."""
    target = f"{chat_of_own}/messages"
    answered: dict[int, str] = {}
    odd: list = []
    started = threading.Event()

    def write(writer: int) -> None:
        turn = 0
        with own_server.client() as client:
            while True:
                turn += 1
                body = f"{writer}/{turn}"
                try:
                    reply = client.post(target, json={"message_body": body})
                except OSError:
                    return
                if reply.status == 201:
                    answered[reply.json()["message_number"]] = body
                    started.set()
                elif reply.status == 503:
                    return
                else:
                    odd.append(reply)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(32)]
    for writer in writers:
        writer.start()
    started.wait(10)
    eventually(lambda: len(answered) > 200 * (round + 1), 20, "some load")
    own_server.stop()
    for writer in writers:
        writer.join()
    assert odd == []
    own_server.start()
    listed = walk(own_client, f"{target}?limit=1000")
    assert {item["message_number"]: item["message_body"] for item in listed} == answered


def test_counts_are_written_before_the_end_however_seldom_they_are(start_server):
    server = start_server(counts_flush="1h")
    with server.client() as client:
        application = client.create_application()
        chat = client.create_chat(application)
        for _ in range(10):
            client.write(chat, "x")
        client.delete(f"{chat}/messages/3")
        server.restart()
        assert client.read(chat)["messages_count"] == 9
        assert client.read(application)["chats_count"] == 1


def test_all_is_indexed_and_stored_at_the_end(own_server, own_client, chat_of_own):
    for number in range(200):
        own_client.write(chat_of_own, f"needle {number}")
    own_server.restart()
    assert own_client.search(chat_of_own, "needle 199").search_is_complete
    assert len(own_client.read(f"{chat_of_own}/messages?limit=1000")) == 200


def test_sigterm_during_the_start_ends_it_too(own_server, own_client):
    own_client.post(f"{ALL_APPLICATIONS}?name=x")
    own_server.stop()
    for delay in (0, 0.01, 0.03, 0.1, 0.3):
        own_server.process = own_server.spawn()
        time.sleep(delay)  # nothing to wait for: any moment of the start must do
        terminate(own_server)
        assert own_server.wait() in (0, -signal.SIGTERM)
    own_server.start()
    assert len(own_client.read(ALL_APPLICATIONS)) == 1
