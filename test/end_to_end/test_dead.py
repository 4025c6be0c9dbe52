"""Dead records: what was acknowledged and could not be stored is retried, or dropped for ever."""

import pytest

from client import ALL_APPLICATIONS
from harness import succeeds
from waiting import eventually

IN_THE_WAY = {
    "chat": (
        """INSERT INTO chats (application_id, number, name, created, updated)
        SELECT id, 1, 'in the way', 1, 1 FROM applications""",
        "DELETE FROM chats WHERE name = 'in the way'",
    ),
    "application": (
        """INSERT INTO applications (id, token, name, created, updated, visible)
        SELECT seq + 1, 'in-the-way', '', 1, 1, 0 FROM positions
        WHERE follower = 'persistence'""",
        "DELETE FROM applications WHERE token = 'in-the-way'",
    ),
}


def dead_lines(server) -> list[bytes]:
    return succeeds(server.run("dead", "list")).splitlines()


@pytest.fixture(params=IN_THE_WAY)
def dead_thing(request, start_server):
    """A stopped server with a chat, or an application, whose row the store refused, and its URL;
    what was in its way is gone."""
    server = start_server(shards=1)
    with server.client() as client:
        before = client.create_application("lives")
        eventually(lambda: client.read("/readyz")["journal"]["pending"] == 0, 5, "stored")
        server.stop()
        server.data_set.store_run(IN_THE_WAY[request.param][0])
        server.start()
        if request.param == "chat":
            thing = client.create_chat(before)
            client.post(f"{thing}/messages", query={"message_body": "a needle that joins"})
        else:
            thing = client.create_application("dead")
            client.post(f"{thing}/chats")
        eventually(lambda: len(dead_lines(server)) == 2, 10, "put aside")
        server.stop()
    server.data_set.store_run(IN_THE_WAY[request.param][1])
    return server, thing


def test_what_is_dropped_is_deleted_so_that_nothing_is_acknowledged_in_vain(dead_thing):
    server, thing = dead_thing
    succeeds(server.run("dead", "drop", "all"))
    assert dead_lines(server) == []
    succeeds(server.run("verify"))
    server.start()
    with server.client() as client:
        chat = thing if "/chats/" in thing else f"{thing}/chats/1"
        reply = client.post(f"{chat}/messages", query={"message_body": "never"})
        assert reply.status == 404, reply
        assert client.get(thing).status == 404
        assert client.post(f"{thing}/chats").status == 404
        assert client.create_application("another").startswith(ALL_APPLICATIONS)
    server.stop()
    succeeds(server.run("verify"))


def test_what_is_retried_is_there_with_what_joined_it(dead_thing):
    server, thing = dead_thing
    lines = dead_lines(server)
    joined = lines[1].split()[0].decode()
    assert server.run("dead", "retry", joined).returncode == 1, "it belongs to a dead creation"
    assert dead_lines(server) == lines
    succeeds(server.run("dead", "retry", "all"))
    assert dead_lines(server) == []
    succeeds(server.run("verify"))
    server.start()
    with server.client() as client:
        assert client.get(thing).status == 200
        if "/chats/" in thing:
            assert client.found(thing, "needle") == [1]
            assert client.write(thing, "goes on") == 2
