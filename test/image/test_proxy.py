"""deploy/haproxy.cfg: what the proxy sends again, and what it must not."""

import socketserver
import threading
import uuid

import pytest

from client import Client
from container import Container
from parts import Proxy
from services import free_port


class Dying(socketserver.ThreadingTCPServer):
    """A server that is ready, takes requests, and ends the connection instead of answering."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), None)
        self.heads: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def finish_request(self, request, client_address):
        head = request.recv(65536).decode("latin-1")
        if head.startswith("GET /readyz "):
            request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        elif head:
            self.heads.append(head)


@pytest.fixture(scope="module")
def server():
    """A server of the image on the embedded stack, and its ports."""
    public, admin = free_port(), free_port()
    environment = {
        "CONFAB_LISTEN": f"127.0.0.1:{public}",
        "CONFAB_ADMIN": f"127.0.0.1:{admin}",
    }
    with Container(environment) as container:
        container.start()
        yield public, admin


@pytest.fixture
def dying():
    with Dying() as dying:
        yield dying
        dying.shutdown()


@pytest.fixture
def client(server, dying):
    with Proxy({"confab": server, "confab-2": (dying.port, dying.port)}) as proxy:
        with Client([proxy.url]) as client:
            yield client


@pytest.fixture
def chat(server):
    with Client([f"http://127.0.0.1:{server[0]}"]) as direct:
        yield direct.create_chat(direct.create_application())


def until_lost(dying: Dying, client: Client, ask) -> list:
    """Ask until one of the requests has met the server that does not answer.

    Each on a connection of its own: one that was used before is closed without an answer."""
    replies = []
    while not dying.heads:
        client.close()
        replies.append(ask())
        assert len(replies) < 50, "the proxy never used that server"
    return replies


def test_a_get_is_sent_again(client, dying, chat):
    replies = until_lost(dying, client, lambda: client.get(chat))
    assert [reply.status for reply in replies] == [200] * len(replies)


def test_a_creation_with_a_key_is_sent_again(client, dying, chat):
    def create():
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return client.post(f"{chat}/messages", json={"message_body": "x"}, headers=key)

    replies = until_lost(dying, client, create)
    assert [reply.status for reply in replies] == [201] * len(replies)


def test_a_creation_without_a_key_is_not_sent_again(client, dying, chat):
    def create():
        return client.post(f"{chat}/messages", json={"message_body": "x"})

    *made, lost = until_lost(dying, client, create)
    assert [reply.status for reply in made] == [201] * len(made)
    assert (lost.status, lost.json()["code"]) == (502, "outcome_unknown")
    assert lost.headers["Content-Type"] == "application/problem+json"
    assert len(dying.heads) == 1
    assert client.read(chat)["last_message_number"] == len(made)


def test_a_change_or_a_deletion_is_not_sent_again(client, dying, chat):
    for ask in (lambda: client.put(chat, json={"name": "z"}), lambda: client.delete(chat)):
        dying.heads.clear()
        replies = until_lost(dying, client, ask)
        assert replies[-1].status == 502
        assert len(dying.heads) == 1


def test_a_request_that_reached_nobody_is_sent_to_another(server, chat):
    """Whatever it is: here before the proxy has noticed that a server is not there."""
    closed = free_port()
    with Proxy({"confab": server, "confab-2": (closed, server[1])}) as proxy:
        with Client([proxy.url]) as client:
            numbers = [client.write(chat, "x") for _ in range(8)]
    assert numbers == list(range(1, 9))
