"""What a failure leaves in the log names types and our own lines, and nobody."""

import io
import logging
import sys
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from headct import safe_log
from headct.errors import BundleError
from headct.network.bundle import load_bundle
from headct.terms.review import Review

NAME = "Yamada^Tarou"


def failed() -> Exception:
    """An error of a library under a line of ours, whose message names a patient."""
    try:
        Review.from_json({NAME: 1})
    except KeyError as error:
        error.add_note(NAME)
        return error
    raise AssertionError


def test_type_and_own_lines_the_innermost_first() -> None:
    said = safe_log.failure(failed())
    assert said.startswith("KeyError at headct/terms/review.py:")
    assert "test_safe_log" not in said
    assert NAME not in said


def test_said_too_where_the_working_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of the program may take it away; frames of `<string>` have no folder of their own."""
    code = compile("raise KeyError(0)", "<string>", "exec")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(KeyError) as caught:
        exec(code)
    assert safe_log.failure(caught.value).startswith("KeyError")


class Equal(Exception):
    """Says of everything that it is the same, or fails over it."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


def test_errors_are_not_compared() -> None:
    first = Equal()
    first.__cause__ = Equal()
    assert safe_log.failure(first) == "Equal, from Equal"


def raise_from_none() -> None:
    try:
        raise_from_another()
    except ValueError:
        raise BundleError(NAME) from None


def raise_from_another() -> None:
    raise ValueError(NAME) from failed()


def test_causes_too_even_those_hidden_from_readers() -> None:
    with pytest.raises(BundleError) as caught:
        raise_from_none()
    said = safe_log.failure(caught.value)
    assert said.startswith("BundleError, from ValueError, from KeyError at headct/terms/review.py:")
    assert NAME not in said


def test_what_happens_in_a_library_is_told_by_our_line_that_called_it(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(BundleError) as caught:
        load_bundle(tmp_path)
    assert "headct/network/bundle.py:" in safe_log.failure(caught.value)
    assert str(tmp_path) not in safe_log.failure(caught.value)


def test_one_in_no_file_of_ours_and_one_that_was_never_raised() -> None:
    with pytest.raises(AttributeError) as caught:
        Dataset().PatientName  # noqa: B018
    assert safe_log.failure(caught.value) == "AttributeError"
    assert safe_log.failure(KeyError(NAME)) == "KeyError"


def test_causes_in_a_circle_end() -> None:
    first, second = ValueError(NAME), KeyError(NAME)
    first.__cause__, second.__cause__ = second, first
    assert safe_log.failure(first) == "ValueError, from KeyError"


def test_a_level_is_of_our_own_packages_alone() -> None:
    levels = {name: logging.getLogger(name).level for name in ("headct", "orthanc_plugin", "model_training")}
    root = logging.getLogger().level
    try:
        safe_log.set_level("debug")
        assert logging.getLogger("orthanc_plugin.worker.loop").isEnabledFor(logging.DEBUG)
        assert (logging.getLogger().level, logging.getLogger("pydicom.dataset").level) == (root, 0)
        safe_log.set_level("error")
        assert not logging.getLogger("headct.pipeline").isEnabledFor(logging.WARNING)
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def test_a_log_with_this_formatter_says_no_more() -> None:
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(safe_log.Formatter("%(name)s: %(message)s"))
    log = logging.Logger("a_library")
    log.addHandler(logging.StreamHandler(io.StringIO()))  # keeps the traceback in the record
    log.addHandler(handler)
    try:
        raise failed()
    except KeyError:
        log.exception("it failed", stack_info=True)
        log.warning("so it did", exc_info=sys.exc_info())
    log.warning("nothing did", exc_info=(None, None, None))
    assert lines.getvalue().count("KeyError at headct/terms/review.py:") == 2
    assert NAME not in lines.getvalue()
