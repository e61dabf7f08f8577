"""pydicom as damaged files need it: values go unchecked, and no remark quotes them (patient data).

Its settings belong to the whole process, which may be somebody else's: they are touched only while headers
are read or written, and are then as they were.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from pydicom import config

_lock = Lock()
_undo: list[ExitStack] = []
"""One entry for each who is within; the first undoes what was changed, the others nothing."""


@contextmanager
def quiet() -> Iterator[None]:
    """Within, pydicom takes every value as it is and says nothing. May be nested, and entered by threads."""
    with _lock:
        _undo.append(ExitStack() if _undo else _silenced())
    try:
        yield
    finally:
        with _lock:
            # The last to go, whoever came first, gives the settings back.
            _undo.pop().close()


def _silenced() -> ExitStack:
    undo = ExitStack()
    undo.enter_context(config.disable_value_validation())
    undo.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    log = logging.getLogger("pydicom")
    undo.callback(log.setLevel, log.level)
    log.setLevel(logging.CRITICAL)
    return undo
