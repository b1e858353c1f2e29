"""ASE's SQLite databases, read so that nothing in a hostile file is run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ase.db.sqlite import SQLite3Database


class ReadOnlyDatabase(SQLite3Database):
    """ASE's database, of which nothing but the stored values of tables is read.

    Views, triggers, generated columns and functions, which could keep SQLite busy without end, are refused, and a file that is
    no database stays what it is.
    """

    def _connect(self) -> sqlite3.Connection:
        path = Path(str(self.filename))
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=20, uri=True)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(path.stat().st_size, 10**6))
        connection.set_authorizer(_authorize)
        return connection


def _authorize(action: int, first: str | None, second: str | None, database: str | None, view: str | None) -> int:
    """Allow SQLite to select columns of tables and to count them."""
    selects = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    counts = action == sqlite3.SQLITE_FUNCTION and str(second).lower() == "count"
    return sqlite3.SQLITE_OK if view is None and (selects or counts) else sqlite3.SQLITE_DENY
