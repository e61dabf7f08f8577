import json
import shutil
from dataclasses import replace
from math import nan

import pytest
from bundles import CREATED, NETWORK, contents, only_these_ship, threshold_bundle
from hypothesis import given
from hypothesis import strategies as st

import headct.network.bundle
from headct.errors import BundleError
from headct.network.bundle import default_bundle, load_bundle, write_bundle
from headct.network.contents import (
    Calibration,
    InputContract,
    Thresholds,
    TrainingData,
    from_json,
    to_json,
)
from headct.network.preprocessing import Missing
from headct.network.reference import reference
from headct.terms.licence import Licence, Use
from headct.terms.quantities import Quantity


@pytest.fixture
def folder(tmp_path):
    return threshold_bundle(tmp_path / "threshold-1.0").folder


def refused(folder, says="."):
    with pytest.raises(BundleError, match=says) as raised:
        load_bundle(folder)
    assert "\n" not in str(raised.value)


def edit(folder, change):
    body = json.loads((folder / "bundle.json").read_text())
    change(body)
    (folder / "bundle.json").write_text(json.dumps(body))


def resealed(folder, change):
    """Edit and make the device UID fit again, so that the value itself is what is refused."""
    edit(folder, change)
    edit(folder, lambda body: body.update(device_uid=headct.network.bundle._device_uid(body)))


def test_round_trip(tmp_path):
    written = threshold_bundle(tmp_path / "a")
    read = load_bundle(tmp_path / "a")
    assert read == written
    assert read.contents == contents()
    assert read.created == CREATED
    assert read.networks[0].read_bytes() == NETWORK.read_bytes()
    assert read.identity.name == "threshold"
    assert len(read.digest) == 64
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_the_same_contents_have_the_same_device_and_others_another(tmp_path):
    first = threshold_bundle(tmp_path / "a")
    again = write_bundle(
        tmp_path / "b", contents(), NETWORK.read_bytes(), "# Threshold\n\nFor tests alone.\n"
    )
    assert first.device_uid == again.device_uid
    other_cut = threshold_bundle(tmp_path / "c", thresholds=Thresholds(0.4, 0.5))
    other_network = write_bundle(tmp_path / "d", contents(), NETWORK.read_bytes() + b"\0", "# Threshold\n")
    assert len({first.device_uid, other_cut.device_uid, other_network.device_uid}) == 3
    for bundle in (first, other_cut, other_network):
        assert bundle.device_uid.startswith("2.25.")
        assert len(bundle.device_uid) <= 64


def test_nothing_is_overwritten(folder):
    before = load_bundle(folder)
    with pytest.raises(BundleError, match="never overwritten"):
        threshold_bundle(folder)
    assert load_bundle(folder) == before


def test_a_refused_bundle_leaves_nothing_behind(tmp_path):
    with pytest.raises(BundleError):
        threshold_bundle(tmp_path / "a", thresholds=Thresholds(voxel=0.0, haemorrhage=1.0))
    with pytest.raises(BundleError, match="finite"):
        threshold_bundle(tmp_path / "a", figures={"auc": nan})
    with pytest.raises(BundleError, match="plain file name"):
        threshold_bundle(tmp_path / "a", networks=("../network.tflite",))
    assert list(tmp_path.iterdir()) == []


def test_an_altered_network_is_refused(folder):
    data = bytearray((folder / "network.tflite").read_bytes())
    data[100] ^= 1
    (folder / "network.tflite").write_bytes(data)
    refused(folder, "altered: network.tflite")


def test_an_altered_model_card_is_refused(folder):
    (folder / "MODEL_CARD.md").write_text("better")
    refused(folder, "altered: MODEL_CARD.md")


@pytest.mark.parametrize("name", ["network.tflite", "MODEL_CARD.md", "bundle.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    refused(folder, name)


def test_an_unlisted_file_is_refused_and_a_hidden_one_is_not(folder):
    (folder / ".DS_Store").write_bytes(b"x")
    load_bundle(folder)
    (folder / "other.tflite").write_bytes(b"x")
    refused(folder, "other.tflite")


def test_a_bundle_from_before_squares_goes_on_with_plain_sums(folder):
    resealed(folder, lambda body: body["cuts"].pop("power"))
    assert load_bundle(folder).contents.thresholds == replace(contents().thresholds, power=1.0)


def test_the_reference_is_kept_and_guarded(tmp_path):
    of_two = reference([{Quantity.AGE_YEARS: 40.0}, {Quantity.AGE_YEARS: 70.0, Quantity.SLICES: 30}])
    plain, written = threshold_bundle(tmp_path / "plain"), threshold_bundle(tmp_path / "a", reference=of_two)
    assert load_bundle(tmp_path / "plain").contents.reference is None
    assert load_bundle(tmp_path / "a").contents.reference == of_two
    assert written.device_uid != plain.device_uid
    edit(written.folder, lambda body: body["reference"]["age_years"]["counts"].reverse())
    refused(written.folder, "altered: its device UID")


@pytest.mark.parametrize(
    "given", [[], {"height": {"edges": [1], "counts": [1, 1]}}, {"slices": {"edges": [1], "counts": [0, 0]}}]
)
def test_a_reference_that_cannot_be_is_refused(folder, given):
    resealed(folder, lambda body: body.update(reference=given))
    refused(folder)


def test_a_threshold_edited_by_hand_is_refused(folder):
    edit(folder, lambda body: body["cuts"].update(haemorrhage=0.1))
    refused(folder, "altered")


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/b", "..", ".", "", ".hidden", "a\\b", "bundle.json", "a\n", "C:x", "é"]
)
def test_a_path_is_no_file_name(folder, name):
    resealed(folder, lambda body: body["files"].update({name: "0" * 64}))
    refused(folder, "plain file name")


def test_a_link_is_refused(folder, tmp_path):
    shutil.move(folder / "network.tflite", tmp_path / "elsewhere")
    (folder / "network.tflite").symlink_to(tmp_path / "elsewhere")
    refused(folder, "network.tflite")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b.update(format=3), "format 3"),
        (lambda b: b.pop("format"), "format None"),
        (lambda b: b["input"].update(kind="eight_slices"), "another input"),
        (lambda b: b["input"].update(rows=256), "another input"),
        (lambda b: b["input"].update(context=-1), "cannot be"),
        (lambda b: b["input"].update(window=3), "cannot be"),
        (lambda b: b.pop("input"), "no input"),
        (lambda b: b.update(name=""), "cannot be"),
        (lambda b: b.update(name=3), "cannot be"),
        (lambda b: b.update(network="other.tflite"), "cannot be"),
        (lambda b: b["cuts"].update(voxel=1.5), "cannot be"),
        (lambda b: b["cuts"].update(haemorrhage="0.5"), "cannot be"),
        (lambda b: b["cuts"].pop("haemorrhage"), "incomplete"),
        (lambda b: b["cuts"].update(power=0), "cannot be"),
        (lambda b: b["calibration"]["alert"].update(slope=-1.0), "cannot be"),
        (lambda b: b["calibration"]["alert"].update(intercept=nan), "cannot be"),
        (lambda b: b["calibration"].pop("haemorrhage"), "incomplete"),
        (lambda b: b.update(calibration=[1, 2]), "incomplete"),
        (lambda b: b["data"].update(manifest_sha256="abc"), "cannot be"),
        (lambda b: b["data"].update(patients=True), "cannot be"),
        (lambda b: b["data"].update(sources=[1]), "cannot be"),
        (lambda b: b.update(figures=[]), "no figures"),
        (lambda b: b.pop("licence"), "incomplete"),
        (lambda b: b.update(use="all"), "cannot be"),
        (lambda b: b.update(use=None), "cannot be"),
        (lambda b: b.update(files=[]), "does not list"),
        (lambda b: b.update(files={}), "does not list"),
        (lambda b: b["files"].update({"network.tflite": "abc"}), "no SHA-256"),
        (lambda b: b["files"].pop("MODEL_CARD.md"), "no model card"),
        (lambda b: b.update(created="yesterday"), "when it was created"),
        (lambda b: b.update(created="2026-01-01T00:00:00"), "time zone"),
        (lambda b: b.pop("created"), "when it was created"),
    ],
)
def test_a_bundle_json_that_cannot_be_is_refused(folder, change, says):
    resealed(folder, change)
    refused(folder, says)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff\xfe", '"x"', "3"])
def test_a_bundle_json_that_is_none_is_refused(folder, text):
    (folder / "bundle.json").write_bytes(text.encode("latin-1"))
    refused(folder)


def test_a_folder_that_is_no_bundle(tmp_path):
    refused(tmp_path / "nothing", "not a bundle")
    refused(tmp_path, "not a bundle")


def test_the_default_is_the_named_one_else_the_newest(tmp_path, monkeypatch):
    package = tmp_path / "headct" / "network"
    package.mkdir(parents=True)
    monkeypatch.setattr(headct.network.bundle, "__file__", str(package / "bundle.py"))
    monkeypatch.delenv("HEADCT_BUNDLE", raising=False)
    with pytest.raises(BundleError, match="--bundle"):
        default_bundle()
    for name, created in (("z-1", CREATED.replace(year=2025)), ("a-2", CREATED)):
        write_bundle(tmp_path / "models" / name, contents(), NETWORK.read_bytes(), "card", created=created)
    assert default_bundle().name == "a-2"
    monkeypatch.setenv("HEADCT_BUNDLE", str(tmp_path / "mine"))
    assert default_bundle() == tmp_path / "mine"


def test_what_is_for_research_is_the_default_only_where_asked_for(tmp_path, monkeypatch):
    def made(name, use, year):
        when = CREATED.replace(year=year)
        about = contents(version=name, use=use)
        return write_bundle(tmp_path / name, about, NETWORK.read_bytes(), "card", created=when)

    old, new = made("1", Use.ANY, 2024), made("2", Use.ANY, 2025)
    older, best = made("3", Use.RESEARCH, 2023), made("4", Use.RESEARCH, 2024)
    newest = made("5", Use.RESEARCH, 2027)
    only_these_ship(monkeypatch, old, best, new, older)
    assert (default_bundle(), default_bundle(research=True)) == (new.folder, best.folder)
    only_these_ship(monkeypatch, old, best, new, newest)
    assert (default_bundle(), default_bundle(research=True)) == (new.folder, newest.folder)
    only_these_ship(monkeypatch, old)
    assert default_bundle(research=True) == old.folder
    only_these_ship(monkeypatch, best)
    with pytest.raises(BundleError, match="for any use"):
        default_bundle()
    monkeypatch.setenv("HEADCT_BUNDLE", str(tmp_path / "mine"))
    assert default_bundle(research=True) == tmp_path / "mine"


def test_what_a_bundle_may_be_used_for_is_said_in_it_and_an_older_one_is_for_any_use(tmp_path):
    text = "that of its data: no business; trained on theirs"
    for use in Use:
        bundle = threshold_bundle(tmp_path / use, use=use, licence=text)
        assert json.loads((bundle.folder / "bundle.json").read_text())["use"] == use
        assert load_bundle(bundle.folder).licence == Licence(text, use)
        assert bundle.licence.headline == "that of its data: no business"
    resealed(bundle.folder, lambda body: body.pop("use"))
    assert load_bundle(bundle.folder).contents.use is Use.ANY


@given(st.floats(0.001, 100), st.floats(-100, 100), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_calibration_is_a_rising_probability(slope, intercept, score, more):
    calibration = Calibration(slope, intercept)
    assert 0.0 <= calibration(score) <= calibration(score + more) <= 1.0


def test_contents_compare_by_value():
    assert contents() == contents()
    assert contents() != replace(contents(), data=TrainingData("1" * 64, 1, ("drawn",)))
    assert InputContract().kind == "head_volume"


def test_a_bundle_says_what_stands_for_missing_neighbours_and_an_older_one_need_not(tmp_path):
    told = write_bundle(
        tmp_path / "told", contents(input=InputContract(missing=Missing.AIR)), NETWORK.read_bytes(), "card"
    )
    assert told.contents.input.missing is Missing.AIR
    body = to_json(contents(), {"network.tflite": "0" * 64})
    del body["input"]["missing"]
    assert from_json(body, tmp_path).input.missing is Missing.REPEATED
    body["input"]["missing"] = "guessed"
    with pytest.raises(BundleError, match="guessed"):
        from_json(body, tmp_path)
