"""HEAD, OPTIONS and the methods that a path does not have."""

import pytest

from client import ALL_APPLICATIONS
from expect import allowed, assert_problem

COLLECTION = {"GET", "HEAD", "POST", "OPTIONS"}
ITEM = {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}
READ_ONLY = {"GET", "HEAD", "OPTIONS"}
ROUTES = [
    (ALL_APPLICATIONS, COLLECTION),
    ("{application}", ITEM),
    ("{application}/chats", COLLECTION),
    ("{chat}", ITEM),
    ("{chat}/messages", COLLECTION),
    ("{chat}/messages/1", ITEM),
    ("{chat}/messages/search", READ_ONLY),
    ("/api/v1/openapi.json", READ_ONLY),
    ("/healthz", READ_ONLY),
    ("/readyz", READ_ONLY),
    ("/metrics", READ_ONLY),
    ("/version", READ_ONLY),
]
ALL_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@pytest.mark.parametrize("route, methods", ROUTES)
def test_options_tell_the_methods_of_a_path(client, application, chat, route, methods):
    path = route.format(application=application, chat=chat)
    for target in (path, path + "/", path + "?a=%zz&limit=0"):
        reply = client.options(target)
        assert (reply.status, reply.body, allowed(reply)) == (204, b"", methods)
        assert reply.headers["Content-Length"] is None


@pytest.mark.parametrize("route, methods", ROUTES)
def test_other_methods_are_not_allowed_and_the_allowed_are_told(
    client, application, chat, route, methods
):
    path = route.format(application=application, chat=chat)
    for method in ALL_METHODS - methods:
        for target in (path, path + "?message_body=x&name=x&query=x", path + "?a=%zz"):
            reply = client.request(method, target)
            assert_problem(reply, 405, "method_not_allowed")
            assert allowed(reply) == methods


def test_a_path_is_known_whether_the_thing_exists_or_not(client):
    unknown = f"{ALL_APPLICATIONS}/nobody/chats/abc"
    reply = client.options(f"{unknown}/messages/x")
    assert (reply.status, allowed(reply)) == (204, ITEM)
    reply = client.post(f"{unknown}/messages/x")
    assert_problem(reply, 405, "method_not_allowed")
    assert allowed(reply) == ITEM


def test_a_purge_of_messages_is_not_there_yet(client, chat, messages):
    client.write(chat, "x")
    for query in ("", "?through=1"):
        reply = client.delete(messages + query)
        assert_problem(reply, 405, "method_not_allowed")
    assert len(client.read(messages)) == 1


def test_options_do_not_look_at_the_body_nor_at_its_length(client, messages):
    reply = client.request("OPTIONS", messages, b"{", headers={"Content-Type": "text/plain"})
    assert reply.status == 204
    with client.raw() as connection:
        connection.ask("OPTIONS", messages, "Content-Length: 99999999")
        reply = connection.read_reply()
    assert (reply.status, allowed(reply)) == (204, COLLECTION)


def test_options_of_everything_answer_somehow_or_close(client):
    with client.raw() as connection:
        connection.ask("OPTIONS", "*", "Connection: close")
        answer = connection.read_to_end()
    assert answer == b"" or answer.split(b" ")[1][:1] in (b"2", b"4"), answer
    assert client.get("/healthz").status == 200


CHANGING_HEADERS = {"Date", "X-Request-Id"}


@pytest.mark.parametrize(
    "target",
    [
        ALL_APPLICATIONS + "?limit=1",
        "{application}",
        "{application}/chats",
        "{chat}",
        "{chat}/messages",
        "{chat}/messages?limit=1",
        "{chat}/messages/1",
        "{chat}/messages/search?query=x",
        "/api/v1/openapi.json",
        "/healthz",
        "/version",
        # errors too
        "{chat}/messages/2",
        "{chat}/messages?limit=0",
        "{chat}/messages/search",
        "/api/v1/%zz",
        "/nope",
    ],
)
def test_head_is_get_without_its_body(client, application, chat, target):
    client.write(chat, "x é")
    client.write(chat, "y")
    client.found(chat, "x")
    target = target.format(application=application, chat=chat)
    if target.endswith("/messages/2"):
        client.delete(target)
    get = client.get(target)
    head = client.head(target)
    assert (head.status, head.body) == (get.status, b"")

    def lasting(reply):
        return sorted(item for item in reply.headers.items() if item[0] not in CHANGING_HEADERS)

    assert lasting(head) == lasting(get)
    assert int(head.headers["Content-Length"]) == len(get.body)
    assert {name for name in CHANGING_HEADERS if head.headers[name]} == CHANGING_HEADERS


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_head_of_a_changing_page_has_the_status_and_type_of_get(client, path):
    get, head = client.get(path), client.head(path)
    assert (head.status, head.headers["Content-Type"]) == (200, get.headers["Content-Type"])
    assert int(head.headers["Content-Length"]) > 0


def test_after_a_head_the_connection_goes_on(client, chat, messages):
    client.write(chat, "x")
    with client.raw() as connection:
        for target, status in [(messages, 200), ("/nope", 404), (f"{messages}?limit=0", 400)]:
            connection.ask("HEAD", target)
            assert connection.read_reply("HEAD").status == status
            connection.ask("GET", f"{messages}/1")
            assert connection.read_reply().json()["message_body"] == "x"
