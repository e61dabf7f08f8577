"""One Comprehensive 3D SR a series: written for the PACS, read back exactly.

Template TID 1500 (DICOM PS3.16) in a Comprehensive 3D SR (PS3.3 A.35.13), as IHE AI Results asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from highdicom.sr import Comprehensive3DSR
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage

from headct.errors import ReportError
from headct.images.frames import frame_number
from headct.images.quiet import quiet
from headct.images.series import CTSeries
from headct.language import Language
from headct.reports import codes, documents
from headct.reports.characters import writable
from headct.reports.documents import children, coded, concept, key, only, refusing
from headct.reports.evidence import evidence, reference
from headct.reports.identity import case_identity, result_uid
from headct.reports.report_content import DIGEST_PARAMETER, RUBRIC_PARAMETER, measurement_report
from headct.terms.assessment import Assessment, BundleIdentity, Finding, KeySlice, Unsure
from headct.terms.urgency import Urgency

_Image = tuple[str, int | None]
"""SOP instance UID, and the frame where the image has several."""

SERIES_DESCRIPTION = "Head CT triage"
SERIES_NUMBER = 9100
"""The number of the judged series is added."""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report says, as read back."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    """The judged series, not the report's own."""
    sop_instance_uids: tuple[str, ...]
    """The judged images in slice order; of frames that of their image."""
    urgency: Urgency
    findings: tuple[Finding, ...]
    """Figures rounded to a tenth."""
    key_slices: tuple[KeySlice, ...]
    rules: tuple[str, ...]
    cautions: tuple[str, ...]
    doubts: tuple[Unsure, ...]
    """Why the urgency is not sure; empty where it is."""
    rubric_version: str
    bundle: BundleIdentity
    summary: tuple[str, ...]
    """The report in words, line by line."""
    observers: tuple[str, ...]
    """Who observed: the names of devices and persons."""
    verified: bool
    predecessor_uid: str | None
    """SOP instance UID of the report this one replaces."""


@quiet()
def write(
    series: CTSeries,
    assessment: Assessment,
    *,
    sent_at: datetime,
    predecessor: bytes | None = None,
    language: Language = "en",
) -> bytes:
    """A machine's report as a DICOM file, UNVERIFIED. The same arguments give the same bytes.

    Args:
        series: the judged one.
        assessment: what the report says.
        sent_at: date and time of the document, written in the images' zone where they and it have one, else
            as its wall clock shows.
        predecessor: the report this one replaces, as a DICOM file.
        language: of the summary, where the character set of the images has it; codes stay English.

    Raises:
        ReportError: the images name no study or series, or the predecessor is no report.
    """
    slices = evidence(series)
    language, sent_at = writable(language, slices[0]), documents.in_zone_of_images(sent_at, slices[0])
    identity = case_identity(series)
    bundle = assessment.bundle
    report = Comprehensive3DSR(
        evidence=documents.unnamed(slices),
        content=measurement_report(assessment, slices, identity, language),
        series_instance_uid=result_uid(identity, assessment.judged_by, "sr-series"),
        series_number=documents.series_number(SERIES_NUMBER, series.headers[0]),
        sop_instance_uid=result_uid(identity, assessment.judged_by, "sr"),
        instance_number=1,
        is_complete=True,
        previous_versions=[reference(parsed(predecessor))] if predecessor else None,
        coding_schemes=[codes.own_scheme_identification()],
        **documents.attributes(bundle, sent_at, SERIES_DESCRIPTION),
    )
    return documents.finished(report, slices[0], sent_at)


def read(document: bytes) -> ReportContent:
    """What :func:`write` wrote.

    Raises:
        ReportError: not a report of this program, or a damaged one.
    """
    report = parsed(document)
    with refusing("damaged triage report"):
        return _content(report)


def parsed(document: bytes) -> Dataset:
    """A machine's report, its content not yet looked at.

    Raises:
        ReportError: not a report of this program; a review is none either.
    """
    report = documents.parsed(document, Comprehensive3DSRStorage)
    with refusing("damaged triage report"):
        if concept(report) != codes.TITLE:
            raise ReportError("not a triage report of this program")
    return report


def _content(report: Dataset) -> ReportContent:
    (group,) = children(only(report, codes.IMAGE_LIBRARY), codes.IMAGE_LIBRARY_GROUP)
    slices = _images(group, codes.SOURCE)
    case, *findings = children(only(report, codes.IMAGING_MEASUREMENTS), codes.MEASUREMENT_GROUP)
    parameters = [item.TextValue for item in children(case, codes.ALGORITHM_PARAMETERS)]
    judged = report.CurrentRequestedProcedureEvidenceSequence[0]
    return ReportContent(
        sop_instance_uid=str(report.SOPInstanceUID),
        study_instance_uid=str(judged.StudyInstanceUID),
        series_instance_uid=str(judged.ReferencedSeriesSequence[0].SeriesInstanceUID),
        sop_instance_uids=tuple(uid for uid, _ in slices),
        urgency=key(codes.URGENCIES, coded(case, codes.URGENCY)[0]),
        findings=tuple(_finding(group, slices) for group in findings),
        key_slices=tuple(KeySlice(slices.index(image), *image) for image in _images(case, codes.KEY_SLICE)),
        rules=tuple(code.value for code in coded(case, codes.RULE)),
        cautions=tuple(code.value for code in coded(case, codes.CAUTION)),
        doubts=tuple(key(codes.DOUBTS, code) for code in coded(case, codes.UNSURE)),
        rubric_version=_after(parameters, RUBRIC_PARAMETER),
        bundle=BundleIdentity(
            name=only(case, codes.ALGORITHM_NAME).TextValue,
            version=only(case, codes.ALGORITHM_VERSION).TextValue,
            device_uid=str(only(report, codes.DEVICE_OBSERVER_UID).UID),
            digest=_after(parameters, DIGEST_PARAMETER),
        ),
        summary=tuple(item.TextValue for item in only(report, codes.SUMMARY).ContentSequence),
        observers=tuple(
            [item.TextValue for item in children(report, codes.DEVICE_OBSERVER_NAME)]
            + [str(item.PersonName) for item in children(report, codes.PERSON_OBSERVER_NAME)]
        ),
        verified=report.VerificationFlag == "VERIFIED",
        predecessor_uid=_predecessor_uid(report),
    )


def _finding(group: Dataset, slices: list[_Image]) -> Finding:
    offset = _figure(group, codes.OFFSET)
    if offset is not None and codes.RIGHT in coded(group, codes.DISPLACED_TOWARDS):
        offset = -offset
    location = coded(group, codes.LOCATION)
    return Finding(
        kind=key(codes.FINDING_KINDS, coded(group, codes.FINDING)[0]),
        slices=tuple(slices.index(image) for image in _images(group, codes.SLICE_INVOLVED)),
        volume_ml=_figure(group, codes.VOLUME),
        thickness_mm=_figure(group, codes.THICKNESS),
        location=key(codes.LOCATIONS, location[0]) if location else None,
        mean_hu=_figure(group, codes.MEAN_ATTENUATION),
        offset_mm=offset,
    )


def _predecessor_uid(report: Dataset) -> str | None:
    studies = report.get("PredecessorDocumentsSequence")
    if not studies:
        return None
    return str(studies[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _figure(item: Dataset, name: Code) -> float | None:
    found = children(item, name)
    return float(found[0].MeasuredValueSequence[0].NumericValue) if found else None


def _images(item: Dataset, name: Code) -> list[_Image]:
    found = (child.ReferencedSOPSequence[0] for child in children(item, name))
    return [(str(image.ReferencedSOPInstanceUID), frame_number(image)) for image in found]


def _after(texts: Sequence[str], prefix: str) -> str:
    return next(text.removeprefix(prefix) for text in texts if text.startswith(prefix))
