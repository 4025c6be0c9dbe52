"""`confab import`, killed at any moment: all or nothing is visible, and the next replaces it."""

import json
import subprocess
import time

import pytest

from client import ALL_APPLICATIONS
from data_set import STACK
from harness import BINARY, clean_environment, flags, succeeds
from snapshot import all_tokens

APPLICATIONS = 6
CHATS, MESSAGES = (8, 1000) if STACK == "embedded" else (4, 400)  # seconds, not a minute


def line(**members) -> str:
    time_text = "2025-03-04T05:06:07.089010Z"
    members |= {"created_at": time_text, "updated_at": time_text}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False) + "\n"


@pytest.fixture(scope="module")
def lines(private) -> bytes:
    """An export that takes a while to import."""
    text = []
    for application in range(APPLICATIONS):
        token = f"token-{application}"
        text.append(line(type="application", token=token, name="é", last_chat_number=CHATS))
        for chat in range(1, CHATS + 1):
            parent = {"application_token": token, "chat_number": chat}
            text.append(line(type="chat", **parent, name=None, last_message_number=MESSAGES + 1))
            for number in range(1, MESSAGES + 1):
                body = f"needle {number} " + "x" * (number % 300)
                text.append(
                    line(type="message", **parent, message_number=number, message_body=body)
                )
    return "".join(text).encode()


def start_import(data_set, file) -> subprocess.Popen:
    return subprocess.Popen(
        [BINARY, "import", "--input", file, *flags(data_set.settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_an_import_killed_on_the_way_is_replaced_by_the_next(
    lines, make_data_set, start_server, tmp_path, part
):
    file = tmp_path / "all.ndjson"
    file.write_bytes(lines)
    began = time.monotonic()
    assert start_import(make_data_set(), file).wait() == 0
    whole = time.monotonic() - began

    data_set = make_data_set()
    succeeds(data_set.run("migrate"))
    visible = b""
    for _ in range(3):
        process = start_import(data_set, file)
        time.sleep(whole * part)
        process.kill()
        process.wait()
        visible = succeeds(data_set.run("export"))
        succeeds(data_set.run("verify"))
        assert visible in (b"", lines), "all or nothing"
        if visible:
            break
    if not visible:
        succeeds(data_set.run("import", "--input", file))
    assert succeeds(data_set.run("export")) == lines
    succeeds(data_set.run("verify"))

    with start_server(data_set).client() as client:
        assert all_tokens(client) == [f"token-{n}" for n in range(APPLICATIONS)]
        chat = f"{ALL_APPLICATIONS}/token-3/chats/2"
        assert client.write(chat, "next") == MESSAGES + 2
        assert client.found(chat, "needle 399", order="asc") == [399]
