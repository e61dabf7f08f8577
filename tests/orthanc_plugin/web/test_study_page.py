"""The page of one study as sent: what is said of it, its slices."""

from datetime import timedelta
from urllib.parse import urljoin

import pytest
from fake_cases import NOW, case, orthanc_id
from fake_triage import FakeTriage
from flask.testing import FlaskClient
from page_reader import page, row_of

from orthanc_plugin.states import CaseState


def test_every_study_opens(client: FlaskClient, triage: FakeTriage) -> None:
    for row in (*triage.rows, *triage.earlier):
        for language in ("en", "ja"):
            page(client, f"/triage/studies/{row.id}?lang={language}")


def test_study_in_full(client: FlaskClient) -> None:
    text = page(client, f"/triage/studies/{orthanc_id('black')}?lang=en").text
    for expected in (
        "Alert probability 0.91",
        "Haemorrhage probability 0.97",
        "a deep bleed of 20 ml or more",
        "bleed25d 0.1.0, Rubric 1",
        "Structured report sent",
        "Key object selection not sent yet",
        "History",
        "superseded",
        "Judge again",
        "localizer",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", "slices/15.png?window=brain"),
        ("?slice=3&window=bone", "slices/3.png?window=bone"),
        ("?slice=-4&window=liver", "slices/0.png?window=brain"),
        ("?slice=9999&window=subdural", "slices/32.png?window=subdural"),
        ("?slice=x", "slices/15.png?window=brain"),
        ("?series=nonsense", "slices/15.png?window=brain"),
        (f"?series={orthanc_id('red-thin')}", f"{orthanc_id('red-thin')}/slices/15.png?window=brain"),
    ],
)
def test_slices_without_script(client: FlaskClient, query: str, shown: str) -> None:
    tags = page(client, f"/triage/studies/{orthanc_id('red')}{query}").tags
    first = next(str(a["src"]) for tag, a in tags if tag == "img")
    assert shown in first
    assert client.get(urljoin("/triage/studies/", first)).status_code == 200


def test_viewer_changes_identity_with_the_assessment(client: FlaskClient, triage: FakeTriage) -> None:
    def identity() -> str:
        tags = page(client, f"/triage/studies/{orthanc_id('red')}").tags
        return next(str(a["id"]) for tag, a in tags if "hx-morph-skip" in a)

    before = identity()
    assert identity() == before
    study = triage.study(orthanc_id("red"))
    assessment = study.series[0].assessment
    assert assessment is not None
    later = assessment.model_copy(update={"judged_at": NOW + timedelta(seconds=1)})
    judged_again = study.series[0].model_copy(update={"assessment": later})
    triage.study = lambda _: study.model_copy(update={"series": (judged_again,)})  # type: ignore[method-assign]
    assert identity() != before


def test_pending_case_without_known_series(client: FlaskClient, triage: FakeTriage) -> None:
    triage.rows = (case("bare", "A^B", 0.1, state=CaseState.PENDING),)
    assert "Pending" in row_of(client, "bare")
