"""Free disk, and what is deleted for it."""

from datetime import timedelta
from pathlib import Path

from store_samples import judgement, open_store, seen, settings

from headct.terms.urgency import Urgency
from orthanc_plugin.housekeeping import disk
from orthanc_plugin.store import queue, results, withdrawal


def test_low_is_a_matter_of_the_option(tmp_path: Path) -> None:
    free = disk.free_bytes(settings(tmp_path)) / 2**30
    assert not disk.is_low(settings(tmp_path, minimum_free_gigabytes=max(0.1, free / 2)))
    assert disk.is_low(settings(tmp_path, minimum_free_gigabytes=2 * free + 1))


def test_previews_go_with_their_series_and_alerts_stay(tmp_path: Path) -> None:
    options = settings(tmp_path, retention_days=30)
    database = open_store(tmp_path)
    now = queue.utcnow()
    old = now - timedelta(days=300)
    cases = {
        "old-green": Urgency.GREEN,
        "old-red": Urgency.RED,
        "new-green": Urgency.GREEN,
        "gone": Urgency.RED,
    }
    for name, urgency in cases.items():
        arrived = now if name == "new-green" else old
        with database.writing() as session:
            queue.arrive(session, seen(name), arrived, options)
            claim = queue.claim(session, "w", now + timedelta(minutes=1), options)
            assert claim is not None
            results.record_assessed(session, claim, judgement(urgency, series=name), now, options)
        (options.previews_folder / name).mkdir(parents=True)
    with database.writing() as session:
        withdrawal.withdraw(session, "gone", now)
    assert disk.remove_old_previews(database, options) == 2
    assert {p.name for p in options.previews_folder.iterdir()} == {"old-red", "new-green"}
    assert disk.remove_old_previews(database, settings(tmp_path)) == 0
    database.close()
