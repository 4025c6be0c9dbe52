"""Twenty kills at random moments under load: nothing answered is lost, doubled or renumbered."""

import os
import random
import time

from chaos import Readers, Writers
from expect import assert_counts, walk
from history import check
from waiting import eventually

KILLS, CHATS, WRITERS, READERS = 20, 6, 64, 3
SEED = os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(10**6)))


def kill_at_random_moments(server, writers: Writers) -> None:
    """Each time some answers have come since the start; also while it still starts."""
    generator = random.Random(SEED)
    for kill in range(KILLS):
        if generator.random() < 0.2:  # in the middle of a start
            server.process = server.spawn()
            time.sleep(generator.uniform(0, 0.2))
            server.kill()
            continue
        server.start()
        answered = len(writers.answers)
        eventually(lambda: len(writers.answers) > answered + 20, 20, "answers after a restart")
        time.sleep(generator.uniform(0, 0.8))  # any moment will do: there is nothing to wait for
        server.kill()
    server.start()


def test_nothing_that_was_answered_is_lost_by_kills(
    quiet_machine, own_server, own_client, counts_lag
):
    print(f"seed: CONFAB_SEED={SEED}")
    applications = [own_client.create_application() for _ in range(2)]
    chats = [own_client.create_chat(applications[turn % 2]) for turn in range(CHATS)]
    own_server.kill()
    writers = Writers([own_server.url], chats, WRITERS, SEED)
    readers = Readers(writers, READERS)
    writers.start()
    readers.start()
    try:
        kill_at_random_moments(own_server, writers)
    finally:
        if not own_server.process:
            own_server.start()
        writers.stop()
        readers.stop()
    print(f"{len(writers.answers)} answers, {readers.reads} reads")
    assert writers.odd == []
    assert readers.faults == []
    assert readers.reads > 0

    writers.ask_again(4000)

    def listed(chat: str) -> list[tuple[int, str]]:
        with own_server.client() as client:
            items = walk(client, f"{chat}/messages?limit=1000")
        return [
            (item["message_number"], item["message_body"].removeprefix("needle "))
            for item in items
        ]

    stored = {chat: listed(chat) for chat in chats}
    faults = check(writers.invoked, writers.answers, stored)
    assert faults == [], f"{len(faults)} faults"
    for chat, messages in stored.items():
        count = len(messages)
        assert_counts(
            own_client, chat, counts_lag, messages_count=count, last_message_number=count
        )
        for number, key in random.Random(SEED).sample(messages, min(20, count)):
            hits = own_client.search_complete(chat, f"needle {key}", limit=100).json()
            assert (number, f"needle {key}") in [
                (hit["message_number"], hit["message_body"]) for hit in hits
            ]
