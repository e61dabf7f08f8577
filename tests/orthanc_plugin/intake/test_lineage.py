"""What Orthanc made by itself, and of what."""

import pytest
from orthanc_listing import Listing
from sqlalchemy import select

from orthanc_plugin.intake.arrivals import Arrivals
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import CopiedDocument, Series


def test_what_orthanc_modified_or_anonymised_is_known(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for series in ("a", "modified", "anonymised"):
        listing.image(series, 0)
    listing.series["modified"]["ModifiedFrom"] = "a"
    listing.series["anonymised"]["AnonymizedFrom"] = "a"
    arrivals.step()
    with database.reading() as session:
        found = {s.id: (s.copied_from, s.anonymised) for s in session.scalars(select(Series))}
    assert found == {"a": (None, False), "modified": ("a", False), "anonymised": ("a", True)}
    assert not [call for call in listing.calls if call.startswith("/jobs")]


@pytest.mark.parametrize("kind", ["MergeStudy", "SplitStudy"])
def test_what_orthanc_merged_or_split_is_known_by_its_job(
    listing: Listing, database: Database, arrivals: Arrivals, kind: str
) -> None:
    for series in ("sent", "uploaded", "elsewhere"):
        listing.image(series, 0)
    listing.uploaded.update({"uploaded-0", "elsewhere-0"})
    listing.jobs = [
        {"Type": kind, "Content": {"TargetStudy": "study-of-sent"}},
        {"Type": kind, "Content": {"TargetStudy": "study-of-uploaded"}},
        {"Type": "DicomModalityStore", "Content": {"TargetStudy": "study-of-elsewhere"}},
        {"Type": "Archive"},
    ]
    arrivals.step()
    with database.reading() as session:
        assert {s.id for s in session.scalars(select(Series)) if s.joined} == {"uploaded"}
    assert len([call for call in listing.calls if call.startswith("/jobs")]) == 1


def test_a_split_that_has_only_begun_names_its_study_by_the_uid(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for series in ("uploaded", "elsewhere"):
        listing.image(series, 0)
    listing.uploaded.update({"uploaded-0", "elsewhere-0"})
    uid = listing.get("/studies/study-of-uploaded")["MainDicomTags"]["StudyInstanceUID"]
    listing.jobs = [{"Type": "SplitStudy", "Content": {"TargetStudyUID": uid}}]
    arrivals.step()
    with database.reading() as session:
        assert {s.id for s in session.scalars(select(Series)) if s.joined} == {"uploaded"}


def test_documents_that_orthanc_made_of_others_are_found(
    listing: Listing, database: Database, arrivals: Arrivals
) -> None:
    for series, modality in (("ours", "SR"), ("copy", "SR"), ("merged", "KO"), ("plan", "RTPLAN")):
        listing.image(series, 0, modality)
    listing.series["copy"]["ModifiedFrom"] = "ours"
    listing.made_of["copy-0"] = {"ModifiedFrom": "ours-0"}
    listing.series["plan"]["ModifiedFrom"] = "another"
    listing.jobs = [{"Type": "MergeStudy", "Content": {"TargetStudy": "study-of-merged"}}]
    arrivals.step()
    with database.reading() as session:
        found = {c.id: c.copied_from for c in session.scalars(select(CopiedDocument))}
    assert found == {"copy-0": "ours-0", "merged-0": None}


def test_an_image_that_is_replaced_asks_for_no_sweep(
    listing: Listing, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthanc_plugin.intake.arrivals.DELETED_SECONDS", 0.0)
    listing.image("a", 0)
    arrivals.step()
    listing.calls.clear()
    arrivals.image_deleted("a-0")
    listing.log("NewInstance", "a-0")
    arrivals.step()
    assert not [call for call in listing.calls if call.startswith("/series?")]
    arrivals.image_deleted("a-0")
    arrivals.step()
    assert [call for call in listing.calls if call.startswith("/series?")]
