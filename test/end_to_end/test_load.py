"""Many connections, much memory asked for, much garbage: the server stays quick and small."""

import random
import time

import pytest

from client import RawConnection
from crowd import Crowd
from waiting import PATIENCE, eventually, in_parallel

MIB = 1024 * 1024


@pytest.fixture
def chat_of_own(own_client) -> str:
    chat = own_client.create_chat(own_client.create_application())
    own_client.write(chat, "x")
    return chat


def test_300_clients_that_think_are_all_served_quickly(quiet_machine, own_server, chat_of_own):
    crowd = Crowd(own_server.url, f"{chat_of_own}/messages/1", clients=300, think=0.3, seconds=6)
    crowd.run()
    assert crowd.failures == []
    assert all(len(mine) > 5 for mine in crowd.latencies), "somebody was hardly served"
    p99 = crowd.percentile(0.99)
    assert p99 < 0.25 * PATIENCE, f"p50 {crowd.percentile(0.5):.3f} s, p99 {p99:.3f} s"


def test_256_connections_are_served_at_once(own_server, own_client, chat_of_own):
    own_client.close()
    connections = [RawConnection(own_server.url) for _ in range(256)]
    try:
        for connection in connections:  # all have asked for a body to send and hold a thread
            connection.ask("POST", f"{chat_of_own}/messages", "Content-Length: 20")
        for connection in connections:
            connection.send(b'{"message_body":"y"}')
        numbers = [connection.read_reply().json()["message_number"] for connection in connections]
    finally:
        for connection in connections:
            connection.socket.close()
    assert sorted(numbers) == list(range(2, 258))


def test_clients_beyond_the_threads_are_served_when_others_leave(start_server):
    server = start_server(threads=8)
    crowd = Crowd(server.url, "/healthz", clients=40, think=0.05, seconds=3)
    crowd.run()
    assert crowd.failures == []
    assert all(len(mine) >= 3 for mine in crowd.latencies), "somebody was hardly served"


BODIES = {
    "empty values": b'{"":"",' + b'"":"",' * ((MIB - 20) // 6) + b'"":""}',
    "numbers": b'{"a":[' + b"0," * ((MIB - 20) // 2) + b"0]}",
    "parameters": b"&a=" * (MIB // 3),
    "escapes": b'{"a":"' + rb"\u00e9" * ((MIB - 20) // 6) + b'"}',
}


@pytest.mark.parametrize("what", BODIES)
def test_large_bodies_of_small_things_do_not_grow_in_memory(
    quiet_machine, own_server, chat_of_own, what
):
    form = what == "parameters"
    content_type = "application/x-www-form-urlencoded" if form else "application/json"
    before = own_server.memory("VmRSS")

    def send(_):
        with own_server.client() as client:
            for _ in range(3):
                reply = client.post(
                    f"{chat_of_own}/messages", BODIES[what], headers={"Content-Type": content_type}
                )
                assert (reply.status, reply.json()["code"]) == (400, "message_body_missing")

    in_parallel(send, range(64))
    # A body and its decoded form for each connection, and as much again.
    assert own_server.memory("VmHWM") - before < 64 * 4 * MIB * PATIENCE


def test_a_flood_of_garbage_leaves_the_server_as_it_was(own_server, own_client):
    generator = random.Random(1)
    own_client.create_application()

    def flood(part: int):
        for _ in range(40):
            with own_server.client().raw() as connection:
                connection.send(generator.randbytes(generator.choice([10, 300, 20000])))
                if part % 2:
                    connection.socket.shutdown(1)
                    answer = connection.read_to_end()
                    assert answer == b"" or answer.split(b" ")[1][:1] == b"4", answer[:100]

    flood(0)
    before = own_server.memory()
    in_parallel(flood, range(16))
    assert own_server.memory() - before < 64 * MIB
    began = time.monotonic()
    own_client.create_application()
    assert time.monotonic() - began < 2 * PATIENCE


def test_connections_closed_in_the_middle_cost_nothing(own_server, own_client, chat_of_own):
    target = f"{chat_of_own}/messages"

    def leave(_):
        for _ in range(20):
            for start in (b"", b"GET", b"POST %b HTTP/1.1\r\nContent-Length: 20\r\n\r\n{"):
                with own_server.client().raw() as connection:
                    connection.send(start.replace(b"%b", target.encode()))
        return True

    before = own_server.open_files()
    in_parallel(leave, range(16))  # 960 connections; a thread may keep a file or two for itself
    eventually(lambda: own_server.open_files() < before + 600, 15, "files of the gone are closed")
    assert own_client.read(target)[-1]["message_number"] == 1
