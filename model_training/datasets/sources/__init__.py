"""The layouts data come in, one module each, behind :class:`model_training.datasets.source.Source`."""

from collections.abc import Callable
from pathlib import Path

from model_training.datasets.source import Source
from model_training.datasets.sources.ct_ich import CtIch
from model_training.datasets.sources.phe_sich import PheSich

SOURCES: dict[str, Callable[[Path, Path], Source]] = {
    "ct_ich": CtIch,
    "phe_sich": PheSich,
}
"""Name of each source to what opens it, given its folder and one for its own scratch files."""
