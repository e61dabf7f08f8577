"""How much SQLite does for something: the same on every machine, however busy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from orthanc_plugin.store.database import Database

EVERY = 10
"""Instructions of SQLite's machine between two counts."""


@dataclass(slots=True)
class Work:
    """What was done."""

    instructions: int = 0
    """Of SQLite's machine, which takes several for each row that it looks at, given back or not."""
    statements: int = 0


@contextmanager
def counted(database: Database) -> Iterator[Work]:
    """Count what is done on a database of SQLite meanwhile, on connections opened meanwhile."""
    work = Work()

    def count() -> int:
        work.instructions += EVERY
        return 0

    def watch(
        connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.set_progress_handler(count, EVERY)

    def unwatch(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.set_progress_handler(None, 0)

    def executed(*_: object) -> None:
        work.statements += 1

    hooks = ((database.engine, "checkout", watch), (database.engine, "checkin", unwatch))
    for target, name, hook in (*hooks, (database.engine, "before_cursor_execute", executed)):
        event.listen(target, name, hook)
    try:
        yield work
    finally:
        for target, name, hook in (*hooks, (database.engine, "before_cursor_execute", executed)):
            event.remove(target, name, hook)
