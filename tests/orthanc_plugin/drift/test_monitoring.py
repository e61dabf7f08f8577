"""What the store says of the weeks: who counts once, what stands apart, when there is an alarm."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from bundles import threshold_bundle
from sqlalchemy.orm import Session
from store_samples import judgement, open_store, seen, settings

from headct.network.reference import Reference, reference
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import BundleIdentity
from headct.terms.quantities import Quantity
from headct.terms.review import Action, Exclusion, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.drift import monitoring
from orthanc_plugin.drift.views import DriftView, QuantityView, Rate, RateView
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, queue, results, reviews, withdrawal
from orthanc_plugin.store.standing import keeping
from orthanc_plugin.store.tables import Bundle, Series, Study
from orthanc_plugin.worker.serving import Serving
from orthanc_plugin.worker.summing import sum_some

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""A Wednesday, so that no time zone moves it into another week."""
MODEL = BundleIdentity("net", "1.0", "2.25.1", "b" * 64)
SEEN_BEFORE: Reference = reference(
    [{Quantity.AGE_YEARS: 20.0 + age, Quantity.SLICE_DISTANCE_MM: 5.0} for age in range(60)]
)


@pytest.fixture
def session(session: Session) -> Session:
    """A model has been in service for long."""
    model_history.ship(session, MODEL, NOW - timedelta(weeks=30))
    monitoring.keep_reference(session, MODEL.digest, SEEN_BEFORE)
    return session


class Hospital:
    """Series that arrive and are judged, so many weeks ago."""

    def __init__(self, session: Session, options: Settings) -> None:
        self.session, self.options = session, options
        self.number = 0

    def assessed(
        self,
        weeks_ago: int = 1,
        study: str = "",
        *,
        series: str = "",
        urgency: Urgency = Urgency.GREEN,
        bundle: str = MODEL.digest,
        preliminary: bool = False,
        **inputs: float,
    ) -> str:
        claim, at = self._claim(weeks_ago, study, series)
        made = judgement(urgency, f"images {self.number}", bundle=bundle, preliminary=preliminary)
        said = replace(made.assessment, inputs={Quantity(name): value for name, value in inputs.items()})
        assert results.record_assessed(self.session, claim, replace(made, assessment=said), at, self.options)
        return claim.series_id

    def not_analysed(
        self, weeks_ago: int = 1, study: str = "", code: ReasonCode = ReasonCode.BONE_KERNEL
    ) -> str:
        claim, at = self._claim(weeks_ago, study)
        assert results.record_not_analysed(self.session, claim, Reason(code), None, at)
        return claim.series_id

    def failed(self, weeks_ago: int = 1, study: str = "") -> str:
        claim, at = self._claim(weeks_ago, study)
        series = self.session.get_one(Series, claim.series_id)
        series.attempts = 3
        broken = Reason(ReasonCode.INTERNAL_ERROR, "ValueError")
        assert queue.record_failure(self.session, claim, broken, at, self.options)
        return claim.series_id

    def reviewed(
        self, series_id: str, urgency: Urgency | None, weeks_ago: int = 1, login: str = "abe"
    ) -> None:
        at = NOW - timedelta(weeks=weeks_ago) + timedelta(hours=1)
        series = self.session.get_one(Series, series_id)
        self.session.expire(series)
        machine = series.current.urgency if series.current else None
        action = Action.CONFIRM if urgency is machine else Action.RELABEL
        reason = Exclusion.REPEAT if urgency is None else None
        self.number += 1
        reviews.record(
            self.session,
            series_id,
            Review(
                Person(login, "Abe^Jun", "Hospital"),
                at,
                Action.EXCLUDE if urgency is None else action,
                urgency,
                reason=reason,
            ),
            seen=reviews.based_on(series),
            request_id=str(self.number),
            asked=str(self.number),
            now=at,
        )

    def _claim(self, weeks_ago: int, study: str, series: str = "") -> tuple[queue.Claim, datetime]:
        self.number += 1
        name = series or f"s{self.number}"
        at = NOW - timedelta(weeks=weeks_ago)
        found = seen(name, study or f"st-{name}")
        queue.arrive(self.session, found, at - timedelta(minutes=1), self.options)
        claim = queue.claim(self.session, "w", at, self.options)
        assert claim is not None and claim.series_id == name
        return claim, at


@pytest.fixture
def hospital(session: Session, options: Settings) -> Hospital:
    return Hospital(session, options)


def seen_now(session: Session) -> DriftView:
    keeping.of(session).settle()  # as at the end of a transaction
    while sum_some(session, 100):  # as a worker does
        pass
    return monitoring.drift(session, NOW)


def last_whole_week(view: RateView) -> tuple[int, int]:
    return view.weeks[-2].count, view.weeks[-2].of


def rate(view: DriftView, which: Rate) -> RateView:
    return next(r for r in (*view.rates, *(m.relabelled for m in view.models)) if r.rate is which)


def quantity(view: DriftView, which: Quantity, model: int = 0) -> QuantityView:
    return next(q for q in view.models[model].quantities if q.quantity is which)


def test_an_empty_store_is_watched_too(session: Session) -> None:
    view = seen_now(session)
    assert len(view.weeks) == monitoring.SHOWN_WEEKS
    assert [week.week for week in view.weeks[-2:]] == ["2026-W09", "2026-W10"]
    assert [week.complete for week in view.weeks[-2:]] == [True, False]
    assert view.alarms == ()
    assert rate(view, Rate.FAILED).weeks[-1].of == 0
    assert [m.name for m in view.models] == ["net"]


def test_a_case_counts_once_in_its_week(session: Session, hospital: Hospital) -> None:
    hospital.assessed(1, "a", age_years=50)
    hospital.not_analysed(1, "a")
    hospital.not_analysed(1, "b")
    hospital.failed(1, "c")
    hospital.assessed(1, "c", age_years=60)
    hospital.assessed(0, "d", age_years=70)
    view = seen_now(session)
    assert [(w.cases, w.series) for w in view.weeks[-2:]] == [(3, 5), (1, 1)]
    assert last_whole_week(rate(view, Rate.NOT_ANALYSED)) == (1, 3)
    assert last_whole_week(rate(view, Rate.FAILED)) == (1, 3)
    assert quantity(view, Quantity.AGE_YEARS).weeks[-2].counts == (0, 0, 0, 2, 0, 0)
    assert quantity(view, Quantity.AGE_YEARS).weeks[-1].counts == (0, 0, 0, 0, 1, 0)


def test_of_a_case_the_series_judged_first_counts(session: Session, hospital: Hospital) -> None:
    hospital.assessed(1, "a", slice_distance_mm=5)
    hospital.assessed(1, "a", slice_distance_mm=1)
    assert sum(quantity(seen_now(session), Quantity.SLICE_DISTANCE_MM).weeks[-2].counts) == 1
    assert quantity(seen_now(session), Quantity.SLICE_DISTANCE_MM).weeks[-2].counts[3] == 1


def test_what_was_judged_again_counts_as_it_is_now(session: Session, hospital: Hospital) -> None:
    hospital.assessed(2, "a", series="x", slices=20)
    hospital.assessed(1, "a", series="x", slices=30)
    view = quantity(seen_now(session), Quantity.SLICES)
    assert view.weeks[-3].counts == (0,) * 6
    assert view.weeks[-2].counts == (0, 1, 0, 0, 0, 0)


def test_a_result_from_before_inputs_were_kept_has_its_score(session: Session, hospital: Hospital) -> None:
    hospital.assessed(1)
    view = seen_now(session)
    assert sum(quantity(view, Quantity.HAEMORRHAGE_PROBABILITY).weeks[-2].counts) == 1
    assert sum(quantity(view, Quantity.AGE_YEARS).weeks[-2].counts) == 0


def test_what_stands_apart(session: Session, hospital: Hospital) -> None:
    old = hospital.assessed(1, "old", age_years=50)
    hospital.reviewed(old, Urgency.RED)
    session.get_one(Study, "old").earlier = True
    hospital.not_analysed(1, "mr", ReasonCode.NOT_CT)
    hospital.assessed(1, "part", age_years=50, preliminary=True)
    view = seen_now(session)
    assert view.weeks[-2].cases == 0
    assert last_whole_week(rate(view, Rate.RELABELLED)) == (0, 0)
    assert sum(quantity(view, Quantity.AGE_YEARS).weeks[-2].counts) == 0


def test_a_deleted_study_still_counts_and_a_corrected_patient_once(
    session: Session, hospital: Hospital
) -> None:
    withdrawal.withdraw(session, hospital.assessed(1, age_years=50), NOW)
    moved = hospital.assessed(1, age_years=50)
    withdrawal.withdraw(session, moved, NOW, superseded_by="elsewhere")
    view = seen_now(session)
    assert view.weeks[-2].cases == 1
    assert sum(quantity(view, Quantity.AGE_YEARS).weeks[-2].counts) == 1


def test_relabelled_of_reviewed(session: Session, hospital: Hospital) -> None:
    hospital.reviewed(hospital.assessed(1, urgency=Urgency.GREEN), Urgency.GREEN)
    hospital.reviewed(hospital.assessed(1, urgency=Urgency.GREEN), Urgency.RED)
    hospital.reviewed(hospital.assessed(1, urgency=Urgency.RED), None)
    two = hospital.assessed(1, "two", urgency=Urgency.RED)
    hospital.reviewed(two, Urgency.YELLOW)
    hospital.reviewed(hospital.assessed(1, "two", urgency=Urgency.RED), Urgency.RED)
    hospital.assessed(1)
    assert last_whole_week(rate(seen_now(session), Rate.RELABELLED)) == (2, 3)


def test_a_later_word_replaces_an_earlier_one(session: Session, hospital: Hospital) -> None:
    series = hospital.assessed(2, urgency=Urgency.GREEN)
    hospital.reviewed(series, Urgency.RED, weeks_ago=2)
    hospital.reviewed(series, Urgency.GREEN, weeks_ago=1)
    view = rate(seen_now(session), Rate.RELABELLED)
    assert (view.weeks[-3].of, view.weeks[-2].count, view.weeks[-2].of) == (0, 0, 1)


def test_two_models_are_watched_apart(session: Session, hospital: Hospital) -> None:
    other = BundleIdentity("net", "2.0", "2.25.2", "c" * 64)
    hospital.assessed(2, age_years=50)
    model_history.activate(session, other, actor="abe", reason="", seen=None, now=NOW - timedelta(weeks=2))
    hospital.assessed(1, age_years=50, bundle=other.digest)
    hospital.assessed(1, age_years=50, bundle=other.digest)
    view = seen_now(session)
    assert [(m.version, m.in_service) for m in view.models] == [("2.0", True), ("1.0", False)]
    new, old = (quantity(view, Quantity.AGE_YEARS, number) for number in (0, 1))
    assert (sum(new.weeks[-2].counts), sum(old.weeks[-3].counts)) == (2, 1)
    assert new.reference is None and old.reference is not None
    assert sum(old.weeks[-2].counts) == 0


def test_alarms_speak_of_the_last_whole_week(session: Session, hospital: Hospital) -> None:
    for week in (5, 4, 3, 2):
        for number in range(10):
            hospital.assessed(week, age_years=20 + 6 * number, slice_distance_mm=5)
    assert seen_now(session).alarms == ()
    for number in range(30):
        hospital.assessed(1, age_years=20 + 2 * number, slice_distance_mm=0.6)
    for _ in range(10):
        hospital.failed(1)
    view = seen_now(session)
    assert {alarm.figure for alarm in view.alarms} == {"slice_distance_mm", "failed"}
    words = [alarm.sentence.en for alarm in view.alarms]
    assert words[0] == "Failed: 10 of 40 cases of 2026-W09, 25%; 0.0% before."
    assert words[1].startswith(
        "Distance of slices (mm): the 30 cases of 2026-W09 are unlike those that net-1.0"
    )
    shown = quantity(view, Quantity.SLICE_DISTANCE_MM).weeks
    assert shown[-2].alarm and not shown[-1].alarm
    assert shown[-2].since == "2026-W09"
    assert {alarm.began for alarm in view.alarms} == {date(2026, 2, 23)}
    # Of ten a week three weeks are looked at together.
    assert [week.since for week in shown[-5:-2]] == [None, "2026-W05", "2026-W06"]


def test_an_alarm_began_with_the_first_week_since_which_it_stands(
    session: Session, hospital: Hospital
) -> None:
    thin = {7: 0.6, 6: 5.0, 5: 0.6, 3: 0.6, 1: 0.6}  # weeks without a case say nothing
    for week, distance in thin.items():
        for _ in range(30):
            hospital.assessed(week, slice_distance_mm=distance)
    (alarm,) = seen_now(session).alarms
    assert alarm.began == date(2026, 1, 26)


def test_the_week_that_runs_gives_no_alarm(session: Session, hospital: Hospital) -> None:
    for _ in range(31):
        hospital.assessed(0, slice_distance_mm=0.6)
    view = seen_now(session)
    assert view.alarms == ()
    assert quantity(view, Quantity.SLICE_DISTANCE_MM).weeks[-1].index is None


def test_a_bundle_s_reference_is_kept_once(session: Session, tmp_path: Path) -> None:
    other = reference([{Quantity.AGE_YEARS: 1.0}])
    monitoring.keep_reference(session, MODEL.digest, other)
    row = session.get_one(Bundle, MODEL.digest)
    assert row.reference is not None and Reference.from_json(row.reference) == SEEN_BEFORE
    monitoring.keep_reference(session, "unknown", other)
    bundle = threshold_bundle(tmp_path / "threshold-1.0", reference=other)
    model_history.activate(session, bundle.identity, actor="abe", reason="", seen=None, now=NOW)
    monitoring.keep_reference(session, bundle.digest, None)
    monitoring.keep_reference(session, bundle.digest, bundle.contents.reference)
    kept = session.get_one(Bundle, bundle.digest).reference
    assert kept is not None and Reference.from_json(kept) == other


def test_a_worker_keeps_the_reference_of_what_it_loads(tmp_path: Path) -> None:
    known = reference([{Quantity.AGE_YEARS: 1.0}])
    bundle = threshold_bundle(tmp_path / "threshold-1.0", reference=known)
    database = open_store(tmp_path)
    Serving("host/1", database, settings(tmp_path, bundle=bundle.folder))
    with database.reading() as session:
        view = monitoring.drift(session, NOW)
    database.close()
    assert [(m.name, m.in_service) for m in view.models] == [("threshold", True)]
    assert quantity(view, Quantity.AGE_YEARS).reference == (1, 0, 0, 0, 0, 0)
    assert quantity(view, Quantity.SLICES).reference is None


def test_nothing_of_a_patient_is_in_it(session: Session, hospital: Hospital) -> None:
    hospital.reviewed(hospital.assessed(1, "st-secret", age_years=50), Urgency.RED)
    text = seen_now(session).model_dump_json()
    for secret in ("Yamada", "P1", "20260301", "st-secret", "1.3.", "Abe"):
        assert secret not in text
