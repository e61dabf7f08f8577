"""The scanner samples what is there, where it says, with the noise of real scanners."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import dcmread

from headct.generator.encoding import TransferSyntax, set_pixels
from headct.generator.scanner import Kernel, Plane, Protocol, planned, sample, scanned
from headct.generator.statistics import measure
from headct.generator.volume import Grid, Volume

GRID = Grid.covering((-90, -90, -80), (90, 90, 80), (3.0, 3.0, 2.5))


def ramp() -> np.ndarray:
    x, y, z = GRID.points
    return (2 * x - 3 * y + 5 * z).astype(np.float32)


@settings(max_examples=12, deadline=None)
@given(
    tilt=st.floats(-25, 25),
    thickness=st.floats(0.6, 8),
    matrix=st.sampled_from([64, 100, 128]),
    plane=st.sampled_from(Plane),
)
def test_a_linear_field_is_sampled_exactly(tilt: float, thickness: float, matrix: int, plane: Plane) -> None:
    """Interpolation and averaging over the thickness keep a ramp: so positions are right."""
    protocol = Protocol(
        thickness, tilt_deg=tilt, matrix=matrix, fov_mm=100, plane=plane, coverage=(0.45, 0.55)
    )
    for plan in planned(GRID, protocol)[:2]:
        got = sample(ramp(), GRID, plan, matrix, 0.0)
        j, i = np.meshgrid(np.arange(matrix), np.arange(matrix))
        at = plan.corner + plan.pixel_mm * (j[..., None] * plan.row + i[..., None] * plan.column)
        assert np.allclose(got, at @ [2, -3, 5], atol=0.05)


def test_outside_the_volume_is_air() -> None:
    plan = planned(GRID, Protocol(matrix=64, fov_mm=600))[3]
    got = sample(np.zeros(GRID.shape, np.float32), GRID, plan, 64, -1000.0)
    assert got[0, 0] == got[-1, -1] == -1000
    assert got[32, 32] == 0


def test_tilted_slices_are_parallel_and_their_distance_is_the_increment() -> None:
    plans = planned(GRID, Protocol(5.0, tilt_deg=15.0))
    steps = np.diff([p.corner for p in plans], axis=0)
    assert np.allclose(steps @ plans[0].normal, 5.0)
    assert np.allclose(plans[0].column @ plans[0].normal, 0)
    assert np.allclose(np.cross(plans[0].row, plans[0].column), plans[0].normal)


def test_two_step_scan_is_finer_at_the_base() -> None:
    plans = planned(GRID, Protocol(8.0, fine_base=True))
    steps = np.round(np.diff([p.corner[2] for p in plans]), 3)
    assert set(steps) == {4.0, 8.0}
    assert list(steps) == sorted(steps)


@pytest.mark.parametrize(("thickness", "expected"), [(1.25, 7.6), (5.0, 3.8)])
def test_thin_slices_are_noisier(thickness: float, expected: float) -> None:
    volume = Volume(GRID, np.full(GRID.shape, 30, np.float32), {})
    protocol = Protocol(thickness, matrix=128, fov_mm=60, coverage=(0.45, 0.55))
    stack = np.stack([hu for _, hu in scanned(volume, protocol, 1)]).astype(np.float32)
    assert stack[:, 40:90, 20:100].std() == pytest.approx(expected, rel=0.1)


def test_bone_kernel_noise_is_strong_and_sharp() -> None:
    volume = Volume(GRID, np.full(GRID.shape, 30, np.float32), {})
    for kernel, low, high in ((Kernel.SOFT, 0.4, 0.9), (Kernel.BONE, -0.3, 0.2)):
        (_, hu), *_ = scanned(
            volume, Protocol(kernel=kernel, fov_mm=110, matrix=256, coverage=(0.5, 0.52)), 1
        )
        noise = hu[90:170, 40:210].astype(float)
        noise -= noise.mean()
        correlation = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
        assert low < correlation < high
        assert (noise.std() > 25) == (kernel is Kernel.BONE)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("syntax", TransferSyntax)
def test_every_transfer_syntax_is_lossless(syntax: TransferSyntax, signed: bool) -> None:
    rng = np.random.default_rng(0)
    stored = rng.integers(-1024 if signed else 0, 3071, (64, 80)).astype(np.int16 if signed else np.uint16)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax.value
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored = 16, 16 if signed else 12
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(signed)
    set_pixels(ds, stored, syntax)
    buffer = DicomBytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    back = dcmread(buffer)
    assert back.file_meta.TransferSyntaxUID == syntax.value
    assert np.array_equal(back.pixel_array, stored)


def test_statistics_find_what_was_put_in() -> None:
    """A disc of 30 HU with uncorrelated noise of 4 HU in a ring of bone."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-64:64, -64:64]
    r = np.hypot(x, y)
    disc = np.where(r < 50, 30.0, np.where(r < 56, 900.0, -1000.0))
    hu = np.stack([disc + rng.normal(0, 4, disc.shape) for _ in range(6)]).astype(np.float32)
    found = measure(hu, 0.8)
    assert found.brain_mean == pytest.approx(30, abs=0.3)
    assert found.noise_sd == pytest.approx(4, rel=0.1)
    assert abs(found.correlation_2mm) < 0.05
    assert found.bone_median == pytest.approx(900, abs=2)
