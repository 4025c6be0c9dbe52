"""Redis or MariaDB go back in time: noticed before anything is written over it, and mended.

The servers run all the time. Reads go on, writes are refused until `confab rebuild`. What the
store or the log still has stays under its number; no such number is given again.
"""

import re
import shutil
from pathlib import Path

import pytest

from chaos import Writers
from closed import assert_closed
from commands import succeeds
from stack import Stack
from waiting import eventually

APPLICATIONS = 12  # enough of them that some are in each of the two shards


class Past:
    """A stack under which somebody wrote, copied the services' files, and wrote on."""

    def __init__(self, stack: Stack, folder: Path, held: bool = False):
        self.stack, self.folder = stack, folder
        self.chats = stack.make_chats(APPLICATIONS, APPLICATIONS)
        self.early = stack.write(self.chats, "early")
        if held:
            succeeds(stack.run("hold"))
        self.copy(stack.redis[0])
        self.copy(stack.mariadb)
        self.late = stack.write(self.chats, "late")
        self.stored = stack.stored(self.chats)

    def copy(self, service) -> None:
        """Of a service that stands still, as an operator's snapshot of a disk would be."""
        service.stop()
        shutil.copytree(service.data, self.folder / service.name)
        service.start()
        self.stack.wait_for_status("ok")

    def put_back(self, service) -> None:
        service.kill()
        shutil.rmtree(service.data)
        shutil.copytree(self.folder / service.name, service.data)
        service.start()

    def assert_noticed(self) -> None:
        """By every server, whoever is asked first; in every shard."""
        for shard in range(int(self.stack.settings["shards"])):
            lost = f"event=history_lost shard={shard} "
            eventually(lambda: lost in self.stack.log_text(), 20, lost)
        for server in self.stack.servers:
            eventually(lambda: "confab rebuild" in server.log_text(), 20, f"{server} noticed")
        for server in self.stack.servers:
            with server.client() as client:
                assert_closed(client, self.chats[0])

    def rebuild(self) -> str:
        """While the servers run; they go on by themselves."""
        output = succeeds(self.stack.run("rebuild")).decode()
        print(output)
        self.stack.wait_for_status("ok")
        return output

    def assert_mended(self, forgiven: frozenset[str] = frozenset()) -> None:
        """What was stored is as it was, what comes goes on above it, and all is sound."""
        after = self.stack.write(self.chats, "after")
        self.stack.assert_sound(self.early, self.late, after, forgiven=forgiven)


@pytest.fixture
def past(new_stack, index_url, tmp_path):
    return Past(new_stack(search=index_url).start(), tmp_path)


def empty(redis) -> None:
    """As if it had never been written to."""
    redis.kill()
    shutil.rmtree(redis.data)
    redis.start()


def flush(redis) -> None:
    assert redis.ask("FLUSHALL") == b"+OK"


@pytest.mark.parametrize("lose", ["older", "empty", "flush"])
def test_a_redis_that_lost_history_is_noticed_and_mended_without_loss(past, lose):
    redis = past.stack.redis[0]
    {"older": past.put_back, "empty": empty, "flush": flush}[lose](redis)
    past.assert_noticed()
    assert past.stack.stored(past.chats) == past.stored, "nothing was written over"
    past.rebuild()
    assert past.stack.stored(past.chats) == past.stored
    past.assert_mended()


def test_an_older_store_is_noticed_and_what_is_lost_is_told(past):
    """The log was trimmed: what was written since the copy is in neither."""
    eventually(
        lambda: succeeds(past.stack.run("log")).count(b" 0 records ") == 2, 20, "the log is trimmed"
    )
    past.put_back(past.stack.mariadb)
    past.assert_noticed()
    output = past.rebuild()
    stored = past.stack.stored(past.chats)
    kept = {key for messages in stored.values() for _, key in messages}
    forgiven = frozenset(answer.key for answer in past.late.answers if answer.key not in kept)
    told = sum(map(int, re.findall(r"(\d+) messages are lost", output)))
    assert told == len(forgiven) > 0
    past.assert_mended(forgiven)


def test_an_older_store_catches_up_if_the_log_was_held(new_stack, index_url, tmp_path):
    past = Past(new_stack(search=index_url).start(), tmp_path, held=True)
    past.put_back(past.stack.mariadb)
    past.stack.wait_for_status("ok")
    past.stack.settle()
    assert past.stack.stored(past.chats) == past.stored
    past.assert_mended()
    succeeds(past.stack.run("release"))


def test_writers_who_go_on_through_a_lost_history_lose_nothing_that_is_stored(past):
    """They write while Redis is emptied, and hear nothing but 503 until it is mended.

    Without keys: those are lost with the history, and a repeated one makes a second message.
    """
    writers = Writers(past.stack.urls, past.chats, 8, "through", 0.01, keyed=False).start()
    try:
        eventually(lambda: len(writers.answers) > 200, 20, "answers")
        empty(past.stack.redis[0])
        past.assert_noticed()
        answered = len(writers.answers)
        stored = past.stack.stored(past.chats)
        past.rebuild()
        eventually(lambda: len(writers.answers) > answered + 200, 20, "answers after the rebuild")
    finally:
        writers.give_up()
    now = past.stack.stored(past.chats)
    for chat, messages in stored.items():
        assert now[chat][: len(messages)] == messages, "nothing stored was written over"
    # What was answered and not yet stored when Redis went is in neither.
    kept = {key for messages in now.values() for _, key in messages}
    forgiven = frozenset(answer.key for answer in writers.answers if answer.key not in kept)
    print(f"{len(forgiven)} of {len(writers.answers)} answers are gone")
    assert len(forgiven) < 100, "only the last moment before the loss"
    past.stack.assert_sound(past.early, past.late, writers, forgiven=forgiven)
