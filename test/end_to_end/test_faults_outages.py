"""A service is away for a minute, or stands still: what needs it is refused, the rest goes on."""

import signal
import time

import pytest

from chaos import Writers
from client import Client
from expect import assert_created, assert_done, assert_problem
from stack import Stack
from waiting import PATIENCE, eventually, in_parallel

MINUTE = 60
STANDSTILL = 5
DEADLINE = 2 + 1.5  # of a request, and what the way there and back may take
STORE_AWAY = {"store_unavailable", "store_behind"}


@pytest.fixture(scope="module")
def stack(private, tmp_path_factory):
    """One for all tests here: each leaves it healed, and sound."""
    stack = Stack(tmp_path_factory.mktemp("outages") / "stack").with_elasticsearch().start()
    yield stack
    stack.close()


@pytest.fixture
def writers(stack, request):
    """They write all the time. In the end nothing is lost."""
    writers = Writers(stack.urls, stack.make_chats(), 8, request.node.name, think=0.02).start()
    try:
        eventually(lambda: len(writers.answers) > 100, 20, "answers")
        yield writers
    finally:
        writers.give_up()
    stack.assert_sound(writers)


def assert_creates_go_on(client: Client, application: str) -> str:
    """Applications, chats, messages; renames and deletions. The path of the new chat."""
    assert client.post("/api/v1/applications?name=during").status == 201
    chat = client.create_chat(application)
    reply = client.post(f"{chat}/messages", json={"message_body": "during the outage"})
    assert_created(reply, f"{chat}/messages/1")
    assert_done(client.put(chat, json={"name": "during"}))
    assert client.write(chat, "deleted") == 2
    assert_done(client.delete(f"{chat}/messages/2"))
    return chat


def assert_reads_are_refused(client: Client, chat: str) -> None:
    """Without the store; what never was is told apart by the log."""
    message = f"{chat}/messages/1"
    for target in (message, f"{chat}/messages", chat, f"{chat}/messages/search?query=needle"):
        assert_problem(client.get(target), 503, STORE_AWAY)
    assert_problem(client.put(message, json={"message_body": "edited"}), 503, STORE_AWAY)
    assert_problem(client.get("/api/v1/applications/unknown"), 404, "application_not_found")
    assert_problem(client.get(f"{chat}99999"), 404, "chat_not_found")
    ready = client.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["store"]["ok"] is False


def assert_only_search_is_refused(client: Client, application: str) -> None:
    chat = assert_creates_go_on(client, application)
    message = client.read(f"{chat}/messages/1")
    assert message["message_body"] == "during the outage"
    assert len(client.read(f"{chat}/messages")) == 1
    assert_done(client.put(f"{chat}/messages/1", json={"message_body": "edited"}))
    assert client.read(chat)["last_message_number"] == 2
    reply = client.get(f"{chat}/messages/search?query=edited")
    assert_problem(reply, 503, "search_unavailable")
    assert client.read("/readyz")["status"] == "degraded"


def while_away(stack: Stack, writers: Writers, service, look) -> None:
    """Kill the service, look again and again for a minute, start it."""
    memory = [server.memory() for server in stack.servers]
    service.kill()
    began, answered = time.monotonic(), len(writers.answers)
    stack.wait_for_status("degraded")
    with stack.client() as client:
        while time.monotonic() < began + MINUTE:
            before = len(writers.answers)
            look(client)
            eventually(lambda: len(writers.answers) > before, 5, "writers go on")
            time.sleep(1)
    answered = len(writers.answers) - answered
    growth = [server.memory() - before for server, before in zip(stack.servers, memory)]
    print(f"{service.name}: {answered} answers, memory grew by {growth}")
    assert answered > MINUTE * 20 / PATIENCE
    assert max(growth) < 64 * 2**20, "memory is bounded"
    service.start()
    stack.wait_for_status("ok")


def test_creates_go_on_while_the_store_is_away(stack, writers):
    application = writers.chats[0].partition("/chats")[0]

    def look(client: Client) -> None:
        assert_creates_go_on(client, application)
        assert_reads_are_refused(client, writers.chats[0])

    while_away(stack, writers, stack.mariadb, look)


def test_only_search_is_refused_while_the_index_is_away(stack, writers):
    application = writers.chats[0].partition("/chats")[0]

    def look(client: Client) -> None:
        assert_only_search_is_refused(client, application)

    while_away(stack, writers, stack.elasticsearch, look)


# What is asked while a service stands still, and what may be refused then.
QUESTIONS = {
    "write": ("POST", "/messages?message_body=meanwhile"),
    "read": ("GET", "/messages/1"),
    "list": ("GET", "/messages?limit=10"),
    "search": ("GET", "/messages/search?query=needle"),
    "readyz": ("GET", "/readyz"),
}


def ask_until(end: float, stack: Stack, name: str, chat: str) -> list[tuple[float, int]]:
    """How long each answer took, and what it was."""
    method, path = QUESTIONS[name]
    answers = []
    with stack.client() as client:
        while time.monotonic() < end:
            began = time.monotonic()
            reply = client.request(method, path if name == "readyz" else chat + path)
            answers.append((time.monotonic() - began, reply.status))
    return answers


@pytest.mark.parametrize(
    "name, refused",
    [
        ("redis", {"write"}),
        ("mariadb", {"read", "list", "search"}),
        ("elasticsearch", {"search"}),
    ],
)
def test_a_service_that_stands_still_delays_no_answer_beyond_the_deadline(
    stack, writers, name, refused
):
    (service,) = [service for service in stack.services if service.name == name]
    with stack.client() as client:
        other = client.create_chat(writers.chats[0].partition("/chats")[0])
        assert client.write(other, "needle") == 1
        client.search_complete(other, "needle")
    service.signal(signal.SIGSTOP)
    try:
        end = time.monotonic() + STANDSTILL
        answers = in_parallel(lambda what: ask_until(end, stack, what, other), QUESTIONS)
    finally:
        service.signal(signal.SIGCONT)
    for what, seen in zip(QUESTIONS, answers):
        slowest, statuses = max(took for took, _ in seen), [status for _, status in seen]
        share = statuses.count(503) / len(statuses)
        print(f"{name} {what}: {len(seen)} answers, slowest {slowest:.2f} s, {share:.0%} refused")
        assert slowest < DEADLINE * PATIENCE, what
        assert set(statuses) <= {200, 201, 503}, what
        # The disk is everybody's: Redis too may stand still for a moment.
        assert share < 0.1 or what in refused, what
    answered = len(writers.answers)
    eventually(lambda: len(writers.answers) > answered + 50, 10, "answers afterwards")
