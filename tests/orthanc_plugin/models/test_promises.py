"""What is promised of models on this machine: where it is found, and what takes it back."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from model_samples import options, own_model, promised

from headct.network.bundle import Bundle
from headct.network.promise import beside
from orthanc_plugin.answer import Words
from orthanc_plugin.drift.views import AlarmView
from orthanc_plugin.models import folders, promises
from orthanc_plugin.models.views import PromiseView
from orthanc_plugin.settings import Settings

MONDAY = date(2026, 3, 2)
"""Of the week in which the last of the promise's cases came."""


def alarm(began: date, model: str | None = "threshold-1.0") -> AlarmView:
    words = Words(en="Slices are thin.", ja="スライスが薄い。")
    return AlarmView(figure="slice_distance_mm", model=model, sentence=words, began=began)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return options(tmp_path)


@pytest.fixture
def bundle(settings: Settings) -> Bundle:
    return own_model(settings, "1.0")


def found(settings: Settings, *alarms: AlarmView) -> dict[str, PromiseView | Words]:
    return promises.of_offers(folders.offers(settings), settings, lambda: alarms)


def test_it_lies_beside_the_model(settings: Settings, bundle: Bundle) -> None:
    promised(bundle).write(beside(bundle.folder))
    (view,) = found(settings).values()
    assert isinstance(view, PromiseView)
    assert (view.greens.of, view.greens.most, view.alerts.wrong, view.cases) == (59, 0.0495, 3, 71)
    assert view.sentences[0].en == "Of sure GREENs at most 5.0 % bleed: 0 of 59 did."
    assert {offer.name for offer in folders.offers(settings) if offer.bundle} >= {"threshold-1.0"}


def test_of_a_model_that_ships_it_lies_with_the_hospitals_own(settings: Settings) -> None:
    shipped = next(offer for offer in folders.offers(settings) if offer.shipped)
    assert shipped.bundle is not None
    promised(shipped.bundle).write(beside(shipped.folder, settings.models_folder))
    assert set(found(settings)) == {shipped.bundle.digest}


def test_where_nothing_is_promised_nobody_asks_for_alarms(settings: Settings, bundle: Bundle) -> None:
    def never() -> Sequence[AlarmView]:
        raise AssertionError

    assert promises.of_offers(folders.offers(settings), settings, never) == {}


def test_of_another_model_or_damaged_it_is_said_so(settings: Settings, bundle: Bundle) -> None:
    path = beside(bundle.folder)
    promised(bundle, digest="e" * 64).write(path)
    assert found(settings) == {
        bundle.digest: Words(
            en="threshold-1.0.promise.json is of another model.",
            ja="threshold-1.0.promise.json は別のモデルのものです。",
        )
    }
    path.write_text("{")
    (why,) = found(settings).values()
    assert isinstance(why, Words) and "cannot be read as a promise" in why.en


@pytest.mark.parametrize(
    ("alarms", "stands"),
    [
        ([], True),
        ([alarm(MONDAY - timedelta(weeks=1))], True),  # its own cases were such
        ([alarm(MONDAY)], False),  # given at the end of that week, when its last case had come
        ([alarm(MONDAY + timedelta(weeks=9))], False),
        ([alarm(MONDAY - timedelta(weeks=1)), alarm(MONDAY)], False),
        ([alarm(MONDAY, model=None)], False),
        ([alarm(MONDAY, model="threshold-2.0")], True),
    ],
)
def test_an_alarm_that_came_later_withdraws_it(
    settings: Settings, bundle: Bundle, alarms: Sequence[AlarmView], stands: bool
) -> None:
    promised(bundle).write(beside(bundle.folder))
    (said,) = found(settings, *alarms).values()
    assert isinstance(said, PromiseView) is stands
    if isinstance(said, Words):
        assert said.en == (
            "Withdrawn: cases changed after those that the promise of 2026-03-06 rests on. Slices are thin."
        )
        assert said.ja.endswith("スライスが薄い。")
