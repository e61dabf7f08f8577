"""Findings to urgency, by published size criteria; every threshold and its source is in ``rubric.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, Self

from headct.errors import RubricError
from headct.terms.assessment import Finding, FindingKind, Location
from headct.terms.urgency import Urgency

FORMAT = 1
MIDLINE_NOISE_MM = 4.0
"""Offsets below are noise of the measure: 95th percentile 3.0 mm in 37 bleed-free patients of ``ct_ich``,
3.8 mm in an earlier and larger sample of the same hospital."""


class Rule(StrEnum):
    """Rules that may fire; words in :mod:`headct.wording`."""

    VENTRICULAR_BLACK = "ventricular_black"
    TOTAL_BLACK = "total_black"
    THICKNESS = "thickness"
    DEEP_COUNT = "deep_count"
    PERIPHERAL_VOLUME = "peripheral_volume"
    DEEP_VOLUME = "deep_volume"
    TOTAL_VOLUME = "total_volume"
    VENTRICULAR = "ventricular"
    MIDLINE = "midline"
    ANY_BLEED = "any_bleed"
    MIDLINE_ALONE = "midline_alone"


@dataclass(frozen=True, slots=True)
class MeasurementLimits:
    """How a mask becomes findings."""

    component_min_ml: float
    blood_max_hu: float
    old_max_hu: float
    peripheral_max_depth_mm: float
    csf_min_ml: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a finding is RED or BLACK."""

    thickness_red_mm: float
    deep_count_red: float
    peripheral_red_ml: float
    deep_red_ml: float
    total_red_ml: float
    midline_mm: float
    total_black_ml: float
    ventricular_black_ml: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rubric says."""

    urgency: Urgency
    rules: tuple[Rule, ...]
    """Rules that fired, worst first."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """A checked rubric file."""

    version: str
    limits: MeasurementLimits
    thresholds: Thresholds
    sources: Mapping[str, str]
    """Source of each value, by its name."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a rubric file.

        Raises:
            RubricError: not readable, unknown or missing values, a value without source, or a value or an
                order of values that makes no sense; in one sentence.
        """
        try:
            body = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RubricError(f"{path} cannot be read as a rubric: {error}") from error
        if body.get("format") != FORMAT:
            raise RubricError(f"{path} has rubric format {body.get('format')!r}; this program reads {FORMAT}")
        if unknown := set(body) - {"format", "version", "measurement", "rules"}:
            raise RubricError(f"{path}: {min(unknown)} is not known")
        version = body.get("version")
        if not isinstance(version, str) or not version:
            raise RubricError(f"{path} has no version")
        limits, sources = _read(path, body, "measurement", MeasurementLimits)
        thresholds, more = _read(path, body, "rules", Thresholds)
        rubric = cls(version, MeasurementLimits(**limits), Thresholds(**thresholds), {**sources, **more})
        rubric._check_order(path)
        return rubric

    def judge(self, findings: tuple[Finding, ...]) -> Judgement:
        """The worst urgency of all rules that are met; GREEN, *nothing flagged*, when none is.

        More blood never gives a lower urgency, and a midline offset only raises one.
        """
        fresh = [f for f in findings if f.kind is FindingKind.HAEMORRHAGE]
        old = [f for f in findings if f.kind is FindingKind.OLD_COLLECTION]
        ventricular = [f for f in findings if f.kind is FindingKind.INTRAVENTRICULAR_BLOOD]
        bleed = bool(fresh or old or ventricular)
        t = self.thresholds
        fresh_ml = _total_ml(fresh + ventricular)
        deep = [f for f in fresh if f.location is Location.DEEP]
        peripheral = [f for f in fresh if f.location is Location.PERIPHERAL]
        offset = max((abs(f.offset_mm) for f in findings if f.offset_mm is not None), default=0.0)
        met = {
            Rule.VENTRICULAR_BLACK: bool(ventricular) and fresh_ml > t.ventricular_black_ml,
            Rule.TOTAL_BLACK: fresh_ml > t.total_black_ml,
            Rule.THICKNESS: any((f.thickness_mm or 0.0) >= t.thickness_red_mm for f in fresh),
            Rule.DEEP_COUNT: len(deep) >= t.deep_count_red,
            Rule.PERIPHERAL_VOLUME: any((f.volume_ml or 0.0) > t.peripheral_red_ml for f in peripheral),
            Rule.DEEP_VOLUME: any((f.volume_ml or 0.0) >= t.deep_red_ml for f in deep),
            # Old collections count here: diluted or anaemic fresh blood can look old, and a large old
            # collection needs a surgeon soon as well.
            Rule.TOTAL_VOLUME: fresh_ml + _total_ml(old) >= t.total_red_ml,
            Rule.VENTRICULAR: bool(ventricular),
            Rule.MIDLINE: bleed and offset >= t.midline_mm,
            Rule.ANY_BLEED: bleed,
            # An infarct with swelling, or blood as dense as brain: something pushes, whatever it is.
            Rule.MIDLINE_ALONE: not bleed and offset >= t.midline_mm,
        }
        rules = tuple(rule for rule in Rule if met[rule])
        return Judgement(max((_URGENCY[rule] for rule in rules), default=Urgency.GREEN), rules)

    def _check_order(self, path: Path) -> None:
        t, m = self.thresholds, self.limits
        rising = (
            ("component_min_ml", m.component_min_ml, "deep_red_ml", t.deep_red_ml),
            ("old_max_hu", m.old_max_hu, "blood_max_hu", m.blood_max_hu),
            ("deep_red_ml", t.deep_red_ml, "total_black_ml", t.total_black_ml),
            ("peripheral_red_ml", t.peripheral_red_ml, "total_black_ml", t.total_black_ml),
            ("total_red_ml", t.total_red_ml, "ventricular_black_ml", t.ventricular_black_ml),
            ("ventricular_black_ml", t.ventricular_black_ml, "total_black_ml", t.total_black_ml),
        )
        for low_name, low, high_name, high in rising:
            if low > high:
                raise RubricError(f"{path}: {low_name} ({low:g}) is above {high_name} ({high:g})")
        if not t.deep_count_red.is_integer():
            raise RubricError(f"{path}: deep_count_red is a whole number")


_URGENCY: dict[Rule, Urgency] = {
    Rule.VENTRICULAR_BLACK: Urgency.BLACK,
    Rule.TOTAL_BLACK: Urgency.BLACK,
    Rule.THICKNESS: Urgency.RED,
    Rule.DEEP_COUNT: Urgency.RED,
    Rule.PERIPHERAL_VOLUME: Urgency.RED,
    Rule.DEEP_VOLUME: Urgency.RED,
    Rule.TOTAL_VOLUME: Urgency.RED,
    Rule.VENTRICULAR: Urgency.RED,
    Rule.MIDLINE: Urgency.RED,
    Rule.ANY_BLEED: Urgency.YELLOW,
    Rule.MIDLINE_ALONE: Urgency.YELLOW,
}


@cache
def default_rubric() -> Rubric:
    """The rubric that ships."""
    return Rubric.load(Path(__file__).with_name("rubric.toml"))


def _total_ml(findings: list[Finding]) -> float:
    return sum(f.volume_ml or 0.0 for f in findings)


def _read(
    path: Path, body: Mapping[str, Any], section: str, values: type[MeasurementLimits] | type[Thresholds]
) -> tuple[dict[str, float], dict[str, str]]:
    """Values and sources of one section, complete and each with a source."""
    table = body.get(section)
    if not isinstance(table, dict):
        raise RubricError(f"{path} has no section {section}")
    names = [f.name for f in fields(values)]
    if missing := [name for name in names if name not in table]:
        raise RubricError(f"{path}: {section}.{missing[0]} is missing")
    if unknown := sorted(set(table) - set(names)):
        raise RubricError(f"{path}: {section}.{unknown[0]} is not known")
    numbers, sources = {}, {}
    for name in names:
        entry = table[name]
        if not isinstance(entry, dict) or set(entry) != {"value", "source"}:
            raise RubricError(f"{path}: {section}.{name} has a value and a source, nothing else")
        value, source = entry["value"], entry["source"]
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
            raise RubricError(f"{path}: {section}.{name} is a number above 0")
        if not isinstance(source, str) or not source.strip():
            raise RubricError(f"{path}: {section}.{name} has no source")
        numbers[name], sources[name] = float(value), source
    return numbers, sources
