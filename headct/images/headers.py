"""Header values as they are found: absent, empty, malformed or right. Nothing here raises."""

import math
from typing import Any

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from headct.images.quiet import quiet
from headct.terms.demographics import Demographics


@quiet()
def text(header: Dataset, keyword: str) -> str:
    """A value as text, several joined by a backslash; empty when absent or unreadable."""
    value = _value(header, keyword)
    if value is None:
        return ""
    if isinstance(value, str | PersonName) or not hasattr(value, "__iter__"):
        return str(value).strip()
    return "\\".join(str(v).strip() for v in value)


@quiet()
def numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, else ``None``."""
    value = _value(header, keyword)
    if value is None or isinstance(value, bytes):
        return None
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    if len(values) != count:
        return None
    try:
        found = tuple(float(v) for v in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(math.isfinite(v) for v in found) else None


def number(header: Dataset, keyword: str) -> float | None:
    """One finite number, else ``None``."""
    found = numbers(header, keyword, 1)
    return None if found is None else found[0]


def demographics(header: Dataset) -> Demographics:
    """Patient and study; from the bytes, for the character sets."""
    return Demographics(
        patient_id=text(header, "PatientID"),
        patient_name=text(header, "PatientName"),
        birth_date=text(header, "PatientBirthDate"),
        sex=text(header, "PatientSex"),
        age=text(header, "PatientAge"),
        accession_number=text(header, "AccessionNumber"),
        study_date=text(header, "StudyDate"),
        study_time=text(header, "StudyTime"),
        study_description=text(header, "StudyDescription"),
    )


def _value(header: Dataset, keyword: str) -> Any:
    try:
        return header.get(keyword)
    except Exception:  # conversion of damaged values raises errors without a common root
        return None
