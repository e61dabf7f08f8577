"""Orthanc's REST interface, as workers use it over HTTP."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from headct.errors import HeadCTError
from headct.orthanc_http import LIMITS, is_here
from orthanc_plugin.intake.contents import modality
from orthanc_plugin.intake.lineage import original
from orthanc_plugin.states import DeliveryTrouble

METADATA = "8310"
"""``HeadCTUrgency``: user metadata have numbers from 1024 on, and a number needs no registration."""
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Shorter than for others: Orthanc is on this machine, and the loop of the worker asks again."""


DELIVERY_SECONDS = 110.0
"""For a modality to take a document, a region of some megabytes too. Orthanc itself gives up on one that is
silent for 10 s (its option ``DicomScuTimeout``)."""
DELIVERY_TIMEOUT = httpx.Timeout(DELIVERY_SECONDS, connect=5.0)
_PIECE_BYTES = 2**20
_TELLING = (
    ("presentation context", DeliveryTrouble.NOT_TAKEN),
    ("failed with DIMSE status", DeliveryTrouble.REFUSED),
    ("connecting to AET", DeliveryTrouble.SILENT),
)
"""What Orthanc says in the details of its one error *NetworkProtocol* (1.10.1 to 1.12.9)."""
_NETWORK_PROTOCOL = 9
"""Orthanc's error code of what goes wrong with a modality."""


class OrthancError(HeadCTError):
    """Orthanc answered with an error; the message has its status and our route, no patient data."""


class SlowError(OrthancError):
    """Orthanc did not answer in time."""


class TokenError(OrthancError):
    """Orthanc no longer knows our token: it was restarted."""


class OrthancClient:
    """One keep-alive connection pool; may be shared by threads."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": token},
            timeout=TIMEOUT,
            limits=LIMITS,
            # Orthanc's own certificate names the hospital's host, not the loopback address.
            verify=False if is_here(url) else ssl.create_default_context(),
            trust_env=False,
        )
        self._labels: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def is_well(self) -> bool:
        """Whether Orthanc answers at all.

        Raises:
            TokenError: it no longer knows us.
        """
        try:
            self._request("GET", "/system")
        except TokenError:
            raise
        except OrthancError:
            return False
        return True

    def refuses(self, error: Exception) -> bool:
        """Whether Orthanc is well and cannot give just these files, as when one is damaged on its disk.

        Raises:
            TokenError: it no longer knows us.
        """
        return isinstance(error, OrthancError) and self.is_well()

    def instances(self, series_id: str) -> tuple[str, ...] | None:
        """Instances of a series in Orthanc, ``None`` when it has no such series."""
        answer = self._request("GET", f"/series/{series_id}", missing_ok=True)
        return tuple(answer.json()["Instances"]) if answer is not None else None

    def sop_classes(self, series_id: str) -> frozenset[str]:
        """SOP classes of what a series in Orthanc consists of, in one call."""
        wanted = {"Resources": [series_id], "Level": "Instance", "Metadata": True}
        answer = self._request("POST", "/tools/bulk-content", json=wanted)
        assert answer is not None
        return frozenset(found["Metadata"].get("SopClassUid", "") for found in answer.json())

    def has_instance(self, instance_id: str) -> bool:
        """Whether Orthanc has an instance."""
        return self._request("GET", f"/instances/{instance_id}", missing_ok=True) is not None

    def instances_of(self, sop_instance_uid: str) -> tuple[str, ...]:
        """Orthanc's identifiers of the instances with a UID."""
        answer = self._request("POST", "/tools/lookup", content=sop_instance_uid.encode())
        assert answer is not None
        return tuple(found["ID"] for found in answer.json() if found["Type"] == "Instance")

    def file(self, instance_id: str) -> bytes | None:
        """An instance's DICOM file, ``None`` when it is gone."""
        with self.reading(instance_id) as pieces:
            return b"".join(pieces) if pieces is not None else None

    @contextmanager
    def reading(self, instance_id: str) -> Iterator[Iterator[bytes] | None]:
        """An instance's DICOM file piece by piece, ``None`` when it is gone."""
        path = f"/instances/{instance_id}/file"
        with _telling("GET"), self._http.stream("GET", path) as answer:
            if answer.status_code == 404:
                yield None
                return
            _check(answer, "GET", path)
            yield answer.iter_bytes(_PIECE_BYTES)

    def study_of(self, instance_id: str) -> str | None:
        """Orthanc's identifier of the study in which an instance lies, ``None`` when it is gone."""
        answer = self._request("GET", f"/instances/{instance_id}/study", missing_ok=True)
        return str(answer.json()["ID"]) if answer is not None else None

    def received(self, instance_id: str) -> datetime | None:
        """When Orthanc received an instance, where it says so."""
        path = f"/instances/{instance_id}/metadata/ReceptionDate"
        answer = self._request("GET", path, missing_ok=True)
        if answer is None:
            return None
        try:
            return datetime.strptime(answer.text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return None

    def reports_of(self, study_id: str) -> tuple[str, ...]:
        """Structured reports of a study in Orthanc that it did not make of others by itself."""
        answer = self._request("GET", f"/studies/{study_id}/series", missing_ok=True)
        return tuple(
            instance
            for series in (answer.json() if answer is not None else ())
            if modality(series) == "SR" and original(series) is None
            for instance in series["Instances"]
        )

    def store(self, content: bytes) -> str:
        """Store a DICOM file, or find it stored already; Orthanc's identifier of the instance."""
        answer = self._request("POST", "/instances", content=content)
        assert answer is not None
        return str(answer.json()["ID"])

    def delete_instance(self, instance_id: str) -> None:
        """Delete an instance that may be gone already."""
        self._request("DELETE", f"/instances/{instance_id}", missing_ok=True)

    def urgency(self, level: str, identifier: str) -> str | None:
        """Our metadata of a series or study."""
        answer = self._request("GET", f"/{level}/{identifier}/metadata/{METADATA}", missing_ok=True)
        return answer.text if answer is not None else None

    def set_urgency(self, level: str, identifier: str, value: str | None) -> None:
        """Set or remove our metadata."""
        path = f"/{level}/{identifier}/metadata/{METADATA}"
        if value is None:
            self._request("DELETE", path, missing_ok=True)
        else:
            self._request("PUT", path, content=value.encode(), missing_ok=True)

    def labels(self, level: str, identifier: str) -> frozenset[str] | None:
        """Labels of a series or study; ``None`` where Orthanc has no labels (before 1.12.0)."""
        if self._labels is None:
            system = self._request("GET", "/system")
            assert system is not None
            numbers = [int(n) for n in system.json()["Version"].split(".")[:2] if n.isdigit()]
            # A development build has no number and is newer than any.
            self._labels = not numbers or numbers >= [1, 12]
        if not self._labels:
            return None
        answer = self._request("GET", f"/{level}/{identifier}/labels", missing_ok=True)
        return frozenset(answer.json()) if answer is not None else None

    def set_label(self, level: str, identifier: str, label: str, *, present: bool) -> None:
        """Add or remove a label."""
        method = "PUT" if present else "DELETE"
        self._request(method, f"/{level}/{identifier}/labels/{label}", missing_ok=True)

    def deliver(self, receiver: str, content: bytes) -> DeliveryTrouble | None:
        """Have a DICOM file sent to one of Orthanc's modalities, and wait; ``None`` when that has it.

        Raises:
            OrthancError: Orthanc does not answer.
            TokenError: it no longer knows us.
        """
        path = f"/modalities/{quote(receiver, safe='')}/store-straight"
        try:
            answer = self._answer("POST", path, content=content, timeout=DELIVERY_TIMEOUT)
        except SlowError:
            return DeliveryTrouble.SILENT
        if answer.status_code == 404:
            return DeliveryTrouble.UNKNOWN
        if not answer.is_error:
            return None
        said = _said(answer)
        for words, trouble in _TELLING:
            if words in said.get("Details", ""):
                return trouble
        if said.get("OrthancStatus") != _NETWORK_PROTOCOL:
            return DeliveryTrouble.REFUSED  # by Orthanc itself, which cannot send it
        # It says no more (``HttpDescribeErrors`` is off), or the line broke.
        return DeliveryTrouble.NOT_TAKEN if self._echoes(receiver) else DeliveryTrouble.SILENT

    def _echoes(self, receiver: str) -> bool:
        """Whether a modality answers at all."""
        path = f"/modalities/{quote(receiver, safe='')}/echo"
        try:
            return not self._answer("POST", path, content=b"", timeout=DELIVERY_TIMEOUT).is_error
        except SlowError:
            return False

    def _request(
        self, method: str, path: str, *, missing_ok: bool = False, **arguments: Any
    ) -> httpx.Response | None:
        answer = self._answer(method, path, **arguments)
        if answer.status_code == 404 and missing_ok:
            return None
        _check(answer, method, path)
        return answer

    def _answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Whatever Orthanc answers."""
        with _telling(method):
            answer = self._http.request(method, path, **arguments)
        _check_token(answer)
        return answer


@contextmanager
def _telling(method: str) -> Iterator[None]:
    """Whatever keeps Orthanc from answering as one of our errors, which name no patient."""
    try:
        yield
    except httpx.HTTPError as error:
        kind = SlowError if isinstance(error, httpx.ReadTimeout) else OrthancError
        raise kind(f"{method}: {type(error).__name__}") from None


def _check(answer: httpx.Response, method: str, path: str) -> None:
    _check_token(answer)
    if answer.is_error:
        raise OrthancError(f"{method} {path.split('/')[1]}: status {answer.status_code}")


def _check_token(answer: httpx.Response) -> None:
    if answer.status_code == 401:
        raise TokenError("Orthanc refuses our token")


def _said(answer: httpx.Response) -> dict[str, Any]:
    """What Orthanc says of an error."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
