"""Redis loses its power: with fsync always nothing answered is gone, else it is noticed."""

import os
import random
import time

from chaos import Writers
from closed import assert_closed
from commands import succeeds
from power_loss import lose_power, redis_that_can_lose_power
from waiting import eventually

LOSSES = 6
SEED = os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(10**6)))


def test_power_loss_takes_nothing_that_was_answered(quiet_machine, new_stack, tmp_path):
    print(f"seed: CONFAB_SEED={SEED}")
    generator = random.Random(SEED)
    redis = redis_that_can_lose_power(tmp_path)
    stack = new_stack(redis=[redis]).start()
    writers = Writers(stack.urls, stack.make_chats(), 16, SEED).start()
    try:
        for _ in range(LOSSES):
            answered = len(writers.answers)
            eventually(lambda: len(writers.answers) > answered + 100, 20, "answers")
            time.sleep(generator.uniform(0, 0.5))  # any moment will do
            print(f"{lose_power(redis)} bytes lost")
            redis.start()
        answered = len(writers.answers)
        eventually(lambda: len(writers.answers) > answered + 100, 20, "answers")
    finally:
        writers.give_up()
    writers.ask_again(2000)
    stack.assert_sound(writers)
    assert "event=history_lost" not in stack.log_text()


def test_a_redis_that_promises_less_loses_and_it_is_noticed(quiet_machine, new_stack, tmp_path):
    """That the test above can fail at all; and what a wrong setting does."""
    redis = redis_that_can_lose_power(tmp_path, appendfsync="everysec")
    stack = new_stack(redis=[redis], shards="1").start()
    assert "appendfsync" in stack.log_text(), "said loudly at the start"
    chats = stack.make_chats()
    writers = Writers(stack.urls, chats, 8, "everysec").start()
    try:
        eventually(lambda: len(writers.answers) > 500, 20, "answers")
        lost_at = time.monotonic()
        assert lose_power(redis) > 0
    finally:
        writers.give_up()
    stored = stack.stored(chats)
    redis.start()
    for server in stack.servers:
        with server.client() as client:
            eventually(lambda: "confab rebuild" in server.log_text(), 20, f"{server} noticed")
            assert_closed(client, max(chats, key=lambda chat: len(stored[chat])))
    assert stack.stored(chats) == stored, "nothing was written over"
    succeeds(stack.run("rebuild"))
    stack.settle()

    kept = {key for messages in stack.stored(chats).values() for _, key in messages}
    gone = [answer for answer in writers.answers if answer.key not in kept]
    print(f"{len(gone)} of {len(writers.answers)} answers are gone")
    assert all(answer.answered > lost_at - 3 for answer in gone), "only what was not synced yet"
    after = stack.write(chats, "after", count=100)
    stack.assert_sound(writers, after, forgiven=frozenset(answer.key for answer in gone))
