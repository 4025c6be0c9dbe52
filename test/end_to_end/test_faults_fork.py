"""A tail is lost that only living servers have seen, and somebody appends over it.

The store has not seen it either, so that the first who looks finds nothing wrong. Whoever wrote
the tail must notice, and tell everybody.
"""

import shutil

import pytest

from chaos import Writers
from closed import assert_closed
from commands import succeeds
from proxy import Proxy
from waiting import eventually


class Fork:
    """A server behind a proxy that can be cut off from Redis, and one that cannot."""

    def __init__(self, stack, folder):
        self.stack = stack.start(servers=0)
        self.redis, self.mariadb = stack.redis[0], stack.mariadb
        self.proxy = Proxy(self.redis.port)
        self.cut_off = stack.add_server(journal=f"redis://127.0.0.1:{self.proxy.port}")
        self.other = stack.add_server()
        self.chats = stack.make_chats()
        self.early = stack.write(self.chats, "early")
        self.older = folder / "older"

    def write(self, server, seed: str) -> Writers:
        """Fifty answers from this server."""
        return Writers([server.url], self.chats, 4, seed).run(50)

    def lose_tail(self, writer) -> Writers:
        """What this server wrote to Redis while the store was away is gone again from Redis."""
        shutil.copytree(self.redis.data, self.older)  # it is only appended to
        self.mariadb.kill()
        tail = self.write(writer, "tail")
        self.proxy.refuse()
        self.redis.kill()
        shutil.rmtree(self.redis.data)
        shutil.copytree(self.older, self.redis.data)
        self.redis.start()
        return tail

    def assert_noticed(self) -> None:
        for server in (self.cut_off, self.other):
            eventually(lambda: "confab rebuild" in server.log_text(), 20, f"{server} noticed")
            with server.client() as client:
                assert_closed(client, self.chats[0])

    def assert_mended(self, *kept: Writers, lost: Writers) -> None:
        """What was kept is all there; of what was lost, nothing stands in its way."""
        succeeds(self.stack.run("rebuild"))
        self.stack.wait_for_status("ok")
        after = self.stack.write(self.chats, "after")
        forgiven = frozenset(answer.key for answer in lost.answers)
        self.stack.assert_sound(self.early, *kept, lost, after, forgiven=forgiven)


@pytest.fixture
def fork(new_stack, index_url, tmp_path):
    fork = Fork(new_stack(shards="1", search=index_url), tmp_path)
    with fork.proxy:
        yield fork
        fork.proxy.take()
        fork.stack.stop_servers()


def test_both_notice_when_another_server_appended_over_a_lost_tail(fork):
    tail = fork.lose_tail(writer=fork.cut_off)
    with fork.other.client() as client:
        reply = client.post(f"{fork.chats[0]}/messages?message_body=never")
        assert reply.status == 503, "nobody can tell yet what is true"
    fork.mariadb.start()
    over = fork.write(fork.other, "over")
    fork.proxy.take()
    with fork.cut_off.client() as client:
        reply = client.post(f"{fork.chats[0]}/messages?message_body=never")
        assert reply.status == 503, "a gap in its own sequence"
    fork.assert_noticed()
    fork.assert_mended(over, lost=tail)


def test_who_wrote_the_lost_tail_notices_when_it_writes_on(fork):
    """The store agrees with what is left, but the server knows what it wrote."""
    tail = fork.lose_tail(writer=fork.cut_off)
    fork.stack.servers.remove(fork.other)
    fork.other.stop()
    fork.proxy.take()
    fork.mariadb.start()
    with fork.cut_off.client() as client:

        def noticed() -> bool:
            reply = client.post(f"{fork.chats[0]}/messages?message_body=never")
            assert reply.status == 503, reply
            return "confab rebuild" in fork.cut_off.log_text()

        eventually(noticed, 20, "it has noticed")
        assert_closed(client, fork.chats[0])
    fork.stack.servers.append(fork.other)
    fork.other.start()
    fork.assert_noticed()
    fork.assert_mended(lost=tail)
