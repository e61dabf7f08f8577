"""Why there is no backup, or nothing is restored."""

from headct.errors import HeadCTError


class BackupError(HeadCTError):
    """No backup was made; the sentence says what to do."""


class RestoreError(HeadCTError):
    """Nothing was restored; the sentence says what to do."""
