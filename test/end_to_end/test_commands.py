"""The commands: export and import, locks, versions, mistakes."""

import json
import subprocess

import pytest

from client import ALL_APPLICATIONS
from expect import assert_counts
from harness import BINARY, Server, clean_environment, succeeds
from snapshot import all_tokens, fill, snapshot
from waiting import PATIENCE, eventually


@pytest.fixture
def tokens(own_server, own_client) -> list[str]:
    """Applications in the own server, one of them deleted."""
    tokens = fill(own_client, applications=3)
    assert own_client.delete(f"{ALL_APPLICATIONS}/{tokens.pop(1)}").status == 204
    return tokens


def test_export_is_json_lines_and_works_beside_the_server(own_server, own_client, tokens):
    lines = succeeds(own_server.run("export")).decode().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    text = "\n".join(lines)
    assert all(token in text for token in tokens)
    # what was answered before is in it
    chat = own_client.create_chat(f"{ALL_APPLICATIONS}/{tokens[0]}")
    own_client.write(chat, "the newest of all")
    assert b"the newest of all" in succeeds(own_server.run("export"))


def test_export_to_a_file_is_the_same_as_to_standard_output(own_server, tokens, tmp_path):
    printed = succeeds(own_server.run("export"))
    file = tmp_path / "all.ndjson"
    assert succeeds(own_server.run("export", "--output", file)) == b""
    assert file.read_bytes() == printed


@pytest.mark.parametrize("way", ["standard input", "file"])
def test_an_import_of_an_export_is_lossless(
    own_server, own_client, tokens, make_data_set, start_server, tmp_path, way
):
    for token in tokens:
        assert_counts(own_client, f"{ALL_APPLICATIONS}/{token}", 5, chats_count=3)
    before = snapshot(own_client, tokens)
    exported = succeeds(own_server.run("export"))
    fresh = make_data_set()
    if way == "file":
        file = tmp_path / "all.ndjson"
        file.write_bytes(exported)
        succeeds(fresh.run("import", "--input", file))
    else:
        succeeds(fresh.run("import", input=exported))
    assert succeeds(fresh.run("export")) == exported
    succeeds(fresh.run("verify"))
    with start_server(fresh).client() as client:
        assert all_tokens(client) == tokens
        eventually(lambda: snapshot(client, tokens) == before, 5, "the same with counts")
        application = f"{ALL_APPLICATIONS}/{tokens[0]}"
        chat = f"{application}/chats/1"
        assert client.found(chat, "needle", order="asc") == [3, 4, 5, 6, 7, 8, 9]
        # numbers go on above everything that was ever used
        assert client.write(chat, "next") == 11
        assert client.create_chat(application) == f"{application}/chats/5"
        assert client.delete(f"{chat}/messages/10").status == 204
        assert client.delete(f"{application}/chats/4").status == 204


def test_an_import_of_an_existing_token_is_refused_and_writes_nothing(
    own_server, own_client, tokens, make_data_set
):
    mine = succeeds(own_server.run("export"))
    fill(own_client, applications=1)
    everything = succeeds(own_server.run("export"))
    target = make_data_set()
    succeeds(target.run("import", input=mine))
    for attempt in (mine, everything, everything.splitlines(keepends=True)[0] + everything):
        result = target.run("import", input=attempt)
        assert result.returncode == 1
        assert result.stderr.strip()
        assert succeeds(target.run("export")) == mine
    succeeds(target.run("verify"))


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.99])
def test_a_broken_export_is_refused_and_does_not_hinder_a_whole_one(
    own_server, tokens, make_data_set, cut
):
    exported = succeeds(own_server.run("export"))
    target = make_data_set()
    broken = exported[: int(len(exported) * cut)].rstrip(b"\n}")
    result = target.run("import", input=broken)
    assert result.returncode == 1
    assert result.stderr.strip()
    succeeds(target.run("import", input=exported))
    assert succeeds(target.run("export")) == exported
    succeeds(target.run("verify"))


@pytest.mark.embedded
@pytest.mark.parametrize("command", ["import", "rebuild", "reindex", "recount"])
def test_commands_that_write_are_refused_beside_a_server(own_server, own_client, tokens, command):
    before = succeeds(own_server.run("export"))
    result = own_server.run(command, input=b"")
    assert result.returncode != 0
    assert result.stderr.strip()
    assert succeeds(own_server.run("export")) == before
    assert own_client.get("/healthz").status == 200


@pytest.mark.embedded
def test_a_second_server_on_the_same_folder_says_why_it_cannot_start(own_server, own_client):
    second = Server(own_server.log.parent, data=own_server.data)
    Server.open_servers.remove(second)
    process = second.spawn()
    assert process.wait(10 * PATIENCE) != 0
    message = second.log_text()
    assert str(own_server.data) in message
    assert "lock" in message or "use" in message or "serve" in message
    chat = own_client.create_chat(own_client.create_application())
    assert own_client.write(chat, "x") == 1


def test_a_second_server_on_the_same_port_says_why_it_cannot_start(own_server, tmp_path):
    second = Server(tmp_path)
    Server.open_servers.remove(second)
    second.port = own_server.port
    process = second.spawn()
    assert process.wait(10 * PATIENCE) != 0
    assert str(own_server.port) in second.log_text()


def test_a_killed_server_leaves_no_lock_behind(own_server):
    own_server.kill()
    own_server.start()


def run_bare(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, env=clean_environment(), timeout=20 * PATIENCE
    )


def test_version_is_printed(private, client):
    printed = succeeds(run_bare("version")).decode()
    assert "confab" in printed
    assert client.read("/version")["version"] in printed


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["serve", "--nonsense", "1"],
        ["serve", "--threads", "many"],
        ["serve", "--threads"],
        ["serve", "--counts-flush", "-1s"],
        ["serve", "--max-body", "0"],
        ["serve", "--listen", "nowhere"],
        ["serve", "--listen", "127.0.0.1:99999"],
        ["export", "--output"],
    ],
)
def test_a_mistake_on_the_command_line_is_told_and_nothing_is_done(
    private, tmp_path, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)
    result = run_bare(*arguments)
    assert result.returncode not in (0, -6, -11), result
    assert result.stderr.strip()
    assert list(tmp_path.iterdir()) == []


def test_dead_and_log_have_nothing_odd_to_tell_about_good_data(own_server, tokens):
    assert succeeds(own_server.run("dead", "list")).strip() == b""
    succeeds(own_server.run("log"))


def test_migrate_makes_a_data_set_and_leaves_one_alone(make_data_set, start_server):
    data_set = make_data_set()
    succeeds(data_set.run("migrate"))
    succeeds(data_set.run("verify"))
    assert succeeds(data_set.run("export")).count(b"token") == 0
    server = start_server(data_set)
    with server.client() as client:
        tokens = fill(client, applications=1)
        server.stop()
        before = succeeds(data_set.run("export"))
        succeeds(data_set.run("migrate"))
        assert succeeds(data_set.run("export")) == before
        server.start()
        assert all_tokens(client) == tokens


def test_settings_come_from_flags_environment_and_file_in_this_order(private, tmp_path):
    file = tmp_path / "confab.conf"
    file.write_text("max_body = 3000\nthreads = 16\n")

    def limit(**options) -> int:
        server = Server(tmp_path, **options).start()
        try:
            with server.client() as client:
                sizes = [size for size in (2000, 3000, 4000) if accepts(client, size)]
            return max(sizes)
        finally:
            server.close()

    def accepts(client, size: int) -> bool:
        body = b'{"name":"x","pad":"' + b"p" * (size - 21) + b'"}'
        return client.post(ALL_APPLICATIONS, body).status == 201

    environment = {"CONFAB_MAX_BODY": "2000"}
    assert limit(config=file) == 3000
    assert limit(config=file, environment=environment) == 2000
    assert limit(config=file, environment=environment, max_body=4000) == 4000
