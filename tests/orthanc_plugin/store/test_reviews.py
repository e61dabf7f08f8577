"""Reviews one by one: nothing overwritten, nothing doubled, nobody reviews what is no longer so."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import after, judgement, seen

from headct.reasons import Reason, ReasonCode
from headct.terms.review import Action, Exclusion, Person, Review, Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.errors import ConflictError, NotFoundError
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, queue, results, reviews, tables, withdrawal
from orthanc_plugin.store.tables import AuditEntry, Series

SATO, ITO, ABE = (Person(n, f"{n.title()}^Hanako", "St. Elsewhere") for n in ("sato", "ito", "abe"))


def judged(
    session: Session, options: Settings, at: float = 0, urgency: Urgency = Urgency.YELLOW, **changes: object
) -> Series:
    """A series that arrived, or is run again, and was judged."""
    series = str(changes.pop("series", "s1"))
    if session.get(Series, series) is None:
        queue.arrive(session, seen(series, **changes), after(at), options)
    claim = queue.claim(session, "w", after(at + 3), options)
    assert claim is not None
    said = judgement(urgency, series=series, bundle=f"{at:064.0f}", pixels="p")
    assert results.record_assessed(session, claim, said, after(at + 4), options)
    return session.get_one(Series, series)


def word(urgency: Urgency | None, by: Person = SATO, action: Action | None = None) -> Review:
    return Review(
        by=by,
        at=after(10),
        action=action or (Action.EXCLUDE if urgency is None else Action.RELABEL),
        urgency=urgency,
        reason=Exclusion.REPEAT if urgency is None else None,
    )


def say(
    session: Session, series: Series, review: Review, request_id: str = "r1", seen: str | None = None
) -> tables.Review:
    session.flush()
    session.expire_all()
    return reviews.record(
        session,
        series.id,
        review,
        seen=seen or reviews.based_on(series),
        request_id=request_id,
        asked=f"{review.action} {review.urgency} {review.by.login} {seen}",
        now=after(10),
    )


def shown(session: Session, series: Series) -> tuple[str, ...]:
    session.flush()
    session.expire_all()
    return outbox.publication(session, series.id).series_labels


def test_a_review_is_kept_published_and_in_the_audit(session: Session, options: Settings) -> None:
    series = judged(session, options)
    wish = series.publish_wanted
    row = say(session, series, word(Urgency.RED))
    assert Review.from_json(row.content) == word(Urgency.RED)
    assert row.assessment_id == series.current.id  # type: ignore[union-attr]
    assert series.publish_wanted > wish
    assert shown(session, series) == ("triage-red",)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.event == "reviewed")).one()
    assert (entry.actor, entry.detail) == ("sato", {"review": row.id})


@pytest.mark.parametrize("urgency", list(Urgency))
def test_a_persons_black_is_black(session: Session, options: Settings, urgency: Urgency) -> None:
    series = judged(session, options)
    say(session, series, word(urgency))
    assert shown(session, series) == (f"triage-{urgency.name.lower()}",)
    publication = outbox.publication(session, series.id)
    assert publication.study_labels == publication.series_labels and publication.reviewed


def test_confirming(session: Session, options: Settings) -> None:
    series = judged(session, options)
    with pytest.raises(ConflictError, match="present urgency"):
        say(session, series, word(Urgency.RED, action=Action.CONFIRM))
    say(session, series, word(Urgency.YELLOW, action=Action.CONFIRM))
    assert series.verdict.label is Urgency.YELLOW


def test_an_exclusion_leaves_the_machines_colour(session: Session, options: Settings) -> None:
    series = judged(session, options)
    say(session, series, word(None))
    assert series.verdict.excluded and shown(session, series) == ("triage-yellow",)


def test_a_repeated_request_adds_nothing(session: Session, options: Settings) -> None:
    series = judged(session, options)
    as_seen = reviews.based_on(series)
    first = say(session, series, word(Urgency.RED), seen=as_seen)
    # A client that heard no answer asks again, later, with what it had seen.
    again = say(session, series, replace(word(Urgency.RED), at=after(99)), seen=as_seen)
    assert again is first and len(series.reviews) == 1
    with pytest.raises(ConflictError, match="request_id"):
        say(session, series, word(Urgency.GREEN), seen=as_seen)
    say(session, series, word(Urgency.GREEN, ITO))  # another person's names are their own
    assert len(series.reviews) == 2


def test_of_two_at_once_the_later_is_told(session: Session, options: Settings) -> None:
    series = judged(session, options)
    both_saw = reviews.based_on(series)
    say(session, series, word(Urgency.RED), seen=both_saw)
    with pytest.raises(ConflictError, match="has changed"):
        say(session, series, word(Urgency.GREEN, ITO), seen=both_saw)
    say(session, series, word(Urgency.GREEN, ITO))
    assert series.verdict.standing is Standing.DISPUTED
    assert shown(session, series) == ("triage-red",)
    say(session, series, word(Urgency.GREEN, ABE))
    assert (series.verdict.standing, series.verdict.label) == (Standing.SETTLED, Urgency.GREEN)
    assert [r.login for r in series.reviews] == ["sato", "ito", "abe"]


def test_during_a_rerun_the_result_that_was_seen_still_counts(session: Session, options: Settings) -> None:
    series = judged(session, options)
    as_seen = reviews.based_on(series)
    queue.rerun(session, series.id, "sato", after(5))
    say(session, series, word(Urgency.RED), seen=as_seen)
    # A newer machine result does not change what a person said.
    judged(session, options, at=20, urgency=Urgency.GREEN)
    assert series.current is not None and series.current.urgency is Urgency.GREEN
    assert shown(session, series) == ("triage-red",)


def test_a_result_replaced_meanwhile_is_not_reviewed(session: Session, options: Settings) -> None:
    series = judged(session, options)
    as_seen = reviews.based_on(series)
    queue.rerun(session, series.id, "sato", after(5))
    judged(session, options, at=20, urgency=Urgency.RED)
    with pytest.raises(ConflictError):
        say(session, series, word(Urgency.YELLOW, action=Action.CONFIRM), seen=as_seen)
    assert series.reviews == []


def test_images_that_came_meanwhile_make_it_another_case(session: Session, options: Settings) -> None:
    series = judged(session, options)
    as_seen = reviews.based_on(series)
    queue.arrive(session, seen(count=40), after(9), options)
    with pytest.raises(ConflictError):
        say(session, series, word(Urgency.RED), seen=as_seen)
    with pytest.raises(ConflictError, match="still being"):
        say(session, series, word(Urgency.RED))


def test_what_a_person_said_outlives_new_images(session: Session, options: Settings) -> None:
    series = judged(session, options)
    say(session, series, word(Urgency.RED))
    queue.arrive(session, seen(count=40), after(9), options)
    assert shown(session, series) == ("triage-red",)


def test_a_series_that_is_gone(session: Session, options: Settings) -> None:
    series = judged(session, options)
    say(session, series, word(Urgency.RED))
    withdrawal.withdraw(session, series.id, after(20))
    assert shown(session, series) == ()
    for series_id in (series.id, "nothing"):
        with pytest.raises(NotFoundError):
            reviews.record(
                session, series_id, word(Urgency.RED), seen="", request_id="r", asked="", now=after(21)
            )


def test_a_corrected_patient_takes_the_history_along(session: Session, options: Settings) -> None:
    old = judged(session, options)
    say(session, old, word(Urgency.RED))
    say(session, old, word(Urgency.GREEN, ITO))
    uids = {
        "series_instance_uid": old.series_instance_uid,
        "study_instance_uid": old.study.study_instance_uid,
    }
    new = judged(session, options, at=30, series="s2", study="st2", **uids)
    session.expire_all()
    assert old.superseded_by == new.id
    assert [r.login for r in new.reviews] == ["sato", "ito"]
    assert new.verdict.standing is Standing.DISPUTED
    assert shown(session, new) == ("triage-red",) and shown(session, old) == ()


def test_a_series_that_comes_after_the_reading_counts_beside_it(session: Session, options: Settings) -> None:
    first = judged(session, options)
    say(session, first, word(Urgency.GREEN))
    assert outbox.publication(session, first.id).study_labels == ("triage-green",)
    second = judged(session, options, at=20, urgency=Urgency.RED, series="s2", study="st1")
    shown(session, second)
    assert second.unseen(second.study.series, after(24)) and not first.unseen(second.study.series, after(4))
    assert outbox.publication(session, first.id).series_labels == ("triage-green",)
    assert outbox.publication(session, first.id).study_labels == ("triage-red",)
    say(session, second, word(Urgency.YELLOW))
    assert outbox.publication(session, first.id).study_labels == ("triage-yellow",)


def test_what_came_after_the_first_word_stays_open_until_it_is_spoken_of(
    session: Session, options: Settings
) -> None:
    first = judged(session, options)
    say(session, first, word(Urgency.GREEN))
    second = judged(session, options, at=20, urgency=Urgency.RED, series="s2", study="st1")
    say(session, first, word(Urgency.GREEN, ITO), request_id="r2")
    assert shown(session, second) == ("triage-red",)
    assert second.unseen(second.study.series, after(24))
    assert outbox.publication(session, first.id).study_labels == ("triage-red",)


def test_a_word_given_before_the_rest_of_the_study_was_judged_is_told_so(
    session: Session, options: Settings
) -> None:
    first = judged(session, options)
    as_seen = reviews.based_on(first)
    judged(session, options, at=5, urgency=Urgency.RED, series="s2", study="st1")
    with pytest.raises(ConflictError, match="look again"):
        say(session, first, word(Urgency.GREEN), seen=as_seen)


def corrected(session: Session, options: Settings, at: float, urgency: Urgency, count: int = 33) -> Series:
    """The same images or more of them under another patient: the same UIDs, other names in Orthanc."""
    shared = {"series_instance_uid": "1.2.s1", "study_instance_uid": "1.3.st1"}
    return judged(session, options, at=at, urgency=urgency, series="s2", study="st2", count=count, **shared)


def test_a_word_on_part_of_the_images_does_not_cover_all_of_them_under_another_patient(
    session: Session, options: Settings
) -> None:
    queue.arrive(session, seen("s1", count=10), after(0), options)
    claim = queue.claim(session, "w", after(3), options)
    assert claim is not None
    results.record_not_analysed(session, claim, Reason(ReasonCode.HEAD_NOT_COVERED), None, after(4))
    say(session, session.get_one(Series, "s1"), word(Urgency.GREEN))
    whole = corrected(session, options, 100, Urgency.RED)
    shown(session, whole)
    assert whole.verdict.urgency is Urgency.GREEN and whole.unseen(whole.study.series, None)
    more = seen("s2", "st2", 40, series_instance_uid="1.2.s1", study_instance_uid="1.3.st1")
    queue.arrive(session, more, after(200), options)
    shown(session, whole)
    assert whole.unseen(whole.study.series, None)


def test_the_same_images_under_another_patient_were_seen(session: Session, options: Settings) -> None:
    say(session, judged(session, options), word(Urgency.GREEN))
    same = corrected(session, options, 100, Urgency.RED)
    shown(session, same)
    assert same.verdict.urgency is Urgency.GREEN and not same.unseen(same.study.series, None)


def test_reviews_follow_images_that_were_deleted_before_the_corrected_ones_were_judged(
    session: Session, options: Settings
) -> None:
    say(session, judged(session, options), word(Urgency.RED))
    withdrawal.withdraw(session, "s1", after(50))
    same = corrected(session, options, 100, Urgency.YELLOW)
    shown(session, same)
    assert same.verdict.urgency is Urgency.RED


def test_a_correction_corrected_back_keeps_the_latest_word(session: Session, options: Settings) -> None:
    say(session, judged(session, options), word(Urgency.GREEN))
    same = corrected(session, options, 100, Urgency.YELLOW)
    later = replace(word(Urgency.RED), at=after(150))
    session.flush()
    session.expire_all()
    seen_now = reviews.based_on(same)
    reviews.record(session, "s2", later, seen=seen_now, request_id="r9", asked="red", now=after(150))
    queue.arrive(session, seen("s1"), after(200), options)
    back = judged(session, options, at=200, urgency=Urgency.YELLOW)
    shown(session, back)
    assert [row.urgency for row in back.reviews] == [Urgency.GREEN, Urgency.RED]
    assert back.verdict.urgency is Urgency.RED
    assert session.get_one(Series, "s2").state is SeriesState.WITHDRAWN


def test_images_still_to_be_judged_are_not_taken_for_another_patients(
    session: Session, options: Settings
) -> None:
    queue.arrive(session, seen("s1"), after(0), options)
    waiting = session.get_one(Series, "s1")
    waiting.not_before = after(150)
    session.flush()
    corrected(session, options, 100, Urgency.GREEN)
    assert waiting.state is not SeriesState.WITHDRAWN
    waiting.not_before = after(0)
    session.flush()
    claim = queue.claim(session, "w", after(110), options)
    assert claim is not None and claim.series_id == "s1"
    same = judgement(Urgency.GREEN, series="s1", pixels="p")
    assert results.record_assessed(session, claim, same, after(111), options)
    assert (waiting.state, waiting.superseded_by) == (SeriesState.WITHDRAWN, "s2")
