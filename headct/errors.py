"""The tree of errors: one root, small leaves."""

from headct.language import Phrase
from headct.reasons import Reason


class HeadCTError(Exception):
    """Root of every error raised on purpose by this project."""

    @property
    def sentence(self) -> Phrase:
        """What is wrong, for the reader's language; plain English where it was raised with that."""
        said = self.args[0] if self.args else ""
        return said if isinstance(said, Phrase) else Phrase("{text}", {"text": said})


class ToldError(HeadCTError):
    """An error whose sentence is for who asked, in their language."""

    def __init__(self, sentence: Phrase) -> None:
        super().__init__(sentence)


class UnusableInputError(HeadCTError):
    """The input as a whole cannot be used (no such folder, no DICOM file in it)."""


class BundleError(ToldError):
    """A bundle is missing, incomplete, altered (hash mismatch) or made for another input contract."""


class RubricError(HeadCTError):
    """A rubric file cannot be read, lacks a value or its source, or has values that make no sense."""


class InferenceError(HeadCTError):
    """A network's output cannot be used."""


class TrainingError(HeadCTError):
    """A training cannot go on: its loss is no number, or its hosts or processes are at odds."""


class ExportError(HeadCTError):
    """An exported network is not its original: wrong size or wrong answers."""


class ReportError(HeadCTError):
    """A DICOM report cannot be written or read back."""


class SealError(ToldError):
    """What seals reports cannot be used, so that nobody can say whose they are."""


class ReviewError(ToldError):
    """A review contradicts itself."""


class SettingsError(HeadCTError):
    """A setting has an unknown name, a wrong type or an unsafe value."""


class DeidentificationError(HeadCTError):
    """Images cannot be de-identified, or something that identifies is left; never says its value."""


class NotAnalysedError(HeadCTError):
    """A series may not be judged; carries the reason shown to the doctor."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.sentence())
        self.reason = reason
