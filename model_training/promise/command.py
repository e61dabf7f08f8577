"""``headct-train promise``."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from headct.network.promise import Promise
    from model_training.promise.sample import Wish

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


def pacs_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options by which an Orthanc is asked."""
    for option in (
        click.option("--ca", type=_FILE, help="Certificates (PEM) to trust instead of the system's."),
        click.option(
            "--user", envvar="HEADCT_USER", show_envvar=True, help="User of Orthanc; asked for if absent."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("url")
@click.option("--bundle", type=_EXISTING, required=True, help="The bundle of which something is promised.")
@click.option(
    "--models",
    type=_FOLDER,
    help="Where the promise goes, such as the hospital's models folder for a bundle that ships.  [default:"
    " beside the bundle]",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Bleeds among sure GREENs, at most.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of the promise.",
)
@click.option(
    "--bleeds",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Bleeds with which that can still be shown; more take more cases. Settle it before you read.",
)
@click.option(
    "--since",
    type=click.DateTime(),
    help="When the sample begins, UTC.  [default: after the promise before, else with the bundle's first"
    " case]",
)
@pacs_options
def promise(
    url: str,
    *,
    bundle: Path,
    models: Path | None,
    share: float,
    confidence: float,
    bleeds: int,
    since: datetime | None,
    user: str | None,
    ca: Path | None,
) -> None:
    """Promise what sure answers are worth here, from cases read blind in the Orthanc at URL.

    The sample is every case of the bundle, in the order of arrival, until as many sure GREENs have come as
    it takes: 59 for 5 % at 95 % without a bleed. Ends with status 0 when the promise lies beside the
    bundle, 1 with the reason when there is none, 2 when the input cannot be used.

    The password comes from HEADCT_PASSWORD, or is asked for.
    """
    from headct.network.promise import beside, sentences
    from model_training.promise.bounds import needed
    from model_training.promise.sample import NotPromisedError, Wish

    path = beside(bundle, models)
    begins = since.replace(tzinfo=UTC) if since is not None else None
    try:
        made = renewed(url, bundle, path, Wish(share, confidence, bleeds), since=begins, user=user, ca=ca)
    except NotPromisedError as error:
        click.echo(f"Nothing is promised: {error}.")
        raise click.exceptions.Exit(1) from None
    for sentence in sentences(made):
        click.echo(str(sentence))
    if made.greens.most > share:
        more = needed(share, confidence, made.greens.wrong)
        click.echo(
            f"That is more than {100 * share:g} %. With {made.greens.wrong} wrong it takes {more} sure"
            f" GREENs, among cases yet to come: --bleeds {made.greens.wrong}."
        )
    click.echo(f"{path}")


def renewed(
    url: str,
    bundle: Path,
    path: Path,
    wish: "Wish",
    *,
    since: datetime | None = None,
    user: str | None,
    ca: Path | None,
) -> "Promise":
    """:func:`model_training.promise.renewal.renew`, of an Orthanc whose password is asked for."""
    from headct.network.bundle import load_bundle
    from model_training.datasets.orthanc import Login, Pacs
    from model_training.promise.renewal import renew

    login = Login(
        user or click.prompt("User of Orthanc", err=True),
        os.environ.get("HEADCT_PASSWORD") or click.prompt("Password", hide_input=True, err=True),
    )
    with Pacs(url, login, ca=ca) as pacs:
        return renew(pacs, load_bundle(bundle), path, wish, since=since, now=datetime.now(UTC))
