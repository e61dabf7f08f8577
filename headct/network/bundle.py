"""A model folder: the network and all that is needed to run and to judge it. An altered one is refused."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import exp, isfinite
from pathlib import Path
from typing import Any, TypeVar

from headct.errors import BundleError
from headct.language import pgettext
from headct.network.preprocessing import CONTEXT, CROP_COLUMNS, CROP_ROWS
from headct.network.reference import Reference
from headct.terms.assessment import BundleIdentity
from headct.triage.learned_urgency import LearnedUrgency

FORMAT = 1
BUNDLE_JSON = "bundle.json"
MODEL_CARD = "MODEL_CARD.md"

_DEVICE_NAMESPACE = uuid.UUID("7d2f3c0e-3c43-5d0e-9d0b-0f5a2c1b8e46")
"""Fixed namespace of device UIDs (RFC 9562 name-based UUIDs)."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_T = TypeVar("_T")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class InputContract:
    """What the network reads: float32 Hounsfield units, shape (n, rows, columns, 2 * context + 1).

    The last axis holds a slab with ``context`` neighbours below and above it, feet first, the end slabs
    repeated. The output is the bleed probability of each pixel of the slab, shape (n, rows, columns, 1).
    """

    kind: str = "head_volume"
    """Which preprocessing makes the input: :func:`headct.network.preprocessing.head_volume`."""
    rows: int = CROP_ROWS
    columns: int = CROP_COLUMNS
    context: int = CONTEXT


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds chosen out of fold."""

    voxel: float
    """A voxel counts as blood from this network output on."""
    haemorrhage: float
    """A patient counts as bleeding from this bleed score on."""
    power: float = 2.0
    """Of the network's outputs in that score, see :mod:`headct.findings.scoring`; 1 if not said."""


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
    input: InputContract = field(default_factory=InputContract)
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Measured performance, as the model card gives it."""
    network: str = "network.tflite"
    """File name of the network."""
    learned_urgency: LearnedUrgency | None = None
    """Learned from specialists' labels; without one the rubric alone gives the urgency."""
    reference: Reference | None = None
    """Scores and inputs of those trained on; ``None`` in bundles from before this was recorded."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files were checked against their hashes."""

    folder: Path
    contents: BundleContents
    device_uid: str
    """New whenever network or contents change; the device observer of reports (DICOM PS3.16 TID 1004)."""
    created: datetime
    digest: str
    """SHA-256 of bundle.json, hex."""

    @property
    def network(self) -> Path:
        """The network's file."""
        return self.folder / self.contents.network

    @property
    def identity(self) -> BundleIdentity:
        """Which model speaks, for assessments and reports."""
        return BundleIdentity(self.contents.name, self.contents.version, self.device_uid, self.digest)


def write_bundle(
    folder: Path,
    contents: BundleContents,
    network: bytes,
    model_card: str,
    *,
    extra_files: Mapping[str, bytes] | None = None,
    created: datetime | None = None,
) -> Bundle:
    """Write a new bundle, complete or not at all, and read it back.

    Raises:
        BundleError: the folder exists, or the contents would not be read back.
    """
    if folder.exists():
        raise BundleError(pgettext("detail", "{folder} exists; a bundle is never overwritten", folder=folder))
    files = {contents.network: network, MODEL_CARD: model_card.encode(), **(extra_files or {})}
    body = _to_json(contents, {name: _sha256(data) for name, data in sorted(files.items())})
    body["device_uid"] = _device_uid(body)
    body["created"] = (created or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=folder.parent) as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        for name, data in files.items():
            (draft / _plain(name)).write_bytes(data)
        try:
            text = json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise BundleError(pgettext("detail", "a bundle's figures are finite numbers")) from error
        (draft / BUNDLE_JSON).write_text(text + "\n", encoding="utf-8")
        load_bundle(draft)
        shutil.move(draft, folder)
    return load_bundle(folder)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check every file against its hash.

    Raises:
        BundleError: missing, incomplete, altered, of another format or for another input, in one sentence.
    """
    try:
        raw = (folder / BUNDLE_JSON).read_bytes()
    except OSError as error:
        raise BundleError(
            pgettext(
                "detail", "{folder} is not a bundle: {file} cannot be read", folder=folder, file=BUNDLE_JSON
            )
        ) from error
    body = _parse(raw, folder)
    _check_files(folder, body)
    contents = _from_json(body, folder)
    # The device UID is made from everything else, so a threshold edited by hand is noticed too.
    if body.get("device_uid") != _device_uid(body):
        raise BundleError(
            pgettext(
                "detail", "{folder} was altered: its device UID does not fit its contents", folder=folder
            )
        )
    try:
        created = datetime.fromisoformat(body["created"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            pgettext("detail", "{folder} does not say when it was created", folder=folder)
        ) from error
    if created.tzinfo is None:
        raise BundleError(
            pgettext("detail", "{folder} gives its time of creation without a time zone", folder=folder)
        )
    return Bundle(folder, contents, body["device_uid"], created, _sha256(raw))


def default_bundle() -> Path:
    """Folder of the bundle to use: ``HEADCT_BUNDLE``, else the newest that ships.

    Raises:
        BundleError: there is none.
    """
    if chosen := os.environ.get("HEADCT_BUNDLE"):
        return Path(chosen)
    shipped = [
        (str(_parse((folder / BUNDLE_JSON).read_bytes(), folder).get("created", "")), folder)
        for folder in shipped_bundles()
    ]
    if not shipped:
        raise BundleError(
            pgettext("detail", "no bundle is installed; name one with --bundle or HEADCT_BUNDLE")
        )
    return max(shipped)[1]


def shipped_bundles() -> list[Path]:
    """Folders of the bundles that ship; nothing in them is checked."""
    package = Path(__file__).resolve().parent.parent
    return [
        path.parent
        for models in (package / "models", package.parent / "models")
        for path in sorted(models.glob(f"*/{BUNDLE_JSON}"))
    ]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _device_uid(body: Mapping[str, Any]) -> str:
    """UID made from a UUID (DICOM PS3.5 B.2) that is made from the contents, the network's hash included."""
    named = {key: value for key, value in body.items() if key not in ("device_uid", "created")}
    digest = _sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode())
    return f"2.25.{uuid.uuid5(_DEVICE_NAMESPACE, digest).int}"


def _plain(name: object) -> str:
    """A file name without any path; never a way out of the folder."""
    if not isinstance(name, str) or not _PLAIN_NAME.match(name) or name == BUNDLE_JSON:
        raise BundleError(pgettext("detail", "{name} is not a plain file name", name=repr(name)))
    return name


def _parse(raw: bytes, folder: Path) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BundleError(
            pgettext("detail", "{folder}: {file} is not JSON", folder=folder, file=BUNDLE_JSON)
        ) from error
    if not isinstance(body, dict):
        raise BundleError(
            pgettext("detail", "{folder}: {file} is not a JSON object", folder=folder, file=BUNDLE_JSON)
        )
    return body


def _check_files(folder: Path, body: Mapping[str, Any]) -> None:
    """Every file named is there and unaltered, and none is there that is not named."""
    if body.get("format") != FORMAT:
        raise BundleError(
            pgettext(
                "detail",
                "{folder} has bundle format {format}; this program reads {own}",
                folder=folder,
                format=repr(body.get("format")),
                own=FORMAT,
            )
        )
    files = body.get("files")
    if not isinstance(files, dict) or not files:
        raise BundleError(pgettext("detail", "{folder} does not list its files", folder=folder))
    for name, digest in files.items():
        path = folder / _plain(name)
        if not path.is_file() or path.is_symlink():
            raise BundleError(
                pgettext("detail", "{folder} is incomplete: {name} is missing", folder=folder, name=name)
            )
        if not isinstance(digest, str) or not _SHA256.match(digest):
            raise BundleError(
                pgettext("detail", "{folder} gives no SHA-256 for {name}", folder=folder, name=name)
            )
        if _sha256(path.read_bytes()) != digest:
            raise BundleError(
                pgettext(
                    "detail",
                    "{folder} was altered: {name} does not have the hash that was recorded",
                    folder=folder,
                    name=name,
                )
            )
    if MODEL_CARD not in files:
        raise BundleError(pgettext("detail", "{folder} has no model card", folder=folder))
    # Hidden files are left by desktops and editors and are never read.
    present = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if strangers := sorted(present - set(files) - {BUNDLE_JSON}):
        raise BundleError(
            pgettext(
                "detail",
                "{folder} was altered: it holds {name}, which it does not list",
                folder=folder,
                name=strangers[0],
            )
        )


def _to_json(contents: BundleContents, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": contents.name,
        "version": contents.version,
        "input": asdict(contents.input),
        "network": contents.network,
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
        "files": dict(files),
        **({"urgency_head": contents.learned_urgency.to_json()} if contents.learned_urgency else {}),
        **({"reference": contents.reference.to_json()} if contents.reference else {}),
    }


def _from_json(body: Mapping[str, Any], folder: Path) -> BundleContents:
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
    try:
        learned = body.get("urgency_head")
        contents = BundleContents(
            name=_checked(body["name"], str, bool),
            version=_checked(body["version"], str, bool),
            input=InputContract(
                **{**given, "context": _checked(given["context"], int, lambda n: 0 <= n <= 8)}
            ),
            network=_checked(body["network"], str, lambda name: name in body["files"]),
            thresholds=Thresholds(
                voxel=_number(body["cuts"]["voxel"], lambda p: 0 < p < 1),
                haemorrhage=_number(body["cuts"]["haemorrhage"]),
                power=_number(body["cuts"].get("power", 1.0), lambda power: power > 0),
            ),
            haemorrhage=_calibration(body["calibration"]["haemorrhage"]),
            alert=_calibration(body["calibration"]["alert"]),
            rubric_version=_checked(body["rubric"], str, bool),
            data=TrainingData(
                manifest_sha256=_checked(
                    body["data"]["manifest_sha256"], str, lambda h: bool(_SHA256.match(h))
                ),
                patients=_checked(body["data"]["patients"], int, lambda n: n > 0),
                sources=tuple(_checked(s, str, bool) for s in body["data"]["sources"]),
                pixel_digests=tuple(
                    _checked(digest, str, lambda h: bool(_SHA256.match(h)))
                    for digest in body["data"].get("pixel_digests", ())
                ),
            ),
            figures=_get(body, "figures", folder),
            licence=_checked(body["licence"], str, bool),
            learned_urgency=LearnedUrgency.from_json(learned) if learned is not None else None,
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
