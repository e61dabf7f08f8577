"""Models on this machine: their folders, and the list of them beside the history."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import threshold_bundle
from sqlalchemy.orm import Session
from store_samples import after, settings

from headct.network.bundle import Bundle, default_bundle, load_bundle, write_bundle
from headct.network.contents import Thresholds
from headct.terms.assessment import BundleIdentity
from orthanc_plugin.models import folders, listing
from orthanc_plugin.models.views import ModelState, ModelsView
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, queue

A, B, C = (BundleIdentity("net", version, f"2.25.{version}", version * 64) for version in "123")


def activate(session: Session, model: BundleIdentity) -> None:
    model_history.activate(session, model, actor="abe", reason="", seen=None, now=after(0))


def write(options: Settings, version: str, cut: float = 0.15) -> Bundle:
    """A model of the hospital's own."""
    folder = options.models_folder / f"threshold-{version}"
    return threshold_bundle(folder, version=version, thresholds=Thresholds(voxel=0.5, haemorrhage=cut))


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
