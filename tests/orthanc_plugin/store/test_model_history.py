"""Models in service: who put which there, what a change may do, what becomes of one that cannot be loaded."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from store_samples import after, judgement, seen

from headct.terms.assessment import BundleIdentity
from headct.terms.licence import Licence, Use
from headct.terms.urgency import Urgency
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.models import listing
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import ModelEvent
from orthanc_plugin.store import model_history, queue, results
from orthanc_plugin.store.tables import AuditEntry, Document, ModelChange, Series, Worker

A, B, C = (BundleIdentity("net", version, f"2.25.{version}", version * 64) for version in "123")


def activate(session: Session, model: BundleIdentity, seen: str | None = None) -> None:
    model_history.activate(session, model, actor="abe", reason="", seen=seen, now=after(0))


def roll_back(session: Session, *usable: BundleIdentity, seen: str | None = None) -> None:
    digests = {model.digest for model in usable or (A, B, C)}
    model_history.roll_back(session, digests, actor="abe", reason="", seen=seen, now=after(0))


def begin_shadow(session: Session, model: BundleIdentity) -> None:
    model_history.begin_shadow(session, model, actor="abe", reason="", seen=None, now=after(0))


def events(session: Session) -> list[tuple[str, str]]:
    return [(change.event.value, change.digest[0]) for change in model_history.history(session)]


class TestTheModelInService:
    def test_at_first_what_ships(self, session: Session) -> None:
        assert model_history.active(session) is None
        model_history.ship(session, A, after(0))
        assert model_history.active(session) == A.digest
        model_history.ship(session, A, after(1))
        assert events(session) == [("shipped", "1")]

    def test_a_newer_one_that_ships_serves_while_no_person_has_chosen(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        model_history.ship(session, B, after(1))
        assert model_history.active(session) == B.digest
        roll_back(session)
        assert model_history.active(session) == A.digest

    def test_a_persons_choice_outlives_updates(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        model_history.ship(session, C, after(1))
        assert model_history.active(session) == B.digest

    def test_the_one_that_ships_may_be_chosen_to_stay(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, A)
        model_history.ship(session, C, after(1))
        assert model_history.active(session) == A.digest
        activate(session, A)
        assert events(session) == [("shipped", "1"), ("activated", "1")]

    def test_rolled_back_step_by_step(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        activate(session, C)
        activate(session, B)
        found = []
        for _ in range(3):
            roll_back(session)
            found.append(model_history.active(session))
        assert found == [C.digest, B.digest, A.digest]
        with pytest.raises(ConflictError, match="No model was in service before"):
            roll_back(session)

    def test_back_and_on_again(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        roll_back(session)
        activate(session, C)
        roll_back(session)
        assert model_history.active(session) == A.digest

    def test_not_back_to_one_that_is_gone(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        with pytest.raises(ConflictError, match=r"net-1, in service before, is in no folder"):
            roll_back(session, B, C)
        assert model_history.active(session) == B.digest

    def test_the_later_of_two_administrators_is_told(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        both_saw = model_history.based_on(session)
        activate(session, B, both_saw)
        for late in (lambda: activate(session, C, both_saw), lambda: roll_back(session, seen=both_saw)):
            with pytest.raises(ConflictError, match="changed since"):
                late()
        assert model_history.active(session) == B.digest

    def test_of_two_at_once_the_database_refuses_one(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        twin = ModelChange(id=1, at=after(0), event=ModelEvent.SHIPPED, digest=A.digest, actor="x")
        session.expunge_all()
        session.add(twin)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.flush()

    def test_every_change_is_in_the_audit_with_who_did_it(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        roll_back(session)
        found = session.scalars(select(AuditEntry).where(AuditEntry.event == "model_changed"))
        said = [(entry.actor, entry.detail["event"], entry.detail["bundle"]) for entry in found]
        assert said == [
            ("triage", "shipped", A.digest),
            ("abe", "activated", B.digest),
            ("abe", "rolled_back", A.digest),
        ]


class TestAModelThatCannotBeLoaded:
    def test_gives_way_to_the_one_before(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        assert model_history.give_way(session, B.digest, "net-2 was altered", after(1))
        assert model_history.active(session) == A.digest
        problem = listing.problem(session)
        assert problem is not None
        assert problem.en == "net-2 could not be loaded (net-2 was altered); net-1 judges instead."
        assert "net-2" in problem.ja

    def test_after_one_for_any_use_comes_none_for_research_that_no_person_chose(
        self, session: Session
    ) -> None:
        for at, model in enumerate((A, B, C)):
            model_history.ship(session, model, after(at))
        model_history.keep_licence(session, B.digest, Licence("theirs", Use.RESEARCH))
        assert model_history.give_way(session, C.digest, "gone", after(4))
        assert model_history.active(session) == A.digest
        assert not model_history.give_way(session, A.digest, "gone", after(5), otherwise=[A])
        assert model_history.standing(session).line == (A.digest,)
        activate(session, B)
        activate(session, C)
        model_history.give_way(session, C.digest, "gone", after(6))
        assert model_history.active(session) == B.digest, "a person chose it once"
        model_history.give_way(session, B.digest, "gone", after(7))
        assert model_history.active(session) == A.digest

    def test_one_for_research_gives_way_to_another(self, session: Session) -> None:
        for at, model in enumerate((A, B)):
            model_history.ship(session, model, after(at))
            model_history.keep_licence(session, model.digest, Licence("theirs", Use.RESEARCH))
        assert model_history.give_way(session, B.digest, "gone", after(2))
        assert model_history.active(session) == A.digest

    def test_one_after_the_other_and_at_last_to_what_ships(self, session: Session) -> None:
        activate(session, A)
        activate(session, B)
        assert model_history.give_way(session, B.digest, "gone", after(1), otherwise=[C])
        assert model_history.give_way(session, A.digest, "gone", after(1), otherwise=[C])
        assert model_history.active(session) == C.digest
        assert not model_history.give_way(session, C.digest, "gone", after(1), otherwise=[C])
        assert model_history.active(session) == C.digest

    def test_is_said_until_a_person_chooses(self, session: Session) -> None:
        activate(session, A)
        activate(session, B)
        model_history.give_way(session, B.digest, "gone", after(1))
        begin_shadow(session, C)
        assert listing.problem(session) is not None
        activate(session, A)
        assert listing.problem(session) is None

    def test_of_several_workers_the_first_one_says_so(self, session: Session) -> None:
        activate(session, A)
        activate(session, B)
        assert model_history.give_way(session, B.digest, "gone", after(1))
        assert model_history.give_way(session, B.digest, "gone", after(1))
        assert events(session)[2:] == [("gave_way", "1")]

    def test_one_that_kills_its_process_gives_way_too(self, session: Session, options: Settings) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        queue.sign_of_life(session, "h/1", after(0))
        model_history.loading(session, "h/1", B.digest)
        queue.worker_lost(session, "h/1", after(1), options)
        assert model_history.active(session) == A.digest
        assert session.get(Worker, "h/1") is None

    def test_a_process_lost_later_is_not_the_models_fault(self, session: Session, options: Settings) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        queue.sign_of_life(session, "h/1", after(0))
        model_history.loading(session, "h/1", B.digest)
        model_history.loaded(session, "h/1", B.digest)
        queue.worker_lost(session, "h/1", after(1), options)
        assert model_history.active(session) == B.digest

    def test_nor_is_one_that_ends_with_its_orthanc(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        activate(session, B)
        queue.sign_of_life(session, "h/1", after(0))
        model_history.loading(session, "h/1", B.digest)
        queue.host_lost(session, "h", after(1))
        assert model_history.active(session) == B.digest


class TestTheShadow:
    def test_begins_and_ends(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        begin_shadow(session, B)
        began = model_history.shadow(session)
        assert began is not None and (began.digest, began.actor) == (B.digest, "abe")
        begin_shadow(session, C)
        assert model_history.standing(session).shadow == C.digest
        model_history.end_shadow(session, actor="abe", reason="", seen=None, now=after(1))
        model_history.end_shadow(session, actor="abe", reason="", seen=None, now=after(1))
        assert model_history.shadow(session) is None
        assert events(session)[1:] == [("shadow_began", "2"), ("shadow_began", "3"), ("shadow_ended", "3")]
        assert model_history.active(session) == A.digest

    def test_is_another_one(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        with pytest.raises(ConflictError, match="in service"):
            begin_shadow(session, A)

    def test_ends_when_it_is_put_in_service(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        begin_shadow(session, B)
        activate(session, B)
        assert model_history.standing(session).shadow is None
        begin_shadow(session, A)
        roll_back(session)
        assert (model_history.active(session), model_history.standing(session).shadow) == (A.digest, None)

    def test_that_cannot_be_loaded_ends(self, session: Session) -> None:
        model_history.ship(session, A, after(0))
        begin_shadow(session, B)
        model_history.drop_shadow(session, B.digest, "gone", after(1))
        model_history.drop_shadow(session, B.digest, "gone", after(1))
        assert events(session)[1:] == [("shadow_began", "2"), ("shadow_ended", "2")]


def test_a_rerun_with_a_new_model_supersedes_and_back_again(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(), after(0), options)

    def judge(at: float, bundle: str, urgency: Urgency) -> Series:
        claim = queue.claim(session, "w", after(at), options)
        assert claim is not None
        said = judgement(urgency, bundle=bundle * 64)
        assert results.record_assessed(session, claim, said, after(at), options)
        return session.get_one(Series, "s1")

    def live() -> list[Document]:
        rows = session.scalars(select(Document).where(Document.withdrawn_at.is_(None)))
        return sorted(rows, key=lambda row: row.assessment_id or 0)

    judge(3, "a", Urgency.YELLOW)
    first = {row.sop_instance_uid for row in live()}
    assert queue.rerun(session, "s1", "ito", after(4))
    series = judge(5, "b", Urgency.RED)
    assert series.current is not None and series.current.urgency is Urgency.RED
    assert len({row.sop_instance_uid for row in live()} - first) == len(first) == 2
    assert queue.rerun(session, "s1", "ito", after(6))
    series = judge(7, "a", Urgency.YELLOW)
    assert series.current is not None and series.current.urgency is Urgency.YELLOW
    assert len(series.assessments) == 2
    assert {row.sop_instance_uid for row in live()} == first
