"""What may be asked of a processor that nobody knows: time in its own measure."""

import time


def noticed() -> float:
    """Processor seconds of one turn from which on a user notices it: a tenth, or more on a slow processor."""
    began = time.thread_time()
    for _ in range(1_000_000):
        pass
    return max(0.1, 4 * (time.thread_time() - began))
