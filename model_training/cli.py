"""``headct-train``: from data folder to bundle, one command a step."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import click

from headct.errors import HeadCTError
from model_training.cycle.command import cycle
from model_training.datasets.commands import dataset
from model_training.mimics.command import mimics
from model_training.promise.command import promise
from model_training.slices.command import slices

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
_data = click.option("--data", type=_EXISTING, required=True, help="Folder that `dataset` wrote.")
_run = click.option("--run", type=_FOLDER, required=True, help="Folder of the training run.")
_config = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML file with settings that differ from model_training/learning/config.toml.",
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


main.add_command(dataset)
main.add_command(cycle)
main.add_command(mimics)
main.add_command(promise)
main.add_command(slices)


@main.command()
@_data
@_run
@_config
@click.option("--seed", type=click.IntRange(0), help="Networks of one seed alone.")
@click.option("--fold", type=click.IntRange(0), help="Networks of one fold alone.")
@click.option("--final", is_flag=True, help="The networks that ship alone.")
@click.option("--start", type=_EXISTING, help="Earlier run whose networks give the first weights.")
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
def train(data: Path, run: Path, config: Path | None, **options: Any) -> None:
    """Train the run's networks: for every seed one a fold, and with the first seed the one that ships.

    Finished networks are left as they are, stopped ones go on from their last finished epoch. Several GPUs
    are used together; several hosts as TF_CONFIG says.
    """
    from model_training.learning.run import train_run

    for folder in train_run(data, run, config, **options):
        click.echo(f"{folder}")


@main.command()
@_data
@_run
@click.option("--ct-ich", type=_EXISTING, help="Folder of ct_ich; not needed once images are cut.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML file with settings that differ from model_training/reproduction/settings.toml.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="one a core",
    help="Networks trained side by side, one thread each; 1 gives all cores, or the GPU, to one network.",
)
def reproduce(data: Path, run: Path, ct_ich: Path | None, config: Path | None, jobs: int) -> None:
    """Train the research project's AlexNet twice: split by image, and split by patient."""
    from model_training.reproduction.reproduce import reproduce as train_both
    from model_training.reproduction.settings import Settings

    result = train_both(data, run, ct_ich, Settings.read(config), jobs)
    for dealing in ("by_image", "by_patient"):
        for task, figures in result[dealing].items():
            for name in ("picture_accuracy", "accuracy", "auc"):
                value, low, high = (figures[name][key] for key in ("value", "low", "high"))
                click.echo(f"{dealing} {task} {name} {value:.3f} ({low:.3f} to {high:.3f})")


@main.command()
@_data
@_run
@_config
@click.option("--allow-partial", is_flag=True, help="Go by the seeds that are wholly trained.")
def evaluate(data: Path, run: Path, config: Path | None, *, allow_partial: bool) -> None:
    """Judge every patient out of fold; write evaluation.json and report.html.

    Outputs of the networks are kept, so what was stopped goes on where it was.
    """
    from model_training.evaluation.evaluate import evaluate as judge
    from model_training.evaluation.report import write_report
    from model_training.evaluation.summary import summary
    from model_training.learning.config import TrainingConfig

    click.echo(summary(judge(data, run, TrainingConfig.read(config), allow_partial=allow_partial)))
    click.echo(f"{write_report(run)}")


@main.command()
@_run
@click.option(
    "--scenario",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML file of reading rooms, like model_training/evaluation/worklist_scenarios.toml: the worklist is"
    " simulated again by it.",
)
def report(run: Path, scenario: Path | None) -> None:
    """Write report.html again from the run's JSON files."""
    from model_training.evaluation.report import simulate_again, write_report

    if scenario:
        simulate_again(run, scenario)
    click.echo(f"{write_report(run)}")


@main.command()
@_data
@_run
@_config
@click.option("--models", type=_FOLDER, default=Path("models"), show_default=True, help="Where bundles lie.")
@click.option("--version", required=True, help="Version of the bundle, such as 0.1.0.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "dynamic_int8", "full_int8"]),
    help="Ship this one instead of the one the measured table chooses.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    help="Rounds of the measurement of time.",
)
def export(
    data: Path,
    run: Path,
    models: Path,
    *,
    config: Path | None,
    version: str,
    precision: str | None,
    repeats: int,
) -> None:
    """Convert the network that ships to every precision, measure each, write the best one's bundle."""
    from model_training.learning.config import TrainingConfig
    from model_training.learning.conversion import Precision
    from model_training.shipping.export import export as write

    bundle = write(
        data,
        run,
        models,
        version=version,
        config=TrainingConfig.read(config),
        precision=Precision(precision) if precision else None,
        repeats=repeats,
    )
    click.echo(f"{bundle.folder} {bundle.device_uid}")


@main.command("urgency-head")
@_data
@_run
@_config
def learned_urgency(data: Path, run: Path, config: Path | None) -> None:
    """Learn urgencies from specialists' labels; without this step, or with too few, the rubric decides."""
    from model_training.learning.config import TrainingConfig
    from model_training.shipping.learned_urgency import learn

    figures = learn(data, run, TrainingConfig.read(config)).figures
    for name in ("weighted_kappa", "weighted_kappa_of_rubric", "difference"):
        f = figures[name]
        click.echo(f"{name} {f['value']:.2f} ({f['low']:.2f} to {f['high']:.2f})")


@main.command()
@click.option("--candidate", type=_EXISTING, required=True, help="Bundle that wants to go live.")
@click.option("--in-service", type=_EXISTING, required=True, help="Bundle that it would replace.")
@_data
@click.option(
    "--margins",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML file with margins that differ from model_training/gate/gate.toml.",
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Where to write FILE.json and .md."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of simulated power.")
def gate(
    *, candidate: Path, in_service: Path, data: Path, margins: Path | None, report: Path | None, seed: int
) -> None:
    """Compare a candidate bundle with the one in service, on patients neither was trained on.

    Ends with status 0 when the candidate passes, 1 when it is stopped, 2 when the input cannot be used.
    """
    from model_training.gate.gate import gate as compare
    from model_training.gate.report import report as in_words
    from model_training.gate.rules import Rules

    verdict = compare(candidate, in_service, data, Rules.read(margins), seed)
    words = in_words(verdict)
    click.echo(words, nl=False)
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(verdict.json(), indent=1) + "\n", encoding="utf-8")
        report.with_suffix(".md").write_text(words, encoding="utf-8")
    if not verdict.passed:
        raise click.exceptions.Exit(1)
