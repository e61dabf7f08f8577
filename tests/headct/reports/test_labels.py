"""The table of labels from reports alone is the one that the reviews themselves give."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import report_cases as cases
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.cli import main
from headct.errors import UnusableInputError
from headct.reports import codes, plain_text, review_report, structured_report
from headct.reports.labels import find_reports, rebuild
from headct.reports.review_meaning import ReviewContent
from headct.reports.review_report import Subject
from headct.reports.seals import KEY_FILE, KeyRing
from headct.reports.vouching import Vouching
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


RING = KeyRing((bytes(range(32)),))


def report(review: Review, subject: Subject, request: str, ring: KeyRing | None = RING) -> bytes:
    return review_report.write(review, subject, request_id=request, sent_at=cases.MADE_AT, ring=ring)


@pytest.fixture
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secrets") / KEY_FILE
    file.write_text(RING.keys[0].hex())
    file.chmod(0o600)
    return file


def labels(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["labels", *map(str, arguments)])


spoken = st.lists(
    st.tuples(st.sampled_from(READERS), st.sampled_from([*Urgency, None]), st.sampled_from([0, 1])),
    min_size=1,
    max_size=5,
)


def test_a_later_word_counts_though_the_clock_was_set_back_before_it() -> None:
    words = [
        say(READERS[0], Urgency.RED, 40),
        say(READERS[1], Urgency.RED, 30),
        say(READERS[0], Urgency.GREEN, 20),
    ]
    first, other = (report(word, SUBJECTS[0], f"r{n}") for n, word in enumerate(words[:2]))
    last = review_report.write(
        words[2], SUBJECTS[0], request_id="r2", sent_at=cases.MADE_AT, earlier=first, ring=RING
    )
    pile = [review_report.read(file) for file in (last, first, other)]
    (label,) = rebuild(pile)
    said = verdict([words[1], words[0], words[2]])
    assert label == Label.of(
        said, 2, series_instance_uid=label.series_instance_uid, study_instance_uid=label.study_instance_uid
    )


def test_the_last_of_three_who_differ_settles_it_though_the_clock_was_set_back_before_they_spoke() -> None:
    urgencies = [Urgency.RED, Urgency.YELLOW, Urgency.GREEN]
    words = [say(by, u, 40 - 10 * n) for n, (by, u) in enumerate(zip(READERS, urgencies, strict=True))]
    pile: list[ReviewContent] = []
    for n, word in enumerate(words):
        before = [said.sop_instance_uid for said in pile]
        file = review_report.write(
            word, SUBJECTS[0], request_id=f"r{n}", sent_at=cases.MADE_AT, follows=before, ring=RING
        )
        pile.append(review_report.read(file))
    (label,) = rebuild(reversed(pile))
    assert label.urgency is Urgency.GREEN
    assert [said.review for said in pile] == words


@pytest.mark.long
@settings(max_examples=7, deadline=None)
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


def test_the_command_reads_a_folder_as_a_pacs_gives_it_away(tmp_path: Path, key: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "notes.txt").write_text("not DICOM")
    machine = cases.series()
    written = structured_report.write(machine, cases.bleeding(machine), sent_at=cases.MADE_AT)
    (tmp_path / "export" / "machine.dcm").write_bytes(written)
    one = report(say(READERS[0], Urgency.RED, 0), SUBJECTS[0], "a")
    (tmp_path / "one.dcm").write_bytes(one)
    (tmp_path / "text.dcm").write_bytes(plain_text.write(one))
    (tmp_path / "two.dcm").write_bytes(report(say(READERS[1], None, 1), SUBJECTS[1], "b"))
    said = labels(tmp_path, "--json", "--key", key)
    assert said.exit_code == 0, said.stderr
    rows = json.loads(said.stdout)
    assert [(r["series_instance_uid"], r["verdict"]["label"], r["reason"]) for r in rows] == [
        (SUBJECTS[0].series_instance_uid, "RED", None),
        (SUBJECTS[1].series_instance_uid, None, "post_operative"),
    ]
    in_words = labels(tmp_path, "--key", key).stdout
    assert "RED" in in_words and "excluded: post_operative" in in_words


def test_what_anybody_may_have_written_is_named_and_not_counted(tmp_path: Path, key: Path) -> None:
    true = say(READERS[0], Urgency.GREEN, 0)
    (tmp_path / "true.dcm").write_bytes(report(true, SUBJECTS[0], "a"))
    forged = say(READERS[1], Urgency.RED, 1)
    (tmp_path / "forged.dcm").write_bytes(report(forged, SUBJECTS[0], "b", None))
    stranger = KeyRing((bytes(32),))
    (tmp_path / "stranger.dcm").write_bytes(report(forged, SUBJECTS[1], "c", stranger))
    said = labels(tmp_path, "--json", "--key", key)
    assert said.exit_code == 1
    assert [row["verdict"]["label"] for row in json.loads(said.stdout)] == ["GREEN"]
    assert f"{tmp_path / 'forged.dcm'}: not counted" in said.stderr
    assert f"{tmp_path / 'stranger.dcm'}: not counted" in said.stderr and "true.dcm" not in said.stderr
    # Without the key nobody can tell; who counts them all the same says so.
    without = labels(tmp_path, "--json")
    assert without.exit_code == 1 and json.loads(without.stdout) == []
    assert "without --key" in without.stderr
    all_the_same = labels(tmp_path, "--json", "--unverified")
    assert all_the_same.exit_code == 0 and len(json.loads(all_the_same.stdout)) == 2
    assert f"{tmp_path / 'forged.dcm'}: counted" in all_the_same.stderr


def test_one_damaged_report_is_named_and_stops_nothing(tmp_path: Path, key: Path) -> None:
    whole = report(say(READERS[0], Urgency.RED, 0), SUBJECTS[0], "a")
    (tmp_path / "whole.dcm").write_bytes(whole)
    title = whole.index(codes.REVIEW_TITLE.value.encode())
    damaged = {
        "unverified": whole.replace(b"VERIFIED", b"VERYFIED"),
        "half": whole[: len(whole) // 2],
        "short": whole[: title - 40],
        "beginning": b"\0" * 300 + whole[300:],
        "middle": whole[:title] + b"\xff" * 500 + whole[title + 500 :],
    }
    for name, content in damaged.items():
        (tmp_path / f"{name}.dcm").write_bytes(content)
    said = labels(tmp_path, "--json", "--key", key, "--unverified")
    assert said.exit_code == 1
    assert [row["verdict"]["label"] for row in json.loads(said.stdout)] == ["RED"]
    assert {line.split(": ")[1] for line in said.stderr.splitlines()} == {
        str(tmp_path / f"{name}.dcm") for name in damaged
    }


def test_what_cannot_be_used_is_said(tmp_path: Path, key: Path) -> None:
    with pytest.raises(UnusableInputError, match="no folder"):
        find_reports(tmp_path / "nowhere", Vouching())
    assert labels(tmp_path / "nowhere").exit_code == 2
    key.chmod(0o644)
    said = labels(tmp_path, "--key", key)
    assert said.exit_code == 2 and "may be read by others" in said.stderr
    assert labels(tmp_path, "--key", tmp_path / "none").exit_code == 2
