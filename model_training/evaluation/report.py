"""``report.html``: what a run's JSON files say, for a statistician, on one page that needs nothing else."""

import csv
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChainableUndefined, Environment, FileSystemLoader, Undefined
from markupsafe import Markup, escape

from headct.errors import UnusableInputError
from model_training.evaluation import plots
from model_training.evaluation.plots import Plot
from model_training.evaluation.worklist_simulation import read_scenarios, simulate_worklist

EVALUATION, REPORT = "evaluation.json", "report.html"
OTHERS = ("reproduction", "export", "judging", "members")
"""Names of JSON files that a run may have besides."""
MIMICS = Path("mimics") / "mimics.json"
"""What ``headct-train mimics --out RUN/mimics`` wrote, with its sheets of pictures beside it."""
LOG = "log.csv"
TEMPLATE = Path(__file__).with_name("report.html.jinja")
"""Beside its ``report.css``."""
NOT_MEASURED = Markup('<span class="missing">not measured</span>')
CURVES = {"loss": "training loss", "validation_loss": "validation loss"}
ALEXNET_CURVES = {
    "training_loss": "training loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
}
DEALINGS = {"by_image": "split by image", "by_patient": "split by patient"}
GROUPS = {
    "alert": "RED or BLACK",
    "alert_found": "RED or BLACK, found",
    "alert_called_yellow": "RED or BLACK called YELLOW",
    "alert_called_green": "RED or BLACK called GREEN",
    "yellow": "YELLOW",
    "yellow_called_green": "YELLOW called GREEN",
    "green": "GREEN",
    "not_analysed": "not analysed",
    "all": "all",
}
"""Of the worklist, by true colour."""


def write_report(run: Path) -> Path:
    """Write ``report.html`` from ``evaluation.json`` and what else the run has; gives its path.

    Raises:
        UnusableInputError: the run was not evaluated, or one of its files is not JSON.
    """
    evaluation = _json(run / EVALUATION)
    if evaluation is None:
        raise UnusableInputError(f"{run} was not evaluated: run headct-train evaluate")
    others = {name: _json(run / f"{name}.json") for name in OTHERS}
    mimics, sheets = _json(run / MIMICS), sorted((run / MIMICS).parent.glob("*.png"))
    pictures = {sheet.stem: b64encode(sheet.read_bytes()).decode() for sheet in sheets}
    page = render(evaluation, logs=_logs(run), mimics=mimics, sheets=pictures, **others)
    (run / REPORT).write_text(page, encoding="utf-8")
    return run / REPORT


def simulate_again(run: Path, scenarios: Path) -> None:
    """Replace the worklist simulation in ``evaluation.json`` by one of these scenarios.

    Raises:
        UnusableInputError: the run was not evaluated.
        SettingsError: the file holds no scenarios.
    """
    evaluation = _json(run / EVALUATION)
    if evaluation is None:
        raise UnusableInputError(f"{run} was not evaluated: run headct-train evaluate")
    evaluation["worklist"] = simulate_worklist(evaluation, read_scenarios(scenarios))
    (run / EVALUATION).write_text(json.dumps(evaluation, indent=1) + "\n", encoding="utf-8")


def render(
    evaluation: Mapping[str, Any],
    reproduction: Mapping[str, Any] | None = None,
    export: Mapping[str, Any] | None = None,
    judging: Mapping[str, Any] | None = None,
    logs: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    *,
    members: Mapping[str, Any] | None = None,
    mimics: Mapping[str, Any] | None = None,
    sheets: Mapping[str, str] | None = None,
) -> str:
    """The page as text. What is not there is said to be missing.

    Args:
        evaluation: as ``evaluation.json``.
        reproduction: as ``reproduction.json``.
        export: as ``export.json``.
        judging: as ``judging.json``.
        members: as ``members.json``.
        logs: columns of ``log.csv`` by the name of the network's folder.
        mimics: as ``mimics.json``.
        sheets: pictures of each class of mimics, PNG in base64.

    Raises:
        UnusableInputError: a plot's figures are there in part only.
    """
    environment = Environment(
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(TEMPLATE.parent),
    )
    environment.filters |= {
        "figure": _figure,
        "share": _share,
        "number": _number,
        "percent": _percent,
        "words": _words,
        "flat": _flat,
    }
    try:
        drawn = _plots(evaluation, reproduction, logs or {})
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnusableInputError(f"figures to be drawn are incomplete: {error!r}") from error
    return environment.get_template(TEMPLATE.name).render(
        e=evaluation,
        reproduction=reproduction,
        export=export,
        judging=judging,
        members=members,
        plots=drawn,
        groups=GROUPS,
        dealings=DEALINGS,
        logs=logs or {},
        mimics=mimics,
        sheets=sheets or {},
    )


def _plots(
    evaluation: Mapping[str, Any],
    reproduction: Mapping[str, Any] | None,
    logs: Mapping[str, Mapping[str, Sequence[float]]],
) -> dict[str, Plot]:
    tasks = {name: evaluation[name] for name in ("haemorrhage", "alert") if evaluation.get(name)}
    drawn: dict[str, Plot] = {}
    if tasks:
        scores = {
            name: pair
            for name, task in tasks.items()
            if (pair := _scores(evaluation, name)) and plots.same_scores(*pair, task)
        }
        drawn["roc"] = plots.operating_curves(tasks, scores)
        drawn["precision_recall"] = plots.precision_recall(tasks, scores)
        drawn["reliability"] = plots.reliability(tasks)
    if tasks and evaluation.get("baselines"):
        others = {_words(name): judge for name, judge in evaluation["baselines"].items()}
        drawn["forest"] = plots.forest({"main network": tasks, **others})
    if (evaluation.get("volumes") or {}).get("points"):
        drawn["volumes"] = plots.bland_altman(evaluation["volumes"])
    for scenario in (evaluation.get("worklist") or {}).get("scenarios", ()):
        drawn[f"waiting {scenario['parameters']['name']}"] = plots.waiting(scenario, GROUPS)
    if logs:
        drawn["training"] = plots.training_curves(logs, CURVES)
    if reproduction:
        for task in reproduction["curves"]["by_image"]:
            networks = {words: reproduction["curves"][dealing][task] for dealing, words in DEALINGS.items()}
            drawn[f"alexnet {task}"] = plots.training_curves(networks, ALEXNET_CURVES)
    return drawn


def _scores(evaluation: Mapping[str, Any], task: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Truth, shape (patients,), and scores, shape (seeds, patients), of one task."""
    patients = list((evaluation.get("scores") or {}).values())
    if not patients:
        return None
    if task == "alert":
        patients = [p for p in patients if p["rubric_colour"] is not None]
    truth = [
        p["bleeding"] if task == "haemorrhage" else p["rubric_colour"] in ("RED", "BLACK") for p in patients
    ]
    return np.array(truth, bool), np.array([p["scores"] for p in patients], float).T


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UnusableInputError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UnusableInputError(f"{path} holds no figures")
    return content


def _logs(run: Path) -> dict[str, dict[str, list[float]]]:
    """Columns of each network's log; NaN where an epoch has no value."""
    logs = {}
    for path in sorted(run.glob(f"seed-*/*/{LOG}")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if rows:
            name = path.parent.relative_to(run).as_posix()
            logs[name] = {column: [_float(row[column]) for row in rows] for column in rows[0]}
    return logs


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _absent(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)


def _number(value: Any, digits: int | None = None) -> str:
    """A number; without digits whole ones whole and others to three places of use."""
    if _absent(value):
        return NOT_MEASURED
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(escape(value))
    if digits is not None:
        # Adding zero turns a rounded -0 into 0.
        return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\u2212")
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}".replace("-", "\u2212")


def _percent(share: Any) -> str:
    """A share, or a figure of one, in percent."""
    if isinstance(share, Mapping):
        return _figure({end: None if v is None else 100 * v for end, v in share.items()}, 0, " %")
    return NOT_MEASURED if _absent(share) else f"{100 * share:.0f} %"


def _figure(figure: Any, digits: int = 2, unit: str = "") -> str:
    """Value and 95 % interval."""
    if _absent(figure) or _absent(figure.get("value")):
        return NOT_MEASURED
    value = _number(figure["value"], digits) + unit
    if _absent(figure.get("low")) or _absent(figure.get("high")):
        return value
    low, high = (_number(figure[end], digits) for end in ("low", "high"))
    return Markup('<b>{}</b> <span class="ci">({} to {})</span>').format(value, low, high)


def _share(figure: Any, digits: int = 2) -> str:
    """The same with the patients behind it."""
    if _absent(figure) or _absent(figure.get("value")):
        return Markup('<span class="missing">no patient</span>') if figure else NOT_MEASURED
    if _absent(figure.get("count")):
        return _figure(figure, digits)
    count = f"{figure['count']:.1f}".removesuffix(".0")
    return Markup('{}<br><span class="of">{} of {}</span>').format(
        _figure(figure, digits), count, figure["of"]
    )


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _flat(settings: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Settings, nested ones with their path, as rows."""
    if not isinstance(settings, Mapping):
        return [(prefix, json.dumps(settings, ensure_ascii=False))]
    return [
        row for key, value in settings.items() for row in _flat(value, f"{prefix}.{key}" if prefix else key)
    ]
