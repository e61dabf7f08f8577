"""What a failure leaves in the log: its type and where in our own files it happened, never its message.

A message may quote a header, which names a patient; so may the messages of what caused it. Standard library
alone: Orthanc's script uses it where nothing else can be imported.
"""

import logging
import traceback
from collections.abc import Iterator
from copy import copy
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_OURS = ("headct", "orthanc_plugin", "model_training")
_LONGEST_CHAIN = 5


def failure(error: BaseException) -> str:
    """Types and own frames of an error and of what caused it, the innermost frame first.

    Such as ``ReportError at headct/reports/documents.py:98 < orthanc_plugin/worker/judging.py:160, from
    KeyError at headct/reports/codes.py:31``.
    """
    return ", from ".join(_described(one) for one in _chain(error))


def set_level(level: str) -> None:
    """How much our own packages say; libraries are not asked, for some quote what they read."""
    for package in _OURS:
        logging.getLogger(package).setLevel(level.upper())


class Formatter(logging.Formatter):
    """Says of an exception what :func:`failure` says of it, and nothing more."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without what another formatter may have kept of the traceback."""
        record = copy(record)
        record.exc_text = None
        return super().format(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 (the name is the library's)
        """One line in place of the traceback, which ends with the message."""
        error = ei[1] if isinstance(ei, tuple) else None
        return failure(error) if isinstance(error, BaseException) else ""

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Nothing: lines of code say no more than where they stand."""
        return ""


def _described(error: BaseException) -> str:
    kind = type(error).__name__
    # Relative names are none of ours: `<string>`, or what is frozen. To resolve one needs a working folder,
    # which an update of the program may have taken away.
    named = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_absolute()]
    frames = ((Path(f.filename).resolve(), f.lineno) for f in named)
    inside = ((path.relative_to(_ROOT), line) for path, line in frames if path.is_relative_to(_ROOT))
    ours = [f"{path}:{line}" for path, line in inside if path.parts[0] in _OURS]
    return f"{kind} at {' < '.join(reversed(ours))}" if ours else kind


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, those too that ``raise ... from None`` hides from readers."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and not any(found is one for one in seen) and len(seen) < _LONGEST_CHAIN:
        seen.append(found)
        yield found
        found = found.__cause__ or found.__context__
