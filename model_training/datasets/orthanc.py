"""An Orthanc with triage, read by the training package: what persons said, and the images they said it of."""

import functools
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import httpx
from pyorthanc import Orthanc

from headct.errors import HeadCTError, SettingsError, UnusableInputError
from headct.orthanc_http import LIMITS, PAUSES, TIMEOUT, AwayError, UntrustedError, ask, is_here
from headct.terms.judged_case import JudgedCase
from headct.terms.label import StoredLabel

_Row = TypeVar("_Row")


class PacsError(HeadCTError):
    """Orthanc does not answer, refuses, or is no Orthanc with triage; never says of whom."""


@dataclass(frozen=True, slots=True)
class Login:
    """One of Orthanc's users."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in Orthanc."""

    id: str
    """Orthanc's identifier."""
    file: str
    """Of the file: another one when the image was stored again."""


class Pacs:
    """Reads from one Orthanc as one of its users; changes nothing there."""

    def __init__(
        self, url: str, login: Login, *, ca: Path | None = None, pauses: Sequence[float] = PAUSES
    ) -> None:
        """Open no connection yet.

        Args:
            url: of Orthanc itself, such as ``https://pacs.example:8042``.
            login: a user of Orthanc.
            ca: certificates to trust instead of the system's, in PEM form.
            pauses: seconds to wait before a request is repeated.

        Raises:
            SettingsError: the address or the file of certificates cannot be used.
        """
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL:
            address = httpx.URL()
        if address.scheme not in {"http", "https"} or not address.host:
            raise SettingsError("the address must be one such as http://192.0.2.1:8042")
        if address.userinfo:
            raise SettingsError("user and password do not belong into the address, which is shown and logged")
        try:
            verify = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise SettingsError(f"{ca} holds no certificates") from error
        # It would log every address, and Orthanc's identifiers are made from patients'.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._pauses = tuple(pauses)
        self._user = login.user
        self._orthanc = Orthanc(
            str(address).rstrip("/"),
            login.user,
            login.password,
            return_raw_response=True,  # pyorthanc's own errors quote the answer
            timeout=TIMEOUT,
            limits=LIMITS,
            verify=verify,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._orthanc.close()

    @property
    def in_clear(self) -> bool:
        """Whether others on the way could read along."""
        return httpx.URL(self._orthanc.url).scheme == "http" and not is_here(self._orthanc.url)

    def reviewed(self) -> tuple[StoredLabel, ...]:
        """All series that a person spoke of and that are still there.

        Raises:
            PacsError: no answer, no triage there, or the user is refused.
        """
        return self._all("labels", StoredLabel.from_json)

    def judged(self, bundle: str, since: datetime | None = None) -> tuple[JudgedCase, ...]:
        """All cases of the queue that a bundle judged, with what those said who read them blind.

        Args:
            bundle: its digest.
            since: when the first of them arrived; ``None`` for all.

        Raises:
            PacsError: as :meth:`reviewed`.
        """
        asked = {"bundle": bundle} | ({"since": since.isoformat()} if since is not None else {})
        return self._all("cases", JudgedCase.from_json, asked)

    def _all(
        self, what: str, read: Callable[[Mapping[str, Any]], _Row], asked: Mapping[str, str] | None = None
    ) -> tuple[_Row, ...]:
        """The rows of all parts of what triage gives in parts."""
        found: list[_Row] = []
        after: int | None = 0
        while after is not None:
            query = urlencode({"after": after, **(asked or {})})
            where = f"{self._orthanc.url}/triage/api/v1/{what}?{query}"
            answer = self._answer(functools.partial(self._orthanc.get, where))
            if answer is None:
                raise PacsError(f"triage does not run in an Orthanc at {self._orthanc.url}")
            try:
                body = answer.json()
                found += [read(row) for row in body[what]]
                following = body.get("next")
                after = None if following is None else max(int(following), after + 1)
            except (KeyError, TypeError, ValueError):
                raise PacsError(f"what answers at {self._orthanc.url} is no triage of this version") from None
        return tuple(found)

    def images(self, series_id: str) -> tuple[StoredImage, ...] | None:
        """Images of a series, ``None`` when Orthanc no longer has it.

        Raises:
            PacsError: no answer, or another one.
        """
        answer = self._answer(lambda: self._orthanc.get_series_id_instances(series_id))
        if answer is None:
            return None
        try:
            found = [StoredImage(str(one["ID"]), str(one["FileUuid"])) for one in answer.json()]
        except (KeyError, TypeError, ValueError):
            raise PacsError(f"what answers at {self._orthanc.url} is no Orthanc") from None
        return tuple(sorted(found, key=lambda image: image.id))

    def file(self, image: StoredImage) -> bytes:
        """An image's DICOM file.

        Raises:
            PacsError: no answer, or another one.
            UnusableInputError: Orthanc no longer has it.
        """
        answer = self._answer(lambda: self._orthanc.get_instances_id_file(image.id))
        if answer is None:
            raise UnusableInputError("an image is no longer in Orthanc")
        return answer.content

    def _answer(self, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        """The answer of Orthanc; ``None`` for something that it does not have."""
        try:
            answer = ask(send, self._pauses)
        except UntrustedError:
            raise PacsError(f"the certificate of {self._orthanc.url} is not trusted; see --ca") from None
        except AwayError as error:
            raise PacsError(f"{self._orthanc.url} does not answer ({error}); run again to go on") from None
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise PacsError(f"{self._orthanc.url} refuses the user {self._user} with this password")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise PacsError(f"{self._orthanc.url} answers with status {answer.status_code}")
        return answer
