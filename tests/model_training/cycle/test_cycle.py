"""Whole cycles: a learned urgency or a network learnt, judged by the gate, handed over or stopped."""

import fcntl
import json
import shutil

import pytest
from bundles import threshold_bundle
from click.testing import CliRunner

from headct.network.bundle import load_bundle
from headct.network.contents import Thresholds, TrainingData
from model_training.cli import main
from model_training.cycle import cycle as module
from model_training.datasets.lineage import Known, Place
from model_training.datasets.manifest import TEST, TRAIN, Manifest
from model_training.learning import train as training
from model_training.learning.config import TrainingConfig
from model_training.learning.fitting import read_log
from model_training.learning.train import SETTINGS, run_folder
from model_training.shipping import learned_urgency
from tests.model_training.bright_network import bright_is_blood
from tests.model_training.drawn_patients import drawn, written

THRESHOLDS = Thresholds(voxel=0.5, haemorrhage=-0.3)
COLOURS = ("GREEN", "RED", "GREEN", "YELLOW", "GREEN", "RED")
GENTLE = """
widths = [8, 8]
epochs = 1
steps = 1
batch = 2
precision = "float32"
learning_rate = 1e-6
[sampling]
grafted = 0.0
mimics = 0.0
[augmentation]
window = [32, 32]
"""
LONG_AGO = "e" * 64
THRESHOLD_HU = 45
"""What is brighter is blood to the network that cycles go on from; drawn brain has 35 HU, drawn blood 65."""


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """100 reviewed patients, a fifth of them for the gate; the bundle that judges there."""
    root = tmp_path_factory.mktemp("hospital")
    written(root / "data", [drawn(n, COLOURS[n % 6]) for n in range(100)])
    known = TrainingData("0" * 64, 9, ("elsewhere",), ("a" * 64,))
    threshold_bundle(root / "in-service", thresholds=THRESHOLDS, data=known)
    return root


def command(root, tmp_path, *more, data="data", run="run", models="models", version="2.0"):
    return CliRunner().invoke(
        main,
        [
            *("cycle", "--data", str(root / data), "--in-service", str(root / "in-service")),
            *("--run", str(tmp_path / run), "--models", str(tmp_path / models), "--version", version),
            *map(str, more),
        ],
    )


def test_a_head_that_passes_lies_in_the_models_folder_and_nothing_is_activated(
    hospital, tmp_path, monkeypatch
):
    ended = command(hospital, tmp_path)
    assert ended.exit_code == 0, ended.output
    put = load_bundle(tmp_path / "models" / "threshold-2.0")
    before = load_bundle(hospital / "in-service")
    head = put.contents.learned_urgency
    assert head.patients == 80
    assert (
        put.networks[0].read_bytes() == before.networks[0].read_bytes()
        and put.device_uid != before.device_uid
    )
    assert put.contents.data == before.contents.data and put.contents.thresholds == before.contents.thresholds
    card = (put.folder / "MODEL_CARD.md").read_text()
    assert "# threshold 2.0" in card and "# Threshold" in card and "80 specialists' labels" in card
    assert "# Gate: PASS" in ended.output and "/models/threshold-2.0/activate" in ended.output
    # Nobody of the test part had a part in the head, all are compared on.
    manifest = Manifest.read(tmp_path / "run" / "data")
    judged = json.loads((tmp_path / "run" / "gate.json").read_text())
    assert set(judged["patients"]) == {p.patient for p in manifest.part(TEST)}
    assert head.figures["manifest_sha256"] == manifest.sha256
    # Asked again it says the same, and puts back what is no longer there.
    said = (tmp_path / "run" / "cycle.json").read_bytes()
    shutil.rmtree(put.folder)
    assert command(hospital, tmp_path).exit_code == 0
    assert load_bundle(put.folder).digest == put.digest
    assert (tmp_path / "run" / "cycle.json").read_bytes() == said
    # That nothing can be promised of the bundle in service is said, and is no end of the cycle.
    monkeypatch.setenv("HEADCT_PASSWORD", "not-a-secret")
    promised = command(hospital, tmp_path, "--promise", "nowhere", "--user", "sato")
    assert promised.exit_code == 0
    assert "The promise of in-service is not renewed: the address must be" in promised.output


class Killed(BaseException):
    """As if the process had ended."""


def test_a_cycle_that_is_killed_goes_on_where_it_was(hospital, tmp_path, monkeypatch):
    """Killed after each step in turn, and in the middle of the hand-over; no step is taken twice."""
    taken = []

    def dying(name, before=False):
        real = getattr(module, name)

        def step(*arguments, **options):
            if before:
                raise Killed
            taken.append(name)
            real(*arguments, **options)
            raise Killed

        return step

    models = tmp_path / "models"
    for name in ("freeze", "head_candidate", "gate"):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(module, name, dying(name))
            command(hospital, tmp_path)
        assert not models.exists()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(module, "head_candidate", dying("head_candidate"))
        patched.setattr(module.shutil, "copytree", dying("_put", before=True))
        command(hospital, tmp_path)
    assert taken == ["freeze", "head_candidate", "gate"]
    assert [path for path in models.iterdir() if not path.name.startswith(".")] == []
    assert json.loads((tmp_path / "run" / "cycle.json").read_text())["verdict"] == "pass"
    assert command(hospital, tmp_path).exit_code == 0
    assert [path.name for path in models.iterdir()] == ["threshold-2.0"]


def test_a_candidate_that_is_stopped_leaves_the_models_folder_as_it_was(hospital, tmp_path):
    margins = tmp_path / "margins.toml"
    margins.write_text("[limits]\nmegabytes = 0.0001\n")
    models = tmp_path / "models"
    threshold_bundle(models / "threshold-1.0")
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    for _ in range(2):
        stopped = command(hospital, tmp_path, "--margins", margins)
        assert stopped.exit_code == 1 and "# Gate: STOPPED" in stopped.output
        assert "the models folder is as it was" in stopped.output
    assert {path: path.read_bytes() for path in models.rglob("*") if path.is_file()} == before
    report = (tmp_path / "run" / "cycle.md").read_text()
    assert report in stopped.output and "at most 0.0001 MB are allowed" in report
    assert json.loads((tmp_path / "run" / "gate.json").read_text())["verdict"] == "stopped"
    # Margins are settled before anything is measured.
    again = command(hospital, tmp_path)
    assert again.exit_code == 2 and "was begun with other margins: take a new folder" in again.output


@pytest.fixture(scope="module")
def earlier(hospital):
    """An earlier run with its data: a network with weights set by hand that sees blood, for every fold.

    What so few steps teach differs from processor to processor, and is not what these tests are about.
    """
    colours = ("GREEN", "RED", "GREEN", "YELLOW")
    base = [drawn(200 + n, colours[n % 4], source="ct_ich", masked=True, split=TRAIN) for n in range(8)]
    data, run = written(hospital / "base", base), hospital / "base-run"
    # Of a cycle before, whose data are not there any more.
    Known({LONG_AGO: Place("CT-0", "ct_ich", TRAIN, 0)}).write(data)
    settings = hospital / "gentle.toml"
    settings.write_text(GENTLE)
    config = TrainingConfig.read(settings)
    network = bright_is_blood(THRESHOLD_HU, config.widths)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "_fitted", lambda *given, **options: network)
        for fold in (None, *Manifest.read(data).folds):
            training.train(data, run, config, seed=1, fold=fold)
    written(hospital / "few", [drawn(n, COLOURS[n % 6]) for n in range(20)])
    written(hospital / "nobody", [drawn(n, "GREEN") for n in range(1, 4)])
    return hospital


def network_options(root, tmp_path, settings):
    config = tmp_path / "settings.toml"
    config.write_text(settings)
    start = ("--what", "network", "--base", root / "base", "--base-run", root / "base-run")
    return (*start, "--config", config, "--precision", "float32", "--repeats", 1)


def test_what_cannot_be_used_is_refused_and_nothing_is_written_to_the_models_folder(earlier, tmp_path):
    network = network_options(earlier, tmp_path, GENTLE)
    strange = tmp_path / "strange"
    shutil.copytree(earlier / "base-run", strange)
    for path in strange.rglob(SETTINGS):
        path.write_text(path.read_text().replace('"manifest": "', '"manifest": "0'))
    existing = tmp_path / "existing"
    threshold_bundle(existing / "threshold-2.0")

    def refused(words, *more, **names):
        ended = command(earlier, tmp_path, *more, **names)
        assert ended.exit_code == 2 and words in " ".join(ended.output.split()), ended.output
        assert not (tmp_path / "models").exists()

    refused("a learned urgency needs 40", data="few", run="a")
    refused("nobody is there to compare bundles on", data="nobody", run="b")
    refused("was begun with other data: take a new folder", data="data", run="b")
    refused("was begun with other version: take a new folder", data="nobody", run="b", version="3")
    refused("holds no prepared data", data="in-service", run="c")
    refused("is no version", version="../3", run="d")
    refused("goes on from an earlier run", "--what", "network", run="e")
    refused("on other data than", *network, "--base-run", strange, data="few", run="f")
    refused("holds no trained network", *network, "--base-run", tmp_path, data="few", run="g")
    refused("threshold-2.0 exists already", models="existing", run="h")
    with (tmp_path / "a" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused("another process is at the cycle", data="few", run="a")


@pytest.mark.usefixtures("short_measurements", "one_precision")
def test_a_network_goes_on_from_an_earlier_run_and_passes(earlier, tmp_path, monkeypatch):
    monkeypatch.setattr(learned_urgency, "FEWEST", 20)  # a day's patients instead of a month's
    monkeypatch.setattr(learned_urgency, "FEWEST_OF_A_COLOUR", 3)
    ended = command(earlier, tmp_path, *network_options(earlier, tmp_path, GENTLE), data="few")
    assert ended.exit_code == 0, ended.output
    run, put = tmp_path / "run", load_bundle(tmp_path / "models" / "headct-bleed-2.0")
    assert put.contents.figures["export"]["shipped"] == "float32"
    manifest = Manifest.read(run / "data")
    assert put.contents.figures["patients"] == len(manifest.in_folds) == 28
    # Who was learnt from by what the network in service flagged is among those it knows, too.
    assert any(p.masked_by_network for p in manifest.part(TRAIN))
    learnt = {p.pixel_digest for p in manifest.part(TRAIN)}
    assert set(put.contents.data.pixel_digests) == {*learnt, LONG_AGO}
    assert put.contents.learned_urgency.patients == 24
    judged = json.loads((run / "gate.json").read_text())["patients"]
    assert set(judged) == {"P-000", "P-005", "P-010", "P-015"}
    assert "what the network in service flagged was learnt from" in ended.output
    assert len(read_log(run_folder(run, 1, None))) == 1
