"""One stack for all tests that only add studies to it; a factory for those that restart or break one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from stack_process import StackProcess

if TYPE_CHECKING:
    from playwright.sync_api import Playwright


@pytest.fixture(scope="session")
def playwright() -> "Iterator[Playwright]":
    """One for all browsers of a process: it suffers no second one beside it."""
    from playwright.sync_api import sync_playwright  # absent on Debian 13, where no browser is tried

    with sync_playwright() as running:
        yield running


def configured(local: dict[str, Any]) -> dict[str, Any]:
    """With workers of no lower priority: beside other tests and work they would hardly get anywhere."""
    return {**local, "HeadCTTriage": {"WorkerNiceness": 0, **local.get("HeadCTTriage", {})}}


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    """A running stack shared by these tests: look for your own studies, not at what else is there."""
    with StackProcess(tmp_path_factory.mktemp("stack"), configured({})) as running:
        yield running


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Callable[..., StackProcess]]:
    """Makes stacks that are not started yet and end with the test."""
    made: list[StackProcess] = []

    def make(local: dict[str, Any] | None = None, *arguments: str) -> StackProcess:
        made.append(StackProcess(tmp_path / f"stack{len(made)}", configured(local or {}), arguments))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.http.close()
