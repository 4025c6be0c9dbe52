"""What the writers of a chaos test were told, and whether what is stored agrees with it.

The server names the place of every message, so that checking needs no search: each body holds the
key of its request, each answer a number.
"""

from dataclasses import dataclass
from typing import Iterable


@dataclass(frozen=True)
class Answer:
    """A 201: this key, first sent at `invoked`, was given this number by `answered`."""

    key: str
    chat: str
    number: int
    invoked: float
    answered: float


def check(
    invoked: Iterable[str], answers: list[Answer], stored: dict[str, list[tuple[int, str]]]
) -> list[str]:
    """All faults; `stored` holds the (number, key) of each chat's messages as listed."""
    faults = []
    faults += doubly_answered(answers)
    faults += lost(answers, stored)
    faults += doubled(stored)
    faults += gaps(stored)
    faults += invented(set(invoked), stored)
    faults += out_of_order(answers)
    return faults


def check_after_loss(
    invoked: Iterable[str],
    answers: list[Answer],
    stored: dict[str, list[tuple[int, str]]],
    forgiven: frozenset[str],
) -> list[str]:
    """The same after a rebuild: what only the lost history knew may be gone, and nothing else.

    `forgiven` are the keys of those answers. Their numbers may stay empty or go to others.
    """
    kept = [answer for answer in answers if answer.key not in forgiven]
    faults = []
    faults += doubly_answered(kept)
    faults += lost(kept, stored)
    faults += doubled(stored)
    faults += holes(answers, stored, forgiven)
    faults += invented(set(invoked), stored)
    faults += out_of_order(kept)
    return faults


def doubly_answered(answers: list[Answer]) -> Iterable[str]:
    """A key that was answered twice must have got the same number both times."""
    first: dict[str, Answer] = {}
    for answer in answers:
        known = first.setdefault(answer.key, answer)
        if (known.chat, known.number) != (answer.chat, answer.number):
            yield f"two numbers: {answer.key} got {known.number} and {answer.number}"


def lost(answers: list[Answer], stored: dict[str, list[tuple[int, str]]]) -> Iterable[str]:
    """Every answer is stored under its number with its own body."""
    found = {chat: dict(messages) for chat, messages in stored.items()}
    for answer in answers:
        key = found.get(answer.chat, {}).get(answer.number)
        if key is None:
            yield f"lost: {answer.key}, number {answer.number} of {answer.chat}"
        elif key != answer.key:
            yield f"swapped: number {answer.number} was given to {answer.key} but holds {key}"


def doubled(stored: dict[str, list[tuple[int, str]]]) -> Iterable[str]:
    """Every key is stored once at most."""
    places: dict[str, tuple[str, int]] = {}
    for chat, messages in stored.items():
        for number, key in messages:
            if key in places:
                yield f"doubled: {key} is {places[key]} and {(chat, number)}"
            places[key] = (chat, number)


def gaps(stored: dict[str, list[tuple[int, str]]]) -> Iterable[str]:
    """Each chat's numbers are 1..n in this order."""
    for chat, messages in stored.items():
        for expected, (number, _) in enumerate(messages, 1):
            if number != expected:
                yield f"gap or repeat: {number} in the place of {expected} in {chat}"
                break


def holes(
    answers: list[Answer], stored: dict[str, list[tuple[int, str]]], forgiven: frozenset[str]
) -> Iterable[str]:
    """Each chat's numbers ascend, and what is missing was a forgiven answer's."""
    excused = {(answer.chat, answer.number) for answer in answers if answer.key in forgiven}
    for chat, messages in stored.items():
        before = 0
        for number, _ in messages:
            if number <= before:
                yield f"gap or repeat: {number} after {before} in {chat}"
            for missing in range(before + 1, number):
                if (chat, missing) not in excused:
                    yield f"gap or repeat: {missing} is missing in {chat}"
            before = max(before, number)


def invented(invoked: set[str], stored: dict[str, list[tuple[int, str]]]) -> Iterable[str]:
    """Whatever is stored was sent by somebody."""
    for chat, messages in stored.items():
        for number, key in messages:
            if key not in invoked:
                yield f"invented: {key}, number {number} of {chat}"


def out_of_order(answers: list[Answer]) -> Iterable[str]:
    """Whoever was answered before another began has the smaller number."""
    by_chat: dict[str, list[Answer]] = {}
    for answer in answers:
        by_chat.setdefault(answer.chat, []).append(answer)
    for chat, mine in by_chat.items():
        mine.sort(key=lambda answer: answer.number)
        earliest = None  # the earliest answered of those with a higher number
        for answer in reversed(mine):
            if earliest and earliest.number > answer.number and earliest.answered < answer.invoked:
                yield (
                    f"out of order in {chat}: {answer.number} began after "
                    f"{earliest.number} was answered"
                )
            if earliest is None or answer.answered < earliest.answered:
                earliest = answer
