"""The strict reader of the audit."""

from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from headct.errors import DeidentificationError
from headct.generator.encoding import TransferSyntax
from model_training.deidentification.audit import audit
from model_training.deidentification.elements import elements
from model_training.deidentification.identifiers import Identifiers
from tests.model_training.person import clean, head, known, refusal


def test_the_strict_reader_reads_what_pydicom_reads() -> None:
    found = {element.tag: element for element in elements(clean().data) if not element.path}
    ds = dcmread(BytesIO(clean().data))
    assert set(found) == {int(element.tag) for element in (*ds.file_meta, *ds)}
    assert found[0x00100020].value.decode().strip() == ds.PatientID
    assert found[0x7FE00010].value == ds.PixelData
    nested = [element for element in elements(clean().data) if element.path]
    assert [element.value.decode().strip() for element in nested if element.tag == 0x00080100] == [
        "113100",
        "113107",
        "113108",
    ]
    assert nested[0].name == "(0012,0064)/(0008,0100)"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"Kurosawa",
        lambda data: data + b"\0",
        lambda data: data[:-1],
        lambda data: data[:200],
        lambda data: data[:128],
        lambda data: b"",
        lambda data: data[132:],
    ],
)
def test_other_forms_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    assert "not in the form" in refusal(spoil(clean().data))


@pytest.mark.parametrize("syntax", [s for s in TransferSyntax if s is not TransferSyntax.EXPLICIT_LITTLE])
def test_originals_in_other_transfer_syntaxes_are_refused(syntax: TransferSyntax) -> None:
    refusal(head(syntax)[0], identifiers=Identifiers())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1600), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_is_refused_or_harmless_but_never_a_crash(changes: list[tuple[int, int]]) -> None:
    data = bytearray(clean().data)
    for at, value in changes:
        data[at] = value
    try:
        audit([("1.dcm", bytes(data))], known())
    except DeidentificationError:
        return
    ds = dcmread(BytesIO(bytes(data)))
    assert ds.PatientIdentityRemoved == "YES"
