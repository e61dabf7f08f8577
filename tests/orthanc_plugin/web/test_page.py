"""The worklist page as sent: words, order, every state."""

import re
from dataclasses import replace

import pytest
from fake_cases import DEEP, MIDLINE, RIM, case, orthanc_id, summary
from fake_triage import FakeTriage, unavailable
from flask.testing import FlaskClient
from page_reader import Page, page, row_of

from headct.terms.assessment import Finding
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import Words
from orthanc_plugin.cases.views import FindingView
from orthanc_plugin.states import SeriesState
from orthanc_plugin.web.page import telling


def test_one_row_a_study_in_order(client: FlaskClient, triage: FakeTriage) -> None:
    expected = [row.id for row in (*triage.rows, *triage.earlier)]
    assert list(page(client).rows) == expected


@pytest.mark.parametrize("address", ["/triage", "/triage/"])
def test_both_addresses(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("key", "language", "expected"),
    [
        (
            "black",
            "en",
            ["Suspected extreme severity, specialist now", "31 min", "30 min old", "about 130 ml"],
        ),
        ("black", "ja", ["最重症疑い・直ちに専門医へ", "31分", "約 130 ml", "山田 太郎"]),
        ("red", "en", ["RED", "urgent, specialist now", "Series disagree: RED / YELLOW", "12 min"]),
        ("preliminary", "en", ["RED", "Preliminary", "a child", "9 y", "24 s"]),
        ("failed", "en", ["Failed", "the analysis failed", "born Unknown", "read as usual"]),
        ("half", "en", ["Not analysed", "head not fully covered", "no machine result: read as usual"]),
        ("half", "ja", ["解析対象外", "頭部全体が撮影範囲に含まれていません"]),
        ("yellow", "en", ["YELLOW", "not urgent", "佐藤 一郎", "bleed near the inner table"]),
        ("pending", "en", ["Pending", "receiving images, 21 so far", "no result yet"]),
        ("judging", "en", ["Pending", "being judged, 33 images"]),
        ("green", "en", ["Nothing flagged", "does not mean normal", "(no name)", "1 h 15 min"]),
        ("green", "ja", ["指摘なし", "正常を意味するものではありません"]),
    ],
)
def test_rows_in_words(client: FlaskClient, key: str, language: str, expected: list[str]) -> None:
    row = row_of(client, key, language)
    assert [words for words in expected if words not in row] == []


def test_a_machine_s_colours_claim_no_more_than_it_knows(client: FlaskClient) -> None:
    for language in ("en", "ja"):
        text = page(client, f"/triage/?lang={language}").text
        assert "BLACK" not in text and "黒" not in text
        assert "GREEN" not in text and "緑" not in text


def test_no_bare_probability_on_the_list(client: FlaskClient) -> None:
    assert "probability" not in page(client).text.lower()
    assert not re.search(r"\b0\.\d|%", " ".join(page(client).rows.values()))


def test_series_fold_into_the_row(client: FlaskClient) -> None:
    row = row_of(client, "black")
    assert "3 series: 1 assessed, 2 not analysed" in row
    assert "localizer" in row and "bone kernel" in row


def test_a_row_shows_the_telling_findings(client: FlaskClient, triage: FakeTriage) -> None:
    small = replace(RIM, volume_ml=0.4)
    noise, shift = replace(MIDLINE, offset_mm=1.0), MIDLINE

    def said(*findings: Finding) -> list[str]:
        return [f.sentence.en.split(",")[0] for f in telling(tuple(FindingView.of(f) for f in findings))[0]]

    deep, rim, midline = "deep bleed", "bleed near the inner table of the skull", "midline offset about 8 mm"
    assert said() == []
    assert said(noise) == said(replace(MIDLINE, offset_mm=None)) == []
    assert said(DEEP, RIM, noise) == [deep, rim]
    assert said(DEEP, RIM, small, small, small) == [deep, rim, rim]
    assert said(DEEP, RIM, small, small, shift) == [deep, rim, f"{midline} towards the patient's right"]

    many = (DEEP, *[small] * 8, noise)
    triage.rows = (
        case("many", "A^B", 1, summary("many", urgency=Urgency.RED), urgency=Urgency.RED, findings=many),
    )
    assert "and 6 more" in row_of(client, "many")
    triage.rows = (
        case(
            "calm", "A^B", 1, summary("calm", urgency=Urgency.GREEN), urgency=Urgency.GREEN, findings=(noise,)
        ),
    )
    assert "midline" not in row_of(client, "calm")
    assert "This does not mean normal" in row_of(client, "calm")
    assert "midline offset under 4 mm" in page(client, f"/triage/studies/{orthanc_id('calm')}?lang=en").text


def test_unknown_series_behind_a_green(client: FlaskClient, triage: FakeTriage) -> None:
    triage.rows = (
        case(
            "mixed",
            "A^B",
            1,
            summary("mixed", urgency=Urgency.GREEN),
            summary("mixed2", SeriesState.ARRIVING),
            summary("mixed3", SeriesState.FAILED),
            urgency=Urgency.GREEN,
        ),
    )
    row = row_of(client, "mixed")
    assert "More series still to be judged" in row
    assert "A series failed" in row


def test_colour_is_never_the_only_sign(client: FlaskClient) -> None:
    shown = page(client)
    shapes = {a["href"] for tag, a in shown.tags if tag == "use"}
    assert {
        f"#i-{s}" for s in ("red", "black", "yellow", "green", "pending", "not_analysed", "failed")
    } <= shapes
    drawn = {f"#{a['id']}" for tag, a in shown.tags if tag == "symbol"}
    assert shapes <= drawn


def test_title_counts_alerts(client: FlaskClient, triage: FakeTriage) -> None:
    assert "<title>(3) Head CT triage</title>" in client.get("/triage/?lang=en").text
    triage.rows = ()
    assert "<title>Head CT triage</title>" in client.get("/triage/?lang=en").text


def test_links_into_ohif(client: FlaskClient, triage: FakeTriage) -> None:
    uid = triage.rows[0].study_instance_uid
    links = [a["href"] for tag, a in page(client).tags if tag == "a"]
    assert f"http://127.0.0.1:3000/viewer?StudyInstanceUIDs={uid}" in links
    triage.current = triage.current.model_copy(update={"ohif_url": None})
    assert "OHIF" not in page(client).text


def test_htmx_gets_only_the_living_part(client: FlaskClient) -> None:
    living = client.get("/triage/", headers={"HX-Request": "true"})
    assert "<html" not in living.text and "<footer" not in living.text
    assert len(Page(living.text).rows) == 11
    assert "<title>" in living.text
    assert "HX-Request" in living.headers["Vary"]


def test_heartbeat(client: FlaskClient) -> None:
    text = page(client).text
    for expected in ("Running", "Judging 1", "last judgement 18 s ago", "bleed25d 0.1.0", "112 GB free"):
        assert expected in text


@pytest.mark.parametrize(("language", "why"), [("en", "disk full"), ("ja", "空きなし")])
def test_stopped(client: FlaskClient, triage: FakeTriage, language: str, why: str) -> None:
    triage.current = triage.current.model_copy(
        update={"running": False, "reason": Words(en="disk full", ja="空きなし")}
    )
    shown = page(client, f"/triage/?lang={language}")
    assert why in shown.text
    assert ("div", "alert") in [(tag, a.get("role")) for tag, a in shown.tags if a.get("id") == "stopped"]
    assert len(shown.rows) == 11, "what is known stays on the page"
    assert "<title>✕" in client.get("/triage/").text


def test_no_worker(client: FlaskClient, triage: FakeTriage) -> None:
    triage.current = triage.current.model_copy(update={"workers_alive": 0})
    assert "No judging process is alive" in page(client).text
    triage.current = triage.current.model_copy(update={"workers_wanted": 0})
    assert "No judging process is alive" not in page(client).text


def test_unreadable_store_is_said_on_the_page(client: FlaskClient, triage: FakeTriage) -> None:
    triage.trouble = unavailable()
    assert "The store cannot be used (OperationalError)." in page(client).text
    answer = client.get(f"/triage/studies/{orthanc_id('red')}")
    assert answer.status_code == 503
    assert "The store cannot be used" in answer.text


def test_empty_and_without_a_past(client: FlaskClient, triage: FakeTriage) -> None:
    triage.rows = triage.earlier = ()
    triage.current = triage.current.model_copy(
        update={"last_judgement": None, "bundle": None, "free_disk_bytes": None, "judging": 0}
    )
    text = page(client).text
    assert "No study is waiting" in text
    assert "no judgement yet" in text
    assert "Ready" in text


def test_open_access_is_said(client: FlaskClient, triage: FakeTriage) -> None:
    triage.current = triage.current.model_copy(update={"authentication": False})
    assert "No password asked" in page(client).text
    assert "Judge again" not in page(client, f"/triage/studies/{orthanc_id('red')}").text


def test_page_survives_an_unavailable_triage_in_both_languages(
    client: FlaskClient, triage: FakeTriage
) -> None:
    triage.trouble = unavailable()
    assert "一覧を読み込めません" in page(client, "/triage/?lang=ja").text
