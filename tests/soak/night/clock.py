"""A clock of the stack's own that can be set: this machine's is left alone."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).with_name("wrong_clock.c")
DAY = 86_400


class Clock:
    """What the clock of programs shows that were started with :attr:`environment`."""

    def __init__(self, folder: Path) -> None:
        self.ahead = 0
        """Seconds."""
        self._file = folder / "ahead"
        self._set()
        compiler = shutil.which("cc")
        self.environment: Mapping[str, str] = {}
        """Empty where there is no compiler: then the clock cannot be set."""
        if compiler:
            library = folder / "wrong_clock.so"
            subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
            self.environment = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._file)}

    @property
    def can_be_set(self) -> bool:
        """Whether it can."""
        return bool(self.environment)

    def jump(self, seconds: int) -> None:
        """Set it forward; back if negative."""
        self.ahead += seconds
        self._set()

    def _set(self) -> None:
        # Written in place: programs have the file in their memory.
        file = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, self.ahead.to_bytes(8, "little", signed=True))
        os.close(file)
