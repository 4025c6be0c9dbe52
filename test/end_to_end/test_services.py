"""`scripts/services` starts what tests need, and leaves nothing behind, however it ends."""

import signal
import socket
import subprocess

import pytest

from commands import ROOT, clean_environment
from services import Redis
from waiting import PATIENCE, eventually

SAY_WHERE = 'echo "$CONFAB_TEST_MARIADB"; '


def spawn(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [ROOT / "scripts" / "services", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    )


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def port_of(url: str) -> int:
    return int(url.strip().rpartition(":")[2])


@pytest.fixture
def started():
    """scripts/services with a command that goes on, and MariaDB's port."""
    process = spawn("run", "mariadb", "--", "sh", "-c", SAY_WHERE + "exec cat")
    try:
        port = port_of(process.stdout.readline())
        assert listens(port)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def test_a_command_finds_the_services_and_its_exit_code_is_told():
    process = spawn("run", "redis", "mariadb", "--", "sh", "-c", SAY_WHERE + "exit 7")
    url, _ = process.communicate(timeout=60 * PATIENCE)
    assert process.returncode == 7
    assert not listens(port_of(url))


@pytest.mark.parametrize("arguments", [[], ["run", "redis"], ["run", "--", "true"], ["nonsense"]])
def test_who_calls_it_wrongly_is_told_how(arguments):
    process = spawn(*arguments)
    _, told = process.communicate(timeout=20 * PATIENCE)
    assert process.returncode == 2
    assert "services run" in told


def test_a_service_that_is_unknown_is_told():
    process = spawn("run", "oracle", "--", "true")
    _, told = process.communicate(timeout=20 * PATIENCE)
    assert process.returncode == 1
    assert "oracle" in told


def test_told_to_end_it_ends_the_command_and_then_the_services(started):
    process, port = started
    process.send_signal(signal.SIGTERM)
    assert process.wait(30 * PATIENCE) == 128 + signal.SIGTERM
    assert not listens(port)


def test_services_end_even_if_who_started_them_is_killed(started):
    process, port = started
    process.kill()
    eventually(lambda: not listens(port), 10, "MariaDB ends too")


def test_a_service_keeps_its_port_and_its_data():
    with Redis() as redis:
        port = redis.port
        assert redis.ask("SET", "key", "value") == b"+OK"
        for end in (redis.kill, redis.stop):
            end()
            assert not listens(port)
            redis.start()
            assert (redis.port, redis.ask("STRLEN", "key")) == (port, b":5")
    assert not redis.folder.exists()
