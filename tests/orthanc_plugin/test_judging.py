"""When a series is complete, and what is taken from its headers."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from bundles import threshold_bundle
from data import SHARED, needs_shared_data
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from store_samples import settings

from headct import key_objects, structured_report
from headct.assessment import State
from headct.classifier import Classifier
from headct.reasons import ReasonCode
from orthanc_plugin import judging
from orthanc_plugin.judging import Completeness

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
    assert judging.describe([], settings(tmp_path), NOW) is None


def test_names_are_read_from_the_bytes_in_their_character_set(tmp_path: Path) -> None:
    data = image(
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        PatientID="0012",
        StudyDate="20260228",
    )
    said = judging.describe([data], settings(tmp_path), NOW)
    assert said is not None
    assert (said.patient_name, said.patient_id) == ("Yamada^Tarou=山田^太郎=やまだ^たろう", "0012")


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
    assert judging.is_earlier(date, days, NOW) is earlier


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(threshold_bundle(tmp_path_factory.mktemp("bundle") / "threshold"))


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
        description = judging.describe(files, settings(tmp_path), NOW)
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
