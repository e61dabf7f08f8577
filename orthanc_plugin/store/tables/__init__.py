"""Tables of the store. Only the functions beside them change them."""

from orthanc_plugin.store.tables.cases import Assessment, Document, Review, Series, Study
from orthanc_plugin.store.tables.found import FoundReport
from orthanc_plugin.store.tables.models import Bundle, ModelChange, ShadowAssessment
from orthanc_plugin.store.tables.standings import ChangeCount, Standing
from orthanc_plugin.store.tables.work import (
    AuditEntry,
    ClockJump,
    ClockMark,
    CopiedDocument,
    Import,
    MissingImages,
    Position,
    Tally,
    Worker,
)

__all__ = [
    "Assessment",
    "AuditEntry",
    "Bundle",
    "ChangeCount",
    "ClockJump",
    "ClockMark",
    "CopiedDocument",
    "Document",
    "FoundReport",
    "Import",
    "MissingImages",
    "ModelChange",
    "Position",
    "Review",
    "Series",
    "ShadowAssessment",
    "Standing",
    "Study",
    "Tally",
    "Worker",
]
