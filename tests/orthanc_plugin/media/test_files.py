"""Media as they are found: DICOM known by its content, ZIPs read in place, nothing lost without a word."""

import contextlib
import io
import os
import tempfile
import tracemalloc
import warnings
import zipfile
import zlib
from functools import cache
from pathlib import Path

import pytest
from dicom_stack import file_bytes, files, head
from hypothesis import given
from hypothesis import strategies as st
from nested import nested
from pydicom import dcmread, dcmwrite
from pydicom.fileset import FileSet
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from store_samples import MEMORY

from headct import dicom_depth
from headct.errors import UnusableInputError
from orthanc_plugin.media import files as medium
from orthanc_plugin.media import recognition
from orthanc_plugin.media.recognition import Content, Kind, UnusableFileError, recognise

STUDY = "2.25.7"
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


@cache
def images(syntax: str = ExplicitVRLittleEndian) -> tuple[bytes, ...]:
    return tuple(files(head(slabs=2, size=16), syntax=syntax, series="2.25.5"))


def bare(syntax: str) -> bytes:
    """The data set alone, as some old archives and the C-STORE dumps of others have it."""
    dataset = dcmread(io.BytesIO(images(syntax)[0]))
    del dataset.file_meta
    dataset.preamble = None
    buffer = io.BytesIO()
    dcmwrite(
        buffer,
        dataset,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return buffer.getvalue()


def told(data: bytes) -> Content:
    return recognise(io.BytesIO(data))


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def found(path: Path) -> dict[str, str]:
    """What each file of a medium is said to be: a kind, or why it cannot be used."""
    said = {}
    for file in medium.files(path):
        if isinstance(file, medium.Unreadable):
            said[file.name] = file.reason
            continue
        try:
            said[file.name] = medium.look(file).kind.name
        except UnusableFileError as error:
            said[file.name] = str(error)
    return said


class TestRecognition:
    @pytest.mark.parametrize("syntax", SYNTAXES)
    def test_an_image_in_any_syntax(self, syntax: str) -> None:
        for data in images(syntax):
            content = told(data)
            assert content.kind is Kind.IMAGE
            assert content.data == data
            assert content.study_instance_uid == STUDY
            assert content.sop_instance_uid == dcmread(io.BytesIO(data)).SOPInstanceUID

    @pytest.mark.parametrize("syntax", SYNTAXES[:3])
    def test_a_data_set_alone(self, syntax: str) -> None:
        data = bare(syntax)
        assert data[128:132] != b"DICM"
        assert (told(data).kind, told(data).study_instance_uid) == (Kind.IMAGE, STUDY)

    def test_meta_information_without_a_preamble(self) -> None:
        assert told(images()[0][132:]).kind is Kind.IMAGE

    @given(st.binary(max_size=4000))
    def test_other_bytes_are_not_dicom(self, data: bytes) -> None:
        if data[128:132] != b"DICM":
            assert told(data) == recognition.NOT_DICOM

    @given(
        st.sampled_from([b"\x08\0\x05\0CS\x0a\0", b"\x08\0\0\0\x04\0\0\0", b"\x02\0\0\0UL\x04\0"]),
        st.binary(max_size=2000),
    )
    def test_other_bytes_that_begin_alike_are_not_dicom(self, begin: bytes, data: bytes) -> None:
        assert told(begin + data) == recognition.NOT_DICOM

    @given(st.data())
    def test_cut_short_it_is_still_dicom_or_said_to_be_damaged(self, data: st.DataObject) -> None:
        whole = images()[0]
        cut = whole[: data.draw(st.integers(132, len(whole) - 1))]
        try:
            assert told(cut).kind is Kind.IMAGE
        except UnusableFileError as error:
            assert "damaged" in str(error)

    @given(st.data())
    def test_damaged_bytes_raise_nothing_else(self, data: st.DataObject) -> None:
        damaged = bytearray(images(data.draw(st.sampled_from(SYNTAXES)))[0][:900])
        for _ in range(data.draw(st.integers(1, 8))):
            damaged[data.draw(st.integers(132, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(UnusableFileError):
            told(bytes(damaged))

    def test_without_a_study_there_is_nowhere_to_store_it(self) -> None:
        dataset = dcmread(io.BytesIO(images()[0]))
        del dataset.StudyInstanceUID
        with pytest.raises(UnusableFileError, match="without the UIDs"):
            told(file_bytes(dataset))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0" * 5000,
            b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 8,
            b"MZ\x90\0" + b"\0" * 900,
            b"<html><body>Your images</body></html>",
            "画像".encode("shift_jis") * 100,
            b"[autorun]\r\nopen=viewer.exe\r\n",
        ],
    )
    def test_what_else_lies_on_a_cd(self, data: bytes) -> None:
        assert told(data).kind is Kind.OTHER

    def test_a_deflated_bomb_is_not_unpacked(self) -> None:
        whole = images(DeflatedExplicitVRLittleEndian)[0]
        begin = 144 + int.from_bytes(whole[140:144], "little")
        packer = zlib.compressobj(wbits=-15)
        bomb = packer.compress(b"\x08\0\x05\0CS\0\0" * 2**20) + packer.flush()
        with pytest.raises(UnusableFileError):
            told(whole[:begin] + bomb)

    def test_one_that_would_take_all_memory_is_refused_in_pieces(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dicom_depth, "MAX_INFLATED", 2**24)
        whole = images(DeflatedExplicitVRLittleEndian)[0]
        begin = 144 + int.from_bytes(whole[140:144], "little")
        packer = zlib.compressobj(wbits=-15)
        bomb = packer.compress(b"\x08\0\x05\0CS\0\0" * 2**22) + packer.flush()
        tracemalloc.start()
        with pytest.raises(UnusableFileError, match="packed beyond reason"):
            told(whole[:begin] + bomb)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 2**23

    @pytest.mark.parametrize("syntax", SYNTAXES)
    @pytest.mark.parametrize("levels", [25, 100, 5000])
    def test_what_would_end_the_server_is_named(self, syntax: str, levels: int) -> None:
        with pytest.raises(UnusableFileError, match="nested"):
            told(nested(levels, syntax))
        with pytest.raises(UnusableFileError, match="nested"):
            told(nested(levels, syntax, open_ended=False))

    @pytest.mark.parametrize("syntax", SYNTAXES)
    def test_what_is_nested_within_reason_is_an_image(self, syntax: str) -> None:
        assert told(nested(12, syntax)).kind is Kind.IMAGE

    def test_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recognition, "MAX_IMAGE_BYTES", 600)
        with pytest.raises(UnusableFileError, match="larger"):
            told(images()[0])
        assert told(bare(ExplicitVRLittleEndian)).kind is Kind.OTHER


class TestFolders:
    def cd(self, folder: Path) -> set[str]:
        """A CD as a PACS writes it, with a viewer beside the images; the UIDs on it."""
        fileset = FileSet()
        for data in images():
            dataset = dcmread(io.BytesIO(data))
            dataset.StudyID, dataset.SeriesNumber, dataset.StudyTime = "1", 1, "120000"
            fileset.add(dataset)
        fileset.write(folder)
        (folder / "VIEWER").mkdir()
        (folder / "VIEWER" / "IM0001.dcm").write_bytes(b"named like an image, and none")
        (folder / "VIEWER" / "viewer.exe").write_bytes(b"MZ" + b"\0" * 400)
        zipped(folder / "VIEWER" / "viewer.jar", {"META-INF/MANIFEST.MF": b"", "icon.dcm": images()[0]})
        (folder / "autorun.inf").write_text("[autorun]")
        return {str(dcmread(io.BytesIO(data)).SOPInstanceUID) for data in images()}

    def test_a_cd(self, tmp_path: Path) -> None:
        uids = self.cd(tmp_path)
        kinds = found(tmp_path)
        assert sorted(kinds.values()) == ["DIRECTORY", "IMAGE", "IMAGE", *["OTHER"] * 4]
        assert list(kinds) == sorted(kinds, key=lambda name: (name.count("/") > 0, name))
        (directory,) = [f for f in medium.files(tmp_path) if f.name == "DICOMDIR"]
        assert isinstance(directory, medium.MediumFile)
        assert medium.look(directory).listed == uids
        assert medium.total_bytes(tmp_path) == sum(
            f.size for f in medium.files(tmp_path) if isinstance(f, medium.MediumFile)
        )

    def test_names_mean_nothing(self, tmp_path: Path) -> None:
        odd = [os.fsencode(tmp_path) + b"/" + n for n in (b"letter.txt", "画像".encode("shift_jis"), b"-x")]
        for path in odd:
            Path(os.fsdecode(path)).write_bytes(images()[0])
        assert list(found(tmp_path).values()) == ["IMAGE"] * 3

    def test_one_file(self, tmp_path: Path) -> None:
        (tmp_path / "one").write_bytes(images()[0])
        assert found(tmp_path / "one") == {"one": "IMAGE"}

    def test_what_is_not_a_file_is_passed_over(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "round").symlink_to(tmp_path)
        (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
        (tmp_path / "image").write_bytes(images()[0])
        assert found(tmp_path) == {"image": "IMAGE", "nowhere": "No such file or directory"}

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(images()[0])
        (tmp_path / "b").write_bytes(images()[1])
        listed = medium.files(tmp_path)
        first = next(listed)
        assert isinstance(first, medium.MediumFile)
        (tmp_path / "a").unlink()  # as when a scratched CD gives up
        with pytest.raises(UnusableFileError, match="No such file"):
            medium.look(first)
        assert next(listed).name == "b"

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UnusableInputError, match="no file or folder"):
            medium.total_bytes(tmp_path / "none")


class TestZips:
    def test_as_a_medium_and_in_one(self, tmp_path: Path) -> None:
        entries = {"CD/IM1": images()[0], "CD/deep/er/IM2": images()[1], "CD/readme.txt": b"hello"}
        path = zipped(tmp_path / "images.zip", entries)
        kinds = found(path)
        assert kinds == {
            "images.zip/CD/IM1": "IMAGE",
            "images.zip/CD/deep/er/IM2": "IMAGE",
            "images.zip/CD/readme.txt": "OTHER",
        }
        path.rename(tmp_path / "no suffix")
        assert list(found(tmp_path).values()) == list(kinds.values())

    def test_no_name_in_it_leads_anywhere(self, tmp_path: Path) -> None:
        names = ["../../outside", "/absolute", "C:\\windows\\x", "a/../../b"]
        folder = tmp_path / "one" / "two"  # so that ways out of it end in this test's own folder
        folder.mkdir(parents=True)
        path = zipped(folder / "z", dict.fromkeys(names, images()[0]))
        before = sorted(tmp_path.rglob("*"))
        assert list(found(path).values()) == ["IMAGE"] * 4
        assert sorted(tmp_path.rglob("*")) == before
        assert not Path("/absolute").exists()

    def test_a_zip_inside_is_named_unless_it_is_a_program(self, tmp_path: Path) -> None:
        inner = zipped(tmp_path / "inner", {"IM1": images()[0]}).read_bytes()
        jar = zipped(tmp_path / "jar", {"META-INF/MANIFEST.MF": b""}).read_bytes()
        path = zipped(tmp_path / "z", {"more.zip": inner, "viewer.jar": jar})
        assert found(path) == {"z/more.zip": "a ZIP inside a ZIP; unpack it first", "z/viewer.jar": "OTHER"}

    def test_damaged(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "z", {"IM1": images()[0], "IM2": images()[1]}, zipfile.ZIP_STORED)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert found(tmp_path) == {"z": "damaged ZIP"}
        with pytest.raises(UnusableInputError, match="damaged ZIP"):
            found(path)
        path.write_bytes(whole[:900].replace(b"CT", b"XX") + whole[900:])
        assert set(found(path).values()) == {"damaged ZIP", "IMAGE"}

    def test_with_a_password(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "z", {"IM1": images()[0]}, zipfile.ZIP_STORED)
        data = bytearray(path.read_bytes())
        for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark) + flags] |= 1
        path.write_bytes(data)
        assert found(path) == {"z/IM1": "packed with a password; unpack it first"}

    def test_unknown_packing(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "z", {"IM1": images()[0]}, zipfile.ZIP_STORED)
        data = bytearray(path.read_bytes())
        for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            data[data.index(mark) + method] = 98
        path.write_bytes(data)
        (why,) = found(path).values()
        assert "unpack it first" in why

    def test_bombs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = zipped(tmp_path / "z", {f"{n}": b"\0" * 300_000 for n in range(5)})
        assert set(found(path).values()) == {"OTHER"}
        monkeypatch.setattr(medium, "SMALL_ZIP_BYTES", 1_000_000)
        with pytest.raises(UnusableInputError, match="bomb"):
            found(path)
        assert "bomb" in found(tmp_path)["z"]
        monkeypatch.setattr(medium, "MAX_ZIP_RATIO", 10_000)
        assert len(found(path)) == 5
        monkeypatch.setattr(medium, "MAX_ZIP_FILES", 4)
        with pytest.raises(UnusableInputError, match="bomb"):
            found(path)

    def test_files_laid_over_each_other(self, tmp_path: Path) -> None:
        """Many names for the same packed bytes: small on the medium, as large as one likes unpacked."""
        path = zipped(tmp_path / "z", {f"{n:03}": os.urandom(2000) for n in range(4)}, zipfile.ZIP_STORED)
        data = path.read_bytes()
        directory = data.index(b"PK\x01\x02")
        end = data.index(b"PK\x05\x06")
        record = data[directory : data.index(b"PK\x01\x02", directory + 4)]
        tail = bytearray(data[end:])
        tail[8:12] = (40).to_bytes(2, "little") * 2
        tail[12:16] = (40 * len(record)).to_bytes(4, "little")
        path.write_bytes(data[:directory] + record * 40 + bytes(tail))
        with pytest.raises(UnusableInputError, match="bomb"):
            found(path)

    @given(st.binary(max_size=600))
    def test_anything_that_begins_like_a_zip_is_said_to_be_damaged(self, data: bytes) -> None:
        path = Path(MEMORY or tempfile.gettempdir(), f"media-{os.getpid()}")
        path.write_bytes(b"PK\x03\x04" + data)
        try:
            with pytest.raises(UnusableInputError):
                found(path)
        finally:
            path.unlink()
