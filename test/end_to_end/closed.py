"""A closed shard, as clients see it: writes are refused, and reads go on from the store."""

from client import ALL_APPLICATIONS, Client
from expect import assert_problem


def assert_refused(client: Client, chat: str) -> None:
    """Whatever would write to this chat."""
    for method, target in [
        ("POST", f"{chat}/messages?message_body=never"),
        ("PUT", f"{chat}/messages/1?message_body=never"),
        ("DELETE", f"{chat}/messages/1"),
        ("DELETE", chat),
    ]:
        assert_problem(client.request(method, target), 503, "journal_unavailable")


def assert_closed(client: Client, chat: str) -> None:
    """All of a server, too; the chat has a message 1, and none 99999."""
    assert_refused(client, chat)
    reply = client.post(f"{ALL_APPLICATIONS}?name=never")
    assert_problem(reply, 503, "journal_unavailable")
    for target in (chat, f"{chat}/messages", f"{chat}/messages/1", ALL_APPLICATIONS):
        reply = client.get(target)
        assert reply.status == 200, reply
        assert reply.headers["Confab-Behind"] == "unknown", reply
    assert_problem(client.get(f"{chat}/messages/99999"), 503, "journal_unavailable")
    ready = client.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["journal"]["ok"] is False
