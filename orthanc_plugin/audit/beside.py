"""The end of the chain, noted beside the key: a store that is put back from an old copy lacks it."""

import json
import os
from pathlib import Path

from headct.reports.seals import KeyRing
from orthanc_plugin.audit.chain import Head

END_FILE = "audit.end"


def write(file: Path, ring: KeyRing, head: Head) -> None:
    """Note the end; on disk when this returns, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    said = json.dumps([head.number, head.seal, head.running])
    unfinished = file.with_name(f".{file.name}")
    opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="ascii") as written:
        written.write(f"{ring.seal(said)} {said}\n")
        written.flush()
        os.fsync(opened)
    unfinished.replace(file)


def read(file: Path, ring: KeyRing) -> Head | None:
    """The end as it was noted; ``None`` where none is, or nobody vouches for it.

    Raises:
        OSError: it cannot be read.
    """
    if not file.exists():
        return None
    seal, _, said = file.read_text(encoding="ascii", errors="replace").strip().partition(" ")
    if not ring.vouches(seal, said):
        return None
    number, last, running = json.loads(said)
    return Head(int(number), str(last), int(running))
