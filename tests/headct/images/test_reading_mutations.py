"""Many damaged series: always a stack or a reason, never anything else, and soon."""

import random
import time

import pytest
from data import SHARED
from dicom_stack import file_bytes, files, head
from mutation import mutants
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from headct.eligibility.cautions import cautions
from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError
from headct.generator.generation import generate

SECONDS = 10.0
"""Of the processor, far more than any takes; a hang takes for ever."""
SYNTAXES = (ImplicitVRLittleEndian, JPEGLosslessSV1, RLELossless, DeflatedExplicitVRLittleEndian)


def judge(sources: list[bytes]) -> str:
    try:
        cautions(admit(sources))
    except NotAnalysedError as error:
        assert error.reason.sentence("ja") and error.reason.sentence("en")
        return error.reason.code.value
    return "admitted"


REAL = ("ct_ich/series/CTICH-085", "real_studies/siemens_stroke_0226308/ct")


def _series(name: str) -> list[bytes]:
    if name in SYNTAXES:
        return files(head(slabs=12, size=48), syntax=name)
    if not SHARED.is_dir():
        pytest.skip("real head CTs (shared/data) are not here")
    return [p.read_bytes() for p in sorted((SHARED / name).iterdir())]


@pytest.mark.long
@pytest.mark.parametrize("name", [*map(str, SYNTAXES), *REAL])
def test_damaged_series(name):
    series = _series(name)
    outcomes = set()
    for label, damaged in mutants(series, seed=7, count=12 if name in REAL else 30):
        start = time.process_time()
        try:
            outcomes.add(judge(damaged))
        except Exception as error:
            raise AssertionError(f"mutant {label} of {name}") from error
        assert time.process_time() - start < SECONDS, label
    assert len(outcomes) >= 4, outcomes


def test_the_mutator_is_seeded_and_does_damage():
    stored = files(head(slabs=12, size=48))
    first, again = ([m for _, m in mutants(stored, seed, 40)] for seed in (3, 3))
    assert first == again
    assert sum(m != stored for m in first) >= 35
    assert first != [m for _, m in mutants(stored, 4, 40)]


@pytest.mark.long
def test_files_of_other_series_mixed_in():
    """Heads of several patients and scanners, as a disc holds them side by side: no two share a geometry."""
    rng = random.Random(5)
    pools = [
        files(head(slabs=12, size=48)),
        files(head(slabs=16, size=64, seed=1), gaps_mm=2.5, series="2.25.78", syntax=JPEGLosslessSV1),
        files(head(slabs=12, size=56, seed=2), tilt_deg=15.0, series="2.25.79", signed=True),
        files(head(slabs=20, size=48, seed=3), gaps_mm=3.0, pixel_mm=(2.0, 2.0), series="2.25.80"),
        [file_bytes(image) for image in generate("subdural", 1, matrix=96, thickness_mm=12.0).images()],
    ]
    for _ in range(10):
        mixed = [rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 30))]
        assert judge(mixed) in {"inconsistent_geometry", "too_few_slices", "not_a_head", "unreadable"}
