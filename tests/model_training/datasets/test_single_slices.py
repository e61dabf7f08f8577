"""Slices that come alone: from pictures to samples, patients never split, heads dealt as without them."""

import numpy as np
import pytest
from layouts import middle_slice, write_bhsd, write_rsna, write_rsna_slices

from headct.errors import UnusableInputError
from model_training.datasets import single_slices
from model_training.datasets.manifest import Entry
from model_training.datasets.pictures import AIR_HU, BONE_HU, hounsfield
from model_training.datasets.preparation import prepare
from model_training.datasets.sample import UNSAID, Sample, sample_path
from model_training.datasets.source import BLEEDS
from model_training.datasets.sources.rsna_slices import LITTLE_BRAIN
from model_training.datasets.split import TRAINED_ON, split
from model_training.datasets.summary import summary

ROWS = [
    {"image_id": "ID_a", "subdural": 1, "any": 1, "patient_id": "ID_p"},
    {"image_id": "ID_b", "patient_id": "ID_p"},
    {"image_id": "ID_c", "window_width": 150},
    {"image_id": "ID_d", "brain_fraction": 0.01},
]


def in_use(manifest):
    return {p.patient: p for p in manifest.patients if not p.exclusion}


def test_pictures_become_samples_with_their_labels(tmp_path, monkeypatch):
    write_rsna_slices(tmp_path / "rsna", ROWS)
    write_bhsd(tmp_path / "bhsd", ["mbh/120018", "mbh25/120019"])
    sources, out = {"rsna_slices": tmp_path / "rsna", "bhsd_masks": tmp_path / "bhsd"}, tmp_path / "out"
    manifest = prepare(sources, out, train_on=["rsna_slices"])
    used = in_use(manifest)
    assert set(used) == {
        "RSNA-slice-a", "RSNA-slice-b", "RSNA-slice-c", "BHSD-mbh-120018", "BHSD-mbh25-120019"
    }  # fmt: skip
    assert [p.exclusion for p in manifest.excluded] == [LITTLE_BRAIN]
    assert all(p.single and p.teaches for p in used.values()) and manifest.in_folds == ()
    assert used["RSNA-slice-a"].who == used["RSNA-slice-b"].who == "RSNA-p"
    assert used["RSNA-slice-c"].who == "RSNA-slice-c"
    assert used["BHSD-mbh-120018"].who == used["BHSD-mbh25-120019"].who == "BHSD-120"
    blood = Sample.read(sample_path(out, used["RSNA-slice-a"]))
    said = [1, *(int(kind == "sdh") for kind in BLEEDS)]
    assert blood.labels is not None and blood.labels.tolist() == [said] and not blood.mask.any()
    assert blood.volume.hu.shape == (1, 192, 160)
    # Upside down or not, the marks lie at the front; of both the same.
    marks = [Sample.read(sample_path(out, used[f"BHSD-{n}"])).mask for n in ("mbh-120018", "mbh25-120019")]
    assert marks[0].any() and np.array_equal(*marks) and np.nonzero(marks[0][0])[0].mean() < 96
    assert used["BHSD-mbh-120018"].masked and not used["RSNA-slice-a"].masked
    words = summary(manifest)
    assert "single slices" in words and "non-commercial" in words

    monkeypatch.setattr(single_slices.Picture, "read", None)
    assert prepare(sources, out, train_on=["rsna_slices"]) == manifest, "what is done is not done again"


def test_a_slice_of_the_published_archive_has_its_own_label(tmp_path):
    write_rsna(tmp_path / "rsna", {("a1", "x"): {9: ["epidural", "any"]}})
    write_rsna_slices(tmp_path / "slices", [{"image_id": "ID_z", "patient_id": "ID_a1"}])
    sources = {"rsna": tmp_path / "rsna", "rsna_slices": tmp_path / "slices"}
    manifest = prepare(sources, tmp_path / "out", train_on=list(sources))
    stack, alone = in_use(manifest)["RSNA-a1"], in_use(manifest)["RSNA-slice-z"]
    labels = Sample.read(sample_path(tmp_path / "out", stack)).labels
    assert labels is not None and np.flatnonzero(labels[:, 0] == 1).tolist() == [9]
    assert labels[9, 1 + BLEEDS.index("edh")] == 1 and UNSAID not in labels
    assert stack.slice_labels and stack.teaches and not stack.masked and not stack.single
    assert (stack.fold, stack.split) == (alone.fold, alone.split), "a patient of both is in one part"


@pytest.mark.parametrize("width", [75, 80, 150])
def test_grey_is_hounsfield_again_where_the_window_held_it(width):
    hu = middle_slice()
    grey = np.round(np.clip((hu - 40 + width / 2) / width, 0, 1) * 255).astype(np.uint8)
    found = hounsfield(grey, width)
    held = (grey > 0) & (grey < 255)
    assert np.abs(found - hu)[held].max() <= width / 255 + 0.5
    assert found[0, 0] == AIR_HU and (found[hu > 600] == BONE_HU).mean() > 0.95


def test_saturated_specks_in_the_brain_are_no_bone():
    hu = np.clip(middle_slice(), 0, 255)
    speck = np.s_[62:65, 62:65]
    hu[speck] = 255
    assert (hounsfield(hu.astype(np.uint8), None)[speck] == 255).all()


def test_heads_are_dealt_alike_with_and_without_slices():
    heads = [Entry(f"P{n}", "ct_ich", n % 3 == 0) for n in range(40)]
    slices = [Entry(f"S{n}", "a", n % 4 == 0, person=f"Q{n // 3}", single=True) for n in range(60)]
    together = split([*slices, *heads])
    assert together[60:] == split(heads)
    assert len({(p.who, p.fold, p.split) for p in together}) == 40 + 20
    parts = [sum(p.fold == fold for p in together[:60]) for fold in range(5)]
    assert min(parts) >= 9


def test_nobody_is_trained_on_by_one_source_and_measured_on_by_another():
    both = [Entry("A", "open", bleeding=True), Entry("S", "closed", bleeding=False, person="A", single=True)]
    assert [p.exclusion for p in split(both, ["closed"])] == ["", TRAINED_ON]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"image_id": "ID_a", "any": 2}, "line 2 is no label"),
        ({"image_id": "ID_a", "window_width": 0}, "line 2 is no label"),
        ({"image_id": "ID_a", "brain_fraction": "some"}, "no number"),
    ],
)
def test_a_wrong_row_is_said_with_its_line(tmp_path, row, words):
    if row.get("window_width") == 0:
        row = {**row, "window_width": -1}
    write_rsna_slices(tmp_path / "rsna", [row])
    with pytest.raises(UnusableInputError, match=words):
        prepare({"rsna_slices": tmp_path / "rsna"}, tmp_path / "out")


def test_a_file_outside_the_folder_is_not_opened(tmp_path):
    write_rsna_slices(tmp_path / "rsna", [{"image_id": "ID_a"}])
    table = tmp_path / "rsna" / "labels.csv"
    table.write_text(table.read_text().replace("images/ID_a.png", "../ID_a.png"))
    with pytest.raises(UnusableInputError, match="outside"):
        prepare({"rsna_slices": tmp_path / "rsna"}, tmp_path / "out")
