"""Reports on real studies, with the headers as scanners and archives wrote them."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
import report_cases as cases
from data import SHARED, needs_shared_data
from dicom_validators import dciodvfy, dsrdump, tid1500reader
from pydicom import dcmread

from headct.findings.region import Region
from headct.images.reading import load_series
from headct.network.preprocessing import head_volume
from headct.reports import key_objects, segmentation, structured_report
from headct.terms.assessment import Finding, FindingKind, Location

pytestmark = needs_shared_data

STUDIES = [
    "real_studies/toshiba_trauma/axial_brain",
    "real_studies/siemens_stroke_0019983/ct",
    "real_studies/siemens_stroke_0226308/ct",
    "ct_ich/series/CTICH-050",
    "phe_sich/series/PHESICH-0001",
]


@pytest.fixture(scope="module", params=STUDIES)
def series(request):
    return load_series(sorted((SHARED / request.param).iterdir()))


@pytest.fixture
def assessment(series):
    bleed = Finding(FindingKind.HAEMORRHAGE, (4, 5, 6), 23.4, 31.0, Location.DEEP, 61.0)
    return replace(cases.bleeding(series), findings=(bleed,))


@pytest.mark.validator
def test_the_report_passes_every_reader(series, assessment, tmp_path):
    path = tmp_path / "sr.dcm"
    path.write_bytes(structured_report.write(series, assessment, sent_at=cases.MADE_AT))
    dciodvfy(path)
    dsrdump(path)
    assert tid1500reader(path)["Measurements"][1]["measurementItems"][0]["value"] == "23.4"
    assert len(hd.sr.srread(path).get_evidence()) == len(series.headers)
    found = structured_report.read(path.read_bytes())
    assert found.findings == assessment.findings
    assert found.sop_instance_uids == series.sop_instance_uids
    source = series.headers[0]
    written = dcmread(path)
    assert (written.PatientID, written.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert str(written.PatientName) == str(source.PatientName)


def test_the_key_objects_pass_every_reader(series, assessment, tmp_path):
    path = tmp_path / "ko.dcm"
    path.write_bytes(key_objects.write(series, assessment, sent_at=cases.MADE_AT))
    dciodvfy(path)
    dsrdump(path)
    hd.ko.KeyObjectSelectionDocument.from_dataset(dcmread(path))
    chosen = tuple(key.sop_instance_uid for key in assessment.key_slices)
    assert key_objects.read(path.read_bytes()).key_slices == chosen


def test_the_segmentation_passes_every_reader(series, assessment, tmp_path):
    volume = head_volume(series)
    mask = np.zeros(volume.hu.shape, bool)
    mask[6:10, 90:112, 40:66] = True
    path = tmp_path / "seg.dcm"
    path.write_bytes(
        segmentation.write(series, assessment, Region(mask, volume.to_source), sent_at=cases.MADE_AT)
    )
    dciodvfy(path)
    found = segmentation.read(path.read_bytes())
    sources = dict(zip(series.sop_instance_uids, series.headers, strict=True))
    assert set(found.masks) == {series.sop_instance_uids[k] for slab in volume.slabs[6:10] for k in slab}
    written = hd.seg.segread(path)
    for frame in written.PerFrameFunctionalGroupsSequence:
        uid = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        assert place == pytest.approx([float(v) for v in sources[uid].ImagePositionPatient], abs=1e-6)
    drawn_ml = sum(m.sum() for m in found.masks.values()) * series.voxel_ml.mean()
    expected_ml = (mask.sum(axis=(1, 2)) * volume.voxel_ml).sum()
    slices = len(series.headers) / len(volume.slabs)
    assert drawn_ml / slices == pytest.approx(expected_ml, rel=0.05)
    assert (written.PatientID, str(written.PatientName)) == (
        series.headers[0].PatientID,
        str(series.headers[0].PatientName),
    )
