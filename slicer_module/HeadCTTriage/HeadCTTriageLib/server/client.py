"""The server's REST interfaces, triage's and Orthanc's, as the panel uses them."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import RefusedError, TriageError, UnreachableError, UnreadableError
from ..translation import _
from .address import in_clear, server_url
from .cases import Review, ReviewAnswer, Series, Status, Study, Worklist
from .connection import Answer, Connection, Limit, Server
from .orthanc import OrthancSeries
from .reading import parse, read, to_json

__all__ = ["Check", "ConflictError", "Server", "TriageClient"]

API = "/triage/api/v1"
ANSWER = Limit(seconds=45.0, bytes=64 * 2**20)
"""A worklist of 2,000 studies has about 6 MB. A server that sends a little now and then is not waited for."""
MOST_STUDIES = 500
"""Of a list; nobody reads so many before it is asked for again, and the server's page has the others."""
IMAGE = Limit(seconds=120.0, bytes=2**30)


class ConflictError(TriageError):
    """The case is no longer as the reader saw it."""

    def __init__(self, message: str, current: Series) -> None:
        """``current``: as it is now."""
        super().__init__(message)
        self.current = current


@dataclass(frozen=True)
class Check:
    """The server answers; what is to be known all the same."""

    status: Status
    warnings: tuple[str, ...]
    """Sentences."""


class TriageClient:
    """One login at one server. May be shared by threads; every call has a time limit.

    Every call raises :class:`UnreachableError` when the server is away, slow or not to be trusted,
    :class:`RefusedError` when it says no, and :class:`UnreadableError` when it is not triage that speaks.
    Identifiers of studies, series and instances are Orthanc's.
    """

    def __init__(self, server: Server, language: str = "en") -> None:
        """Nothing is asked yet; what is wrong with the address is said by the first call.

        ``language``: of the server's own words, refusals too.
        """
        self.server = server
        self.language = language
        self._connection = Connection(server, language)

    def close(self) -> None:
        """End this login: calls under way fail at once, later ones too."""
        self._connection.close()

    def cancel(self, thread: threading.Thread) -> None:
        """The call that another thread is in, if any, fails with :class:`CancelledError`."""
        if thread.ident is not None:
            self._connection.cancel(thread.ident)

    def check(self) -> Check:
        """Whether server and login are usable, and what is to be known of them in words."""
        try:
            status = self.status()
        except UnreadableError:
            raise UnreadableError(self._who_answers()) from None
        except RefusedError as error:
            if error.code != RefusedError.GONE:
                raise
            raise UnreadableError(self._who_answers()) from None
        warnings = []
        if in_clear(server_url(self.server.url)):
            warnings.append(
                _("The connection is not encrypted: others in the network can read password and images.")
            )
        if not status.running:
            why = status.reason.of(self.language) if status.reason else ""
            warnings.append(_("Triage is stopped, no urgency is given. {why}").format(why=why).strip())
        elif status.model_problem:
            warnings.append(status.model_problem.of(self.language))
        if not status.authentication:
            warnings.append(_("The server asks for no password, so it takes no reviews."))
        return Check(status, tuple(warnings))

    def status(self) -> Status:
        """Is the machine alive?"""
        return read(Status, self._json("GET", f"{API}/status"))

    def worklist(self) -> Worklist:
        """Studies in the order of work: all, or of a very long list its beginning."""
        part = read(Worklist, self._json("GET", f"{API}/worklist"))
        # What moved between two parts meanwhile is there once.
        rows, earlier = ({case.id: case for case in cases} for cases in (part.rows, part.earlier))
        while part.next is not None and len(rows) + len(earlier) < MOST_STUDIES:
            part = read(Worklist, self._json("GET", f"{API}/worklist?offset={part.next}"))
            for known, cases in ((rows, part.rows), (earlier, part.earlier)):
                for case in cases:
                    known.setdefault(case.id, case)
        return dataclasses.replace(part, rows=tuple(rows.values()), earlier=tuple(earlier.values()))

    def study(self, study_id: str) -> Study:
        """One study in full."""
        return read(Study, self._json("GET", f"{API}/studies/{study_id}"))

    def series(self, series_id: str) -> Series:
        """One series in full."""
        return read(Series, self._json("GET", f"{API}/series/{series_id}"))

    def review(self, series_id: str, review: Review) -> ReviewAnswer:
        """Send a review. The same one sent again gets the first answer.

        Raises:
            ConflictError: the series is no longer as the reader saw it.
        """
        return read(ReviewAnswer, self._json("POST", f"{API}/series/{series_id}/review", to_json(review)))

    def orthanc(self, route: str) -> Any:
        """An answer of Orthanc's own REST interface, parsed."""
        return self._json("GET", route)

    def instances(self, series_id: str) -> list[str]:
        """The images of a series, in no order."""
        return list(read(OrthancSeries, self.orthanc(f"/series/{series_id}")).Instances)

    def file(self, instance_id: str, transcode: str = "") -> bytes:
        """A DICOM file as it is stored; in another transfer syntax if Orthanc can, from 1.12.2 on.

        An older one does not know the wish and gives the file as it is stored.
        """
        wish = f"?transcode={transcode}" if transcode else ""
        return self._bytes("GET", f"/instances/{instance_id}/file{wish}")

    def transcoded(self, instance_id: str, transfer_syntax: str) -> bytes:
        """A DICOM file in another transfer syntax, as Orthanc makes it from 1.7.0 on; nothing is stored.

        Raises:
            UnreachableError: of kind ``failed``: this Orthanc cannot.
        """
        # "Force" only confirms that the copy keeps the name of the original.
        how = {"Transcode": transfer_syntax, "Keep": ["SOPInstanceUID"], "Force": True}
        return self._bytes("POST", f"/instances/{instance_id}/modify", how)

    def _json(self, method: str, route: str, body: Any = None) -> Any:
        return parse(self._accepted(self._connection.ask(method, route, body, ANSWER)).body)

    def _bytes(self, method: str, route: str, body: Any = None) -> bytes:
        return self._accepted(self._connection.ask(method, route, body, IMAGE)).body

    def _accepted(self, answer: Answer) -> Answer:
        """The answer, if it is one to what was asked; whatever else as an error."""
        if answer.status in {200, 201}:
            return answer
        if answer.status == 401:
            raise RefusedError(_("The server does not know this user or password."), RefusedError.LOGIN)
        said = answer.json() or {}
        # Triage says "code" and "message", Orthanc "OrthancStatus" and "Message".
        code, message = said.get("code"), said.get("message")
        if answer.status >= 500:
            raise UnreachableError(
                _("The server cannot answer now (status {status}). {why}")
                .format(status=answer.status, why=message if isinstance(message, str) else "")
                .strip(),
                UnreachableError.FAILED,
            )
        if isinstance(code, str) and isinstance(message, str):
            if answer.status == 409:
                raise ConflictError(message, read(Series, said.get("current")))
            raise RefusedError(message, code)
        if answer.status == 403:
            raise RefusedError(_("The server does not allow this login to do that."), "forbidden")
        if answer.status == 404 and "OrthancStatus" in said:
            raise RefusedError(_("The server does not have this any more."), RefusedError.GONE)
        raise self._somebody_else(answer)

    def _somebody_else(self, answer: Answer) -> UnreadableError:
        elsewhere = urlsplit(answer.location)
        if elsewhere.netloc:
            sentence = _("The server points to another address, {where}. If it is right, enter that one.")
            return UnreadableError(sentence.format(where=f"{elsewhere.scheme}://{elsewhere.netloc}"))
        if answer.status == 400 and b"plain HTTP" in answer.body:  # as nginx and Apache say it
            return UnreadableError(_("The server wants https:// before its name."))
        sentence = _("What answers at this address is not triage (status {status}).")
        return UnreadableError(sentence.format(status=answer.status))

    def _who_answers(self) -> str:
        """In words, who it is that is not triage."""
        try:
            system = self._accepted(self._connection.ask("GET", "/system", None, ANSWER)).json()
        except (UnreadableError, RefusedError) as error:
            return str(error)
        if system is None or "DicomAet" not in system:
            return _("Another web server answers at this address, no Orthanc with triage.")
        return _("Orthanc {version} answers, but triage is not installed in it.").format(
            version=system.get("Version", "")
        )
