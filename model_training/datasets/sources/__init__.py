"""The layouts data come in, one module each, behind :class:`model_training.datasets.source.Source`."""

from collections.abc import Callable
from pathlib import Path

from model_training.datasets.source import Source
from model_training.datasets.sources.cq500 import Cq500
from model_training.datasets.sources.ct_ich import CtIch
from model_training.datasets.sources.labelled import Labelled
from model_training.datasets.sources.phe_sich import PheSich
from model_training.datasets.sources.rsna import Rsna

SOURCES: dict[str, Callable[[Path, Path], Source]] = {
    "ct_ich": CtIch,
    "phe_sich": PheSich,
    "labelled": Labelled,
    "rsna": Rsna,
    "cq500": Cq500,
}
"""Name of each source to what opens it, given its folder and one for its own scratch files."""
