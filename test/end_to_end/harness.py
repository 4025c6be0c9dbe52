"""A confab process of our own: start, stop, kill and look into it."""

import os
import signal
import subprocess
from pathlib import Path

from client import Client
from commands import BINARY, ROOT, clean_environment, flags, run_confab, succeeds  # noqa: F401
from data_set import DataFolder, DataSet
from services import free_port
from waiting import PATIENCE, eventually


class Server:
    """One process that serves a data set, if it runs."""

    open_servers: list["Server"] = []

    def __init__(
        self,
        folder: Path,
        data: Path | None = None,
        data_set: DataSet | None = None,
        environment=None,
        **settings,
    ):
        """`data`, or else a folder in `folder`, is the data folder of an embedded stack."""
        self.port = free_port()
        self.data_set = data_set or DataFolder(data or folder / "data")
        self.log = folder / f"confab-{self.port}.log"
        self.settings = {"counts_flush": "1s", **settings}
        self.environment = environment or {}
        self.process: subprocess.Popen | None = None
        self.open_servers.append(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The data folder of the embedded stack; the full stack has none."""
        return self.data_set.folder

    @property
    def pid(self) -> int:
        assert self.process, "not running"
        return self.process.pid

    def client(self, headers: dict | None = None) -> Client:
        return Client([self.url], headers)

    def spawn(self) -> subprocess.Popen:
        """Start the process without waiting for anything."""
        command = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}"]
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                command + flags({**self.data_set.settings, **self.settings}),
                stdout=log,
                stderr=log,
                env={**clean_environment(), **self.environment},
            )

    def start(self) -> "Server":
        """Start and wait until /readyz is 200; a new index, until it can be searched."""
        assert not self.process, "runs already"
        is_new = self.data_set.shared and not self.data_set.exists()
        self.process = self.spawn()
        eventually(self.is_ready, 20, f"{self} ready")
        if is_new:
            eventually(lambda: self.status()["status"] == "ok", 20, f"{self} at work")
        return self

    def status(self) -> dict:
        with self.client() as client:
            return client.get("/readyz").json()

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
            if self.data_set.exists():
                succeeds(self.run("verify"))
        finally:
            self.open_servers.remove(self)

    def run(self, *arguments, **options) -> subprocess.CompletedProcess:
        """Run another command on the same data set with the same settings."""
        return self.data_set.run(*arguments, **{**self.settings, **options})

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
        return f"confab at {self.url} with {self.data_set}"
