"""Many keep-alive clients in one thread, with a pause between their requests."""

import asyncio
import time
from urllib.parse import urlsplit


class Crowd:
    """Clients that each ask for one target again and again, and note how long it took."""

    def __init__(self, url: str, target: str, clients: int, think: float, seconds: float):
        parts = urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.request = f"GET {target} HTTP/1.1\r\nHost: confab\r\n\r\n".encode()
        self.clients, self.think, self.seconds = clients, think, seconds
        self.latencies: list[list[float]] = [[] for _ in range(clients)]
        self.failures: list[str] = []

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, number: int) -> None:
        await asyncio.sleep(self.think * number / self.clients)
        end = time.monotonic() + self.seconds
        connection = None
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                connection = connection or await asyncio.open_connection(*self.address)
                status, closing = await asyncio.wait_for(self._ask(*connection), 10)
                if status != 200:
                    self.failures.append(f"status {status}")
                self.latencies[number].append(time.monotonic() - began)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as failure:
                self.failures.append(repr(failure))
                closing = True
            if closing and connection:
                connection[1].close()
                connection = None
            await asyncio.sleep(self.think)
        if connection:
            connection[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        writer.write(self.request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return int(head.split(b" ")[1]), b"\r\nconnection: close" in head

    def percentile(self, share: float) -> float:
        every = sorted(latency for mine in self.latencies for latency in mine)
        return every[min(len(every) - 1, int(len(every) * share))]
