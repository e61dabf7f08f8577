"""The region drawn: from a head in the patient's space over images and crop back into that space."""

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
import report_cases as cases
from dicom_validators import dciodvfy
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from headct.errors import ReportError
from headct.findings.region import Region
from headct.images.geometry import as_stored, stack
from headct.images.reading import load_series
from headct.images.series import CTSeries
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, head_volume
from headct.reports import segmentation, structured_report
from headct.reports.identity import case_identity, result_uid
from headct.reports.segmentation import Segment

CENTRE = np.array([3.0, -12.0, 70.0])
"""Of the head drawn here, in DICOM patient coordinates, mm."""
RADIUS_MM = 15.0
"""Of the bleed in it."""
BRAIN, BLOOD, AIR = 35, 65, -1000


def hounsfield(points: NDArray[np.float64], bleed: NDArray[np.float64], turn_deg: float) -> NDArray[np.int16]:
    """A head without a skull, turned about the body axis, with one bleed; ``points``: shape (..., 3)."""
    a = np.deg2rad(turn_deg)
    x, y, z = np.moveaxis(points - CENTRE, -1, 0)
    x, y = np.cos(a) * x + np.sin(a) * y, -np.sin(a) * x + np.cos(a) * y
    size = np.sqrt((x / 72) ** 2 + (y / 90) ** 2 + (z / 85) ** 2)
    hu = np.where(size < 1.0, BRAIN, AIR)
    return np.where(np.linalg.norm(points - bleed, axis=-1) < RADIUS_MM, BLOOD, hu).astype(np.int16)


def images(
    heights: list[float],
    bleed: NDArray[np.float64],
    *,
    tilt_deg: float = 0.0,
    by_gantry: bool = True,
    turn_deg: float = 0.0,
    stored: str = "RA",
    **attributes: object,
) -> list[bytes]:
    """CT slices of that head at heights in mm.

    ``by_gantry``: tilted slices are shifted against each other, as a moving table does; else they are stacked
    along their normal.
    ``stored``: towards which side columns and rows begin, such as R and A for a picture as radiologists look
    at it; ``AR`` is transposed, ``L`` and ``P`` are mirrored.
    """
    t = np.deg2rad(tilt_deg)
    left, back = np.array([1.0, 0, 0]), np.array([0, np.cos(t), -np.sin(t)])
    towards = {"R": left, "L": -left, "A": back, "P": -back}
    rows_to, columns_to = (towards[side] for side in stored)
    rows, columns, spacing = 64, 60, (3.9, 4.1)
    r, c = np.indices((rows, columns))
    middle = rows_to * spacing[1] * (columns - 1) / 2 + columns_to * spacing[0] * (rows - 1) / 2
    files = []
    for number, height in enumerate(heights):
        corner = np.array([CENTRE[0], CENTRE[1], height]) - middle
        if not by_gantry:
            corner += (height - CENTRE[2]) * (np.cross(left, back) - [0, 0, 1])
        points = corner + rows_to * (c * spacing[1])[..., None] + columns_to * (r * spacing[0])[..., None]
        image = cases.header(number, **attributes)
        image.Rows, image.Columns, image.PixelSpacing = rows, columns, list(spacing)
        image.SliceThickness, image.InstanceNumber = 5, number + 1
        image.ImagePositionPatient = [round(float(v), 6) for v in corner]
        image.ImageOrientationPatient = [round(float(v), 8) for v in (*rows_to, *columns_to)]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = hounsfield(points, bleed, turn_deg).astype("<i2").tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        buffer = BytesIO()
        image.save_as(buffer, enforce_file_format=True)
        files.append(buffer.getvalue())
    return files


def bleeding(series: CTSeries) -> Region:
    """The bleed as a network that is always right would find it."""
    volume = head_volume(series)
    return Region(volume.hu > (BRAIN + BLOOD) / 2, volume.to_source)


def dataset(document: bytes) -> Dataset:
    return dcmread(BytesIO(document))


def drawn_points(document: bytes) -> NDArray[np.float64]:
    """Where the drawn voxels lie in the patient, from nothing but the document; shape (voxels, 3)."""
    found = dataset(document)
    (shared,) = found.SharedFunctionalGroupsSequence
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    pixels = found.pixel_array.reshape(-1, found.Rows, found.Columns)
    points = []
    for frame, mask in zip(found.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        corner = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        r, c = np.nonzero(mask)
        across, down = c[:, None] * spacing[1] * directions[:3], r[:, None] * spacing[0] * directions[3:]
        points.append(corner + across + down)
    return np.concatenate(points)


EVEN = [5.0 * k for k in range(32)]
TWO_STEPS = [2.5 * k for k in range(16)] + [40 + 5.0 * k for k in range(24)]
THIN = [2.0 * k for k in range(80)]
SERIES = load_series(images(EVEN, CENTRE + np.array([30, 10, 5])))
REGION = bleeding(SERIES)
ASSESSMENT = cases.bleeding(SERIES)


def write(series: CTSeries = SERIES, region: Region = REGION, **options: object) -> bytes:
    return segmentation.write(series, ASSESSMENT, region, sent_at=cases.MADE_AT, **options)


DOCUMENT = write()


@settings(max_examples=6, phases=[Phase.reuse, Phase.generate])  # shrinking a head takes minutes
@given(
    heights=st.sampled_from([EVEN, TWO_STEPS, THIN]),
    bleed=st.tuples(st.floats(-35, 35), st.floats(-45, 45), st.floats(-35, 35)),
    tilt=st.floats(-25, 25),
    turn=st.floats(-30, 30),
    stored=st.sampled_from(["RA", "LA", "RP", "LP", "AR", "AL", "PR", "PL"]),
    upwards=st.booleans(),
)
def test_the_bleed_is_drawn_where_it_is_in_the_patient(heights, bleed, tilt, turn, stored, upwards):
    bleed = CENTRE + bleed
    files = images(heights, bleed, tilt_deg=tilt, turn_deg=turn, stored=stored)
    series = load_series(files if upwards else files[::-1])
    region = bleeding(series)
    document = write(series, region)
    points = drawn_points(document)
    assert np.linalg.norm(points.mean(axis=0) - bleed) < 2.0
    # A voxel's centre may lie outside by half its diagonal: 2.8 mm in the plane, 2.5 mm across.
    assert np.linalg.norm(points - bleed, axis=1).max() < RADIUS_MM + 5.0
    # Every frame lies exactly where its image does, and has the pixels of the region there.
    sources = dict(zip(series.sop_instance_uids, series.headers, strict=True))
    expected = {series.sop_instance_uids[k]: mask for k, mask in region.in_images(series)}
    placed = stack(series.headers)
    found = segmentation.read(document)
    assert set(found.masks) == set(expected)
    for uid, mask in found.masks.items():
        assert mask.shape == (sources[uid].Rows, sources[uid].Columns)
        assert np.array_equal(placed.upright(mask[None].astype(np.int16))[0], expected[uid])
    for frame in dataset(document).PerFrameFunctionalGroupsSequence:
        source = sources[frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == source.ImagePositionPatient


def test_round_trip():
    identity = case_identity(SERIES)
    expected = {SERIES.sop_instance_uids[k]: mask for k, mask in REGION.in_images(SERIES)}
    found = segmentation.read(DOCUMENT)
    assert found.sop_instance_uid == result_uid(identity, ASSESSMENT.judged_by, "seg")
    assert (found.study_instance_uid, found.series_instance_uid) == ("1.2.3.4", "1.2.3.4.0")
    assert found.frame_of_reference_uid == "1.2.3.4.0.1"
    assert found.label == "Intracranial haemorrhage, suspected"
    assert "the physician makes the final judgement" in found.description
    assert found.bundle == cases.BUNDLE
    assert len(found.masks) == 5
    assert all(np.array_equal(found.masks[uid], expected[uid]) for uid in expected)


def test_it_is_filed_with_the_study_and_says_who_drew_it():
    found = dataset(DOCUMENT)
    assert (found.StudyInstanceUID, found.PatientID, found.PatientName) == ("1.2.3.4", "P-1", "Doe^Jane")
    assert (found.Modality, found.SeriesNumber, found.SegmentationType) == ("SEG", 9803, "BINARY")
    (segment,) = found.SegmentSequence
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "1386000"
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    referenced = found.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {item.ReferencedSOPInstanceUID for item in referenced} == set(SERIES.sop_instance_uids)


def test_the_same_arguments_give_the_same_bytes():
    assert write() == DOCUMENT


def test_no_probability_is_told():
    assert b"0.97" not in DOCUMENT
    assert b"robabilit" not in DOCUMENT


@pytest.mark.validator
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("heights", [EVEN, TWO_STEPS], ids=["even", "two steps"])
def test_validators_accept_it(tmp_path, language, heights):
    at_the_step = CENTRE - np.array([0, 0, 30])
    series = load_series(images(heights, at_the_step, tilt_deg=12))
    path = tmp_path / "seg.dcm"
    path.write_bytes(write(series, bleeding(series), language=language))
    dciodvfy(path)
    found = hd.seg.segread(path)
    (shared,) = found.SharedFunctionalGroupsSequence
    assert ("SpacingBetweenSlices" in shared.PixelMeasuresSequence[0]) == (heights is EVEN)
    assert {"en": "suspected", "ja": "疑い"}[language] in found.get_segment_description(1).segment_label


@pytest.mark.validator
@pytest.mark.parametrize(("tilt", "stored"), [(0, "RA"), (18, "RA"), (-10, "PL")])
def test_dcmqi_sees_the_same_voxels_in_the_same_place(tmp_path, tilt, stored):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not here")
    # It reads no slices that are shifted against each other, as those of a tilted gantry are.
    bleed = CENTRE + np.array([20, 20, 0])
    series = load_series(images(EVEN, bleed, tilt_deg=tilt, by_gantry=False, stored=stored))
    document = write(series, bleeding(series))
    (tmp_path / "seg.dcm").write_bytes(document)
    reader = Path(sys.executable).with_name("segimage2itkimage")
    subprocess.run(
        [reader, "--inputDICOM", "seg.dcm", "--outputDirectory", ".", "--prefix", "s"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    image = sitk.ReadImage(str(tmp_path / "s-1.nrrd"))
    voxels = np.argwhere(sitk.GetArrayFromImage(image))[:, ::-1]
    seen = np.array([image.TransformIndexToPhysicalPoint(voxel.tolist()) for voxel in voxels])
    ours = drawn_points(document)
    assert len(seen) == len(ours)
    gaps = np.linalg.norm(seen[:, None] - ours[None], axis=2).min(axis=1)
    assert gaps.max() < 0.01


@cache
def ordinary() -> list[bytes]:
    return images(EVEN, CENTRE)


def changed(keyword: str, value: object, of: slice = slice(None)) -> CTSeries:
    """The series with another value in some of its headers, ``None`` for none."""
    files = [dataset(file) for file in ordinary()]
    for image in files[of]:
        if value is None:
            del image[keyword]
        else:
            setattr(image, keyword, value)
    written = []
    for image in files:
        buffer = BytesIO()
        image.save_as(buffer)
        written.append(buffer.getvalue())
    return load_series(written)


@pytest.mark.parametrize(
    ("keyword", "value", "of", "why"),
    [
        ("FrameOfReferenceUID", None, slice(None), "do not say the frame of reference"),
        ("FrameOfReferenceUID", "not a UID", slice(None), "do not say the frame of reference"),
        ("FrameOfReferenceUID", None, slice(3, 4), "no common frame of reference"),
        ("FrameOfReferenceUID", "1.2.3", slice(3, 4), "no common frame of reference"),
        ("ImageOrientationPatient", None, slice(None), "do not say the orientation"),
        ("ImageOrientationPatient", None, slice(3, 4), "do not say the orientation"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 0.9999, 0.0141], slice(3, 4), "orientation .* varies"),
        ("ImagePositionPatient", None, slice(None), "do not say the positions"),
        ("PixelSpacing", None, slice(None), "do not say the pixel spacing"),
        ("PixelSpacing", None, slice(3, 4), "do not say where the images lie"),
        ("PixelSpacing", [3.9, 4.105], slice(3, 4), "pixel spacing varies"),
        ("StudyInstanceUID", None, slice(None), "study or series UID"),
    ],
)  # fmt: skip
def test_where_the_headers_do_not_say_where_images_lie_nothing_is_drawn(keyword, value, of, why):
    series = changed(keyword, value, of)
    with pytest.raises(ReportError, match=why):
        write(series, bleeding(series))


def test_odd_headers_are_no_reason():
    series = changed("SliceThickness", None)
    (shared,) = dataset(write(series, bleeding(series))).SharedFunctionalGroupsSequence
    assert shared.PixelMeasuresSequence[0].SliceThickness == 5
    series = changed("PatientBirthDate", "Unknown")
    assert segmentation.read(write(series, bleeding(series))).masks


def test_what_is_empty_or_too_large_is_not_drawn(monkeypatch):
    nothing = Region(np.zeros((len(SERIES.slabs), CROP_ROWS, CROP_COLUMNS), bool), REGION.to_source)
    with pytest.raises(ReportError, match="empty"):
        write(region=nothing)
    monkeypatch.setattr(segmentation, "MAX_PIXELS", 64 * 60 * 4)
    with pytest.raises(ReportError, match="too large"):
        write()


def test_one_frame():
    mask = REGION.mask.copy()
    mask[: np.flatnonzero(mask.any(axis=(1, 2)))[-1]] = False
    found = segmentation.read(write(region=replace(REGION, mask=mask)))
    assert [mask.shape for mask in found.masks.values()] == [(64, 60)]


def test_a_report_is_no_segmentation():
    report = structured_report.write(SERIES, ASSESSMENT, sent_at=cases.MADE_AT)
    other = dataset(DOCUMENT)
    other.Manufacturer = "ACME"
    buffer = BytesIO()
    other.save_as(buffer)
    for document in (report, buffer.getvalue(), b""):
        with pytest.raises(ReportError):
            segmentation.read(document)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("document", cases.damaged(DOCUMENT, 40), ids=range(40))
def test_damaged_segmentations_are_refused_or_read(document):
    with suppress(ReportError):
        assert isinstance(segmentation.read(document), Segment)


@pytest.mark.parametrize("stored", ["RA", "LA", "RP", "LP", "AR", "AL", "PR", "PL"])
def test_as_stored_undoes_upright(stored):
    placed = stack([dataset(file) for file in images([0.0, 5.0], CENTRE, stored=stored)])
    volume = np.random.default_rng(0).integers(0, 2, (2, 5, 7)).astype(np.int16)
    assert np.array_equal(
        as_stored(placed.upright(volume) > 0, placed.rows_to, placed.columns_to), volume > 0
    )
