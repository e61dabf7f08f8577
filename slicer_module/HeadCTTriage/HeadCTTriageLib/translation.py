"""``_``: a sentence in the language that Slicer is set to; as written where there is no Slicer."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

try:
    from slicer.i18n import translate as look_up
except ImportError:  # Slicer's data model alone, or no Slicer at all

    def look_up(context: str, text: str) -> str:
        """As written."""
        return text


_LIBRARY = Path(__file__).parent


def _(text: str) -> str:
    """A sentence of the file that calls.

    Slicer's own ``tr`` finds the file as well, but older versions need milliseconds for that, and a worklist
    has thousands of sentences. The language stays while Slicer runs, so each is looked up once.
    """
    return _found(sys._getframe(1).f_code.co_filename, text)


def forget() -> None:
    """Look all sentences up again: there are other translations now."""
    _found.cache_clear()


@cache
def _found(file: str, text: str) -> str:
    module = Path(file).relative_to(_LIBRARY).with_suffix("")
    return str(look_up(".".join((str(__package__), *module.parts)), text))
