"""Several confab servers, and several Redis servers: one that dies stops only what needs it."""

from chaos import Writers
from client import Client
from expect import assert_problem
from services import Redis
from waiting import eventually, in_parallel

TAKEN_OVER = 2 + 3  # seconds: a lease, and what its heir needs to begin


def test_two_servers_number_one_chat_densely_without_keys(new_stack):
    """Nothing repeats a request here: what is not dense or doubled was numbered wrongly."""
    stack = new_stack().start(servers=2)
    chats = stack.make_chats(applications=1, chats=1)
    crowds = [
        Writers([url], chats, 12, f"server-{n}", keyed=False).start()
        for n, url in enumerate(stack.urls)
    ]
    try:
        eventually(lambda: all(len(crowd.answers) > 500 for crowd in crowds), 30, "answers")
    finally:
        for crowd in crowds:
            crowd.stop()
    assert [len(crowd.invoked) - len(crowd.answers) for crowd in crowds] == [0, 0]
    stack.assert_sound(*crowds)


def test_two_servers_number_chats_densely(new_stack):
    stack = new_stack().start(servers=2)
    with stack.client() as client:
        application = client.create_application()

    def create(_) -> list[int]:
        with stack.client() as client:
            return [number_of(client.create_chat(application)) for _ in range(25)]

    numbers = [number for mine in in_parallel(create, range(16)) for number in mine]
    assert sorted(numbers) == list(range(1, 401))
    stack.settle()
    stack.assert_verified()


def number_of(path: str) -> int:
    return int(path.rpartition("/")[2])


def test_a_server_takes_over_what_a_killed_one_followed(new_stack):
    """Every shard's messages reach the store, the index and the counts again."""
    stack = new_stack(shards="8").start(servers=2)
    chats = stack.make_chats(applications=16, chats=16)
    early = stack.write(chats, "early")
    killed = stack.servers.pop()
    killed.kill()
    killed.open_servers.remove(killed)
    with stack.client() as client:
        written = [f"{chat}/messages/{client.write(chat, 'needle late')}" for chat in chats]

        def seen(path: str) -> None:
            with stack.client() as client:
                eventually(lambda: client.get(path).status == 200, TAKEN_OVER, path)

        in_parallel(seen, written)
        for path in written:
            assert client.delete(path).status == 204
    stack.settle()
    stack.assert_verified()
    stack.add_server()
    assert early.odd == []
    later = stack.write(stack.make_chats(), "later")
    stack.assert_sound(later)


class SpreadOver:
    """A stack on two Redis servers, and which chats live on which of them."""

    def __init__(self, new_stack):
        self.redis = [Redis(), Redis()]
        self.stack = new_stack(redis=self.redis, shards="8").start(servers=2)
        self.chats = self.stack.make_chats(applications=24, chats=24)
        self.early = self.stack.write(self.chats, "early")

    def answering(self) -> list[str]:
        """The chats that can be written to just now; all others say who is away."""
        found = []
        with self.stack.client() as client:
            for chat in self.chats:
                reply = client.put(chat, json={"name": "renamed"})
                if reply.status == 204:
                    found.append(chat)
                else:
                    assert_problem(reply, 503, "journal_unavailable")
        return found


def assert_slow_for_nobody(client: Client, chats: list[str], seconds: float) -> None:
    """All of these are answered, together in this time."""

    def write(chat: str) -> int:
        with client.clone() as mine:
            return mine.put(chat, json={"name": "again"}).status

    eventually(lambda: {write(chat) for chat in chats} == {204}, seconds, "all are answered")


def test_a_dead_redis_stops_only_its_own_shards(new_stack):
    spread = SpreadOver(new_stack)
    stack = spread.stack
    assert len(spread.answering()) == len(spread.chats)
    alive = {}
    for number, redis in enumerate(spread.redis):
        redis.kill()
        alive[number] = spread.answering()
        dead = [chat for chat in spread.chats if chat not in alive[number]]
        assert alive[number] and dead, "some chats are on either"
        writers = Writers(stack.urls, alive[number], 8, f"beside-{number}").run(300)
        with stack.client() as client:
            assert_slow_for_nobody(client, alive[number], 2)
            for chat in dead[:3]:
                reply = client.get(f"{chat}/messages?limit=1000")
                assert reply.status == 200 and reply.headers["Confab-Behind"] == "unknown"
            for chat in alive[number][:3]:
                reply = client.get(f"{chat}/messages?limit=1000")
                assert reply.status == 200 and not reply.headers["Confab-Behind"]
        redis.start()
        stack.wait_for_status("ok")
        eventually(lambda: len(spread.answering()) == len(spread.chats), 10, "all go on")
        spread.early.answers += writers.answers
        spread.early.invoked += writers.invoked
    assert sorted(alive[0] + alive[1]) == sorted(spread.chats), "each chat is on one of them"
    stack.assert_sound(spread.early, stack.write(spread.chats, "after"))
