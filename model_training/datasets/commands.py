"""``headct-train dataset``: data in the layouts they come in, or from the PACS, to samples and manifest."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from model_training.datasets.selection import Selection

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of both ways."""
    for option in (
        click.option(
            "--previous",
            type=_EXISTING,
            help="Folder of earlier prepared data, whose patients keep their part of the split.",
        ),
        click.option(
            "--selection",
            type=_FILE,
            help="TOML file of selection rules instead of model_training/datasets/selection.toml.",
        ),
        click.option(
            "--repeat-days",
            type=click.IntRange(0),
            help="A study within so many days after one in use is a repeat; 0, the default: one study a"
            " patient.",
        ),
        click.option(
            "--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes at work."
        ),
    ):
        command = option(command)
    return command


def _rules(selection: Path | None, repeat_days: int | None) -> Selection:
    rules = Selection.read(selection)
    return rules if repeat_days is None else replace(rules, repeat_days=repeat_days)


@click.group(invoke_without_command=True, subcommand_metavar="[orthanc URL ...]", options_metavar="[OPTIONS]")
@click.option("--ct-ich", type=_EXISTING, help="Folder of ct_ich; its patients are trained on.")
@click.option("--phe-sich", type=_EXISTING, help="Folder of phe_sich; only measured on.")
@click.option("--labelled", type=_EXISTING, help="DICOM tree with a labels.csv; its patients are trained on.")
@click.option("--rsna", type=_EXISTING, help="Folder of RSNA 2019 (stage_2_train); only measured on.")
@click.option("--cq500", type=_EXISTING, help="Folder of CQ500 with reads.csv; only measured on.")
@click.option("--rsna-slices", type=_EXISTING, help="Single slices of RSNA 2019, pictures; only measured on.")
@click.option("--bhsd-masks", type=_EXISTING, help="Single slices of BHSD with masks; trained on.")
@click.option("--out", type=_FOLDER, help="Where samples and manifest go; required.")
@_common
@click.option(
    "--train-on",
    multiple=True,
    metavar="SOURCE",
    help="Train on a source whose licence is not free; may be given repeatedly.",
)
@click.pass_context
def dataset(
    context: click.Context,
    /,
    *,
    out: Path | None,
    workers: int,
    repeat_days: int | None,
    selection: Path | None,
    previous: Path | None,
    train_on: tuple[str, ...],
    **folders: Path | None,
) -> None:
    """Prepare head volumes and masks, list what is left out and why, and freeze the split by patient.

    A run that was stopped goes on where it was. Each source comes in its published layout; what is not
    eligible is listed with its reason.

    `dataset orthanc URL --out DIR` takes what was reviewed in a PACS instead; it has options of its own.
    """
    if context.invoked_subcommand:
        given = [name for name in context.params if context.get_parameter_source(name) is _ON_COMMAND_LINE]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise click.UsageError(f"{option} goes behind `{context.invoked_subcommand}`, or without it")
        return
    from model_training.datasets.manifest import Manifest
    from model_training.datasets.preparation import prepare
    from model_training.datasets.summary import summary, write_exclusions

    if out is None:
        raise click.MissingParameter(param_hint="--out", param_type="option")
    sources = {name: path for name, path in folders.items() if path}
    if not sources:
        raise click.UsageError("name at least one source of data")
    manifest = prepare(
        sources,
        out,
        workers=workers,
        selection=_rules(selection, repeat_days),
        train_on=train_on,
        previous=Manifest.read(previous) if previous else None,
    )
    write_exclusions(manifest, out)
    click.echo(summary(manifest))


_ON_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE


@dataset.command()
@click.argument("url")
@click.option("--out", type=_FOLDER, required=True, help="Folder of the versions: OUT/0001, OUT/0002, ...")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The hospital's key for pseudonyms, made when there is none. Keep it, and keep it secret.  [default:"
    " OUT.key, beside OUT]",
)
@click.option("--user", envvar="HEADCT_USER", show_envvar=True, help="User of Orthanc; asked for if absent.")
@click.option("--ca", type=_FILE, help="Certificates (PEM) to trust instead of the system's.")
@_common
def orthanc(
    url: str,
    *,
    out: Path,
    key: Path | None,
    user: str | None,
    ca: Path | None,
    workers: int,
    repeat_days: int | None,
    selection: Path | None,
    previous: Path | None,
) -> None:
    """Make the next version of the data from the series that were reviewed in the Orthanc at URL.

    Images are de-identified before they are written, and checked by an independent pass. The version is ready
    for `train --data`, or as one source of many for `dataset --labelled`. Run again, it goes on where it was
    stopped, takes over what did not change, and makes a version only if something did. Nothing is sent
    anywhere.

    The password comes from HEADCT_PASSWORD, or is asked for.
    """
    from model_training.datasets.manifest import Manifest
    from model_training.datasets.orthanc import Login, Pacs
    from model_training.datasets.summary import summary
    from model_training.datasets.versions import next_version

    login = Login(
        user or click.prompt("User of Orthanc", err=True),
        os.environ.get("HEADCT_PASSWORD") or click.prompt("Password", hide_input=True, err=True),
    )
    with Pacs(url, login, ca=ca) as pacs:
        if pacs.in_clear:
            click.echo(
                "images and password come and go unencrypted; https would keep them to yourself", err=True
            )
        version = next_version(
            pacs,
            out,
            key or out.resolve().with_name(f"{out.resolve().name}.key"),
            selection=_rules(selection, repeat_days),
            workers=workers,
            previous=Manifest.read(previous) if previous else None,
        )
    click.echo(summary(version.manifest))
    for why in version.not_taken:
        click.echo(f"not taken: {why}", err=True)
    words = f"{version.fetched} series fetched" if version.new else "nothing has changed since"
    click.echo(f"{version.folder}: {words}")
