"""One image of a person, what identifies them in it, and what is left of it."""

from functools import cache

import pytest

from headct.errors import DeidentificationError
from headct.generator.encoding import TransferSyntax
from headct.generator.generation import generate
from headct.generator.patient import CharacterSet
from model_training.deidentification.audit import audit
from model_training.deidentification.identifiers import Identifiers
from model_training.deidentification.profile import Image, deidentify
from model_training.deidentification.pseudonyms import KEY_BYTES, Key
from tests.model_training.planted import (
    as_file,
    person_image,
)

KEY = Key(bytes(range(KEY_BYTES)))


@cache
def original() -> bytes:
    return as_file(person_image())


@cache
def known() -> Identifiers:
    return Identifiers.of([original()])


@cache
def clean() -> Image:
    (image,) = deidentify([original()], KEY)
    return image


def refusal(data: bytes, name: str = "1.dcm", identifiers: Identifiers | None = None) -> str:
    with pytest.raises(DeidentificationError) as told:
        audit([(name, data)], identifiers or known())
    return str(told.value)


@cache
def head(syntax: TransferSyntax, when_tilted: float = 12.0) -> tuple[bytes, ...]:
    series = generate(
        "normal", 1, matrix=128, coverage=(0.45, 0.6), tilt_deg=when_tilted, syntax=syntax,
        charset=CharacterSet.IR13_IR87, vendor="siemens",
    )  # fmt: skip
    return tuple(as_file(ds) for ds in series.datasets)
