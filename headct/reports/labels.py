"""The table of labels, rebuilt from the verified reports of reviews alone: what survives a lost store."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from headct.errors import ReportError, UnusableInputError
from headct.reports import review_report
from headct.reports.review_meaning import ReviewContent
from headct.reports.vouching import Vouching
from headct.terms.label import Label
from headct.terms.review import Doubt, in_order, verdict


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A report that says it is a review, and is not counted."""

    file: Path
    why: Doubt
    report: ReviewContent | None = None
    """What it says, where it can be read."""


@dataclass(frozen=True, slots=True)
class Found:
    """The reports of reviews in a folder."""

    reports: tuple[ReviewContent, ...]
    """Those that are vouched for."""
    doubtful: tuple[Doubtful, ...] = ()
    """The others, in the order of their files."""


def rebuild(reports: Iterable[ReviewContent]) -> tuple[Label, ...]:
    """What counts of every series that was spoken of, by its UID; copies of a report count once."""
    by_series: dict[str, dict[str, ReviewContent]] = {}
    for report in reports:
        by_series.setdefault(report.series_instance_uid, {})[report.sop_instance_uid] = report
    return tuple(_label(list(found.values())) for _uid, found in sorted(by_series.items()))


def find_reports(folder: Path, vouching: Vouching) -> Found:
    """All reports of reviews below a folder; other files are passed by, and a damaged one stops nothing.

    Args:
        folder: where the reports lie.
        vouching: tells which of them are whose they say they are.

    Raises:
        UnusableInputError: there is no such folder.
    """
    if not folder.is_dir():
        raise UnusableInputError(f"there is no folder {folder}")
    reports: list[ReviewContent] = []
    doubtful: list[Doubtful] = []
    for file in sorted(folder.rglob("*")):
        try:
            if not file.is_file() or not _claims(file):
                continue
            report = review_report.read(file.read_bytes())
        except (ReportError, OSError):
            doubtful.append(Doubtful(file, Doubt.DAMAGED))
            continue
        why = vouching.doubt(report)
        if why is None:
            reports.append(report)
        else:
            doubtful.append(Doubtful(file, why, report))
    return Found(tuple(reports), tuple(doubtful))


def _claims(file: Path) -> bool:
    with file.open("rb") as opened:
        return review_report.claims(opened)


def _label(reports: list[ReviewContent]) -> Label:
    said = in_order(
        reports,
        time=lambda report: (report.review.at, report.sop_instance_uid),
        name=lambda report: report.sop_instance_uid,
        earlier=lambda report: report.said_before,
    )
    reviews = [report.review for report in said]
    return Label.of(
        verdict(reviews),
        readers=len({review.by.login for review in reviews}),
        series_instance_uid=said[0].series_instance_uid,
        study_instance_uid=said[0].study_instance_uid,
    )
