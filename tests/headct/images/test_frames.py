"""Multi-frame CT gives the very stack that the plain images of its frames give."""

import random
from io import BytesIO

import numpy as np
import pytest
from dicom_stack import CODECS, LOSSY, NATIVE, file_bytes, head, write
from multi_frame import file, multi_frame
from mutation import mutants
from pydicom import dcmread
from pydicom.uid import (
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    LegacyConvertedEnhancedCTImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    RLELossless,
)

from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError
from headct.images.frames import frame_number
from headct.images.reading import load_series
from headct.reasons import ReasonCode
from headct.terms.assessment import KeySlice

HEAD = head(slabs=14, size=40)
PLAIN = load_series([file_bytes(image) for image in write(HEAD)])
FRAMES = tuple(range(1, 15))


def refused(sources, code, call=load_series):
    with pytest.raises(NotAnalysedError) as error:
        call(sources)
    assert error.value.reason.code is code, error.value.reason
    return error.value.reason.detail


def check(sources, frames=FRAMES):
    series = load_series(sources)
    assert np.array_equal(series.hu, PLAIN.hu)
    assert series.pixel_digest == PLAIN.pixel_digest
    assert series.spacing_mm == PLAIN.spacing_mm
    np.testing.assert_allclose(series.slice_positions_mm, PLAIN.slice_positions_mm)
    assert series.assumed == series.dropped == ()
    assert tuple(map(frame_number, series.headers)) == tuple(frames)
    return series


@pytest.mark.parametrize("syntax", [s for s in (*NATIVE, *CODECS, RLELossless) if s not in LOSSY])
def test_every_transfer_syntax(syntax):
    check([file(multi_frame(write(HEAD, syntax=syntax)))])


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize(
    "how", [{"offsets": "none"}, {"offsets": "extended"}, {"fragments": 3}], ids=["none", "extended", "cut"]
)
def test_every_way_to_say_where_frames_begin(syntax, how):
    check([file(multi_frame(write(HEAD, syntax=syntax), **how))])


@pytest.mark.parametrize("kind", [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage])
def test_frames_in_any_order(kind):
    images = write(HEAD)
    mixed = np.random.default_rng(1).permutation(len(images)).tolist()
    check([file(multi_frame([images[i] for i in mixed], sop_class=kind))], np.argsort(mixed) + 1)


def test_from_a_folder(tmp_path):
    path = tmp_path / "one.dcm"
    path.write_bytes(file(multi_frame(write(HEAD))))
    check([path])


@pytest.mark.parametrize("turned", [False, True])
def test_several_files_in_any_order(turned):
    images = write(HEAD)
    parts = [file(multi_frame(images[:9], number=1)), file(multi_frame(images[9:], number=2))]
    series = check(parts[::-1] if turned else parts, (*range(1, 10), *range(1, 6)))
    assert len(set(series.sop_instance_uids)) == 2


def test_a_file_for_every_frame():
    files = [file(multi_frame([image], number=k)) for k, image in enumerate(write(HEAD), start=1)]
    check(files, [1] * len(HEAD))


def test_frames_have_what_plain_headers_have():
    images = write(HEAD)
    for k, image in enumerate(images):
        image.AcquisitionNumber, image.AcquisitionTime = k // 7 + 1, f"0102{k:02d}.5"
        image.ConvolutionKernel = "H31s"
    series = load_series([file(multi_frame(images))])
    for k, header in enumerate(series.headers):
        assert (header.AcquisitionNumber, header.AcquisitionTime) == (k // 7 + 1, f"0102{k:02d}.5")
        assert (header.ConvolutionKernel, header.InstanceNumber) == ("H31s", k + 1)
        assert header.ImageType == ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        assert "NumberOfFrames" not in header


def test_each_frame_may_have_its_own_scale():
    images, whole = write(HEAD), multi_frame(write(HEAD))
    del whole.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for k, group in enumerate(whole.PerFrameFunctionalGroupsSequence):
        group.PixelValueTransformationSequence = [images[0].__class__()]
        (scale,) = group.PixelValueTransformationSequence
        scale.RescaleSlope, scale.RescaleIntercept = 1, -1024 + k
    series = load_series([file(whole)])
    assert np.array_equal(series.hu[5] - 5, PLAIN.hu[5])


@pytest.mark.parametrize(
    "frame_type",
    [
        ("ORIGINAL", "PRIMARY", "PERFUSION", "NONE"),
        ("ORIGINAL", "PRIMARY", "VOLUME", "MAXIMUM"),
        ("ORIGINAL", "PRIMARY", "VOLUME", "MTT"),
        ("DERIVED", "PRIMARY", "VOLUME", "NONE"),
        ("DERIVED", "PRIMARY", "ANGIO", "SUBTRACTION"),
    ],
    ids="/".join,
)
@pytest.mark.parametrize("call", [load_series, admit])
def test_computed_images_are_refused_as_such(frame_type, call):
    refused([file(multi_frame(write(HEAD), frame_type=frame_type))], ReasonCode.DERIVED_VALUES, call)


def test_projections_are_refused_as_such():
    whole = multi_frame(write(HEAD), sop_class=LegacyConvertedEnhancedCTImageStorage)
    (kind,) = whole.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence
    kind.VolumeBasedCalculationTechnique = "MAX_IP"
    refused([file(whole)], ReasonCode.DERIVED_VALUES)


def test_makers_own_words_refuse_no_legacy_image():
    said = ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI")
    check([file(multi_frame(write(HEAD), sop_class=LegacyConvertedEnhancedCTImageStorage, frame_type=said))])


def test_several_times_of_one_place_are_not_stacked():
    images = write(HEAD) + write((HEAD + 40).astype(np.int16))
    found = load_series([file(multi_frame(images))])
    assert len(found.headers) == len(HEAD)
    assert len({frame_number(header) > len(HEAD) for header in found.headers}) == 1


def test_contrast_is_read_where_multi_frames_say_it():
    whole = multi_frame(write(HEAD))
    whole.ContrastBolusAgentSequence = [whole.__class__()]
    whole.ContrastBolusAgentSequence[0].CodeMeaning = "Iopamidol"
    refused([file(whole)], ReasonCode.CONTRAST, admit)


def test_too_few_frames_are_too_few_slices():
    refused([file(multi_frame(write(HEAD)[:4]))], ReasonCode.TOO_FEW_SLICES, admit)


def test_a_file_cut_short_is_unreadable():
    whole = file(multi_frame(write(HEAD)))
    assert refused([whole[:-3000]], ReasonCode.UNREADABLE) == "pixel data cut short"
    packed = file(multi_frame(write(HEAD, syntax=JPEGLSLossless), offsets="none"))
    refused([packed[: len(packed) // 2]], ReasonCode.UNREADABLE)


def test_an_unknown_transfer_syntax_is_unreadable():
    whole = file(multi_frame(write(HEAD))).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0", 1)
    refused([whole], ReasonCode.UNREADABLE)


def test_groups_that_are_not_one_a_frame_are_unreadable():
    whole = multi_frame(write(HEAD))
    del whole.PerFrameFunctionalGroupsSequence[3]
    refused([file(whole)], ReasonCode.UNREADABLE)


@pytest.mark.parametrize(
    "kind", [MultiFrameGrayscaleWordSecondaryCaptureImageStorage, EnhancedCTImageStorage]
)
def test_other_images_of_several_frames_are_refused_for_that(kind):
    whole = multi_frame(write(HEAD), sop_class=kind)
    del whole.PerFrameFunctionalGroupsSequence
    whole.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    detail = refused([file(whole)] * 3, ReasonCode.UNREADABLE, admit)
    assert detail == "several frames in one image"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless])
def test_damaged_files_are_a_stack_or_a_reason(syntax):
    small = write(HEAD, syntax=syntax)
    whole = [file(multi_frame(small[:7], number=1)), file(multi_frame(small[7:], number=2))]
    rng = random.Random(5)
    flipped = []
    for _ in range(12):
        data = bytearray(whole[0])
        for _ in range(rng.choice((1, 4, 30))):
            data[rng.randrange(132, 12_000)] = rng.randrange(256)
        flipped.append([bytes(data), whole[1]])
    outcomes = set()
    for sources in [*flipped, *(damaged for _, damaged in mutants(whole, seed=3, count=12))]:
        try:
            load_series(sources)
            outcomes.add("read")
        except NotAnalysedError as error:
            outcomes.add(error.reason.code)
    assert {"read", ReasonCode.UNREADABLE} <= outcomes


def test_headers_stay_apart():
    data = file(multi_frame(write(HEAD)))
    first, second = load_series([data]), load_series([data])
    first.headers[0].InstanceNumber = 99
    assert [h.InstanceNumber for h in second.headers] == list(FRAMES)
    assert dcmread(BytesIO(data)).NumberOfFrames == len(HEAD)


def test_a_key_slice_of_earlier_releases_has_no_frame():
    assert KeySlice(**{"number": 3, "sop_instance_uid": "1.2"}) == KeySlice(3, "1.2", None)
