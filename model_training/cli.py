"""``headct-train``: from data folder to bundle, one command a step."""

import logging
from pathlib import Path
from typing import Any

import click

from headct.errors import HeadCTError

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
_data = click.option("--data", type=_EXISTING, required=True, help="Folder that `dataset` wrote.")
_run = click.option("--run", type=_FOLDER, required=True, help="Folder of the training run.")
_config = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML file with settings that differ from model_training/config.toml.",
)


class _Commands(click.Group):
    """Turns the project's own errors into one line and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HeadCTError as error:
            raise click.UsageError(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Train, evaluate and export the bleed network."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


@main.command()
@click.option("--ct-ich", type=_EXISTING, help="Folder of ct_ich; its patients are trained on.")
@click.option("--phe-sich", type=_EXISTING, help="Folder of phe_sich; only measured on.")
@click.option("--out", type=_FOLDER, required=True, help="Where samples and manifest go.")
def dataset(ct_ich: Path | None, phe_sich: Path | None, out: Path) -> None:
    """Prepare head volumes and masks, and freeze the split by patient."""
    from model_training.datasets.preparation import prepare

    sources = {name: path for name, path in (("ct_ich", ct_ich), ("phe_sich", phe_sich)) if path}
    if not sources:
        raise click.UsageError("name at least one source of data")
    manifest = prepare(sources, out)
    click.echo(f"{len(manifest.in_folds)} patients to train on, {len(manifest.external)} to measure on")
    click.echo(f"manifest {manifest.sha256}")


@main.command()
@_data
@_run
@_config
@click.option("--fold", type=int, help="One fold alone; -1 for the network on all patients.")
def train(data: Path, run: Path, config: Path | None, fold: int | None) -> None:
    """Train a network for each fold and one on all patients. Stopped runs go on where they were."""
    from model_training.config import TrainingConfig
    from model_training.datasets.manifest import Manifest
    from model_training.train import train as train_one

    folds = sorted({p.fold for p in Manifest.read(data).in_folds if p.fold is not None})
    wanted = [*folds, None] if fold is None else [None if fold == -1 else fold]
    for number in wanted:
        click.echo(f"{train_one(data, run, TrainingConfig.read(config), number)}")


@main.command()
@_data
@_run
@_config
def evaluate(data: Path, run: Path, config: Path | None) -> None:
    """Judge every patient out of fold; choose cuts and calibrations; write evaluation.json."""
    from model_training.config import TrainingConfig
    from model_training.evaluation.evaluate import evaluate as judge

    result = judge(data, run, TrainingConfig.read(config))
    area, rates = result["haemorrhage"]["out_of_fold"], result["haemorrhage"]["at_nested_cuts"]
    click.echo(f"area under the curve {area['auc']:.3f} ({area['low']:.3f} to {area['high']:.3f})")
    for name in ("sensitivity", "sensitivity_5_ml_and_more", "specificity"):
        click.echo(f"{name} {rates[name]['count']} of {rates[name]['of']}")


@main.command()
@_data
@_run
@_config
@click.option("--models", type=_FOLDER, default=Path("models"), show_default=True, help="Where bundles lie.")
@click.option("--version", required=True, help="Version of the bundle, such as 0.1.0.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8"]),
    default="int8",
    show_default=True,
    help="How weights are stored.",
)
def export(*, data: Path, run: Path, config: Path | None, models: Path, version: str, precision: str) -> None:
    """Convert the network on all patients, check it against its original, write the bundle."""
    from model_training.config import TrainingConfig
    from model_training.conversion import Precision
    from model_training.export import export as write

    bundle = write(
        data, run, models, version=version, config=TrainingConfig.read(config), precision=Precision(precision)
    )
    click.echo(f"{bundle.folder} {bundle.device_uid}")
