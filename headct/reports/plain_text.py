"""A finished report as plainer receivers take it: the same words as a Basic Text SR, or the default encoding.

Some archives take no Comprehensive 3D SR. A Basic Text SR (PS3.3 A.35.1) is the oldest kind and taken most
widely. It is made of the finished report and never stored here: title, observer, procedure, the summary in
words and the images stay, the coded groups of measurements go. Its UIDs derive from the report's, so that a
repeat sends the same object.
"""

from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, ImplicitVRLittleEndian

from headct.errors import ReportError
from headct.images.quiet import quiet
from headct.reports import codes
from headct.reports.documents import concept, only, parsed, plain, refusing
from headct.reports.evidence import referenced_slices
from headct.reports.identity import result_uid


@dataclass(frozen=True, slots=True)
class TextContent:
    """What a report in plain text says, as read back."""

    sop_instance_uid: str
    title: str
    summary: tuple[str, ...]
    """Line by line, as in the report it was made of."""
    sop_instance_uids: tuple[str, ...]
    """The judged images."""
    verified: bool
    predecessor_uids: tuple[str, ...]
    """Of the reports in plain text that it follows."""


@quiet()
def write(report: bytes) -> bytes:
    """A report of machine or person as a Basic Text SR. The same report gives the same bytes.

    Raises:
        ReportError: not a report of this program, or a damaged one.
    """
    text = parsed(report, Comprehensive3DSRStorage)
    with refusing("damaged report"):
        if concept(text) not in (codes.TITLE, codes.REVIEW_TITLE):
            raise ReportError("not a report of this program")
        _rename(text)
        text.file_meta.MediaStorageSOPClassUID = text.SOPClassUID
        text.file_meta.MediaStorageSOPInstanceUID = text.SOPInstanceUID
        for study in text.get("PredecessorDocumentsSequence", []):
            for series in study.ReferencedSeriesSequence:
                series.SeriesInstanceUID = _twin(series.SeriesInstanceUID)
                for document in series.ReferencedSOPSequence:
                    document.ReferencedSOPClassUID = BasicTextSRStorage
                    document.ReferencedSOPInstanceUID = _twin(document.ReferencedSOPInstanceUID)
        # Without its measurements it no longer follows the template of measurement reports.
        del text.ContentTemplateSequence
        text.ContentSequence = [
            item for item in text.ContentSequence if concept(item) != codes.IMAGING_MEASUREMENTS
        ]
        return _saved(text)


def read(document: bytes) -> TextContent:
    """What :func:`write` wrote.

    Raises:
        ReportError: not a report in plain text of this program, or a damaged one.
    """
    text = parsed(document, BasicTextSRStorage)
    with refusing("damaged report in plain text"):
        return TextContent(
            sop_instance_uid=str(text.SOPInstanceUID),
            title=concept(text).meaning,
            summary=tuple(plain(item.TextValue) for item in only(text, codes.SUMMARY).ContentSequence),
            sop_instance_uids=referenced_slices(text),
            verified=text.VerificationFlag == "VERIFIED",
            predecessor_uids=tuple(
                str(predecessor.ReferencedSOPInstanceUID)
                for study in text.get("PredecessorDocumentsSequence", [])
                for series in study.ReferencedSeriesSequence
                for predecessor in series.ReferencedSOPSequence
            ),
        )


@quiet()
def in_default_encoding(document: bytes) -> bytes:
    """The same DICOM object in Implicit VR Little Endian, which every receiver has to take (PS3.5 10.1).

    Raises:
        ReportError: not a DICOM file.
    """
    with refusing("not a DICOM file"):
        found = dcmread(BytesIO(document))
        _keep_values(found)
        found.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        return _saved(found)


def _keep_values(dataset: Dataset) -> None:
    """Have every value written byte for byte as it was read: in Implicit VR it is the same.

    Decoded and encoded again, a patient's number that does not fit its character set would be another one.
    """
    for tag in dataset.keys():  # noqa: SIM118 (the values of a dataset are decoded when it is walked)
        if dataset.get_item(tag).VR == "SQ":
            for item in dataset[tag].value:
                _keep_values(item)
    dataset.set_original_encoding(True, True, dataset.original_character_set)


def _rename(text: Dataset) -> None:
    text.SOPClassUID = BasicTextSRStorage
    text.SOPInstanceUID = _twin(text.SOPInstanceUID)
    text.SeriesInstanceUID = _twin(text.SeriesInstanceUID)


def _twin(uid: str) -> str:
    """The UID of what is made in plain text of the report, or the series, of this UID."""
    return result_uid(str(uid), "", "text")


def _saved(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
