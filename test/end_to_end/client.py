"""An HTTP client that keeps connections and goes from server to server, and a raw one."""

import http.client
import io
import itertools
import json as json_module
import select
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from waiting import PATIENCE, eventually

ALL_APPLICATIONS = "/api/v1/applications"
NOTHING = object()


@dataclass
class Reply:
    """One reply as it came over the wire."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json_module.loads(self.body.decode("utf-8"))

    @property
    def search_is_complete(self) -> bool:
        return self.headers["Confab-Search-Complete"] == "true"

    def __repr__(self) -> str:
        return f"<{self.status} {dict(self.headers)} {self.body[:300]!r}>"


def with_query(target: str, query: dict | list | None) -> str:
    return f"{target}?{urlencode(query, quote_via=quote)}" if query else target


def was_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has ended a connection on which nobody waits for anything."""
    return bool(connection.sock and select.select([connection.sock], [], [], 0)[0])


class Client:
    """Sends each request to another of its servers than the one before."""

    MOST_IDLE_SECONDS = 2  # an older connection is not used again: the server may be closing it

    def __init__(self, urls: list[str], headers: dict | None = None):
        self.urls = urls
        self.headers = headers or {}
        self.turns = itertools.cycle(urls)
        self.connections: dict[str, tuple[http.client.HTTPConnection, float]] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        for connection, _ in self.connections.values():
            connection.close()
        self.connections.clear()

    def clone(self) -> "Client":
        """Another client with connections of its own, for another thread."""
        return Client(self.urls, self.headers)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: dict | list | None = None,
        query: dict | list | None = None,
        json: Any = NOTHING,
        form: dict | list | bytes | None = None,
    ) -> Reply:
        """Send one request; `headers` as a list of pairs may name a header twice."""
        pairs = list(self.headers.items())
        pairs += headers.items() if isinstance(headers, dict) else headers or []
        if json is not NOTHING:
            body = json_module.dumps(json, ensure_ascii=False).encode("utf-8")
            pairs.append(("Content-Type", "application/json"))
        elif form is not None:
            body = form if isinstance(form, bytes) else urlencode(form).encode()
            pairs.append(("Content-Type", "application/x-www-form-urlencoded"))
        if body is not None or method in ("POST", "PUT", "PATCH"):
            pairs.append(("Content-Length", str(len(body or b""))))
        url = next(self.turns)
        connection = self._connection(url)
        try:
            connection.putrequest(method, with_query(target, query), skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        except Exception:
            connection.close()
            del self.connections[url]
            raise
        self.connections[url] = (connection, time.monotonic())
        return reply

    def _connection(self, url: str) -> http.client.HTTPConnection:
        connection, used = self.connections.get(url, (None, 0.0))
        if not connection:
            parts = urlsplit(url)
            connection = http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=20 * PATIENCE
            )
            self.connections[url] = (connection, time.monotonic())
        elif time.monotonic() - used > self.MOST_IDLE_SECONDS or was_closed(connection):
            connection.close()  # the next request opens it anew
        return connection

    def get(self, target: str, **options) -> Reply:
        return self.request("GET", target, **options)

    def head(self, target: str, **options) -> Reply:
        return self.request("HEAD", target, **options)

    def post(self, target: str, body: bytes | None = None, **options) -> Reply:
        return self.request("POST", target, body, **options)

    def put(self, target: str, body: bytes | None = None, **options) -> Reply:
        return self.request("PUT", target, body, **options)

    def patch(self, target: str, body: bytes | None = None, **options) -> Reply:
        return self.request("PATCH", target, body, **options)

    def delete(self, target: str, **options) -> Reply:
        return self.request("DELETE", target, **options)

    def options(self, target: str, **options) -> Reply:
        return self.request("OPTIONS", target, **options)

    def raw(self) -> "RawConnection":
        """A new connection to the next server on which anything can be sent."""
        return RawConnection(next(self.turns))

    # What nearly every test needs first.

    def create_application(self, name: str = "an application") -> str:
        """The path of a new application."""
        reply = self.post(ALL_APPLICATIONS, json={"name": name})
        assert reply.status == 201, reply
        return f"{ALL_APPLICATIONS}/{reply.json()['token']}"

    def create_chat(self, application: str, **parameters) -> str:
        """The path of a new chat."""
        reply = self.post(f"{application}/chats", json=parameters)
        assert reply.status == 201, reply
        return f"{application}/chats/{reply.json()['chat_number']}"

    def write(self, chat: str, body: str) -> int:
        """The number of a new message."""
        reply = self.post(f"{chat}/messages", json={"message_body": body})
        assert reply.status == 201, reply
        return reply.json()["message_number"]

    def read(self, target: str) -> Any:
        """The JSON of a GET that must work."""
        reply = self.get(target)
        assert reply.status == 200, reply
        return reply.json()

    def search(self, chat: str, query: str, **parameters) -> Reply:
        """Search once, complete or not."""
        reply = self.get(f"{chat}/messages/search", query={"query": query, **parameters})
        assert reply.status == 200, reply
        return reply

    def search_complete(self, chat: str, query: str, **parameters) -> Reply:
        """Search until the reply says that it is complete."""

        def complete() -> Reply | None:
            reply = self.search(chat, query, **parameters)
            return reply if reply.search_is_complete else None

        return eventually(complete, 10, f"search of {chat} complete")

    def found(self, chat: str, query: str, **parameters) -> list[int]:
        """The numbers that a complete search finds, in the order of the reply."""
        reply = self.search_complete(chat, query, **parameters)
        return [hit["message_number"] for hit in reply.json()]


class RawConnection:
    """A connection on which any bytes can be sent, and replies are read by their framing."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=20 * PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that has closed already is no failure, its reply may still be read."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def ask(
        self, method: str, target: str, *headers: str, body: bytes = b"", version: str = "1.1"
    ) -> None:
        """Send a request with exactly these headers (and Host)."""
        lines = [f"{method} {target} HTTP/{version}", "Host: confab", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)

    def read_reply(self, method: str = "GET") -> Reply:
        """Read one reply, interim ones too, and leave what follows for the next call."""
        head = self._read_through(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        version, status = line.split(b" ")[:2]
        assert version == b"HTTP/1.1", line
        headers = http.client.parse_headers(io.BytesIO(fields))
        length = headers["Content-Length"]
        if method == "HEAD" or int(status) in (204, 304) or int(status) < 200:
            body = b""
        elif length is not None:
            body = self._read_bytes(int(length))
        else:
            body = self.read_to_end()
        return Reply(int(status), headers, body)

    def _read_more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed in the middle of a reply: {self.received!r}")
        self.received += data

    def _read_through(self, end: bytes) -> bytes:
        while end not in self.received:
            self._read_more()
        length = self.received.index(end) + len(end)
        return self._read_bytes(length)

    def _read_bytes(self, length: int) -> bytes:
        while len(self.received) < length:
            self._read_more()
        taken, self.received = self.received[:length], self.received[length:]
        return taken

    def read_to_end(self) -> bytes:
        """All that comes until the server closes the connection."""
        try:
            while data := self.socket.recv(65536):
                self.received += data
        except ConnectionResetError:
            pass
        taken, self.received = self.received, b""
        return taken

    def is_closed(self, seconds: float = 5) -> bool:
        """Whether the server closes the connection soon, and sends nothing before."""
        self.socket.settimeout(seconds * PATIENCE)
        try:
            return not self.received and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
