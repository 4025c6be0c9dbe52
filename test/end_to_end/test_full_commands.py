"""Commands of the full stack beside servers that go on running."""

import json
import subprocess
import threading
from typing import Iterator

import pytest

from client import Client
from data_set import STACK
from harness import BINARY, flags, succeeds
from services import Redis
from snapshot import all_tokens, fill, snapshot
from waiting import PATIENCE, eventually

pytestmark = pytest.mark.skipif(STACK != "full", reason="needs servers of the full stack")


@pytest.fixture
def full(make_data_set):
    return make_data_set()


@pytest.fixture
def client(full, start_server):
    """Of two servers."""
    with Client([start_server(full).url, start_server(full).url]) as client:
        yield client


@pytest.fixture
def chat(client) -> str:
    return client.create_chat(client.create_application())


class Writers:
    """Threads that write, edit and delete until they are told to stop."""

    def __init__(self, client: Client):
        self.ended = threading.Event()
        self.unexpected = []
        self.clients = [client.clone() for _ in range(4)]
        self.threads = [threading.Thread(target=self.run, args=[own]) for own in self.clients]
        self.written = 0

    def __enter__(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()
        for client in self.clients:
            client.close()

    def run(self, client: Client) -> None:
        try:
            while not self.ended.is_set():
                chat = client.create_chat(client.create_application("busy"))
                for number in range(1, 31):
                    assert client.write(chat, f"needle {number}") == number
                    self.written += 1
                edited = f"{chat}/messages/1?message_body=edited"
                eventually(lambda to=edited: client.put(to).status == 204, 10, f"PUT {edited}")
                assert client.delete(f"{chat}/messages/2").status == 204
                last = client.create_chat(chat.rpartition("/chats")[0])
                assert client.delete(last).status == 204
        except Exception as problem:
            self.unexpected.append(problem)


def test_commands_find_and_do_no_harm_beside_busy_servers(full, client):
    with Writers(client) as writers:
        for _ in range(2):
            for command in ("verify", "export", "recount", "log", "dead list", "hold", "verify",
                            "release", "rebuild", "migrate"):  # fmt: skip
                before = writers.written
                result = full.run(*command.split())
                assert result.returncode == 0, (command, result.stdout[-500:], result.stderr[-500:])
                assert b"fault:" not in result.stdout, result.stdout
                eventually(lambda at=before: writers.written > at, 10, "writing goes on")
    assert not writers.unexpected


def test_an_export_holds_what_was_acknowledged_before_it(full, client, chat):
    for number in range(1, 101):
        assert client.write(chat, f"body {number}") == number
    exported = succeeds(full.run("export")).decode()
    assert exported.count('"type":"message"') == 100


def test_without_a_server_an_export_brings_the_store_up_to_the_log(full, start_server):
    server = start_server(full)
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        for number in range(1, 301):
            assert client.write(chat, f"body {number}") == number
    server.kill()
    try:
        exported = succeeds(full.run("export")).decode()
        assert exported.count('"type":"message"') == 300
    finally:
        server.start()


def test_an_import_beside_servers_is_served_found_and_counted(full, client, start_server):
    source = start_server()
    with source.client() as other:
        tokens = fill(other)
        eventually(lambda: not other.read("/readyz")["counts"]["lag_seconds"], 10, "counted")
        whole = snapshot(other, tokens)
    exported = succeeds(source.run("export"))
    with Writers(client) as writers:
        succeeds(full.run("import", input=exported))
    assert not writers.unexpected
    assert set(tokens) <= set(all_tokens(client))
    eventually(lambda: snapshot(client, tokens) == whole, 10, "the same is shown")
    chat = f"/api/v1/applications/{tokens[0]}/chats/1"
    assert sorted(client.found(chat, "needle")) == list(range(3, 10))
    assert client.write(chat, "goes on") == 11
    refused = full.run("import", input=exported)
    assert refused.returncode == 1 and b"exists already" in refused.stderr


def test_an_import_without_a_server_is_there_when_one_starts(full, start_server):
    source = start_server()
    with source.client() as other:
        tokens = fill(other)
        eventually(lambda: not other.read("/readyz")["counts"]["lag_seconds"], 10, "counted")
        whole = snapshot(other, tokens)
    succeeds(full.run("import", input=succeeds(source.run("export"))))
    succeeds(full.run("verify"))
    assert succeeds(full.run("export")) == succeeds(source.run("export"))
    with start_server(full).client() as client:
        assert snapshot(client, tokens) == whole
        chat = f"/api/v1/applications/{tokens[0]}/chats/1"
        eventually(lambda: client.read("/readyz")["search"]["ok"], 20, "the index is made")
        assert sorted(client.found(chat, "needle")) == list(range(3, 10))


def lines(applications: int, chats: int, messages: int) -> Iterator[str]:
    """What an export with so much of each would write."""

    def line(**members) -> str:
        members |= dict.fromkeys(["created_at", "updated_at"], "2025-03-04T05:06:07.089010Z")
        return json.dumps(members, separators=(",", ":")) + "\n"

    for application in range(applications):
        token = f"token-{application}"
        yield line(type="application", token=token, name="many", last_chat_number=chats)
        for chat in range(1, chats + 1):
            place = {"application_token": token, "chat_number": chat}
            yield line(type="chat", **place, name=None, last_message_number=messages)
            for number in range(1, messages + 1):
                body = f"needle {number} " + "x" * (number % 300)
                yield line(type="message", **place, message_number=number, message_body=body)


def log_size(redis: Redis) -> int:
    return sum(file.stat().st_size for file in redis.data.rglob("*.aof"))


def test_an_import_goes_on_when_redis_is_killed_and_started_again(full, tmp_path):
    file = tmp_path / "all.ndjson"
    file.write_text("".join(lines(applications=4, chats=5, messages=1500)))
    succeeds(full.run("migrate"))
    size = log_size(full.redis)
    process = subprocess.Popen(
        [BINARY, "import", "--input", file, *flags(full.settings)], stderr=subprocess.PIPE
    )
    eventually(lambda: log_size(full.redis) > size + 500_000, 20, "it writes")
    full.redis.kill()
    assert process.poll() is None, "it was still at it"
    full.redis.start()
    _, complaints = process.communicate(timeout=60 * PATIENCE)
    assert process.returncode == 0, complaints
    assert succeeds(full.run("export")).decode() == file.read_text()
    succeeds(full.run("verify"))


# Lost history.


def empty(redis: Redis) -> None:
    """As if its disk had been replaced."""
    assert redis.ask("FLUSHALL") == b"+OK"
    redis.restart()


def test_a_rebuild_beside_servers_lets_them_go_on(full, client, chat):
    for number in range(1, 21):
        assert client.write(chat, f"body {number}") == number
    eventually(lambda: client.read("/readyz")["journal"]["pending"] == 0, 10, "all is stored")
    empty(full.redis)

    def refused() -> bool:
        return client.post(f"{chat}/messages", json={"message_body": "no"}).status == 503

    eventually(refused, 10, "writes are refused")
    eventually(refused, 10, "by the other server too")
    assert len(client.read(f"{chat}/messages")) == 20
    assert full.run("verify").returncode == 1
    assert b"mended" in succeeds(full.run("rebuild"))

    def written() -> int | None:
        reply = client.post(f"{chat}/messages", json={"message_body": "mended needle"})
        return reply.json()["message_number"] if reply.status == 201 else None

    assert eventually(written, 10, "writes are taken again") == 21
    assert client.write(chat, "by the other") == 22
    assert 21 in client.found(chat, "mended needle")
    assert b"nothing to rebuild" in succeeds(full.run("rebuild"))
    succeeds(full.run("verify"))


def test_a_rebuild_at_a_wrong_address_is_refused_and_harms_nobody(full, client, chat):
    for number in range(1, 21):
        assert client.write(chat, f"body {number}") == number
    with Redis() as wrong:
        result = full.run("rebuild", journal=wrong.url)
        assert result.returncode == 1, result.stdout
        assert b"event=rebuild_failed" in result.stderr
        result = full.run("verify", journal=wrong.url)
        assert result.returncode == 1
    assert client.write(chat, "as before") == 21
    assert client.write(chat, "by the other, too") == 22
    succeeds(full.run("verify"))


# Commands that are for one stack.


def test_a_backup_of_servers_names_the_way(full, tmp_path):
    result = full.run("backup", tmp_path / "copy")
    assert result.returncode == 1
    assert b"confab help hold" in result.stderr
    assert not (tmp_path / "copy").exists()


def test_a_log_that_is_held_is_held_once(full, client, chat):
    succeeds(full.run("hold"))
    assert full.run("hold").returncode == 1
    for number in range(1, 101):
        assert client.write(chat, f"body {number}") == number
    log = succeeds(full.run("log", "--bodies")).decode()
    assert all(f'"body {number}"' in log for number in range(1, 101))
    assert b"is held" in succeeds(full.run("verify"))
    assert b"trimmed again" in succeeds(full.run("release"))
    assert b"was not held" in succeeds(full.run("release"))
    eventually(lambda: b"body 1" not in full.run("log", "--bodies").stdout, 10, "trimmed")
