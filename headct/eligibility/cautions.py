"""What a reader must know of a series that was judged all the same."""

import re
from datetime import date

from pydicom.dataset import Dataset

from headct.eligibility.contrast import bright_vessels, said_by
from headct.eligibility.contrast_words import Said
from headct.eligibility.density import usual_density
from headct.eligibility.spectral import spectral, unknown_scale
from headct.images.anatomy import Levels, levels
from headct.images.headers import text
from headct.images.series import CTSeries

CHILD_YEARS = 18.0


def cautions(series: CTSeries, measured: Levels | None = None) -> tuple[str, ...]:
    """Codes of what a reader must know, the keys of ``_CAUTIONS`` in :mod:`headct.wording`.

    ``measured`` saves measuring the same series twice.
    """
    header = series.headers[0]
    at = levels(series) if measured is None else measured
    age = age_years(header)
    found = [] if age is not None and age >= CHILD_YEARS else ["age_unknown" if age is None else "child"]
    assumed = (*series.assumed, *(["rescale"] if unknown_scale(header) else []))
    found += [f"assumed_{what}" for what in dict.fromkeys(assumed)]
    if spectral(header):
        found.append("spectral")
    if not usual_density(at):
        found.append("unusual_density")
    if bright_vessels(at):
        found.append("contrast_seen")
    elif said_by(header) is Said.PERHAPS:
        found.append("contrast_said")
    return (*found, *(["images_dropped"] if series.dropped else []), *series.noted)


def age_years(header: Dataset) -> float | None:
    """Age at the study, from PatientAge (also without its unit, as found) or the dates; else ``None``."""
    stated = re.fullmatch(r"(\d{1,3})([DWMY]?)", text(header, "PatientAge").upper())
    if stated:
        return int(stated[1]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0, "": 1.0}[stated[2]]
    born, studied = (_date(text(header, k)) for k in ("PatientBirthDate", "StudyDate"))
    if born is None or studied is None or not 0 <= (studied - born).days < 130 * 366:
        return None
    return (studied - born).days / 365.25


def _date(value: str) -> date | None:
    try:
        return date.fromisoformat(value.replace(".", "")) if value else None
    except ValueError:
        return None
