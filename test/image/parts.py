"""The parts of docker-compose.yml as processes of this host: its options, free ports."""

import os
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from services import Elasticsearch, MySQL, Redis, free_port
from topology import compose, proxy_config
from waiting import PATIENCE, eventually


class ComposeRedis(Redis):
    """Started with the command of the file, but for the port, the address and the folder."""

    def __init__(self):
        super().__init__()
        service = compose()["services"]["redis"]
        self.words = service["command"]
        self.password = service["environment"]["REDISCLI_AUTH"]

    def command(self):
        assert self.words[0] == "redis-server"
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data)]
        return [*self.words, *place]

    def cli(self, *words: str) -> str:
        return subprocess.run(
            ["redis-cli", "-p", str(self.port), *words],
            env={"PATH": os.environ["PATH"], "REDISCLI_AUTH": self.password},
            capture_output=True, text=True, timeout=10 * PATIENCE,
        ).stdout.rstrip("\n")  # fmt: skip

    def answers(self) -> bool:
        return self.cli("PING") == "PONG"

    def setting(self, name: str) -> str:
        return self.cli("CONFIG", "GET", name).partition("\n")[2]


class ComposeMySQL(MySQL):
    """With the options of the file, and the account and the database that its image makes before
    anybody can reach it."""

    def __init__(self):
        super().__init__()
        self.service = compose()["services"]["mysql"]
        self.init_file = self.folder / "init.sql"

    def prepare(self):
        super().prepare()
        settings = self.service["environment"]
        account, database = f"'{settings['MYSQL_USER']}'@'%'", f"`{settings['MYSQL_DATABASE']}`"
        self.init_file.write_text(
            f"CREATE DATABASE IF NOT EXISTS {database};\n"
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{settings['MYSQL_PASSWORD']}';\n"
            f"GRANT ALL ON {database}.* TO {account};\n"
        )

    def command(self):
        program, *options = self.service["command"]
        assert program == "mysqld"
        return [*super().command(), *options, f"--init-file={self.init_file}"]


@contextmanager
def elasticsearch_url():
    """The one that scripts/services has started, or one of our own."""
    if url := os.environ.get("CONFAB_TEST_ELASTICSEARCH"):
        yield url
        return
    with Elasticsearch() as service:
        yield service.url


class Proxy:
    """The real proxy with the file of deploy/, before servers: name -> public and admin port."""

    def __init__(self, servers: dict[str, tuple[int, int]]):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="confab-proxy-")
        file = Path(self.folder.name, "haproxy.cfg")
        file.write_text(proxy_config(self.port, servers))
        self.log = Path(self.folder.name, "log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["haproxy", "-db", "-f", file], stdout=log, stderr=log)

    def __enter__(self) -> "Proxy":
        eventually(self.listens, 10, "the proxy listens")
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def is_up(self, server: str) -> bool:
        """Whether it would send requests to this server: it tells when that changes."""
        _, _, last = self.log.read_text().rpartition(f"confab/{server} is ")
        return not last or last.startswith("UP")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10 * PATIENCE)
        self.folder.cleanup()
