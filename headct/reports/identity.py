"""Result UIDs from what was judged and by which bundle, so that a repeat names the same object."""

import hashlib
from collections.abc import Iterable
from uuid import UUID, uuid5

from headct.images import headers
from headct.images.series import CTSeries

_NAMESPACE = UUID("5b1a5a0e-6c0f-4a3f-9d52-3f6f0f6d7a31")
"""Keeps our name-based UUIDs apart from everybody else's; drawn once at random, never to be changed."""


def case_identity(series: CTSeries) -> str:
    """What makes a case this case: SHA-256, hex, of patient, study, series, the set of images and the pixels.

    The order of the images does not count, nor which of several passes of a scan turned out to be the worst:
    the set is of all. A late slice, a changed pixel or a corrected PatientID makes another case, whose
    results are other objects.
    """
    header = series.headers[0]
    parts = [
        headers.identifier(header, "PatientID"),
        headers.text(header, "StudyInstanceUID"),
        headers.text(header, "SeriesInstanceUID"),
        *sorted({*series.sop_instance_uids, *series.beside}),
        series.pixel_digest,
    ]
    return digest(parts)


def result_uid(case_identity: str, said_by: str, kind: str) -> str:
    """DICOM UID of one thing said of a case: ``2.25.`` and a name-based UUID (DICOM PS3.5 B.2, RFC 9562 5.5).

    ``said_by`` is bundle and rubric, or a reader and their request. ``kind`` tells documents and their parts
    apart: ``sr``, ``sr-series``, ``ko``, ``ko-series``, and so on.
    """
    return f"2.25.{uuid5(_NAMESPACE, f'{case_identity}/{said_by}/{kind}').int}"


def digest(parts: Iterable[str]) -> str:
    """SHA-256, hex, of texts in their order."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        # The length in front keeps ("ab", "c") and ("a", "bc") apart.
        found.update(len(data).to_bytes(8, "big") + data)
    return found.hexdigest()
