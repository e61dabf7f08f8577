"""Whose earlier images are shown: of the same person for sure, or nobody's."""

import pytest
from HeadCTTriageLib.server.previous import Person

HERE = Person("4711", "YAMADA^TAROU=山田^太郎=やまだ^たろう", "19510711")


@pytest.mark.parametrize(
    "other",
    [
        HERE,
        Person(" 4711 ", "Yamada^Tarou^^", "19510711"),
        Person("4711", "ＹＡＭＡＤＡ^ＴＡＲＯＵ", "19510711"),
        Person("4711", "=山田^太郎", "19510711"),
        Person("4711", "YAMADA TAROU==", "19510711 "),
    ],
)
def test_the_same_person_however_written(other: Person) -> None:
    assert HERE.is_surely(other)
    assert other.is_surely(HERE)


@pytest.mark.parametrize(
    "other",
    [
        Person("4712", HERE.PatientName, HERE.PatientBirthDate),
        Person("", HERE.PatientName, HERE.PatientBirthDate),
        Person("4711", "YAMADA^HANAKO=山田^花子", HERE.PatientBirthDate),
        Person("4711", "YAMADA^TAROU=山田^花子", HERE.PatientBirthDate),
        Person("4711", "", HERE.PatientBirthDate),
        Person("4711", "==", HERE.PatientBirthDate),
        Person("4711", HERE.PatientName, ""),
        Person("4711", HERE.PatientName, "19510712"),
        Person("4711", HERE.PatientName, "Unknown"),
    ],
)
def test_what_differs_or_is_not_said_is_another(other: Person) -> None:
    assert not HERE.is_surely(other)
    assert not other.is_surely(HERE)


@pytest.mark.parametrize(
    "nobody",
    [
        Person("", "", ""),
        Person("UNKNOWN", "EMERGENCY^UNKNOWN", ""),
        Person("0", "ANONYMOUS", "Unknown"),
        Person("4711", "", "19510711"),
    ],
)
def test_who_cannot_be_told_is_not_even_themselves(nobody: Person) -> None:
    assert not nobody.is_surely(nobody)


def test_two_scripts_that_share_nothing_prove_nothing() -> None:
    assert not Person("4711", "YAMADA^TAROU", "19510711").is_surely(Person("4711", "=山田^太郎", "19510711"))
