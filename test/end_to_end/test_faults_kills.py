"""Twenty kills of anything at random moments under load: nothing answered is lost or doubled."""

import os
import random
import time

from chaos import Readers, Writers
from stack import Stack
from waiting import eventually

WRITERS, READERS = 32, 2
KILLS = {"server 0": 5, "server 1": 5, "redis": 5, "mariadb": 4, "elasticsearch": 1}
SEED = os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(10**6)))


class Killer:
    """Kills what it is told by the seed, and starts it again at once."""

    def __init__(self, stack: Stack, writers: Writers):
        self.stack, self.writers = stack, writers
        self.generator = random.Random(SEED)
        self.victims = {f"server {n}": server for n, server in enumerate(stack.servers)}
        self.victims.update((service.name, service) for service in stack.services)
        self.plan = [name for name, times in KILLS.items() for _ in range(times)]
        self.generator.shuffle(self.plan)

    def run(self) -> None:
        for name in self.plan:
            if self.generator.random() < 0.8:  # else while the one before still starts
                self.wait_for_answers()
                self.wait_until_up(name)
            time.sleep(self.generator.uniform(0, 0.5))  # any moment will do
            self.kill(name)

    def wait_for_answers(self) -> None:
        answered = len(self.writers.answers)
        eventually(lambda: len(self.writers.answers) > answered + 20, 30, "answers after a kill")

    def wait_until_up(self, name: str) -> None:
        victim = self.victims[name]
        if name.startswith("server"):
            eventually(victim.is_ready, 30, f"{victim} ready")
        else:
            victim.wait_ready()

    def kill(self, name: str) -> None:
        victim = self.victims[name]
        assert victim.process.poll() is None, f"{name} ended by itself\n{victim.log_tail()}"
        print(f"{time.strftime('%T')} kill {name} at {len(self.writers.answers)} answers")
        victim.kill()
        process = victim.spawn()
        if name.startswith("server"):
            victim.process = process

    def heal(self) -> None:
        for name in self.victims:
            self.wait_until_up(name)
        self.wait_for_answers()


def test_nothing_that_was_answered_is_lost_by_kills_of_anything(quiet_machine, new_stack):
    print(f"seed: CONFAB_SEED={SEED}")
    stack = new_stack(shards="8").with_elasticsearch().start(servers=2)
    chats = stack.make_chats(applications=8, chats=16)
    writers = Writers(stack.urls, chats, WRITERS, SEED, think=0.05).start()
    readers = Readers(writers, READERS)
    readers.start()
    try:
        killer = Killer(stack, writers)
        killer.run()
        killer.heal()
    finally:
        writers.give_up()
        readers.stop()
    assert readers.faults == []
    assert readers.reads > 0
    writers.ask_again(2000)
    stack.assert_sound(writers)
    after = stack.write(chats, f"{SEED}/after", count=100)
    stack.assert_sound(writers, after)
