"""``headct backup`` and ``headct restore``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from headct.errors import HeadCTError
from orthanc_plugin.audit.commands import tell
from orthanc_plugin.backup import copying, making, restoring
from orthanc_plugin.backup.coverage import Coverage
from orthanc_plugin.backup.manifest import SUMS
from orthanc_plugin.backup.restoring import Restored
from orthanc_plugin.backup.writing import Made
from orthanc_plugin.stack.options import DATA_FOLDER
from orthanc_plugin.stack.processes import Stopped, stop_on_signals

FAILED = 1
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("backup")
@click.argument("folder", type=_FOLDER)
@click.option("--data", type=_FOLDER, default=DATA_FOLDER, show_default=True, help="The stack's data folder.")
@click.option("--images", is_flag=True, help="With the images; they are most of what a stack holds.")
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Make a dated backup in FOLDER, and remove all but the newest N in it.",
)
@click.option(
    "--databases-elsewhere",
    is_flag=True,
    help="Leave out what a database server keeps and backs up by its own means.",
)
def backup(*, folder: Path, data: Path, images: bool, keep: int | None, databases_elsewhere: bool) -> None:
    """Back up a stack into FOLDER while it runs: store, reviews, settings, keys, models, Orthanc's index.

    FOLDER is not there yet, and lies outside of the data folder. What was written is read again before it
    gets its name. Exit status 1 when there is no backup; then nothing of it is left.
    """
    with _told("backup"):
        made = making.backup(data, folder, images=images, keep=keep, servers=databases_elsewhere)
        click.echo(_made(made))
        for warning in _warnings(made):
            click.echo(f"headct backup: {warning}", err=True)
        if trouble := tell(Coverage.of(data).settings, "exported", what="backup", images=images):
            click.echo(f"headct backup: the audit of the stack does not have this: {trouble}", err=True)


@click.command("restore")
@click.argument("folder", type=_FOLDER)
@click.option("--to", "target", type=_FOLDER, help="The new data folder: not there yet, or empty.")
@click.option("--check", is_flag=True, help="Only read the backup and say whether it is whole.")
def restore(*, folder: Path, target: Path | None, check: bool) -> None:
    """Make a data folder of the backup in FOLDER, or of the newest of several in it.

    Exit status 1 when nothing was restored: the backup was altered, is of a newer version, or the target is
    not empty.
    """
    if check == (target is not None):
        raise click.UsageError("say --to DATA, or --check")
    with _told("restore"):
        found = restoring.find(folder)
        if target is None:
            about = restoring.check(found)
            click.echo(f"{found} is whole: made {about.made_at:%Y-%m-%d %H:%M} UTC by {about.program}.")
        else:
            click.echo(_restored(restoring.restore(found, target), target))


@contextmanager
def _told(command: str) -> Iterator[None]:
    """Every refusal is one line and exit status 1; Ctrl-C leaves nothing behind."""
    try:
        with stop_on_signals():
            yield
    except Stopped:
        click.echo(f"headct {command}: stopped; nothing was written", err=True)
        sys.exit(FAILED)
    except HeadCTError as error:
        click.echo(f"headct {command}: {error}", err=True)
        sys.exit(FAILED)


def _made(made: Made) -> str:
    images = "with" if made.about.images else "without"
    said = ", ".join(f"{count} {what}" for what, count in made.said.items())
    lines = [
        f"{made.folder}",
        f"{made.files} files, {copying.size(made.bytes)}, {images} images{f'; {said}' if said else ''}",
        f"Read again and found whole. SHA-256 of its {SUMS}: {made.sums}",
    ]
    return "\n".join(lines)


def _warnings(made: Made) -> Iterator[str]:
    about = made.about
    if about.missing_files:
        yield f"{about.missing_files} files that Orthanc lists cannot be read in its folder"
    if about.damaged_files:
        yield f"{about.damaged_files} files of Orthanc are not what it stored: damaged on its disk"
    for path in about.skipped:
        yield f"{path} is neither a file nor a folder, and is not in the backup"


def _restored(restored: Restored, target: Path) -> str:
    about, settled = restored.about, restored.settled
    lines = [f"{restored.folder} of {about.made_at:%Y-%m-%d %H:%M} UTC is restored into {target}."]
    if settled is None:
        lines.append("The store is kept by a database server: restore it there before you start.")
    else:
        lines.append(f"{settled.studies} studies, {settled.reviews} reviews.")
        if settled.without_images:
            lines.append(
                f"The images of {settled.without_images} series are not in the backup: "
                "have them sent again. What was said of them counts."
            )
    lines.append("End the stack that it was made of, if it still runs: both would send results on.")
    lines.append(f"Start: headct up --data {target}")
    return "\n".join(lines)
