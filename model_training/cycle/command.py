"""``headct-train cycle``."""

from pathlib import Path
from typing import Any

import click

from headct.errors import HeadCTError
from model_training.promise.command import pacs_options

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.option("--data", type=_EXISTING, required=True, help="Folder that `dataset` wrote of reviewed series.")
@click.option("--in-service", type=_EXISTING, required=True, help="Bundle that judges now.")
@click.option("--run", type=_FOLDER, required=True, help="The cycle's own folder.")
@click.option("--models", type=_FOLDER, required=True, help="The hospital's models folder.")
@click.option("--version", required=True, help="Version of the new bundle, such as 0.4.0.")
@click.option(
    "--what",
    type=click.Choice(["network", "head"]),
    default="head",
    show_default=True,
    help="Fine-tune the network, or learn the urgency alone.",
)
@click.option("--base", type=_EXISTING, help="Prepared data that the earlier run learnt from.")
@click.option("--base-run", type=_EXISTING, help="Earlier run whose networks are fine-tuned.")
@click.option(
    "--config",
    type=_FILE,
    help="TOML file with settings that differ from model_training/cycle/fine_tuning.toml.",
)
@click.option(
    "--margins", type=_FILE, help="TOML file with margins that differ from model_training/gate/gate.toml."
)
@click.option(
    "--promise",
    "promised",
    metavar="URL",
    help="Renew what is promised of the bundle in service, from the reviews in the Orthanc at this address.",
)
@pacs_options
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "dynamic_int8", "full_int8"]),
    help="Ship the network in this one instead of the one the measured table chooses.",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Networks trained side by side."
)
@click.option(
    "--threads",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Threads of each network's process; 0: TensorFlow's choice.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    help="Rounds of the measurement of time.",
)
def cycle(
    *,
    what: str,
    precision: str | None,
    jobs: int,
    threads: int,
    repeats: int,
    promised: str | None,
    user: str | None,
    ca: Path | None,
    **asked: Any,
) -> None:
    """Make a candidate of reviewed series, and hand it to the hospital if the gate lets it pass.

    What was stopped goes on where it was. Ends with status 0 when the candidate passes and lies in the models
    folder, 1 when it is stopped and nothing was changed there, 2 when the input cannot be used. Which model
    judges stays as it is.
    """
    from model_training.cycle.cycle import Asked, What
    from model_training.cycle.cycle import cycle as go_round
    from model_training.learning.conversion import Precision

    wish = Asked(what=What(what), precision=Precision(precision) if precision else None, **asked)
    outcome = go_round(wish, jobs=jobs, threads=threads, repeats=repeats)
    click.echo(outcome.report)
    if promised is not None:
        click.echo(_renewed(promised, wish.in_service, wish.models, user, ca))
    if outcome.bundle is None:
        click.echo("Stopped: the models folder is as it was.")
        raise click.exceptions.Exit(1)
    name = outcome.bundle.name
    click.echo(
        f"{outcome.bundle} is there and does not judge yet. An administrator activates it on the page of"
        " models, or with\n"
        f"  curl -u LOGIN -X POST -H 'Content-Type: application/json' -H 'X-Triage: 1' -d '{{}}'"
        f" http://HOST:8042/triage/api/v1/models/{name}/activate"
    )


def _renewed(url: str, in_service: Path, models: Path, user: str | None, ca: Path | None) -> str:
    """What is promised of the bundle in service now, or why that is as it was; the cycle's end is its own."""
    from headct.network.promise import beside, sentences
    from model_training.promise.command import renewed
    from model_training.promise.sample import Wish

    try:
        made = renewed(url, in_service, beside(in_service, models), Wish(), user=user, ca=ca)
    except HeadCTError as error:
        return f"The promise of {in_service.name} is not renewed: {error}."
    return "\n".join((f"Promised of {in_service.name}:", *map(str, sentences(made))))
