"""One Key Object Selection a series: the slices worth opening first (TID 2010, DICOM PS3.16)."""

from dataclasses import dataclass
from datetime import datetime

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.uid import KeyObjectSelectionDocumentStorage

from headct.errors import ReportError
from headct.images.frames import frame_number
from headct.images.quiet import quiet
from headct.images.series import CTSeries
from headct.language import Language
from headct.reports import codes, documents
from headct.reports.characters import writable
from headct.reports.documents import MANUFACTURER, children, concept, refusing
from headct.reports.evidence import accession_number_to_say, evidence, key_slices
from headct.reports.identity import case_identity, result_uid
from headct.reports.report_content import device_observer, summary_lines
from headct.terms.assessment import Assessment

SERIES_DESCRIPTION = "Head CT triage: key slices"
SERIES_NUMBER = 9500
"""The number of the judged series is added."""


@dataclass(frozen=True, slots=True)
class KeyObjects:
    """What a key object selection says, as read back."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    """The judged series, not the document's own."""
    key_slices: tuple[str, ...]
    """SOP instance UIDs, the most telling first."""
    frames: tuple[int | None, ...]
    """Of these images, where they have several."""
    description: str
    device_uid: str


@quiet()
def write(series: CTSeries, assessment: Assessment, *, sent_at: datetime, language: Language = "en") -> bytes:
    """The key slices as a DICOM file. The same arguments give the same bytes.

    Where an assessment names no key slice, the middle slice stands in: the document must name an image.

    Args:
        series: the judged one.
        assessment: with its key slices.
        sent_at: date and time of the document, written in the images' zone where they and it have one, else
            as its wall clock shows.
        language: of the description, where the character set of the images has it; codes stay English.

    Raises:
        ReportError: the images name no study or series.
    """
    slices = evidence(series)
    language, sent_at = writable(language, slices[0]), documents.in_zone_of_images(sent_at, slices[0])
    identity = case_identity(series)
    bundle = assessment.bundle
    chosen = key_slices(slices, assessment) or [slices[len(slices) // 2]]
    words = [text for _, text in summary_lines(assessment, language)]
    if number := accession_number_to_say(slices[0]):
        words.append(f"{codes.ACCESSION_NUMBER.meaning}: {number}")
    document = KeyObjectSelectionDocument(
        # The evidence of a key object selection is what it selects.
        evidence=documents.unnamed([documents.with_patient(chosen[0], slices[0]), *chosen[1:]]),
        content=KeyObjectSelection(
            codes.OF_INTEREST,
            chosen,
            observer_device_context=device_observer(bundle),
            description="\n".join(words),
        ),
        series_instance_uid=result_uid(identity, assessment.judged_by, "ko-series"),
        series_number=documents.series_number(SERIES_NUMBER, series.headers[0]),
        sop_instance_uid=result_uid(identity, assessment.judged_by, "ko"),
        instance_number=1,
        coding_schemes=[codes.own_scheme_identification()],
        **documents.attributes(bundle, sent_at, SERIES_DESCRIPTION),
    )
    # The library refers to whole images.
    for item, image in zip(children(document, codes.SOURCE), chosen, strict=True):
        if "ReferencedFrameNumber" in image:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = image.ReferencedFrameNumber
    return documents.finished(document, slices[0], sent_at)


def read(document: bytes) -> KeyObjects:
    """What :func:`write` wrote.

    Raises:
        ReportError: not key objects of this program, or damaged ones.
    """
    found = documents.parsed(document, KeyObjectSelectionDocumentStorage)
    with refusing("damaged key objects"):
        if concept(found) != codes.OF_INTEREST or found.get("Manufacturer") != MANUFACTURER:
            raise ReportError("not key objects of this program")
        chosen = [item.ReferencedSOPSequence[0] for item in children(found, codes.SOURCE)]
        judged = found.CurrentRequestedProcedureEvidenceSequence[0]
        return KeyObjects(
            sop_instance_uid=str(found.SOPInstanceUID),
            study_instance_uid=str(judged.StudyInstanceUID),
            series_instance_uid=str(judged.ReferencedSeriesSequence[0].SeriesInstanceUID),
            key_slices=tuple(str(image.ReferencedSOPInstanceUID) for image in chosen),
            frames=tuple(map(frame_number, chosen)),
            description=children(found, codes.KEY_OBJECT_DESCRIPTION)[0].TextValue,
            device_uid=str(children(found, codes.DEVICE_OBSERVER_UID)[0].UID),
        )
