"""Search against a plain loop over the same messages, with random texts."""

import os
import random

import pytest

from client import with_query
from expect import walk
from folding import fold, fold_character, occurrences
from waiting import in_parallel

SEED = int(os.environ.get("CONFAB_SEED", random.SystemRandom().randrange(10**6)))
ALPHABETS = [
    "abcABC",
    "abcABC ,.",
    "the quick brown FOX",
    "αβγΑΒΓσςΣμµ",
    "абвАБВёЁ",
    "上海北京東",
    "😀😁👩\u200d👧🇪🇬",
    '*?%_"\\ab',
    "'()[]{}:;+-~^!/|&<> \n\t",
    "ςσΣſsSµμΜ\u212akKẞßSs",
    "İıiI",
    "éÉe\u0301E",
]


def test_the_folding_of_this_model_is_the_simple_one():
    pairs = "Σσ ςσ ſs µμ \u212ak ẞß \u212bå Ää Жж Ωω ῼῳ ᾈᾀ ǅǆ Ⅷⅷ 𐐀𐐨 Ꭰ\u13a0 ꭰ\u13a0"
    for character, folded in pairs.split():
        assert fold_character(character) == folded
    for character in "ßİıaσ上😀\u0301ŉﬀΐ":
        assert fold_character(character) == character
    assert fold("STRAẞE") == "straße"


def random_text(generator: random.Random, longest: int) -> str:
    alphabet = generator.choice(ALPHABETS)
    if generator.random() < 0.2:
        alphabet += generator.choice(ALPHABETS)
    length = generator.randint(1, longest)
    text = "".join(generator.choice(alphabet) for _ in range(length))
    return text if text.strip() else text + "a"


def random_query(generator: random.Random, bodies: list[str]) -> str:
    """A substring of a body, sometimes in another case, or a text of its own."""
    if generator.random() < 0.25:
        query = random_text(generator, 4)
    else:
        body = generator.choice(bodies)
        start = generator.randrange(len(body))
        query = body[start : start + generator.randint(1, 20)]
    change = generator.choice([str, str, str.upper, str.lower, str.swapcase, fold])
    query = change(query)[:20]
    return query if query.strip() else query + "a"


@pytest.mark.parametrize("round", range(3))
def test_search_finds_what_a_plain_loop_finds(client, application, round):
    seed = f"{SEED}/{round}"
    print(f"seed: CONFAB_SEED={SEED}")
    generator = random.Random(seed)
    chat, other = client.create_chat(application), client.create_chat(application)
    bodies = {}
    for _ in range(150):
        text = random_text(generator, 60)
        bodies[client.write(chat, text)] = text
        if generator.random() < 0.2:
            client.write(other, text)
        if generator.random() < 0.1:
            number = generator.choice(list(bodies))
            bodies[number] = random_text(generator, 60)
            edit = {"message_body": bodies[number]}
            assert client.put(f"{chat}/messages/{number}", json=edit).status == 204
        if generator.random() < 0.05:
            number = generator.choice(list(bodies))
            del bodies[number]
            assert client.delete(f"{chat}/messages/{number}").status == 204
    client.search_complete(chat, "a")
    queries = [random_query(generator, list(bodies.values())) for _ in range(240)]

    def compare(part: list[str]) -> int:
        found = 0
        with client.clone() as own:
            for query in part:
                where = f"seed {seed}, query {query!r}"
                parameters = {"query": query, "limit": 50, "order": "asc"}
                hits = walk(own, with_query(f"{chat}/messages/search", parameters))
                expected = {number: occurrences(query, body) for number, body in bodies.items()}
                matching = sorted(number for number, places in expected.items() if places)
                assert [hit["message_number"] for hit in hits] == matching, where
                for hit in hits:
                    number = hit["message_number"]
                    assert hit["message_body"] == bodies[number], where
                    assert hit["highlights"] == expected[number], where
                found += len(hits)
        return found

    assert sum(in_parallel(compare, [queries[part::4] for part in range(4)])) > 0
