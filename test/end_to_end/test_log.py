"""The log: never a body, never a whole token; errors by their request id."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem


@pytest.mark.parametrize("level", ["debug", "info"])
def test_the_log_holds_no_bodies_names_and_tokens(start_server, level):
    server = start_server(log_level=level)
    secret = "very-private-text"
    with server.client() as client:
        application = client.create_application(f"name {secret}")
        token = application.rpartition("/")[2]
        chat = client.create_chat(application, name=secret)
        messages = f"{chat}/messages"
        for send in ("json", "form", "query"):
            client.post(messages, **{send: {"message_body": f"body {secret}"}})
        client.put(f"{messages}/1", json={"message_body": f"edited {secret}"})
        client.found(chat, secret)
        client.post(messages, f'{{"{secret}'.encode())
        client.post(messages, headers={"Idempotency-Key": f"{secret}"})
        client.get(f"{messages}?limit={secret}")
        client.get(f"{messages}/99")
        client.post(f"{messages}?message_body={secret}%zz")
        client.get(f"{ALL_APPLICATIONS}/{token}/{secret}")
        client.delete(f"{messages}/1")
        client.delete(application)
        client.get(f"{messages}/1")
    server.restart()
    log = server.log_text()
    assert log, "something is logged at the start"
    assert secret not in log
    assert token not in log


def test_control_characters_of_clients_do_not_reach_the_log(start_server):
    server = start_server(log_level="debug")
    with server.client() as client:
        client.get("/nope%0a%1b%5b31mred")
        client.get("/nope", headers={"X-Request-Id": b"a\x1b[31m"})
        client.get("/healthz", headers={"User-Agent": b"a\x1b[31m\x07"})
    server.restart()
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in server.log_text())


def test_a_failure_is_logged_under_its_request_id(start_server):
    server = start_server(keys_max=1, log_level="debug")
    with server.client() as client:
        chat = client.create_chat(client.create_application())
        kept = client.post(f"{chat}/messages?message_body=x", headers={"Idempotency-Key": "one"})
        assert kept.status == 201
        headers = {"Idempotency-Key": "two", "X-Request-Id": "find-me-in-the-log"}
        reply = client.post(f"{chat}/messages?message_body=x", headers=headers)
        assert_problem(reply, 503, "overloaded")
        assert reply.headers["X-Request-Id"] == "find-me-in-the-log"
    server.restart()
    assert "find-me-in-the-log" in server.log_text()
