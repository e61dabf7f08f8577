"""Orthanc's change log to the store, against an Orthanc that is a dictionary."""

from collections.abc import Iterable
from typing import Any

import pytest
from orthanc_listing import CAPTURE, CT, MR, SR, STATE, Listing
from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.intake.arrivals import CHANGES, PAGE, Arrivals
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import imports, positions, queue, withdrawal
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Seen
from orthanc_plugin.store.tables import Series, Study


def known(database: Database) -> dict[str, tuple[SeriesState, int]]:
    with database.reading() as session:
        return {s.id: (s.state, s.instance_count) for s in session.scalars(select(Series))}


def test_images_become_a_series(listing: Listing, database: Database, arrivals: Arrivals) -> None:
    for number in range(5):
        listing.image("a", number)
    arrivals.step()
    assert known(database) == {"a": (SeriesState.ARRIVING, 5)}
    with database.reading() as session:
        assert positions.position(session, CHANGES) == listing.changes[-1]["Seq"]


def test_a_burst_costs_few_calls(listing: Listing, arrivals: Arrivals) -> None:
    for number in range(150):
        listing.image("a", number)
    arrivals.read_changes()
    assert len(listing.calls) <= 5


def test_later_images_count_as_an_arrival(listing: Listing, database: Database, arrivals: Arrivals) -> None:
    listing.image("a", 0)
    arrivals.step()
    listing.image("a", 1)
    arrivals.step()
    assert known(database) == {"a": (SeriesState.ARRIVING, 2)}
    with database.reading() as session:
        assert session.get_one(Series, "a").generation == 2


def test_nothing_new_changes_nothing(listing: Listing, database: Database, arrivals: Arrivals) -> None:
    listing.image("a", 0)
    for _ in range(3):
        arrivals.step()
    arrivals.sweep()
    with database.reading() as session:
        assert session.get_one(Series, "a").generation == 1


@pytest.mark.parametrize("modality", ["SR", "KO", "PR", "SEG"])
def test_what_has_no_images_is_not_recorded(
    listing: Listing, database: Database, arrivals: Arrivals, modality: str
) -> None:
    listing.image("ours", 0, modality)
    arrivals.step()
    assert known(database) == {}


@pytest.mark.parametrize(
    ("modality", "stored", "judged_as"),
    [
        ("SR", [SR, CT, CT, CT], "CT"),
        ("PR", [STATE, CT, CT, STATE], "CT"),
        ("SR", [SR, STATE, CT, SR], "CT"),
        ("CT", [CT, CT, STATE], "CT"),
        ("OT", [CAPTURE, CT, CT], "CT"),
        ("OT", [CAPTURE, CT, STATE], "OT"),
        ("SR", [SR, CAPTURE], ""),
        ("MR", [MR, MR], "MR"),
        ("CT", [CAPTURE, CAPTURE], "CT"),
        ("SR", [SR, SR, SR], None),
        ("CT", [STATE, SR], None),
    ],
)
def test_a_series_is_what_its_images_are_whatever_came_first(
    listing: Listing,
    database: Database,
    arrivals: Arrivals,
    modality: str,
    stored: list[str],
    judged_as: str | None,
) -> None:
    for number, sop_class in enumerate(stored):
        listing.image("a", number, modality, sop_class)
        arrivals.step()
    arrivals.sweep()
    with database.reading() as session:
        row = session.get(Series, "a")
        assert (None if row is None else row.modality) == judged_as


def test_reports_alone_are_asked_once_and_images_behind_them_found(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for number in range(30):
        listing.image("a", number, "SR", SR)
    listing.image("single", 0, "SR", SR)
    listing.changes.clear()
    arrivals.sweep()
    assert len([path for path in listing.calls if path.startswith("/instances")]) == 30
    listing.calls.clear()
    arrivals.sweep()
    assert not [path for path in listing.calls if path.startswith("/instances")]
    for number in range(30, 61):
        listing.image("a", number, "SR", CT)
    arrivals.sweep()
    assert known(database) == {"a": (SeriesState.ARRIVING, 61)}


def test_a_series_is_withdrawn_when_its_images_are_deleted_and_a_report_stays(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for number, sop_class in enumerate([SR, CT, CT, SR]):
        listing.image("a", number, "SR", sop_class)
    arrivals.step()
    del listing.series["a"]["Instances"][1:3]
    arrivals.sweep()
    assert known(database)["a"][0] is SeriesState.WITHDRAWN
    arrivals.sweep()
    assert known(database)["a"][0] is SeriesState.WITHDRAWN
    listing.image("a", 4, "SR", CT)
    arrivals.step()
    assert known(database)["a"] == (SeriesState.ARRIVING, 3)


@pytest.mark.parametrize("modality", ["MR", "", "OT"])
def test_other_images_are(listing: Listing, database: Database, arrivals: Arrivals, modality: str) -> None:
    listing.image("other", 0, modality)
    arrivals.step()
    assert list(known(database)) == ["other"]


def test_the_sweep_finds_what_the_log_no_longer_says(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for number in range(2 * PAGE + 3):
        listing.image(f"s{number}", 0)
    listing.changes.clear()
    arrivals.step()
    assert len(known(database)) == 2 * PAGE + 3


def test_what_comes_during_a_sweep_does_not_wait_for_its_end(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3 * PAGE):
        listing.image(f"s{number:03}", 0)
    arrivals.read_changes()
    noticed: list[bool] = []

    def get(path: str) -> Any:
        if path.startswith("/series?since="):
            noticed.append("urgent" in known(database))
            if len(noticed) == 1:
                listing.image("urgent", 0)
        return listing.get(path)

    monkeypatch.setattr(arrivals, "_get", get)
    monkeypatch.setattr("orthanc_plugin.intake.arrivals.PAUSE_SECONDS", 0.0)
    arrivals.sweep()
    assert noticed[:3] == [False, True, True]


def test_the_sweep_notices_another_number_of_images(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    listing.image("a", 0)
    listing.image("a", 1)
    arrivals.step()
    listing.series["a"]["Instances"].pop()
    arrivals.sweep()
    assert known(database) == {"a": (SeriesState.ARRIVING, 1)}


def test_a_deleted_series_is_withdrawn(listing: Listing, database: Database, arrivals: Arrivals) -> None:
    listing.image("a", 0)
    arrivals.step()
    listing.delete("a")
    arrivals.deleted("a")
    arrivals.step()
    assert known(database)["a"][0] is SeriesState.WITHDRAWN


def test_a_deletion_is_not_forgotten_when_the_store_fails(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing.image("a", 0)
    listing.image("newer", 0)
    arrivals.step()
    listing.delete("a")
    arrivals.deleted("a")
    with monkeypatch.context() as broken:
        broken.setattr(withdrawal, "withdraw", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            arrivals.step()
    arrivals.step()
    assert known(database)["a"][0] is SeriesState.WITHDRAWN


def test_an_image_deleted_during_a_sweep_is_noticed(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthanc_plugin.intake.arrivals.DELETED_SECONDS", 0.0)
    listing.image("a", 0)
    listing.image("a", 1)
    arrivals.read_changes()

    def swept_then_deleted() -> None:
        Arrivals.sweep(arrivals)
        if len(listing.series["a"]["Instances"]) == 2:
            arrivals.image_deleted(listing.series["a"]["Instances"].pop())

    monkeypatch.setattr(arrivals, "sweep", swept_then_deleted)
    arrivals.step()
    arrivals.step()
    assert known(database) == {"a": (SeriesState.ARRIVING, 1)}


def test_a_sweep_that_fails_is_done_again(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing.image("a", 0)
    listing.changes.clear()
    with monkeypatch.context() as broken:
        broken.setattr(queue, "arrive", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            arrivals.step()
    arrivals.step()
    assert list(known(database)) == ["a"]


def test_a_deletion_that_was_not_heard_of_is_found(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    listing.image("a", 0)
    arrivals.step()
    listing.delete("a")
    arrivals.sweep()
    assert known(database)["a"][0] is SeriesState.WITHDRAWN


def test_deleted_and_sent_again_it_arrives(listing: Listing, database: Database, arrivals: Arrivals) -> None:
    listing.image("a", 0)
    arrivals.step()
    arrivals.deleted("a")  # heard late: it is there again
    arrivals.step()
    assert known(database)["a"][0] is SeriesState.ARRIVING


def test_an_index_made_anew_is_noticed(listing: Listing, database: Database, arrivals: Arrivals) -> None:
    for number in range(5):
        listing.image("old", number)
    arrivals.step()
    listing.made_anew()
    listing.image("new", 0)
    arrivals.step()
    states = known(database)
    assert states["new"] == (SeriesState.ARRIVING, 1)
    assert states["old"][0] is SeriesState.WITHDRAWN
    listing.image("newer", 0)
    arrivals.step()
    assert known(database)["newer"] == (SeriesState.ARRIVING, 1)


def test_deleting_the_newest_has_nothing_else_judged_again(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for series in ("kept", "deleted"):
        listing.image(series, 0)
    arrivals.step()
    listing.delete("deleted")
    arrivals.deleted("deleted")
    for _ in range(3):
        arrivals.step()
    with database.reading() as session:
        assert session.get_one(Series, "kept").generation == 1
    assert known(database)["deleted"][0] is SeriesState.WITHDRAWN
    listing.image("kept", 1)
    arrivals.step()
    assert known(database)["kept"] == (SeriesState.ARRIVING, 2)


def test_a_transaction_that_fails_leaves_the_position(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing.image("a", 0)
    with monkeypatch.context() as broken:
        broken.setattr(positions, "set_position", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            arrivals.read_changes()
    assert known(database) == {}
    arrivals.step()
    assert list(known(database)) == ["a"]


def test_where_the_log_cannot_be_read_on_the_sweep_sees_what_is_new(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "set_position", lambda *_: 1 / 0)
    for series in ("a", "b"):
        listing.image(series, 0)
        arrivals.rounds.once()
        assert str(arrivals.trouble) == "ZeroDivisionError", "and says so"
        assert series in known(database)


def test_a_series_that_cannot_be_taken_keeps_no_other_away(
    listing: Listing, database: Database, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive = queue.arrive

    def poisoned(session: Session, seen: Seen, *rest: Any) -> Series:
        if seen.series_id == "b":
            raise KeyError("b")
        return arrive(session, seen, *rest)

    monkeypatch.setattr(queue, "arrive", poisoned)
    for series in ("a", "b", "c"):
        listing.image(series, 0)
    arrivals.rounds.once()
    assert list(known(database)) == ["a", "c"]
    monkeypatch.undo()
    arrivals.rounds.once()
    assert sorted(known(database)) == ["a", "b", "c"]
    assert arrivals.trouble is None


def test_a_colour_changed_by_others_is_compared(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    listing.image("a", 0)
    arrivals.step()
    for identifier in ("a", "study-of-a", "unknown"):
        listing.log("UpdatedMetadata", identifier)
        arrivals.step()
    with database.reading() as session:
        row = session.get_one(Series, "a")
    assert (row.publish_wanted, row.generation) == (2, 1)


@pytest.mark.parametrize(
    ("by_rest", "told"), [(range(4), True), (range(3), False), (range(1, 4), False), ((), False)]
)
def test_uploads_are_told_from_what_a_scanner_sent(
    listing: Listing, database: Database, arrivals: Arrivals, by_rest: Iterable[int], told: bool
) -> None:
    with database.writing() as session:
        imports.announce(session, ["1.3.study-of-a"], new=False, actor="clerk", now=queue.utcnow())
    for number in range(4):
        listing.image("a", number)
    listing.uploaded = {f"a-{number}" for number in by_rest}
    arrivals.step()
    with database.reading() as session:
        assert session.get_one(Study, "study-of-a").earlier == told
