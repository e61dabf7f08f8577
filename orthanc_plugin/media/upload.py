"""Images into an Orthanc over HTTP, as a user of it: announced, stored, repeated when a line breaks."""

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from headct.errors import HeadCTError, SettingsError
from headct.orthanc_http import LIMITS, PAUSES, TIMEOUT, AwayError, ask, is_gateway
from orthanc_plugin.media.recognition import Content, UnusableFileError
from orthanc_plugin.stack.credentials import Credentials

_MATCHED_EXACTLY = re.compile(r"[!-)+->@-\[\]-~]+( +[!-)+->@-\[\]-~]+)*")
"""Numbers of patients that Orthanc finds as they are: ASCII without wildcards. Others are not asked for."""
_NO_ROOM = frozenset({11, 14, 19, *range(1000, 1100)})
"""Orthanc's own numbers for what a full disk leads to: database, file, storage, SQLite (its ErrorCode)."""


class ServerError(HeadCTError):
    """The server takes no images at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An image in Orthanc."""

    series: str
    """Orthanc's identifier."""
    new: bool
    """False when Orthanc had it already."""


class Server:
    """One Orthanc with triage."""

    def __init__(self, url: str, login: Credentials, *, pauses: Sequence[float] | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"{url!r} is not an address such as http://192.0.2.1:8042")
        self._url = url.rstrip("/")
        self._user = login.user
        self._pauses = tuple(PAUSES if pauses is None else pauses)
        self._http = httpx.Client(
            base_url=self._url,
            auth=(login.user, login.password),
            timeout=TIMEOUT,
            limits=LIMITS,
            verify=ssl.create_default_context(),  # a hospital's own authority by SSL_CERT_FILE
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def check(self) -> None:
        """Is there an Orthanc, and does it know us?

        Raises:
            ServerError: it is not there, is something else, or refuses the password.
        """
        answer = self._request("GET", "/system", pauses=())
        if answer.status_code != httpx.codes.OK or "Version" not in _object(answer):
            raise ServerError(f"what answers at {self._url} is no Orthanc (status {answer.status_code})")

    def announce(self, study_instance_uid: str, *, new: bool) -> bool:
        """Say that images of a study are about to come; whether it will be among the earlier studies.

        Raises:
            ServerError: triage does not run there, or refuses imports.
        """
        answer = self._request(
            "POST",
            "/triage/api/v1/imports",
            json={"study_instance_uids": [study_instance_uid], "new": new},
            headers={"X-Triage": "import"},
        )
        said = _object(answer)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise ServerError(f"triage does not run in the Orthanc at {self._url}")
        if answer.status_code != httpx.codes.OK:
            raise ServerError(f"triage takes no import: {said.get('message', answer.status_code)}")
        return bool(said["studies"][0]["earlier"])

    def bring(self, image: Content) -> Stored:
        """Store an image that is not there: what comes from a medium never replaces one that is.

        Raises:
            UnusableFileError, ServerError: as of :meth:`store`.
        """
        series = self._series_of(image)
        return self.store(image.data) if series is None else Stored(series, new=False)

    def _series_of(self, image: Content) -> str | None:
        """Orthanc's identifier of the series in which it has an image, if it can be asked for its patient."""
        if not _MATCHED_EXACTLY.fullmatch(image.patient_id):
            return None
        query = {
            "PatientID": image.patient_id,
            "StudyInstanceUID": image.study_instance_uid,
            "SOPInstanceUID": image.sop_instance_uid,
        }
        answer = self._request(
            "POST", "/tools/find", json={"Level": "Instance", "Query": query, "Expand": True}
        )
        found = answer.json() if answer.status_code == httpx.codes.OK else []
        return str(found[0]["ParentSeries"]) if found else None

    def store(self, data: bytes) -> Stored:
        """Store one DICOM file, or find it stored.

        Raises:
            UnusableFileError: Orthanc refuses this file.
            ServerError: Orthanc cannot store anything.
        """
        answer = self._request(
            "POST", "/instances", content=data, headers={"Content-Type": "application/dicom"}
        )
        said = _object(answer)
        if answer.status_code == httpx.codes.OK and said.get("Status") in {"Success", "AlreadyStored"}:
            return Stored(str(said["ParentSeries"]), said["Status"] == "Success")
        words = said.get("Details") or said.get("Message") or said.get("Status")
        if answer.status_code == httpx.codes.INSUFFICIENT_STORAGE or said.get("OrthancStatus") in _NO_ROOM:
            raise ServerError(f"Orthanc cannot store any more, is its disk full? ({words})")
        raise UnusableFileError(f"Orthanc refuses it ({words or answer.status_code})")

    def _request(
        self, method: str, path: str, *, pauses: Sequence[float] | None = None, **arguments: Any
    ) -> httpx.Response:
        try:
            answer = ask(
                lambda: self._http.request(method, path, **arguments),
                self._pauses if pauses is None else pauses,
                is_away=_is_away,
            )
        except AwayError as error:
            raise ServerError(f"{self._url} does not answer ({error})") from None
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN} and not _object(answer):
            raise ServerError(f"{self._url} refuses the user {self._user} with this password")
        return answer


def _is_away(answer: httpx.Response) -> bool:
    # Triage says in JSON why it is away; that is an answer.
    return is_gateway(answer) and not _object(answer)


def _object(answer: httpx.Response) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
