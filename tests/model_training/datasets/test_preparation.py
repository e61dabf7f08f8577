import signal
import subprocess
import sys
import tracemalloc

import pytest
from click.testing import CliRunner
from layouts import copy, uid, write, write_labels
from stack_process import PATIENCE, alive, wait_until

from headct.errors import UnusableInputError
from model_training.cli import main
from model_training.datasets.manifest import Manifest
from model_training.datasets.preparation import prepare
from model_training.datasets.sample import sample_path
from model_training.datasets.selection import Selection

DYING = """
import os, signal
import psutil
from model_training.cli import main
from model_training.datasets import preparation

class Dying(preparation.tqdm):
    def update(self, n=1):
        super().update(n)
        if self.n == 2:  # the progress bar counts patients whose result is recorded
            print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

preparation.tqdm = Dying
main()
"""
"""A program that ends like one that is killed when two patients are done."""


def hospital(root, patients, **more):
    """A labelled folder with one series a patient, half of them bleeding."""
    for number in range(patients):
        write(copy(str(number)), root / str(number))
    write_labels(root, [{"patient": str(n), "bleeding": n % 2, **more} for n in range(patients)])
    (root / "pseudonyms.key").write_bytes(bytes(32))
    return root


def samples(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "samples").glob("P-*")}


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_series(tmp_path):
    """A series in memory is 2 MB here, its crop 1.5 MB: two more would show as 3 MB."""
    peaks = []
    for count in (2, 4):
        root = hospital(tmp_path / f"in{count}", count)
        tracemalloc.start()
        manifest = prepare({"labelled": root}, tmp_path / f"out{count}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(manifest.in_folds) == count
    assert peaks[1] - peaks[0] < 1e6


@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_manifest(tmp_path):
    root = hospital(tmp_path / "in", 6)
    whole = prepare({"labelled": root}, tmp_path / "whole")
    out = tmp_path / "out"
    arguments = ["dataset", "--labelled", str(root), "--out", str(out), "--workers", "2"]
    killed = subprocess.run(
        [sys.executable, "-c", DYING, *arguments], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    workers = [int(word) for word in killed.stdout.split()]
    assert workers and not (out / "manifest.json").exists()
    wait_until(lambda: not any(alive(pid) for pid in workers), PATIENCE, lambda: "a worker lives on")

    made = samples(out)
    resumed = prepare({"labelled": root}, out)
    assert resumed == whole and resumed.sha256 == Manifest.read(out).sha256
    assert not list((out / "samples").glob(".*"))
    # What was recorded before the kill was not made again, and a third run makes nothing.
    after = samples(out)
    assert any(after[name] == stamp for name, stamp in made.items())
    assert prepare({"labelled": root}, out) == whole and samples(out) == after


def test_only_what_changed_is_made_again(tmp_path):
    root, out = hospital(tmp_path / "in", 3), tmp_path / "out"
    first = prepare({"labelled": root}, out)
    before = samples(out)
    (removed,) = (p for p in first.patients if p.study == uid("2", "1"))
    write(copy("1", SeriesDescription="sent again"), root / "1")
    for file in (root / "2").iterdir():
        file.unlink()
    second = prepare({"labelled": root}, out)
    after = samples(out)
    (again,) = (p for p in second.patients if p.study == uid("1", "1"))
    assert {name for name in before if after[name] != before[name]} == {again.patient}
    assert removed.patient not in {p.patient for p in second.patients} and len(second.patients) == 2


def test_other_rules_are_applied_to_what_was_prepared(tmp_path):
    root = tmp_path / "in"
    for study, day in (("1", "20200101"), ("2", "20200120"), ("3", "20200601")):
        write(copy("7", study=study, StudyDate=day), root / study)
    write_labels(root, [{"patient": "7", "bleeding": 0}])
    one = prepare({"labelled": root}, tmp_path / "out", selection=Selection())
    assert [p.exclusion for p in one.patients] == ["", *["repeat study of the patient"] * 2]
    two = prepare({"labelled": root}, tmp_path / "out", selection=Selection(repeat_days=30))
    used = [p for p in two.patients if not p.exclusion]
    assert [p.study for p in used] == [uid("7", "1"), uid("7", "3")]
    assert used[1].patient == f"{used[0].patient}.2" and {p.who for p in used} == {used[0].patient}
    assert len({(p.split, p.fold) for p in used}) == 1
    assert all(sample_path(tmp_path / "out", p).is_dir() for p in used)
    assert two.selection["repeat_days"] == 30


def test_the_same_pictures_of_two_patients_count_once(tmp_path):
    root = tmp_path / "in"
    for patient in ("1", "2"):
        images = copy("1")
        for ds in images:
            ds.PatientID, ds.StudyInstanceUID = patient, uid(patient)
            ds.SeriesInstanceUID = uid(patient, "s")
        write(images, root / patient)
    write_labels(root, [{"patient": p, "bleeding": 0} for p in ("1", "2")])
    manifest = prepare({"labelled": root}, tmp_path / "out")
    assert sorted(p.exclusion for p in manifest.patients) == ["", "same pixels as another patient's series"]


def test_unreadable_and_ineligible_series_are_listed(tmp_path):
    root = tmp_path / "in"
    cut = write(copy("1"), root / "cut")[3]
    cut.write_bytes(cut.read_bytes()[:-9000])
    write(copy("2")[:12], root / "half")
    (root / "text.dcm").write_text("no image")
    write_labels(root, [{"patient": p, "bleeding": 0} for p in ("1", "2")])
    manifest = prepare({"labelled": root}, tmp_path / "out")
    assert sorted(p.exclusion for p in manifest.patients) == [
        "head not fully covered",
        "image data cannot be read (1 files are no DICOM)",
        "image data cannot be read (pixel data cut short)",
    ]
    assert manifest.in_folds == () and samples(tmp_path / "out") == {}


def test_two_runs_do_not_work_in_one_folder(tmp_path):
    from model_training.datasets.header_index import open_index

    root = hospital(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    database = open_index(tmp_path / "out" / "index.sqlite")
    with pytest.raises(UnusableInputError, match="another run"):
        prepare({"labelled": root}, tmp_path / "out")
    database.close()


@pytest.mark.long
def test_command_prints_who_is_in_and_why_others_are_not(tmp_path):
    root, out = hospital(tmp_path / "in", 4, urgency="RED"), tmp_path / "out"
    write(copy("9"), root / "9")
    arguments = ["dataset", "--labelled", str(root), "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["labelled", "4", "2", "0", "0", "0", "0"] in lines
    assert ["by", "a", "specialist", "0", "0", "4", "0"] in lines
    assert ["labelled:", "no", "label", "1"] in lines
    assert "provisional (rubric 1 over true masks)" in result.output
    manifest = Manifest.read(out)
    assert manifest.sha256 in result.output
    rows = (out / "exclusions.csv").read_text().splitlines()
    (left_out,) = manifest.excluded
    assert rows[1:] == [f"labelled,{left_out.who},{left_out.study},{left_out.series},no label"]

    write_labels(root, [{"patient": str(n), "bleeding": n % 2} for n in (*range(4), 9)])
    more = CliRunner().invoke(main, [*arguments, "--previous", str(out)])
    assert more.exit_code == 0, more.output
    part = {p.patient: (p.split, p.fold) for p in manifest.in_folds}
    later = {p.patient: (p.split, p.fold) for p in Manifest.read(out).in_folds}
    assert len(later) == 5 and part.items() <= later.items()
    assert CliRunner().invoke(main, ["dataset", "--out", str(out)]).exit_code == 2
