"""Where a confab of the tests keeps its things.

The embedded stack has a folder. The full stack (CONFAB_STACK=full) has a Redis of its own, and a
database and an index of its own in the MariaDB and the Elasticsearch that all tests share:
`scripts/services run` has started those and says where they are.
"""

import os
import uuid
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from commands import run_confab
from folders import copy_folder, database
from services import Redis, ask_elasticsearch, dump_sql, run_sql

STACK = os.environ.get("CONFAB_STACK", "embedded")
SERVICES = ("CONFAB_TEST_MARIADB", "CONFAB_TEST_ELASTICSEARCH")


def stack_problem() -> str:
    """Why the tests cannot run on the stack that is asked for; empty if they can."""
    if STACK not in ("embedded", "full"):
        return f"CONFAB_STACK={STACK} is neither embedded nor full"
    missing = [name for name in SERVICES if name not in os.environ]
    if STACK == "full" and missing:
        return (
            f"{' and '.join(missing)} not set: CONFAB_STACK=full needs services; "
            "scripts/services run redis mariadb elasticsearch -- pytest ..."
        )
    return ""


def new_data_set(folder: Path) -> "DataSet":
    """One of the stack under test, with nothing in it."""
    return FullStack(folder) if STACK == "full" else DataFolder(folder / "data")


class DataSet:
    """The settings by which confab finds it, and what tests do behind confab's back."""

    settings: dict[str, str]
    shared = False  # whether several servers may serve it

    def run(self, *arguments, input: bytes = b"", **settings):
        """One of confab's commands on this data."""
        return run_confab(*arguments, input=input, **{**self.settings, **settings})

    def exists(self) -> bool:
        """Whether somebody has made it by now, so that it can be verified."""
        raise NotImplementedError

    def store_run(self, statement: str) -> int:
        """Run one statement of SQL that both stores understand; how many rows it changed."""
        raise NotImplementedError

    def keep(self) -> None:
        """Remember all that is in it now; nobody serves it."""
        raise NotImplementedError

    def as_kept(self, folder: Path) -> "DataSet":
        """One that holds what was kept, and nothing that was done since. What an earlier call has
        returned may be the same one."""
        raise NotImplementedError

    def close(self) -> None:
        """Remove what the test's own folders do not hold."""


class DataFolder(DataSet):
    """The embedded stack."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    @property
    def settings(self):
        return {"data": str(self.folder)}

    def exists(self):
        return self.folder.exists()

    def store_run(self, statement):
        with closing(database(self.folder, "store.db")) as store:
            return store.execute(statement).rowcount

    def keep(self):
        pass  # nobody writes to this folder from now on

    def as_kept(self, folder):
        return DataFolder(copy_folder(self.folder, folder))

    def __str__(self):
        return str(self.folder)


class FullStack(DataSet):
    """A Redis, a database and an index."""

    shared = True

    def __init__(self, folder: Path):
        name = uuid.uuid4().hex[:12]
        self.mariadb, self.elasticsearch = (os.environ[service] for service in SERVICES)
        self.port = urlsplit(self.mariadb).port
        self.database, self.index = f"confab_{name}", f"confab-{name}"
        self.redis = Redis()
        self.settings = {
            "data": str(folder / "unused"),
            "journal": self.redis.url,
            "store": f"{self.mariadb}/{self.database}",
            "search": f"{self.elasticsearch}/{self.index}",
        }
        self.redis.start()
        self.sql(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4", "")

    def sql(self, statements: str, database: str | None = None) -> list[list[str]]:
        database = self.database if database is None else database
        return run_sql(self.port, statements, database)

    def exists(self):
        tables = f"SHOW TABLES FROM {self.database} LIKE 'positions'"
        return bool(self.sql(tables, ""))

    def store_run(self, statement):
        return int(self.sql(f"{statement}; SELECT ROW_COUNT()")[-1][0])

    def keep(self):
        self.kept = dump_sql(self.port, self.database)

    def as_kept(self, folder):
        """Tests spoil the database, and let confab mend the index by what is there."""
        self.sql(self.kept)
        return self

    def close(self):
        try:
            self.sql(f"DROP DATABASE IF EXISTS {self.database}", "")
            _, indices = self.ask("GET", f"/_cat/indices/{self.index}*?format=json")
            for index in indices:
                self.ask("DELETE", f"/{index['index']}")
        finally:
            self.redis.close()

    def ask(self, method: str, path: str, body=None) -> tuple[int, dict]:
        return ask_elasticsearch(self.elasticsearch, method, path, body)

    def __str__(self):
        return f"{self.redis.url}, {self.database} and {self.index}"
