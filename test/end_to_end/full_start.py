"""Servers of the full stack that may not come up, and accounts with passwords."""

import signal
import subprocess

from harness import Server
from waiting import PATIENCE, eventually

SECRET = "s3cr/t@,:%x"  # of what a URL has to encode
ENCODED = "s3cr%2Ft%40%2C%3A%25x"


class Starting:
    """A server that was started and need not get ready."""

    def __init__(self, folder, data_set, **settings):
        self.server = Server(folder, data_set=data_set, **settings)
        self.server.process = self.server.spawn()

    def __enter__(self) -> "Starting":
        return self

    def __exit__(self, *_) -> None:
        if self.server.process:
            self.server.kill()
        self.server.open_servers.remove(self.server)

    def says(self, *words: str) -> None:
        """Wait until one line of its log has all of these."""

        def said() -> bool:
            lines = self.server.log_text().splitlines()
            return any(all(word in line for word in words) for line in lines)

        eventually(said, 10, f"{words} in the log of {self.server}")

    def gets_ready(self) -> None:
        eventually(self.server.is_ready, 20, f"{self.server} ready")

    def ends(self) -> int:
        """Wait for the end that it comes to by itself, and return its exit code."""
        return self.server.wait()

    def stop(self, seconds: float) -> int:
        """Its exit code; it must end within so many seconds of SIGTERM."""
        self.server.process.send_signal(signal.SIGTERM)
        try:
            return self.server.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not within {seconds * PATIENCE} s of SIGTERM") from None


def without_secrets(text: str | bytes) -> None:
    """Assert that nobody tells a password."""
    text = text if isinstance(text, str) else text.decode(errors="replace")
    for secret in (SECRET, ENCODED, "s3cr"):
        assert secret not in text, text[-2000:]
