"""Whose images these are and of which study, as the images say: shown and filed by, never judged by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demographics:
    """Patient and study as written in an image: every value as found, empty where there is none."""

    patient_id: str = ""
    patient_name: str = ""
    """A DICOM person name, up to three groups."""
    birth_date: str = ""
    sex: str = ""
    age: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""


UNKNOWN = Demographics()
"""Nothing was read yet."""
