"""What stands between confab and its services in the fault tests does what it is told."""

import http.client
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from power_loss import lose_power, redis_that_can_lose_power
from proxy import Proxy
from search_proxy import SearchProxy
from services import Redis
from waiting import eventually


@pytest.fixture
def redis():
    with Redis() as redis:
        yield redis


def connect(port: int, seconds: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def test_the_proxy_passes_bytes_on(redis):
    with Proxy(redis.port) as proxy, connect(proxy.port) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(64) == b"+PONG\r\n"


def test_the_proxy_loses_replies_and_only_those(redis):
    lost, answered = 0, 0
    with Proxy(redis.port, seed="lose") as proxy:
        proxy.lose_replies(0.5, to=b"INCR")
        for _ in range(20):
            with connect(proxy.port, 0.2) as connection:
                connection.sendall(b"PING\r\n")
                assert connection.recv(64) == b"+PONG\r\n"
                connection.sendall(b"INCR n\r\n")
                try:
                    reply = connection.recv(64)
                except TimeoutError:
                    reply = b""
                lost += not reply
                answered += bool(reply)
        assert lost == proxy.lost > 0 and answered > 0
    assert redis.ask("INCR", "n") == b":21", "every command went through"


def test_the_proxy_holds_and_releases(redis):
    with Proxy(redis.port) as proxy, connect(proxy.port, 0.2) as connection:
        proxy.hold()
        connection.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(64)
        proxy.release()
        connection.settimeout(5)
        assert connection.recv(64) == b"+PONG\r\n"


def test_the_proxy_holds_by_itself_after_some_replies(redis):
    with Proxy(redis.port) as proxy, connect(proxy.port, 0.2) as connection:
        proxy.hold_after(2)
        for _ in range(2):
            connection.sendall(b"PING\r\n")
            assert connection.recv(64) == b"+PONG\r\n"
        connection.sendall(b"INCR n\r\n")
        eventually(lambda: proxy.holds, 5, "held")
        assert redis.ask("INCR", "n") == b":2", "it is the reply that is held"


def test_the_proxy_cuts_and_refuses(redis):
    with Proxy(redis.port) as proxy, connect(proxy.port) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(64) == b"+PONG\r\n"
        proxy.refuse()
        assert connection.recv(64) == b""
        with connect(proxy.port) as refused:
            assert refused.recv(64) == b""
        proxy.take()
        with connect(proxy.port) as taken:
            taken.sendall(b"PING\r\n")
            assert taken.recv(64) == b"+PONG\r\n"


@pytest.fixture
def engine():
    """Takes every item of a bulk; the ids that it has seen."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
            ids = [json.loads(line)["index"]["_id"] for line in lines[::2]]
            seen.extend(ids)
            items = [{"index": {"_id": id, "status": 201}} for id in ids]
            reply = json.dumps({"errors": False, "items": items}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], seen
    server.shutdown()
    server.server_close()


def bulk(proxy: SearchProxy, ids: list[int], seconds: float = 5) -> tuple[int, dict]:
    lines = [json.dumps(part) for id in ids for part in ({"index": {"_id": id}}, {"body": "b"})]
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=seconds)
    try:
        connection.request("POST", "/messages/_bulk", "\n".join(lines) + "\n")
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_the_search_proxy_refuses_some_items_once(engine):
    port, seen = engine
    with SearchProxy(port, seed="items") as proxy:
        proxy.refusing = 0.5
        status, reply = bulk(proxy, list(range(40)))
        assert status == 200 and reply["errors"] is True
        results = {item["index"]["_id"]: item["index"]["status"] for item in reply["items"]}
        assert list(results) == list(range(40)) and set(results.values()) == {201, 429}
        refused = [id for id, status in results.items() if status == 429]
        assert seen == [id for id, status in results.items() if status == 201]
        status, reply = bulk(proxy, refused)
        assert status == 200 and reply["errors"] is False
        assert sorted(seen) == list(range(40)) and proxy.repeated == []
        bulk(proxy, [seen[0]])
        assert len(proxy.repeated) == 1, "what was taken and is sent again is noted"


def test_the_search_proxy_fails_and_hangs(engine):
    with SearchProxy(engine[0]) as proxy:
        proxy.failing = True
        assert bulk(proxy, [1])[0] == 503
        proxy.failing = False
        proxy.answering.clear()
        with pytest.raises(TimeoutError):
            bulk(proxy, [1], 0.2)
        proxy.answering.set()
        assert bulk(proxy, [1])[0] == 200


@pytest.mark.parametrize("appendfsync, loses", [("always", False), ("everysec", True)])
def test_power_loss_takes_what_was_not_synced(tmp_path, appendfsync, loses):
    with redis_that_can_lose_power(tmp_path, appendfsync=appendfsync) as redis:
        with connect(redis.port) as connection:
            for _ in range(500):
                connection.sendall(b"INCR n\r\n")
                assert connection.recv(64)
        assert (lose_power(redis) > 0) == loses
        redis.start()
        assert (redis.ask("INCR", "n") == b":501") != loses
