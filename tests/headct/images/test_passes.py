"""What covers the same heights twice is two passes, whatever the headers count; one pass is never split."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from headct.images.scans.passes import passes

Heights = Sequence[float]
THICK = np.arange(30) * 5.0
THIN = np.arange(40) * 1.25
TWO_STEPS = np.cumsum([2.5] * 16 + [5.0] * 20)
SHOTS = np.concatenate([shot * 12.7 + np.arange(16) * 1.25 for shot in range(10)])
"""Step and shoot with shots that overlap: in order, steps of 1.25, 0.73 and 0.52 mm."""


def image(height: float, uid: str, **attributes) -> Dataset:
    ds = Dataset()
    ds.SOPInstanceUID = uid
    ds.Modality = "CT"
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [-115, -115, round(float(height), 4)]
    ds.Rows = ds.Columns = 512
    ds.PixelSpacing = [0.45, 0.45]
    for keyword, value in attributes.items():
        if value is not None:
            setattr(ds, keyword, value)
    return ds


def scan(heights: Heights, name: str = "1", **attributes) -> list[Dataset]:
    """Images in the order of their acquisition; attributes are values, or functions of the image's number."""
    given_ = {"SliceThickness": float(np.median(np.abs(np.diff(heights)))), "InstanceNumber": lambda k: k + 1}
    return [
        image(
            height,
            f"2.25.{name}.{k + 1}",
            **{key: v(k) if callable(v) else v for key, v in {**given_, **attributes}.items()},
        )
        for k, height in enumerate(heights)
    ]


def clock(first: float) -> Callable[[int], str]:
    return lambda k: f"1015{first + k * 0.3:09.6f}"


def told(*scans: Sequence[Dataset], seed: int = 0) -> set[frozenset[str]]:
    """The passes by the UIDs of their images, which arrive in any order."""
    headers = [header for one in scans for header in one]
    np.random.default_rng(seed).shuffle(headers)  # type: ignore[arg-type]
    found = passes(headers)
    together = [i for part in found for i in part]
    assert len(set(together)) == len(together)
    assert [len(part) for part in found] == sorted(map(len, found), reverse=True)
    return {frozenset(str(headers[i].SOPInstanceUID) for i in part) for part in found}


def names(*scans: Sequence[Dataset]) -> set[frozenset[str]]:
    return {frozenset(str(h.SOPInstanceUID) for h in one) for one in scans}


ONE_PASS = {
    "silent": {"InstanceNumber": None, "SliceThickness": None},
    "plain": {},
    "a number a slice": {"AcquisitionNumber": lambda k: k + 2},
    "numbers downwards": {"AcquisitionNumber": lambda k: 900 - k, "InstanceNumber": lambda k: 900 - k},
    "two slices a shot": {
        "AcquisitionNumber": lambda k: k // 2 + 1,
        "AcquisitionTime": lambda k: f"10{k // 2:04}",
    },
    "four slices a shot": {"AcquisitionNumber": lambda k: k // 4 + 1},
    "every other number": {"AcquisitionNumber": lambda k: k % 2 + 1},
    "odd ones first": {"InstanceNumber": lambda k: (k % 2) * 500 + k},
    "a time a slice": {"AcquisitionTime": clock(3), "AcquisitionDate": "20260115"},
    "over midnight": {"AcquisitionTime": lambda k: f"{(235950 + k) if k < 10 else k:06}"},
    "one change": {
        "AcquisitionNumber": lambda k: 2 + (k > 11),
        "AcquisitionTime": lambda k: f"10{k > 11:04d}",
    },
    "numbered at random": {"InstanceNumber": lambda k: (k * 37) % 997},
    "every number twice": {"InstanceNumber": lambda k: k // 2},
    "one number for all": {"InstanceNumber": 1},
    "one slice numbered otherwise": {"AcquisitionNumber": lambda k: 5 if k == 14 else 2},
    "two kernels, one above the other": {"ConvolutionKernel": lambda k: "H40s" if k < 12 else "H30s"},
    "thickness rounded": {"SliceThickness": lambda k: 5.0 if k % 3 else 4.9},
}


@pytest.mark.parametrize("how", ONE_PASS)
@pytest.mark.parametrize(
    "heights", [THICK, THIN, TWO_STEPS, -THICK], ids=["thick", "thin", "two steps", "down"]
)
def test_one_pass_is_never_split(how, heights):
    one = scan(heights, **{**({} if heights is THICK else {"SliceThickness": None}), **ONE_PASS[how]})
    assert told(one) == names(one)


@pytest.mark.parametrize("numbered", ["AcquisitionNumber", "AcquisitionTime", "InstanceNumber"])
def test_shots_that_overlap_are_one_pass(numbered):
    one = scan(
        SHOTS,
        SliceThickness=1.25,
        **{numbered: lambda k: f"{k // 16 + 1:06}" if "Time" in numbered else k // 16 + 1},
    )
    assert told(one) == names(one)
    by_place = sorted(one, key=lambda ds: float(ds.ImagePositionPatient[2]))
    for k, ds in enumerate(by_place):
        ds.InstanceNumber = k + 1
    assert told(by_place) == names(one)


def test_base_and_vertex_are_one_pass():
    base, vertex = scan(np.arange(16) * 2.5, "1"), scan(37.5 + 5 * np.arange(1, 21), "2", AcquisitionNumber=3)
    for ds in base:
        ds.AcquisitionNumber = 2
    assert told(base, vertex) == names([*base, *vertex])


TWICE = {
    "number": ({"AcquisitionNumber": 2}, {"AcquisitionNumber": 3}),
    "number missing in one": ({"AcquisitionNumber": 2, "InstanceNumber": None}, {"InstanceNumber": None}),
    "a number a slice": ({"AcquisitionNumber": lambda k: k}, {"AcquisitionNumber": lambda k: 500 + k}),
    "shots": ({"AcquisitionNumber": lambda k: k // 4}, {"AcquisitionNumber": lambda k: 500 + k // 4}),
    "time": ({"AcquisitionTime": clock(3)}, {"AcquisitionTime": "101559"}),
    "time of content": (
        {"ContentTime": clock(1), "ContentDate": "1"}, {"ContentTime": clock(55), "ContentDate": "1"},
    ),
    "time of content, no date": (
        {"ContentTime": "101500", "InstanceNumber": None}, {"ContentTime": "101559", "InstanceNumber": None},
    ),
    "event": ({"IrradiationEventUID": "2.25.5"}, {"IrradiationEventUID": "2.25.6"}),
    "numbered on": ({}, {"InstanceNumber": lambda k: 500 + k}),
    "kernel": ({"ConvolutionKernel": "H30s"}, {"ConvolutionKernel": "H60s"}),
    "thickness": ({"SliceThickness": 5.0}, {"SliceThickness": 6.5}),
    "pixel spacing": ({}, {"PixelSpacing": [0.39, 0.39]}),
    "size": ({}, {"Rows": 256, "Columns": 256, "PixelSpacing": [0.9, 0.9]}),
    "tilt": ({}, {"ImageOrientationPatient": [1, 0, 0, 0, 0.966, -0.259]}),
}  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(
    how=st.sampled_from(sorted(TWICE)),
    heights=st.sampled_from([THICK, THIN]),
    offset=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 4.0, -6.5]),
    down=st.booleans(),
    seed=st.integers(0, 99),
)
def test_what_covers_the_same_heights_twice_is_two_passes(how, heights, offset, down, seed):
    step = heights[1] - heights[0]
    first, second = TWICE[how]
    if how == "shots" and offset > 1:
        offset = 0.9  # a whole shot beyond the first pass might as well go on with it
    again = (heights + offset * step)[:: -1 if down else 1]
    one, two = scan(heights, "1", **first), scan(again, "2", **second)
    assert told(one, two, seed=seed) == names(one, two)


def test_three_passes_of_which_two_share_a_number():
    scans = [
        scan(THICK + n * 1.6, str(n), AcquisitionNumber=2 + n // 2, InstanceNumber=lambda k, n=n: 100 * n + k)
        for n in range(3)
    ]
    assert told(*scans) == names(*scans)


def test_three_passes_of_which_each_shares_something_with_another():
    one = scan(THICK, "1", AcquisitionNumber=1)
    two = scan(THICK + 1, "2", AcquisitionNumber=1, InstanceNumber=lambda k: 500 + k)
    three = scan(THICK[:12] + 2, "3", AcquisitionNumber=2, InstanceNumber=lambda k: 500 + k)
    assert told(one, two, three) == names(one, two, three)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("repeated", [slice(18, None), slice(0, 12), slice(10, 14), slice(12, 15)])
@pytest.mark.parametrize("offset", [0.0, 1.0, 2.5])
def test_a_part_scanned_again_is_a_pass_of_its_own(repeated, offset, first):
    numbers = [2, 3] if first else [3, 2]
    one = scan(THICK, "1", AcquisitionNumber=numbers[0])
    two = scan(THICK[repeated] + offset, "2", AcquisitionNumber=numbers[1])
    if len(two) > 3:
        assert told(one, two) == names(one, two)
    else:  # no pass: copies of slices, for others to tell, or left out
        assert told(one, two) == (names(one) if offset else names([*one, *two]))


def test_numbers_exchanged_on_the_way_are_not_believed_against_times():
    one = scan(THICK, "1", AcquisitionNumber=2, AcquisitionTime=clock(1))
    two = scan(THICK + 2, "2", AcquisitionNumber=3, AcquisitionTime=clock(40))
    for k in (4, 11, 12, 20):
        one[k].AcquisitionNumber, two[k].AcquisitionNumber = 3, 2
    assert told(one, two) == names(one, two)


def test_a_number_missing_in_some_leaves_it_to_the_times():
    one = scan(THICK, "1", AcquisitionNumber=lambda k: 2 if k % 4 else None, AcquisitionTime=clock(1))
    two = scan(THICK + 2, "2", AcquisitionNumber=lambda k: 3 if k % 3 else None, AcquisitionTime=clock(40))
    assert told(one, two) == names(one, two)


def test_images_without_a_place_are_with_the_largest_pass():
    scout = image(0, "2.25.9.1", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    page = Dataset()
    page.SOPInstanceUID = "2.25.9.2"
    one = scan(THICK, "1", AcquisitionNumber=2)
    two = scan(THICK[5:] + 2, "2", AcquisitionNumber=3)
    assert told(one, two, [scout], [page]) == names([*one, scout, page], two)


def test_nothing_to_tell():
    assert passes([]) == ((),)
    assert passes([Dataset()]) == ((0,),)
    same = [image(5.0, f"2.25.{k}") for k in range(20)]
    assert told(same) == names(same)
