"""Lists of chats and messages: bounds, directions, links and page sizes."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from client import with_query
from expect import assert_problem, links, pages, walk

LENGTH = 12  # items in the list under test
DELETED = {3, 7, 12}
LIVING = [number for number in range(1, LENGTH + 1) if number not in DELETED]
LARGEST = 2**53 - 1


@pytest.fixture(params=["chats", "messages"])
def collection(request, client, application, chat):
    """The path of a list of twelve, three of them deleted, and the name of its numbers."""
    if request.param == "messages":
        for number in range(1, LENGTH + 1):
            client.write(chat, f"{number}")
        path, member = f"{chat}/messages", "message_number"
    else:
        for number in range(2, LENGTH + 1):
            client.create_chat(application, name=f"{number}")
        path, member = f"{application}/chats", "chat_number"
    for number in DELETED:
        assert client.delete(f"{path}/{number}").status == 204
    return path, member


def expected_page(limit=100, after=None, before=None, order="asc") -> tuple[list[int], bool]:
    """The numbers of a page, and whether there is a next."""
    numbers = [
        number
        for number in (LIVING if order == "asc" else LIVING[::-1])
        if (after is None or number > after) and (before is None or number < before)
    ]
    return numbers[:limit], len(numbers) > limit


@pytest.mark.parametrize("order", [None, "asc", "desc"])
@pytest.mark.parametrize("limit", [None, 1, 3, 9, 1000])
def test_every_page_has_the_right_items_and_links(client, collection, order, limit):
    path, member = collection
    for after in (None, 0, 1, 5, 11, 12, LARGEST):
        for before in (None, 0, 1, 8, 12, 13, LARGEST):
            given = {"limit": limit, "after": after, "before": before, "order": order}
            given = {name: value for name, value in given.items() if value is not None}
            reply = client.get(path, query=given)
            assert reply.status == 200, reply
            numbers, has_next = expected_page(**given)
            assert [item[member] for item in reply.json()] == numbers, given
            targets = links(reply)
            assert ("next" in targets) == has_next, given
            if has_next:
                assert targets["first"].startswith(path)


def test_following_next_gives_every_item_once(client, collection):
    path, member = collection
    for order in ("asc", "desc"):
        for limit in range(1, 11):
            for bounds in ("", "&after=1", "&before=11", "&after=2&before=10"):
                target = f"{path}?limit={limit}&order={order}{bounds}"
                given = dict(parse_qsl(bounds))
                numbers, _ = expected_page(
                    1000,
                    int(given["after"]) if "after" in given else None,
                    int(given["before"]) if "before" in given else None,
                    order,
                )
                assert [item[member] for item in walk(client, target)] == numbers
                sizes = [len(page) for page in pages(client, target)]
                assert all(size == limit for size in sizes[:-1])


def test_links_repeat_the_known_parameters_of_the_caller_and_no_others(client, collection):
    path, _ = collection
    given = {"limit": "2", "foo": "bar", "order": "desc", "before": "11", "after": "1"}
    targets = links(client.get(with_query(path, given)))

    def parameters(target: str) -> dict:
        assert urlsplit(target).path == path
        pairs = parse_qsl(urlsplit(target).query, strict_parsing=True)
        assert len(pairs) == len(dict(pairs))
        return dict(pairs)

    following = parameters(targets["next"])
    assert following == {"limit": "2", "order": "desc", "before": "9", "after": "1"}
    assert parameters(targets["first"]) == {"limit": "2", "order": "desc"}
    targets = links(client.get(f"{path}?limit=2"))
    assert parameters(targets["next"]) == {"limit": "2", "after": "2"}


def test_the_documented_ways_to_page_work(client, chat, messages):
    for _ in range(120):
        client.write(chat, "x")

    def numbers(query: str) -> list[int]:
        return [item["message_number"] for item in client.read(f"{messages}?{query}")]

    assert numbers("limit=50") == list(range(1, 51))
    assert numbers("order=desc&limit=50") == list(range(120, 70, -1))
    assert numbers("order=desc&before=51") == list(range(50, 0, -1))
    assert numbers("after=120") == []
    assert numbers("") == list(range(1, 101))
    assert "next" in links(client.get(messages))


def test_an_empty_list_is_an_empty_array_without_next(client, application):
    reply = client.get(f"{application}/chats")
    assert (reply.status, reply.body.strip()) == (200, b"[]")
    assert "next" not in links(reply)


def test_the_lower_bound_may_be_above_the_upper(client, collection):
    path, _ = collection
    for query in ("after=5&before=5", "after=9&before=2", "after=5&before=6"):
        assert client.read(f"{path}?{query}") == []


BAD_NUMBERS = ["", "abc", "-1", "1.5", "1e2", "%2B5", "+5", "%205", "5%20", "05", "00", "0x5"]
BAD_NUMBERS += [str(LARGEST + 1), "99999999999999999999", "%EF%BC%95"]


@pytest.mark.parametrize("name", ["after", "before"])
@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_a_bad_bound_is_refused(client, application, messages, name, value):
    for path in (messages, f"{application}/chats"):
        reply = client.get(f"{path}?{name}={value}")
        assert_problem(reply, 400, "invalid_parameter", parameter=name)


@pytest.mark.parametrize("value", BAD_NUMBERS + ["0", "1001", "4294967297"])
def test_a_bad_limit_is_refused(client, application, messages, value):
    for path in (messages, f"{application}/chats"):
        reply = client.get(f"{path}?limit={value}")
        assert_problem(reply, 400, "invalid_parameter", parameter="limit")


@pytest.mark.parametrize("value", ["up", "", "ASC", "asc%20", "1", "descending"])
def test_a_bad_order_is_refused(client, application, messages, value):
    for path in (messages, f"{application}/chats"):
        reply = client.get(f"{path}?order={value}")
        assert_problem(reply, 400, "invalid_parameter", parameter="order")


def test_items_created_while_paging_appear_at_the_end(client, chat, messages):
    for _ in range(5):
        client.write(chat, "x")
    seen, target = [], f"{messages}?limit=2"
    while target:
        reply = client.get(target)
        seen += [item["message_number"] for item in reply.json()]
        if len(seen) <= 4:
            client.write(chat, "new")
        target = links(reply).get("next")
    assert seen == list(range(1, 8))


def test_items_deleted_while_paging_do_not_shift_a_page(client, chat, messages):
    for _ in range(9):
        client.write(chat, "x")
    reply = client.get(f"{messages}?limit=3")
    for number in (1, 2, 3, 4):
        client.delete(f"{messages}/{number}")
    following = walk(client, links(reply)["next"])
    assert [item["message_number"] for item in following] == [5, 6, 7, 8, 9]


LARGE = 65535
PAGE_BYTES = 4 * 1024 * 1024


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_ends_early_when_its_bodies_pass_4_mib(client, chat, messages, order):
    for number in range(1, 71):
        client.write(chat, f"{number:05}" + "x" * (LARGE - 5))
    walked = pages(client, f"{messages}?limit=1000&order={order}")
    assert len(walked) == 2
    full = sum(len(item["message_body"]) for item in walked[0])
    assert PAGE_BYTES - LARGE <= full <= PAGE_BYTES + LARGE
    numbers = [item["message_number"] for page in walked for item in page]
    assert numbers == (list(range(1, 71)) if order == "asc" else list(range(70, 0, -1)))
