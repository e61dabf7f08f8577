"""The table of labels, rebuilt from the verified reports of reviews alone: what survives a lost store."""

from collections.abc import Iterable
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from headct.errors import UnusableInputError
from headct.images.quiet import quiet
from headct.reports import review_report
from headct.reports.review_report import ReviewContent
from headct.terms.label import Label
from headct.terms.review import verdict


def rebuild(reports: Iterable[ReviewContent]) -> tuple[Label, ...]:
    """What counts of every series that was spoken of, by its UID; copies of a report count once."""
    by_series: dict[str, dict[str, ReviewContent]] = {}
    for report in reports:
        by_series.setdefault(report.series_instance_uid, {})[report.sop_instance_uid] = report
    return tuple(_label(list(found.values())) for _uid, found in sorted(by_series.items()))


def find_reports(folder: Path) -> tuple[ReviewContent, ...]:
    """All reports of reviews below a folder; other files are passed by.

    Raises:
        UnusableInputError: there is no such folder.
        ReportError: a report of a review is damaged. A table without it would be a wrong one.
    """
    if not folder.is_dir():
        raise UnusableInputError(f"there is no folder {folder}")
    return tuple(
        review_report.read(file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file() and _is_review(file)
    )


@quiet()
def _is_review(file: Path) -> bool:
    try:
        return review_report.is_review(dcmread(file, stop_before_pixels=True))
    except InvalidDicomError:
        return False


def _label(reports: list[ReviewContent]) -> Label:
    in_order = sorted(reports, key=lambda report: (report.review.at, report.sop_instance_uid))
    reviews = [report.review for report in in_order]
    return Label.of(
        verdict(reviews),
        readers=len({review.by.login for review in reviews}),
        series_instance_uid=in_order[0].series_instance_uid,
        study_instance_uid=in_order[0].study_instance_uid,
    )
