"""Series of all kinds, made and written; equal arguments give equal bytes."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset

from headct.generator import bodies
from headct.generator.dicom import VENDORS, SeriesHeader, image, template
from headct.generator.encoding import TransferSyntax
from headct.generator.head import build_head
from headct.generator.kinds import KINDS, Kind, Scan, Subject
from headct.generator.lesions import BLEEDS
from headct.generator.patient import CharacterSet, Patient, derived_uid
from headct.generator.scanner import Plane, Protocol, SlicePlan, planned, sample, scanned
from headct.generator.volume import Volume
from headct.reasons import ReasonCode

_EXAMINED = datetime(2026, 1, 15, 3, 10)


class Order(StrEnum):
    """In which order images are numbered and written."""

    FEET_FIRST = "feet_first"
    HEAD_FIRST = "head_first"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True)
class Truth:
    """What was put into a series."""

    kind: str
    seed: int
    age_years: float
    eligible: bool
    expected_reason: ReasonCode | None
    bleeds: bool
    volumes_ml: dict[str, float]
    """Achieved volume by kind of lesion, infarcts too, in ml."""
    midline_shift_mm: float
    """Of the septum pellucidum, positive to the patient's left."""

    @property
    def bleed_ml(self) -> float:
        """Blood in all, in ml."""
        return sum(v for k, v in self.volumes_ml.items() if k in BLEEDS)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {**asdict(self), "bleed_ml": self.bleed_ml}


@dataclass(frozen=True)
class GeneratedSeries:
    """A series about to be made; images are made while they are taken from `images()`."""

    header: SeriesHeader
    truth: Truth
    _volume: Volume
    _scan: Scan
    _seed: int
    _order: Order
    _missing: tuple[float, float] | None

    @cached_property
    def datasets(self) -> list[Dataset]:
        """All images in the order of their writing."""
        return list(self.images())

    def images(self) -> Iterator[Dataset]:
        """The images one after the other, for series too large to hold."""
        base = template(self.header)
        match self._scan:
            case Scan.LOCALIZER:
                frames = _localizer(self._volume, self.header.protocol)
            case _:
                frames = scanned(self._volume, self.header.protocol, self._seed)
        kept = self._kept()
        numbers = self._numbers(len(kept))
        place = dict(zip(kept, numbers, strict=True))
        made = (
            image(base, self.header, place[i], plan, hu) for i, (plan, hu) in enumerate(frames) if i in place
        )
        if self._order is Order.FEET_FIRST or self._scan is Scan.LOCALIZER:
            yield from made
        else:
            yield from sorted(made, key=lambda ds: int(ds.InstanceNumber))

    def mask(self) -> NDArray[np.bool_]:
        """Where the blood is: shape (slices, rows, columns), feet first, as `scanned` gave the slices."""
        grid, n = self._volume.grid, self.header.protocol.matrix
        blood = sum(
            (f for k, f in self._volume.lesions.items() if k in BLEEDS), np.zeros(grid.shape, np.float32)
        )
        plans = planned(grid, self.header.protocol)
        return np.stack([sample(blood, grid, plans[i], n, 0.0) > 0.5 for i in self._kept()])

    def _kept(self) -> list[int]:
        if self._scan is Scan.LOCALIZER:
            return [0, 1]
        count = len(planned(self._volume.grid, self.header.protocol))
        first, last = self._missing or (2.0, 2.0)
        return [i for i in range(count) if not first * count <= i < last * count]

    def _numbers(self, count: int) -> list[int]:
        numbers = list(range(1, count + 1))
        if self._order is Order.HEAD_FIRST:
            numbers.reverse()
        elif self._order is Order.SHUFFLED:
            np.random.default_rng([self._seed, 4]).shuffle(numbers)
        return numbers


def _localizer(volume: Volume, protocol: Protocol) -> Iterator[tuple[SlicePlan, NDArray[np.int16]]]:
    centre = (np.asarray(volume.grid.shape[::-1]) - 1) * volume.grid.spacing / 2 + volume.grid.origin
    down, pixel = np.array([0.0, 0, -1]), protocol.fov_mm / protocol.matrix
    for lateral in (False, True):
        row = np.array([0.0, 1, 0]) if lateral else np.array([1.0, 0, 0])
        corner = centre - (row + down) * pixel * (protocol.matrix - 1) / 2
        plan = SlicePlan(corner, row, down, np.cross(row, down), pixel, protocol.thickness_mm, 0.0)
        hu = bodies.projection(volume, lateral, protocol.matrix, protocol.fov_mm)
        yield plan, hu.astype(np.int16)


_head = lru_cache(maxsize=4)(build_head)


def _volume(kind: Kind, seed: int, age: float) -> Volume:
    match kind.subject:
        case Subject.WATER:
            return bodies.water_phantom()
        case Subject.CHEST:
            return bodies.chest(seed)
    volume = _head(seed, age, kind.lesions, contrast=kind.contrast)
    return replace(volume, hu=bodies.as_mr(volume.hu)) if kind.scan is Scan.MR else volume


# Long, for half of it says what its arguments are.
def generate(
    kind: str | Kind,
    seed: int = 0,
    *,
    salt: str = "",
    study: str = "",
    age_years: float | None = None,
    vendor: str | None = None,
    charset: CharacterSet = CharacterSet.IR6_IR87,
    syntax: TransferSyntax = TransferSyntax.EXPLICIT_LITTLE,
    order: Order = Order.FEET_FIRST,
    number: int = 2,
    when: datetime = _EXAMINED,
    **protocol: Any,
) -> GeneratedSeries:
    """A series of that kind; equal arguments give equal bytes.

    Args:
        kind: a name in `KINDS`, or a kind of one's own.
        seed: the head, the patient and the noise.
        salt: makes the same series a new one: other UIDs, another PatientID.
        study: series with the same seed, salt and study share study and patient; the kind's name if empty.
        age_years: drawn from the kind's range if None.
        vendor: a name in `VENDORS`; drawn if None.
        charset: Specific Character Set.
        syntax: transfer syntax.
        order: numbering and writing order of the images.
        number: series number.
        when: study date and time.
        **protocol: fields of `Protocol` to change, such as thickness_mm, tilt_deg, kernel, matrix.

    Raises:
        KeyError: no such kind or vendor.
        TypeError: no such field of `Protocol`.
        ValueError: a lesion does not fit into the head.
    """
    spec = KINDS[kind] if isinstance(kind, str) else kind
    rng = np.random.default_rng([seed, 5])
    age = float(rng.uniform(*spec.ages)) if age_years is None else age_years
    named = sorted(name for name in VENDORS if name != "silent")
    maker = VENDORS[named[int(rng.integers(len(named)))] if vendor is None else vendor]
    setting = replace(spec.protocol, **protocol)
    volume = _volume(spec, seed, age)
    key = study or spec.name
    study_uid = derived_uid("study", salt, seed, key)
    said = (spec.name, number, setting, vendor, charset, syntax, order)
    header = SeriesHeader(
        patient=Patient.drawn(seed, age, f"{salt}/{key}"),
        charset=charset,
        syntax=syntax,
        vendor=maker,
        protocol=setting,
        study_uid=study_uid,
        series_uid=derived_uid("series", study_uid, *said),
        frame_uid=derived_uid("frame", study_uid),
        when=when,
        number=number,
        **_described(spec, setting.plane),
    )
    return GeneratedSeries(
        header, _truth(spec, seed, age, volume), volume, spec.scan, seed, order, spec.missing
    )


def _described(kind: Kind, plane: Plane) -> dict[str, Any]:
    """What the header says of a series of that kind."""
    head, mr = kind.subject is Subject.HEAD, kind.scan is Scan.MR
    body = {Subject.HEAD: "HEAD", Subject.CHEST: "CHEST", Subject.WATER: "PHANTOM"}[kind.subject]
    image_type = ("ORIGINAL", "PRIMARY", "AXIAL")
    description = ""
    if kind.scan is Scan.LOCALIZER:
        image_type, description = ("ORIGINAL", "PRIMARY", "LOCALIZER"), "Scout"
    elif plane is Plane.CORONAL:
        image_type, description = ("DERIVED", "SECONDARY", "MPR"), "Coronal 3.0"
    elif mr:
        image_type, description = ("ORIGINAL", "PRIMARY", "M"), "T1 SE"
    elif not head:
        description = "Water QA" if kind.subject is Subject.WATER else "Chest 7.0"
    elif kind.contrast:
        description = "Head CE 5.0"
    return {
        "modality": "MR" if mr else "CT",
        "image_type": image_type,
        "body_part": body,
        "description": description,
        "study_description": ("MR " if mr else "CT ") + ("HEAD" if head else body),
        "contrast_agent": "IOHEXOL" if kind.contrast else "",
    }


def _truth(kind: Kind, seed: int, age: float, volume: Volume) -> Truth:
    return Truth(
        kind=kind.name,
        seed=seed,
        age_years=round(age, 2),
        eligible=kind.eligible,
        expected_reason=kind.expected_reason,
        bleeds=kind.bleeds,
        volumes_ml={k: round(float(f.sum()) * volume.grid.voxel_ml, 2) for k, f in volume.lesions.items()},
        midline_shift_mm=round(volume.midline_shift_mm, 2),
    )


def trauma_study(kind: str = "epidural", seed: int = 0, **options: Any) -> list[GeneratedSeries]:
    """A trauma study as scanners send it: localizer, axial brain, axial bone and coronal of one head."""
    spec = KINDS[kind]
    shared: dict[str, Any] = {"study": f"trauma {kind}", "age_years": sum(spec.ages) / 2, **options}
    others = (replace(KINDS[name], lesions=spec.lesions) for name in ("localizer", "bone_kernel", "coronal"))
    localizer, bone, coronal = others
    return [
        generate(s, seed, number=n, **shared) for n, s in enumerate((localizer, spec, bone, coronal), start=1)
    ]


def write(series: GeneratedSeries, folder: Path) -> list[Path]:
    """Write the images into `folder`, the truth beside it as `FOLDER.truth.json`; gives the images' paths.

    Raises:
        FileExistsError: the folder holds something. A rest of an older series would become part of this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    paths = []
    for ds in series.images():
        path = folder / f"{ds.InstanceNumber:04d}.dcm"
        dcmwrite(path, ds, enforce_file_format=True)
        paths.append(path)
    beside = folder.with_name(folder.name + ".truth.json")
    beside.write_text(json.dumps(series.truth.to_json(), indent=2) + "\n", encoding="utf-8")
    return paths
