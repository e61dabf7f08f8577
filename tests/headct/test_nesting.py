"""What is nested too deeply is known before any parser sees it."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies

from headct.nesting import MAX_DEPTH, MAX_SIGNS, nested_too_deeply

ANY_JSON = strategies.recursive(
    strategies.none() | strategies.integers() | strategies.text('[]{}"\\ab', max_size=12),
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3)
    ),
    max_leaves=20,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(ANY_JSON, strategies.integers(0, 2 * MAX_DEPTH), strategies.booleans())
def test_depth_is_what_counts_and_strings_do_not(value: Any, more: int, ascii_only: bool) -> None:
    for _ in range(more):
        value = [value] if more % 2 else {'"[{\\': value}
    assert nested_too_deeply(json.dumps(value, ensure_ascii=ascii_only).encode()) == (
        depth(value) > MAX_DEPTH
    )


@given(strategies.binary())
def test_any_bytes_are_looked_at(body: bytes) -> None:
    assert nested_too_deeply(b"[" * (MAX_DEPTH + 1) + body)
    nested_too_deeply(body)


@pytest.mark.parametrize("sign", [b"[", b"]", b"{}", b'"', b'"["'])
def test_too_many_signs_are_not_looked_at(sign: bytes) -> None:
    assert nested_too_deeply(sign * (MAX_SIGNS + 1))
