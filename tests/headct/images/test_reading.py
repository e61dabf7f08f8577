"""Grouping, sorting, orientation, gaps, duplicates, strays and slabs, on a synthetic head."""

import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from dicom_stack import file_bytes, files, head, header, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEGLosslessSV1, SecondaryCaptureImageStorage

from headct.errors import NotAnalysedError
from headct.images.coverage import coverage
from headct.images.geometry import slabs
from headct.images.reading import group_series, load_series, read_headers
from headct.reasons import ReasonCode

HEAD = head(slabs=14, size=40)


def refused(sources, code: ReasonCode, words: str = "") -> None:
    with pytest.raises(NotAnalysedError) as error:
        load_series(sources)
    assert error.value.reason.code is code, error.value.reason
    assert words in error.value.reason.detail


@settings(max_examples=15, deadline=None)
@given(
    order=st.permutations(range(len(HEAD))),
    mirror_columns=st.booleans(),
    mirror_rows=st.booleans(),
    transpose=st.booleans(),
    tilt=st.sampled_from([-20.0, 0.0, 10.5]),
)
def test_any_order_and_orientation_gives_the_same_volume(order, mirror_columns, mirror_rows, transpose, tilt):
    stored = files(
        HEAD, mirror_columns=mirror_columns, mirror_rows=mirror_rows, transpose=transpose, tilt_deg=tilt
    )
    series = load_series([stored[i] for i in order])
    assert np.array_equal(series.hu, HEAD.clip(-1024))
    assert series.spacing_mm == (3.0, 3.1)
    assert series.gantry_tilt_deg == pytest.approx(tilt, abs=0.01)
    assert series.sop_instance_uids == tuple(f"2.25.77.{k + 1}" for k in range(len(HEAD)))
    assert np.diff(series.slab_positions_mm) == pytest.approx(5.0, abs=0.01)
    assert series.dropped == series.assumed == ()


def test_a_tilted_gantry_shifts_slices_evenly():
    datasets = write(HEAD, tilt_deg=15.0)
    for k, ds in enumerate(datasets):
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, float(y) + 1.3 * k, z]
    assert len(load_series([file_bytes(ds) for ds in datasets]).hu) == len(HEAD)


def test_a_slice_beside_the_others_is_no_stack():
    datasets = write(HEAD)
    x, y, z = datasets[6].ImagePositionPatient
    datasets[6].ImagePositionPatient = [float(x) + 40, y, z]
    refused([file_bytes(ds) for ds in datasets], ReasonCode.INCONSISTENT_GEOMETRY, "shifted")


@settings(max_examples=100, deadline=None)
@given(gaps=st.lists(st.sampled_from([0.3, 0.5, 0.625, 1.0, 1.25, 2.0, 2.5, 3.0, 5.0, 8.0]), min_size=1))
def test_slabs_hold_each_slice_once_in_order(gaps):
    positions = np.concatenate([[0.0], np.cumsum(gaps)])
    found = slabs(positions)
    assert [k for slab in found for k in slab] == list(range(len(positions)))
    heights = np.gradient(positions)
    for slab in found:
        if len(slab) > 1:
            assert heights[list(slab)].sum() <= 10.0


@pytest.mark.parametrize(
    ("gap", "count", "members"), [(5.0, 20, 1), (4.0, 20, 1), (2.5, 20, 2), (1.25, 40, 4), (0.5, 200, 10)]
)
def test_thin_slices_are_averaged_to_about_5_mm(gap, count, members):
    found = slabs(np.arange(count) * gap)
    assert {len(slab) for slab in found} == {members}


def test_thin_slices_mean():
    thin = np.repeat(HEAD, 4, axis=0)
    thin[1::4] += 3
    series = load_series(files(thin, gaps_mm=1.25))
    assert np.abs(series.hu - (HEAD.clip(-1024) + 0.75)).max() <= 0.5
    assert series.slabs[1] == (4, 5, 6, 7)
    assert len(series.headers) == len(series.slice_positions_mm) == 4 * len(HEAD)
    assert series.slab_positions_mm[1] == pytest.approx(series.slice_positions_mm[4:8].mean())


@pytest.mark.parametrize(
    "gaps",
    [
        [8.87] * 6 + [9.0] * 7,
        [3.0] * 6 + [7.0] * 7,
        [2.5] * 9 + [10.0] * 4,
        [5.0, 4.9, 5.1, 5.0] * 3 + [5.0],
    ],
)
def test_two_steps_and_uneven_gaps_are_regular(gaps):
    series = load_series(files(HEAD, gaps_mm=gaps))
    assert series.slice_positions_mm[-1] - series.slice_positions_mm[0] == pytest.approx(sum(gaps), abs=0.01)


@pytest.mark.parametrize("missing", [[7], [6, 7], [4, 9], [3, 4, 5, 6, 7], [12]])
def test_missing_slices(missing):
    stored = [f for k, f in enumerate(files(HEAD)) if k not in missing]
    refused(stored, ReasonCode.INCONSISTENT_GEOMETRY, "slices missing")


def test_the_same_image_twice_is_dropped_once():
    stored = files(HEAD)
    series = load_series([*stored, stored[3], stored[5]])
    assert np.array_equal(series.hu, load_series(stored).hu)
    assert series.dropped == ("2 duplicate images",)


def test_the_same_pixels_under_another_uid_are_a_duplicate_in_either_order():
    stored = files(HEAD)
    copy = write(HEAD)[3]
    copy.SOPInstanceUID = "2.25.1"
    a, b = (load_series(s) for s in ([*stored, file_bytes(copy)], [file_bytes(copy), *stored]))
    assert a.sop_instance_uids == b.sop_instance_uids
    assert len(a.hu) == len(HEAD)


def test_two_images_at_one_place_are_no_stack():
    other = HEAD.copy()
    other[4] += 7
    refused(
        [*files(HEAD), files(other, series="2.25.78")[4]], ReasonCode.INCONSISTENT_GEOMETRY, "two different"
    )


def test_strays_are_left_out_and_named():
    scout = write(HEAD[:1])[0]
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    page = header(99, "2.25.77", "1.2.840.10008.1.2.1")
    page.SOPClassUID = page.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    page.Rows = page.Columns = 512
    series = load_series([*files(HEAD), file_bytes(scout), file_bytes(page)])
    assert np.array_equal(series.hu, HEAD.clip(-1024))
    assert series.dropped == ("1 localizer", "1 screen capture")


def test_more_localizers_than_slices_do_not_push_the_head_out():
    scouts = write(HEAD[:1])[0]
    scouts.ImageType, scouts.ImageOrientationPatient = ["LOCALIZER"], [1, 0, 0, 0, 0, -1]
    series = load_series([*[file_bytes(scouts)] * 20, *files(HEAD)])
    assert np.array_equal(series.hu, HEAD.clip(-1024))
    assert series.dropped == ("20 localizer",)


def test_captures_without_orientation_make_a_stack_of_their_own():
    datasets = write(HEAD)
    for ds in datasets:
        ds.SOPClassUID = SecondaryCaptureImageStorage
        del ds.ImageOrientationPatient
    series = load_series([file_bytes(ds) for ds in datasets])
    assert np.array_equal(series.hu, HEAD.clip(-1024))


def test_thin_slices_that_say_nothing_of_their_places_are_no_taller_than_a_head():
    thin = np.repeat(head(), 6, axis=0)
    datasets = write(thin)
    for ds in datasets:
        del ds.ImagePositionPatient, ds.SliceThickness
    series = load_series([file_bytes(ds) for ds in datasets])
    assert np.ptp(series.slice_positions_mm) == pytest.approx(180, rel=0.02)


def test_mixed_orientations_are_refused():
    datasets = write(HEAD)
    datasets[2].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    refused([file_bytes(ds) for ds in datasets], ReasonCode.INCONSISTENT_GEOMETRY, "mixed")


def test_mixed_sizes_are_refused():
    refused([*files(HEAD[:7]), *files(head(14, 48)[7:])], ReasonCode.INCONSISTENT_GEOMETRY, "mixed")


@pytest.mark.parametrize(
    ("absent", "assumed"),
    [
        ("ImageOrientationPatient", "orientation"),
        ("PixelSpacing", "pixel_spacing"),
        ("ImagePositionPatient", "slice_positions"),
        ("RescaleIntercept", "rescale"),
    ],
)
@pytest.mark.parametrize("where", [slice(None), slice(3, 4)])
def test_an_absent_attribute_is_assumed_and_said(absent, assumed, where):
    whole = head(slabs=28, size=64)
    datasets = write(whole)
    for ds in datasets[where]:
        del ds[absent]
    series = load_series([file_bytes(ds) for ds in datasets])
    assert np.array_equal(series.hu, whole.clip(-1024))
    one_of_many = where != slice(None) and absent == "PixelSpacing"
    assert series.assumed == (() if one_of_many else (assumed,))


def test_instance_numbers_from_the_head_down_are_turned():
    whole = head()
    datasets = write(whole)
    for k, ds in enumerate(datasets):
        del ds.ImagePositionPatient
        ds.InstanceNumber = len(datasets) - k
    series = load_series([file_bytes(ds) for ds in datasets])
    assert np.array_equal(series.hu, whole.clip(-1024))
    assert series.sop_instance_uids[0] == "2.25.77.1"
    assert coverage(series).complete
    assert (np.diff(series.slice_positions_mm) > 0).all()


def test_paths_and_bytes_read_alike(tmp_path: Path):
    stored = files(HEAD, syntax=JPEGLosslessSV1)
    for k, data in enumerate(stored):
        (tmp_path / f"{k}.dcm").write_bytes(data)
    a, b = load_series(stored), load_series(sorted(tmp_path.iterdir()))
    assert np.array_equal(a.hu, b.hu)
    assert a.pixel_digest == b.pixel_digest


def test_pixel_digest_follows_pixels_not_their_coding():
    other = HEAD.copy()
    other[3, 20, 20] += 1
    plain = "1.2.840.10008.1.2"
    stored = [files(HEAD, syntax=plain), files(other, syntax=plain), files(HEAD, syntax=JPEGLosslessSV1)]
    digests = [load_series(s).pixel_digest for s in stored]
    assert digests[0] == digests[2] != digests[1]


def test_headers_hold_no_pixels():
    assert all("PixelData" not in h for h in read_headers(files(HEAD)))


@pytest.mark.parametrize("junk", [b"", b"\0" * 200, b"not dicom at all " * 50, b"\0" * 128 + b"DICM"])
def test_a_file_that_is_not_dicom(junk):
    refused([*files(HEAD), junk], ReasonCode.UNREADABLE, "damaged file 15 of 15")


def test_a_disc_image_full_of_zeros_is_not_parsed():
    began = time.process_time()
    refused([*files(HEAD), bytes(10**8)], ReasonCode.UNREADABLE, "damaged file")
    assert time.process_time() - began < 30  # parsed, it takes minutes


def test_no_image():
    refused([], ReasonCode.TOO_FEW_SLICES)


def test_one_image():
    assert load_series(files(HEAD[:1])).hu.shape == (1, 40, 40)


def test_files_without_preamble_or_meta_header():
    stored = [f[f.index(b"\x08\x00\x08\x00") :] for f in files(HEAD, syntax="1.2.840.10008.1.2")]
    assert np.array_equal(load_series(stored).hu, HEAD.clip(-1024))
    assert np.array_equal(load_series([f[132:] for f in files(HEAD)]).hu, HEAD.clip(-1024))


def test_group_series(tmp_path: Path):
    disc = tmp_path / "DICOM" / "A"
    disc.mkdir(parents=True)
    for k, data in enumerate([*files(HEAD[:3]), *files(HEAD[:2], series="2.25.78")]):
        (disc / f"IM{k}").write_bytes(data)
    lost = write(HEAD[:1])[0]
    del lost.SeriesInstanceUID
    (disc / "LOST").write_bytes(file_bytes(lost))
    index = header(0, "2.25.1", "1.2.840.10008.1.2.1")
    index.DirectoryRecordSequence = []
    (tmp_path / "DICOMDIR").write_bytes(file_bytes(index))
    (tmp_path / "README.TXT").write_text("read me")
    (tmp_path / "empty").touch()
    found = group_series([tmp_path])
    assert {uid: len(paths) for uid, paths in found.items()} == {
        "2.25.77": 3,
        "2.25.78": 2,
        f"no-series-uid:{disc}": 1,
    }
    assert group_series([disc / "IM0"]) == {"2.25.77": [disc / "IM0"]}


def test_a_folder_whose_name_is_no_text(tmp_path: Path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    lost = write(HEAD[:1])[0]
    del lost.SeriesInstanceUID
    (folder / "IM0").write_bytes(file_bytes(lost))
    (uid,) = group_series([tmp_path])
    assert uid.encode("utf-8").endswith(b"caf?")


def test_many_thin_slices_are_never_all_in_memory(tmp_path: Path):
    picture = np.zeros((1, 256, 256), np.int16)
    template = write(picture)[0]
    paths = []
    for k in range(150):
        template.ImagePositionPatient = [0, 0, 0.5 * k]
        template.SOPInstanceUID = f"2.25.77.{k + 1}"
        paths.append(tmp_path / f"{k}")
        paths[-1].write_bytes(file_bytes(template))
    headers = read_headers(paths)
    tracemalloc.start()
    series = load_series(paths, headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert series.hu.shape == (15, 256, 256)
    assert peak < 8e6 < 150 * 256 * 256 * 2
