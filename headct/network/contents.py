"""What a bundle says of itself, and its ``bundle.json``: thresholds, calibrations, data, figures."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import exp, isfinite
from pathlib import Path
from typing import Any, TypeVar

from headct.errors import BundleError
from headct.language import pgettext
from headct.network.preprocessing import CONTEXT, CROP_COLUMNS, CROP_ROWS, Missing
from headct.network.reference import Reference
from headct.terms.licence import Use
from headct.triage.learned_urgency import LearnedUrgency

FORMATS = (1, 2)
"""Of ``bundle.json``. A program that knows the first alone must not judge by one of several networks."""
BUNDLE_JSON = "bundle.json"
SHA256 = re.compile(r"[0-9a-f]{64}\Z")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class InputContract:
    """What the network reads: float32 Hounsfield units, shape (n, rows, columns, 2 * context + 1).

    The last axis holds a slab with ``context`` neighbours below and above it, feet first. The output is the
    bleed probability of each pixel of the slab, shape (n, rows, columns, 1).
    """

    kind: str = "head_volume"
    """Which preprocessing makes the input: :func:`headct.network.preprocessing.head_volume`."""
    rows: int = CROP_ROWS
    columns: int = CROP_COLUMNS
    context: int = CONTEXT
    missing: Missing = Missing.REPEATED
    """What stands for neighbours that are not there; not said by bundles from before there was a choice."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds chosen out of fold."""

    voxel: float
    """A voxel counts as blood from this network output on."""
    haemorrhage: float
    """A patient counts as bleeding from this bleed score on."""
    power: float = 2.0
    """Of the network's outputs in that score, see :mod:`headct.findings.scoring`; 1 if not said."""
    margin: float = 0.0
    """How far a small disturbance moves a score. An answer that another haemorrhage threshold, so far from
    this one, would turn is not sure; 0 if not said."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two-parameter logistic from a score to a probability (Platt 1999)."""

    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        """Probability in [0, 1]; rises with the score."""
        x = self.slope * score + self.intercept
        return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the network was trained on."""

    manifest_sha256: str
    patients: int
    sources: tuple[str, ...]
    pixel_digests: tuple[str, ...] = ()
    """SHA-256 of the pixels of everybody trained on, as :attr:`headct.images.series.CTSeries.pixel_digest`: a
    comparison of bundles leaves them out. Empty in bundles from before this was recorded."""


@dataclass(frozen=True, slots=True)
class BundleContents:
    """All that ``bundle.json`` says except identity of the device and hashes, which are computed."""

    name: str
    version: str
    thresholds: Thresholds
    haemorrhage: Calibration
    alert: Calibration
    rubric_version: str
    data: TrainingData
    licence: str
    """In words, as :attr:`headct.terms.licence.Licence.text`."""
    input: InputContract = field(default_factory=InputContract)
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Measured performance, as the model card gives it."""
    networks: tuple[str, ...] = ("network.tflite",)
    """File names of the networks whose mean decides, at least one; the first one's alert goes out at once.
    The thresholds are those of the mean."""
    learned_urgency: LearnedUrgency | None = None
    """Learned from specialists' labels; without one the rubric alone gives the urgency."""
    reference: Reference | None = None
    """Scores and inputs of those trained on; ``None`` in bundles from before this was recorded."""
    use: Use = Use.ANY
    """What the licence allows; any use in bundles from before this was said, which learnt from nothing but
    ``ct_ich`` (CC BY 4.0) and a hospital's own patients."""


def to_json(contents: BundleContents, files: Mapping[str, str]) -> dict[str, Any]:
    """The body of ``bundle.json``, but for what identifies it; :func:`from_json` reads it back.

    Args:
        contents: what the bundle says.
        files: SHA-256 of each of its files.
    """
    several = len(contents.networks) > 1
    return {
        "format": FORMATS[several],
        "name": contents.name,
        "version": contents.version,
        "input": asdict(contents.input),
        **({"networks": list(contents.networks)} if several else {"network": contents.networks[0]}),
        "cuts": asdict(contents.thresholds),
        "calibration": {"haemorrhage": asdict(contents.haemorrhage), "alert": asdict(contents.alert)},
        "rubric": contents.rubric_version,
        "data": {
            **asdict(contents.data),
            "sources": list(contents.data.sources),
            "pixel_digests": sorted(contents.data.pixel_digests),
        },
        "figures": dict(contents.figures),
        "licence": contents.licence,
        "use": contents.use,
        "files": dict(files),
        **({"urgency_head": contents.learned_urgency.to_json()} if contents.learned_urgency else {}),
        **({"reference": contents.reference.to_json()} if contents.reference else {}),
    }


def from_json(body: Mapping[str, Any], folder: Path) -> BundleContents:
    """Inverse of :func:`to_json`; the folder is named where something is wrong.

    Raises:
        BundleError: incomplete, a value that cannot be, or made for another input.
    """
    given = _input(body, folder)
    try:
        contents = BundleContents(
            name=_checked(body["name"], str, bool),
            version=_checked(body["version"], str, bool),
            input=InputContract(
                **{
                    **given,
                    "context": _checked(given["context"], int, lambda n: 0 <= n <= 8),
                    "missing": Missing(given.get("missing", Missing.REPEATED)),
                }
            ),
            networks=_networks(body),
            thresholds=Thresholds(
                voxel=_number(body["cuts"]["voxel"], lambda p: 0 < p < 1),
                haemorrhage=_number(body["cuts"]["haemorrhage"]),
                power=_number(body["cuts"].get("power", 1.0), lambda power: power > 0),
                margin=_number(body["cuts"].get("margin", 0.0), lambda margin: margin >= 0),
            ),
            haemorrhage=_calibration(body["calibration"]["haemorrhage"]),
            alert=_calibration(body["calibration"]["alert"]),
            rubric_version=_checked(body["rubric"], str, bool),
            data=TrainingData(
                manifest_sha256=_checked(
                    body["data"]["manifest_sha256"], str, lambda h: bool(SHA256.match(h))
                ),
                patients=_checked(body["data"]["patients"], int, lambda n: n > 0),
                sources=tuple(_checked(s, str, bool) for s in body["data"]["sources"]),
                pixel_digests=tuple(
                    _checked(digest, str, lambda h: bool(SHA256.match(h)))
                    for digest in body["data"].get("pixel_digests", ())
                ),
            ),
            figures=_get(body, "figures", folder),
            licence=_checked(body["licence"], str, bool),
            use=Use(body.get("use", Use.ANY)),
            learned_urgency=(
                LearnedUrgency.from_json(body["urgency_head"]) if "urgency_head" in body else None
            ),
            reference=Reference.from_json(_get(body, "reference", folder)) if "reference" in body else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            pgettext(
                "detail",
                "{folder}: {file} is incomplete or has a value that cannot be ({error})",
                folder=folder,
                file=BUNDLE_JSON,
                error=error,
            )
        ) from error
    return contents


def _input(body: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the network reads, if this program makes it."""
    expected = InputContract()
    given = _get(body, "input", folder)
    if (given.get("kind"), given.get("rows"), given.get("columns")) != (
        expected.kind,
        expected.rows,
        expected.columns,
    ):
        raise BundleError(
            pgettext(
                "detail",
                "{folder} was made for another input than {kind} of this program",
                folder=folder,
                kind=expected.kind,
            )
        )
    return given


def _networks(body: Mapping[str, Any]) -> tuple[str, ...]:
    several = body["format"] == FORMATS[1]
    names = _checked(body["networks"], list, lambda n: len(n) > 1) if several else [body["network"]]
    if len(set(names)) < len(names):
        raise ValueError("a network is named twice")
    return tuple(_checked(name, str, lambda n: n in body["files"]) for name in names)


def _get(body: Mapping[str, Any], key: str, folder: Path) -> dict[str, Any]:
    value = body.get(key)
    if not isinstance(value, dict):
        raise BundleError(
            pgettext("detail", "{folder}: {file} has no {key}", folder=folder, file=BUNDLE_JSON, key=key)
        )
    return value


def _checked(value: object, kind: type[_T], good: Callable[[_T], bool]) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool) or not good(value):
        raise ValueError(f"not allowed: {value!r}")
    return value


def _number(value: object, good: Callable[[float], bool] = isfinite) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and good(value)):
        raise ValueError(f"not allowed: {value!r}")
    return float(value)


def _calibration(value: Mapping[str, Any]) -> Calibration:
    # A falling calibration would call a bleed less likely the more blood there is.
    return Calibration(_number(value["slope"], lambda slope: slope > 0), _number(value["intercept"]))
