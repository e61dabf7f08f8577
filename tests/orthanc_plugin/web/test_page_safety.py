"""The pages as sent: nothing unescaped, nothing inline, nothing from elsewhere, assets that may be cached."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fake_cases import orthanc_id, summary
from fake_triage import FakeTriage
from flask.testing import FlaskClient
from page_reader import Page, page

import orthanc_plugin.web
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import PatientNameView

WEB = Path(orthanc_plugin.web.__file__).parent


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


@pytest.mark.parametrize(
    "field", ["patient_id", "birth_date", "sex", "age", "accession_number", "study_date"]
)
def test_evil_facts_are_only_text(client: FlaskClient, triage: FakeTriage, field: str) -> None:
    check_evil(client, triage, {field: EVIL})


def test_evil_names_and_descriptions_are_only_text(client: FlaskClient, triage: FakeTriage) -> None:
    name = PatientNameView(alphabetic=EVIL, ideographic=EVIL, phonetic=EVIL)
    series = (summary("red", urgency=Urgency.RED, description=EVIL, number=EVIL),)
    check_evil(
        client,
        triage,
        {"patient_name": name, "study_description": EVIL, "study_instance_uid": EVIL, "series": series},
    )


def check_evil(client: FlaskClient, triage: FakeTriage, update: dict[str, object]) -> None:
    triage.rows = (triage.rows[1].model_copy(update=update),)
    for address in ("/triage/", f"/triage/studies/{orthanc_id('red')}"):
        html = client.get(address).text
        tags = Page(html).tags
        assert "<script>" not in html
        assert "49" not in Page(html).rows.get(orthanc_id("red"), "").replace(EVIL, "").split()
        assert not [a for _, a in tags if any(name.startswith("on") for name in a)]
        sources = [urljoin(address, str(a["src"])) for tag, a in tags if tag in {"script", "img"}]
        assert all(source.startswith("/triage/") for source in sources)


def test_templates_hold_no_inline_script_style_or_foreign_address() -> None:
    for path in WEB.glob("templates/*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"\sstyle=|<style|\son\w+=|hx-on|javascript:|https?://|\|\s*safe", text), (
            path.name
        )
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path.name
    for path in [
        *(WEB / "static").glob("triage.*"),
        *(WEB / "static").glob("models.*"),
        *(WEB / "static").glob("review*"),
    ]:
        assert not re.search(r"https?://|@import|url\(|innerHTML|eval\(", path.read_text("utf-8")), path.name


@pytest.mark.browser_files
def test_assets_change_address_with_their_content(client: FlaskClient) -> None:
    for tag, attributes in page(client).tags:
        if tag in {"script", "link"}:
            address = urljoin("/triage/", str(attributes.get("src") or attributes.get("href")))
            assert re.search(r"\?v=[0-9a-f]{16}$", address)
            answer = client.get(address)
            assert answer.status_code == 200, (
                f"{address}: is the page's vendor folder filled (npm run vendor)?"
            )
            assert "max-age=31536000" in answer.headers["Cache-Control"]
