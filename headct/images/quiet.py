"""pydicom as damaged files need it: values go unchecked, and no remark quotes them (patient data).

Its settings belong to the whole process, which may be somebody else's: they are touched only while headers
are read or written, and are then as they were.
"""

import logging
import warnings
from contextlib import ContextDecorator, ExitStack
from threading import Lock

from pydicom import config


class quiet(ContextDecorator):  # noqa: N801 (used as a word, not as a type)
    """Within, pydicom takes every value as it is and says nothing. May be nested, and entered by threads.

    Every value that is read enters it, so entering costs next to nothing while somebody is within.
    """

    _lock = Lock()
    _within = 0
    _undo = ExitStack()

    def __enter__(self) -> None:
        """The first to come changes the settings."""
        with quiet._lock:
            if not quiet._within:
                quiet._undo = _silenced()
            quiet._within += 1

    def __exit__(self, *_: object) -> None:
        """The last to go, whoever came first, gives them back."""
        with quiet._lock:
            quiet._within -= 1
            if not quiet._within:
                quiet._undo.close()


def _silenced() -> ExitStack:
    undo = ExitStack()
    undo.enter_context(config.disable_value_validation())
    undo.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    log = logging.getLogger("pydicom")
    undo.callback(log.setLevel, log.level)
    log.setLevel(logging.CRITICAL)
    return undo
