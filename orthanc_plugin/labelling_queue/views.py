"""The labelling queue, as REST and page show it."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from orthanc_plugin.answer import PatientNameView, View, Words


class Lesson(StrEnum):
    """Why a case's label would teach."""

    DISAGREEMENT = "disagreement"
    UNCERTAINTY = "uncertainty"
    UNLIKENESS = "unlikeness"


class LessonView(View):
    """One reason, in words."""

    kind: Lesson
    weight: float = Field(ge=0, le=1)
    sentence: Words


class LabellingRow(View):
    """One study whose label would teach."""

    study_id: str = Field(description="Orthanc's identifier of the study")
    series_id: str = Field(description="of the series whose label is wanted")
    patient_name: PatientNameView
    patient_id: str = ""
    study_date: str = ""
    study_description: str = ""
    series_description: str = ""
    worth: float = Field(ge=0, le=3, description="sum of the largest weight of each kind of reason")
    lessons: tuple[LessonView, ...] = Field(description="the weightiest first")
    readers: tuple[str, ...] = Field(default=(), description="logins of those who spoke of it")


class LabellingQueueView(View):
    """Cases in the order of what their labels would teach; never the order of clinical work."""

    generated_at: AwareDatetime
    rows: tuple[LabellingRow, ...]
    total: int = Field(ge=0, description="with those not shown")
    left_to_worklist: int = Field(ge=0, description="unreviewed alerts, which are read there first")
