"""What is told to the audit from anywhere: bounded, counted, never in anybody's way."""

import ast
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.audit import notes as module
from orthanc_plugin.audit.notes import MINUTE, MOST_KEPT, MOST_KINDS, MOST_WHO, OTHERS, Notes


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Notes, Watch]:
    watch = Watch()
    return Notes(watch), watch


def test_the_first_is_to_be_written_at_once_and_the_rest_of_its_minute_as_a_number() -> None:
    notes, watch = made()
    for _ in range(5):
        notes.note("login_refused", actor="sato", address="192.0.2.7")
    assert [(n.event, n.actor, n.address, n.count) for n in notes.take()] == [
        ("login_refused", "sato", "192.0.2.7", 1)
    ]
    assert notes.take() == []
    watch.now += MINUTE
    assert [n.count for n in notes.take()] == [4]
    notes.note("login_refused", actor="sato", address="192.0.2.7")
    assert [n.count for n in notes.take()] == [1]


def test_a_flood_from_everywhere_takes_no_more_than_some_places_and_is_counted_all_the_same() -> None:
    notes, watch = made()
    told = 0
    for _minute in range(3):
        for number in range(20_000):
            notes.note("login_refused", actor=f"somebody{number}", address=f"2001:db8::{number:x}")
            told += 1
        watch.now += MINUTE
    found = notes.take()
    assert len(found) <= 3 * (MOST_KINDS + MOST_WHO + 1)
    assert sum(note.count for note in found) == told
    assert [n.count for n in found if n.address == OTHERS] == [20_000 - MOST_KINDS - MOST_WHO] * 3


def test_behind_one_who_does_much_another_is_not_hidden() -> None:
    notes, watch = made()
    for who in ("mori", "sato"):
        for number in range(3 * MOST_KINDS):
            notes.note("route_refused", actor=who, address="192.0.2.7", route=f"/{number}")
    watch.now += MINUTE
    found = notes.take()
    assert {note.actor for note in found} == {"mori", "sato"}
    assert sum(note.count for note in found) == 6 * MOST_KINDS


def test_what_somebody_else_counted_is_added_up() -> None:
    notes, watch = made()
    for times in (7, 1, 30):
        notes.note("login_refused", address="192.0.2.7", times=times)
    watch.now += MINUTE
    assert [note.count for note in notes.take()] == [7, 31]


def test_what_a_flood_hides_in_is_another_event() -> None:
    notes, watch = made()
    for number in range(1000):
        notes.note("login_refused", address=f"192.0.2.{number}")
    notes.note("route_refused", actor="sato", route="/tools/shutdown")
    watch.now += MINUTE
    assert {note.event for note in notes.take()} == {"login_refused", "route_refused"}


def test_while_nothing_can_be_written_memory_does_not_grow_and_what_was_lost_is_told() -> None:
    notes, watch = made()
    for number in range(3 * MOST_KEPT):
        notes.note("route_refused", route=f"/{number}")
        watch.now += MINUTE
    found = notes.take()
    assert len(found) == MOST_KEPT + 1
    assert found[0].detail == (("route", "/0"),), "how it began is kept"
    assert (found[-1].event, found[-1].count) == ("notes_lost", 2 * MOST_KEPT)
    notes.give_back(found)
    assert len(notes.take()) <= MOST_KEPT + 1


def test_at_the_end_nothing_waits_for_its_minute() -> None:
    notes, _watch = made()
    for _ in range(3):
        notes.note("route_refused", route="/tools/shutdown")
    assert [note.count for note in notes.finish()] == [1, 2]


@given(
    event=st.text(),
    actor=st.one_of(st.text(st.characters(codec=None)), st.none()),
    address=st.text(st.characters(codec=None), max_size=1000),
    route=st.one_of(st.text(), st.integers(), st.binary()),
)
def test_whatever_is_told_nobody_is_kept_from_refusing(
    event: str, actor: str, address: str, route: str
) -> None:
    notes, _watch = made()
    notes.note(event, actor=actor, address=address, route=route)
    for note in notes.take():
        for text in (note.actor, note.address, *(said for _, said in note.detail if isinstance(said, str))):
            text.encode()
            assert text.isprintable()
            assert len(text) <= 200


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    wanted = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert wanted <= sys.stdlib_module_names
