"""Looks for English where Japanese is read: in pages, in answers, in the catalogue and in templates."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

NAMES = {
    *(
        "CT",
        "DICOM",
        "HTTP",
        "OHIF",
        "Orthanc",
        "CD",
        "USB",
        "ZIP",
        "UID",
        "SHA",
        "JSON",
        "URL",
        "LiteRT",
        "SQLite",
        "UTC",
    ),
    *("Python", "JavaScript", "Slicer", "headct", "triage", "import", "bundle", "HEADCT_BUNDLE", "English"),
    *(
        "ml",
        "mm",
        "keV",
        "HU",
        "GB",
        "MB",
        "GiB",
        "PSI",
        "AUC",
        "Wilson",
        "Brain",
        "Injury",
        "Guidelines",
        "ID",
    ),
    *("Enter", "Ctrl", "Shift", "Esc", "PgUp", "PgDn"),
    *("Content", "Type", "application", "json", "Origin", "Triage", "request_id", "true", "false"),
    *("LongQuietSeconds", "QuietSeconds", "Database", "People"),
}
"""What is written in Latin letters in Japanese too: names, codes, units, keys, options and headers."""
DATA = {
    *("patient_name", "patient_id", "sex", "age", "birth_date", "accession_number", "study_description"),
    *("series_description", "description", "modality", "comment", "login", "reader", "organisation", "name"),
    *("device_uid", "version", "id", "by", "model", "readers", "rubric_version", "study_id", "digest"),
    "licence",
}
"""Fields whose words are those of the images, of persons and of models."""
_WORD = re.compile(r"[A-Za-zÀ-ỹ][A-Za-zÀ-ỹ_'.-]*[A-Za-zÀ-ỹ]")
_READ_OUT = {"alt", "aria-label", "aria-valuetext", "placeholder", "title"}


def english(text: str, known: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """Words in Latin letters that are neither names nor known."""
    text = re.sub(r"\{[^}]*\}", " ", text)  # figures that are filled in later
    found = (part for word in _WORD.findall(text) for part in re.split(r"[-.]", word))
    return [word for word in found if len(word) > 1 and word not in NAMES and word not in known]


def words_of_data(view: Any, key: str = "") -> Iterator[str]:
    """Words in the fields of :data:`DATA` of an answer as JSON."""
    if isinstance(view, Mapping):
        for name, value in view.items():
            yield from words_of_data(value, key if key in DATA else name)
    elif isinstance(view, list):
        for value in view:
            yield from words_of_data(value, key)
    elif isinstance(view, str) and key in DATA:
        yield from (part for word in _WORD.findall(view) for part in re.split(r"[-.]", word))


class Page(HTMLParser):
    """What can be read on a page or is read out: its texts, and the words it holds for its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"kbd", "script", "style"}
        for name, value in attrs:
            # Words for the scripts hold a space, or nothing but a word; codes and addresses do not.
            spoken = name in _READ_OUT or (name.startswith("data-") and " " in (value or ""))
            if spoken and value and not value.startswith("{"):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"kbd", "script", "style"}

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._silent:
            self.texts.append(" ".join(data.split()))
