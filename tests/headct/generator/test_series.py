"""Generated series are valid DICOM, look to the reader like real ones, and meet their expected fate."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from data import SHARED, needs_shared_data
from pydicom import dcmread

from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError
from headct.generator.cli import command
from headct.generator.encoding import TransferSyntax
from headct.generator.generation import GeneratedSeries, Order, generate, trauma_study, write
from headct.generator.kinds import KINDS
from headct.generator.patient import CharacterSet
from headct.generator.statistics import Statistics, measured
from headct.images.reading import load_series
from headct.reasons import ReasonCode

ONE_HEAD = [
    n for n, k in KINDS.items() if k.ages == KINDS["normal"].ages and not k.lesions and not k.contrast
]
"""Kinds of the same head: it is built once."""


def verdict(paths: list[Path]) -> ReasonCode | None:
    try:
        admit(paths)
    except NotAnalysedError as error:
        return error.reason.code
    return None


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", [*ONE_HEAD, "contrast", "normal_infant", "epidural", "intracerebral_massive"]
)
def test_fate(kind: str, tmp_path: Path) -> None:
    # A sharp kernel wants pixels as fine as it is sharp.
    made = generate(kind, 1, matrix=256 if kind == "bone_kernel" else 128)
    assert verdict(write(made, tmp_path / kind)) is KINDS[kind].expected_reason


@pytest.mark.long
@pytest.mark.parametrize("kind", ["bone_kernel", "water_phantom", "chest", "normal"])
def test_fate_when_the_header_is_silent(kind: str, tmp_path: Path) -> None:
    paths = write(generate(kind, 1, vendor="silent", matrix=256), tmp_path / kind)
    assert verdict(paths) is KINDS[kind].expected_reason


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {"tilt_deg": 18.0, "vendor": "toshiba", "matrix": 256},
        {"thickness_mm": 8.0, "fine_base": True, "vendor": "siemens", "matrix": 256},
        {"thickness_mm": 1.5, "matrix": 96},
        {"order": Order.SHUFFLED, "matrix": 128},
        {"order": Order.HEAD_FIRST, "matrix": 768, "thickness_mm": 8.0, "fov_mm": 240.0},
        {"syntax": TransferSyntax.EXPLICIT_BIG, "matrix": 128},
    ],
)
def test_scanner_variations_are_assessed(options: dict[str, object], tmp_path: Path) -> None:
    assert verdict(write(generate("normal", 1, **options), tmp_path / "s")) is None  # type: ignore[arg-type]


def test_equal_arguments_give_equal_bytes_and_a_salt_gives_new_ones(tmp_path: Path) -> None:
    few = {"matrix": 128, "coverage": (0.5, 0.6)}
    once, again, salted = (
        [dcmread(p) for p in write(generate("normal", 1, salt=salt, **few), tmp_path / str(n))]
        for n, salt in enumerate(("", "", "second"))
    )
    assert (tmp_path / "0" / "0001.dcm").read_bytes() == (tmp_path / "1" / "0001.dcm").read_bytes()
    for a, b, c in zip(once, again, salted, strict=True):
        assert a.SOPInstanceUID == b.SOPInstanceUID != c.SOPInstanceUID
        assert a.StudyInstanceUID != c.StudyInstanceUID
        assert a.PatientID != c.PatientID
        assert a.PixelData == c.PixelData


@pytest.mark.parametrize("charset", CharacterSet)
def test_names_and_numbers_survive_every_character_set(charset: CharacterSet, tmp_path: Path) -> None:
    made = generate("few_slices", 1, charset=charset, matrix=64)
    back = dcmread(write(made, tmp_path / "s")[0])
    assert str(back.PatientName) == made.header.patient.name(charset)
    declared = back.get("SpecificCharacterSet") or ""
    assert (declared if isinstance(declared, str) else "\\".join(declared)) == charset
    assert len(back.ImagePositionPatient) == 3
    groups = 1 if charset in (CharacterSet.NONE, CharacterSet.ISO_IR_13) else 3
    assert len(str(back.PatientName).split("=")) == groups


def test_mask_agrees_with_the_truth_and_the_pictures() -> None:
    made = generate("epidural", 1, matrix=256, vendor="ge")
    mask = made.mask()
    pixel = made.header.protocol.fov_mm / 256
    assert mask.sum() * pixel**2 * 5 / 1000 == pytest.approx(made.truth.bleed_ml, rel=0.1)
    hu = np.stack([ds.pixel_array for ds in made.datasets]).astype(float)
    assert 55 < np.median(hu[mask]) < 75


def test_gantry_tilt_agrees_with_the_orientation(tmp_path: Path) -> None:
    paths = write(generate("normal", 1, tilt_deg=15.0, matrix=96), tmp_path / "s")
    series = load_series(paths)
    assert abs(series.gantry_tilt_deg) == pytest.approx(15.0, abs=0.1)
    assert float(dcmread(paths[0]).GantryDetectorTilt) == 15.0


@pytest.mark.long
def test_a_trauma_study_is_one_study_of_one_head() -> None:
    study = trauma_study("epidural", 1, matrix=256)
    headers = [next(made.images()) for made in study]
    assert len({h.StudyInstanceUID for h in headers}) == len({h.PatientID for h in headers}) == 1
    assert len({h.SeriesInstanceUID for h in headers}) == 4
    assert [made.truth.expected_reason for made in study] == [
        ReasonCode.LOCALIZER,
        None,
        ReasonCode.BONE_KERNEL,
        ReasonCode.NOT_AXIAL,
    ]
    assert all(made.truth.bleeds for made in study)


def test_truth_is_written_beside_the_images(tmp_path: Path) -> None:
    made = generate("few_slices", 1, matrix=64)
    paths = write(made, tmp_path / "s")
    assert sorted((tmp_path / "s").iterdir()) == sorted(paths)
    truth = json.loads((tmp_path / "s.truth.json").read_text())
    assert truth["kind"] == "few_slices"
    assert truth["expected_reason"] == "too_few_slices"
    assert truth["bleed_ml"] == 0


def test_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listing = run(command, ["--list"])
    assert listing.exit_code == 0
    assert all(name in listing.output for name in KINDS)
    made = run(command, [str(tmp_path), "--kind", "few_slices", "--kind", "water_phantom", "--seed", "1"])
    assert made.exit_code == 0, made.output
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {"few_slices", "water_phantom"}
    again = run(command, [str(tmp_path), "--kind", "few_slices"])
    assert again.exit_code == 1
    assert "not empty" in again.output
    assert run(command, []).exit_code == 2
    assert run(command, [str(tmp_path), "--kind", "cat"]).exit_code == 2


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("few_slices", {"syntax": TransferSyntax.JPEG_LOSSLESS}),
        ("few_slices", {"vendor": "silent", "syntax": TransferSyntax.IMPLICIT_LITTLE}),
        ("few_slices", {"vendor": "siemens", "charset": CharacterSet.UTF8}),
        ("localizer", {}),
        ("coronal", {"coverage": (0.5, 0.52)}),
        ("mr", {"coverage": (0.5, 0.52)}),
        ("water_phantom", {"coverage": (0.5, 0.52)}),
        ("chest", {"coverage": (0.5, 0.55)}),
        ("contrast", {"coverage": (0.5, 0.52)}),
    ],
)
def test_valid_dicom(kind: str, options: dict[str, object], tmp_path: Path) -> None:
    for path in write(generate(kind, 1, **options), tmp_path / "s"):  # type: ignore[arg-type]
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
        assert "Error" not in said, said


def statistics(made: GeneratedSeries, folder: Path) -> Statistics:
    return measured(load_series(write(made, folder)))


@pytest.mark.long
@needs_shared_data
def test_densities_and_noise_are_those_of_real_series(tmp_path: Path) -> None:
    """Against the one series with full pixels (soft kernel, 5 mm) and two of another hospital."""
    ours = [statistics(generate("normal", s, vendor="ge"), tmp_path / str(s)) for s in (1, 3)]
    trauma = measured(load_series(sorted((SHARED / "real_studies/toshiba_trauma/axial_brain").glob("*.dcm"))))
    others = [
        measured(load_series(sorted((SHARED / f"ct_ich/series/CTICH-{n}").glob("*.dcm"))))
        for n in ("074", "118")
    ]
    real = [trauma, *others]
    for s in ours:
        for name, margin in (("brain_mean", 2.0), ("brain_sd", 1.0), ("fluid_p1", 4.0), ("bone_median", 120)):
            values = [getattr(r, name) for r in real]
            assert min(values) - margin < getattr(s, name) < max(values) + margin, name
        assert s.noise_sd == pytest.approx(trauma.noise_sd, rel=0.15)
        assert s.correlation_1mm == pytest.approx(trauma.correlation_1mm, abs=0.1)
        assert s.correlation_2mm == pytest.approx(trauma.correlation_2mm, abs=0.1)
        assert s.correlation_slices == pytest.approx(trauma.correlation_slices, abs=0.1)
