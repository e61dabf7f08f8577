"""Header values as they are found: absent, empty, malformed or right. Nothing here raises."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset


def text(header: Dataset, keyword: str) -> str:
    """A value as text, several joined by a backslash; empty when absent or unreadable."""
    value = _value(header, keyword)
    if value is None:
        return ""
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value).strip()
    return "\\".join(str(v).strip() for v in value)


def numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, else ``None``."""
    value = _value(header, keyword)
    if value is None or isinstance(value, bytes):
        return None
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    try:
        found = tuple(float(v) for v in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == count and all(math.isfinite(v) for v in found) else None


def number(header: Dataset, keyword: str) -> float | None:
    """One finite number, else ``None``."""
    found = numbers(header, keyword, 1)
    return None if found is None else found[0]


def items(header: Dataset, *path: str) -> Iterator[Dataset]:
    """Items of a sequence, of the sequence in each of its items, and so on; none where one is absent."""
    value = _value(header, path[0])
    for item in value if hasattr(value, "__iter__") else ():
        if isinstance(item, Dataset):
            if len(path) == 1:
                yield item
            else:
                yield from items(item, *path[1:])


def _value(header: Dataset, keyword: str) -> Any:
    try:
        return header.get(keyword)
    except Exception:  # conversion of damaged values raises errors without a common root
        return None
