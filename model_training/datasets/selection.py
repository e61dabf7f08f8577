"""Which studies and series of a patient are used; each one left out is left out for a reason in words."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Self

from headct.errors import SettingsError
from headct.images.scans.positions import SLAB_MM
from model_training.datasets.source import FoundSeries

POSTOPERATIVE = "post-operative study"
REPEAT = "repeat study of the patient"
OTHER_SERIES = "another series of the study is in use"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules, from a TOML file; ``selection.toml`` here says what each means."""

    repeat_days: int = 0
    postoperative: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path | None = None) -> Self:
        """Read a file of rules, the one that ships when none is given.

        Raises:
            SettingsError: not readable, an unknown name, a wrong type or a damaged expression.
        """
        path = path or Path(__file__).with_name("selection.toml")
        try:
            body = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from error
        if unknown := sorted(set(body) - {"repeat_days", "postoperative"}):
            raise SettingsError(f"{path}: {unknown[0]} is not known")
        words = body.get("postoperative", [])
        days = body.get("repeat_days", 0)
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise SettingsError(f"{path}: postoperative is a list of regular expressions")
        for word in words:
            try:
                re.compile(word)
            except re.error as error:
                raise SettingsError(f"{path}: {word!r} is no regular expression: {error}") from error
        if isinstance(days, bool) or not isinstance(days, int) or days < 0:
            raise SettingsError(f"{path}: repeat_days is a number of days, 0 or more")
        return cls(days, tuple(words))

    def says_postoperative(self, description: str) -> bool:
        """Whether a study description names an operation."""
        return any(re.search(word, description, re.IGNORECASE) for word in self.postoperative)

    def is_repeat(self, when: str, kept: Sequence[str]) -> bool:
        """Whether a study is a repeat of one that is kept.

        Args:
            when: its StudyDate and StudyTime as written.
            kept: the same of the patient's studies kept so far.
        """
        if not kept:
            return False
        day, before = study_day(when), [study_day(other) for other in kept]
        known = [other for other in before if other is not None]
        if self.repeat_days == 0 or day is None or len(known) < len(before):
            return True
        return any(abs((day - other).days) < self.repeat_days for other in known)


def studies(series: Sequence[FoundSeries]) -> list[list[FoundSeries]]:
    """A patient's studies, the earliest first, those without a date last; of each the best series first."""

    def by_study(one: FoundSeries) -> str:
        return one.study

    found = [list(group) for _, group in groupby(sorted(series, key=by_study), key=by_study)]
    found.sort(key=lambda study: (study_day(_when(study)) is None, _when(study), study[0].study))
    return [sorted(study, key=_best_first) for study in found]


def study_day(when: str) -> date | None:
    """The day of a StudyDate (PS3.5 6.2, DA) with or without time behind it; ``None`` when it is none."""
    try:
        return date.fromisoformat(when[:8]) if when[:8].isdecimal() else None
    except ValueError:
        return None


def _when(study: Sequence[FoundSeries]) -> str:
    return min((one.when for one in study if one.when), default="")


def _best_first(series: FoundSeries) -> tuple[bool, bool, float, int, str]:
    """Readable, as acquired, about 5 mm, whole: the order in which the program prefers to judge."""
    mm = series.thickness_mm
    off = abs(mm - SLAB_MM) if mm and mm > 0 else SLAB_MM
    return not series.series, not series.original, off, -len(series.files), series.series
