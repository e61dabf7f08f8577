"""Plots of a report as SVG: no colour is the only sign, text stays text, equal data give equal bytes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from model_training.evaluation.statistics import LEVELS, auc, resampled

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#555555"
"""Told apart with every common colour vision (Okabe and Ito, 2008); line and marker differ as well."""
LINES = ("-", "--", ":", "-.")
GRID = np.linspace(0.0, 1.0, 101)
BAND_DRAWS = 400
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans", "sans-serif"],
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    # Names from data may hold a dollar sign.
    "text.parse_math": False,
}

Array = NDArray[np.float64]
Curve = Callable[[Array, Array, Array], Array]
"""Truth, scores, each of shape (patients,), and weights, shape (draws, patients), to heights on ``GRID``."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing and what it shows, in words."""

    svg: str
    alt: str


def operating_curves(
    tasks: Mapping[str, Mapping[str, Any]], scores: Mapping[str, tuple[Array, Array]]
) -> Plot:
    """ROC of each task: one line a seed, a 95 % band over patients, the nested operating point.

    Args:
        tasks: ``haemorrhage`` and ``alert`` of ``evaluation.json``.
        scores: truth, shape (patients,), and scores, shape (seeds, patients), of tasks that get a band.
    """

    def draw(axes: Axes, name: str, task: Mapping[str, Any]) -> None:
        for line, curve in zip(_cycled(LINES), task["roc"], strict=False):
            axes.step(
                curve["fpr"], curve["tpr"], line, where="post", color=BLUE, label=f"seed {curve['seed']}"
            )
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        rates = task["at_nested_cuts"]
        sensitivity, specificity = rates["sensitivity"], rates["specificity"]
        if sensitivity["value"] is not None and specificity["value"] is not None:
            alarms = {k: 1 - specificity[k] for k in ("value", "low", "high")}
            axes.errorbar(
                alarms["value"],
                sensitivity["value"],
                xerr=_reach(alarms["value"], alarms["high"], alarms["low"]),
                yerr=_reach(sensitivity["value"], sensitivity["low"], sensitivity["high"]),
                fmt="D",
                color=ORANGE,
                capsize=4,
                label="at the nested threshold",
            )
        axes.set(xlabel="1 - specificity", ylabel="sensitivity")

    return _of_tasks(tasks, scores, draw, roc_on_grid, "Receiver operating characteristic")


def precision_recall(
    tasks: Mapping[str, Mapping[str, Any]], scores: Mapping[str, tuple[Array, Array]]
) -> Plot:
    """Precision against recall of each task, like :func:`operating_curves`; the grey line is chance."""

    def draw(axes: Axes, name: str, task: Mapping[str, Any]) -> None:
        for line, curve in zip(_cycled(LINES), task["precision_recall"], strict=False):
            recall, precision = np.array(curve["recall"]), np.array(curve["precision"])
            # Below the highest threshold that finds everybody, precision only falls towards chance.
            useful = slice(int(np.flatnonzero(recall == recall.max())[-1]), None)
            axes.step(
                recall[useful],
                precision[useful],
                line,
                where="post",
                color=BLUE,
                label=f"seed {curve['seed']}",
            )
        chance = task["positives"] / (task["positives"] + task["negatives"])
        axes.axhline(chance, color=GREY, linewidth=0.8)
        axes.set(xlabel="recall (sensitivity)", ylabel="precision")

    return _of_tasks(tasks, scores, draw, precision_on_grid, "Precision against recall")


def _of_tasks(
    tasks: Mapping[str, Mapping[str, Any]],
    scores: Mapping[str, tuple[Array, Array]],
    draw: Callable[[Axes, str, Mapping[str, Any]], None],
    curve: Curve,
    what: str,
) -> Plot:
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(10, 4.8), layout="constrained")
        for axes, (name, task) in zip(
            canvas.subplots(1, len(tasks), squeeze=False)[0], tasks.items(), strict=True
        ):
            if name in scores:
                low, high = band(*scores[name], curve)
                axes.fill_between(
                    GRID, low, high, step="post", color=BLUE, alpha=0.15, label="95 % over patients"
                )
            draw(axes, name, task)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=name.capitalize(), aspect="equal")
            axes.legend(loc="lower right" if curve is roc_on_grid else "lower left")
        banded = "with a 95 % band over patients" if scores else "without a band"
        return Plot(_svg(canvas, what), f"{what}, one line a seed, {banded}: {' and '.join(tasks)}.")


def band(truth: Array, scores: Array, curve: Curve) -> tuple[Array, Array]:
    """Pointwise 95 % band of the mean curve over seeds: bootstrap over patients, one draw for all seeds."""
    weights = resampled(truth)[:BAND_DRAWS]
    low, high = np.quantile(np.mean([curve(truth, one, weights) for one in scores], axis=0), LEVELS, axis=0)
    return low, high


def roc_on_grid(truth: Array, scores: Array, weights: Array) -> Array:
    """Highest sensitivity at no more false alarms than each point of the grid, shape (draws, grid)."""
    hits, alarms = _called(truth, scores, weights)
    fpr, tpr = (np.pad(n / n[:, -1:], ((0, 0), (1, 0))) for n in (alarms, hits))
    last = (fpr[:, None, :] <= GRID[:, None] + 1e-9).sum(axis=2) - 1
    return np.take_along_axis(tpr, last, axis=1)


def precision_on_grid(truth: Array, scores: Array, weights: Array) -> Array:
    """Precision at the highest threshold that reaches each recall of the grid, shape (draws, grid)."""
    hits, alarms = _called(truth, scores, weights)
    called = hits + alarms
    precision = np.divide(hits, called, out=np.ones_like(hits), where=called > 0)
    first = (hits[:, None, :] / hits[:, None, -1:] >= GRID[:, None] - 1e-9).argmax(axis=2)
    return np.take_along_axis(precision, first, axis=1)


def _called(truth: Array, scores: Array, weights: Array) -> tuple[Array, Array]:
    """Positive and negative patients at or above each score, from the highest down, shape (draws, scores)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    hits, alarms = (np.cumsum((weights * kind)[:, order], axis=1)[:, ends] for kind in (truth, 1.0 - truth))
    return hits, alarms


def same_scores(truth: Array, scores: Array, task: Mapping[str, Any]) -> bool:
    """Whether these scores are the ones the task's areas were computed from."""
    ones = np.ones((1, len(truth)))
    areas = [float(auc(truth, of_seed)(ones)[0]) for of_seed in scores]
    return (
        bool(np.allclose(areas, task["auc_per_seed"], atol=1e-6))
        if len(areas) == len(task["auc_per_seed"])
        else False
    )


def forest(judges: Mapping[str, Mapping[str, Any]]) -> Plot:
    """Areas under the curve with intervals, one row a judge, the first one marked.

    Args:
        judges: name to task to what has an ``auc``.
    """
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(10, 0.9 + 0.42 * len(judges)), layout="constrained")
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, task in zip(panels, ("haemorrhage", "alert"), strict=True):
            for place, judge in enumerate(judges.values()):
                figure = (judge.get(task) or {}).get("auc")
                if figure and figure["value"] is not None:
                    axes.errorbar(
                        figure["value"],
                        place,
                        xerr=_reach(figure["value"], figure["low"], figure["high"]),
                        fmt="s" if place else "o",
                        markerfacecolor="white" if place else BLUE,
                        color=GREY if place else BLUE,
                        capsize=4,
                    )
            axes.axvline(0.5, color=GREY, linewidth=0.8)
            axes.set(title=task.capitalize(), xlabel="area under the curve", yticks=range(len(judges)))
        panels[0].set_yticklabels(list(judges))
        panels[0].set_ylim(len(judges) - 0.5, -0.5)
        return Plot(
            _svg(canvas, "forest"),
            f"Area under the curve with 95 % interval: {', '.join(judges)}. The table has the figures.",
        )


def reliability(tasks: Mapping[str, Mapping[str, Any]]) -> Plot:
    """Observed share against predicted probability, a point a bin, with Clopper-Pearson intervals."""
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(10, 4.8), layout="constrained")
        for axes, (name, task) in zip(
            canvas.subplots(1, len(tasks), squeeze=False)[0], tasks.items(), strict=True
        ):
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="perfect")
            bins = [b for b in task["reliability"]["bins"] if b["observed"]["value"] is not None]
            axes.errorbar(
                [b["predicted"] for b in bins],
                [b["observed"]["value"] for b in bins],
                yerr=np.hstack([_reach(*(b["observed"][k] for k in ("value", "low", "high"))) for b in bins]),
                fmt="o",
                color=BLUE,
                capsize=4,
                label="observed, 95 %",
            )
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=name.capitalize(), aspect="equal")
            axes.set(xlabel="predicted probability", ylabel="observed share")
            axes.legend(loc="upper left")
        return Plot(
            _svg(canvas, "reliability"),
            f"Observed share against predicted probability: {' and '.join(tasks)}.",
        )


def bland_altman(volumes: Mapping[str, Any]) -> Plot:
    """Found minus true volume against their mean, a point a bleeding patient (mean over seeds)."""
    true = np.array([p["true_ml"] for p in volumes["points"]])
    found = np.array([np.mean(p["found_ml"]) for p in volumes["points"]])
    error = volumes["error_ml"]
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(10, 4.2), layout="constrained")
        axes = canvas.subplots()
        axes.plot((true + found) / 2, found - true, "o", color=BLUE, markerfacecolor="white")
        for value, line, word in (
            (error["low"], "--", "limit of agreement"),
            (error["high"], "--", "limit of agreement"),
            (error.get("bias"), "-", "bias"),
        ):
            if value is not None:
                axes.axhline(value, linestyle=line, color=ORANGE)
                axes.annotate(
                    f"{word} {value:.1f} ml".replace("-", "\u2212"),
                    (1, value),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, 3),
                    textcoords="offset points",
                    ha="right",
                    color=ORANGE,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axes.set(xlabel="mean of true and found volume, ml", ylabel="found - true, ml")
        return Plot(
            _svg(canvas, "volumes"),
            f"Bland-Altman plot of {len(true)} patients: found minus true volume against their mean.",
        )


def training_curves(
    networks: Mapping[str, Mapping[str, Sequence[float]]], columns: Mapping[str, str]
) -> Plot:
    """Curves against epoch, a panel a column of the logs.

    Args:
        networks: column to values for each network; ``epoch`` is the abscissa.
        columns: column of the log to its words; those that no log has are left out.
    """
    present = {c: words for c, words in columns.items() if any(len(n.get(c, ())) for n in networks.values())}
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(10, 3.6), layout="constrained")
        for axes, (column, words) in zip(
            canvas.subplots(1, max(1, len(present)), squeeze=False)[0], present.items(), strict=False
        ):
            few = len(networks) <= len(LINES)
            for line, (name, values) in zip(_cycled(LINES), networks.items(), strict=False):
                if len(values.get(column, ())):
                    axes.plot(
                        values["epoch"],
                        values[column],
                        line,
                        linewidth=1.8 if few else 1.0,
                        alpha=1.0 if few else 0.6,
                        color=(BLUE, ORANGE, GREEN, GREY)[LINES.index(line)] if few else BLUE,
                        label=name if few else None,
                    )
            axes.set(title=words.capitalize(), xlabel="epoch")
            if few:
                axes.legend()
        return Plot(
            _svg(canvas, "training-" + "-".join(networks)),
            f"{', '.join(present.values()).capitalize()} against epoch of {len(networks)} networks.",
        )


def waiting(scenario: Mapping[str, Any], names: Mapping[str, str]) -> Plot:
    """Mean wait and 90th percentile by group, first come first served beside the worklist's order.

    Args:
        scenario: one of ``evaluation["worklist"]["scenarios"]``.
        names: group to its words, in the order drawn.
    """
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(10, 0.9 + 0.5 * len(names)), layout="constrained")
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, (measure, words) in zip(
            panels, (("mean", "Mean wait"), ("p90", "90th percentile")), strict=True
        ):
            for kind, shift, marker, colour, label in (
                ("first_come", -0.15, "s", GREY, "first come, first served"),
                ("triage", 0.15, "o", BLUE, "worklist's order"),
            ):
                figures = [scenario["groups"][group][kind][measure] for group in names]
                known = [(place, f) for place, f in enumerate(figures) if f["value"] is not None]
                axes.errorbar(
                    [f["value"] for _, f in known],
                    [place + shift for place, _ in known],
                    xerr=np.hstack(
                        [np.zeros((2, 0)), *(_reach(f["value"], f["low"], f["high"]) for _, f in known)]
                    ),
                    fmt=marker,
                    color=colour,
                    markerfacecolor="white" if marker == "s" else colour,
                    capsize=3,
                    label=label,
                )
            axes.set(title=words, xlabel="minutes", yticks=range(len(names)))
            axes.set_xlim(left=0)
        panels[0].set_yticklabels(list(names.values()))
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        title = scenario["parameters"]["title"]
        return Plot(
            _svg(canvas, f"waiting-{scenario['parameters']['name']}"),
            f"{title}: waiting time by group, first come first served and the worklist's order; the table has"
            " the figures.",
        )


def _reach(value: float, low: float, high: float) -> NDArray[np.float64]:
    """Lengths of an error bar; a mean of shares may lie a rounding outside its own interval."""
    return np.array([[max(0.0, value - low)], [max(0.0, high - value)]])


def _cycled(lines: Sequence[str]) -> Sequence[str]:
    return [*lines] * 100


def _svg(canvas: Canvas, name: str) -> str:
    """The `<svg>` element alone, scaled by the page, its ids unlike those of other plots."""
    text = StringIO()
    canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"[^a-z0-9]+", "-", name.lower())
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return re.sub(
        r'(<svg[^>]*?) width="[^"]*"',
        r"\1",
        re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1),
        count=1,
    )
