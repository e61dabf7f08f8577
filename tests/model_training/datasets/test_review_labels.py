"""What becomes of reviews in the table of labels."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_labels

from headct.terms.label import StoredLabel
from headct.terms.review import BLEED_TYPES, Exclusion, ReviewFinding, Standing
from headct.terms.urgency import Urgency
from model_training.datasets.review_labels import (
    DISPUTED,
    DOUBTFUL,
    NO_WORD_ON_BLOOD,
    UNSEEN,
    UNVERIFIED,
    row_of,
)
from model_training.datasets.selection import POSTOPERATIVE
from model_training.datasets.sources.labelled import COLUMNS, VERSION, Labelled
from tests.model_training.pacs import said

F = ReviewFinding


@pytest.mark.parametrize(
    ("series", "row"),
    [
        (said(findings={F.HAEMORRHAGE: True}), {"urgency": "RED", "bleeding": "1"}),
        (said(findings={F.SUBDURAL: True}), {"urgency": "RED", "bleeding": "1", "sdh": "1"}),
        (
            said(Urgency.YELLOW, {F.HAEMORRHAGE: False, F.FRACTURE: True}),
            {"urgency": "YELLOW", "bleeding": "0", "fracture": "1"},
        ),
        (said(Urgency.YELLOW, {F.MIDLINE_SHIFT: False, F.EPIDURAL: False}), {"excluded": NO_WORD_ON_BLOOD}),
        (said(Urgency.GREEN), {"urgency": "GREEN", "bleeding": "0", "doubtful": DOUBTFUL}),
        (said(Urgency.GREEN, {F.HAEMORRHAGE: True}), {"urgency": "GREEN", "bleeding": "1"}),
        (said(Urgency.BLACK, standing=Standing.SETTLED), {"excluded": NO_WORD_ON_BLOOD}),
        (said(None, standing=Standing.DISPUTED), {"excluded": DISPUTED}),
        (said(None, standing=Standing.DISPUTED, reason=Exclusion.OTHER), {"excluded": DISPUTED}),
        (said(None, reason=Exclusion.OTHER), {"excluded": "excluded by a reader: other"}),
        (said(findings={F.HAEMORRHAGE: True}, unseen=True), {"excluded": UNSEEN}),
        (
            replace(said(findings={F.HAEMORRHAGE: True}), unverified=True),
            {"excluded": UNVERIFIED},
        ),
    ],
)
def test_rows(series: StoredLabel, row: dict[str, str]) -> None:
    assert row_of(series) == row


def test_a_study_that_a_reader_called_post_operative_is_left_out_with_all_its_series() -> None:
    assert row_of(said(), frozenset({"1.2"})) == {"excluded": POSTOPERATIVE}
    assert row_of(said(findings={F.SUBDURAL: True}), frozenset({"1.20"}))["urgency"] == "RED"


@given(
    st.sampled_from(Urgency),
    st.dictionaries(st.sampled_from(ReviewFinding), st.booleans()).filter(
        lambda f: f.get(F.HAEMORRHAGE) is not False or not any(f.get(t) for t in BLEED_TYPES)
    ),
)
def test_every_row_is_read_by_the_adapter_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory, label: Urgency, findings: dict[ReviewFinding, bool]
) -> None:
    row = row_of(said(label, findings))
    assert set(row) <= set(COLUMNS)
    root = tmp_path_factory.mktemp("table")
    (root / VERSION).touch()
    write_labels(root, [{"series": "1", "study": "2", "patient": "P", **row}])
    source = Labelled(root, root)
    truth = source._rows["series", "1"]
    if "excluded" in row:
        assert truth == row["excluded"]
        assert [(one.person, one.series, one.reason) for one in source.left_out] == [("P", "1", truth)]
        return
    assert not isinstance(truth, str) and source.left_out == ()
    assert truth.urgency == label.name
    if F.HAEMORRHAGE in findings:
        assert truth.bleeding is findings[F.HAEMORRHAGE]
    assert truth.bleeding or not any(findings.get(kind) for kind in BLEED_TYPES)
    assert truth.labels.get("ivh") is findings.get(F.INTRAVENTRICULAR)
