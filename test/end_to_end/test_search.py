"""Search: what matches, how it is shown, and what is never shown."""

import time

import pytest

from client import ALL_APPLICATIONS
from expect import assert_done, assert_problem, assert_times
from waiting import PATIENCE


def fill(client, chat: str, *bodies: str) -> None:
    for body in bodies:
        client.write(chat, body)


def highlights(client, chat: str, query: str) -> dict[int, list[list[int]]]:
    reply = client.search_complete(chat, query)
    return {hit["message_number"]: hit["highlights"] for hit in reply.json()}


def test_a_hit_shows_the_message_and_where_it_matched(client, chat, messages):
    fill(client, chat, "Hello world", "nothing", "world, hello World")
    reply = client.search_complete(chat, "world")
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    newest, oldest = reply.json()
    for hit in (newest, oldest):
        assert_times(hit)
        marks = hit.pop("highlights")
        assert hit == client.read(f"{messages}/{hit['message_number']}")
        assert all(hit["message_body"][a:b].lower() == "world" for a, b in marks)
    assert (newest["message_number"], oldest["message_number"]) == (3, 1)
    assert highlights(client, chat, "world") == {3: [[0, 5], [13, 18]], 1: [[6, 11]]}


def test_nothing_found_is_an_empty_array(client, chat):
    fill(client, chat, "something")
    reply = client.search_complete(chat, "nothing")
    assert (reply.status, reply.body.strip()) == (200, b"[]")


def test_an_empty_chat_is_searched_completely(client, chat):
    assert client.found(chat, "x") == []


def test_a_message_is_found_within_two_seconds(client, chat):
    for turn in range(5):
        number = client.write(chat, f"needle {turn}")
        answered = time.monotonic()
        while True:
            reply = client.search(chat, f"needle {turn}")
            found = [hit["message_number"] for hit in reply.json()]
            assert found == ([number] if reply.search_is_complete else found)
            if found:
                break
            assert time.monotonic() - answered < 2 * PATIENCE, "not found within 2 s"


@pytest.mark.parametrize(
    "query, bodies",
    [
        ("*", ["a*b", "ab", "**"]),
        ("?", ["what?", "what"]),
        ("%", ["100%", "100"]),
        ("_", ["a_b", "ab"]),
        ('"', ['say "hi"', "say hi"]),
        ("\\", ["back\\slash", "slash"]),
        ("(a)", ["f(a)", "fa"]),
        ("[x]", ["y[x]", "yx", "x"]),
        ("a/b", ["a/b", "ab"]),
        ("a:b", ["a:b", "a b"]),
        ("+1", ["+1", "1"]),
        ("-x", ["-x", "x"]),
        ("~", ["a~1", "a1"]),
        ("a AND b", ["a and b", "a b", "b and a"]),
        ("OR", ["for", "fr"]),
        ("NOT x", ["not x", "x"]),
        ("NEAR(a b)", ["near(a b)", "a b"]),
        ("a*", ["a*", "ab"]),
        ('"a b"', ['"a b"', "a b"]),
        ("'; --", ["'; --", "--"]),
        ("body:x", ["body:x", "x"]),
        ("^a", ["^a", "a"]),
        ("{a}", ["{a}", "a"]),
        ("a  b", ["a  b", "a b"]),
        (" a", [" a", "a", "b a"]),
        ("a ", ["a ", "a", "a b"]),
        ("a\nb", ["a\nb", "a b"]),
        ("a\tb", ["a\tb", "a b"]),
        ("\u200b", ["a\u200bb", "ab"]),
        ("...", ["wait...", "wait.."]),
        ("a,b", ["a,b", "a b"]),
    ],
)
def test_every_character_is_literal(client, chat, query, bodies):
    fill(client, chat, *bodies)
    expected = [n for n, body in enumerate(bodies, 1) if query.lower() in body.lower()]
    assert 0 < len(expected) < len(bodies)
    assert client.found(chat, query, order="asc") == expected


@pytest.mark.parametrize(
    "query, body, found",
    [
        ("STRASSE", "strasse", True),
        ("straße", "STRASSE", False),
        ("straße", "STRAẞE", True),
        ("STRAẞE", "straße", True),
        ("ss", "ß", False),
        ("ärger", "ÄRGER", True),
        ("arger", "ärger", False),
        ("привет", "ПРИВЕТ", True),
        ("ΟΔΟΣ", "οδος", True),
        ("οδοσ", "ΟΔΟς", True),
        ("ς", "Σ", True),
        ("ſ", "S", True),
        ("s", "ſ", True),
        ("µ", "Μ", True),  # MICRO SIGN folds to the Greek letter
        ("μ", "µ", True),
        ("\u212a", "k", True),  # KELVIN SIGN
        ("k", "\u212a", True),
        ("å", "\u212b", True),  # ANGSTROM SIGN
        ("i", "İ", False),
        ("İ", "İ", True),
        ("i", "ı", False),
        ("I", "ı", False),
        ("ı", "ı", True),
        ("I", "i", True),
        ("é", "e\u0301", False),
        ("e", "e\u0301", True),
        ("ﬀ", "ff", False),
        ("ⅷ", "Ⅷ", True),
        ("ⓐ", "Ⓐ", True),
        ("𐐨", "𐐀", True),  # DESERET
        ("ǆ", "ǅ", True),
        ("ǆ", "Ǆ", True),
        ("１", "1", False),
        ("上海", "我在上海", True),
        ("海上", "上海", False),
        ("上", "上海", True),
        ("😀", "smile 😀", True),
        ("😀", "smile 😁", False),
        ("👩", "👩‍👩‍👧", True),
        ("\U0001f1ea", "🇪🇬", True),
        ("שלום", "שלום עולם", True),
        ("run", "running", True),
        ("running", "run", False),
        ("hello world", "hello, world", False),
    ],
)
@pytest.mark.parametrize("around", ["", "…"])
def test_case_is_ignored_by_simple_folding_and_nothing_else_is(
    client, chat, query, body, found, around
):
    fill(client, chat, around + body + around)
    assert client.found(chat, query) == ([1] if found else [])


def test_highlights_count_code_points_of_the_body_as_it_is_stored(client, chat):
    fill(client, chat, "😀 ÄB äb", "İİ ab", "ﬀ AB", "e\u0301ab", "ab")
    assert highlights(client, chat, "äb") == {1: [[2, 4], [5, 7]]}
    assert highlights(client, chat, "ab") == {2: [[3, 5]], 3: [[2, 4]], 4: [[2, 4]], 5: [[0, 2]]}
    assert highlights(client, chat, "😀") == {1: [[0, 1]]}


def test_highlights_do_not_overlap_and_are_sixteen_at_most(client, chat):
    fill(client, chat, "aaaaa", "ab" * 40, "abab aba")
    assert highlights(client, chat, "aa") == {1: [[0, 2], [2, 4]]}
    assert highlights(client, chat, "ab")[2] == [[2 * n, 2 * n + 2] for n in range(16)]
    assert highlights(client, chat, "aba")[3] == [[0, 3], [5, 8]]


def test_a_search_stays_in_its_chat(client, application, chat):
    neighbour = client.create_chat(application)
    stranger = client.create_chat(client.create_application())
    for place in (chat, neighbour, stranger):
        fill(client, place, f"needle of {place}", "other")
    for place in (chat, neighbour, stranger):
        (hit,) = client.search_complete(place, "needle").json()
        assert hit["message_body"] == f"needle of {place}"
        (hit,) = client.search_complete(place, "ne").json()
        assert hit["message_body"] == f"needle of {place}"


def test_an_edited_body_is_found_in_its_new_form_only(client, chat, messages):
    fill(client, chat, "old form", "old form too")
    assert client.found(chat, "old form") == [2, 1]
    assert_done(client.put(f"{messages}/1?message_body=new%20form"))
    for query in ("old", "old form", "ld"):
        assert client.found(chat, query) == [2]
    (hit,) = client.search_complete(chat, "new").json()
    assert (hit["message_body"], hit["highlights"]) == ("new form", [[0, 3]])
    assert hit["updated_at"] > hit["created_at"]


def test_a_complete_search_never_shows_an_old_form(client, chat, messages):
    fill(client, chat, "form 0!")
    for turn in range(1, 40):
        assert_done(client.put(f"{messages}/1?message_body=form%20{turn}!"))
        for query, expected in [("form", [f"form {turn}!"]), (f"form {turn - 1}!", [])]:
            reply = client.search(chat, query)
            if reply.search_is_complete:
                assert [hit["message_body"] for hit in reply.json()] == expected
    assert client.search_complete(chat, "form").json()[0]["message_body"] == "form 39!"
    assert client.found(chat, "form 38!") == []


def test_what_is_deleted_is_never_found_once_that_was_answered(client, application, chat, messages):
    for turn in range(20):
        fill(client, chat, "a needle", "another needle")
        if turn % 2:
            client.found(chat, "needle")
        deleted = 2 * turn + 1
        assert_done(client.delete(f"{messages}/{deleted}"))
        numbers = [hit["message_number"] for hit in client.search(chat, "needle", limit=100).json()]
        assert deleted not in numbers
    assert client.found(chat, "needle", limit=100, order="asc") == list(range(2, 41, 2))
    assert_done(client.delete(chat))
    reply = client.get(f"{messages}/search?query=needle")
    assert_problem(reply, 404, "chat_not_found")
    reused = client.create_chat(application)
    assert client.found(reused, "needle") == []


def test_a_search_says_whether_it_is_complete(client, chat):
    for turn in range(20):
        fill(client, chat, f"needle {turn}")
        reply = client.search(chat, f"needle {turn}")
        assert reply.headers["Confab-Search-Complete"] in ("true", "false")
        assert reply.search_is_complete <= (len(reply.json()) == 1)


@pytest.mark.parametrize("name", ["limit", "after", "before", "order"])
def test_a_bad_parameter_of_a_search_is_refused(client, messages, name):
    bad = {
        "limit": ["0", "101", "abc", "-1", ""],
        "after": ["-1", "abc", "", "05", str(2**53)],
        "before": ["-1", "abc", "", "%2B5", str(2**53)],
        "order": ["up", "", "ASC"],
    }
    for value in bad[name]:
        reply = client.get(f"{messages}/search?query=x&{name}={value}")
        assert_problem(reply, 400, "invalid_parameter", parameter=name)


@pytest.mark.parametrize(
    "query, status, code",
    [
        ("%ff", 400, "malformed_query"),
        ("%", 400, "malformed_query"),
        ("%ed%a0%80", 400, "malformed_query"),
        ("a%00b", 422, "invalid_text"),
        ("+", 400, "query_missing"),
        ("%E3%80%80", 400, "query_missing"),
        ("x" * 257, 400, "query_too_long"),
    ],
)
def test_a_bad_query_is_refused(client, messages, query, status, code):
    assert_problem(client.get(f"{messages}/search?query={query}"), status, code)


def test_a_bad_query_is_told_before_an_unknown_chat(client, application):
    unknown = f"{application}/chats/9/messages/search"
    assert_problem(client.get(unknown), 400, "query_missing")
    assert_problem(client.get(f"{unknown}?query=x&limit=0"), 400, "invalid_parameter")
    assert_problem(client.get(f"{unknown}?query=x"), 404, "chat_not_found")
    nobody = f"{ALL_APPLICATIONS}/nobody/chats/1/messages/search?query=x"
    assert_problem(client.get(nobody), 404, "application_not_found")


def test_a_plus_in_a_query_is_a_space_and_an_escaped_one_a_plus(client, chat, messages):
    fill(client, chat, "a b", "a+b")
    client.search_complete(chat, "a b")
    hits = client.read(f"{messages}/search?query=a+b")
    assert [hit["message_number"] for hit in hits] == [1]
    hits = client.read(f"{messages}/search?query=a%2Bb")
    assert [hit["message_number"] for hit in hits] == [2]
