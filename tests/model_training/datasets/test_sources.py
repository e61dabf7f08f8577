import csv

import numpy as np
import pytest
from layouts import copy, generated, masks, uid, write, write_cq500_reads, write_labels, write_rsna
from PIL import Image

from headct.errors import UnusableInputError
from model_training.datasets.preparation import prepare
from model_training.datasets.sample import Sample, sample_path
from model_training.datasets.sources.labelled import Labelled


def reasons(manifest):
    return sorted(p.exclusion.split(" (")[0] for p in manifest.excluded)


def in_use(manifest):
    return {p.patient: p for p in manifest.patients if not p.exclusion}


def test_rsna_is_grouped_by_its_headers_and_measured_on_only(tmp_path):
    root, out = tmp_path / "rsna", tmp_path / "out"
    bleed = {9: ["epidural", "any"], 10: ["epidural", "subdural", "any"]}
    write_rsna(root, {("a1", "x"): bleed, ("b2", "x"): {}, ("b2", "y"): bleed, ("c3", "x"): {}})
    (root / "stage_2_train" / "ID_broken.dcm").write_bytes(b"no image at all")
    table = root / "stage_2_train.csv"
    lost = uid("c3", "x", 4)[-9:]
    table.write_text("\n".join(line for line in table.read_text().splitlines() if lost not in line))

    manifest = prepare({"rsna": root}, out)
    used = in_use(manifest)
    assert set(used) == {"RSNA-a1", "RSNA-b2"}
    one = used["RSNA-a1"]
    assert one.bleeding and one.labels == {"edh": True, "sdh": True, "iph": False, "ivh": False, "sah": False}
    assert not one.masked and one.bleed_ml is None and one.urgency is None
    assert one.slices == len(copy("any")) and one.series == "ID_a1xs" and one.split == "external"
    free = used["RSNA-b2"]
    assert (free.bleeding, free.masked, free.urgency_by, free.study) == (False, True, "provisional", "ID_b2x")
    assert reasons(manifest) == ["image data cannot be read", "no label", "repeat study of the patient"]
    assert manifest.in_folds == () and "non-commercial" in manifest.licences["rsna"]

    asked = prepare({"rsna": root}, out, train_on=["rsna"])
    assert len(asked.in_folds) == 2 and asked.external == ()


def test_a_row_that_is_no_label_of_rsna_is_refused(tmp_path):
    write_rsna(tmp_path / "rsna", {})
    (tmp_path / "rsna" / "stage_2_train.csv").write_text("ID,Label\nID_1_fracture,1\n")
    with pytest.raises(UnusableInputError, match="ID_1_fracture"):
        prepare({"rsna": tmp_path / "rsna"}, tmp_path / "out")


def test_cq500_goes_by_the_majority_and_one_series_a_study(tmp_path):
    root = tmp_path / "cq500"
    study = "Unknown Study"
    first, second = root / "CQ500CT0 CQ500CT0", root / "qct02" / "CQ500CT12 CQ500CT12"
    pattern = "CT{:06}.dcm"
    write(copy("CQ500CT0 ", series="thin", SliceThickness=0.625), first / study / "CT PLAIN THIN", pattern)
    write(copy("CQ500CT0 ", series="plain", SliceThickness=5), first / study / "CT Plain", pattern)
    contrast = copy("CQ500CT0 ", series="ce", SeriesDescription="CT POST CONTRAST")
    write(contrast, first / study / "CT POST CONTRAST", pattern)
    write(copy("CQ500CT12 "), second / study / "CT 5mm", pattern)
    write(copy("CQ500CT13 "), root / "CQ500CT13 CQ500CT13" / study / "CT 5mm", pattern)
    write_cq500_reads(root, {0: {"ICH": 2, "IPH": 1, "SDH": 2, "Fracture": 3}, 12: {}})

    manifest = prepare({"cq500": root}, tmp_path / "out")
    used = in_use(manifest)
    assert set(used) == {"CQ500-CT-0", "CQ500-CT-12"}
    assert used["CQ500-CT-0"].series == uid("CQ500CT0 ", "1", "plain")
    assert used["CQ500-CT-0"].bleeding and not used["CQ500-CT-12"].bleeding
    kinds = {"iph": False, "ivh": False, "sdh": True, "edh": False, "sah": False, "fracture": True}
    assert used["CQ500-CT-0"].labels == kinds
    assert used["CQ500-CT-0"].doubtful and not used["CQ500-CT-12"].doubtful
    assert reasons(manifest) == ["another series of the study is in use", "contrast medium given", "no label"]
    assert {p.split for p in used.values()} == {"external"} and "BY-NC-SA" in manifest.licences["cq500"]


def png_masks(folder, images):
    folder.mkdir(parents=True)
    for ds, mask in zip(images, masks(), strict=True):
        if mask.any():
            Image.fromarray(mask).save(folder / f"{ds.SOPInstanceUID}.png")


def segmentation(path, images):
    import highdicom as hd
    from pydicom.sr.codedict import codes

    algorithm = hd.AlgorithmIdentificationSequence("drawn", codes.DCM.ArtificialIntelligence, "1")
    description = hd.seg.SegmentDescription(
        1, "blood", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Hemorrhage,
        hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC, algorithm,
    )  # fmt: skip
    seg = hd.seg.Segmentation(
        images, masks().astype(np.uint8), hd.seg.SegmentationTypeValues.BINARY, [description],
        hd.UID(), 9, hd.UID(), 1, "maker", "model", "1", "serial",
    )  # fmt: skip
    seg.save_as(path)


def test_labelled_folder_with_masks_and_specialist_urgencies(tmp_path):
    root, out = tmp_path / "hospital", tmp_path / "out"
    for patient in ("100", "200", "300", "400"):
        write(copy(patient), root / "deep" / patient)
    write(copy("100", study="2", StudyDescription="CT HEAD POST OP"), root / "later")
    png_masks(root / "masks" / "100", copy("100"))
    segmentation(root / "200.dcm", copy("200"))
    write_labels(root, [
        {"patient": "100", "bleeding": 1, "edh": 1, "mask": "masks/100", "urgency": "yellow"},
        {"study": uid("200", "1"), "edh": "1", "mask": "200.dcm"},
        {"patient": "300", "bleeding": "0", "doubtful": "motion"},
        {"series": uid("400", "1", "1"), "urgency": "RED"},
    ])  # fmt: skip

    manifest = prepare({"labelled": root}, out)
    used = {p.study: p for p in in_use(manifest).values()}
    png, seg, free = (used[uid(patient, "1")] for patient in ("100", "200", "300"))
    assert (png.urgency, png.urgency_by) == ("YELLOW", "specialist")
    assert (seg.urgency, seg.urgency_by, seg.bleeding, seg.masked) == ("RED", "provisional", True, True)
    assert (free.bleeding, free.urgency_by, free.doubtful) == (False, "provisional", "motion")
    assert reasons(manifest) == ["not said whether there is blood", "post-operative study"]
    assert np.array_equal(*(Sample.read(sample_path(out, p)).mask for p in (png, seg)))
    # The grid is coarse (1.8 mm), the bleed thin: a few per cent of its volume lie on the edge.
    assert png.bleed_ml == seg.bleed_ml == pytest.approx(generated().truth.bleed_ml, rel=0.08)
    names = [p.patient for p in manifest.patients]
    assert all(name.startswith("P-") for name in names) and len(set(names)) == len(names) == 5
    assert (root / "pseudonyms.key").stat().st_mode & 0o077 == 0
    assert png.split in {"train", "validation", "test"} and png.age_years and png.sex in {"F", "M"}


def test_a_mask_that_does_not_fit_leaves_the_series_out(tmp_path):
    root = tmp_path / "hospital"
    write(copy("100"), root / "100")
    (root / "masks").mkdir()
    Image.fromarray(np.ones((64, 64), np.uint8)).save(root / "masks" / f"{copy('100')[5].SOPInstanceUID}.png")
    write_labels(root, [{"patient": "100", "bleeding": 1, "mask": "masks"}])
    manifest = prepare({"labelled": root}, tmp_path / "out")
    assert [p.exclusion for p in manifest.patients] == ["a mask of shape (64, 64) for slices of (128, 128)"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"patient": "1", "urgancy": "RED"}, "urgancy"),
        ({"urgency": "RED"}, "line 2 says neither series nor study nor patient"),
        ({"patient": "1", "urgency": "purple"}, "PURPLE"),
        ({"patient": "1", "bleeding": "yes"}, "'yes' for bleeding"),
        ({"patient": "1", "bleeding": "0", "sah": "1"}, "no blood and of which kind"),
        ({"patient": "1", "bleeding": "1", "mask": "../x"}, "outside"),
        ({"patient": "1", "bleeding": "1", "mask": "nowhere"}, "neither a file nor a folder"),
    ],
)
def test_a_wrong_label_is_said_with_its_line(tmp_path, row, words):
    write_labels(tmp_path, [row])
    with pytest.raises(UnusableInputError, match=words):
        Labelled(tmp_path, tmp_path)


def test_labels_that_contradict_each_other_are_refused(tmp_path):
    write_labels(tmp_path, [{"patient": "1", "bleeding": "1"}, {"patient": "1", "bleeding": "0"}])
    with pytest.raises(UnusableInputError, match="line 3 contradicts"):
        Labelled(tmp_path, tmp_path)


def test_the_same_key_gives_the_same_names_and_another_one_others(tmp_path):
    names = []
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
        write_labels(tmp_path / folder, [{"patient": "1", "bleeding": "1"}])
        if folder == "two":
            (tmp_path / folder / "pseudonyms.key").write_bytes(
                (tmp_path / "one" / "pseudonyms.key").read_bytes()
            )
        names.append(Labelled(tmp_path / folder, tmp_path).person(tmp_path / folder / "x.dcm", "4711"))
    assert names[0] == names[1] != names[2]


def test_tables_of_every_layout_are_asked_for_by_name(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, table in (("rsna", "stage_2_train.csv"), ("cq500", "reads.csv"), ("labelled", "labels.csv")):
        with pytest.raises(UnusableInputError, match=table):
            prepare({source: tmp_path / "empty"}, tmp_path / "out")
    write_cq500_reads(tmp_path / "empty", {0: {}})
    rows = list(csv.DictReader((tmp_path / "empty" / "reads.csv").open()))
    assert len(rows[0]) == 2 + 3 * 14
    with pytest.raises(UnusableInputError, match="no DICOM files of cq500"):
        prepare({"cq500": tmp_path / "empty"}, tmp_path / "out")
