"""Data folders: copies of them, older files put back, and locks held on their databases."""

import shutil
import sqlite3
from contextlib import contextmanager
from pathlib import Path

FILES = ["journal.db", "store.db", "search.db"]


def database(data: Path, name: str) -> sqlite3.Connection:
    """A connection to one of the folder's databases that commits each statement."""
    path = data / name
    assert path.exists(), f"no {name} in {sorted(file.name for file in data.iterdir())}"
    return sqlite3.connect(path, isolation_level=None, timeout=10)


@contextmanager
def write_locked(data: Path, name: str):
    """Nobody else can write to this database meanwhile; they can read."""
    connection = database(data, name)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def copy_folder(data: Path, to: Path) -> Path:
    """A copy of the folder of a server that does not run."""
    shutil.copytree(data, to)
    return to


def remove(data: Path, name: str) -> None:
    for file in data.glob(f"{name}*"):
        file.unlink()


def put_back(older: Path, data: Path, *names: str) -> None:
    """Replace these databases by those of an older copy."""
    for name in names:
        remove(data, name)
        for file in older.glob(f"{name}*"):
            shutil.copy2(file, data)
