"""The fifteen command lines that the seed documents, by curl and by our client."""

import json
import subprocess

import pytest

from client import ALL_APPLICATIONS
from expect import TOKEN, assert_times
from waiting import PATIENCE, eventually


def curl(client, method: str, target: str) -> tuple[int, str]:
    """Run a line of the README as a person would, with nothing but -X and the address."""
    url = next(client.turns) + target
    arguments = [url] if method == "GET" else ["-X", method, url]
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", *arguments],
        capture_output=True,
        text=True,
        timeout=20 * PATIENCE,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def ask(client, method: str, target: str) -> tuple[int, str]:
    reply = client.request(method, target)
    return reply.status, reply.body.decode()


@pytest.mark.parametrize("send", [curl, ask])
def test_the_fifteen_lines_of_the_seed_work_in_a_row(client, send):
    def line(method: str, target: str):
        status, body = send(client, method, ALL_APPLICATIONS + target)
        return status, json.loads(body) if body else None

    # 1
    status, application = line("POST", "?name=instagram-chat")
    assert status == 201
    token = application["token"]
    assert TOKEN.fullmatch(token)
    assert_times(application)
    assert application == {
        "token": token,
        "name": "instagram-chat",
        "chats_count": 0,
        "last_chat_number": 0,
        "created_at": application["created_at"],
        "updated_at": application["created_at"],
    }
    # 2
    status, listed = line("GET", "")
    assert status == 200 and isinstance(listed, list) and listed
    assert all(item.keys() == application.keys() for item in listed)
    # 3
    assert line("GET", f"/{token}") == (200, application)
    # 4
    assert line("PUT", f"/{token}?name=instabug-chat") == (204, None)
    status, renamed = line("GET", f"/{token}")
    assert renamed["name"] == "instabug-chat"
    # 5
    assert line("POST", f"/{token}/chats") == (201, {"chat_number": 1})
    # 6
    status, (chat,) = line("GET", f"/{token}/chats")
    assert status == 200
    assert_times(chat)
    assert chat == {
        "application_token": token,
        "chat_number": 1,
        "name": None,
        "messages_count": 0,
        "last_message_number": 0,
        "created_at": chat["created_at"],
        "updated_at": chat["created_at"],
    }
    # 7
    assert line("GET", f"/{token}/chats/1") == (200, chat)
    # 8
    messages = f"/{token}/chats/1/messages"
    assert line("POST", f"{messages}?message_body=Hey!") == (201, {"message_number": 1})
    # 9
    status, (message,) = line("GET", messages)
    assert status == 200
    assert_times(message)
    assert message == {
        "message_number": 1,
        "message_body": "Hey!",
        "created_at": message["created_at"],
        "updated_at": message["created_at"],
    }
    # 10
    assert line("GET", f"{messages}/1") == (200, message)
    # 11
    assert line("PUT", f"{messages}/1?message_body=Hola!") == (204, None)
    # 12
    status, (hit,) = eventually(
        lambda: (found := line("GET", f"{messages}/search?query=ola"))[1] and found, 2
    )
    assert status == 200
    assert hit == {
        "message_number": 1,
        "message_body": "Hola!",
        "created_at": message["created_at"],
        "updated_at": hit["updated_at"],
        "highlights": [[1, 4]],
    }
    assert hit["updated_at"] > message["updated_at"]
    # 13
    assert line("DELETE", f"{messages}/1") == (204, None)
    # 14
    assert line("DELETE", f"/{token}/chats/1") == (204, None)
    # 15
    assert line("DELETE", f"/{token}") == (204, None)
    status, problem = line("GET", f"/{token}")
    assert (status, problem["code"]) == (404, "application_not_found")
