"""Models in service: who put which there, what a change may do, what becomes of one that cannot be loaded."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import threshold_bundle
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from store_samples import after, judgement, seen, settings

from headct.network.bundle import Bundle, Cuts, default_bundle, load_bundle, write_bundle
from headct.terms.assessment import BundleIdentity
from headct.terms.urgency import Urgency
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.models import folders, listing
from orthanc_plugin.models.views import ModelState, ModelsView
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import ModelEvent
from orthanc_plugin.store import model_history, queue
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


# --- Folders --------------------------------------------------------------------------------------


def write(options: Settings, version: str, cut: float = 0.15) -> Bundle:
    """A model of the hospital's own."""
    folder = options.models_folder / f"threshold-{version}"
    return threshold_bundle(folder, version=version, cuts=Cuts(voxel=0.5, haemorrhage=cut))


def look(session: Session, options: Settings) -> ModelsView:
    return listing.view(session, folders.offers(options), may_change=True)


def states(session: Session, options: Settings) -> dict[str, ModelState]:
    return {model.id: model.state for model in look(session, options).models}


def refusal(options: Settings, name: str) -> str:
    (found,) = (offer for offer in folders.offers(options) if offer.name == name)
    assert found.bundle is None
    return found.refusal


class TestFolders:
    def test_what_ships_is_here(self, options: Settings) -> None:
        shipped = load_bundle(default_bundle())
        found = {o.name: o for o in folders.offers(options)}
        name = f"{shipped.contents.name}-{shipped.contents.version}"
        assert found[name].bundle == shipped and found[name].shipped
        assert folders.default(options) == default_bundle()

    def test_the_hospitals_own(self, options: Settings) -> None:
        mine = write(options, "2.0")
        (options.models_folder / ".partial").mkdir()
        (options.models_folder / "readme.txt").touch()
        found = [o for o in folders.offers(options) if not o.shipped]
        assert [(o.name, o.bundle) for o in found] == [("threshold-2.0", mine)]

    def test_another_folder_by_setting(self, tmp_path: Path) -> None:
        options = settings(tmp_path, Models=tmp_path / "elsewhere")
        write(options, "2.0")
        assert (tmp_path / "elsewhere" / "threshold-2.0").is_dir()
        assert "threshold-2.0" in {o.name for o in folders.offers(options)}

    def test_one_named_by_a_setting_may_be_called_anything(self, tmp_path: Path) -> None:
        mine = threshold_bundle(tmp_path / "anything")
        options = settings(tmp_path, Bundle=mine.folder)
        assert "threshold-1.0" in {o.name for o in folders.offers(options) if o.bundle}
        assert folders.default(options) == mine.folder

    def test_altered_it_is_refused_with_the_reason(self, options: Settings) -> None:
        folder = write(options, "2.0").folder
        with (folder / "network.tflite").open("ab") as network:
            network.write(b"x")
        assert refusal(options, "threshold-2.0") == (
            "threshold-2.0 was altered: network.tflite does not have the hash that was recorded"
        )

    def test_for_another_input_it_is_refused(self, options: Settings) -> None:
        shipped = load_bundle(default_bundle())
        wide = replace(shipped.contents, input=replace(shipped.contents.input, rows=64), version="9")
        with pytest.raises(Exception, match="another input"):
            write_bundle(options.models_folder / "headct-bleed-9", wide, b"x", "# Card\n")
        folder = write(options, "2.0").folder
        body = json.loads((folder / "bundle.json").read_text())
        body["input"]["rows"] = 64
        (folder / "bundle.json").write_text(json.dumps(body))
        assert "made for another input" in refusal(options, "threshold-2.0")

    def test_in_a_folder_of_another_name_it_is_refused(self, options: Settings) -> None:
        folder = write(options, "2.0").folder
        folder.rename(folder.with_name("threshold-3.0"))
        assert "threshold-2.0" in refusal(options, "threshold-3.0")

    def test_of_two_of_one_name_the_second_is_refused(self, tmp_path: Path) -> None:
        first = threshold_bundle(tmp_path / "first")
        options = settings(tmp_path, Bundle=first.folder)
        write(options, "1.0")  # the very same is a copy
        assert [o.folder for o in folders.offers(options) if o.name == "threshold-1.0"] == [first.folder]
        shutil.rmtree(options.models_folder)
        write(options, "1.0", cut=0.3)
        found = [o for o in folders.offers(options) if o.name == "threshold-1.0"]
        assert sorted(o.refusal for o in found) == ["", f"{first.folder} holds another model of this name"]

    def test_an_empty_or_half_copied_folder(self, options: Settings) -> None:
        folder = write(options, "2.0").folder
        (folder / "network.tflite").unlink()
        (options.models_folder / "nothing-1").mkdir()
        assert "incomplete" in refusal(options, "threshold-2.0")
        assert "not a bundle" in refusal(options, "nothing-1")

    def test_is_found_by_its_digest(self, options: Settings) -> None:
        mine = write(options, "2.0")
        assert folders.find(options, mine.digest, "threshold-2.0") == mine.folder
        with pytest.raises(Exception, match="altered since"):
            folders.find(options, "0" * 64, "threshold-2.0")
        with pytest.raises(Exception, match="in no folder"):
            folders.find(options, "0" * 64, "other-1")


class TestTheList:
    def test_who_stands_where_since_when_and_by_whom(self, session: Session, options: Settings) -> None:
        first, second, third = (write(options, version, 0.1) for version in ("1.0", "2.0", "3.0"))
        model_history.ship(session, first.identity, after(0))
        model_history.activate(session, second.identity, actor="abe", reason="gate", seen=None, now=after(5))
        model_history.begin_shadow(session, third.identity, actor="ito", reason="", seen=None, now=after(7))
        view = look(session, options)
        shown = {m.id: (m.state, m.by, m.since) for m in view.models if not m.shipped}
        assert shown == {
            "threshold-2.0": (ModelState.ACTIVE, "abe", after(5)),
            "threshold-3.0": (ModelState.SHADOW, "ito", after(7)),
            "threshold-1.0": (ModelState.AVAILABLE, "", None),
        }
        assert view.models[0].in_service and view.rollback_to == "threshold-1.0"
        assert [(c.event, c.model, c.by, c.reason) for c in view.history] == [
            ("shadow_began", "threshold-3.0", "ito", ""),
            ("activated", "threshold-2.0", "abe", "gate"),
            ("shipped", "threshold-1.0", "triage", ""),
        ]

    def test_deleted_or_altered_after_use(self, session: Session, options: Settings) -> None:
        for version in ("1.0", "2.0", "3.0"):
            activate(session, write(options, version).identity)
        shutil.rmtree(options.models_folder / "threshold-1.0")
        (options.models_folder / "threshold-2.0" / "MODEL_CARD.md").write_text("better")
        shutil.rmtree(options.models_folder / "threshold-3.0")
        found = {(m.id, m.state): m.reason for m in look(session, options).models if not m.shipped}
        assert set(found) == {
            ("threshold-1.0", ModelState.GONE),
            ("threshold-2.0", ModelState.GONE),
            ("threshold-2.0", ModelState.REFUSED),
            ("threshold-3.0", ModelState.ACTIVE),
        }
        assert all(reason is not None and reason.en.endswith(".") for reason in found.values())

    def test_how_many_workers_have_it(self, session: Session, options: Settings) -> None:
        first, second = write(options, "1.0"), write(options, "2.0")
        activate(session, first.identity)
        activate(session, second.identity)
        for worker, bundle in (("h/1", first), ("h/2", second), ("h/3", second)):
            queue.sign_of_life(session, worker, after(0))
            model_history.loaded(session, worker, bundle.digest)
        found = {m.id: m.workers for m in look(session, options).models if not m.shipped}
        assert found == {"threshold-1.0": 1, "threshold-2.0": 2}

    def test_headline_figures_of_the_one_that_ships(self, session: Session, options: Settings) -> None:
        (shipped,) = look(session, options).models
        body = json.loads((default_bundle() / "bundle.json").read_text())["figures"]
        found = {figure.kind.value: (figure.low, figure.value, figure.high) for figure in shipped.figures}
        auc = body["haemorrhage"]["auc"]
        assert found["haemorrhage_auc"] == (auc["low"], auc["value"], auc["high"])
        assert len(found) == 4 and all(low <= value <= high for low, value, high in found.values())

    def test_figures_written_in_another_way_are_left_out(self, session: Session, options: Settings) -> None:
        strange = {"haemorrhage": {"auc": {"value": "high"}, "at_nested_cuts": []}, "alert": 3}
        threshold_bundle(options.models_folder / "threshold-2.0", version="2.0", figures=strange)
        (mine,) = (m for m in look(session, options).models if not m.shipped)
        assert mine.figures == ()


# --- Results --------------------------------------------------------------------------------------


def test_a_rerun_with_a_new_model_supersedes_and_back_again(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(), after(0), options)

    def judge(at: float, bundle: str, urgency: Urgency) -> Series:
        claim = queue.claim(session, "w", after(at), options)
        assert claim is not None
        said = judgement(urgency, bundle=bundle * 64)
        assert queue.record_assessed(session, claim, said, after(at), options)
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
