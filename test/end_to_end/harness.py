"""A confab process of our own: start, stop, kill and look into it; and the other commands."""

import os
import random
import signal
import socket
import subprocess
from pathlib import Path

from client import Client
from waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CONFAB_BINARY", str(ROOT / "build" / "confab"))


def clean_environment() -> dict[str, str]:
    """Our environment without any setting of confab."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONFAB_")}


def run_confab(*arguments, data: Path, input: bytes = b"", **settings):
    """Run one command to its end; the caller judges the exit code."""
    command = [BINARY, *map(str, arguments), "--data", str(data), *flags(settings)]
    return subprocess.run(
        command, input=input, capture_output=True, env=clean_environment(), timeout=60 * PATIENCE
    )


def flags(settings: dict) -> list[str]:
    """counts_flush="1s" becomes --counts-flush 1s."""
    return [
        part
        for name, value in settings.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def succeeds(result: subprocess.CompletedProcess) -> bytes:
    """Assert that a command ended with 0, and return what it printed."""
    assert result.returncode == 0, (
        f"{result.args} ended with {result.returncode}\n"
        f"{result.stdout.decode(errors='replace')[-2000:]}\n"
        f"{result.stderr.decode(errors='replace')[-2000:]}"
    )
    return result.stdout


def free_port() -> int:
    """A port nobody listens on, below the range from which the kernel takes clients' ports."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """One data folder and the process that serves it, if it runs."""

    open_servers: list["Server"] = []

    def __init__(self, folder: Path, data: Path | None = None, environment=None, **settings):
        self.port = free_port()
        self.data = data or folder / "data"
        self.log = folder / f"confab-{self.port}.log"
        self.settings = {"counts_flush": "1s", **settings}
        self.environment = environment or {}
        self.process: subprocess.Popen | None = None
        self.open_servers.append(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process, "not running"
        return self.process.pid

    def client(self, headers: dict | None = None) -> Client:
        return Client([self.url], headers)

    def spawn(self) -> subprocess.Popen:
        """Start the process without waiting for anything."""
        command = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                command + flags(self.settings),
                stdout=log,
                stderr=log,
                env={**clean_environment(), **self.environment},
            )

    def start(self) -> "Server":
        """Start and wait until /readyz is 200."""
        assert not self.process, "runs already"
        self.process = self.spawn()
        eventually(self.is_ready, 20, f"{self} ready")
        return self

    def is_ready(self) -> bool:
        code = self.process.poll()
        assert code is None, f"{self} ended with {code} instead of starting\n{self.log_tail()}"
        try:
            with self.client() as client:
                return client.get("/readyz").status == 200
        except OSError:
            return False

    def wait(self, seconds: float = 20) -> int:
        """Wait until the process has ended by itself, and return its exit code."""
        code = self.process.wait(seconds * PATIENCE)
        self.process = None
        return code

    def stop(self) -> None:
        """End it as an operator does; it must end with 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self} did not end after SIGTERM\n{self.log_tail()}") from None
        assert code == 0, f"{self} ended with {code} after SIGTERM\n{self.log_tail()}"

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def restart(self, **settings) -> "Server":
        """Stop it, and start it with these settings changed."""
        self.stop()
        self.settings.update(settings)
        return self.start()

    def close(self) -> None:
        """The end of every server: stopped by SIGTERM with exit 0, its data without a fault."""
        try:
            if self.process:
                code = self.process.poll()
                assert code is None, f"{self} died with {code}\n{self.log_tail()}"
                self.stop()
            if self.data.exists():
                succeeds(self.run("verify"))
        finally:
            self.open_servers.remove(self)

    def run(self, *arguments, **options) -> subprocess.CompletedProcess:
        """Run another command on the same data folder with the same settings."""
        options = {**self.settings, **options}
        return run_confab(*arguments, data=self.data, **options)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def memory(self, field: str = "VmRSS") -> int:
        """A field of /proc/PID/status in bytes; VmHWM is the highest VmRSS since the start."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def __str__(self) -> str:
        return f"confab at {self.url} with {self.data}"
