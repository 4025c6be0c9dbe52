"""`confab rebuild` broken off, run twice at once, or pointed at a wrong Redis: no harm is done."""

import subprocess

import pytest

from closed import assert_closed
from commands import BINARY, clean_environment, flags, succeeds
from proxy import Proxy
from services import Redis
from waiting import PATIENCE, eventually


class Closed:
    """A stack whose Redis was emptied, and what it had acknowledged; all of it is stored."""

    def __init__(self, stack):
        self.stack = stack
        self.chats = stack.make_chats(applications=12, chats=24)
        self.early = stack.write(self.chats, "early", count=400)
        self.stored = stack.stored(self.chats)
        assert stack.redis[0].ask("FLUSHALL") == b"+OK"
        for server in stack.servers:
            eventually(lambda: "confab rebuild" in server.log_text(), 20, f"{server} noticed")

    def spawn_rebuild(self, **settings) -> subprocess.Popen:
        options = flags({**self.stack.settings, "data": self.stack.folder, **settings})
        return subprocess.Popen(
            [BINARY, "rebuild", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environment(),
        )

    def assert_mended(self) -> None:
        self.stack.wait_for_status("ok")
        assert self.stack.stored(self.chats) == self.stored
        after = self.stack.write(self.chats, "after")
        self.stack.assert_sound(self.early, after)


@pytest.fixture
def closed(new_stack):
    return Closed(new_stack().start())


@pytest.mark.parametrize("way", ["journal", "store"])
def test_a_rebuild_that_is_killed_again_and_again_is_completed_by_the_last(closed, way):
    """Killed when it has had so many replies from Redis, or MariaDB, until it ends before."""
    service = closed.stack.redis[0] if way == "journal" else closed.stack.mariadb
    kills = 0
    with Proxy(service.port) as proxy:
        url = closed.stack.settings[way].replace(str(service.port), str(proxy.port))
        replies = 1
        while True:
            proxy.hold_after(replies)
            process = closed.spawn_rebuild(**{way: url})
            eventually(lambda: proxy.holds or process.poll() is not None, 30, "some replies")
            if not proxy.holds:
                break
            process.kill()
            process.wait()
            proxy.cut()
            proxy.release()
            kills += 1
            assert closed.stack.stored(closed.chats) == closed.stored
            replies += max(1, replies // 3)
    assert process.returncode == 0, process.stdout.read()
    print(f"killed {kills} times\n{process.stdout.read()}")
    assert kills > 3
    closed.assert_mended()


def test_two_rebuilds_at_once_do_no_harm(closed):
    processes = [closed.spawn_rebuild() for _ in range(2)]
    outputs = [process.communicate(timeout=30 * PATIENCE)[0] for process in processes]
    print("\n--\n".join(outputs))
    assert any(process.returncode == 0 for process in processes), outputs
    if any(process.returncode != 0 for process in processes):
        succeeds(closed.stack.run("rebuild"))  # as an operator would
    closed.assert_mended()


def test_a_rebuild_at_a_wrong_empty_redis_is_refused(new_stack):
    """The persistence of the right one lives: so the address is wrong."""
    stack = new_stack().start()
    chats = stack.make_chats()
    early = stack.write(chats, "early")
    with Redis() as wrong:
        result = stack.run("rebuild", journal=wrong.url)
        said = (result.stdout + result.stderr).decode()
        print(said)
        assert result.returncode == 1
    with stack.client() as client:
        for _ in stack.servers:
            assert client.write(client.create_chat(client.create_application()), "open") == 1
    stack.assert_sound(early, stack.write(chats, "after"))


def test_a_server_at_a_wrong_empty_redis_takes_nothing_and_disturbs_nobody(new_stack):
    stack = new_stack().start()
    chats = stack.make_chats()
    early = stack.write(chats, "early")
    with Redis() as wrong:
        stranger = stack.add_server(journal=wrong.url)
        stack.servers.remove(stranger)
        with stranger.client() as client:
            eventually(lambda: "confab rebuild" in stranger.log_text(), 20, "noticed")
            assert_closed(client, chats[0])
        beside = stack.write(chats, "beside")
        stack.assert_sound(early, beside)
        stranger.stop()
        stranger.open_servers.remove(stranger)
    stack.assert_sound(early, beside, stack.write(chats, "after"))


def test_a_rebuild_where_all_is_well_touches_nothing(new_stack):
    stack = new_stack().start()
    chats = stack.make_chats()
    early = stack.write(chats, "early")
    output = succeeds(stack.run("rebuild")).decode()
    assert "nothing to rebuild" in output
    stack.assert_sound(early, stack.write(chats, "after"))
