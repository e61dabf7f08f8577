"""One series judged: is it complete, what is said of it, and the documents written of that."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto

from pydicom.dataset import Dataset

from headct import pipeline
from headct.errors import ReportError
from headct.findings.region import Region
from headct.images.files.parsing import header as header_of
from headct.images.headers import demographics, number, text
from headct.images.objects import Kind, kind, modality_of
from headct.images.quiet import quiet
from headct.images.reading import count_ct_images
from headct.images.series import CTSeries, DicomSource
from headct.network.classifier import Classifier
from headct.reasons import ReasonCode
from headct.reports import key_objects, segmentation, structured_report
from headct.reports.identity import case_identity, result_uid
from headct.safe_log import failure
from headct.terms.assessment import Assessment, Outcome, State
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import imports
from orthanc_plugin.store.results import Description, Judgement, NewDocument

log = logging.getLogger(__name__)

MAY_PASS = frozenset(
    {
        ReasonCode.HEAD_NOT_COVERED,
        ReasonCode.TOO_FEW_SLICES,
        ReasonCode.INCONSISTENT_GEOMETRY,
        ReasonCode.NOT_A_HEAD,
        ReasonCode.PHANTOM,
    }
)
"""Reasons that can be true of a part of a series and not of the whole. All others are final at once."""


class Completeness(Enum):
    """What a look at a series means."""

    COMPLETE = auto()
    """The outcome stands until another image comes."""
    PRELIMINARY = auto()
    """An alert in a part of the series: said at once, marked so."""
    INCOMPLETE = auto()
    """Nothing may be said yet."""


@dataclass(frozen=True, slots=True)
class Look:
    """A series looked at once."""

    outcome: Outcome
    completeness: Completeness
    series: CTSeries | None
    """The stack, where it could be read."""
    region: Region | None = None
    """Where the bleeds among the findings lie."""
    final: bool = False
    """Whether no more images are waited for: all announced ones are there, or it was given up."""


def look(
    sources: Sequence[DicomSource],
    classifier: Classifier,
    *,
    given_up: bool,
    on_alert: Callable[[Look], None] | None = None,
) -> Look:
    """Judge a series.

    Args:
        sources: its files.
        classifier: the networks.
        given_up: when no more images are waited for.
        on_alert: is told at once of an alert that the first of several networks gives of the whole series. In
            a part of it the others are waited for: what they then say is preliminary too.
    """
    final = given_up or all_there(sources)

    def early(seen: pipeline.Result) -> None:
        if on_alert is not None and _completeness(seen, final=final) is Completeness.COMPLETE:
            on_alert(Look(seen.outcome, Completeness.PRELIMINARY, seen.series, seen.region))

    result = pipeline.assess(sources, classifier, allow_partial=not final, on_alert=early)
    return Look(result.outcome, _completeness(result, final=final), result.series, result.region, final)


def _completeness(result: pipeline.Result, *, final: bool) -> Completeness:
    outcome = result.outcome
    if final or outcome.state is State.FAILED:
        return Completeness.COMPLETE
    if outcome.assessment is not None:
        if result.coverage is not None and result.coverage.complete:
            return Completeness.COMPLETE
        alert = outcome.assessment.urgency.alert
        return Completeness.PRELIMINARY if alert else Completeness.INCOMPLETE
    may_pass = outcome.reason is not None and outcome.reason.code in MAY_PASS
    return Completeness.INCOMPLETE if may_pass else Completeness.COMPLETE


def all_there(sources: Sequence[DicomSource]) -> bool:
    """Whether all images have arrived that the scanner announced, of whatever else lies in the series."""
    number_of_images = announced(sources)
    # Headers are read twice only where it may be so.
    return (
        number_of_images is not None
        and number_of_images <= len(sources)
        and number_of_images == count_ct_images(sources)
    )


def announced(sources: Sequence[DicomSource]) -> int | None:
    """Images the scanner says the series has (0020,1209), or had acquired (0020,1002).

    The second is believed only while it is larger than one: some scanners count acquisitions there.
    """
    header = first_header(sources)
    if header is None:
        return None
    for keyword, least in (("NumberOfSeriesRelatedInstances", 1), ("ImagesInAcquisition", 2)):
        value = number(header, keyword)
        if value is not None and value >= least and value == int(value):
            return int(value)
    return None


@quiet()
def first_header(sources: Sequence[DicomSource]) -> Dataset | None:
    """Header of the first slice that can be read; where there is none, of another image or what there is."""
    found: dict[bool, Dataset] = {}
    for source in sources:
        try:
            header = header_of(source)
        except MemoryError:
            raise
        except Exception as error:  # damaged files raise errors without a common root
            log.debug("unreadable header: %s", failure(error))
            continue
        what = kind(header)
        if what is Kind.SLICE:
            return header
        found.setdefault(what is not Kind.NO_IMAGE, header)
    return found.get(True, found.get(False))


@quiet()
def describe(sources: Sequence[DicomSource], settings: Settings, today: date) -> Description | None:
    """Study and series as written in the first readable image; ``today`` is what its age is counted to."""
    header = first_header(sources)
    if header is None:
        return None
    found = demographics(header)
    return Description(
        found,
        series_number=text(header, "SeriesNumber"),
        series_description=text(header, "SeriesDescription"),
        modality=modality_of(header),
        earlier=imports.is_old(found.study_date, settings.earlier_after_days, today),
    )


Predecessor = Callable[[str], bytes | None]
"""The report before the one of the given SOP instance UID, as a DICOM file."""


def judgement(
    found: Look,
    assessment: Assessment,
    description: Description,
    *,
    predecessor: Predecessor,
    settings: Settings,
    sent_at: datetime,
) -> Judgement:
    """What is to be recorded of an assessed series, its documents included once it is complete."""
    series = found.series
    assert series is not None
    preliminary = found.completeness is Completeness.PRELIMINARY
    documents: tuple[NewDocument, ...] = ()
    if not preliminary:
        try:
            documents = _documents(series, assessment, predecessor, settings, sent_at)
        except ReportError as error:
            # The urgency must reach the doctor even where the headers allow no report.
            log.warning("no report could be written: %s", failure(error))
        documents += _annotations(series, assessment, found.region, settings, sent_at)
    return Judgement(
        assessment=assessment,
        case_identity=case_identity(series),
        pixel_digest=series.pixel_digest,
        preliminary=preliminary,
        description=description,
        documents=documents,
        slices=len(series.sop_instance_uids),
    )


def _documents(
    series: CTSeries,
    assessment: Assessment,
    predecessor: Predecessor,
    settings: Settings,
    sent_at: datetime,
) -> tuple[NewDocument, ...]:
    identity, judged_by = case_identity(series), assessment.judged_by
    uid = result_uid(identity, judged_by, "sr")
    earlier = predecessor(uid)
    report = structured_report.write(
        series, assessment, sent_at=sent_at, predecessor=earlier, language=settings.report_language
    )
    written = [
        NewDocument(
            uid,
            DocumentKind.STRUCTURED_REPORT,
            report,
            structured_report.read(earlier).sop_instance_uid if earlier is not None else None,
        )
    ]
    if settings.key_objects:
        key = key_objects.write(series, assessment, sent_at=sent_at, language=settings.report_language)
        written.append(NewDocument(result_uid(identity, judged_by, "ko"), DocumentKind.KEY_OBJECTS, key))
    return tuple(written)


def _annotations(
    series: CTSeries,
    assessment: Assessment,
    region: Region | None,
    settings: Settings,
    sent_at: datetime,
) -> tuple[NewDocument, ...]:
    """The region drawn, where the profile is on, there is one, and the headers say where the images lie."""
    if not settings.annotations or region is None:
        return ()
    try:
        drawn = segmentation.write(
            series, assessment, region, sent_at=sent_at, language=settings.report_language
        )
    except ReportError as error:
        log.warning("no region could be drawn: %s", failure(error))
        return ()
    uid = result_uid(case_identity(series), assessment.judged_by, "seg")
    return (NewDocument(uid, DocumentKind.SEGMENTATION, drawn),)
