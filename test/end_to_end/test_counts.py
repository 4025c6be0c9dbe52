"""Counts: exact soon after quiet, never negative, falling once for each deletion."""

from expect import assert_counts
from waiting import in_parallel


def test_counts_follow_creations_and_deletions(client, application, chat, messages, counts_lag):
    for _ in range(10):
        client.write(chat, "x")
    for _ in range(2):
        client.create_chat(application)
    assert_counts(client, chat, counts_lag, messages_count=10, last_message_number=10)
    assert_counts(client, application, counts_lag, chats_count=3, last_chat_number=3)
    for _ in range(3):  # only the first of these takes effect
        client.delete(f"{messages}/10")
        client.delete(f"{messages}/4")
        client.delete(f"{application}/chats/3")
    assert_counts(client, chat, counts_lag, messages_count=8, last_message_number=10)
    assert_counts(client, application, counts_lag, chats_count=2, last_chat_number=3)
    client.write(chat, "y")
    assert_counts(client, chat, counts_lag, messages_count=9, last_message_number=11)
    (listed, _) = client.read(f"{application}/chats")
    assert (listed["messages_count"], listed["last_message_number"]) == (9, 11)


def test_a_chat_whose_messages_are_all_deleted_counts_none(client, chat, messages, counts_lag):
    for number in range(1, 6):
        assert client.write(chat, "x") == number
        client.delete(f"{messages}/{number}")
    assert_counts(client, chat, counts_lag, messages_count=0, last_message_number=5)


def test_counts_are_exact_after_parallel_writers_and_deleters(
    client, chat, messages, counts_lag
):
    def write_and_delete(writer):
        with client.clone() as own:
            for turn in range(30):
                number = own.write(chat, "x")
                if turn % 3 == 0:
                    own.delete(f"{messages}/{number}")
                    own.delete(f"{messages}/{number}")
                assert 0 <= own.read(chat)["messages_count"] <= 240
        return 20

    expected = sum(in_parallel(write_and_delete, range(8)))
    assert_counts(client, chat, counts_lag, messages_count=expected, last_message_number=240)


def test_edits_do_not_change_counts(client, chat, messages, counts_lag):
    client.write(chat, "x")
    assert_counts(client, chat, counts_lag, messages_count=1)
    for _ in range(5):
        client.put(f"{messages}/1?message_body=y")
        client.post(messages)  # refused
    client.write(chat, "z")
    assert_counts(client, chat, counts_lag, messages_count=2, last_message_number=2)


def test_a_deleted_chat_no_longer_counts_whatever_was_in_it(client, application, counts_lag):
    chats = [client.create_chat(application) for _ in range(4)]
    for chat in chats:
        client.write(chat, "x")
    client.delete(chats[0])
    client.delete(chats[3])
    assert_counts(client, application, counts_lag, chats_count=2, last_chat_number=4)
