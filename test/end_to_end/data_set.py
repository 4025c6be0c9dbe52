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

    def spoil_index(self, fault: str) -> None:
        """Do this to a document of message 5 of a chat: one of INDEX_FAULTS."""
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


INDEX_FAULTS = {  # in the embedded stack
    "gone": "DELETE FROM documents WHERE id % 4294967296 = 5",
    "one too many": """INSERT INTO documents (id, seq, body)
        SELECT id + 1000, seq, body FROM documents WHERE id % 4294967296 = 5 LIMIT 1""",
    "another text": "UPDATE documents SET body = 'stale' WHERE id % 4294967296 = 5",
    "another seq": "UPDATE documents SET seq = 0 WHERE id % 4294967296 = 5",
}


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

    def spoil_index(self, fault):
        with closing(database(self.folder, "search.db")) as index:
            assert index.execute(INDEX_FAULTS[fault]).rowcount > 0

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

    def spoil_index(self, fault):
        name, document = self.document_of(5)
        application, chat, _ = name.split("-")
        if fault == "one too many":
            name = f"{application}-{chat}-1005"
            document["number"] = 1005
        if fault == "another text":
            document["hash"] += 1
        if fault == "another seq":
            document["seq"] = 0
        method, body = ("DELETE", None) if fault == "gone" else ("PUT", document)
        status, answer = self.ask(method, f"/{self.index}/_doc/{name}?refresh=true", body)
        assert status in (200, 201), answer

    def document_of(self, number: int) -> tuple[str, dict]:
        """Name and content of one that is indexed for a message with this number. What the index
        does not give back, confab has no use for after it is indexed, but for the shard."""
        fields = ["application", "chat_number", "number", "seq", "hash"]
        for shard in range(int(self.sql("SELECT MAX(shard) FROM positions")[0][0]) + 1):
            query = {"term": {"shard": str(shard)}}
            search = {"size": 1000, "query": query, "docvalue_fields": fields}
            _, found = self.ask("POST", f"/{self.index}/_search", search)
            for hit in found["hits"]["hits"]:
                document = {name: values[0] for name, values in hit["fields"].items()}
                if document["number"] == number:
                    chat = f"{document['application']}-{document['chat_number']}"
                    return hit["_id"], {**document, "chat": chat, "shard": str(shard), "body": "x"}
        raise AssertionError(f"no document of a message {number} in {self}")

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
