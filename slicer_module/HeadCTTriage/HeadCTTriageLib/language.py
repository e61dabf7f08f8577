"""The application's language, and the module's own words in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt

from .translation import forget


def language(app: Any) -> str:
    """``ja`` where Slicer is set to Japanese, else ``en``."""
    settings = app.userSettings()
    # A settings file gives back text for a truth value.
    if str(settings.value("Internationalization/Enabled", False)).lower() not in ("true", "1"):
        return "en"
    return "ja" if str(settings.value("language", "")).startswith("ja") else "en"


def install_translation(app: Any, folder: Path) -> None:
    """Have Qt translate the module's words.

    Slicer by itself reads translations from its own folder alone, where an extension cannot put any.

    Args:
        app: ``slicer.app``.
        folder: with ``HeadCTTriage_LANGUAGE.qm`` of each language but English.
    """
    file = folder / f"HeadCTTriage_{language(app)}.qm"
    # Qt does not keep a translator alive; the application does.
    translator = qt.QTranslator(qt.QCoreApplication.instance())
    if file.exists() and translator.load(str(file)):
        app.installTranslator(translator)
    forget()
