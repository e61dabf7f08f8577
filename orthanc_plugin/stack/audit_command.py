"""``headct audit``: is the log of who did what whole, and what does it say?"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.exc import SQLAlchemyError

from headct.errors import HeadCTError, SettingsError
from headct.reports.seals import KeyRing
from orthanc_plugin.audit import beside, export
from orthanc_plugin.audit.beside import END_FILE
from orthanc_plugin.audit.checking import Check, cut_off
from orthanc_plugin.audit.commands import tell
from orthanc_plugin.settings import Settings, from_orthanc
from orthanc_plugin.stack import orthanc
from orthanc_plugin.stack.options import DATA_FOLDER
from orthanc_plugin.store.database import Database

FAULTY, FAILED = 1, 2
AT_ONCE = 1_000
_DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA_FOLDER,
    show_default=True,
    help="The stack's data folder.",
)


@click.group("audit")
def command() -> None:
    """Who did what: reviews, reruns, models, imports, exports, people, settings, refusals."""


@command.command()
@_DATA
def verify(*, data: Path) -> None:
    """Read all of it and say whether anything is missing, altered or moved.

    Exit status 1 when it is, 2 when it cannot be told.
    """
    with _told(), _opened(data) as (settings, database):
        ring = KeyRing.read(settings.key_file)
        noted = beside.read(settings.secrets_folder / END_FILE, ring)  # before the store, which goes on
        check = Check(ring)
        with database.reading() as session:
            end = cut_off(session, noted)
            while check.go_on(session, AT_ONCE):
                pass
        found = [*check.faults, *([end] if end is not None else [])]
        earlier = [fault for fault in check.noted if fault not in found]
        click.echo(f"{check.entries} entries, the last one number {check.last.number}.")
        for fault in found:
            click.echo(fault.sentence.say("en"))
        for fault in earlier:
            click.echo(f"Found before: {fault.sentence.say('en')}")
        if found or earlier:
            sys.exit(FAULTY)
        click.echo("Nothing is missing, altered or moved.")


@command.command("export")
@_DATA
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=False), default="-")
def export_(*, data: Path, file: TextIO) -> None:
    """Write all of it into FILE as CSV, or to standard output."""
    with _told(), _opened(data) as (settings, database):
        with database.reading() as session:
            for part in export.parts(session, AT_ONCE):
                file.write(part)
        if trouble := tell(settings, "exported", what="audit"):
            click.echo(f"headct audit: the audit itself does not have this: {trouble}", err=True)


@contextmanager
def _opened(data: Path) -> Iterator[tuple[Settings, Database]]:
    options = orthanc.last_started(data)
    if not options:
        raise SettingsError(f"{data} is no data folder of `headct up`: there is no {orthanc.CONFIGURATION}")
    settings = from_orthanc(options)
    if settings.database_path is not None and not settings.database_path.is_file():
        raise SettingsError(
            f"{settings.database_path} is not there: there was no start yet, or the store is lost"
        )
    database = Database(settings.database_url)
    try:
        yield settings, database
    finally:
        database.close()


@contextmanager
def _told() -> Iterator[None]:
    """Whatever keeps from telling is one line and exit status 2."""
    try:
        yield
    except (HeadCTError, OSError) as error:
        click.echo(f"headct audit: {error}", err=True)
    except SQLAlchemyError as error:  # without its statement
        click.echo(f"headct audit: the store cannot be read: {getattr(error, 'orig', None)}", err=True)
    else:
        return
    sys.exit(FAILED)
