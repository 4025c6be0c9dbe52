"""Search results page by page."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from expect import assert_done, links, pages, walk

LENGTH = 45


@pytest.fixture
def filled(client, chat, messages) -> str:
    """A chat in which two of three messages hold the needle, with a few deleted."""
    for number in range(1, LENGTH + 1):
        client.write(chat, "hay" if number % 3 == 0 else f"a Needle {number}")
    for number in (4, 5, 44):
        assert_done(client.delete(f"{messages}/{number}"))
    client.search_complete(chat, "needle")
    return chat


HITS = [number for number in range(1, LENGTH + 1) if number % 3 and number not in (4, 5, 44)]


@pytest.mark.parametrize("query", ["needle", "le", "n", " needle "])
@pytest.mark.parametrize("order", [None, "asc", "desc"])
def test_every_page_of_hits_is_right(client, filled, query, order):
    ordered = HITS if order == "asc" else HITS[::-1]
    for limit in (None, 1, 7, 27, 28, 100):
        for after, before in [(None, None), (0, 46), (10, None), (None, 30), (7, 20), (20, 7)]:
            given = {"limit": limit, "after": after, "before": before, "order": order}
            given = {name: value for name, value in given.items() if value is not None}
            reply = client.search(filled, query, **given)
            expected = [n for n in ordered if (after or 0) < n < (before or LENGTH + 1)]
            size = limit or 20
            assert [hit["message_number"] for hit in reply.json()] == expected[:size], given
            assert ("next" in links(reply)) == (len(expected) > size), given


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("bounds", ["", "&after=8", "&before=40", "&after=8&before=40"])
def test_following_next_gives_every_hit_once(client, filled, order, bounds):
    given = dict(parse_qsl(bounds))
    lower, upper = int(given.get("after", 0)), int(given.get("before", 99))
    expected = [number for number in HITS if lower < number < upper]
    for limit in (1, 2, 5, 20):
        target = f"{filled}/messages/search?query=needle&limit={limit}&order={order}{bounds}"
        numbers = [hit["message_number"] for hit in walk(client, target)]
        assert numbers == (expected if order == "asc" else expected[::-1])


def test_links_of_a_search_repeat_its_parameters(client, chat):
    query = 'a b+c&d=e%"ß上'
    for _ in range(3):
        client.write(chat, query)
    client.search_complete(chat, query)
    reply = client.search(chat, query, limit=2, order="asc", after=0, foo="bar")
    targets = links(reply)
    assert urlsplit(targets["next"]).path == f"{chat}/messages/search"
    following = dict(parse_qsl(urlsplit(targets["next"]).query, strict_parsing=True))
    assert following == {"query": query, "limit": "2", "order": "asc", "after": "2"}
    first = dict(parse_qsl(urlsplit(targets["first"]).query, strict_parsing=True))
    assert first == {"query": query, "limit": "2", "order": "asc"}
    (last,) = walk(client, targets["next"])
    assert last["message_number"] == 3


def test_a_page_of_hits_ends_early_when_its_bodies_pass_4_mib(client, chat):
    large = 65535
    for number in range(1, 71):
        client.write(chat, f"needle {number:05}" + "x" * (large - 12))
    client.search_complete(chat, "needle")
    walked = pages(client, f"{chat}/messages/search?query=needle&limit=100&order=asc")
    assert len(walked) == 2
    full = sum(len(hit["message_body"]) for hit in walked[0])
    assert 4 * 1024 * 1024 - large <= full <= 4 * 1024 * 1024 + large
    assert [hit["message_number"] for page in walked for hit in page] == list(range(1, 71))


def test_hits_far_apart_are_all_found(client, chat):
    for number in range(1, 301):
        client.write(chat, "rare" if number in (1, 150, 300) else f"common {number}")
    for query in ("rare", "ra", "r"):
        assert client.found(chat, query) == [300, 150, 1]
