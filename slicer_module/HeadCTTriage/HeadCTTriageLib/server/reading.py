"""JSON into frozen dataclasses: their fields say what is read, and what is wrong is named by its place."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import re
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, Union, cast

from ..errors import UnreadableError
from ..translation import _

T = TypeVar("T")

REQUIRED = {"required": True}
"""Metadata of a field that has a default and may not be missing all the same."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)")


class _WrongError(Exception):
    """What is wrong, and where: the path grows while the error climbs."""

    def __init__(self, where: str) -> None:
        self.where = where


def parse(text: bytes) -> Any:
    """JSON of whatever shape.

    Raises:
        UnreadableError: it is none, or holds numbers that JSON has not (``NaN``).
    """
    try:
        return json.loads(text, parse_constant=_no_number, object_hook=_breathe)
    except (ValueError, RecursionError):
        raise UnreadableError(_("The server's answer is not what triage answers.")) from None


def read(kind: type[T], data: object) -> T:
    """A dataclass from parsed JSON; fields it does not know are ignored.

    A field's type is one of ``str, int, float, bool, datetime`` (ISO 8601 with its zone), an enumeration,
    another dataclass, ``Optional``, ``tuple[X, ...]`` or ``dict[str, X]`` of those. A field with a default
    may be missing.

    Raises:
        UnreadableError: a field is missing or of another type; the message names it.
    """
    return cast(T, _read(kind, kind.__name__, data))


def read_all(kind: type[T], data: object) -> tuple[T, ...]:
    """As :func:`read`, of a list."""
    return cast("tuple[T, ...]", _read(tuple[kind, ...], kind.__name__, data))  # type: ignore[valid-type]


def _read(kind: Any, name: str, data: object) -> Any:
    try:
        return _reader(kind)(data)
    except _WrongError as wrong:
        raise UnreadableError(
            _("The server's answer cannot be understood: {where}.").format(where=f"{name}{wrong.where}")
        ) from None


def to_json(value: Any) -> Any:
    """Plain JSON types of a dataclass; :func:`read` reads them back."""
    if dataclasses.is_dataclass(value):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (tuple, list)):
        return [to_json(one) for one in value]
    if isinstance(value, dict):
        return {key: to_json(one) for key, one in value.items()}
    return value


def _breathe(found: dict[str, Any]) -> dict[str, Any]:
    """As it is.

    Without a function of ours to call, Python parses a long worklist in one go, and no other thread, that of
    the windows neither, can do anything meanwhile.
    """
    return found


def _no_number(constant: str) -> float:
    raise ValueError(constant)


@functools.cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """How values of a type are read; made once for each type, since worklists are long."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        inner = _reader(arguments[0])
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    if origin is dict:
        return _dict_reader(_reader(arguments[1]))
    if dataclasses.is_dataclass(kind):
        return _object_reader(kind)
    if issubclass(kind, enum.Enum):
        return _enum_reader(kind)
    return {str: _text, int: _whole, float: _number, bool: _truth, datetime: _time}[kind]


def _object_reader(kind: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    fields = [
        (
            f.name,
            _reader(hints[f.name]),
            f.default is f.default_factory is dataclasses.MISSING or f.metadata == REQUIRED,
        )
        for f in dataclasses.fields(kind)
    ]

    def of(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _WrongError("")
        found = {}
        for name, reader, required in fields:
            if name in value:
                try:
                    found[name] = reader(value[name])
                except _WrongError as wrong:
                    raise _WrongError(f".{name}{wrong.where}") from None
            elif required:
                raise _WrongError(f".{name}")
        return kind(**found)

    return of


def _list_reader(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if not isinstance(value, list):
            raise _WrongError("")
        found = []
        for number, one in enumerate(value):
            try:
                found.append(inner(one))
            except _WrongError as wrong:
                raise _WrongError(f"[{number}]{wrong.where}") from None
        return tuple(found)

    return of


def _dict_reader(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _WrongError("")
        try:
            return {key: inner(one) for key, one in value.items()}
        except _WrongError as wrong:
            raise _WrongError(f"{{}}{wrong.where}") from None

    return of


def _enum_reader(kind: Any) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise _WrongError("") from None

    return of


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongError("")
    return value


def _whole(value: Any) -> int:
    # True is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongError("")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _WrongError("")
    try:
        found = float(value)
    except OverflowError:
        raise _WrongError("") from None
    if not math.isfinite(found):  # 1e999 is a number to JSON
        raise _WrongError("")
    return found


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("")
    return value


def _time(value: Any) -> datetime:
    # Python 3.9 and 3.10 read no Z and no fraction but of three or six digits.
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _WrongError("")
    seconds, fraction, zone = match.groups()
    try:
        return datetime.fromisoformat(
            f"{seconds}.{(fraction or '0').ljust(6, '0')}{zone.replace('Z', '+00:00')}"
        )
    except ValueError:  # the 32nd of a month
        raise _WrongError("") from None
