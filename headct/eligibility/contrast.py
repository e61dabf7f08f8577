"""Was contrast medium given? By what a series says of itself, what is said around it, what its images show.

A plain word of the series itself is believed. A word that contradicts another, or one about the whole study
or protocol, refuses a series only where its vessels are bright; bright vessels alone are a caution.
"""

import numpy as np
from pydicom.dataset import Dataset

from headct.eligibility.contrast_words import Said, into_the_bowel, said_of, said_of_agent
from headct.images.anatomy import Levels
from headct.images.headers import items, number, text

_AROUND = (
    "ProtocolName",
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)
"""They name what a patient came for, and a native series is a part of that."""
_AMOUNTS = ("ContrastBolusVolume", "ContrastBolusTotalDose")

_SINUS_HU = 95.0
"""Middle of the slabs above the lowest third of the brain. 106 native heads of three sources: median 50, 95 %
below 63, at most 73. With sinuses of 110, 130 and 150 HU drawn into 14 of them: at least 105, 118 and 136."""
_SPECKS_SHARE, _SPECKS_SLABS = 0.14, 2
"""Slabs with bright specks on both sides. Native heads: none in 104, one slab in 2. Generated heads with
filled arteries of 260 HU: two to four, at least 0.16."""


def bright_vessels(measured: Levels) -> bool:
    """Whether vessels or sinuses are as bright as with contrast medium.

    What it rests on: real native heads, of which none is called bright, those with blood in the cisterns
    among them; and contrast medium pretended by vessels drawn into real and generated heads. It was never
    shown a real head with contrast medium, so it refuses nothing without a word for it.
    """
    full = measured.sinus_hu > 0
    slabs = int(np.count_nonzero(full))
    if slabs == 0:
        return False
    specks = int(measured.specks.sum())
    above = measured.sinus_hu[full][slabs // 3 :]
    return bool(np.median(above) > _SINUS_HU) or (specks >= _SPECKS_SLABS and specks >= _SPECKS_SHARE * slabs)


def said_by(header: Dataset) -> Said:
    """What a header says of contrast medium.

    ``WITH`` only where the series itself says so and nothing says no. ``PERHAPS`` and ``BOTH`` leave it to
    the images; ``BOTH`` is what a study of two series says of each.
    """
    agent, series = _agent(header), said_of(text(header, "SeriesDescription"))
    around = {said_of(text(header, place)) for place in _AROUND}
    itself = {agent, series}
    if Said.WITH in itself:
        denied = itself & {Said.WITHOUT, Said.BOTH}
        unlikely = series is not Said.WITH and Said.WITHOUT in around
        return Said.PERHAPS if denied or unlikely else Said.WITH
    if Said.WITHOUT in itself:
        return Said.WITHOUT
    if Said.BOTH in itself or Said.BOTH in around:
        return Said.BOTH
    if Said.PERHAPS in itself or Said.WITH in around or _amount(header):
        return Said.PERHAPS
    return Said.WITHOUT if Said.WITHOUT in around else Said.NOTHING


def _agent(header: Dataset) -> Said:
    """By the attribute for it, plain or coded."""
    by_mouth = into_the_bowel(text(header, "ContrastBolusRoute"))
    coded = [text(item, "CodeMeaning") for item in items(header, "ContrastBolusAgentSequence")]
    said = {said_of_agent(name, by_mouth=by_mouth) for name in (text(header, "ContrastBolusAgent"), *coded)}
    if Said.BOTH in said or {Said.WITH, Said.WITHOUT} <= said:
        return Said.BOTH
    return next(iter(said & {Said.WITH, Said.WITHOUT}), Said.NOTHING)


def _amount(header: Dataset) -> bool:
    """Something was given though no agent is named."""
    ingredient = said_of_agent(text(header, "ContrastBolusIngredient"))
    return ingredient is Said.WITH or any((number(header, what) or 0) > 0 for what in _AMOUNTS)
