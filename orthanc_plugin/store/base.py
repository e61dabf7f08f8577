"""What all tables share: how times, states and JSON lie in columns."""

import zlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, Index, LargeBinary, text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from headct.terms.licence import Use
from headct.terms.review import Doubt
from headct.terms.urgency import Urgency
from orthanc_plugin.states import DeliveryTrouble, DocumentKind, ModelEvent, SeriesState


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times in the program, UTC in the database, which SQLite keeps without a zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: it would be shifted silently."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("time without a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return value.replace(tzinfo=UTC) if value is not None else None


class Compressed(TypeDecorator[bytes]):
    """Bytes that lie compressed in the database and come back as they were."""

    impl = LargeBinary
    cache_ok = True
    MARK = b"headct-zlib:"
    """Before what is compressed; of releases before this one, and where that is shorter, it lies as it is."""

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """A report takes a fifth, a region a hundredth of its bytes."""
        if value is None:
            return None
        small = self.MARK + zlib.compress(value)
        return small if len(small) < len(value) or value.startswith(self.MARK) else value

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """As it was."""
        if value is None or not value.startswith(self.MARK):
            return value
        return zlib.decompress(value[len(self.MARK) :])


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {  # noqa: RUF012 (the name is SQLAlchemy's)
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        bytes: LargeBinary,
        SeriesState: Enum(SeriesState, native_enum=False, length=16, values_callable=_values),
        DocumentKind: Enum(DocumentKind, native_enum=False, length=24, values_callable=_values),
        DeliveryTrouble: Enum(DeliveryTrouble, native_enum=False, length=16, values_callable=_values),
        Urgency: Enum(Urgency, native_enum=False, length=8),
        Doubt: Enum(Doubt, native_enum=False, length=16, values_callable=_values),
        Use: Enum(Use, native_enum=False, length=16, values_callable=_values),
        ModelEvent: Enum(ModelEvent, native_enum=False, length=16, values_callable=_values),
    }


def few(name: str, *columns: str, where: str, postgresql: str | None = None) -> Index:
    """An index of the few rows, of those of years, that are looked for often.

    Args:
        name: of the index.
        columns: in whose order they are looked for.
        where: which rows, as SQLAlchemy writes it for SQLite, or SQLite does not take the index.
        postgresql: the same where that has other words.
    """
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(postgresql or where))
