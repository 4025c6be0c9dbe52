"""All that the API shows of some applications, to compare before and after."""

from client import ALL_APPLICATIONS, Client
from expect import walk

COUNTS = {"chats_count", "messages_count"}


def snapshot(client: Client, tokens: list[str], counts: bool = True) -> dict:
    """Applications, chats and messages by their paths; without counts if they may lag."""
    seen = {}

    def keep(path: str, thing: dict) -> None:
        seen[path] = {name: value for name, value in thing.items() if counts or name not in COUNTS}

    for token in tokens:
        application = f"{ALL_APPLICATIONS}/{token}"
        keep(application, client.read(application))
        for chat in walk(client, f"{application}/chats?limit=1000"):
            path = f"{application}/chats/{chat['chat_number']}"
            keep(path, chat)
            for message in walk(client, f"{path}/messages?limit=1000"):
                keep(f"{path}/messages/{message['message_number']}", message)
    return seen


def all_tokens(client: Client) -> list[str]:
    """The tokens of all applications in the order of their creation."""
    return [item["token"] for item in walk(client, f"{ALL_APPLICATIONS}?limit=1000")]


def fill(client: Client, applications: int = 2, chats: int = 3, messages: int = 10) -> list[str]:
    """Applications with everything that can be: edits, deletions, odd text. Their tokens."""
    tokens = []
    for number in range(applications):
        application = client.create_application(f"application {number} é")
        tokens.append(application.rpartition("/")[2])
        for chat in range(chats):
            path = client.create_chat(application, name=["", "a chat", " 上 🙂\n"][chat % 3])
            for message in range(messages):
                client.write(path, f'{number}/{chat}/{message} "é" \\ 🙂\n\t\x01 needle')
            assert client.put(f"{path}/messages/1?message_body=edited").status == 204
            assert client.delete(f"{path}/messages/2").status == 204
            assert client.delete(f"{path}/messages/{messages}").status == 204
        last = client.create_chat(application, name="deleted")
        client.write(last, "deleted")
        assert client.delete(last).status == 204
    return tokens
