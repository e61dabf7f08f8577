"""``make demo``: the stack, a scanner that sends generated head CTs of all kinds, and what became of them."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx

from headct.errors import HeadCTError
from headct.generator.generation import GeneratedSeries, generate, trauma_study, write
from headct.generator.kinds import KINDS
from headct.orthanc_http import LIMITS
from orthanc_plugin.stack import in_service
from orthanc_plugin.stack.credentials import without_secrets
from orthanc_plugin.stack.options import LOOPBACK, Options
from orthanc_plugin.stack.processes import Stopped, stop_on_signals
from orthanc_plugin.stack.running import Stack, StackError, running
from orthanc_plugin.stack.scorecard import Answer, Given, Scorecard, answers_by_series
from orthanc_plugin.stack.up import PORT, describe

FOLDER = Path(".demo")
WAIT_SECONDS = 300.0
"""How long the next series may take to its final state: the long quiet time and then some."""


@click.command()
@click.option("--once", is_flag=True, help="Exit after the table; status 0 if all went as it should.")
@click.option("--http-port", type=PORT, default=8042, show_default=True)
@click.option("--dicom-port", type=PORT, default=4242, show_default=True)
@click.option("--ohif-port", type=PORT, default=3000, show_default=True)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Only these kinds.")
@click.option("--annotations", is_flag=True, help="Also draw suspected bleeds, as DICOM segmentations.")
def main(
    *,
    once: bool,
    http_port: int,
    dicom_port: int,
    ohif_port: int,
    kinds: tuple[str, ...],
    annotations: bool,
) -> None:
    """Show triage at work on generated head CTs."""
    options = Options(
        data=new_folder(FOLDER),
        http_port=http_port,
        dicom_port=dicom_port,
        ohif_port=ohif_port,
        annotations=annotations,
        research=True,
    )
    try:
        with stop_on_signals(), running(options) as stack:
            click.echo(describe(stack))
            click.echo(in_service.words(stack))
            card = show(stack, kinds)
            if once:
                sys.exit(0 if card.as_it_should_be else 1)
            click.echo(f"\nWorklist   {options.page_url}")
            click.echo(f"User       {stack.credentials.user}   (for the password see above)")
            click.echo("Ctrl-C ends it.")
            stack.keep_running()
    except Stopped:
        click.echo("\nStopped.")
    except HeadCTError as error:
        click.echo(f"make demo: {error}", err=True)
        sys.exit(1)


def new_folder(parent: Path) -> Path:
    """An empty data folder; those of demos that have ended are removed, for they hold a gigabyte."""
    parent.mkdir(exist_ok=True)
    for old in parent.iterdir():
        if old.is_dir() and not _in_use(old):
            shutil.rmtree(old)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=parent)).resolve()


def _in_use(data: Path) -> bool:
    try:
        with (data / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def show(stack: Stack, kinds: tuple[str, ...]) -> Scorecard:
    """Send, wait, print the worklist beside the truth."""
    given: dict[str, Given] = {}
    click.echo("\nA scanner sends generated head CTs, each kind once. They are drawn, not of real people.")
    for name, series in to_send(kinds):
        folder = stack.options.data / "generated" / f"{name}-{series.header.number}"
        count = len(write(series, folder))
        _store(folder, stack.options.dicom_port)
        shutil.rmtree(folder)
        given[series.header.series_uid] = Given(name, series.truth)
        click.echo(f"  {len(given):3} {name:24}{count:4} images")
    with httpx.Client(
        base_url=stack.options.orthanc_url,
        auth=(stack.credentials.user, stack.credentials.password),
        timeout=30,
        trust_env=False,
        limits=LIMITS,
    ) as client:
        answers = _wait(stack, client, given)
    card = Scorecard(given, answers)
    click.echo(f"\n{card.table()}\n\n{card.summary()}")
    return card


def to_send(kinds: tuple[str, ...]) -> Iterator[tuple[str, GeneratedSeries]]:
    """One study a kind, and a trauma study of four series, each made when it is its turn."""
    for number, name in enumerate(kinds or KINDS):
        yield name, generate(name, seed=number)
    if not kinds:
        for series in trauma_study(seed=len(KINDS)):
            yield "trauma_study", series


def _store(folder: Path, port: int) -> None:
    command = ["dcmsend", "--decompress-never", "--scan-directories", "-aec", "HEADCT", LOOPBACK, str(port)]
    # Without the variable DCMTK waits 40 ms an image for a delayed TCP acknowledgement.
    sent = subprocess.run(
        [*command, str(folder)],
        env={**without_secrets(os.environ), "TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if sent.returncode:
        raise StackError(f"C-STORE to port {port} failed: {sent.stderr.strip().splitlines()[-1:]}")


def _wait(stack: Stack, client: httpx.Client, given: dict[str, Given]) -> dict[str, Answer]:
    """Answers in the worklist's order, once all are final or none more becomes so."""
    deadline, told = 0.0, -1
    while True:
        answers = answers_by_series(_worklist(client))
        open_ones = [uid for uid in given if uid not in answers or not answers[uid].final]
        if open_ones and len(open_ones) != told:
            click.echo(f"  waiting for {len(open_ones)} series")
            deadline, told = time.monotonic() + WAIT_SECONDS, len(open_ones)
        if not open_ones or time.monotonic() > deadline:
            return answers
        stack.look_after()
        time.sleep(1)


def _worklist(client: httpx.Client) -> dict[str, Any]:
    """Its first part, which has room for all that a demonstration sends."""
    try:
        response = client.get("/triage/api/v1/worklist")
    except httpx.TransportError as error:
        raise StackError(f"the worklist does not answer: {error}") from error
    if response.status_code != httpx.codes.OK:
        raise StackError(f"the worklist answers {response.status_code}: {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


if __name__ == "__main__":
    main()
