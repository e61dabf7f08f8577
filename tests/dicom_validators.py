"""Independent readers of DICOM results: dicom3tools, DCMTK, dcmqi."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

# Remarks of dciodvfy that are no fault of the document: private coding schemes are allowed (PS3.16 8.2),
# newer editions have a Device UID among contributing equipment, a source's name without ^ is passed on
# and what it lacks is not invented.
_HARMLESS = re.compile(
    r"Unrecognized defined term <99HEADCT>"
    r"|\(0x0018,0x1002\) UI Device UID"
    r"|this is a Standard Extended SOP Class"
    r"|Retired Person Name form"
    r"|needed to build DICOMDIR"
)


def dciodvfy(path: Path) -> None:
    """Fail on every error and every warning that is ours."""
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert not [line for line in lines if line.startswith(("Error", "Abort"))], lines
    assert not [line for line in lines if line.startswith("Warning") and not _HARMLESS.search(line)], lines
    assert run.returncode == 0


def dsrdump(path: Path) -> str:
    """The document as DCMTK prints it."""
    # DCMTK cuts long values in the middle of a character.
    run = subprocess.run(
        ["dsrdump", "+U8", path], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    assert run.returncode == 0, run.stderr
    assert not [line for line in run.stderr.splitlines() if line.startswith(("E:", "F:"))], run.stderr
    return run.stdout


def tid1500reader(path: Path) -> dict[str, Any]:
    """The measurement report as dcmqi reads it."""
    result = path.with_suffix(".json")
    reader = Path(sys.executable).parent / "tid1500reader"
    subprocess.run(
        [reader, "--inputDICOM", path, "--outputMetadata", result], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(result.read_text())
    return found
