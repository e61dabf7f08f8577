"""``headct-train slices``: what a bundle, or a run out of fold, is worth on single slices."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("folder", type=_EXISTING)
@click.option("--bundle", type=_EXISTING, help="The bundle that judges.")
@click.option("--run", type=_EXISTING, help="Instead: a run, each slice by networks that never saw it.")
@click.option("--data", type=_EXISTING, help="With --run: the prepared data it was trained on.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="With --run: the settings it was trained with.",
)
@click.option("--fold", "folds", type=click.IntRange(0), multiple=True, help="With --run: these folds alone.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def slices(
    folder: Path,
    *,
    bundle: Path | None,
    run: Path | None,
    data: Path | None,
    config: Path | None,
    folds: tuple[int, ...],
    as_json: bool,
) -> None:
    """Measure on the single slices of FOLDER, laid out like rsna_slices: labels.csv and pictures.

    Slices that show hardly any brain are left out. Given are the area under the curve for any blood and for
    each kind, sensitivity at specificity 0.90, slices of ordinary window widths apart, and a judge who knows
    window width and brain share alone.
    """
    from model_training.slices.table import in_words, table

    if (bundle is None) == (run is None) or (run is None) != (data is None):
        raise click.UsageError("name a bundle, or a run and its data")
    judged: dict[str, Any]
    if bundle is not None:
        from headct.network.bundle import load_bundle
        from headct.network.classifier import Classifier
        from model_training.slices.judging import by_bundle

        opened = load_bundle(bundle)
        scored = list(by_bundle(folder, Classifier(opened)))
        judged = {"bundle": asdict(opened.identity)}
    else:
        from model_training.learning.config import TrainingConfig
        from model_training.slices.judging import out_of_fold

        assert run is not None and data is not None
        scored = list(out_of_fold(folder, data, run, TrainingConfig.read(config), folds))
        judged = {"run": str(run), "folds": list(folds) or "all that are trained"}
    figures = {**judged, **table(scored)}
    click.echo(json.dumps(figures, indent=1) if as_json else in_words(figures))
