"""Which cases are in the labelling queue, why, in which order; and that the worklist does not notice."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from drift_samples import BUNDLE, NOW, TRAINED_ON, queued, said, series, study
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from store_samples import after, judgement, open_store, seen, settings
from worklist_samples import in_order

from headct.network.reference import Histogram, Reference, reference
from headct.terms.assessment import BundleIdentity
from headct.terms.quantities import Quantity
from headct.terms.urgency import Urgency
from orthanc_plugin.cases.study import StudyRecord
from orthanc_plugin.drift import monitoring
from orthanc_plugin.labelling_queue.ranking import labelling_queue, references, shadows
from orthanc_plugin.labelling_queue.reasons import RARE, UNDECIDED, entropy, further_out
from orthanc_plugin.labelling_queue.views import LabellingQueueView, LabellingRow, Lesson
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import model_history, queue, results
from orthanc_plugin.store.tables import Assessment, ShadowAssessment

G, Y, R, B = Urgency
CERTAIN = said(G)


def of(
    *studies: StudyRecord,
    in_shadow: dict[str, Urgency] | None = None,
    trained_on: dict[str, Reference] | None = None,
) -> LabellingQueueView:
    return labelling_queue(studies, in_shadow or {}, trained_on or {}, NOW)


def only(view: LabellingQueueView) -> LabellingRow:
    assert len(view.rows) == 1
    return view.rows[0]


def names(view: LabellingQueueView) -> list[str]:
    return [row.study_id for row in view.rows]


# --- why ----------------------------------------------------------------------------------------------


def test_a_certain_case_teaches_nothing() -> None:
    assert of(study("a", series("s", CERTAIN))).rows == ()


@pytest.mark.parametrize(
    ("bleed", "alert", "weight", "words"),
    [
        (0.5, 0.01, 1.0, "The model is undecided: probability of haemorrhage 0.50."),
        (0.01, 0.5, 1.0, "The model is undecided: probability of an alert 0.50."),
        (0.25, 0.01, 0.811, "The model is undecided: probability of haemorrhage 0.25."),
    ],
)
def test_undecided(bleed: float, alert: float, weight: float, words: str) -> None:
    lesson = only(of(study("a", series("s", said(G, bleed, alert))))).lessons[0]
    assert (lesson.kind, lesson.sentence.en) == (Lesson.UNCERTAINTY, words)
    assert lesson.weight == pytest.approx(weight, abs=1e-3)


@given(st.floats(0, 1))
def test_entropy(probability: float) -> None:
    assert 0 <= entropy(probability) <= 1
    assert entropy(probability) == pytest.approx(entropy(1 - probability), abs=1e-9)
    listed_for_it = of(study("a", series("s", said(G, probability, 0.0)))).rows
    assert bool(listed_for_it) == (entropy(probability) >= UNDECIDED)


def test_one_reader_against_the_model() -> None:
    row = only(of(study("a", series("s", CERTAIN, R))))
    assert row.worth == 1.0
    assert row.lessons[0].sentence.en.startswith("A reader says RED, the model “nothing flagged")
    assert only(of(study("a", series("s", said(Y), G)))).worth == 0.5


def test_two_readers_who_differ() -> None:
    row = only(of(study("a", series("s", said(Y), Y, G))))
    assert row.worth == 1.0
    assert "Two readers differ: YELLOW / GREEN" in row.lessons[0].sentence.en


def test_the_shadow_differs() -> None:
    row = only(of(study("a", series("s", CERTAIN)), in_shadow={"s": R}))
    assert row.worth == 1.0 and "in shadow says RED" in row.lessons[0].sentence.en
    assert of(study("a", series("s", CERTAIN)), in_shadow={"s": G}).rows == ()


def test_series_of_a_study_differ() -> None:
    row = only(of(study("a", series("s1", said(Y)), series("s2", said(G)))))
    assert row.worth == 0.5 and row.series_id == "s1"
    partial = replace(series("s2", said(Y)), preliminary=True)
    assert of(study("a", series("s1", CERTAIN), partial)).rows == ()


def test_unlike_those_trained_on() -> None:
    old = said(G, age_years=93, slices=30)
    row = only(of(study("a", series("s", old)), trained_on=TRAINED_ON))
    assert row.worth == 1.0
    assert row.lessons[0].sentence.en == "Unlike those trained on: Age (years) 93; 0 of 57 were as high."
    assert of(study("a", series("s", old))).rows == ()  # nothing is known of the model
    assert of(study("a", series("s", said(G, age_years=40))), trained_on=TRAINED_ON).rows == ()


def test_in_both_languages() -> None:
    for row in queued().rows:
        for lesson in row.lessons:
            assert lesson.sentence.en.isascii() or "“" in lesson.sentence.en
            assert not lesson.sentence.ja.isascii()


@given(st.lists(st.integers(0, 50), min_size=6, max_size=6).filter(any), st.floats(-10, 500))
def test_further_out(counts: list[int], value: float) -> None:
    histogram = Histogram((0, 10, 20, 40, 80), tuple(counts))
    beyond, high = further_out(histogram, value)
    at = histogram.class_of(value)
    assert beyond == (sum(counts[at:]) if high else sum(counts[: at + 1]))
    assert beyond <= sum(counts) and 2 * (beyond - counts[at]) <= sum(counts)


def test_the_rare_are_outside_the_central_part() -> None:
    one_in_forty = reference([{Quantity.AGE_YEARS: 90.0}, *({Quantity.AGE_YEARS: 50.0} for _ in range(39))])
    one_in_thirty = reference([{Quantity.AGE_YEARS: 90.0}, *({Quantity.AGE_YEARS: 50.0} for _ in range(29))])
    case = study("a", series("s", said(G, age_years=85)))
    row = only(of(case, trained_on={BUNDLE.digest: one_in_forty}))
    assert row.worth == pytest.approx(1 - 20 * RARE)
    assert of(case, trained_on={BUNDLE.digest: one_in_thirty}).rows == ()


# --- who leaves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "words", "on_it"),
    [
        (G, [], True),
        (G, [G], False),
        (G, [R], True),
        (G, [R, R], False),
        (G, [R, G], True),
        (G, [R, G, R], False),
        (G, [None], False),
        (G, [None, G], True),
        (R, [R], False),
        (R, [Y], True),
    ],
)
def test_a_case_leaves_when_its_label_is_sure(
    machine: Urgency, words: list[Urgency | None], on_it: bool
) -> None:
    case = study("a", series("s", said(machine, 0.5), *words))
    assert bool(of(case).rows) is on_it


def test_a_case_whose_one_series_was_read_is_read() -> None:
    case = study("a", series("s1", said(Y, 0.5)), series("s2", said(Y, 0.1), Y))
    assert of(case).rows == ()


def test_only_what_was_judged_as_a_whole() -> None:
    nothing = series("s", None, state=SeriesState.FAILED)
    partial = replace(series("s", said(G, 0.5)), preliminary=True)
    gone = replace(series("s", said(G, 0.5)), state=SeriesState.WITHDRAWN)
    assert of(*(study(name, s) for name, s in (("a", nothing), ("b", partial), ("c", gone)))).rows == ()


# --- never the clinical list --------------------------------------------------------------------------


def test_unread_alerts_are_left_to_the_worklist() -> None:
    alert = series("s", said(R, 0.5, 0.5))
    view = of(study("queued", alert), study("earlier", alert, earlier=True))
    assert names(view) == ["earlier"] and view.left_to_worklist == 1
    reopened = study("b", replace(series("s", said(R), G), unseen=True))
    assert of(reopened).left_to_worklist == 1
    assert of(reopened).rows == ()


def test_the_worklist_does_not_notice() -> None:
    studies = [study("a", series("s", said(G, 0.01)), minutes=5), study("b", series("t", said(G, 0.5)))]
    before = in_order(studies, NOW)
    assert names(of(*studies)) == ["b"]
    assert in_order(studies, NOW) == before


# --- in which order -----------------------------------------------------------------------------------


def test_the_most_instructive_first_then_the_earliest() -> None:
    assert [(row.study_id, row.worth) for row in queued().rows] == [
        ("discordant", 1.381),
        ("disputed", 1.0),
        ("old", 1.0),
        ("shadowed", 1.0),
        ("undecided", 0.997),
        ("against", 0.5),
        ("extreme", 0.5),
    ]


@given(st.permutations(range(8)))
def test_the_order_is_the_same_however_the_store_gives_the_cases(order: list[int]) -> None:
    probabilities = (0.5, 0.5, 0.45, 0.3, 0.7, 0.5, 0.45, 0.6)
    cases = [
        study(f"c{n}", series(f"s{n}", said(G, p)), minutes=10 * (n % 3)) for n, p in enumerate(probabilities)
    ]
    assert names(of(*(cases[n] for n in order))) == names(of(*cases))


def test_of_equal_series_always_the_same() -> None:
    pair = [series("s1", said(Y, 0.5)), series("s2", said(Y, 0.5))]
    for of_study in (pair, pair[::-1]):
        assert only(of(study("a", *of_study))).series_id == "s1"


def test_of_a_kind_the_largest_weight_counts_once() -> None:
    row = only(of(study("a", series("s1", said(Y), G), series("s2", said(G))), in_shadow={"s1": R}))
    assert [lesson.weight for lesson in row.lessons] == [1.0, 0.5, 0.5]
    assert row.worth == 1.0


def test_many_are_counted() -> None:
    view = of(*(study(f"c{n:03}", series(f"s{n}", said(G, 0.5))) for n in range(130)))
    assert (len(view.rows), view.total) == (100, 130)


# --- from the store -----------------------------------------------------------------------------------


def test_shadows_and_references_come_from_the_store(tmp_path: Path) -> None:
    served, other = (BundleIdentity("net", v, f"2.25.{v}", v * 64) for v in "12")
    known = reference([{Quantity.AGE_YEARS: 40.0}])
    options, database = settings(tmp_path), open_store(tmp_path)
    with database.writing() as session:
        model_history.ship(session, served, after(0))
        monitoring.keep_reference(session, served.digest, known)
        model_history.begin_shadow(session, other, actor="abe", reason="", seen=None, now=after(1))
        for number, name in enumerate(("s1", "s2")):
            queue.arrive(session, seen(name, f"st{number}"), after(2), options)
            claim = queue.claim(session, "w", after(10), options)
            assert claim is not None
            made = judgement(G, name, bundle=served.digest, series=name)
            results.record_assessed(session, claim, made, after(11), options)
        assert references(session) == {served.digest: known}
        assert shadows(session) == {}
        for row in session.scalars(select(Assessment)).all():
            session.add(
                ShadowAssessment(
                    assessment_id=row.id,
                    series_id=row.series_id,
                    bundle=other.digest,
                    owner="w",
                    begun_at=after(20),
                    ended_at=after(22),
                    urgency=R,
                )
            )
        session.flush()
        assert shadows(session) == {"s1": R, "s2": R}
        # What is said of images that have changed since no longer counts.
        queue.arrive(session, seen("s2", "st1", count=40), after(30), options)
        session.flush()
        assert shadows(session) == {"s1": R}
        model_history.end_shadow(session, actor="abe", reason="", seen=None, now=after(40))
        assert shadows(session) == {}
    database.close()


def test_rows_keep_the_time_they_came() -> None:
    early = study("z", series("s1", said(G, 0.5)), minutes=120)
    late = replace(study("a", series("s2", said(G, 0.5))), first_arrival=NOW + timedelta(hours=1))
    assert names(of(late, early)) == ["z", "a"]
