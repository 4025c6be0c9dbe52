"""What every reply carries: type, length, date, request id; and nothing internal."""

import email.utils
import re
import time

import pytest

from client import ALL_APPLICATIONS
from expect import TIME, TOKEN, VISIBLE, assert_times, links

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json"
CASES = [
    ("GET", "{chat}/messages", 200, JSON),
    ("GET", "{chat}/messages/1", 200, JSON),
    ("GET", "{chat}/messages/search?query=x", 200, JSON),
    ("POST", "{chat}/messages?message_body=x", 201, JSON),
    ("POST", "{application}/chats", 201, JSON),
    ("POST", ALL_APPLICATIONS + "?name=x", 201, JSON),
    ("PUT", "{chat}/messages/1?message_body=x", 204, None),
    ("PATCH", "{chat}?name=x", 204, None),
    ("OPTIONS", "{chat}", 204, None),
    ("GET", "/healthz", 200, JSON),
    ("GET", "/readyz", 200, JSON),
    ("GET", "/version", 200, JSON),
    ("GET", "/api/v1/openapi.json", 200, JSON),
    ("GET", "{chat}/messages?limit=0", 400, PROBLEM),
    ("GET", "/api/v1/%zz", 400, PROBLEM),
    ("GET", "/nope", 404, PROBLEM),
    ("GET", "{chat}/messages/99", 404, PROBLEM),
    ("DELETE", ALL_APPLICATIONS, 405, PROBLEM),
    ("POST", ALL_APPLICATIONS, 422, PROBLEM),
]


@pytest.mark.parametrize("accept", [None, "application/json", "text/html", "*/*;q=0"])
@pytest.mark.parametrize("method, target, status, content_type", CASES)
def test_every_reply_has_its_type_length_date_and_id(
    client, application, chat, method, target, status, content_type, accept
):
    client.write(chat, "x")
    headers = {"Accept": accept} if accept else {}
    target = target.format(application=application, chat=chat)
    reply = client.request(method, target, headers=headers)
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == content_type
    length = reply.headers["Content-Length"]
    assert length is None if status == 204 else int(length) == len(reply.body)
    assert reply.headers["Transfer-Encoding"] is None
    date = email.utils.parsedate_to_datetime(reply.headers["Date"]).timestamp()
    assert abs(date - time.time()) < 60
    assert VISIBLE.fullmatch(reply.headers["X-Request-Id"])


@pytest.mark.parametrize("request_id", ["a", "x" * 128, "!#%&'*+-./:;<=>?@[]^_`{|}~\"\\,()"])
@pytest.mark.parametrize("method, target", [(case[0], case[1]) for case in CASES])
def test_a_good_request_id_is_echoed(client, application, chat, method, target, request_id):
    target = target.format(application=application, chat=chat)
    reply = client.request(method, target, headers={"X-Request-Id": request_id})
    assert reply.headers.get_all("X-Request-Id") == [request_id]


@pytest.mark.parametrize(
    "request_id", ["", "x" * 129, "a b", "a\tb", b"\xc3\xa9", b"a\x7f", "x" * 5000]
)
def test_a_bad_request_id_is_replaced(client, request_id):
    for path in ("/healthz", "/nope"):
        reply = client.get(path, headers={"X-Request-Id": request_id})
        (made,) = reply.headers.get_all("X-Request-Id")
        assert VISIBLE.fullmatch(made)
        assert made.encode() != (request_id if isinstance(request_id, bytes) else b"")


def test_made_request_ids_differ(client):
    made = {client.get("/healthz").headers["X-Request-Id"] for _ in range(100)}
    assert len(made) == 100


def test_times_are_of_now_and_do_not_decrease_as_numbers_grow(client, chat, messages):
    for _ in range(50):
        client.write(chat, "x")
    listed = client.read(messages)
    for message in listed:
        assert_times(message)
        assert message["created_at"] == message["updated_at"]
    created = [message["created_at"] for message in listed]
    assert created == sorted(created)
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 60))
    assert now < created[0]


def test_a_message_edited_at_once_still_shows_that_it_was(client, chat, messages):
    for _ in range(30):
        number = client.write(chat, "x")
        assert client.put(f"{messages}/{number}?message_body=y").status == 204
        message = client.read(f"{messages}/{number}")
        assert message["updated_at"] > message["created_at"]


# Headers that a reply may have; any other could carry something internal.
KNOWN_HEADERS = set(
    """Date Content-Type Content-Length Connection Keep-Alive X-Request-Id Location Link Allow
    Retry-After WWW-Authenticate Accept Accept-Post Cache-Control X-Content-Type-Options
    Idempotent-Replayed Confab-Behind Confab-Search-Complete""".lower().split()
)
MEMBERS = {
    "application": {
        "token",
        "name",
        "chats_count",
        "last_chat_number",
        "created_at",
        "updated_at",
    },
    "chat": {
        "application_token",
        "chat_number",
        "name",
        "messages_count",
        "last_message_number",
        "created_at",
        "updated_at",
    },
    "message": {"message_number", "message_body", "created_at", "updated_at"},
    "hit": {"message_number", "message_body", "created_at", "updated_at", "highlights"},
}


def test_no_reply_has_a_member_that_is_not_in_the_contract(client, application, chat, messages):
    client.write(chat, "x")
    client.put(f"{messages}/1?message_body=xy")
    hits = client.search_complete(chat, "x").json()
    assert client.read(application).keys() == MEMBERS["application"]
    assert client.read(ALL_APPLICATIONS)[0].keys() == MEMBERS["application"]
    created = client.post(f"{ALL_APPLICATIONS}?name=x").json()
    assert created.keys() == MEMBERS["application"]
    assert TOKEN.fullmatch(created["token"])
    assert client.read(chat).keys() == MEMBERS["chat"]
    assert client.read(f"{application}/chats")[0].keys() == MEMBERS["chat"]
    assert client.post(f"{application}/chats").json().keys() == {"chat_number"}
    assert client.read(f"{messages}/1").keys() == MEMBERS["message"]
    assert client.read(messages)[0].keys() == MEMBERS["message"]
    assert client.post(f"{messages}?message_body=x").json().keys() == {"message_number"}
    assert hits[0].keys() == MEMBERS["hit"]


def test_no_reply_has_a_header_that_is_not_in_the_contract(client, application, chat, messages):
    for _ in range(3):
        client.write(chat, "x")
    client.found(chat, "x")
    for method, target, *_ in CASES + [
        ("GET", "{chat}/messages?limit=1", 200),
        ("GET", "{chat}/messages/search?query=x&limit=1", 200),
        ("GET", ALL_APPLICATIONS + "?limit=1", 200),
        ("DELETE", "{chat}/messages/1", 204),
    ]:
        target = target.format(application=application, chat=chat)
        reply = client.request(method, target, headers={"X-Request-Id": "mine"})
        assert {name.lower() for name in reply.headers} <= KNOWN_HEADERS, reply


def test_links_and_locations_hold_nothing_but_tokens_numbers_and_known_parameters(
    client, application, chat, messages
):
    token = "[A-Za-z0-9_-]{1,64}"
    path = rf"{ALL_APPLICATIONS}(/{token}(/chats(/\d+(/messages(/\d+|/search)?)?)?)?)?"
    parameter = rf"(limit=\d+|after={token}|before=\d+|order=(asc|desc)|query=x)"
    form = re.compile(rf"{path}(\?{parameter}(&{parameter})*)?")
    other = client.create_chat(application)
    for _ in range(3):
        client.write(chat, "x")
    client.found(chat, "x")
    for target in [
        f"{messages}?limit=1",
        f"{messages}?limit=1&order=desc",
        f"{messages}/search?query=x&limit=1",
        f"{application}/chats?limit=1",
        f"{ALL_APPLICATIONS}?limit=1",
    ]:
        targets = links(client.get(target))
        assert targets.keys() == {"next", "first"}
        for link in targets.values():
            assert form.fullmatch(link), link
    reply = client.post(f"{other}/messages?message_body=x")
    assert form.fullmatch(reply.headers["Location"])


def test_every_time_in_a_body_has_milliseconds_and_no_more(client, application, chat):
    client.write(chat, "x")
    for path in (application, chat, f"{chat}/messages/1"):
        text = client.get(path).body.decode()
        assert len(TIME.findall(text)) == 2, text
