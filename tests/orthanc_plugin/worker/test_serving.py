"""Loading of models in a worker: whole or not at all, whatever is done to folders and history meanwhile."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bundles import contents, only_these_ship, threshold_bundle
from drawn_heads import BLOOD, ball, head, volume
from hypothesis import HealthCheck, strategies
from hypothesis import settings as run_with
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from model_samples import activate, begin_shadow, own_model
from store_samples import MEMORY, after, open_store, settings

from headct.errors import BundleError
from headct.network.bundle import Bundle, default_bundle, load_bundle, write_bundle
from headct.terms.licence import Use
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.models import folders, listing
from orthanc_plugin.models.views import ModelState
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Worker
from orthanc_plugin.worker.serving import Serving

WORKER = "h/1"
VERSIONS = ("1.0", "2.0", "3.0")


@pytest.fixture
def database(database: Database) -> Database:
    """A worker has started."""
    with database.writing() as session:
        queue.sign_of_life(session, WORKER, after(0))
    return database


def serve(database: Database, options: Settings) -> Serving:
    return Serving(WORKER, database, options)


def shown(database: Database) -> tuple[str | None, str | None]:
    """What the worker says of itself: the model it judges with and the one it is loading."""
    with database.reading() as session:
        row = session.get_one(Worker, WORKER)
    return row.bundle, row.loading


def problem(database: Database) -> str:
    with database.reading() as session:
        found = listing.problem(session)
    return found.en if found else ""


def damage(bundle: Bundle) -> None:
    """One byte of the network."""
    content = bundle.networks[0].read_bytes()
    bundle.networks[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_at_first_it_serves_what_ships(database: Database, options: Settings) -> None:
    serving = serve(database, options)
    assert serving.digest == load_bundle(default_bundle()).digest
    assert shown(database) == (serving.digest, None)


def test_or_what_the_setting_names(database: Database, tmp_path: Path) -> None:
    mine = own_model(settings(tmp_path), "1.0")
    assert serve(database, settings(tmp_path, Bundle=mine.folder)).digest == mine.digest


def test_started_for_research_and_back_as_an_update_would(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, for_research = settings(tmp_path), settings(tmp_path, Research=True)
    free = threshold_bundle(tmp_path / "free", version="1")
    bound = threshold_bundle(tmp_path / "bound", version="1r", licence="theirs; x", use=Use.RESEARCH)
    only_these_ship(monkeypatch, free, bound)

    def started(options: Settings) -> str:
        serving = serve(database, options)
        with database.reading() as session:
            view = listing.active(session)
        assert view is not None and (view.licence, view.use) == (
            serving.classifier.bundle.contents.licence,
            serving.classifier.bundle.contents.use,
        )
        return serving.digest

    assert [started(options) for options in (plain, plain, for_research, for_research, plain)] == [
        *(free.digest, free.digest, bound.digest, bound.digest, free.digest)
    ]
    with database.reading() as session:
        assert [c.event.value for c in model_history.history(session)] == ["shipped"] * 3
    with database.writing() as session:
        activate(session, bound)
    assert started(plain) == bound.digest, "what an administrator chose stays"
    with database.writing() as session:
        activate(session, free)
    assert started(for_research) == free.digest


def test_without_one_for_research_the_other_judges(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threshold_bundle(tmp_path / "free")
    only_these_ship(monkeypatch, free)
    assert serve(database, settings(tmp_path, Research=True)).digest == free.digest


def test_no_longer_started_for_research_it_does_not_give_way_to_that_one(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threshold_bundle(tmp_path / "free")
    bound = threshold_bundle(tmp_path / "bound", version="1r", use=Use.RESEARCH)
    only_these_ship(monkeypatch, free, bound)
    serve(database, settings(tmp_path, Research=True))
    serve(database, settings(tmp_path))
    damage(free)
    with pytest.raises(BundleError, match="altered"):
        serve(database, settings(tmp_path))
    assert serve(database, settings(tmp_path, Research=True)).digest == bound.digest


def test_the_licence_of_a_model_from_before_it_was_kept_is_known_once_it_is_loaded(
    database: Database, options: Settings
) -> None:
    mine = own_model(options, "1.0")
    with database.writing() as session:
        activate(session, mine)
        before = listing.active(session)
        assert before is not None and before.terms is None
    serve(database, options)
    with database.reading() as session:
        view = listing.active(session)
    assert view is not None and view.terms == mine.licence


def test_it_follows_changes(database: Database, options: Settings) -> None:
    serving = serve(database, options)
    first, mine = serving.classifier, own_model(options, "1.0")
    serving.follow()
    assert serving.classifier is first
    with database.writing() as session:
        activate(session, mine)
    serving.follow()
    assert serving.digest == mine.digest and shown(database) == (mine.digest, None)
    assert serve(database, options).digest == mine.digest


def test_one_that_cannot_be_loaded_leaves_the_one_before_serving(
    database: Database, options: Settings
) -> None:
    serving = serve(database, options)
    first, mine = serving.classifier, own_model(options, "1.0")
    with database.writing() as session:
        activate(session, mine)
    damage(mine)
    serving.follow()
    assert serving.classifier is first
    assert "threshold-1.0 could not be loaded (threshold-1.0 was altered: network.tflite" in problem(database)
    with database.reading() as session:
        assert model_history.active(session) == serving.digest


def test_a_network_that_litert_cannot_run(database: Database, options: Settings) -> None:
    serving = serve(database, options)
    first = serving.digest
    mine = write_bundle(
        options.models_folder / "threshold-9", contents(version="9"), b"no network at all", "# Card\n"
    )
    with database.writing() as session:
        activate(session, mine)
    serving.follow()
    assert serving.digest == first and "LiteRT" in problem(database)
    assert "(threshold-9/network.tflite is not" in problem(database), "no path of the server"


def test_altered_between_a_restart_it_gives_way_in_plain_words(database: Database, options: Settings) -> None:
    first, second = own_model(options, "1.0"), own_model(options, "2.0")
    with database.writing() as session:
        activate(session, first)
        activate(session, second)
    assert serve(database, options).digest == second.digest
    damage(second)
    assert serve(database, options).digest == first.digest
    assert "threshold-1.0 judges instead" in problem(database)
    shutil.rmtree(first.folder)
    assert serve(database, options).digest == load_bundle(default_bundle()).digest
    assert "threshold-1.0 is in no folder of models any more" in problem(database)


def test_rolled_back_to_one_that_cannot_be_loaded_what_is_loaded_judges_on(
    database: Database, tmp_path: Path
) -> None:
    first = own_model(settings(tmp_path), "1.0")
    options = settings(tmp_path, Bundle=first.folder)
    serving = serve(database, options)
    second = own_model(options, "2.0")
    with database.writing() as session:
        activate(session, second)
    serving.follow()
    with database.writing() as session:
        usable = {first.digest}
        model_history.roll_back(session, usable, actor="abe", reason="", seen=None, now=after(1))
    damage(first)
    serving.follow()
    assert serving.digest == second.digest and "threshold-2.0 judges instead" in problem(database)


def test_where_nothing_can_be_loaded_it_says_so_and_changes_nothing(
    database: Database, tmp_path: Path
) -> None:
    options = settings(tmp_path, Bundle=tmp_path / "models" / "threshold-1.0")
    with pytest.raises(BundleError, match=r"threshold-1\.0 is not a bundle"):
        serve(database, options)
    mine = own_model(options, "1.0")
    serve(database, options)
    damage(mine)
    with pytest.raises(BundleError, match="was altered"):
        serve(database, options)
    with database.reading() as session:
        assert model_history.active(session) == mine.digest


def test_a_folder_that_moves_is_found_again(database: Database, options: Settings, tmp_path: Path) -> None:
    mine = own_model(options, "1.0")
    with database.writing() as session:
        activate(session, mine)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(options.models_folder, elsewhere)
    assert serve(database, settings(tmp_path, Models=elsewhere)).digest == mine.digest


def test_a_loaded_model_does_not_change_with_its_file(database: Database, options: Settings) -> None:
    mine = own_model(options, "1.0")
    with database.writing() as session:
        activate(session, mine)
    serving = serve(database, options)
    hu = head()
    hu[ball(24, 12)] = BLOOD
    before = serving.classifier.predict(volume(hu))
    with mine.networks[0].open("r+b") as network:
        network.write(b"\xff" * mine.networks[0].stat().st_size)
    assert np.array_equal(serving.classifier.predict(volume(hu)), before) and before.max() > 0.5


def test_a_shadow_is_loaded_beside_it_and_ends_when_it_cannot_be(
    database: Database, options: Settings
) -> None:
    serving = serve(database, options)
    active, mine, other = serving.digest, own_model(options, "1.0"), own_model(options, "2.0")
    with database.writing() as session:
        begin_shadow(session, mine)
    loaded = serving.shadow(mine.digest)
    assert loaded is not None and loaded.bundle.digest == mine.digest
    assert serving.shadow(mine.digest) is loaded
    with database.writing() as session:
        begin_shadow(session, other)
    damage(other)
    assert serving.shadow(other.digest) is None
    with database.reading() as session:
        assert model_history.shadow(session) is None
    assert (serving.digest, shown(database)) == (active, (active, None))


# --- Anything in any order ------------------------------------------------------------------------

MODEL = strategies.sampled_from(VERSIONS)


class ModelsMachine(RuleBasedStateMachine):
    """Administrators change models, folders are altered, deleted and restored, workers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="triage-models-", dir=MEMORY))
        self.default = threshold_bundle(self.folder / "default", version="0")
        self.options = settings(self.folder, Bundle=self.default.folder)
        self.database = open_store(self.folder)
        with self.database.writing() as session:
            queue.sign_of_life(session, WORKER, after(0))
        self.bundles = {version: own_model(self.options, version) for version in VERSIONS}
        self.originals = self.folder / "originals"
        shutil.copytree(self.options.models_folder, self.originals)

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize()
    def start(self) -> None:
        self.serving = serve(self.database, self.options)

    @rule(version=MODEL)
    def activate(self, version: str) -> None:
        with self.database.writing() as session:
            activate(session, self.bundles[version])

    @rule(version=MODEL)
    def begin_shadow(self, version: str) -> None:
        digest = self.bundles[version].digest
        with self.database.writing() as session:
            in_service = model_history.active(session)
            try:
                begin_shadow(session, self.bundles[version])
            except ConflictError:
                assert in_service == digest

    @rule()
    def end_shadow(self) -> None:
        with self.database.writing() as session:
            model_history.end_shadow(session, actor="abe", reason="", seen=None, now=after(0))

    @rule()
    def roll_back(self) -> None:
        offers = folders.offers(self.options)
        usable = {offer.bundle.digest for offer in offers if offer.bundle is not None}
        with self.database.writing() as session:
            stands = model_history.standing(session)
            try:
                model_history.roll_back(session, usable, actor="abe", reason="", seen=None, now=after(0))
            except ConflictError:
                assert stands.before is None or stands.before not in usable
            else:
                assert model_history.standing(session).line == stands.line[:-1]

    @rule(version=MODEL)
    def alter(self, version: str) -> None:
        if self.bundles[version].networks[0].exists():
            damage(self.bundles[version])

    @rule(version=MODEL)
    def delete(self, version: str) -> None:
        shutil.rmtree(self.bundles[version].folder, ignore_errors=True)

    @rule(version=MODEL)
    def restore(self, version: str) -> None:
        self.delete(version)
        shutil.copytree(self.originals / f"threshold-{version}", self.bundles[version].folder)

    @rule()
    def between_two_series(self) -> None:
        before = self.serving.digest
        self.serving.follow()
        with self.database.reading() as session:
            wanted = model_history.standing(session)
            shadow = model_history.shadow(session)
        assert self.serving.digest == wanted.active
        if self.serving.digest != before:
            assert load_bundle(self.serving.classifier.bundle.folder).digest == self.serving.digest
        if shadow is not None:
            loaded = self.serving.shadow(shadow.digest)
            assert loaded is None or loaded.bundle.digest == shadow.digest

    @rule()
    def restart(self) -> None:
        self.serving = serve(self.database, self.options)
        self.between_two_series()

    @rule()
    def die_while_loading(self) -> None:
        with self.database.writing() as session:
            wanted = model_history.active(session)
            model_history.loading(session, WORKER, wanted)
            queue.worker_lost(session, WORKER, after(0), self.options)
            queue.sign_of_life(session, WORKER, after(0))
        self.restart()

    @invariant()
    def exactly_one_is_active(self) -> None:
        with self.database.reading() as session:
            stands = model_history.standing(session)
            view = listing.view(session, folders.offers(self.options), may_change=False)
            changes = model_history.history(session)
        if not hasattr(self, "serving"):
            return
        active = [m for m in view.models if m.state is ModelState.ACTIVE]
        assert [m.digest for m in active] == [stands.active]
        assert sum(m.in_service for m in view.models) == 1
        shadows = [m.digest for m in view.models if m.state is ModelState.SHADOW]
        assert shadows == ([stands.shadow] if stands.shadow else []) and stands.shadow != stands.active
        assert [change.id for change in changes] == list(range(1, len(changes) + 1))
        known = {*(b.digest for b in self.bundles.values()), self.default.digest}
        assert stands.active in known and self.serving.digest in known


ModelsMachine.TestCase.settings = run_with(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnythingInAnyOrder = pytest.mark.long(ModelsMachine.TestCase)
