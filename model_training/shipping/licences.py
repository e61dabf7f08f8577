"""Under which licence a network may be used: our own, as far as those of the data it learnt from let it.

Each source declares whether its licence lets any product be trained on it
(:attr:`model_training.datasets.source.Source.trainable`); nobody has to remember it when a bundle is written.
"""

from collections.abc import Collection, Mapping

from headct.terms.licence import Licence, Use
from model_training.datasets.single_slices import SLICE_SOURCES
from model_training.datasets.sources import SOURCES

OWN_LICENCE = "Apache-2.0"
_UNKNOWN = "licence unknown"


def licence(sources: Collection[str], licences: Mapping[str, str]) -> Licence:
    """The terms of a network.

    Args:
        sources: names of all that it was trained on; what it was only measured on binds nobody.
        licences: terms of use of each source, as a manifest has them.

    Returns:
        For research alone where the licence of one source lets not any product be trained on it; so where a
        source is not known here, for nobody has said that its licence does.
    """
    names = sorted(sources)
    binding = [name for name in names if not _lets_any(name)]
    terms = {name: licences.get(name, _UNKNOWN) for name in names}
    headlines = sorted({Licence(terms[name], Use.RESEARCH).headline for name in binding})
    first = f"that of its data: {', '.join(headlines)}" if binding else OWN_LICENCE
    trained_on = [f"trained on {name} ({terms[name]})" for name in names]
    return Licence("; ".join([first, *trained_on]), Use.RESEARCH if binding else Use.ANY)


def _lets_any(name: str) -> bool:
    layout = {**SOURCES, **SLICE_SOURCES}.get(name)
    return bool(getattr(layout, "trainable", False))
