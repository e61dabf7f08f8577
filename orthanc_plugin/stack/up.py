"""``headct up``: the whole stack in the foreground, for a machine without containers."""

import contextlib
import sys
from pathlib import Path

import click

from headct.errors import HeadCTError
from orthanc_plugin.health.ports import sentence
from orthanc_plugin.stack import in_service
from orthanc_plugin.stack.credentials import Credentials
from orthanc_plugin.stack.logs import Limits
from orthanc_plugin.stack.options import DATA_FOLDER, HTTP_PORT, LOOPBACK, CallingAE, Options
from orthanc_plugin.stack.processes import Stopped, stop_on_signals
from orthanc_plugin.stack.running import Stack, running

PORT = click.IntRange(1, 65535)


@click.command("up")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA_FOLDER,
    show_default=True,
    help="Folder for images, database, logs and credentials.",
)
@click.option(
    "--http-port", type=PORT, default=HTTP_PORT, show_default=True, help="Orthanc and the worklist page."
)
@click.option("--dicom-port", type=PORT, default=4242, show_default=True, help="C-STORE.")
@click.option("--ohif-port", type=PORT, default=3000, show_default=True, help="The OHIF viewer.")
@click.option("--listen", default=LOOPBACK, show_default=True, help="IP address to listen on.")
@click.option(
    "--calling-ae",
    "calling_aes",
    multiple=True,
    metavar="AET@ADDRESS",
    help="A scanner that may send (repeatable). Without any, every AE of this machine may and no other.",
)
@click.option("--annotations", is_flag=True, help="Also draw suspected bleeds, as DICOM segmentations.")
@click.option(
    "--research",
    is_flag=True,
    help="Judge by the model that ships for research only: not for clinical or commercial use.",
)
@click.option(
    "--log-megabytes",
    type=click.IntRange(1, 10_000),
    default=Limits().size >> 20,
    show_default=True,
    help="Size after which a log file is laid aside.",
)
@click.option(
    "--log-files",
    type=click.IntRange(0, 1000),
    default=Limits().files,
    show_default=True,
    help="How many that were laid aside are kept of each log.",
)
def command(
    *,
    data: Path,
    http_port: int,
    dicom_port: int,
    ohif_port: int,
    listen: str,
    calling_aes: tuple[str, ...],
    annotations: bool,
    research: bool,
    log_megabytes: int,
    log_files: int,
) -> None:
    """Run Orthanc with triage, and OHIF, until Ctrl-C."""
    try:
        options = Options(
            data=data.resolve(),
            http_port=http_port,
            dicom_port=dicom_port,
            ohif_port=ohif_port,
            listen=listen,
            calling_aes=tuple(CallingAE.parse(text) for text in calling_aes),
            annotations=annotations,
            research=research,
            logs=Limits(log_megabytes * 2**20, log_files),
        )
        with stop_on_signals(), running(options) as stack:
            with contextlib.suppress(OSError):  # into a file on a disk that is full: the stack is what counts
                click.echo(describe(stack))
                click.echo(in_service.words(stack))
            stack.keep_running()
    except Stopped:
        click.echo("Stopped.")
    except HeadCTError as error:
        click.echo(f"headct up: {error}", err=True)
        sys.exit(1)


def describe(stack: Stack) -> str:
    """Where the stack listens and how to log in."""
    options = stack.options
    senders = ", ".join(f"{ae.title}@{ae.host}" for ae in options.calling_aes) or "any AE of this machine"
    return "\n".join(
        [
            *(f"Open       {sentence(port).say('en')}" for port in stack.open_ports),
            f"Worklist   {options.page_url}",
            f"Viewer     {options.ohif_url}",
            f"DICOM      AE title HEADCT, port {options.dicom_port}; may send: {senders}",
            f"User       {stack.credentials.user}",
            f"Password   {_password(stack.credentials, options.data / 'credentials')}",
            f"Logs       {options.data / 'logs'}",
            "Ctrl-C ends it.",
        ]
    )


def _password(credentials: Credentials, kept: Path) -> str:
    """Shown once: what a service prints stands in the machine's log for years."""
    return f"{credentials.password}   (shown this once; kept in {kept})" if credentials.made else f"in {kept}"
