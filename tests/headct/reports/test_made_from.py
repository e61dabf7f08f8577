"""A document is known again under another patient, study and UIDs."""

from io import BytesIO

import report_cases
from pydicom import dcmread
from pydicom.uid import generate_uid
from report_cases import MADE_AT

from headct.reports import key_objects, structured_report
from headct.reports.documents import made_from


def changed(document: bytes, **attributes: object) -> bytes:
    found = dcmread(BytesIO(document))
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    written = BytesIO()
    found.save_as(written)
    return written.getvalue()


def moved(document: bytes) -> bytes:
    """As a merge of studies makes it."""
    uids = {k: generate_uid() for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
    return changed(document, PatientID="other", PatientName="Other^Name", AccessionNumber="", **uids)


def test_the_same_under_another_name() -> None:
    series = report_cases.series()
    said = report_cases.bleeding(series)
    for written in (
        structured_report.write(series, said, sent_at=MADE_AT),
        key_objects.write(series, said, sent_at=MADE_AT),
    ):
        digest, of = made_from(written)
        assert made_from(moved(written)) == (digest, of)
        assert of == {series.headers[0].SeriesInstanceUID}
        assert made_from(changed(written, ContentTime="010203"))[0] != digest
        assert made_from(changed(written, Manufacturer="ACME")) == ("", frozenset())
