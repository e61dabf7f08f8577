"""Patients' numbers as they are stored in the field: fitting their character set, or not."""

from dataclasses import replace
from io import BytesIO

import report_cases as cases
from pydicom import dcmread
from pydicom.dataset import Dataset

from headct.images.series import CTSeries

KINDS: dict[str, tuple[bytes, bytes | None]] = {
    "Latin 1, declared UTF-8": ("MÜLLER1".encode("latin1"), b"ISO_IR 192"),
    "Shift JIS, declared JIS": ("山田2".encode("shift_jis"), b"\\ISO 2022 IR 87"),
    "Cyrillic Windows, declared nonsense": ("ИВАНОВ3".encode("cp1251"), b"ISO 2022 IR 6\\IS"),
    "Windows, declared ASCII": ("MÜLLER4".encode("cp1252"), b"ISO_IR 6"),
    "UTF-8, declared Latin 1": ("Ω5".encode(), b"ISO_IR 100"),
    "an unknown set": ("Ü6".encode("latin1"), b"ISO_IR 999"),
    "Latin 1, undeclared": ("Größe7".encode("latin1"), None),
    "UTF-8, declared empty": ("Größe8".encode(), b""),
    "a hard space before": (b"\xa09", b"ISO_IR 100"),
    "a wide space after": ("10\u3000".encode(), b"ISO_IR 192"),
    "spaces before": (b"  11", b"ISO_IR 100"),
    "spaces before a letter": (" Ü12".encode("latin1"), b"ISO_IR 100"),
    "spaces after": (b"13   ", b"ISO_IR 100"),
    "a control after": (b"P14\x1f", b"ISO_IR 100"),
    "controls within ASCII": (b"P\x7f1\x015", b"ISO_IR 6"),
    "a line's end": (b"16\r\n", b"ISO_IR 192"),
    "zeros after": (b"17\0\0\0", b"ISO_IR 192"),
    "a zero within": (b"18\0XY", b"ISO_IR 192"),
    "a mark of byte order": ("\ufeff19".encode(), b"ISO_IR 192"),
    "no letters": (b"20\xff\xfe", b"ISO_IR 192"),
    "a yen sign": (b"A\\21", b"ISO_IR 13"),
    "kana and an overline": (b"\xd4\xcf\xc0\xde22~1", b"ISO_IR 13"),
    "a second byte that is a backslash": (b"23\x8f\x5c", b"ISO_IR 13"),
    "kanji": ("山田24".encode("iso2022_jp"), b"\\ISO 2022 IR 87"),
    "kanji beside kana": (b"\x1b$B;3ED\x1b(J25", b"ISO 2022 IR 13\\ISO 2022 IR 87"),
    "an escape at the end": (b"26\x1b(J", b"\\ISO 2022 IR 87"),
    "an escape broken off": (b"27\x1b", b"\\ISO 2022 IR 87"),
    "Korean": (b"\x1b$)C\xb1\xe8\xc8\xf128", b"\\ISO 2022 IR 149"),
    "GBK": ("张三29".encode("gbk"), b"GBK"),
    "GB18030": ("王小东30".encode("gb18030"), b"GB18030"),
    "Cyrillic": ("ИВАН31".encode("iso8859_5"), b"ISO_IR 144"),
    "Latin 1 by code extension": (b"32\x1b-A\xdc", b"ISO 2022 IR 6\\ISO 2022 IR 100"),
    "64 letters": (b"33" + b"x" * 62, b"ISO_IR 192"),
    "100 letters": (("34" + "ä" * 98).encode("latin1"), b"ISO_IR 100"),
    "several values": (b"35\\B \\ C", b"ISO_IR 100"),
    "plain, undeclared": (b"36-P", None),
    "plain, Japanese": (b"37-P", b"ISO 2022 IR 13\\ISO 2022 IR 87"),
    "spaces alone": (b"    ", b"ISO_IR 100"),
    "empty": (b"", b"ISO_IR 192"),
}
"""The number's bytes, and those of the character set they are declared in."""


def series(kind: str, slices: int = 6, **attributes: object) -> CTSeries:
    """A series under such a number, as read from files."""
    number, declared = KINDS[kind]
    headers = tuple(_stored(cases.header(i, **attributes), number, declared) for i in range(slices))
    uids = tuple(str(header.SOPInstanceUID) for header in headers)
    return replace(cases.series(slices), headers=headers, sop_instance_uids=uids)


def file(header: Dataset) -> bytes:
    """The header as a file, its bytes as they were read."""
    buffer = BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def padded(value: bytes) -> bytes:
    """To an even length."""
    return value + b" " * (len(value) % 2)


def _stored(header: Dataset, number: bytes, declared: bytes | None) -> Dataset:
    header.PatientID = "replaced"
    header.SpecificCharacterSet = "ISO_IR 6"
    data = _replaced(file(cases.as_read(header)), b"\x10\0\x20\0LO", number)
    data = _replaced(data, b"\x08\0\x05\0CS", declared or b"")
    if declared is None:
        data = data.replace(b"\x08\0\x05\0CS\0\0", b"", 1)
    return dcmread(BytesIO(data))


def _replaced(data: bytes, element: bytes, value: bytes) -> bytes:
    """Another value for one element in explicit VR little endian."""
    at = data.index(element) + len(element)
    length, value = int.from_bytes(data[at : at + 2], "little"), padded(value)
    return data[:at] + len(value).to_bytes(2, "little") + value + data[at + 2 + length :]
