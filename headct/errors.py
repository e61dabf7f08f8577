"""The tree of errors: one root, small leaves."""


class HeadCTError(Exception):
    """Root of every error raised on purpose by this project."""


class UnusableInputError(HeadCTError):
    """The input as a whole cannot be used (no such folder, no DICOM file in it)."""


class BundleError(HeadCTError):
    """A bundle is missing, incomplete, altered (hash mismatch) or made for another input contract."""


class ReportError(HeadCTError):
    """A DICOM report cannot be written or read back."""


class SettingsError(HeadCTError):
    """A setting has an unknown name, a wrong type or an unsafe value."""
