"""Containers of the image that scripts/image has built, run by buildah: no engine is needed."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from waiting import PATIENCE, eventually

IMAGE = "localhost/confab"
USER = 10001


def buildah(*arguments) -> str:
    """What it prints. CONFAB_BUILDAH has the command, and where scripts/image keeps its images."""
    command = [*os.environ["CONFAB_BUILDAH"].split(), *map(str, arguments)]
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=120 * PATIENCE
    ).stdout.strip()


def image_config() -> dict:
    """What the image says about itself: user, ports, commands."""
    return json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]


class Container:
    """A root file system of the image with a volume of its own, and processes in it."""

    def __init__(self, environment: dict[str, str] | None = None):
        self.environment = environment or {}
        self.config = image_config()
        self.id = buildah("from", IMAGE)
        self.root = Path(buildah("mount", self.id))
        self.made = time.time()
        self.folder = tempfile.TemporaryDirectory(prefix="confab-container-")
        self.results = Path(self.folder.name, "results")
        self.results.mkdir()
        os.chown(self.results, USER, USER)
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        try:
            if self.process and self.process.poll() is None:
                self.kill()
        finally:
            buildah("rm", self.id)
            self.folder.cleanup()

    def command(self, words: list[str], output: str) -> list[str]:
        """What runs this, its output in a file of /mnt: buildah may lose some of it."""
        settings = [f"--env={name}={value}" for name, value in self.environment.items()]
        return [
            *os.environ["CONFAB_BUILDAH"].split(), "run", "--isolation", "chroot",
            "--volume", f"{self.results}:/mnt", *settings, self.id,
            "--", "sh", "-c", f'exec "$@" {output}', "sh", *words,
        ]  # fmt: skip

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """Run one command to its end."""
        code = subprocess.run(
            self.command([*words], ">/mnt/stdout 2>/mnt/stderr"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60 * PATIENCE,
        ).returncode
        printed = [self.results.joinpath(name) for name in ("stdout", "stderr")]
        result = subprocess.CompletedProcess(words, code, *(file.read_text() for file in printed))
        for file in printed:
            file.unlink()
        return result

    def output(self, *words: str) -> str:
        result = self.run(*words)
        assert result.returncode == 0, result
        return result.stdout

    def data(self) -> list[str]:
        """The names of what is in its volume."""
        (volume,) = self.config["Volumes"]
        return self.output("ls", "-A", volume).split()

    def is_healthy(self) -> bool:
        """Run the health check as an engine would."""
        kind, *words = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*words).returncode == 0

    def spawn(self) -> None:
        """Start what the image starts without any arguments."""
        words = [*self.config["Entrypoint"], *self.config["Cmd"]]
        self.process = subprocess.Popen(
            self.command(words, ">>/mnt/log 2>&1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> "Container":
        """Start it, and wait until its health check is content."""
        self.spawn()
        eventually(self.is_serving, 30, "a container that is healthy")
        return self

    def is_serving(self) -> bool:
        code = self.process.poll()
        assert code is None, f"the container ended with {code}\n{self.log()}"
        return self.is_healthy()

    @property
    def pid(self) -> int:
        """The process in the container; buildah and its helpers are above it."""
        pid = self.process.pid
        while children := [
            child
            for thread in Path(f"/proc/{pid}/task").glob("*/children")
            for child in thread.read_text().split()
        ]:
            (pid,) = map(int, children)
        return pid

    def stop(self) -> None:
        """As an engine stops it; it must end with 0."""
        os.kill(self.pid, getattr(signal, self.config.get("StopSignal") or "SIGTERM"))
        code = self.process.wait(30 * PATIENCE)
        self.process = None
        assert code == 0, f"the container ended with {code}\n{self.log()}"

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(30 * PATIENCE)
        self.process = None

    def changed_files(self) -> list[str]:
        """What processes in it have written, but for the data."""
        return [
            str(path)
            for path in self.root.rglob("*")
            if path.lstat().st_mtime > self.made and not path.is_dir()
        ]

    def log(self) -> str:
        log = self.results / "log"
        return log.read_text(errors="replace") if log.exists() else ""
