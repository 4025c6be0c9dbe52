"""Simple case folding and plain substring search, as the contract defines them."""


def fold_character(character: str) -> str:
    """Statuses C and S of CaseFolding.txt: always one code point for one.

    str.casefold is the full folding, C and F: the same where it gives one character. Where it
    gives several, the simple folding is that to the lower case letter, if there is a single one.
    """
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


def fold(text: str) -> str:
    return "".join(map(fold_character, text))


def occurrences(query: str, body: str) -> list[list[int]]:
    """The first 16 places of the query in the body that do not overlap."""
    folded_query, folded_body = fold(query), fold(body)
    places: list[list[int]] = []
    start = folded_body.find(folded_query)
    while start >= 0 and len(places) < 16:
        places.append([start, start + len(query)])
        start = folded_body.find(folded_query, start + len(query))
    return places
