"""Reading, eligibility and coverage of the real series; a seeded sample, the named ones always."""

import random
from dataclasses import fields, replace

import pytest
from data import SHARED, needs_shared_data

from headct.eligibility.by_headers import check_headers
from headct.eligibility.by_pixels import check_pixels
from headct.eligibility.contrast import bright_vessels
from headct.eligibility.density import usual_density
from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError
from headct.images.anatomy import Levels, levels
from headct.images.coverage import coverage
from headct.images.reading import load_series, read_headers
from headct.images.series import CTSeries
from headct.reasons import ReasonCode

pytestmark = needs_shared_data

ALWAYS = (
    "real_studies/toshiba_trauma/axial_brain",
    "real_studies/siemens_stroke_0019983/ct",
    "real_studies/siemens_stroke_0226308/ct",
    "ct_ich/series/CTICH-085",  # a newborn
    "ct_ich/series/CTICH-081",  # very thick skull, the top not shown
    "ct_ich/series/CTICH-123",  # far down the neck
    "phe_sich/series/PHESICH-0024",  # air above the head
    "ct_ich/series/CTICH-050",  # the densest brain, a child with a large bleed
    "ct_ich/series/CTICH-111",  # specks on both sides, in two slabs
    *(f"ct_ich/series/CTICH-{number}" for number in ("076", "082", "084", "092")),  # blood in the cisterns
)


def _folders() -> list[str]:
    if not SHARED.is_dir():
        return list(ALWAYS)
    others = [
        str(folder.relative_to(SHARED))
        for source in ("ct_ich", "phe_sich")
        for folder in sorted((SHARED / source / "series").iterdir())
    ]
    return [*ALWAYS, *random.Random(20).sample([o for o in others if o not in ALWAYS], 12)]


def _part(series: CTSeries, measured: Levels, where: slice) -> bool:
    piece = replace(series, hu=series.hu[where], slab_positions_mm=series.slab_positions_mm[where])
    return coverage(piece, Levels(*(getattr(measured, f.name)[where] for f in fields(Levels)))).complete


@pytest.mark.parametrize("folder", _folders())
def test_heads_are_eligible_and_covered_and_their_halves_are_not(folder):
    sources = sorted((SHARED / folder).iterdir())
    series = admit(sources)
    measured = levels(series)
    assert len(series.hu) == len(sources)
    assert series.assumed == series.dropped == ()
    assert not bright_vessels(measured)
    assert usual_density(measured)
    count = len(series.hu)
    for size in range(1, (count + 1) // 2 + 1):
        assert not _part(series, measured, slice(0, size))
        assert not _part(series, measured, slice(count - size, None))


@pytest.mark.parametrize(
    ("folder", "code"),
    [
        ("toshiba_trauma/axial_bone", ReasonCode.BONE_KERNEL),
        ("toshiba_trauma/coronal", ReasonCode.NOT_AXIAL),
        ("toshiba_trauma/localizer", ReasonCode.LOCALIZER),
        ("siemens_stroke_0019983/mr", ReasonCode.NOT_CT),
        ("siemens_stroke_0226308/mr", ReasonCode.NOT_CT),
    ],
)
def test_the_ineligible_ones(folder, code):
    with pytest.raises(NotAnalysedError) as error:
        check_headers(read_headers(sorted((SHARED / "real_studies" / folder).iterdir())))
    assert error.value.reason.code is code


def test_a_real_bone_kernel_is_recognised_without_its_header():
    series = load_series(sorted((SHARED / "real_studies/toshiba_trauma/axial_bone").iterdir()))
    with pytest.raises(NotAnalysedError) as error:
        check_pixels(series)
    assert error.value.reason.code is ReasonCode.BONE_KERNEL
