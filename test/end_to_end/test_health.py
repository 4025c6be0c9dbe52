"""confab health: what a container's health check runs."""

import json
import os
import signal
import socket
import threading

from harness import free_port, run_confab
from waiting import PATIENCE


def health(*arguments, folder, listen, **settings):
    return run_confab("health", *arguments, data=folder, listen=listen, **settings)


def test_a_server_that_serves_is_healthy_and_ready(own_server):
    result = own_server.run("health", listen=f"127.0.0.1:{own_server.port}")
    assert (result.returncode, json.loads(result.stdout)) == (0, {"status": "ok"})
    result = own_server.run("health", "--ready", listen=f"0.0.0.0:{own_server.port}")
    assert (result.returncode, json.loads(result.stdout)["journal"]["ok"]) == (0, True)


def test_it_asks_the_second_address_if_there_is_one(start_server, tmp_path):
    admin = f"127.0.0.1:{free_port()}"
    start_server(admin=admin, api_key="a key that health does not have")
    closed = f"127.0.0.1:{free_port()}"
    assert health(folder=tmp_path, listen=closed, admin=admin).returncode == 0
    assert health(folder=tmp_path, listen=closed).returncode == 1


def test_without_a_server_it_says_where_there_is_none(private, tmp_path):
    listen = f"127.0.0.1:{free_port()}"
    result = health(folder=tmp_path / "none", listen=listen)
    assert (result.returncode, result.stdout) == (1, b"")
    assert listen in result.stderr.decode()
    assert not (tmp_path / "none").exists()  # it asks, and makes nothing


def test_a_server_that_hangs_is_not_healthy(own_server):
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        result = own_server.run("health", listen=f"127.0.0.1:{own_server.port}")
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
    assert (result.returncode, result.stdout) == (1, b"")
    assert "too long" in result.stderr.decode()


def answer_once(reply: bytes) -> int:
    """The port of a server that says this to the first who asks."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20 * PATIENCE)

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_only_a_200_is_healthy(private, tmp_path):
    replies = {
        b'HTTP/1.1 200 OK\r\n\r\n{"status":"ok"}': 0,
        b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":"unavailable"}': 1,
        b"HTTP/1.1 200": 1,
        b"SSH-2.0-OpenSSH\r\n\r\n": 1,
        b"": 1,
        b"x" * 100000: 1,
    }
    for reply, code in replies.items():
        listen = f"127.0.0.1:{answer_once(reply)}"
        assert health(folder=tmp_path, listen=listen).returncode == code, reply[:40]


def test_it_takes_no_other_words(private, tmp_path):
    assert health("now", folder=tmp_path, listen="127.0.0.1:1").returncode == 2
    assert health("--live", folder=tmp_path, listen="127.0.0.1:1").returncode == 2
