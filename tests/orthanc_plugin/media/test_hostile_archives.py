"""ZIPs made to do harm: each file in them is an image, or named with the reason why not."""

from pathlib import Path

import pytest
from hostile import Hostile
from hostile.archives import archives, written

from headct.errors import UnusableInputError
from orthanc_plugin.media import files, recognition
from orthanc_plugin.media.files import Unreadable, look
from orthanc_plugin.media.recognition import Kind, UnusableFileError


@pytest.mark.parametrize("case", archives(2**24), ids=repr)
def test_every_archive_of_the_corpus(
    case: Hostile[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "MAX_IMAGE_BYTES", 2**23)
    seen = 0
    try:
        for one in files.files(written(case, tmp_path)):
            seen += 1
            if isinstance(one, Unreadable):
                assert one.reason
                continue
            try:
                assert look(one).kind in Kind
            except UnusableFileError as error:
                assert str(error)
    except UnusableInputError as error:
        assert str(error)
        return
    assert seen
    assert [path.name for path in tmp_path.iterdir()] == ["medium.zip"], "nothing is unpacked to disk"


def test_a_file_that_grows_beyond_reason_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SMALL_FILE_BYTES", 2**20)
    found = list(files.files(written(archives(2**24)[0], tmp_path)))
    assert [type(one) for one in found] == [Unreadable]
    assert "bomb" in found[0].reason  # type: ignore[union-attr]
