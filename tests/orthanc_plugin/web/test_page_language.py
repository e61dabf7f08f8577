"""The pages as sent: languages, names, durations and what was written in the images."""

import time
from datetime import UTC, datetime

import pytest
from fake_cases import orthanc_id
from flask.testing import FlaskClient
from page_reader import Page

from headct.language import Language
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.web import words


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


@pytest.mark.parametrize(
    ("zone", "said"),
    [("UTC0", "23:05:06 UTC+00:00"), ("JST-9", "08:05:06 UTC+09:00"), ("NST3:30", "19:35:06 UTC-03:30")],
)
def test_times_are_the_servers_and_name_their_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str, said: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        at = datetime(2026, 4, 5, 23, 5, 6, 789, tzinfo=UTC)
        assert words.clock(at) == said
        assert words.moment(at).endswith(f" {said}")
        assert words.minute(at)[11:] == f"{said[:5]} {said[9:]}"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_chosen_language_stays(client: FlaskClient) -> None:
    answer = client.get("/triage/?lang=ja")
    assert all(part in answer.headers["Set-Cookie"] for part in ("HttpOnly", "SameSite=Strict"))
    assert 'lang="ja"' in client.get("/triage/").text
    assert "lang=ja" not in next(str(a["hx-get"]) for _, a in Page(answer.text).tags if "hx-get" in a)


def test_the_physician_decides_on_every_page(client: FlaskClient) -> None:
    for address in ("/triage/", f"/triage/studies/{orthanc_id('red')}", "/triage/nowhere"):
        assert "the physician makes the final judgement" in client.get(f"{address}?lang=en").text
        assert "最終判断は医師が行います" in client.get(f"{address}?lang=ja").text


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
