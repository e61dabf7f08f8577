"""``_``: a sentence in the language that Slicer is set to; as written where there is no Slicer."""

from __future__ import annotations

from collections.abc import Callable

try:
    from slicer.i18n import tr
except ImportError:  # Slicer's data model alone, or no Slicer at all

    def tr(text: str) -> str:
        """As written."""
        return text


_: Callable[[str], str] = tr
"""Slicer's own function and not one around it: it finds the translation by the file that calls."""
