"""The pages as sent: words, order, languages, nothing unescaped, every state."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_cases import DEEP, MIDLINE, NOW, RIM, case, orthanc_id, summary
from fake_triage import FakeTriage, unavailable
from flask import Flask
from flask.testing import FlaskClient

import orthanc_plugin.web
from headct.language import Language
from headct.terms.assessment import Finding
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import PatientNameView, Words
from orthanc_plugin.cases.views import FindingView
from orthanc_plugin.states import CaseState, SeriesState
from orthanc_plugin.web import create_app, words
from orthanc_plugin.web.page import telling

WEB = Path(orthanc_plugin.web.__file__).parent


@pytest.fixture(scope="module")
def served() -> tuple[FakeTriage, Flask]:
    triage = FakeTriage()
    return triage, create_app(triage)


@pytest.fixture
def triage(served: tuple[FakeTriage, Flask]) -> FakeTriage:
    """As new for each test; making the application takes longer than any of them."""
    served[0].reset()
    return served[0]


@pytest.fixture
def client(served: tuple[FakeTriage, Flask], triage: FakeTriage) -> FlaskClient:
    return served[1].test_client()


class Page(HTMLParser):
    """A page's text, its rows' texts by id, and all its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, str] = {}
        self.text = ""
        self._row = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if (attributes.get("id") or "").startswith("case-"):
            self._row = str(attributes["id"]).removeprefix("case-")
            self.rows[self._row] = ""
        if tag == "footer":
            self._row = ""

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text:
            self.text += text + " "
            if self._row:
                self.rows[self._row] += text + " "


def page(client: FlaskClient, address: str = "/triage/?lang=en", **headers: str) -> Page:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return Page(answer.text)


def row_of(client: FlaskClient, key: str, language: str = "en") -> str:
    return page(client, f"/triage/?lang={language}").rows[orthanc_id(key)]


# --- the list -----------------------------------------------------------------------------------------


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


# --- is the machine alive -----------------------------------------------------------------------------


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


# --- one study ----------------------------------------------------------------------------------------


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
    assert client.get(first).status_code == 200


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


# --- languages, names, escaping -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "language"),
    [
        ("", None, None, "en"),
        ("", None, "ja,en;q=0.5", "ja"),
        ("", None, "ja-JP", "ja"),
        ("", None, "fr, de", "en"),
        ("", "ja", "en", "ja"),
        ("?lang=en", "ja", "ja", "en"),
        ("?lang=xx", "ja", None, "ja"),
    ],
)
def test_language(
    client: FlaskClient, query: str, cookie: str | None, accepted: str | None, language: str
) -> None:
    if cookie:
        client.set_cookie(words.COOKIE, cookie)
    answer = client.get(f"/triage/{query}", headers={"Accept-Language": accepted} if accepted else {})
    assert f'<html lang="{language}">' in answer.text


def test_a_chosen_language_stays(client: FlaskClient) -> None:
    answer = client.get("/triage/?lang=ja")
    assert all(part in answer.headers["Set-Cookie"] for part in ("HttpOnly", "SameSite=Strict"))
    assert 'lang="ja"' in client.get("/triage/").text
    assert "lang=ja" not in next(str(a["hx-get"]) for _, a in Page(answer.text).tags if "hx-get" in a)


def test_the_physician_decides_on_every_page(client: FlaskClient) -> None:
    for address in ("/triage/", f"/triage/studies/{orthanc_id('red')}", "/triage/nowhere"):
        assert "the physician makes the final judgement" in client.get(f"{address}?lang=en").text
        assert "最終判断は医師が行います" in client.get(f"{address}?lang=ja").text


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
        assert all(str(a["src"]).startswith("/triage/") for tag, a in tags if tag in {"script", "img"})


@pytest.mark.parametrize(
    ("written", "language", "expected"),
    [
        ("YAMADA^TAROU=山田^太郎=やまだ^たろう", "en", ("YAMADA TAROU", "山田 太郎 / やまだ たろう")),
        ("YAMADA^TAROU=山田^太郎=やまだ^たろう", "ja", ("山田 太郎", "やまだ たろう / YAMADA TAROU")),
        ("Smith^John^Q^Dr.", "ja", ("Smith John Q Dr.", "")),
        ("=山田^太郎", "en", ("山田 太郎", "")),
        ("==やまだ", "ja", ("やまだ", "")),
        ("", "en", ("", "")),
        ("^^^=", "en", ("", "")),
        ("a=b=c=d", "en", ("a", "b / c=d")),
    ],
)
def test_names(written: str, language: Language, expected: tuple[str, str]) -> None:
    assert words.name_parts(PatientNameView.of(written), language) == expected


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [
        (0, "0 s", "0秒"),
        (59.9, "59 s", "59秒"),
        (60, "1 min", "1分"),
        (3599, "59 min", "59分"),
        (3600 + 5 * 60, "1 h 05 min", "1時間 05分"),
        (48 * 3600, "2 d", "2日"),
    ],
)
def test_durations(seconds: float, english: str, japanese: str) -> None:
    said = words.duration(seconds)
    assert (said.say("en"), said.say("ja")) == (english, japanese)


def test_dicom_values_are_shown_as_written() -> None:
    assert words.date_as_written("19510711") == "1951-07-11"
    assert words.date_as_written("Unknown") == "Unknown"
    assert words.date_as_written("195107") == "195107"
    assert words.time_as_written("030102.11") == "03:01:02"
    assert words.time_as_written("0301") == "0301"
    assert words.age_as_written("007Y", "en") == "7 y"
    assert words.age_as_written("7", "ja") == "7"


# --- the page's own files -----------------------------------------------------------------------------


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
        WEB / "static" / "review.js",
    ]:
        assert not re.search(r"https?://|@import|url\(|innerHTML|eval\(", path.read_text("utf-8")), path.name


def test_assets_change_address_with_their_content(client: FlaskClient) -> None:
    for tag, attributes in page(client).tags:
        if tag in {"script", "link"}:
            address = str(attributes.get("src") or attributes.get("href"))
            assert re.search(r"\?v=[0-9a-f]{16}$", address)
            answer = client.get(address)
            assert answer.status_code == 200, (
                f"{address}: is the page's vendor folder filled (npm run vendor)?"
            )
            assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_pending_case_without_known_series(client: FlaskClient, triage: FakeTriage) -> None:
    triage.rows = (case("bare", "A^B", 0.1, state=CaseState.PENDING),)
    assert "Pending" in row_of(client, "bare")


def test_page_survives_an_unavailable_triage_in_both_languages(
    client: FlaskClient, triage: FakeTriage
) -> None:
    triage.trouble = unavailable()
    assert "一覧を読み込めません" in page(client, "/triage/?lang=ja").text
