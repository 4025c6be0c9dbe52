"""The checker of the chaos test finds what it is there to find."""

import pytest

from history import Answer, check

CHATS = ("a", "b")


def good_history() -> tuple[list[str], list[Answer], dict[str, list[tuple[int, str]]]]:
    """Ten messages in each chat, one after another, each answered; one more never answered."""
    answers = [
        Answer(f"{chat}{number}", chat, number, invoked=number, answered=number + 0.5)
        for chat in CHATS
        for number in range(1, 11)
    ]
    stored = {
        chat: [(answer.number, answer.key) for answer in answers if answer.chat == chat]
        for chat in CHATS
    }
    stored["b"].append((11, "b-unanswered"))
    invoked = [answer.key for answer in answers] + ["b-unanswered", "a-never-stored"]
    return invoked, answers, stored


def test_a_good_history_has_no_faults():
    assert check(*good_history()) == []


def test_a_repeated_answer_with_the_same_number_is_no_fault():
    invoked, answers, stored = good_history()
    answers.append(Answer("a3", "a", 3, invoked=3, answered=99))
    assert check(invoked, answers, stored) == []


def lose(invoked, answers, stored):
    stored["a"][4:] = [(number - 1, key) for number, key in stored["a"][5:]]


def lose_the_last(invoked, answers, stored):
    stored["a"].pop()


def lose_a_chat(invoked, answers, stored):
    del stored["a"]


def double(invoked, answers, stored):
    stored["a"].append((11, "a3"))


def double_in_another_chat(invoked, answers, stored):
    stored["b"].append((12, "a3"))


def leave_a_gap(invoked, answers, stored):
    stored["b"][-1] = (12, "b-unanswered")


def repeat_a_number(invoked, answers, stored):
    stored["b"].append((11, "a-never-stored"))


def swap(invoked, answers, stored):
    stored["a"][2], stored["a"][3] = (3, "a4"), (4, "a3")


def invent(invoked, answers, stored):
    stored["a"].append((11, "nobody"))


def answer_twice(invoked, answers, stored):
    answers.append(Answer("a3", "a", 4, invoked=3, answered=99))


def reorder(invoked, answers, stored):
    answers[2] = Answer("a3", "a", 3, invoked=4.6, answered=4.7)


@pytest.mark.parametrize(
    "break_it, word",
    [
        (lose, "lost"),
        (lose, "swapped"),
        (lose_the_last, "lost"),
        (lose_a_chat, "lost"),
        (double, "doubled"),
        (double_in_another_chat, "doubled"),
        (leave_a_gap, "gap"),
        (repeat_a_number, "gap"),
        (swap, "swapped"),
        (invent, "invented"),
        (answer_twice, "two numbers"),
        (reorder, "out of order"),
    ],
)
def test_a_planted_fault_is_found(break_it, word):
    history = good_history()
    break_it(*history)
    assert any(fault.startswith(word) for fault in check(*history)), check(*history)
