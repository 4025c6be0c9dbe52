"""`confab import`, killed at any moment: all or nothing is visible, and the next replaces it."""

import json
import subprocess
import time

import pytest

from client import ALL_APPLICATIONS
from harness import BINARY, Server, clean_environment, run_confab, succeeds
from snapshot import all_tokens

APPLICATIONS = 6
CHATS = 8
MESSAGES = 1000


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


def start_import(data, file) -> subprocess.Popen:
    return subprocess.Popen(
        [BINARY, "import", "--input", file, "--data", data],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_an_import_killed_on_the_way_is_replaced_by_the_next(
    lines, tmp_path, tmp_path_factory, part
):
    file = tmp_path / "all.ndjson"
    file.write_bytes(lines)
    began = time.monotonic()
    assert start_import(tmp_path / "timed", file).wait() == 0
    whole = time.monotonic() - began

    data = tmp_path / "data"
    succeeds(run_confab("migrate", data=data))
    visible = b""
    for _ in range(3):
        process = start_import(data, file)
        time.sleep(whole * part)
        process.kill()
        process.wait()
        visible = succeeds(run_confab("export", data=data))
        succeeds(run_confab("verify", data=data))
        assert visible in (b"", lines), "all or nothing"
        if visible:
            break
    if not visible:
        succeeds(run_confab("import", "--input", file, data=data))
    assert succeeds(run_confab("export", data=data)) == lines
    succeeds(run_confab("verify", data=data))

    server = Server(tmp_path_factory.mktemp("imported"), data=data).start()
    try:
        with server.client() as client:
            assert all_tokens(client) == [f"token-{n}" for n in range(APPLICATIONS)]
            chat = f"{ALL_APPLICATIONS}/token-3/chats/2"
            assert client.write(chat, "next") == MESSAGES + 2
            assert client.found(chat, "needle 399", order="asc") == [399]
    finally:
        server.close()
