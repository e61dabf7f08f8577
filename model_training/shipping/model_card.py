"""The model card: what the bundle says of itself, in words; every figure from its JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from headct.network.contents import BundleContents
from headct.terms.urgency import Urgency
from headct.wording import use_words

TEMPLATE = "model_card.md.jinja"
NOTES = {
    "ct_ich": "One hospital, head trauma, slices of about 5 mm. Mostly epidural bleeds and contusions: no"
    " aneurysms, few spontaneous bleeds, few old collections.",
    "phe_sich": "Basal-ganglia bleeds of one other hospital, measured on only; no bleed-free scan.",
}
"""What is known of a public source beyond its manifest."""
NOBODY = "nobody"
WRITTEN_DOWN = (
    *("manifest_sha256", "config", "seeds", "folds", "patients", "bleeding", "data", "haemorrhage"),
    *("alert", "colours", "volumes", "external", "baselines", "alert_table", "cheating", "false_alarms"),
)
"""What ``bundle.json`` takes over from ``evaluation.json``, less curves and single patients."""
_CURVES = frozenset({"roc", "precision_recall", "bins", "points", "sensitivity_of_fold_networks"})
_PATIENT_BY_PATIENT = (("patients", dict), ("doubtful", list), ("excluded", list))


def model_card(contents: BundleContents) -> str:
    """Markdown text of the card.

    Args:
        contents: of the bundle; its figures as :func:`figures` gathers them.

    Raises:
        jinja2.UndefinedError: a figure is missing.
    """
    sources = [row["source"] for row in contents.figures["data"]["sources"]]
    template = _environment().get_template(TEMPLATE)
    return template.render(
        **asdict(contents),
        rubric=contents.rubric_version,
        allows=use_words(contents.use),
        colours=[u.name for u in Urgency],
        notes=[f"{source}: {NOTES[source]}" for source in sources if source in NOTES],
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("model_training.shipping", "."),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters |= {
        "figure": _figure,
        "inline": _inline,
        "share": _share,
        "loss": _loss,
        "counts": _counts,
        "rates": _rates,
        "of_them": _of_them,
        "number": _number,
        "numbers": lambda values, digits=2: ", ".join(_number(v, digits) for v in values),
        "interval": lambda figure, digits=2: f"{figure['low']:.{digits}f} to {figure['high']:.{digits}f}",
        "percent": lambda value: f"{100 * value:g} %",
        "counted": lambda counts: ", ".join(f"{name} {n}" for name, n in counts.items()) or "none",
        "settings": lambda values: ", ".join(f"`{name} = {value}`" for name, value in _leaves(values)),
        "words": lambda name: name.replace("_", " "),
    }
    return environment


def figures(
    evaluation: Mapping[str, Any],
    table: Mapping[str, Any],
    judging: Mapping[str, Any],
    together: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a bundle says of its worth: the run's JSON files without curves and single patients.

    Args:
        evaluation: ``evaluation.json``.
        table: ``export.json``.
        judging: ``judging.json``.
        together: ``members.json``, where the networks of all seeds ship.
    """
    several = {key: value for key, value in (together or {}).items() if key != "scores"}
    return {
        **{key: _without_detail(evaluation[key]) for key in WRITTEN_DOWN},
        "export": table,
        "judging": judging,
        **({"members": several} if several else {}),
    }


def _without_detail(value: Any) -> Any:
    """Without curves; lists of single patients, who are nobody's business, become their number."""
    if not isinstance(value, dict):
        return value
    return {
        k: len(v) if (k, type(v)) in _PATIENT_BY_PATIENT else _without_detail(v)
        for k, v in value.items()
        if k not in _CURVES
    }


def _number(value: float | None, digits: int = 1) -> str:
    """Counts as integers where they are; a figure nobody has is said so."""
    if value is None:
        return NOBODY
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def _figure(figure: Mapping[str, Any], digits: int = 2) -> str:
    """Two cells of a table: value and interval."""
    if figure["value"] is None:
        return f"{NOBODY} |"
    return f"{figure['value']:.{digits}f} | {figure['low']:.{digits}f} to {figure['high']:.{digits}f}"


def _inline(figure: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Value with its interval in brackets."""
    if figure is None or figure["value"] is None:
        return "-"
    value, low, high = (f"{figure[k]:.{digits}f}" for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _loss(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return NOBODY
    return f"{figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f})"


def _counts(share: Mapping[str, Any]) -> str:
    return f"{_number(share['count'])} of {share['of']} ({_figure(share).replace(' | ', '; ')})"


def _share(share: Mapping[str, Any]) -> str:
    """Three cells of a table: value, interval, and of how many patients."""
    return f"{_figure(share)} | {_number(share['count'])} of {share['of']}"


def _of_them(share: Mapping[str, Any]) -> str:
    """One cell: share, interval and how many."""
    return f"{_inline(share)}, {_number(share['count'])} of {share['of']}"


def _rates(rates: Mapping[str, Any], before: str = "") -> str:
    """A row for each share of patients; subgroups by their name."""
    return "\n".join(
        f"| {before}{name.replace('_', ' ')} | {_share(share)} |" for name, share in _shares(rates)
    )


def _shares(rates: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in rates.items():
        if "count" in value:
            yield name, value
        else:
            yield from ((f"{inner}, {name}", share) for inner, share in value.items())


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
