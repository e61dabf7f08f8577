"""Whole heads, real ones and generated, as files in memory with what is known of their blood."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from data import SHARED
from dicom_stack import file_bytes

from headct.generator.generation import generate
from headct.images.geometry import stack
from headct.images.reading import read_headers

REAL_STUDIES = ("toshiba_trauma/axial_brain", "siemens_stroke_0019983/ct", "siemens_stroke_0226308/ct")
GENERATED = ("cerebellar", "epidural", "intracerebral", "normal", "normal_infant", "subarachnoid", "subdural")


@dataclass(frozen=True, slots=True)
class WholeHead:
    """One series that covers the head."""

    name: str
    files: tuple[bytes, ...]
    """Feet first."""
    blood: tuple[float, ...]
    """Of each slice: ml by the radiologists' masks, 1 where there is only a mark that it bleeds."""

    @property
    def bleeds(self) -> bool:
        """Is there blood in any slice?"""
        return any(self.blood)


def real_folders() -> list[Path]:
    """Every series of a whole head among the real data; none where they are not here."""
    if not SHARED.is_dir():
        return []
    public = [f for source in ("ct_ich", "phe_sich") for f in (SHARED / source / "series").iterdir()]
    return sorted(public) + [SHARED / "real_studies" / name for name in REAL_STUDIES]


def real_head(folder: Path) -> WholeHead:
    """With the blood that the tables mark."""
    files = [file.read_bytes() for file in sorted(folder.iterdir())]
    headers = read_headers(files)
    order = stack(headers).order
    marked = _marked(folder.parents[1]) if folder.parent.name == "series" else {}
    blood = tuple(marked.get((folder.name, int(headers[i].InstanceNumber)), 0.0) for i in order)
    name = "/".join(folder.relative_to(SHARED).parts).replace("/series", "")
    return WholeHead(name, tuple(files[i] for i in order), blood)


@cache
def _marked(source: Path) -> dict[tuple[str, int], float]:
    """Blood of each patient's slices."""
    found: dict[tuple[str, int], float] = defaultdict(float)
    with (source / "slices.csv").open() as table:
        for row in csv.DictReader(table):
            flag = float(row.get("any_ich") == "1" or row.get("bleed_box", "0") != "0")
            found[row["patient"], int(row["slice"])] = float(row.get("bleed_ml") or 0.0) or flag
    return found


def generated_heads(seeds: range, **protocol: object) -> Iterator[WholeHead]:
    """Heads of many kinds, small enough to be damaged in many ways."""
    setting = {"matrix": 256, "vendor": "siemens", **protocol}
    for kind in GENERATED:
        for seed in seeds:
            made = generate(kind, seed, **setting)  # type: ignore[arg-type]
            images, mask = made.datasets, made.mask()
            blood = tuple(float(n) for n in np.count_nonzero(mask, axis=(1, 2)))
            yield WholeHead(f"generated/{kind}-{seed}", tuple(file_bytes(ds) for ds in images), blood)
