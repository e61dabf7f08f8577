"""Of what Orthanc writes only the words of the program are kept, and what our own packages say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthanc_plugin.stack import log_filter
from orthanc_plugin.stack.log_filter import LEFT_OUT, Filter, Gathered, Words

PLACE = "E1130 13:56:45.912469 DicomMap.cpp:1015] "
NEWER = "W1130 13:56:45.912469          HTTP-12 DicomMap.cpp:1015] "
CONSTANTS = (
    b"Store has failed because required tags (",
    b"PatientID",
    b") are missing for the following instance: ",
    b"Bad file format",
    b"Cannot parse JSON: ",
    b"DICOM authorization rejected  for AET ",
    b"HTTP server listening on port: ",
    b"short",
)

MISSING = "Store has failed because required tags (PatientID) are missing for the following instance: "
LIBRARY = "2026-11-30 13:56:45,912 urllib3.pool: "


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    program = tmp_path_factory.mktemp("program") / "Orthanc"
    program.write_bytes(b"\x7fELF\x01" + b"\0".join(CONSTANTS) + b"\0\xff")
    return Words([program, program.with_name("is not there")])


@pytest.fixture
def running(words: Words) -> Filter:
    made = Filter(words)
    made.line(f"{PLACE}HTTP server listening on port: 8042")
    return made


@pytest.mark.parametrize("place", [PLACE, NEWER])
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Bad file format", "Bad file format"),
        ("Bad file format: Yamada", f"Bad file format: {LEFT_OUT}"),
        ("Cannot parse JSON: Bad file format", "Cannot parse JSON: Bad file format"),
        ("Yamada Bad file format", LEFT_OUT),
        ("shorty", LEFT_OUT),
        (
            f"{MISSING}4711",
            f"{MISSING}{LEFT_OUT}",
        ),
        (
            "DICOM authorization rejected  for AET YAMADA on IP 192.0.2.10: not listed",
            f"DICOM authorization rejected  for AET {LEFT_OUT} on IP 192.0.2.10",
        ),
        ("Bad file format on IP 192.0.2.10.4711", f"Bad file format{LEFT_OUT}"),
        ("orthanc_plugin.intake.arrivals: 3 images", "orthanc_plugin.intake.arrivals: 3 images"),
        ("Triage is running", "Triage is running"),
        ("Triages", LEFT_OUT),
        ("", ""),
    ],
)
def test_messages_of_orthanc(running: Filter, place: str, written: str, kept: str) -> None:
    assert running.line(place + written) == place + kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-11-30 13:56:45,912 orthanc_plugin.worker.loop: a series took long", None),
        (f"{LIBRARY}GET /Yamada", f"{LIBRARY}{LEFT_OUT}"),
        ('  File "/opt/headct/orthanc_plugin/plugin.py", line 12 in load', None),
        ("Traceback (most recent call last):", LEFT_OUT),
        ("ValueError: Yamada", LEFT_OUT),
        ("W: DcmItem: Yamada", LEFT_OUT),
        ("", ""),
    ],
)
def test_lines_of_others(running: Filter, written: str, kept: str | None) -> None:
    assert running.line(written) == (written if kept is None else kept)


def test_what_is_said_of_options_at_the_start_is_kept(words: Words) -> None:
    made = Filter(words)
    said = [
        f'{PLACE}Storage directory: "/data"',
        f"{PLACE}HTTP server listening on port: 8042 (remote access)",
    ]
    assert [made.line(line) for line in said] == said
    assert made.line(f'{PLACE}Storage directory: "/data"') == PLACE + LEFT_OUT


@settings(max_examples=30, deadline=None)
@given(name=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_no_name_is_kept_wherever_it_stands(words: Words, name: str) -> None:
    made = Filter(words)
    made.line(f"{PLACE}HTTP server listening on port: 8042")
    secret = f"<{name}>"
    for before in (PLACE, NEWER, "", LIBRARY, f"{PLACE}Bad file format: "):
        for said in (secret, f"Bad file format {secret}", f"{secret}: PatientID"):
            assert secret not in made.line(before + said)


class TestGathered:
    def test_whole_lines_go_into_the_log_and_memory_is_given_back(self, tmp_path: Path, words: Words) -> None:
        made = Gathered(tmp_path / "log", words)
        code = "import os, sys; os.write(2, b'Bad file format\\nBad file'); print('Bad file format: x')"
        subprocess.run([sys.executable, "-c", code], stdout=made, stderr=subprocess.STDOUT, check=True)
        made.move()
        assert (tmp_path / "log").read_text() == f"Bad file format\n{LEFT_OUT}\n"
        os.write(made.fileno(), b"Bad file " * 4096 + b"\n")
        made.move()
        assert os.fstat(made.fileno()).st_blocks * 512 < 2 * 4096, "what was read takes no memory"
        os.write(made.fileno(), b"Bad file format")
        made.move()
        assert (tmp_path / "log").read_text().count("\n") == 3
        made.close()
        made.close()
        assert (tmp_path / "log").read_text().endswith("\nBad file format\n")
        assert (tmp_path / "log").stat().st_mode & 0o077 == 0

    def test_what_cannot_be_written_now_is_written_later_but_not_for_ever(
        self, tmp_path: Path, words: Words, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log_filter, "_MOST_KEPT", 100)
        made = Gathered(tmp_path / "folder" / "log", words)
        os.write(made.fileno(), b"Bad file format\n" * 20)
        made.move()
        os.write(made.fileno(), b"Cannot parse JSON: \n")
        made.move()
        (tmp_path / "folder").mkdir()
        made.close()
        assert (tmp_path / "folder" / "log").read_text() == "Cannot parse JSON: \n"
