"""AlexNet by image and by patient, on made pictures of a few patients, with a narrow network."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from headct.errors import SettingsError, UnusableInputError
from headct.generator.generation import generate, write
from headct.images.reading import load_series
from model_training.cli import main
from model_training.datasets.manifest import Entry, Manifest
from model_training.reproduction import learning
from model_training.reproduction.answers import Answers
from model_training.reproduction.dealing import TASKS, Dealing, folds, parts, seen_before
from model_training.reproduction.figures import out_of_fold
from model_training.reproduction.pictures import Pictures
from model_training.reproduction.settings import Settings, Variation
from model_training.reproduction.variation import Variations, order, varied

CONFIG = """
epochs = 2
curves = ["colours"]
batch = 32
learning_rate = 1e-3
precision = "float32"
width = 0.05
"""
COLOURS = ("GREEN", "RED", "YELLOW", "BLACK")
SPLITS = ("train", "train", "train", "train", "train", "validation", "test", "train")


def made_patient(number: int) -> Entry:
    colour = COLOURS[number % 4]
    return Entry(
        f"P{number}",
        "made",
        colour != "GREEN",
        urgency=colour,
        urgency_by="provisional",
        split=SPLITS[number],
        fold=number // 4,
    )


PATIENTS = tuple(made_patient(n) for n in range(8))
PICTURES = np.arange(8 * len(PATIENTS))
ROUNDING = 0.01
"""Of probabilities, after the same training with sums in another order."""


def made_pictures() -> Pictures:
    """Brain with noise; alerts are bright, so that something can be learnt at once."""
    random = np.random.default_rng(0)
    level = np.array([200 if p.colour.alert else 60 for p in PATIENTS])[:, None, None, None]
    grey = np.clip(level + random.normal(0, 10, (8, 8, 256, 256)), 0, 255).astype(np.uint8)
    return Pictures(tuple(p.patient for p in PATIENTS), grey)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    external = Entry("X", "elsewhere", True, masked=False, split="external")
    left_out = Entry("Y", "made", True, exclusion="repeat")
    Manifest((*PATIENTS, external, left_out), rubric="made").write(folder)
    (tmp_path / "settings.toml").write_text(CONFIG)
    (tmp_path / "run" / "reproduction").mkdir(parents=True)
    made_pictures().write(tmp_path / "run" / "reproduction" / "pictures.npz")
    return folder


def reproduce(data, *more):
    root = data.parent
    arguments = ["reproduce", "--data", data, "--run", root / "run", "--jobs", 1, *more]
    if "--config" not in more:
        arguments += ["--config", root / "settings.toml"]
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_one_command_trains_judges_resumes_and_refuses_a_mixture(data, tmp_path):
    result = reproduce(data)
    assert result.exit_code == 0, result.output
    run = tmp_path / "run"
    figures = json.loads((run / "reproduction.json").read_text())
    assert (figures["patients"], figures["pictures"]) == (8, 64)
    assert figures["colours"] == dict.fromkeys(COLOURS, 2)
    assert figures["by_image"]["alert"]["seen_in_training"] == 1.0
    assert figures["by_patient"]["alert"]["seen_in_training"] == 0.0
    for dealing in Dealing:
        alert = figures[dealing]["alert"]
        assert set(alert["scores"]) == {p.patient for p in PATIENTS}
        assert alert["positive"] == 4
        for name in ("picture_accuracy", "accuracy", "sensitivity", "specificity", "auc"):
            assert 0 <= alert[name]["low"] <= alert[name]["value"] <= alert[name]["high"] <= 1
        curve = figures["curves"][dealing]["colours"]
        assert curve["epoch"] == [1, 2] and curve["classes"] == ["GREEN", "YELLOW", "RED", "BLACK"]
        for name in ("training_loss", "validation_loss", "validation_accuracy"):
            assert len(curve[name]) == 2 and np.isfinite(curve[name]).all()
        counted = sum(n for row in curve["test_table"].values() for n in row.values())
        assert counted == curve["pictures"]["test"] > 0
    assert any((run / "reproduction" / "by_image" / "alert" / "fold-0" / "tensorboard").rglob("*tfevents*"))

    # Scores are the mean of answers given by the network of the fold that had not seen the picture.
    gathered = np.full(64, np.nan)
    for fold in (0, 1):
        answers = Answers.read(run / "reproduction" / "by_image" / "alert" / f"fold-{fold}")
        assert (folds(Dealing.BY_IMAGE, PATIENTS)[answers.pictures] == fold).all()
        assert np.isnan(gathered[answers.pictures]).all()
        gathered[answers.pictures] = answers.probabilities[:, 1]
    expected = gathered.reshape(8, 8).mean(axis=1)
    assert list(figures["by_image"]["alert"]["scores"].values()) == pytest.approx(expected)

    # A stopped run: one network is missing, and the same comes out; the others are not trained again.
    again = run / "reproduction" / "by_patient" / "alert" / "fold-1"
    kept = run / "reproduction" / "by_patient" / "alert" / "fold-0" / "answers.npz"
    before, written = Answers.read(again), kept.stat().st_mtime_ns
    (again / "answers.npz").unlink()
    assert reproduce(data).exit_code == 0
    assert Answers.read(again).probabilities == pytest.approx(before.probabilities, abs=ROUNDING)
    assert kept.stat().st_mtime_ns == written
    assert json.loads((run / "reproduction.json").read_text())["settings"] == figures["settings"]

    (tmp_path / "other.toml").write_text(CONFIG.replace("epochs = 2", "epochs = 3"))
    refused = reproduce(data, "--config", tmp_path / "other.toml")
    assert refused.exit_code == 2 and "other data or settings" in refused.output


def test_every_network_is_shown_its_pictures_with_their_labels(data, monkeypatch):
    """Bright pictures are alerts; those that a network is asked about it is not trained on."""

    class Untrained:
        def predict(self, pictures, **_):
            return np.full((len(pictures), classes), 1 / classes)

        def count_params(self):
            return 1

    def shown(what, grey, label, train, watched):
        nonlocal classes
        classes = len(TASKS[what.task].classes)
        bright = grey.reshape(len(grey), -1).mean(axis=1) > 130
        assert np.array_equal(bright, np.repeat([p.colour.alert for p in PATIENTS], 8))
        assert what.task == "alert" and np.array_equal(label == 1, bright)
        held.append((what.dealing, what.fold, set(train.tolist())))
        return Untrained()

    classes = 0
    held: list[tuple[Dealing, int | None, set[int]]] = []
    monkeypatch.setattr(learning, "_fit", shown)
    (data.parent / "settings.toml").write_text(CONFIG.replace('["colours"]', "[]"))
    assert reproduce(data).exit_code == 0
    assert {(dealing, fold) for dealing, fold, _ in held} == {(d, f) for d in Dealing for f in (0, 1)}
    for dealing, fold, train in held:
        asked = set(np.flatnonzero(folds(dealing, PATIENTS) == fold).tolist())
        assert asked and not asked & train and asked | train == set(PICTURES.tolist())


def test_what_cannot_be_reproduced_is_said_plainly(data, tmp_path):
    (tmp_path / "run" / "reproduction" / "pictures.npz").unlink()
    assert "name the folder of the series" in reproduce(data).output
    assert "no series of P0" in reproduce(data, "--ct-ich", tmp_path).output
    Manifest(tuple(Entry(f"P{n}", "made", True, fold=n % 2) for n in range(4))).write(data)
    assert "no urgency of P0, P1" in reproduce(data).output


def test_by_image_leaks_and_by_patient_never_does():
    for deal in (folds, parts):
        by_image, by_patient = deal(Dealing.BY_IMAGE, PATIENTS), deal(Dealing.BY_PATIENT, PATIENTS)
        for side in np.unique(by_patient):
            on, off = np.flatnonzero(by_patient == side), np.flatnonzero(by_patient != side)
            assert seen_before(PATIENTS, off, on) == 0.0
        for side in np.unique(by_image):
            on, off = np.flatnonzero(by_image == side), np.flatnonzero(by_image != side)
            assert seen_before(PATIENTS, off, on) > 0.5
        assert np.array_equal(by_image, deal(Dealing.BY_IMAGE, PATIENTS))
    assert np.bincount(folds(Dealing.BY_IMAGE, PATIENTS)).tolist() == [32, 32]
    names, counts = np.unique(parts(Dealing.BY_IMAGE, PATIENTS), return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"train": 51, "validation": 7, "test": 6}


def test_two_entries_of_one_person_count_as_seen():
    twice = (Entry("A", "made", True, person="A"), Entry("A-2", "made", True, person="A"))
    assert seen_before(twice, np.arange(8), np.arange(8, 16)) == 1.0
    assert seen_before(PATIENTS, np.arange(8), np.arange(0)) is None


def test_pictures_of_a_patient_share_their_score_and_interval():
    """Half the pictures of every patient are right: eight times as many pictures narrow no interval."""
    alert = np.repeat([p.colour.alert for p in PATIENTS], 8)
    right = np.tile([True, False], 32)
    found = out_of_fold(Dealing.BY_PATIENT, TASKS["alert"], PATIENTS, np.where(right == alert, 0.9, 0.1))
    assert found["picture_accuracy"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    of_patient = np.where([p.colour.alert for p in PATIENTS], 0.8, 0.3)
    of_patient[0] = 0.9
    found = out_of_fold(Dealing.BY_PATIENT, TASKS["alert"], PATIENTS, np.repeat(of_patient, 8))
    assert found["picture_accuracy"]["value"] == found["accuracy"]["value"] == 7 / 8
    assert found["picture_accuracy"]["low"] <= 0.75
    assert (found["sensitivity"]["value"], found["specificity"]["value"]) == (1.0, 0.75)
    assert found["auc"]["value"] == 0.75
    assert found["accuracy_of_the_commoner_class"] == 0.5


def test_seventeen_epochs_show_each_variation_of_each_picture_once():
    shown = order(5, 17, 34, seed=1)
    for epoch in shown:
        assert sorted(epoch[:, 0]) == list(range(5))
    for half in (shown[:17], shown[17:]):
        assert len({tuple(pair) for pair in half.reshape(-1, 2)}) == 5 * 17
    assert not np.array_equal(shown[:17], shown[17:])


def test_the_first_variation_is_the_picture_and_others_stay_within_reach():
    how = Variation(of_each=17, rotation_deg=15, scale=0.1, noise=10)
    drawn = Variations.draw(50, how, seed=3)
    columns, rows = np.meshgrid(np.arange(256.0), np.arange(256.0))
    grey = (np.hypot(rows - 100, columns - 150) < 40).astype(np.float32)[..., None] * 200
    first = varied(grey, drawn.transforms[0, 0], drawn.noise[0, 0], (0, 0))
    assert np.array_equal(first, grey)
    linear = drawn.transforms[..., [[0, 1], [3, 4]]]
    size = np.linalg.det(linear)
    assert np.abs(size).min() >= 0.81 and np.abs(size).max() <= 1.21
    assert 0.4 < (size[:, 1:] < 0).mean() < 0.6
    turn = np.rad2deg(np.arctan2(linear[..., 1, 0] * np.sign(size), linear[..., 1, 1]))
    assert 14 < np.abs(turn).max() <= 15.001
    middle = np.array([127.5, 127.5])
    assert linear @ middle + drawn.transforms[..., [2, 5]] == pytest.approx(
        np.broadcast_to(middle, (50, 17, 2)), abs=1e-3
    )
    noisy = varied(grey, drawn.transforms[0, 0], np.float32(10), (0, 1)).numpy()
    assert noisy.min() >= 0 and noisy.max() <= 255
    assert noisy[90:110, 140:160].std() == pytest.approx(10, rel=0.15)
    assert np.array_equal(noisy, varied(grey, drawn.transforms[0, 0], np.float32(10), (0, 1)))


def test_pictures_are_cut_from_the_series_of_the_manifest(tmp_path):
    write(generate("normal", 1, matrix=128, thickness_mm=10.0), tmp_path / "series" / "P0")
    digest = load_series(sorted((tmp_path / "series" / "P0").glob("*.dcm"))).pixel_digest
    patient = Entry("P0", "made", False, pixel_digest=digest)
    pictures = Pictures.cut(tmp_path, [patient])
    assert pictures.grey.shape == (1, 8, 256, 256) and pictures.grey.std() > 20
    pictures.write(tmp_path / "pictures.npz")
    read = Pictures.read(tmp_path / "pictures.npz", [patient])
    assert read.patients == ("P0",) and np.array_equal(read.grey, pictures.grey)
    with pytest.raises(UnusableInputError, match="other patients"):
        Pictures.read(tmp_path / "pictures.npz", PATIENTS)
    with pytest.raises(UnusableInputError, match="not the one in the manifest"):
        Pictures.cut(tmp_path, [Entry("P0", "made", False, pixel_digest="other")])


@pytest.mark.parametrize(
    "text",
    [
        "epoch = 3",
        "[variation]\nblur = 1",
        'folds = ["colours"]',
        "folds = []\ncurves = []",
        'curves = ["x"]',
        "=",
    ],
)
def test_unknown_settings_are_refused(tmp_path, text):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(SettingsError):
        Settings.read(path)
