"""The checker of the chaos test finds what it is there to find."""

import pytest

from history import Answer, check, check_after_loss

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


LOST = frozenset({"a9", "a10"})  # what only a lost history knew


def history_after_loss() -> tuple[list[str], list[Answer], dict[str, list[tuple[int, str]]]]:
    """The last two of a chat are gone; one number went to another, one stays empty."""
    invoked, answers, stored = good_history()
    stored["a"][8:] = [(9, "new"), (11, "newer")]
    answers += [Answer("new", "a", 9, 20, 20.5), Answer("newer", "a", 11, 21, 21.5)]
    return invoked + ["new", "newer"], answers, stored


def test_what_only_a_lost_history_knew_may_be_gone():
    assert check_after_loss(*history_after_loss(), LOST) == []
    assert check(*history_after_loss()) != []


def lose_another(invoked, answers, stored):
    stored["a"].remove((8, "a8"))


def lose_the_newest(invoked, answers, stored):
    stored["a"].pop()


def leave_another_gap(invoked, answers, stored):
    answers[-1] = Answer("newer", "a", 12, 21, 21.5)
    stored["a"][-1] = (12, "newer")


def write_over(invoked, answers, stored):
    stored["a"][7] = (8, "new")


def keep_twice(invoked, answers, stored):
    stored["a"] += [(12, "a10"), (13, "a10")]


def go_back(invoked, answers, stored):
    stored["a"].append((9, "a9"))


@pytest.mark.parametrize(
    "break_it, word",
    [
        (lose_another, "lost"),
        (lose_the_newest, "lost"),
        (leave_another_gap, "gap"),
        (write_over, "swapped"),
        (keep_twice, "doubled"),
        (go_back, "gap"),
        (invent, "invented"),
    ],
)
def test_a_planted_fault_is_found_after_a_loss_too(break_it, word):
    history = history_after_loss()
    break_it(*history)
    faults = check_after_loss(*history, LOST)
    assert any(fault.startswith(word) for fault in faults), faults
