"""A judged series and reviews of it, for tests of what a review's document says."""

from datetime import datetime, timedelta, timezone
from io import BytesIO

import report_cases as cases
from pydicom import dcmread

from headct.reports import review_report, structured_report
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject
from headct.terms.review import Action, Exclusion, Person, Review, ReviewFinding
from headct.terms.urgency import Urgency

SERIES = cases.series()
IDENTITY = case_identity(SERIES)
MACHINE = structured_report.write(SERIES, cases.bleeding(SERIES), sent_at=cases.MADE_AT)
MACHINE_UID = structured_report.read(MACHINE).sop_instance_uid
JUDGED = Subject.of_report(MACHINE, IDENTITY)
UNJUDGED = Subject.of_images(SERIES.headers)
JAPAN = timezone(timedelta(hours=9))
SATO = Person("sato", "Sato^Hanako=佐藤^花子=さとう^はなこ", "中央病院")
AT = datetime(2026, 4, 5, 6, 17, 8, 90, JAPAN)
RED = Review(SATO, AT, Action.RELABEL, Urgency.RED, {ReviewFinding.SUBDURAL: True}, comment="右硬膜下血腫")
EXCLUDED = Review(SATO, AT, Action.EXCLUDE, None, reason=Exclusion.POST_OPERATIVE)


def write(review=RED, subject=JUDGED, request_id="request-1", **options):
    options = {"sent_at": cases.MADE_AT, **options}
    return review_report.write(review, subject, request_id=request_id, **options)


def read(*arguments, **options):
    return review_report.read(write(*arguments, **options))


def dataset(document):
    return dcmread(BytesIO(document))


def items(item):
    """All content items below, depth first."""
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)
