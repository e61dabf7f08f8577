"""Spectral and derived series, and brains that are not as dense as brains are."""

from dataclasses import replace

import pytest
from dicom_stack import files, head
from pydicom.dataset import Dataset

from headct.eligibility.by_pixels import check_pixels
from headct.eligibility.cautions import cautions
from headct.eligibility.spectral import other_values, spectral, unknown_scale
from headct.errors import NotAnalysedError
from headct.images.anatomy import Levels, levels
from headct.images.quiet import quiet
from headct.images.reading import load_series
from headct.images.series import CTSeries
from headct.reasons import ReasonCode


@quiet()
def header(described: str = "", kind: str = "AXIAL", **values: object) -> Dataset:
    found = Dataset()
    found.SeriesDescription, found.ImageType = described, ["DERIVED", "SECONDARY", *kind.split("\\")]
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


@pytest.mark.parametrize(
    "of",
    [
        header(kind="AXIAL\\EFF_ATOMIC_NUM"),
        header(kind="EFF_Z"),
        header(kind="axial\\electron_density"),
        header(kind="MAT_SPECIFIC"),
        header("Iodine (Water)"),
        header("Water(Iodine)"),
        header("IodineNoWater 5.0"),
        header("Iodine Density [mg/ml]"),
        header("Z Effective"),
        header("ZEff 5mm"),
        header("Rho/Z"),
        header("Electron density"),
        header("Calcium suppressed 25"),
        header("VNCa"),
        header("Uric Acid"),
        header("CBF"),
        header("rCBV map"),
        header("MTT"),
        header("Tmax"),
        header("MonoE 40keV"),
        header("MONO 55KEV"),
        header("Monoenergetic Plus 40 keV"),
        header("Mono 140"),
        header("VMI 190keV"),
        header(kind="MONO_E", KVP="40"),
        header(KVP="50"),
        header(RescaleType="Z_EFF"),
        header(RescaleType="z_eff "),
        header(RescaleType="ED"),
        header(RescaleType="EDW"),
        header(RescaleType="MGML"),
        header(RescaleType="mg/ml"),
        header(RescaleType="PCT"),
        header(RescaleType="OD"),
    ],
)
def test_what_is_none_that_can_be_judged(of):
    assert other_values(of)


@pytest.mark.parametrize(
    "of",
    [
        header(kind="MONO_E"),
        header("MonoE"),
        header("Monoenergetic Plus 70 keV"),
        header("MONO 65KEV"),
        header("Mono+ 70"),
        header("mono 60kev"),
        header(kind="VMI", KVP="140"),
        header("VNC"),
        header("VUE 5mm"),
        header("Virtual Non Contrast"),
        header("Virtual Unenhanced"),
        header(kind="MAT_REMOVED"),
        header("Linear blended"),
        header("DE_Head M_0.6"),
        header("Head Mixed 0.5"),
        header("Dual Energy Head"),
        header(RescaleType="HU_MOD"),
    ],
)
def test_what_is_like_an_ordinary_one(of):
    assert not other_values(of)
    assert spectral(of)


@pytest.mark.parametrize(
    "of",
    [
        Dataset(),
        header("Head 5.0"),
        header("Head 5.0", KVP="120"),
        header("Head 80kV", KVP="80"),
        header("Head", KVP="70"),
        header("Head", KVP="0"),
        header("Demographics"),
        header("TC DE CRANEO"),
        header("Head M 0.5"),
        header("Kopf der Familie 5.0"),
        header("Monochrome"),
        header("Tete 40"),
        header("Head 5.0", RescaleType="HU"),
        header("Head 5.0", RescaleType="US"),
        header("Head 5.0", RescaleType="Hounsfield units"),
        header("Brain 1.25mm MPR"),
        header(kind="AXIAL\\CT_SOM5 SPI"),
        header(kind="AXIAL\\HELIX"),
        header(kind="AXIAL\\VOLUME"),
        header("Head iodine free"),
    ],
)
def test_what_is_ordinary(of):
    assert not other_values(of)
    assert not spectral(of)
    assert not unknown_scale(of)


def test_a_scale_that_nobody_knows_is_said():
    found = with_headers(SERIES, header(RescaleType="NORMALIZED"))
    assert "assumed_rescale" in cautions(found, MEASURED)
    assert "assumed_rescale" not in cautions(with_headers(SERIES, header(RescaleType="US")), MEASURED)


SERIES = load_series(files(head()))
MEASURED = levels(SERIES)


def with_headers(series: CTSeries, of: Dataset) -> CTSeries:
    return replace(series, headers=(of,) * len(series.headers))


def denser(factor: float) -> Levels:
    return replace(MEASURED, mean_hu=MEASURED.mean_hu * factor)


@pytest.mark.parametrize(
    ("factor", "named", "expected"),
    [
        (1.0, False, ()),
        (0.75, False, ()),
        (1.2, False, ()),
        (1.5, False, ("unusual_density",)),
        (0.5, False, ("unusual_density",)),
        (1.8, False, ReasonCode.DERIVED_VALUES),
        (0.2, False, ReasonCode.DERIVED_VALUES),
        (1.0, True, ("spectral",)),
        (1.3, True, ("spectral",)),
        (0.7, True, ("spectral",)),
        (1.5, True, ReasonCode.DERIVED_VALUES),
        (0.5, True, ReasonCode.DERIVED_VALUES),
    ],
)
def test_a_brain_denser_or_less_dense_than_brains_are(factor, named, expected):
    series = with_headers(SERIES, header("MonoE" if named else "Head 5.0"))
    try:
        check_pixels(series, denser(factor))
        found = tuple(c for c in cautions(series, denser(factor)) if c in {"spectral", "unusual_density"})
    except NotAnalysedError as error:
        found = error.reason.code
    assert found == expected
