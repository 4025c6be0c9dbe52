"""What stands between loses replies, holds bytes, cuts, refuses: numbers stay exactly once."""

import os
import random
import time
from urllib.parse import urlsplit

import pytest

from chaos import Writers
from expect import assert_problem
from proxy import Proxy
from search_proxy import SearchProxy
from waiting import PATIENCE, eventually

SEED = os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(10**6)))
DEADLINE = 2 + 1.5  # of a request, and what the way there and back may take


class Between:
    """A stack whose servers reach Redis and MariaDB through proxies, and unkeyed writers.

    Nothing but numbering itself repeats what they send, so that each message must be there once.
    """

    def __init__(self, stack):
        print(f"seed: CONFAB_SEED={SEED}")
        stack.start(servers=0)
        self.stack = stack
        self.redis = Proxy(stack.redis[0].port, SEED)
        self.mariadb = Proxy(stack.mariadb.port, SEED)
        ways = {
            "journal": f"redis://127.0.0.1:{self.redis.port}",
            "store": f"mysql://root@127.0.0.1:{self.mariadb.port}/confab",
        }
        for _ in range(2):
            stack.add_server(**ways)
        self.chats = stack.make_chats()
        self.writers = Writers(stack.urls, self.chats, 16, SEED, 0.01, keyed=False).start()

    def answers(self, count: int, what: str) -> None:
        """Wait for so many more."""
        before = len(self.writers.answers)
        eventually(lambda: len(self.writers.answers) >= before + count, 60, what)

    def assert_sound(self) -> None:
        """Also: what was not answered is there once or not at all, and is seldom."""
        self.writers.stop()
        unknown = len(self.writers.invoked) - len(self.writers.answers)
        print(f"{unknown} of {len(self.writers.invoked)} were not answered")
        self.stack.assert_sound(self.writers)


@pytest.fixture
def between(new_stack):
    between = Between(new_stack())
    with between.redis, between.mariadb:
        try:
            between.answers(100, "answers")
            yield between
        finally:
            between.writers.stop()
            between.stack.stop_servers()


def test_lost_replies_of_redis_number_nothing_twice(between):
    """Numbering sends the batch again under its sequence, on a new connection."""
    between.redis.lose_replies(0.02, to=b"EVAL")
    eventually(lambda: between.redis.lost >= 15, 60, "replies lost")
    between.redis.lose_replies(0)
    between.answers(100, "answers afterwards")
    between.assert_sound()
    unknown = len(between.writers.invoked) - len(between.writers.answers)
    assert unknown < len(between.writers.invoked) * 0.05, "a resend settles nearly all"


def test_lost_replies_of_mariadb_store_nothing_twice(between):
    """A COMMIT whose answer is lost may have happened: the position tells."""
    between.mariadb.lose_replies(0.05)
    eventually(lambda: between.mariadb.lost >= 30, 60, "replies lost")
    between.mariadb.lose_replies(0)
    between.answers(100, "answers afterwards")
    between.assert_sound()


@pytest.mark.parametrize("name", ["redis", "mariadb"])
def test_cut_and_held_connections_harm_nothing(between, name):
    proxy = getattr(between, name)
    generator = random.Random(SEED)
    for _ in range(6):
        proxy.cut()
        between.answers(50, "answers after a cut")
        proxy.hold()
        time.sleep(generator.uniform(0.1, 2.5))  # within and beyond every time-out
        proxy.release()
        between.answers(50, "answers after a hold")
    proxy.refuse()
    between.stack.wait_for_status("degraded")
    proxy.take()
    between.stack.wait_for_status("ok")
    between.answers(50, "answers after a refusal")
    between.assert_sound()


@pytest.fixture
def moody(index_url, new_stack):
    """A stack whose index stands behind a proxy with moods."""
    parts = urlsplit(index_url)
    with SearchProxy(parts.port, SEED) as proxy:
        stack = new_stack(search=f"http://127.0.0.1:{proxy.port}{parts.path}")
        yield stack, proxy
        proxy.answering.set()
        stack.stop_servers()


def test_only_the_items_that_were_refused_are_sent_again(moody):
    """By one server: when two share the shards anew, the next begins where the position stands."""
    stack, proxy = moody
    chats = stack.start(servers=1).make_chats()
    before = stack.write(chats, "before")  # the index is new: it is built from the store
    proxy.taken.clear()
    proxy.repeated.clear()
    proxy.refusing = 0.3
    writers = stack.write(chats, SEED, count=500)
    proxy.refusing = 0
    print(f"{len(proxy.refused)} items refused, {len(proxy.taken)} taken")
    assert len(proxy.refused) > 100
    assert proxy.repeated == [], f"{len(proxy.repeated)} sent again though they were taken"
    stack.assert_sound(before, writers)


def test_an_index_that_fails_is_waited_for(moody):
    stack, proxy = moody
    chats = stack.start().make_chats()
    early = stack.write(chats, "early")
    proxy.failing = True
    writers = Writers(stack.urls, chats, 8, "late").run(200)
    stack.wait_for_status("degraded")
    with stack.client() as client:
        for chat in chats:
            reply = client.get(f"{chat}/messages/search?query=needle")
            assert_problem(reply, 503, "search_unavailable")
    proxy.failing = False
    stack.wait_for_status("ok")
    stack.assert_sound(early, writers)


def test_an_index_that_hangs_delays_searches_only_and_those_no_longer_than_allowed(moody):
    stack, proxy = moody
    chats = stack.start().make_chats()
    early = stack.write(chats, "early")
    proxy.answering.clear()
    writers = Writers(stack.urls, chats, 8, "late", think=0.02).start()
    try:
        with stack.client() as client:
            for chat in chats[:2]:
                began = time.monotonic()
                reply = client.get(f"{chat}/messages/search?query=needle")
                took = time.monotonic() - began
                assert_problem(reply, 503, "search_unavailable")
                assert took < DEADLINE * PATIENCE
        before = len(writers.answers)
        eventually(lambda: len(writers.answers) > before + 100, 10, "creates go on")
    finally:
        writers.stop()
    began = time.monotonic()
    stack.servers[0].stop()
    print(f"stopped in {time.monotonic() - began:.1f} s though the index hangs")
    stack.servers[0].start()
    proxy.answering.set()
    stack.wait_for_status("ok")
    stack.assert_sound(early, writers)
