"""Where things stand: the states that the store keeps and that every other part speaks of."""

from enum import IntEnum, StrEnum


class Window(StrEnum):
    """Grey-scale windows in which slice previews exist."""

    BRAIN = "brain"
    SUBDURAL = "subdural"
    STROKE = "stroke"
    BONE = "bone"


class SeriesState(StrEnum):
    """Where one series stands."""

    ARRIVING = "arriving"
    """Images still come in."""
    WAITING = "waiting"
    """Looked at and not complete: waits for more images."""
    JUDGING = "judging"
    ASSESSED = "assessed"
    NOT_ANALYSED = "not_analysed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """Deleted from Orthanc, or moved to another patient."""

    @property
    def pending(self) -> bool:
        """Whether a first or another judgement is still to come."""
        return self in PENDING

    @property
    def final(self) -> bool:
        """Whether it was looked at, and nothing is to come unless images do."""
        return self in FINAL

    @property
    def unknown(self) -> bool:
        """Whether the series may show something of which nobody knows: still to come, or failed."""
        return self.pending or self is SeriesState.FAILED


UNCLAIMED = frozenset({SeriesState.ARRIVING, SeriesState.WAITING})
"""Nobody has it in hand; a worker takes it up when its time has come."""
PENDING = UNCLAIMED | {SeriesState.JUDGING}
FINAL = frozenset({SeriesState.ASSESSED, SeriesState.NOT_ANALYSED, SeriesState.FAILED})
NOT_FINAL = frozenset(SeriesState) - FINAL


class CaseState(StrEnum):
    """Where one study stands, from its series: the best that can be said of it."""

    PENDING = "pending"
    ASSESSED = "assessed"
    NOT_ANALYSED = "not_analysed"
    """No series of the study was assessed, and none is still to come."""
    FAILED = "failed"


class DocumentKind(StrEnum):
    """Kinds of DICOM results."""

    STRUCTURED_REPORT = "structured_report"
    KEY_OBJECTS = "key_objects"
    SEGMENTATION = "segmentation"
    REVIEW = "review"


REPORTS = frozenset({DocumentKind.STRUCTURED_REPORT, DocumentKind.REVIEW})
"""What says in words all that is said; the other kinds add to it."""


class DeliveryTrouble(StrEnum):
    """Why a DICOM modality does not have a document yet."""

    SILENT = "silent"
    """It does not answer, or refuses the connection."""
    UNKNOWN = "unknown"
    """Orthanc has no modality of that name."""
    NOT_TAKEN = "not_taken"
    """It takes no such kind of object."""
    REFUSED = "refused"
    """It answered with an error, or broke off."""

    @property
    def of_receiver(self) -> bool:
        """Whether no document at all would arrive now."""
        return self in {DeliveryTrouble.SILENT, DeliveryTrouble.UNKNOWN}


class ModelEvent(StrEnum):
    """What happened to the models in service."""

    SHIPPED = "shipped"
    """Chosen by the program, no person having chosen: the newest that ships, or the setting ``Bundle``."""
    ACTIVATED = "activated"
    ROLLED_BACK = "rolled_back"
    GAVE_WAY = "gave_way"
    """The model before could not be loaded; this one judges instead, until a person chooses."""
    SHADOW_BEGAN = "shadow_began"
    SHADOW_ENDED = "shadow_ended"


class WorkerExit(IntEnum):
    """Statuses with which a judging process ends by itself; any other was done to it."""

    DONE = 0
    TROUBLE = 3
    """It says on its output what was wrong."""
    NO_TOKEN = 4
    TOO_LONG = 5
    """A piece of work took longer than a series may."""
    GAVE_WAY = 6
    """It left another attempt at what had failed, for something new."""
    OUT_OF_MEMORY = 7
    """A series needed more memory than it may take, and was put down."""
