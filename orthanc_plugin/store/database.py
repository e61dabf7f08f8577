"""The store's database: connections, transactions, migrations."""

import errno
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from headct.safe_log import failure
from orthanc_plugin.store.standing import keeping, tallies
from orthanc_plugin.store.standing.keeping import Watch

MIGRATIONS = Path(__file__).parent / "migrations"
log = logging.getLogger(__name__)

BUSY_SECONDS = 20
"""How long a writer waits for another one; transactions are far shorter."""
STUDIES_AT_ONCE = 200
"""In one transaction, where many standings are derived: it takes about a tenth of a second."""


INCREMENTAL = 2
"""What SQLite calls a file that gives free pages back when asked."""
KEPT_PAGES = 2_000
"""Free pages that stay for what is written next: 8 MB."""
PAGES_AT_ONCE = 500
"""Given back in one transaction, which keeps others from writing for some 20 ms."""
REWRITTEN_BYTES = 256 * 2**20
"""A file up to this size is written anew at the start, in some seconds; a larger one is not waited for."""
JOURNAL_BYTES = 64 * 2**20
"""That the log of changes keeps on disk once it was longer."""


class Database:
    """Sessions on one database, for one process.

    >>> with database.writing() as session:        # doctest: +SKIP
    ...     store.arrive(session, seen, now, settings)
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writer = self.engine.execution_options(immediate=True)
        self._listening: PoolProxiedConnection | None = None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view; nothing is written."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it, or nothing when the block raises.

        Standings and tallies follow what it changes.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            watch = Watch(session)
            event.listen(session, "before_flush", tallies.keep_up)
            yield session
            watch.settle()

    def version(self) -> int | None:
        """Another number once anybody wrote, we too; ``None`` where that is not told at next to no cost.

        For one thread of a process.
        """
        if not self._sqlite:
            return None
        try:
            if self._listening is None:
                self._listening = self.engine.raw_connection()
            driver = self._listening.driver_connection
            assert driver is not None
            (number,) = driver.execute("PRAGMA data_version").fetchone()
        except (SQLAlchemyError, sqlite3.Error):  # whoever looks for work will say so
            return None
        return int(number)

    def migrate(self) -> None:
        """Bring the tables to this version of the program.

        Raises:
            OSError: the SQLite file or its folder cannot be written.
            sqlalchemy.exc.DatabaseError: the file is no database, or a damaged one.
        """
        path = self.engine.url.database if self._sqlite else None
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            # SQLite would open a read-only file and fail much later, at the first arrival.
            for needed in (Path(path).parent, Path(path)):
                if needed.exists() and not os.access(needed, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(needed))
        with self._writer.begin() as connection:
            if self._sqlite:
                found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
                if found != "ok":
                    raise OSError(errno.EIO, "the database file is damaged", path)
            from alembic import command  # by one process alone: workers start without it
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            tallies.recount(connection)
        self._shrink_old()
        self.complete()

    def complete(self) -> None:
        """Give a standing to each study that has none, or one by an older rule."""
        while True:
            with self.writing() as session:
                without = keeping.missing(session, STUDIES_AT_ONCE)
                keeping.of(session).touch(without)
            if len(without) < STUDIES_AT_ONCE:
                return

    def shrink(self) -> None:
        """Give some free pages of an SQLite file back to the disk; the rest is written over."""
        if not self._sqlite:
            return
        connection = self.engine.raw_connection()
        try:
            driver = connection.driver_connection
            assert driver is not None
            (free,) = driver.execute("PRAGMA freelist_count").fetchone()
            if free > KEPT_PAGES:
                # A page with each step of the statement; the driver's other calls make but one.
                driver.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
        finally:
            connection.close()

    def _shrink_old(self) -> None:
        """A file of an earlier release gives nothing back until it was written anew once."""
        if not self._sqlite:
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            size = pages * connection.execute(text("PRAGMA page_size")).scalar_one()
            gives = connection.execute(text("PRAGMA auto_vacuum")).scalar_one() == INCREMENTAL
            path = self.engine.url.database
            room = shutil.disk_usage(Path(path).parent).free if path is not None else 0
            if gives or size > REWRITTEN_BYTES or room < 4 * size:
                return
            connection.execute(text("PRAGMA auto_vacuum=INCREMENTAL"))
            try:
                connection.execute(text("VACUUM"))
            except OperationalError as error:  # another program reads it: at the next start
                log.warning("the store is not written anew: %s", failure(error))

    def close(self) -> None:
        """Close all connections."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        self.engine.dispose()

    @property
    def _sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def knows_schema(revision: str) -> bool:
    """Whether a store of this revision can be brought to this version of the program."""
    from alembic.script import ScriptDirectory

    return any(known.revision == revision for known in ScriptDirectory(MIGRATIONS).walk_revisions())


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own transactions begin too late and deferred: SQLAlchemy begins them, see below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a file that is still to be made
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA journal_size_limit={JOURNAL_BYTES}")
        # FULL, not NORMAL: a result that was published must survive a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":
            return  # a file is written anew outside of any transaction
        # A deferred transaction that reads and then writes fails at once when another one wrote
        # in between; taking the write lock first waits instead.
        immediate = options.get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine
