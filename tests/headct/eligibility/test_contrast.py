"""Was contrast medium given: what headers say together, and what the images show."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from dicom_stack import file_bytes, write
from drawn_heads import grid, whole_head
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from headct.eligibility.by_headers import check_headers
from headct.eligibility.by_pixels import check_pixels
from headct.eligibility.cautions import cautions
from headct.eligibility.contrast import bright_vessels, said_by
from headct.eligibility.contrast_words import Said
from headct.eligibility.gate import Admission, admit
from headct.errors import NotAnalysedError
from headct.reasons import ReasonCode

SLABS = 28


def header(**values: object) -> Dataset:
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def coded(meaning: str) -> list[Dataset]:
    return [header(CodeMeaning=meaning)]


def filled(
    arteries_hu: float = 0, sinus_hu: float = 0, at_mm: tuple[int, ...] = (-38, 38)
) -> NDArray[np.int16]:
    """A drawn head with the sagittal sinus and, so far from the midline, arteries of these densities."""
    hu = whole_head(SLABS)
    slab, y, x = (a + b for a, b in zip(grid(SLABS), (SLABS / 2, 0, 0), strict=True))
    part = np.sqrt(np.clip(1 - (grid(SLABS)[0] / (SLABS / 2 + 1)) ** 2, 0.05, 1))
    if arteries_hu:
        for side in at_mm:
            hu[(np.hypot(x - side, y + 5) < 2.5) & (slab > 8) & (slab < 15)] = arteries_hu
    if sinus_hu:
        table = 84 * (part - 0.06)
        hu[(np.abs(x) < 5) & (y < table) & (y > table - 9) & (slab > 9) & (hu < 300)] = sinus_hu
    return hu.astype(np.int16)


@lru_cache
def loaded(arteries_hu: float = 0, sinus_hu: float = 0, at_mm: tuple[int, ...] = (-38, 38)) -> Admission:
    found = write(filled(arteries_hu, sinus_hu, at_mm), pixel_mm=(1.0, 1.0), signed=True)
    known = Admission()
    admit([file_bytes(ds) for ds in found], known)
    return known


def said_and_seen(known: Admission, **values: object) -> tuple[str, ...] | ReasonCode:
    """The cautions about contrast medium, or why the series with these headers is refused."""
    assert known.series is not None
    one = header(SOPClassUID=CTImageStorage, **values)
    series = replace(known.series, headers=(one,) * len(known.series.headers))
    try:
        check_headers(series.headers)
        check_pixels(series, known.levels)
    except NotAnalysedError as error:
        return error.reason.code
    return tuple(c for c in cautions(series, known.levels) if c.startswith("contrast"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, Said.NOTHING),
        ({"ContrastBolusAgent": "IOHEXOL"}, Said.WITH),
        ({"SeriesDescription": "Head mit KM"}, Said.WITH),
        ({"ContrastBolusAgent": "NONE", "StudyDescription": "CT HEAD W CONTRAST"}, Said.WITHOUT),
        ({"SeriesDescription": "HEAD W/O", "StudyDescription": "CT HEAD W AND WO CONTRAST"}, Said.WITHOUT),
        ({"ContrastBolusAgent": "IOHEXOL", "SeriesDescription": "HEAD NATIV"}, Said.PERHAPS),
        ({"ContrastBolusAgent": "NONE", "SeriesDescription": "HEAD +C"}, Said.PERHAPS),
        ({"ContrastBolusAgent": "IOHEXOL", "StudyDescription": "CT HEAD WITHOUT CONTRAST"}, Said.PERHAPS),
        ({"SeriesDescription": "HEAD +C", "StudyDescription": "CT HEAD WITHOUT CONTRAST"}, Said.WITH),
        ({"ContrastBolusAgent": "IOHEXOL", "StudyDescription": "CT HEAD W WO CONTRAST"}, Said.WITH),
        ({"StudyDescription": "CT HEAD W CONTRAST"}, Said.PERHAPS),
        ({"ProtocolName": "CTA Carotids"}, Said.PERHAPS),
        ({"StudyDescription": "CT HEAD W AND WO CONTRAST"}, Said.BOTH),
        ({"SeriesDescription": "Head W/WO"}, Said.BOTH),
        ({"StudyDescription": "CT HEAD WO"}, Said.WITHOUT),
        ({"ContrastBolusVolume": "100"}, Said.PERHAPS),
        ({"ContrastBolusVolume": "0"}, Said.NOTHING),
        ({"ContrastBolusIngredient": "IODINE"}, Said.PERHAPS),
        ({"ContrastBolusAgentSequence": coded("Iohexol")}, Said.WITH),
        ({"ContrastBolusAgentSequence": coded("No contrast")}, Said.WITHOUT),
        ({"ContrastBolusAgent": "NONE", "ContrastBolusAgentSequence": coded("Iohexol")}, Said.BOTH),
        ({"ContrastBolusAgent": "OMNIPAQUE", "ContrastBolusRoute": "ORAL"}, Said.NOTHING),
        ({"ContrastBolusAgent": "OMNIPAQUE", "ContrastBolusRoute": "IV"}, Said.WITH),
        ({"ContrastBolusAgent": "OMNIPAQUE", "ContrastBolusRoute": "Intrathecal"}, Said.WITH),
        ({"ContrastBolusAgent": "OMNIPAQUE", "ContrastBolusRoute": "UNKNOWN"}, Said.WITH),
        ({"SeriesDescription": "Delayed", "ContrastBolusAgent": "none given"}, Said.WITHOUT),
    ],
)
def test_what_the_headers_say_together(values, said):
    assert said_by(header(**values)) is said


@pytest.mark.parametrize(
    ("arteries_hu", "sinus_hu", "bright"),
    [
        (0, 0, False),
        (260, 0, True),
        (0, 150, True),
        (180, 120, True),
        (80, 80, False),
        (0, 85, False),
    ],
    ids=["native", "arterial", "venous", "both", "clot", "dense sinus"],
)
def test_bright_vessels(arteries_hu, sinus_hu, bright):
    measured = loaded(arteries_hu, sinus_hu).levels
    assert measured is not None
    assert bright_vessels(measured) is bright


@pytest.mark.parametrize("at_mm", [(38,), (-20, 20)], ids=["one side", "calcified nuclei"])
def test_what_is_bright_and_no_vessel(at_mm):
    assert said_and_seen(loaded(260, at_mm=at_mm)) == ()


@pytest.mark.parametrize(
    ("values", "native", "bright"),
    [
        ({}, (), ("contrast_seen",)),
        ({"ContrastBolusAgent": "NONE"}, (), ("contrast_seen",)),
        ({"SeriesDescription": "Kopf ohne KM"}, (), ("contrast_seen",)),
        ({"SeriesDescription": "Kopf mit KM"}, ReasonCode.CONTRAST, ReasonCode.CONTRAST),
        ({"SeriesDescription": "Head delayed"}, ("contrast_said",), ReasonCode.CONTRAST),
        ({"StudyDescription": "CT HEAD W CONTRAST"}, ("contrast_said",), ReasonCode.CONTRAST),
        ({"StudyDescription": "CT HEAD W AND WO CONTRAST"}, (), ReasonCode.CONTRAST),
        (
            {"SeriesDescription": "HEAD NATIVE", "ContrastBolusAgent": "IOHEXOL"},
            ("contrast_said",),
            ReasonCode.CONTRAST,
        ),
    ],
)
def test_the_measure_alone_or_against_a_denial_is_a_caution(values, native, bright):
    assert said_and_seen(loaded(), **values) == native
    assert said_and_seen(loaded(180, 120), **values) == bright


@pytest.mark.parametrize("agent", ["NON CON", "NO IV CONTRAST", "None Given", "KEIN KM", "造影剤なし"])
def test_an_agent_that_says_none(agent):
    assert said_and_seen(loaded(), ContrastBolusAgent=agent) == ()


def test_a_damaged_sequence_says_nothing():
    found = Dataset()
    found.add_new(0x00180012, "SQ", [])
    assert said_by(found) is Said.NOTHING
