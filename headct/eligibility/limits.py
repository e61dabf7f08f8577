"""What both checks use: the least number of images, and the word of refusal."""

from headct.errors import NotAnalysedError
from headct.language import Phrase
from headct.reasons import Reason, ReasonCode

MIN_IMAGES = 8
"""Fewer cannot cover a head: a newborn's is about 10 cm high, slices are up to 10 mm."""


def refused(code: ReasonCode, detail: Phrase | str = "") -> NotAnalysedError:
    """The error that refuses a series."""
    return NotAnalysedError(Reason(code, str(detail)))
