"""Writers and readers who go on through every crash, and remember what they were told."""

import http.client
import random
import threading
import time

from client import Client
from history import Answer
from waiting import PATIENCE, eventually, in_parallel


class Writers:
    """Clients that each send one message after another, each until it is answered.

    With several servers, every request goes to another than the one before. Without keys nothing
    is sent twice: what is not answered stays unknown.
    """

    def __init__(
        self,
        urls: list[str],
        chats: list[str],
        count: int,
        seed: str,
        think: float = 0,
        keyed: bool = True,
    ):
        assert " " not in seed, "it is part of the keys"
        self.urls, self.chats, self.seed = urls, chats, seed
        self.think, self.keyed = think, keyed
        self.invoked: list[str] = []
        self.answers: list[Answer] = []
        self.odd: list[str] = []
        self.stopping = threading.Event()
        self.giving_up = threading.Event()
        self.threads = [
            threading.Thread(target=self._write, args=(number,)) for number in range(count)
        ]

    def start(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def run(self, count: int, seconds: float = 30) -> "Writers":
        """Write until there are so many answers, and stop."""
        self.start()
        try:
            eventually(lambda: len(self.answers) >= count, seconds, f"{count} answers")
        finally:
            self.stop()
        return self

    def stop(self, seconds: float = 20) -> None:
        """Let everybody get the answer to what was sent last; it must come in this time."""
        self.stopping.set()
        deadline = time.monotonic() + seconds * PATIENCE
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive() and not self.giving_up.is_set():
                self.odd.append(f"not answered within {seconds} s")
                self.giving_up.set()
        for thread in self.threads:
            thread.join()

    def give_up(self) -> None:
        """Stop; what is refused again and again stays without an answer."""
        self.giving_up.set()
        self.stop()

    def ask_again(self, most: int) -> None:
        """Each key gets the number it got; the checker finds the one that does not."""
        answers = random.Random(self.seed).sample(self.answers, min(most, len(self.answers)))

        def ask(part: int) -> None:
            with Client(self.urls) as client:
                for answer in answers[part::8]:
                    self.send(client, answer.key, answer.chat, answer.invoked, [])

        in_parallel(ask, range(8))

    def _write(self, writer: int) -> None:
        generator = random.Random(f"{self.seed}/{writer}")
        mine: list[Answer] = []
        turn = 0
        with Client(self.urls) as client:
            while not self.stopping.wait(self.think):
                turn += 1
                key, chat = f"{self.seed}:{writer}:{turn}", generator.choice(self.chats)
                self.invoked.append(key)
                self.send(client, key, chat, time.monotonic(), mine)
                if self.keyed and mine and generator.random() < 0.05:  # something old again
                    old = generator.choice(mine)
                    self.send(client, old.key, old.chat, old.invoked, [])

    def send(self, client: Client, key: str, chat: str, invoked: float, mine: list) -> None:
        """Until it is answered; without a key, once."""
        while not self.giving_up.is_set():
            reply = self._send_once(client, key, chat)
            if reply and reply.status == 201:
                number = reply.json()["message_number"]
                answer = Answer(key, chat, number, invoked, time.monotonic())
                self.answers.append(answer)
                mine.append(answer)
                return
            if reply and reply.status != 503:
                self.odd.append(f"{key}: {reply}")
                return
            if not self.keyed:
                return
            time.sleep(0.02)

    def _send_once(self, client: Client, key: str, chat: str):
        """The reply, or nothing."""
        headers = {"Idempotency-Key": key} if self.keyed else {}
        body = {"message_body": f"needle {key}"}
        try:
            return client.post(f"{chat}/messages", json=body, headers=headers)
        except (OSError, http.client.HTTPException):
            return None


class Readers:
    """Connections that look at what was answered, and never find it missing or wrong."""

    def __init__(self, writers: Writers, count: int):
        self.writers = writers
        self.faults: list[str] = []
        self.reads = 0
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._read, args=(number,)) for number in range(count)
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _read(self, reader: int) -> None:
        generator = random.Random(f"{self.writers.seed}/reader {reader}")
        looks = [self._look_at_message, self._look_at_page, self._look_at_chat, self._search]
        with Client(self.writers.urls) as client:
            while not self.stopping.is_set():
                if not self.writers.answers:
                    time.sleep(0.02)
                    continue
                answer = generator.choice(self.writers.answers[-2000:])
                try:
                    generator.choice(looks)(client, answer)
                    self.reads += 1
                except (OSError, http.client.HTTPException):
                    time.sleep(0.02)

    def _get(self, client: Client, target: str):
        """The JSON, or nothing if the server cannot tell just now, or only how it was."""
        reply = client.get(target)
        if reply.status not in (200, 503):
            self.faults.append(f"GET {target}: {reply}")
        is_now = reply.status == 200 and not reply.headers["Confab-Behind"]
        return reply.json() if is_now else None

    def _expect(self, good: bool, what: str) -> None:
        if not good:
            self.faults.append(what)

    def _look_at_message(self, client: Client, answer: Answer) -> None:
        message = self._get(client, f"{answer.chat}/messages/{answer.number}")
        if message:
            self._expect(message["message_body"] == f"needle {answer.key}", f"{answer}: {message}")

    def _look_at_page(self, client: Client, answer: Answer) -> None:
        page = self._get(client, f"{answer.chat}/messages?after={answer.number - 1}&limit=1")
        if page is not None:
            bodies = [item["message_body"] for item in page]
            self._expect(bodies == [f"needle {answer.key}"], f"{answer}: {page}")

    def _look_at_chat(self, client: Client, answer: Answer) -> None:
        chat = self._get(client, answer.chat)
        if chat:
            last, count = chat["last_message_number"], chat["messages_count"]
            self._expect(last >= answer.number and 0 <= count <= last, f"{answer}: {chat}")

    def _search(self, client: Client, answer: Answer) -> None:
        query = f"{answer.chat}/messages/search?query={answer.key}&order=asc&limit=5"
        hits = self._get(client, query)
        for hit in hits or []:
            self._expect(answer.key in hit["message_body"], f"{answer}: {hit}")
