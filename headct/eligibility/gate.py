"""The one gate: what is judged and what is trained on have both come through it."""

from dataclasses import dataclass
from time import perf_counter

from headct.eligibility.by_headers import check_headers
from headct.eligibility.by_pixels import check_pixels
from headct.errors import NotAnalysedError
from headct.images.anatomy import Levels, levels
from headct.images.coverage import Coverage, coverage
from headct.images.frames import one_by_one
from headct.images.headers import text
from headct.images.quiet import quiet
from headct.images.reading import load_series, read_headers
from headct.images.series import CTSeries, Sources
from headct.reasons import Reason, ReasonCode


@dataclass(slots=True)
class Admission:
    """How far a series came at the gate; known to the caller, too, when a later step refuses it."""

    series_instance_uid: str = ""
    """In the first header, when that could be read."""
    series: CTSeries | None = None
    """The stack, when it could be read."""
    coverage: Coverage | None = None
    """How far the head is covered, when that could be judged."""
    levels: Levels | None = None
    """What each slab shows, when it was measured."""
    read_seconds: float = 0.0
    decode_seconds: float = 0.0


@quiet()
def admit(sources: Sources, admission: Admission | None = None, *, allow_partial: bool = False) -> CTSeries:
    """The series in memory, if it may be judged.

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
    check_headers(headers)
    read = perf_counter()
    known.read_seconds = read - start
    series = known.series = load_series(sources, headers)
    known.decode_seconds = perf_counter() - read
    measured = known.levels = levels(series)
    known.coverage = coverage(series, measured)
    check_pixels(series, measured)
    if not known.coverage.complete and not allow_partial:
        raise NotAnalysedError(Reason(ReasonCode.HEAD_NOT_COVERED))
    return series
