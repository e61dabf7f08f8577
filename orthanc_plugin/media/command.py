"""``headct import``: the DICOM files of a CD, a USB stick, a folder or a ZIP into Orthanc, one by one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx

from headct.errors import HeadCTError, SettingsError, UnusableInputError
from headct.orthanc_http import is_here
from orthanc_plugin.media import files
from orthanc_plugin.media.recognition import Kind, UnusableFileError
from orthanc_plugin.media.upload import Server, ServerError
from orthanc_plugin.stack.credentials import Credentials, load
from orthanc_plugin.stack.options import DATA_FOLDER
from orthanc_plugin.stack.orthanc import own_address

FAILED, UNUSABLE = 1, 2
"""Exit status when something was not stored, and for input or a server that nothing can be done with."""
_NAMES_SHOWN = 5
"""Refused files named for each reason."""


@dataclass(slots=True)
class Tally:
    """What became of the files of a medium."""

    stored: int = 0
    duplicates: int = 0
    not_dicom: int = 0
    directories: int = 0
    series: set[str] = field(default_factory=set)
    """Orthanc's identifiers."""
    studies: set[str] = field(default_factory=set)
    """Study instance UIDs."""
    announced: dict[str, bool] = field(default_factory=dict)
    """Of each study by its UID: does it go to the earlier ones?"""
    images: set[str] = field(default_factory=set)
    """SOP instance UIDs found."""
    listed: set[str] = field(default_factory=set)
    """SOP instance UIDs that the medium's own directory names."""
    refused: dict[str, list[str]] = field(default_factory=dict)
    """Files by the reason why they are not in Orthanc."""
    stopped: str = ""
    """Why the import ended before its time."""
    stopped_at: str = ""
    """The first file that was not dealt with."""

    @property
    def missing(self) -> int:
        """Images that the medium's directory names and that are not there, once all was looked at."""
        return 0 if self.stopped else len(self.listed - self.images)

    @property
    def exit_status(self) -> int:
        """0 when every image of the medium is in Orthanc."""
        return FAILED if self.stopped or self.refused or self.missing else 0

    def refuse(self, name: str, why: str) -> None:
        """A file is not in Orthanc."""
        self.refused.setdefault(why, []).append(name)

    def summary(self) -> str:
        """All of it in words."""
        lines = [f"{len(self.studies)} studies, {len(self.series)} series"]
        counts = {
            "images stored": self.stored,
            "images that were there already": self.duplicates,
            "images named by the DICOMDIR are not on the medium": self.missing,
            "DICOMDIR": self.directories,
            "files that are not DICOM": self.not_dicom,
        }
        lines += [f"{count:8} {words}" for words, count in counts.items() if count]
        for why, names in self.refused.items():
            shown = ", ".join(_printable(name) for name in names[:_NAMES_SHOWN])
            more = ", ..." if len(names) > _NAMES_SHOWN else ""
            lines.append(f"{len(names):8} refused, {why}: {shown}{more}")
        earlier = sum(self.announced[study] for study in self.studies)
        if earlier:
            lines.append(f"{earlier} of the studies are among the earlier ones: assessed, not queued.")
        if queued := len(self.studies) - earlier:
            lines.append(f"{queued} of the studies are on the worklist.")
        if self.stopped:
            lines += [
                f"Stopped: {self.stopped}.",
                f"Not imported: everything from {_printable(self.stopped_at)} on. Run it again: what is",
                "stored is only recognised.",
            ]
        return "\n".join(lines)


def _printable(name: str) -> str:
    """A file's name; bytes that are no text, and what would steer a terminal, as question marks."""
    return "".join(c if c.isprintable() else "?" for c in name)


def bring_in(path: Path, server: Server, *, new: bool, progress: Callable[[int], None]) -> Tally:
    """Send what is DICOM below a path; ``progress`` is told the bytes of the medium dealt with.

    Raises:
        UnusableInputError: there is nothing DICOM, or the path cannot be read.
        ServerError: the server took nothing at all.
    """
    tally = Tally()
    try:
        for file in files.files(path):
            tally.stopped_at = file.name
            if isinstance(file, files.Unreadable):
                tally.refuse(file.name, file.reason)
            else:
                _deal_with(file, server, new, tally)
                progress(file.size)
    except ServerError as error:
        if not tally.studies:
            raise
        tally.stopped = str(error)
    except KeyboardInterrupt:
        tally.stopped = "interrupted"
    if not (tally.images or tally.refused or tally.stopped):
        only = ", only a DICOMDIR: name the folder it lies in" if tally.directories else ""
        raise UnusableInputError(f"there is no DICOM image in {path}{only}")
    return tally


def _deal_with(file: files.MediumFile, server: Server, new: bool, tally: Tally) -> None:
    try:
        content = files.look(file)
        match content.kind:
            case Kind.OTHER:
                tally.not_dicom += 1
            case Kind.DIRECTORY:
                tally.directories += 1
                tally.listed |= content.listed
            case Kind.IMAGE:
                tally.images.add(content.sop_instance_uid)
                study = content.study_instance_uid
                if study not in tally.announced:
                    tally.announced[study] = server.announce(study, new=new)
                stored = server.bring(content)
                tally.studies.add(study)
                tally.series.add(stored.series)
                tally.stored += stored.new
                tally.duplicates += not stored.new
    except UnusableFileError as error:
        tally.refuse(file.name, str(error))


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--new", is_flag=True, help="Put the studies on the worklist instead of among the earlier ones."
)
@click.option("--url", help="Orthanc with triage [default: as `headct up` started it].")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of `headct up`, whose address, user and password are used [default: headct-data].",
)
def command(*, path: Path, new: bool, url: str | None, data: Path | None) -> None:
    """Import the DICOM files in PATH: a folder, a CD or USB stick, a ZIP, or one file.

    HEADCT_USER and HEADCT_PASSWORD count more than the data folder. Exit status 0 when every image is in
    Orthanc, 1 when one is not, 2 when nothing could be done.
    """
    try:
        total = files.total_bytes(path)
        if url is None:
            url = own_address(data or DATA_FOLDER)
        if url.startswith("http://") and not _is_this_machine(url):
            click.echo(f"headct import: images and password go to {url} unencrypted", err=True)
        with Server(url, _login(url, data)) as server:
            server.check()
            with click.progressbar(
                length=total, label="Importing", file=sys.stderr, hidden=not sys.stderr.isatty()
            ) as bar:
                tally = bring_in(path, server, new=new, progress=bar.update)
    except (HeadCTError, OSError) as error:
        click.echo(f"headct import: {' '.join(str(error).split())}", err=True)
        sys.exit(UNUSABLE)
    click.echo(tally.summary())
    sys.exit(tally.exit_status)


def _login(url: str, data: Path | None) -> Credentials:
    """User and password; those of this machine's own server go to no other one unasked."""
    if data is None and _is_this_machine(url):
        data = DATA_FOLDER
    return load(data)


def _is_this_machine(url: str) -> bool:
    try:
        return is_here(url)
    except httpx.InvalidURL as error:
        raise SettingsError(f"{url!r} is not an address such as http://192.0.2.1:8042") from error
