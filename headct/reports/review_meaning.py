"""What a report of a review says, as read back, and the text of all that matters in it, which is sealed.

The text is made of what the report means, not of its bytes: stored in another transfer syntax, in other
lengths or padding, sent from archive to archive, a report means the same.
"""

import json
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Self

from headct.terms.review import Review

_FORM = 1
"""Of the text: raised with any change, for seals of the one before would no longer fit."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A series of the study that the reader had before them beside the one they spoke of."""

    series_instance_uid: str
    images: int
    case_identity: str = ""
    """Of what the machine had said of it; empty where it had not judged it."""

    def __str__(self) -> str:
        """As it stands in a report; :meth:`parse` reads it."""
        return f"{self.series_instance_uid} {self.images} {self.case_identity}".rstrip()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Inverse of ``str``.

        Raises:
            ValueError: it is something else.
        """
        uid, images, *identity = text.split(" ")
        return cls(uid, int(images), "".join(identity))


@dataclass(frozen=True, slots=True)
class ReviewContent:
    """What a document of a review says, as read back."""

    sop_instance_uid: str
    patient_id: str
    """As :func:`headct.images.headers.identifier` gives it."""
    filed_in: str
    """StudyInstanceUID of the document itself."""
    study_instance_uid: str
    series_instance_uid: str
    """The reviewed series, not the document's own."""
    sop_instance_uids: tuple[str, ...]
    """The images of the reviewed series, in slice order where it was judged."""
    review: Review
    request_id: str
    case_identity: str | None
    """``None`` where the series was never judged."""
    based_on: str | None
    """SOP instance UID of the machine's report under review."""
    predecessor_uids: tuple[str, ...]
    """Of the machine's report and of the same reader's earlier review, as far as there are any."""
    summary: tuple[str, ...]
    """The review in words, line by line."""
    follows: tuple[str, ...] = ()
    """SOP instance UIDs of the last reports of the other readers who had spoken of the series before; from
    before 0.2 none."""
    beside: tuple[Beside, ...] = ()
    """Other series of the study."""
    seal: str = ""
    """Of :attr:`statement`; empty where it has none, as before 0.2."""

    @property
    def images(self) -> int:
        """How many the reviewed series had."""
        return len(set(self.sop_instance_uids))

    @property
    def said_before(self) -> tuple[str, ...]:
        """SOP instance UIDs of reports that were given before this one, whatever clocks showed."""
        return (*self.predecessor_uids, *self.follows)

    @property
    def statement(self) -> str:
        """All that matters: patient, study, series and images, who says what of them, and the report itself.

        The patient is who is meant by the number. Names are spelled anew, and birth dates corrected, by
        every archive on the way.
        """
        said: dict[str, Any] = self.review.to_json()
        return canonical({
            "form": _FORM,
            "report": self.sop_instance_uid,
            "patient": self.patient_id,
            "filed_in": self.filed_in,
            "study": self.study_instance_uid,
            "series": self.series_instance_uid,
            "images": sorted(set(self.sop_instance_uids)),
            "review": {**said, "at": self.review.at.astimezone(UTC).isoformat()},
            "request": self.request_id,
            "case": self.case_identity,
            "based_on": self.based_on,
            "predecessors": sorted(self.predecessor_uids),
            "summary": self.summary,
            "beside": sorted(map(str, self.beside)),
            # Left out where there are none, so that reports from before there were any keep their seals.
            **({"follows": sorted(self.follows)} if self.follows else {}),
        })  # fmt: skip


def canonical(said: dict[str, Any]) -> str:
    """The one text of what is said, whatever the order it was put together in."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"))
