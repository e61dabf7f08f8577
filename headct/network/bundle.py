"""A model folder: its networks and all that is needed to run and to judge it. An altered one is refused."""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headct.errors import BundleError
from headct.language import pgettext
from headct.nesting import nested_too_deeply
from headct.network.contents import BUNDLE_JSON, FORMATS, SHA256, BundleContents, from_json, to_json
from headct.terms.assessment import BundleIdentity
from headct.terms.licence import Licence, Use

MODEL_CARD = "MODEL_CARD.md"

_DEVICE_NAMESPACE = uuid.UUID("7d2f3c0e-3c43-5d0e-9d0b-0f5a2c1b8e46")
"""Fixed namespace of device UIDs (RFC 9562 name-based UUIDs)."""
_MAX_JSON_BYTES = 2**24
"""Of bundle.json. Those that ship have some 100 KB."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files were checked against their hashes."""

    folder: Path
    contents: BundleContents
    device_uid: str
    """New whenever networks or contents change; the device observer of reports (DICOM PS3.16 TID 1004)."""
    created: datetime
    digest: str
    """SHA-256 of bundle.json, hex."""

    @property
    def networks(self) -> tuple[Path, ...]:
        """The networks' files."""
        return tuple(self.folder / name for name in self.contents.networks)

    @property
    def identity(self) -> BundleIdentity:
        """Which model speaks, for assessments and reports."""
        return BundleIdentity(self.contents.name, self.contents.version, self.device_uid, self.digest)

    @property
    def licence(self) -> Licence:
        """Under which terms it may be used."""
        return Licence(self.contents.licence, self.contents.use)


def write_bundle(
    folder: Path,
    contents: BundleContents,
    networks: bytes | Sequence[bytes],
    model_card: str,
    *,
    extra_files: Mapping[str, bytes] | None = None,
    created: datetime | None = None,
) -> Bundle:
    """Write a new bundle, complete or not at all, and read it back.

    Args:
        folder: which is to be.
        contents: what the bundle says.
        networks: in the order in which the contents name them; or the only one.
        model_card: its text.
        extra_files: by name, whatever else lies in it.
        created: now, unless given.

    Raises:
        BundleError: the folder exists, or the contents would not be read back.
    """
    if folder.exists():
        raise BundleError(pgettext("detail", "{folder} exists; a bundle is never overwritten", folder=folder))
    several = [networks] if isinstance(networks, bytes) else networks
    files = dict(zip(contents.networks, several, strict=True))
    files |= {MODEL_CARD: model_card.encode(), **(extra_files or {})}
    body = to_json(contents, {name: _sha256(data) for name, data in sorted(files.items())})
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
        raw = read_contents(folder)
    except OSError as error:
        raise BundleError(
            pgettext(
                "detail", "{folder} is not a bundle: {file} cannot be read", folder=folder, file=BUNDLE_JSON
            )
        ) from error
    body = _parse(raw, folder)
    _check_files(folder, body)
    contents = from_json(body, folder)
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


def read_contents(folder: Path) -> bytes:
    """What bundle.json holds.

    Raises:
        OSError: it cannot be read, is no file or no such one.
    """
    path = folder / BUNDLE_JSON
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a file")  # to read from a pipe takes as long as its other end likes
    with path.open("rb") as file:
        raw = file.read(_MAX_JSON_BYTES + 1)
    if len(raw) > _MAX_JSON_BYTES:
        raise OSError(errno.EFBIG, "too large")
    return raw


def default_bundle(*, research: bool = False) -> Path:
    """Folder of the bundle to use: ``HEADCT_BUNDLE``, else the newest that ships for any use.

    Args:
        research: rather the newest for research alone, where one ships.

    Raises:
        BundleError: there is none.
    """
    if chosen := os.environ.get("HEADCT_BUNDLE"):
        return Path(chosen)
    newest: dict[str, tuple[str, Path]] = {}
    for folder in shipped_bundles():
        body = _parse((folder / BUNDLE_JSON).read_bytes(), folder)
        use, one = str(body.get("use", Use.ANY)), (str(body.get("created", "")), folder)
        newest[use] = max(newest.get(use, one), one)
    for use in (Use.RESEARCH, Use.ANY) if research else (Use.ANY,):
        if use in newest:
            return newest[use][1]
    raise BundleError(
        pgettext("detail", "no bundle for any use is installed; name one with --bundle or HEADCT_BUNDLE")
    )


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


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _device_uid(body: Mapping[str, Any]) -> str:
    """UID made from a UUID (DICOM PS3.5 B.2) that is made from the contents, networks' hashes included."""
    named = {key: value for key, value in body.items() if key not in ("device_uid", "created")}
    digest = _sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode())
    return f"2.25.{uuid.uuid5(_DEVICE_NAMESPACE, digest).int}"


def _plain(name: object) -> str:
    """A file name without any path; never a way out of the folder."""
    if not isinstance(name, str) or not _PLAIN_NAME.match(name) or name == BUNDLE_JSON:
        raise BundleError(pgettext("detail", "{name} is not a plain file name", name=repr(name)))
    return name


def _parse(raw: bytes, folder: Path) -> dict[str, Any]:
    if nested_too_deeply(raw):
        raise BundleError(
            pgettext("detail", "{folder}: {file} is nested too deeply", folder=folder, file=BUNDLE_JSON)
        )
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
    if body.get("format") not in FORMATS:
        raise BundleError(
            pgettext(
                "detail",
                "{folder} has bundle format {format}; this program reads {own}",
                folder=folder,
                format=repr(body.get("format")),
                own=" and ".join(map(str, FORMATS)),
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
        if not isinstance(digest, str) or not SHA256.match(digest):
            raise BundleError(
                pgettext("detail", "{folder} gives no SHA-256 for {name}", folder=folder, name=name)
            )
        if _sha256_of(path) != digest:
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
