"""Migrations make what the tables say; writers wait for each other; a damaged file is noticed."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import DatabaseError
from store_samples import after, open_store, seen, settings

import orthanc_plugin.drift.tables
import orthanc_plugin.forwarding.tables
import orthanc_plugin.labelling_queue.tables
import orthanc_plugin.recycling.tables
import orthanc_plugin.store.migrations
from headct.terms.assessment import BundleIdentity
from orthanc_plugin.store import model_history, positions, queue, tables
from orthanc_plugin.store.base import Base
from orthanc_plugin.store.database import Database

MIGRATIONS = Path(orthanc_plugin.store.migrations.__file__).parent


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'triage.sqlite'}")
    database.migrate()
    with database.engine.connect() as connection:
        # SQLite keeps only a type's affinity, so names, keys, indices and nullability are compared.
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
    database.migrate()  # a second time changes nothing
    database.close()


def test_what_raises_in_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = open_store(tmp_path)
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        positions.set_position(session, "changes", 5)
        session.flush()
        raise ZeroDivisionError
    with database.reading() as session:
        assert positions.position(session, "changes") == 0
    database.close()


def test_many_writers_wait_and_none_fails(tmp_path: Path) -> None:
    """Each reads and then writes, which a deferred SQLite transaction would refuse."""
    database = open_store(tmp_path)
    options = settings(tmp_path)
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for second in range(10):
                with database.writing() as session:
                    queue.arrive(session, seen(name, "st"), after(second), options)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading() as session:
        generations = [session.get_one(tables.Series, f"s{n}").generation for n in range(4)]
    assert generations == [10] * 4
    database.close()


def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    database = open_store(tmp_path)
    with pytest.raises(Exception, match="without a zone"), database.writing() as session:
        queue.arrive(session, seen(), after(0).replace(tzinfo=None), settings(tmp_path))
        session.flush()
    database.close()


@pytest.mark.parametrize("content", [b"this is no database " * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_noticed_at_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "triage.sqlite"
    path.write_bytes(content)
    database = Database(f"sqlite:///{path}")
    with pytest.raises((DatabaseError, OSError)):
        database.migrate()
    database.close()


def test_damage_inside_is_noticed_at_start(tmp_path: Path) -> None:
    options = settings(tmp_path)
    database = open_store(tmp_path)
    with database.writing() as session:
        for number in range(60):
            queue.arrive(session, seen(f"s{number}"), after(0), options)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    path = tmp_path / "triage.sqlite"
    content = bytearray(path.read_bytes())
    for page in range(5, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    database = Database(f"sqlite:///{path}")
    with pytest.raises((DatabaseError, OSError)):
        database.migrate()
    database.close()


def test_the_model_in_service_survives_the_migration_and_the_way_back(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'triage.sqlite'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    def migrate(step: Callable[[Config, str], None], revision: str) -> None:
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, revision)

    def rows(question: str) -> list[tuple[object, ...]]:
        with database.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(question)]

    migrate(command.upgrade, "0004")
    with database.engine.begin() as connection:
        for digest, in_service in (("a" * 64, False), ("b" * 64, True)):
            connection.exec_driver_sql(
                "INSERT INTO bundles VALUES (?, 'net', '1', '2.25.1', ?, '2026-01-01 00:00:00')",
                (digest, in_service),
            )
    database.migrate()
    with database.writing() as session:
        assert model_history.active(session) == "b" * 64
        model_history.give_way(
            session, "b" * 64, "gone", after(0), otherwise=[BundleIdentity("net", "1", "2.25.1", "a" * 64)]
        )
    migrate(command.downgrade, "0004")
    assert rows("SELECT digest, in_service FROM bundles ORDER BY digest") == [("a" * 64, 1), ("b" * 64, 0)]
    assert rows("SELECT name FROM sqlite_master WHERE name IN ('model_changes', 'shadow_assessments')") == []
    database.migrate()
    with database.reading() as session:
        assert model_history.active(session) == "a" * 64
    database.close()
