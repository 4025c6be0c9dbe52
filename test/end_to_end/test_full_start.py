"""Starting the full stack: in any order, by several servers at once, with wrong settings."""

from pathlib import Path

import pytest

from client import Client
from data_set import STACK
from full_start import ENCODED, SECRET, Starting, without_secrets
from harness import succeeds
from services import MariaDB, Redis, free_port
from waiting import eventually, in_parallel

pytestmark = pytest.mark.skipif(STACK != "full", reason="starts servers of the full stack")


@pytest.fixture
def full(make_data_set):
    return make_data_set()


@pytest.fixture
def start(full, tmp_path):
    """Call it for a server that may not come up; `with` ends it."""
    return lambda **settings: Starting(tmp_path, full, **settings)


def store_of(full, account: str, database: str | None = None) -> str:
    return f"mysql://{account}@127.0.0.1:{full.port}/{database or full.database}"


@pytest.fixture
def account(full):
    """An account of the database with a password; call it for one with these rights."""
    name = f"u{full.database[-12:]}"

    def make(rights: str = "ALL") -> str:
        full.sql(
            f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY '{SECRET}';"
            f"GRANT {rights} ON {full.database}.* TO '{name}'@'127.0.0.1'"
        )
        return f"{name}:{ENCODED}"

    yield make
    full.sql(f"DROP USER IF EXISTS '{name}'@'127.0.0.1'")


# In any order.


def test_a_server_waits_for_its_services_and_then_starts(full, start, tmp_path):
    with MariaDB() as mariadb:
        mariadb.sql("CREATE DATABASE late CHARACTER SET utf8mb4")
        mariadb.stop()
        full.redis.stop()
        with start(store=f"{mariadb.url}/late") as server:
            server.says("event=waiting", f"127.0.0.1:{mariadb.port}", "do=")
            mariadb.start()
            server.says("event=waiting", full.redis.url, "start Redis", "do=")
            full.redis.start()
            server.gets_ready()
            with server.server.client() as client:
                chat = client.create_chat(client.create_application())
                assert client.write(chat, "at last") == 1
            assert server.stop(20) == 0
    assert not Path(full.settings["data"]).exists(), "no folder is needed"


def test_who_waits_ends_at_once_when_told_to(full, start):
    full.redis.stop()
    with start() as server:
        server.says("event=waiting")
        assert server.stop(1) == 0
        server.says("event=stopped")


def test_without_elasticsearch_all_but_search_is_served(start):
    url = f"http://127.0.0.1:{free_port()}/index"
    with start(search=url) as server:
        server.says("event=search_away", url, "do=")
        server.says("event=serving")
        with server.server.client() as client:
            chat = client.create_chat(client.create_application())
            assert client.write(chat, "stored") == 1
            assert client.read(f"{chat}/messages/1")["message_body"] == "stored"
            reply = client.get(f"{chat}/messages/search", query={"query": "stored"})
            assert (reply.status, reply.json()["code"]) == (503, "search_unavailable")


def test_one_redis_of_several_may_be_away_at_the_start(full, start, tmp_path):
    with Redis() as second:
        journal = f"{full.redis.url},{second.url}"
        with start(journal=journal) as server:
            server.gets_ready()
            with server.server.client() as client:
                chats = [client.create_chat(client.create_application()) for _ in range(20)]
                assert [client.write(chat, "before") for chat in chats] == [1] * 20
            assert server.stop(20) == 0
        second.stop()
        with start(journal=journal) as server:
            server.says("event=serving")
            with server.server.client() as client:

                def write(chat: str) -> int:
                    return client.post(f"{chat}/messages", json={"message_body": "x"}).status

                statuses = [write(chat) for chat in chats]
                assert set(statuses) == {201, 503}, statuses
                second.start()
                eventually(lambda: {write(chat) for chat in chats} == {201}, 10, "all are back")
            assert server.stop(20) == 0
        succeeds(full.run("verify", journal=journal))


# Several at once.


@pytest.mark.parametrize("tables", ["no tables", "tables"])
def test_servers_that_start_at_the_same_moment_share_what_one_of_them_makes(
    full, start_server, tables
):
    if tables == "tables":  # then they do not wait for each other to make them
        succeeds(full.run("migrate"))
        full.sql("DELETE FROM data_sets; DELETE FROM positions")
        assert full.redis.ask("FLUSHALL") == b"+OK"
    servers = in_parallel(lambda _: start_server(full), range(3))
    with Client([server.url for server in servers]) as client:
        chat = client.create_chat(client.create_application())
        assert [client.write(chat, f"{n}") for n in range(1, 10)] == list(range(1, 10))
        listed = client.read(f"{chat}/messages")
        assert [message["message_number"] for message in listed] == list(range(1, 10))
    succeeds(full.run("verify"))


# Wrong settings.


def assert_refused(server: Starting, *words: str) -> None:
    """It ended by itself with 1 and said why, and what to do."""
    assert server.ends() == 1, server.server.log_tail()
    server.says("error", "do=", *words)
    without_secrets(server.server.log_text())


def lock(redis: Redis) -> str:
    """Give it a password; how a URL goes on with it."""
    assert redis.ask("CONFIG", "SET", "requirepass", SECRET) == b"+OK"
    return f"redis://:{ENCODED}@127.0.0.1:{redis.port}"


def test_a_wrong_password_of_redis_ends_the_start(full, start):
    wrong = lock(full.redis).replace(ENCODED, "another")
    with start(journal=wrong) as server:
        assert_refused(server, "journal", "redis://:***@", "password")
    with start() as server:  # none at all
        assert_refused(server, "journal", "password")


def test_a_wrong_password_of_mysql_ends_the_start(full, start, account):
    with start(store=store_of(full, account() + "y")) as server:
        assert_refused(server, "event=store_open", ":***@", "user and password")


def test_an_unknown_database_ends_the_start(full, start):
    with start(store=store_of(full, "root", "nowhere")) as server:
        assert_refused(server, "event=store_open", "CREATE DATABASE")


def test_newer_tables_end_the_start(full, start):
    succeeds(full.run("migrate"))
    full.sql("INSERT INTO schema_migrations SELECT 'mysql/store_9999_later.sql', hash, 0 "
             "FROM schema_migrations LIMIT 1")  # fmt: skip
    with start() as server:
        assert_refused(server, "event=store_open", "ERR_SCHEMA")


def test_tables_are_made_by_an_account_that_may(full, start, account):
    store = store_of(full, account("SELECT, INSERT, UPDATE, DELETE"))
    with start(store=store) as server:
        assert_refused(server, "event=store_open", "confab migrate")
    succeeds(full.run("migrate"))
    with start(store=store) as server:
        server.gets_ready()
        with server.server.client() as client:
            client.create_application()
        assert server.stop(20) == 0


# Passwords.


def test_no_password_is_told(full, start, account):
    settings = {
        "journal": lock(full.redis),
        "store": store_of(full, account()),
        "search": full.settings["search"].replace("http://", f"http://u:{ENCODED}@"),
    }
    with start(**settings, log_level="debug") as server:
        server.gets_ready()
        for command in ("verify", "log", "dead list", "hold", "release", "rebuild", "recount",
                        "reindex", "export", "migrate"):  # fmt: skip
            result = full.run(*command.split(), **settings)
            assert result.returncode == 0, (command, result.stderr)
            without_secrets(result.stdout + result.stderr)
        full.redis.stop()
        for command in ("verify", "export", "rebuild", "migrate"):
            result = full.run(command, **settings)
            assert result.returncode == 1, command
            without_secrets(result.stdout + result.stderr)
        assert server.stop(20) == 0
        without_secrets(server.server.log_text())
