"""Out of memory: known again behind whatever error it ended as, and no fault of the program."""

import errno

_NO_THREAD = "can't start new thread"
"""What Python says when there is no room for the stack of one."""


def ran_out(error: BaseException) -> bool:
    """Whether there was no more memory to be had, by an error or by what it came of."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and not any(found is one for one in seen):
        if (
            isinstance(found, MemoryError)
            or (isinstance(found, OSError) and found.errno == errno.ENOMEM)
            or (isinstance(found, RuntimeError) and _NO_THREAD in str(found))
        ):
            return True
        seen.append(found)
        found = found.__cause__ or found.__context__
    return False
