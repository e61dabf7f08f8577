"""When a series is complete, and what is taken from its headers."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import multi_frame
import numpy as np
import pytest
from bundles import THREE, threshold_bundle
from data import SHARED, needs_shared_data
from drawn_heads import BLOOD, ball, whole_head, write_series
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from store_samples import settings

from headct.network.classifier import Classifier
from headct.reasons import ReasonCode
from headct.reports import key_objects, segmentation, structured_report
from headct.terms.assessment import FIRST_LOOK, State
from headct.terms.demographics import Demographics
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import imports
from orthanc_plugin.store.results import Judgement
from orthanc_plugin.worker import judging
from orthanc_plugin.worker.judging import Completeness

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def image(**attributes: object) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ({}, None),
        ({"NumberOfSeriesRelatedInstances": 33}, 33),
        ({"ImagesInAcquisition": 40}, 40),
        ({"ImagesInAcquisition": 1}, None),
        ({"NumberOfSeriesRelatedInstances": 33, "ImagesInAcquisition": 40}, 33),
    ],
)
def test_announced_number(attributes: dict[str, object], count: int | None) -> None:
    assert judging.announced([image(**attributes)]) == count


def test_what_is_no_dicom_announces_and_says_nothing(tmp_path: Path) -> None:
    assert judging.announced([b""]) is None
    assert judging.describe([], settings(tmp_path), NOW.date()) is None


def test_names_are_read_from_the_bytes_in_their_character_set(tmp_path: Path) -> None:
    data = image(
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        PatientID="0012",
        StudyDate="20260228",
    )
    said = judging.describe([data], settings(tmp_path), NOW.date())
    assert said is not None
    assert said.demographics == Demographics(
        "0012", "Yamada^Tarou=山田^太郎=やまだ^たろう", study_date="20260228"
    )


@pytest.mark.parametrize(
    ("date", "days", "earlier"),
    [
        ("20260101", 30, True),
        ("20260201", 30, False),
        ("20260101", 0, False),
        ("", 30, False),
        ("Unknown", 30, False),
        ("20261301", 30, False),
    ],
)
def test_only_a_readable_old_date_is_earlier(date: str, days: int, earlier: bool) -> None:
    assert imports.is_old(date, days, NOW.date()) is earlier


REPORT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "SR", "SeriesDescription": "Dose"}


def test_what_is_no_image_describes_nothing_where_there_are_images(tmp_path: Path) -> None:
    slices = [image(Modality="ct", SeriesDescription="Head 5.0") for _ in range(2)]
    for found in ([image(**REPORT), *slices], [*slices, image(**REPORT)]):
        said = judging.describe(found, settings(tmp_path), NOW.date())
        assert said is not None
        assert (said.series_description, said.modality) == ("Head 5.0", "CT")
    said = judging.describe([image(**REPORT)], settings(tmp_path), NOW.date())
    assert said is not None
    assert said.modality == "SR"


@pytest.mark.parametrize(
    ("images", "others", "complete"),
    [(3, 0, True), (3, 1, True), (2, 1, False), (4, 0, False)],
)
def test_only_images_count_among_those_announced(images: int, others: int, complete: bool) -> None:
    slices = [image(NumberOfSeriesRelatedInstances=3) for _ in range(images)]
    assert judging.all_there([image(**REPORT)] * others + slices) is complete
    assert judging.all_there(slices + [image(**REPORT)] * others) is complete


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(threshold_bundle(tmp_path_factory.mktemp("bundle") / "threshold"))


SLABS, RADIUS_MM = 28, 16


def draw(folder: Path, radius_mm: float = RADIUS_MM, **header: object) -> Path:
    """A head with a bleed of known place and size."""
    bleed = ball(SLABS, radius_mm, row=20, column=25)
    write_series(folder, np.where(bleed, BLOOD, whole_head(SLABS)), PatientAge="050Y", **header)
    return folder


@pytest.fixture(scope="module")
def bleeding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("bleeding"), FrameOfReferenceUID="1.2.3")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(threshold_bundle(tmp_path_factory.mktemp("three") / "three", networks=THREE))


class TestSeveralNetworks:
    """An alert of the first is told before the others have looked, where nothing more is to come."""

    @pytest.mark.parametrize("images", [SLABS, SLABS // 2])
    def test_of_the_whole_series_alone(self, three: Classifier, bleeding: Path, images: int) -> None:
        told: list[judging.Look] = []
        files = sorted(bleeding.iterdir())[:images]
        found = judging.look(files, three, given_up=False, on_alert=told.append)
        if found.completeness is not Completeness.COMPLETE:
            assert told == []
            return
        (early,) = told
        assert early.completeness is Completeness.PRELIMINARY
        first, said = early.outcome.assessment, found.outcome.assessment
        assert first is not None and said is not None
        assert first.cautions == (FIRST_LOOK, *said.cautions)
        assert (first.urgency, first.findings) == (said.urgency, said.findings)
        assert said.doubts == (), "three of a kind never divide"


class TestTheAnnotationProfile:
    """What is drawn, and that nothing is unless switched on."""

    def judged(self, classifier: Classifier, folder: Path, options: Settings) -> Judgement:
        files = sorted(folder.iterdir())
        found = judging.look(files, classifier, given_up=True)
        description = judging.describe(files, options, NOW.date())
        assert found.outcome.assessment is not None and description is not None
        return judging.judgement(
            found,
            found.outcome.assessment,
            description,
            predecessor=lambda uid: None,
            settings=options,
            sent_at=NOW,
        )

    def test_on_the_region_is_drawn_beside_the_reports(
        self, classifier: Classifier, bleeding: Path, tmp_path: Path
    ) -> None:
        said = self.judged(classifier, bleeding, settings(tmp_path, annotations=True))
        *_, drawn = said.documents
        assert [d.kind.value for d in said.documents] == ["structured_report", "key_objects", "segmentation"]
        found = segmentation.read(drawn.content)
        assert found.sop_instance_uid == drawn.sop_instance_uid
        bleed = said.assessment.findings[0]
        assert bleed.volume_ml is not None
        voxels = sum(int(mask.sum()) for mask in found.masks.values())
        assert voxels * 5 / 1000 == pytest.approx(bleed.volume_ml, rel=0.02)  # 1 mm pixels, 5 mm slices
        assert voxels * 5 / 1000 == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=0.1)
        files = {str(h.SOPInstanceUID): h for h in map(dcmread, bleeding.iterdir())}
        assert (
            set(found.masks)
            == {uid for uid, image in files.items() if (image.pixel_array == BLOOD).any()}
            == {structured_report.read(said.documents[0].content).sop_instance_uids[n] for n in bleed.slices}
        )
        for uid, mask in found.masks.items():
            truth = files[uid].pixel_array == BLOOD
            assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9

    def test_one_file_of_many_frames_is_said_and_drawn_the_same(
        self, classifier: Classifier, bleeding: Path, tmp_path: Path
    ) -> None:
        options = settings(tmp_path, annotations=True)
        (tmp_path / "whole").mkdir()
        whole = multi_frame.multi_frame([dcmread(path) for path in sorted(bleeding.iterdir())])
        (tmp_path / "whole" / "1.dcm").write_bytes(multi_frame.file(whole))
        plain = self.judged(classifier, bleeding, options)
        said = self.judged(classifier, tmp_path / "whole", options)
        assert said.assessment.findings == plain.assessment.findings
        assert said.slices == plain.slices
        keys = said.assessment.key_slices
        assert [k.frame for k in keys] == [k.number + 1 for k in plain.assessment.key_slices]
        assert [d.kind.value for d in said.documents] == ["structured_report", "key_objects", "segmentation"]
        masks = segmentation.read(said.documents[2].content).masks.values()
        drawn = segmentation.read(plain.documents[2].content).masks.values()
        assert all(np.array_equal(a, b) for a, b in zip(masks, drawn, strict=True))

    def test_off_nothing_is_drawn(self, classifier: Classifier, bleeding: Path, tmp_path: Path) -> None:
        said = self.judged(classifier, bleeding, settings(tmp_path))
        assert said.assessment.findings
        assert [d.kind.value for d in said.documents] == ["structured_report", "key_objects"]

    def test_where_the_images_do_not_say_where_they_lie_the_reports_go_out_alone(
        self, classifier: Classifier, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        said = self.judged(classifier, draw(tmp_path / "series"), settings(tmp_path, annotations=True))
        assert said.assessment.urgency.alert
        assert [d.kind.value for d in said.documents] == ["structured_report", "key_objects"]
        assert "no region could be drawn: ReportError at headct/reports/segmentation.py:" in caplog.text

    def test_without_a_bleed_nothing_is_drawn(self, classifier: Classifier, tmp_path: Path) -> None:
        clear = draw(tmp_path / "series", radius_mm=0, FrameOfReferenceUID="1.2.3")
        said = self.judged(classifier, clear, settings(tmp_path, annotations=True))
        assert not said.assessment.urgency.alert
        assert [d.kind.value for d in said.documents] == ["structured_report", "key_objects"]


@needs_shared_data
class TestARealSeries:
    def files(self, name: str) -> list[bytes]:
        folder = SHARED / "real_studies" / "toshiba_trauma" / name
        files = [p.read_bytes() for p in sorted(folder.glob("*.dcm"))]
        return sorted(
            files, key=lambda f: dcmread(BytesIO(f), stop_before_pixels=True).ImagePositionPatient[2]
        )

    def test_the_whole_is_complete_and_gets_its_documents(
        self, classifier: Classifier, tmp_path: Path
    ) -> None:
        files = self.files("axial_brain")
        found = judging.look(files, classifier, given_up=False)
        assert (found.outcome.state, found.completeness) == (State.ASSESSED, Completeness.COMPLETE)
        assert found.outcome.assessment is not None
        description = judging.describe(files, settings(tmp_path), NOW.date())
        assert description is not None
        made = [
            judging.judgement(
                found,
                found.outcome.assessment,
                description,
                predecessor=lambda uid: None,
                settings=settings(tmp_path),
                sent_at=NOW,
            )
            for _ in range(2)
        ]
        assert made[0].documents == made[1].documents
        report, key = made[0].documents
        assert structured_report.read(report.content).sop_instance_uid == report.sop_instance_uid
        assert key_objects.read(key.content).sop_instance_uid == key.sop_instance_uid

    @pytest.mark.parametrize("part", [slice(0, 14), slice(19, 33)])
    def test_of_a_part_only_an_alert_is_said(self, classifier: Classifier, part: slice) -> None:
        files = self.files("axial_brain")[part]
        early = judging.look(files, classifier, given_up=False)
        alert = early.outcome.assessment is not None and early.outcome.assessment.urgency.alert
        assert early.completeness is (Completeness.PRELIMINARY if alert else Completeness.INCOMPLETE)
        late = judging.look(files, classifier, given_up=True)
        assert late.completeness is Completeness.COMPLETE
        assert late.outcome.reason is not None
        assert late.outcome.reason.code is ReasonCode.HEAD_NOT_COVERED

    def test_a_bone_kernel_is_final_at_once(self, classifier: Classifier) -> None:
        found = judging.look(self.files("axial_bone"), classifier, given_up=False)
        assert found.completeness is Completeness.COMPLETE
        assert found.outcome.reason is not None
        assert found.outcome.reason.code is ReasonCode.BONE_KERNEL
