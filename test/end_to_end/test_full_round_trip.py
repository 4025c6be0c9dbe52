"""Export from one stack, import into the other, and back: not a byte differs."""

import pytest

from client import ALL_APPLICATIONS
from data_set import DataFolder
from harness import succeeds
from snapshot import all_tokens, fill, snapshot
from waiting import eventually


@pytest.fixture
def folder(tmp_path):
    """Call it for another empty embedded data set."""
    made = []

    def make() -> DataFolder:
        made.append(DataFolder(tmp_path / f"folder-{len(made)}"))
        return made[-1]

    return make


def moved(source, target) -> bytes:
    """Export, import, export again: the same, and without a fault."""
    exported = succeeds(source.run("export"))
    assert exported.count(b"\n") > 50
    succeeds(target.run("import", input=exported))
    assert succeeds(target.run("export")) == exported
    succeeds(target.run("verify"))
    return exported


@pytest.mark.parametrize("born", ["embedded", "full"])
def test_a_data_set_moves_to_the_other_stack_and_back(
    folder, make_data_set, start_server, born
):
    kinds = [folder, make_data_set, folder, make_data_set]
    first, second, third = (kind() for kind in (kinds if born == "embedded" else kinds[1:])[:3])
    server = start_server(first)
    with server.client() as client:
        tokens = fill(client, applications=4)
        assert client.delete(f"{ALL_APPLICATIONS}/{tokens.pop(1)}").status == 204
        long = client.create_chat(f"{ALL_APPLICATIONS}/{tokens[0]}")
        for body in ("x" * 60000, "\x01\té", "🙂" * 1000, "'; DROP TABLE messages; --\\%_"):
            client.write(long, body)
        before = snapshot(client, tokens, counts=False)
    server.stop()
    exported = moved(first, second)
    assert moved(second, third) == exported

    for data_set in (second, third):
        with start_server(data_set).client() as client:
            assert all_tokens(client) == tokens
            assert snapshot(client, tokens, counts=False) == before
            chat = f"{ALL_APPLICATIONS}/{tokens[0]}/chats/1"
            assert client.found(chat, "needle", order="asc") == [3, 4, 5, 6, 7, 8, 9]
            assert client.write(chat, "next") == 11
            assert client.create_chat(f"{ALL_APPLICATIONS}/{tokens[0]}").endswith("/chats/6")
            eventually(lambda: client.read(chat)["messages_count"] == 9, 5, "counts")
