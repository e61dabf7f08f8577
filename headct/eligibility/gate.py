"""The one gate: what is judged and what is trained on have both come through it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from pydicom.dataset import Dataset

from headct.eligibility.by_headers import check_headers
from headct.eligibility.by_pixels import check_pixels
from headct.errors import NotAnalysedError
from headct.images.anatomy import Levels, levels
from headct.images.coverage import Coverage, coverage
from headct.images.frames import one_by_one
from headct.images.headers import text
from headct.images.members import Members
from headct.images.quiet import quiet
from headct.images.reading import load_passes, read_headers
from headct.images.scans.passes import passes
from headct.images.series import CTSeries, Sources
from headct.language import pgettext
from headct.reasons import Reason, ReasonCode

_UNFINISHED = (ReasonCode.HEAD_NOT_COVERED, ReasonCode.INCONSISTENT_GEOMETRY, ReasonCode.TOO_FEW_SLICES)
"""What is wrong with a pass that was broken off or lost images."""


@dataclass(slots=True)
class Admission:
    """How far a series came at the gate; known to the caller, too, when a later step refuses it."""

    series_instance_uid: str = ""
    """In the first header, when that could be read."""
    series: CTSeries | None = None
    """The stack, when it could be read; of several passes the one that counts."""
    coverage: Coverage | None = None
    """How far the head is covered, when that could be judged."""
    levels: Levels | None = None
    """What each slab shows, when it was measured."""
    read_seconds: float = 0.0
    decode_seconds: float = 0.0


def admit(sources: Sources, admission: Admission | None = None, *, allow_partial: bool = False) -> CTSeries:
    """The series in memory, if it may be judged; of several complete passes the largest.

    Args and errors are those of :func:`admit_passes`.
    """
    return admit_passes(sources, admission, allow_partial=allow_partial)[0].series


@dataclass(frozen=True, slots=True)
class Admitted:
    """One pass of a scan that may be judged."""

    series: CTSeries
    coverage: Coverage
    levels: Levels
    """What each slab shows."""


@quiet()
def admit_passes(
    sources: Sources, admission: Admission | None = None, *, allow_partial: bool = False
) -> tuple[Admitted, ...]:
    """Each pass in the series that may be judged, the largest first; nearly always there is one.

    A pass that is not complete is left out beside one that is.

    Args:
        sources: the images of one series, in any order.
        admission: filled on the way.
        allow_partial: admit a head that is not fully covered.

    Raises:
        NotAnalysedError: unreadable, or refused by its headers, its pixels or what of the head it covers.
    """
    known = Admission() if admission is None else admission
    start = perf_counter()
    files = read_headers(sources)
    known.series_instance_uid = text(files[0], "SeriesInstanceUID")
    sources, headers = one_by_one(sources, files)
    stacks, errors = _by_headers(headers)
    read = perf_counter()
    known.read_seconds = read - start
    loaded = load_passes(sources, headers, tuple(stacks), stacks)
    known.decode_seconds = perf_counter() - read
    errors += loaded.refused
    found = []
    for series in loaded.series:
        try:
            found.append(_by_pixels(series, known, allow_partial))
        except NotAnalysedError as error:
            errors.append(error)
    if not found:
        raise _refusal(errors)
    whole = [one for one in found if one.coverage.complete]
    return _as_judged(whole or found, headers, several=len(found) + len(errors) > 1)


def _by_headers(
    headers: Sequence[Dataset],
) -> tuple[dict[tuple[int, ...], Members], list[NotAnalysedError]]:
    """Passes that their headers do not refuse, and why they refuse the others.

    A pass is the numbers of its images; with it those that make its stack.
    """
    stacks: dict[tuple[int, ...], Members] = {}
    errors: list[NotAnalysedError] = []
    for part in passes(headers):
        try:
            stacks[part] = check_headers([headers[i] for i in part])
        except NotAnalysedError as error:
            errors.append(error)
    if not stacks:
        raise errors[0]
    return stacks, errors


def _by_pixels(series: CTSeries, known: Admission, allow_partial: bool) -> Admitted:
    measured = levels(series)
    covered = coverage(series, measured)
    if known.levels is None:
        known.series, known.coverage, known.levels = series, covered, measured
    check_pixels(series, measured)
    if not covered.complete and not allow_partial:
        raise NotAnalysedError(Reason(ReasonCode.HEAD_NOT_COVERED))
    return Admitted(series, covered, measured)


def _refusal(errors: Sequence[NotAnalysedError]) -> NotAnalysedError:
    """Why no pass may be judged: first what more images might mend, and of several that none is whole."""
    unfinished = [error for error in errors if error.reason.code in _UNFINISHED]
    if len(unfinished) < 2:
        return (*unfinished, *errors)[0]
    codes = {error.reason.code for error in unfinished}
    code = codes.pop() if len(codes) == 1 else ReasonCode.INCONSISTENT_GEOMETRY
    none = pgettext("detail", "{count} scans in one series, none complete", count=len(unfinished))
    return NotAnalysedError(Reason(code, str(none)))


def _as_judged(
    found: Sequence[Admitted], headers: Sequence[Dataset], *, several: bool
) -> tuple[Admitted, ...]:
    """Passes with what must be said of the others, and with the identity of what is judged together."""
    if not several:
        return tuple(found)
    digests = sorted({one.series.pixel_digest for one in found})
    together = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    code = "passes_judged" if len(found) > 1 else "pass_left_out"
    everything = {text(header, "SOPInstanceUID") for header in headers}
    return tuple(
        replace(
            one,
            series=replace(
                one.series,
                pixel_digest=together,
                noted=(*one.series.noted, code),
                beside=tuple(sorted(everything - set(one.series.sop_instance_uids))),
            ),
        )
        for one in found
    )
