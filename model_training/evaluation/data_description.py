"""Who the figures are about: patients, parts, exclusions and licences of a manifest, as plain JSON."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from model_training.datasets.manifest import EXTERNAL, TEST, TRAIN, VALIDATION, Entry, Manifest

SMALL_ML, LARGE_ML = 5.0, 30.0
"""Bounds of the table of volumes: what subgroups speak of, and the rubric's large bleed."""


def describe_data(manifest: Manifest) -> dict[str, Any]:
    """What the report says of the data; counts are of patients in use, exclusions are listed one by one."""
    used = [p for p in manifest.patients if not p.exclusion and not p.single]
    crossed = manifest.in_folds
    bled = [p.bleed_ml for p in crossed if p.bleeding and p.bleed_ml is not None]
    return {
        "sha256": manifest.sha256,
        "split_seed": manifest.split_seed,
        "selection": dict(manifest.selection),
        "sources": [_source(manifest, name) for name in sorted({p.source for p in manifest.patients})],
        "parts": {part: _counts(manifest.part(part)) for part in (TRAIN, VALIDATION, TEST, EXTERNAL)},
        "cross_validation": {"folds": len(manifest.folds), **_counts(crossed)},
        "labels": dict(
            sorted(Counter(name for p in crossed for name, is_so in p.labels.items() if is_so).items())
        ),
        "volumes": {
            "small_ml": SMALL_ML,
            "large_ml": LARGE_ML,
            "small": sum(ml < SMALL_ML for ml in bled),
            "middle": sum(SMALL_ML <= ml < LARGE_ML for ml in bled),
            "large": sum(ml >= LARGE_ML for ml in bled),
        },
        "urgency_by": dict(Counter(p.urgency_by for p in crossed if p.urgency_by)),
        "doubtful": [
            {"patient": p.patient, "source": p.source, "why": p.doubtful} for p in used if p.doubtful
        ],
        "excluded": [
            {"patient": p.patient, "source": p.source, "why": p.exclusion}
            for p in manifest.patients
            if p.exclusion and not p.single
        ],
    }


def _source(manifest: Manifest, name: str) -> dict[str, Any]:
    found = [p for p in manifest.patients if p.source == name]
    used = [p for p in found if not p.exclusion]
    slices = sum(p.single for p in used)
    return {
        "source": name,
        "licence": manifest.licences.get(name),
        "excluded": len(found) - len(used),
        "measured_on_only": bool(used) and all(p.split == EXTERNAL for p in used),
        # Slices and patients in no common figure.
        **_counts([p for p in used if not p.single]),
        **({"single_slices": slices} if slices else {}),
    }


def _counts(patients: Sequence[Entry]) -> dict[str, Any]:
    ages = [p.age_years for p in patients if p.age_years is not None]
    return {
        "patients": _people(patients),
        "bleeding": _people(p for p in patients if p.bleeding),
        "under_18": _people(p for p in patients if p.under_18),
        "female": _people(p for p in patients if p.sex == "F"),
        "male": _people(p for p in patients if p.sex == "M"),
        "age": {"youngest": min(ages), "median": median(ages), "oldest": max(ages)} if ages else None,
    }


def _people(entries: Iterable[Entry]) -> int:
    return len({p.who for p in entries})
