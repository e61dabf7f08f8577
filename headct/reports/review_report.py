"""One verified Comprehensive 3D SR a review: a named person's word for the PACS, read back exactly.

Template TID 1500 (DICOM PS3.16) like the machine's report, which is its predecessor. The person is the
observer (TID 1003) and has verified the document (PS3.3 C.17.2). Every review has its own document, none is
ever changed: a table of labels can be rebuilt from these documents alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import BinaryIO, Self

from highdicom.sr import Comprehensive3DSR
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage

from headct.errors import ReportError
from headct.images import headers
from headct.images.quiet import quiet
from headct.language import Language
from headct.reports import codes, documents, structured_report
from headct.reports.characters import writable
from headct.reports.documents import children, coded, concept, escaped, key, only, plain, refusing
from headct.reports.evidence import (
    evidence_of_document,
    evidence_of_images,
    person_name,
    reference,
    referenced_slices,
)
from headct.reports.identity import digest, result_uid
from headct.reports.review_content import review_tree
from headct.reports.review_meaning import Beside, ReviewContent
from headct.reports.seals import KeyRing
from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency

SERIES_DESCRIPTION = "Head CT triage: review"
SERIES_NUMBER = 9900
"""The number of the reviewed series is added."""

_TIME = "%Y%m%d%H%M%S.%f%z"
"""DICOM date time to the microsecond, with its offset from UTC (PS3.5 section 6.2)."""
_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "StationName", "DeviceSerialNumber", "InstitutionName")


@dataclass(frozen=True, slots=True)
class Subject:
    """The series under review: as the machine's report tells it, or its images where there is no report."""

    slices: tuple[Dataset, ...]
    """The evidence: one small dataset an image, patient and study on the first."""
    series_number: int
    """0 where unknown."""
    case_identity: str | None
    """Of :func:`headct.reports.identity.case_identity`; ``None`` where the series was never judged."""
    machine_report: Dataset | None = None
    """The UIDs by which a document refers to it."""
    ct: bool = True

    @classmethod
    def of_report(cls, machine_report: bytes, case_identity: str) -> Self:
        """A judged series, from the machine's report on it as a DICOM file.

        Raises:
            ReportError: not a report of the machine, or a damaged one.
        """
        report = structured_report.parsed(machine_report)
        with refusing("damaged triage report"):
            slices = evidence_of_document(report, _acquired(report))
            number = int(report.SeriesNumber) - structured_report.SERIES_NUMBER
        return cls(tuple(slices), number, case_identity, reference(report))

    @classmethod
    def of_images(cls, images: Sequence[Dataset | bytes], case_identity: str | None = None) -> Self:
        """A series without a report (not analysed, failed, not complete yet), from its images' headers.

        Give all its images, or always the same ones: without a case's identity the UIDs derive from theirs.
        Pixels are not needed; a file may end after its header.

        Raises:
            ReportError: no images, images of several series, or images that cannot be referred to.
        """
        with refusing("the headers of the images cannot be read"):
            found = [_header(image) for image in images]
            slices = evidence_of_images(found)
        number, modality = documents.series_number(0, found[0]), headers.text(found[0], "Modality")
        return cls(tuple(slices), number, case_identity, ct=modality.upper() in ("CT", ""))

    @property
    def series_instance_uid(self) -> str:
        """The series under review."""
        return str(self.slices[0].SeriesInstanceUID)

    @property
    def identity(self) -> str:
        """What UIDs derive from."""
        images = sorted(str(item.SOPInstanceUID) for item in self.slices)
        # The same images under a corrected patient are another document's.
        patient = headers.identifier(self.slices[0], "PatientID")
        return self.case_identity or digest([patient, self.series_instance_uid, *images])


# Long: a report is written twice, without and with its seal, otherwise the same.
@quiet()
def write(
    review: Review,
    subject: Subject,
    *,
    request_id: str,
    sent_at: datetime,
    earlier: bytes | None = None,
    follows: Sequence[str] = (),
    beside: Sequence[Beside] = (),
    language: Language = "en",
    ring: KeyRing | None = None,
) -> bytes:
    """A review as a DICOM file, COMPLETE and VERIFIED. The same arguments give the same bytes.

    The UIDs derive from case, login and request: a repeated request is the same document.

    Args:
        review: what the report says.
        subject: the series under review.
        request_id: names the request by which the review was given.
        sent_at: date and time of the document, written in the images' zone where they and it have one, else
            as its wall clock shows; the time of the review is written in the same zone, else in UTC.
        earlier: the same reader's review of the same series that this one follows, as a DICOM file.
        follows: SOP instance UIDs of the other readers' last reviews of the same series before this one.
        beside: other series of the study, as far as the reader had them before them.
        language: of the summary, where the character set of the images has it; codes stay English.
        ring: seals what the report says; without it nobody can tell later who wrote it.

    Raises:
        ReportError: reader or request have no name, or ``earlier`` is something else.
    """
    review = replace(review, by=_person(review.by))
    if not request_id.strip():
        raise ReportError("the request of the review has no name")
    said_by = digest([review.by.login, request_id])
    sent_at = documents.in_zone_of_images(sent_at, subject.slices[0])
    machine = subject.machine_report
    own = _earlier(earlier, review, subject) if earlier else None

    def written(seal: str) -> bytes:
        report = Comprehensive3DSR(
            evidence=documents.unnamed(list(subject.slices)),
            content=review_tree(
                review,
                texts=[
                    (codes.REQUEST, request_id),
                    (codes.CASE_IDENTITY, subject.case_identity or ""),
                    *((codes.BESIDE, str(one)) for one in beside),
                    (codes.SEAL, seal),
                ],
                based_on=None if machine is None else str(machine.SOPInstanceUID),
                follows=follows,
                tracking_uid=result_uid(subject.identity, said_by, "review-tracking"),
                slices=subject.slices,
                language=writable(language, subject.slices[0]),
                ct=subject.ct,
            ),
            series_instance_uid=result_uid(subject.identity, said_by, "review-series"),
            series_number=SERIES_NUMBER + subject.series_number,
            sop_instance_uid=result_uid(subject.identity, said_by, "review"),
            instance_number=1,
            is_complete=True,
            previous_versions=[document for document in (machine, own) if document is not None] or None,
            coding_schemes=[codes.own_scheme_identification()],
            **documents.attributes(None, sent_at, SERIES_DESCRIPTION),
        )
        report.VerificationFlag = "VERIFIED"
        report.VerifyingObserverSequence = [_verified(review.by, review.at.astimezone(sent_at.tzinfo or UTC))]
        return documents.finished(report, subject.slices[0], sent_at)

    unsealed = written("")
    # Of what is read back, for that is what will be asked about.
    return written(ring.seal(read(unsealed).statement)) if ring is not None else unsealed


def read(document: bytes) -> ReviewContent:
    """What :func:`write` wrote.

    Raises:
        ReportError: not a review of this program, or a damaged one.
    """
    report = _parsed(document)
    with refusing("damaged review"):
        return _content(report)


@quiet()
def is_review(document: Dataset) -> bool:
    """Whether a dataset is a review of this program, by its SOP class and title."""
    try:
        return bool(
            document.SOPClassUID == Comprehensive3DSRStorage and concept(document) == codes.REVIEW_TITLE
        )
    except (AttributeError, KeyError, IndexError):
        return False


@quiet()
def claims(file: BinaryIO) -> bool:
    """Whether a file says of itself that it is a review of this program, though it may be a damaged one."""
    try:
        document = dcmread(file, stop_before_pixels=True)
        if is_review(document):
            return True
        if document.get("SOPClassUID", Comprehensive3DSRStorage) != Comprehensive3DSRStorage:
            return False
    except Exception:  # damaged bytes, of which all that follows is a look at what is there
        pass
    file.seek(0)
    found = file.read()
    named = codes.OWN_SCHEME.encode() in found and codes.REVIEW_TITLE.value.encode() in found
    return named or SERIES_DESCRIPTION.encode() in found


def glimpse(document: bytes) -> Urgency | None:
    """The worst urgency that stands anywhere in a damaged review."""
    found = [u for u, code in codes.REVIEWED_URGENCIES.items() if code.value.encode() in document]
    return max(found, default=None)


def _parsed(document: bytes) -> Dataset:
    report = documents.parsed(document, Comprehensive3DSRStorage)
    with refusing("damaged review"):
        if not is_review(report):
            raise ReportError("not a review of this program")
    return report


def _header(image: Dataset | bytes) -> Dataset:
    if isinstance(image, Dataset):
        return image
    return dcmread(BytesIO(image), force=True, stop_before_pixels=True)


def _acquired(report: Dataset) -> Dataset:
    """Patient and study of a machine's report, and the equipment of the images rather than its own."""
    header = Dataset()
    header.update(report)
    for keyword in _EQUIPMENT:
        if keyword in header:
            delattr(header, keyword)
    for equipment in report.ContributingEquipmentSequence:
        if concept(equipment, "PurposeOfReferenceCodeSequence") == codes.ACQUISITION_EQUIPMENT:
            header.update(equipment)
    for item in children(only(report, codes.SUMMARY), codes.ACCESSION_NUMBER):
        header.AccessionNumber = item.TextValue
    return header


def _earlier(document: bytes, review: Review, subject: Subject) -> Dataset:
    content = read(document)
    found = content.review.by.login, content.series_instance_uid
    if found != (review.by.login, subject.series_instance_uid):
        raise ReportError("the earlier review is not this reader's of this series")
    return reference(_parsed(document))


def _person(by: Person) -> Person:
    """The reader, with the name as DICOM allows it."""
    name = person_name(by.name)
    if name is None or not by.login.strip() or not by.organisation.strip():
        raise ReportError("the reader lacks a login, a name or an organisation")
    with refusing("the reader's name cannot be written"):
        str(name).encode()
    return replace(by, name=str(name))


def _verified(person: Person, at: datetime) -> Dataset:
    """Item of the Verifying Observer Sequence; the login stands in the observer context."""
    item = Dataset()
    item.VerifyingObserverName = person.name
    item.VerifyingOrganization = escaped(person.organisation).replace("\\", " ")[:64].strip()
    item.VerificationDateTime = at.strftime(_TIME)
    item.VerifyingObserverIdentificationCodeSequence = []
    return item


def _content(report: Dataset) -> ReviewContent:
    judged = report.CurrentRequestedProcedureEvidenceSequence[0]
    case = only(only(report, codes.IMAGING_MEASUREMENTS), codes.MEASUREMENT_GROUP)
    based_on = children(case, codes.BASED_ON)
    return ReviewContent(
        sop_instance_uid=str(report.SOPInstanceUID),
        patient_id=headers.identifier(report, "PatientID"),
        filed_in=str(report.StudyInstanceUID),
        study_instance_uid=str(judged.StudyInstanceUID),
        series_instance_uid=str(judged.ReferencedSeriesSequence[0].SeriesInstanceUID),
        sop_instance_uids=referenced_slices(report),
        review=_review(report, case),
        request_id=_text(case, codes.REQUEST),
        case_identity=_text(case, codes.CASE_IDENTITY) or None,
        based_on=str(based_on[0].UID) if based_on else None,
        predecessor_uids=tuple(
            str(document.ReferencedSOPInstanceUID)
            for study in report.get("PredecessorDocumentsSequence", [])
            for series in study.ReferencedSeriesSequence
            for document in series.ReferencedSOPSequence
        ),
        follows=tuple(str(item.UID) for item in children(case, codes.FOLLOWS)),
        summary=tuple(plain(item.TextValue) for item in only(report, codes.SUMMARY).ContentSequence),
        beside=tuple(Beside.parse(plain(item.TextValue)) for item in children(case, codes.BESIDE)),
        seal=_text(case, codes.SEAL),
    )


def _review(report: Dataset, case: Dataset) -> Review:
    if report.VerificationFlag != "VERIFIED":
        raise ReportError("a review that nobody has verified")
    (verified,) = report.VerifyingObserverSequence
    action = key(codes.ACTIONS, coded(case, codes.ACTION)[0])
    excluded = action is Action.EXCLUDE
    return Review(
        by=Person(
            login=_text(report, codes.PERSON_OBSERVER_LOGIN),
            name=str(only(report, codes.PERSON_OBSERVER_NAME).PersonName),
            organisation=_text(report, codes.PERSON_OBSERVER_ORGANISATION),
        ),
        at=datetime.strptime(str(verified.VerificationDateTime), _TIME),
        action=action,
        urgency=None if excluded else key(codes.REVIEWED_URGENCIES, coded(case, codes.URGENCY)[0]),
        findings={
            finding: key(codes.PRESENCE, value)
            for finding, code in codes.REVIEW_FINDINGS.items()
            for value in coded(case, code)
        },
        reason=key(codes.EXCLUSIONS, coded(case, codes.EXCLUSION_REASON)[0]) if excluded else None,
        comment=_text(case, codes.COMMENT),
        blind=key(codes.YES_NO, coded(case, codes.BLIND)[0]),
    )


def _text(item: Dataset, name: Code) -> str:
    """A text of that name, empty when there is none."""
    return "".join(plain(child.TextValue) for child in children(item, name))
