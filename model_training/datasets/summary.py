"""Who is in prepared data, in tables: patients by part of the split, and what was left out and why."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from headct.terms.urgency import Urgency
from model_training.datasets.manifest import (
    EXTERNAL,
    PROVISIONAL,
    SPECIALIST,
    TEST,
    TRAIN,
    VALIDATION,
    Entry,
    Manifest,
)
from model_training.datasets.source import BLEEDS

EXCLUSIONS = "exclusions.csv"


def summary(manifest: Manifest) -> str:
    """The tables that ``headct-train dataset`` prints."""
    used = [p for p in manifest.patients if not p.exclusion and not p.single]
    names = ("", "patients", "bleeding", "with masks", "under 18", "age unknown", "doubtful")
    lines: list[Sequence[str]] = [names]
    for source in sorted({p.source for p in manifest.patients if not p.single}):
        lines.append((source, *_counts([p for p in used if p.source == source])))
    for part in (TRAIN, VALIDATION, TEST, EXTERNAL):
        words = f"{part} (measured on only)" if part == EXTERNAL else part
        lines.append((words, *_counts(manifest.part(part))))
    blocks = [_table(lines), _urgencies(used, manifest.rubric)]
    if manifest.single_slices:
        blocks.append(_table(_single_slices(manifest.single_slices)))
    if manifest.excluded:
        blocks.append(_table([("left out", "series"), *_reasons(manifest)]))
    licences = [f"{source}: {licence}" for source, licence in manifest.licences.items()]
    blocks.append("\n".join((*licences, f"manifest {manifest.sha256}")))
    return "\n\n".join(blocks)


def write_exclusions(manifest: Manifest, folder: Path) -> Path:
    """Write every series that was left out with its reason to ``exclusions.csv``; gives its path."""
    path = folder / EXCLUSIONS
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source", "patient", "study", "series", "reason"))
        for p in manifest.excluded:
            writer.writerow((p.source, p.who, p.study, p.series, p.exclusion))
    return path


def _single_slices(slices: Sequence[Entry]) -> list[Sequence[str]]:
    """Slices that came alone, by source and kind of blood; of how many patients is mostly unknown."""
    rows: list[Sequence[str]] = [
        ("single slices", "slices", "with blood", *BLEEDS, "with masks", "trained on")
    ]
    for source in sorted({p.source for p in slices}):
        own = [p for p in slices if p.source == source]
        counts = [len(own), sum(p.bleeding for p in own)]
        counts += [sum(p.labels.get(kind, False) for p in own) for kind in BLEEDS]
        counts += [sum(p.bleeding and p.masked for p in own), sum(p.fold is not None for p in own)]
        rows.append((source, *map(str, counts)))
    return rows


def _counts(patients: Sequence[Entry]) -> tuple[str, ...]:
    """Patients in all, who bleed, whose blood is marked, children, of unknown age, with a doubtful label."""

    def people(some: Sequence[Entry]) -> str:
        return str(len({p.who for p in some}))

    bleeding = [p for p in patients if p.bleeding]
    return (
        people(patients),
        people(bleeding),
        people([p for p in bleeding if p.masked]),
        people([p for p in patients if p.under_18]),
        people([p for p in patients if p.age_years is None]),
        people([p for p in patients if p.doubtful]),
    )


def _urgencies(patients: Sequence[Entry], rubric: str) -> str:
    rows = [("urgency", *(u.name for u in Urgency))]
    for by, words in (
        (SPECIALIST, "by a specialist"),
        (PROVISIONAL, f"provisional (rubric {rubric} over true masks)"),
    ):
        of = Counter(p.urgency for p in patients if p.urgency_by == by)
        rows.append((words, *(str(of[u.name]) for u in Urgency)))
    without = sum(p.urgency is None for p in patients)
    return _table(rows) + f"\nwithout urgency: {without}"


def _reasons(manifest: Manifest) -> list[tuple[str, str]]:
    """Reasons without their details in brackets, the most frequent first."""
    of = Counter(f"{p.source}: {p.exclusion.split(' (')[0]}" for p in manifest.excluded)
    return [(reason, str(count)) for reason, count in of.most_common()]


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, words to the left, numbers to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
