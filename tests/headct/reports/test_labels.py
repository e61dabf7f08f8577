"""The table of labels from reports alone is the one that the reviews themselves give."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import report_cases as cases
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.cli import main
from headct.errors import ReportError, UnusableInputError
from headct.reports import review_report, structured_report
from headct.reports.labels import find_reports, rebuild
from headct.reports.review_report import Subject
from headct.terms.label import Label
from headct.terms.review import Action, Exclusion, Person, Review, verdict
from headct.terms.urgency import Urgency

ANOTHER = {"SeriesInstanceUID": "1.2.3.4.9"}
SUBJECTS = (
    Subject.of_images([cases.header(n) for n in range(3)]),
    Subject.of_images([cases.header(n, SOPInstanceUID=f"1.2.3.4.9.{n}", **ANOTHER) for n in range(3)]),
)
READERS = tuple(Person(n, f"{n.title()}^Hanako", "St. Elsewhere") for n in ("sato", "ito", "abe"))


def say(by: Person, urgency: Urgency | None, minutes: int) -> Review:
    return Review(
        by,
        datetime(2026, 4, 5, 6, minutes, tzinfo=UTC),
        Action.EXCLUDE if urgency is None else Action.RELABEL,
        urgency,
        reason=Exclusion.POST_OPERATIVE if urgency is None else None,
    )


def report(review: Review, subject: Subject, request: str) -> bytes:
    return review_report.write(review, subject, request_id=request, sent_at=cases.MADE_AT)


spoken = st.lists(
    st.tuples(st.sampled_from(READERS), st.sampled_from([*Urgency, None]), st.sampled_from([0, 1])),
    min_size=1,
    max_size=6,
)


@pytest.mark.long
@settings(max_examples=15, deadline=None)
@given(spoken=spoken, data=st.data())
def test_any_pile_of_reports_gives_what_the_reviews_give(
    spoken: list[tuple[Person, Urgency | None, int]], data: st.DataObject
) -> None:
    reviews = [(say(by, urgency, n), series) for n, (by, urgency, series) in enumerate(spoken)]
    written = [
        review_report.read(report(review, SUBJECTS[series], f"r{n}"))
        for n, (review, series) in enumerate(reviews)
    ]
    pile = data.draw(st.permutations([*written, written[0]]))
    found = {label.series_instance_uid: label for label in rebuild(pile)}
    for number, subject in enumerate(SUBJECTS):
        of_series = [review for review, series in reviews if series == number]
        if of_series:
            label = found.pop(subject.series_instance_uid)
            readers = {review.by for review in of_series}
            uids = subject.series_instance_uid, str(subject.slices[0].StudyInstanceUID)
            assert label == Label.of(
                verdict(of_series), len(readers), series_instance_uid=uids[0], study_instance_uid=uids[1]
            )
    assert not found


def test_the_command_reads_a_folder_as_a_pacs_gives_it_away(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "notes.txt").write_text("not DICOM")
    machine = cases.series()
    written = structured_report.write(machine, cases.bleeding(machine), sent_at=cases.MADE_AT)
    (tmp_path / "export" / "machine.dcm").write_bytes(written)
    (tmp_path / "one.dcm").write_bytes(report(say(READERS[0], Urgency.RED, 0), SUBJECTS[0], "a"))
    (tmp_path / "two.dcm").write_bytes(report(say(READERS[1], None, 1), SUBJECTS[1], "b"))
    said = CliRunner().invoke(main, ["labels", str(tmp_path), "--json"])
    assert said.exit_code == 0
    rows = json.loads(said.stdout)
    assert [(r["series_instance_uid"], r["verdict"]["label"], r["reason"]) for r in rows] == [
        (SUBJECTS[0].series_instance_uid, "RED", None),
        (SUBJECTS[1].series_instance_uid, None, "post_operative"),
    ]
    in_words = CliRunner().invoke(main, ["labels", str(tmp_path)]).stdout
    assert "RED" in in_words and "excluded: post_operative" in in_words


def test_a_damaged_report_is_never_passed_by(tmp_path: Path) -> None:
    whole = report(say(READERS[0], Urgency.RED, 0), SUBJECTS[0], "a")
    (tmp_path / "one.dcm").write_bytes(whole.replace(b"VERIFIED", b"VERYFIED"))
    with pytest.raises(ReportError):
        find_reports(tmp_path)
    assert CliRunner().invoke(main, ["labels", str(tmp_path)]).exit_code == 2
    with pytest.raises(UnusableInputError, match="no folder"):
        find_reports(tmp_path / "nowhere")
