"""Results on multi-frame CT: they refer to the frames, and say the same as on plain images."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import report_cases as cases
import review_cases
from dicom_stack import file_bytes, head, write
from dicom_validators import dciodvfy
from multi_frame import file, multi_frame
from pydicom import dcmread
from pydicom.uid import EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from headct.errors import ReportError
from headct.findings.region import Region
from headct.images.frames import frame_number
from headct.images.reading import load_series
from headct.network.preprocessing import head_volume
from headct.reports import key_objects, plain_text, review_report, segmentation, structured_report
from headct.reports.evidence import evidence, key_slices
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject
from headct.terms.assessment import KeySlice

HEAD = head(slabs=14, size=40)
KINDS = [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage]


def images():
    found = write(HEAD)
    for image in found:
        image.FrameOfReferenceUID = "1.2.3.9"
    return found


def of_frames(kind=EnhancedCTImageStorage):
    """The head in two files, the upper half first."""
    upper, lower = images()[7:], images()[:7]
    return load_series(
        [file(multi_frame(part, sop_class=kind, number=k)) for k, part in ((1, upper), (2, lower))]
    )


def assessment(series):
    keys = tuple(KeySlice(k, series.sop_instance_uids[k], frame_number(series.headers[k])) for k in (9, 3, 8))
    return replace(cases.bleeding(series), key_slices=keys)


def region(series):
    volume = head_volume(series)
    return Region((volume.hu > 55) & (volume.hu < 80), volume.to_source)


def dataset(document):
    return dcmread(BytesIO(document))


@pytest.mark.parametrize("kind", KINDS)
def test_the_structured_report_names_the_frames(kind):
    series = of_frames(kind)
    said = assessment(series)
    document = structured_report.write(series, said, sent_at=cases.MADE_AT)
    found = structured_report.read(document)
    assert found.key_slices == said.key_slices
    assert [k.frame for k in found.key_slices] == [3, 4, 2]
    assert [f.slices for f in found.findings] == [f.slices for f in said.findings]
    assert found.sop_instance_uids == series.sop_instance_uids
    (judged,) = dataset(document).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPClassUID for item in judged.ReferencedSOPSequence] == [kind, kind]


def test_key_objects_name_the_frames():
    series = of_frames()
    said = assessment(series)
    found = key_objects.read(key_objects.write(series, said, sent_at=cases.MADE_AT))
    assert found.key_slices == tuple(k.sop_instance_uid for k in said.key_slices)
    assert found.frames == (3, 4, 2)


def test_key_objects_without_a_key_slice_name_the_middle_one():
    series = of_frames()
    said = replace(assessment(series), key_slices=())
    found = key_objects.read(key_objects.write(series, said, sent_at=cases.MADE_AT))
    assert found.frames == (frame_number(series.headers[7]),)


def test_the_segmentation_is_drawn_on_the_frames():
    series, plain = of_frames(), load_series([file_bytes(image) for image in images()])
    document = segmentation.write(series, assessment(series), region(series), sent_at=cases.MADE_AT)
    expected = segmentation.read(
        segmentation.write(plain, cases.bleeding(plain), region(plain), sent_at=cases.MADE_AT)
    )
    found = segmentation.read(document)
    names = {
        uid: f"{series.sop_instance_uids[k]}#{frame_number(series.headers[k])}"
        for k, uid in enumerate(plain.sop_instance_uids)
    }
    assert set(found.masks) == {names[uid] for uid in expected.masks}
    assert all(np.array_equal(found.masks[names[uid]], mask) for uid, mask in expected.masks.items())
    written = dataset(document)
    listed = {item.ReferencedSOPInstanceUID for item in written.SourceImageSequence}
    assert listed == set(series.sop_instance_uids)
    (judged,) = written.ReferencedSeriesSequence
    assert {item.ReferencedSOPInstanceUID for item in judged.ReferencedInstanceSequence} == listed


def test_a_review_refers_to_the_images():
    series = of_frames()
    report = structured_report.write(series, assessment(series), sent_at=cases.MADE_AT)
    for subject in (Subject.of_report(report, case_identity(series)), Subject.of_images(series.headers)):
        found = review_report.read(review_cases.write(subject=subject))
        assert found.review == review_cases.RED
        assert set(found.sop_instance_uids) == set(series.sop_instance_uids)
    assert plain_text.read(plain_text.write(report)).sop_instance_uids


def test_documents_are_valid(tmp_path):
    series = of_frames()
    said = assessment(series)
    report = structured_report.write(series, said, sent_at=cases.MADE_AT)
    documents = [
        report,
        key_objects.write(series, said, sent_at=cases.MADE_AT),
        segmentation.write(series, said, region(series), sent_at=cases.MADE_AT),
        review_cases.write(subject=Subject.of_report(report, case_identity(series))),
    ]
    for number, document in enumerate(documents):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(document)
        dciodvfy(path)


def test_the_same_arguments_give_the_same_bytes():
    one, two = of_frames(), of_frames()
    for write_one in (structured_report.write, key_objects.write):
        assert write_one(one, assessment(one), sent_at=cases.MADE_AT) == write_one(
            two, assessment(two), sent_at=cases.MADE_AT
        )
    assert segmentation.write(one, assessment(one), region(one), sent_at=cases.MADE_AT) == segmentation.write(
        two, assessment(two), region(two), sent_at=cases.MADE_AT
    )


def test_a_key_slice_of_another_frame_is_not_of_the_series():
    series = of_frames()
    wrong = replace(assessment(series), key_slices=(KeySlice(0, series.sop_instance_uids[0], 77),))
    with pytest.raises(ReportError):
        key_slices(evidence(series), wrong)
