"""Applications: creation, list and cursor, edits, deletion."""

import pytest

from client import ALL_APPLICATIONS
from expect import (
    TOKEN,
    assert_created,
    assert_done,
    assert_problem,
    assert_times,
    links,
    pages,
    walk,
)


def token_of(path: str) -> str:
    return path.rpartition("/")[2]


def test_a_new_application_is_returned_whole_with_its_location(client):
    reply = client.post(ALL_APPLICATIONS, json={"name": " my  app "})
    token = reply.json()["token"]
    created = assert_created(reply, f"{ALL_APPLICATIONS}/{token}")
    assert TOKEN.fullmatch(token)
    assert_times(created)
    assert created == {
        "token": token,
        "name": " my  app ",
        "chats_count": 0,
        "last_chat_number": 0,
        "created_at": created["created_at"],
        "updated_at": created["created_at"],
    }
    assert client.read(reply.headers["Location"]) == created


def test_two_applications_may_share_a_name_but_never_a_token(client):
    tokens = {token_of(client.create_application("same")) for _ in range(50)}
    assert len(tokens) == 50


@pytest.mark.parametrize("given", [{}, {"json": {}}, {"json": {"name": None}}, {"query": {"x": 1}}])
def test_a_name_is_required(client, application, given):
    assert_problem(client.post(ALL_APPLICATIONS, **given), 422, "name_missing")
    for edit in (client.put, client.patch):
        assert_problem(edit(application, **given), 422, "name_missing")
    assert client.read(application)["name"] == "an application"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_application_is_renamed(client, application, method):
    before = client.read(application)
    assert_done(client.request(method, f"{application}?name=other"))
    after = client.read(application)
    assert after["updated_at"] > before["updated_at"]
    assert after == {**before, "name": "other", "updated_at": after["updated_at"]}


def test_edits_of_an_unknown_application_are_refused(client):
    unknown = f"{ALL_APPLICATIONS}/{'A' * 36}"
    assert_problem(client.put(f"{unknown}?name=x"), 404, "application_not_found")
    assert_problem(client.delete(unknown), 404, "application_not_found")
    assert_problem(client.put(unknown), 422, "name_missing")


def test_applications_are_listed_in_the_order_of_their_creation(client):
    before = client.create_application("before")
    mine = [token_of(client.create_application(f"{n}")) for n in range(12)]
    listed = walk(client, f"{ALL_APPLICATIONS}?limit=5&after={token_of(before)}")
    assert [item["token"] for item in listed if item["token"] in set(mine)] == mine
    created = [item["created_at"] for item in listed]
    assert created == sorted(created)
    tokens = [item["token"] for item in listed]
    assert len(tokens) == len(set(tokens))
    assert token_of(before) not in tokens


def test_the_whole_list_has_every_application_once(client):
    mine = [token_of(client.create_application("whole")) for _ in range(3)]
    tokens = [item["token"] for item in walk(client, f"{ALL_APPLICATIONS}?limit=1000")]
    assert len(tokens) == len(set(tokens))
    assert [token for token in tokens if token in mine] == mine


def test_a_page_has_as_many_applications_as_asked_for_and_a_next(client):
    start = token_of(client.create_application())
    for _ in range(4):
        client.create_application()
    first, second, *_ = pages(client, f"{ALL_APPLICATIONS}?limit=2&after={start}")
    assert (len(first), len(second)) == (2, 2)
    reply = client.get(f"{ALL_APPLICATIONS}?limit=2&foo=bar&after={start}")
    assert reply.json() == first
    assert links(reply)["next"] == f"{ALL_APPLICATIONS}?limit=2&after={first[-1]['token']}"
    assert links(reply)["first"] == f"{ALL_APPLICATIONS}?limit=2"


def test_a_page_has_100_applications_unless_told(client):
    start = token_of(client.create_application())
    for _ in range(101):
        client.create_application()
    reply = client.get(f"{ALL_APPLICATIONS}?after={start}")
    assert len(reply.json()) == 100
    assert "next" in links(reply)


def test_the_last_application_has_no_next(client):
    start = token_of(client.create_application())
    last = walk(client, f"{ALL_APPLICATIONS}?after={start}&limit=1000")
    cursor = last[-1]["token"] if last else start
    reply = client.get(f"{ALL_APPLICATIONS}?after={cursor}&limit=1000")
    assert reply.status == 200
    assert "next" not in links(reply)


@pytest.mark.parametrize("value", ["0", "1001", "-1", "abc", "", "1.5", "%2B5", "1e2", "%205"])
def test_a_bad_limit_is_refused(client, value):
    reply = client.get(f"{ALL_APPLICATIONS}?limit={value}")
    assert_problem(reply, 400, "invalid_parameter", parameter="limit")


@pytest.mark.parametrize("value", ["", "A" * 36, "a", "1", "%20", "%C3%A9", "A" * 65])
def test_an_unknown_or_empty_cursor_is_refused(client, value):
    reply = client.get(f"{ALL_APPLICATIONS}?after={value}")
    assert_problem(reply, 400, "invalid_cursor")


def test_before_and_order_mean_nothing_for_applications(client):
    start = token_of(client.create_application())
    for _ in range(2):
        client.create_application()
    page = f"{ALL_APPLICATIONS}?after={start}&limit=2"
    expected = [item["token"] for item in client.read(page)]
    for odd in ("order=desc", "order=up", "before=-1", f"before={expected[0]}"):
        assert [item["token"] for item in client.read(f"{page}&{odd}")] == expected


def test_a_deleted_application_is_gone_with_all_below_it(client, application, chat, messages):
    client.write(chat, "needle")
    client.found(chat, "needle")
    assert_done(client.delete(application))
    for method, target in [
        ("GET", application),
        ("PUT", f"{application}?name=x"),
        ("PATCH", f"{application}?name=x"),
        ("GET", f"{application}/chats"),
        ("POST", f"{application}/chats"),
        ("GET", chat),
        ("PUT", f"{chat}?name=x"),
        ("DELETE", chat),
        ("DELETE", f"{application}/chats/99"),
        ("GET", messages),
        ("POST", f"{messages}?message_body=x"),
        ("GET", f"{messages}/1"),
        ("PUT", f"{messages}/1?message_body=x"),
        ("DELETE", f"{messages}/1"),
        ("GET", f"{messages}/search?query=needle"),
    ]:
        assert_problem(client.request(method, target), 404, "application_not_found")


def test_deleting_an_application_again_succeeds_again(client, application):
    for _ in range(3):
        assert_done(client.delete(application))


def test_a_deleted_application_is_not_listed_but_still_a_cursor(client):
    first, second, third = (token_of(client.create_application()) for _ in range(3))
    assert_done(client.delete(f"{ALL_APPLICATIONS}/{second}"))
    tokens = [item["token"] for item in walk(client, f"{ALL_APPLICATIONS}?after={first}")]
    assert second not in tokens and third in tokens
    tokens = [item["token"] for item in walk(client, f"{ALL_APPLICATIONS}?after={second}")]
    assert first not in tokens and third in tokens


def test_other_applications_stay_when_one_is_deleted(client, application, chat):
    client.write(chat, "stays")
    other = client.create_application()
    client.write(client.create_chat(other), "goes")
    assert_done(client.delete(other))
    assert client.read(f"{chat}/messages/1")["message_body"] == "stays"
    assert client.read(application)["last_chat_number"] == 1
    assert client.found(chat, "stays") == [1]
