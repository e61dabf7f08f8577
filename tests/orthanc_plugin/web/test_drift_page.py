"""The pages of drift monitoring and labelling queue as sent, and the shapes of their plots."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from drift_samples import WEEKS, drifted, queued, rate_view
from fake_triage import FakeTriage, unavailable
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from one_app import Served
from prometheus_client.parser import text_string_to_metric_families

from headct.network.reference import EDGES
from headct.terms.quantities import Quantity
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.drift.views import QuantityView, Rate, ShiftWeekView
from orthanc_plugin.drift.words import QUANTITIES, RATES
from orthanc_plugin.service import Kept
from orthanc_plugin.web import charts

API = "/triage/api/v1"


@pytest.fixture(scope="module")
def triage() -> FakeTriage:
    return FakeTriage()


@pytest.fixture(scope="module")
def served(triage: FakeTriage) -> FlaskClient:
    return Served(triage).test_client()


@pytest.fixture
def client(served: FlaskClient, triage: FakeTriage) -> Iterator[FlaskClient]:
    triage.reset()
    yield served
    for cookie in ("headct_language", "headct_blind"):
        served.delete_cookie(cookie, path="/")


# --- drift monitoring ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            [
                "Distance of slices (mm): the 37 cases",
                "Fisher's exact test",
                "2026-W09 ▲ alarm",
                "Trained on",
            ],
        ),
        ("ja", ["スライス間隔（mm）：2026-W09の37例", "フィッシャーの正確確率検定", "▲ 警告", "学習時"]),
    ],
)
def test_the_page_says_what_changed_and_when_it_would(
    client: FlaskClient, language: str, expected: list[str]
) -> None:
    html = client.get(f"/triage/drift?lang={language}").text.replace("&#39;", "'")
    for words in expected:
        assert words in html


def test_a_table_of_figures_beneath_every_plot(client: FlaskClient) -> None:
    html = client.get("/triage/drift").text
    figures = html.split("<figure")[1:]
    assert len(figures) == 1 + len(Rate) + len(Quantity)
    for figure in figures:
        plot, _, below = figure.partition("</svg>")
        assert 'role="img" aria-label="' in plot
        assert below.count("<table>") == 1 and '<th scope="row">' in below
    for names in (*QUANTITIES.values(), *RATES.values()):
        assert str(names) in html.replace("&lt;", "<")


def test_every_figure_and_rate_has_words() -> None:
    assert set(QUANTITIES) == set(Quantity)
    assert set(RATES) == set(Rate)


def test_the_living_part_alone_for_htmx(client: FlaskClient) -> None:
    part = client.get("/triage/drift", headers={"HX-Request": "true"}).text
    assert "<html" not in part and "<figure" in part


def test_plots_are_drawn_anew_for_other_figures_or_language(
    client: FlaskClient, triage: FakeTriage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = drifted()
    monkeypatch.setattr(triage, "drift", lambda: kept, raising=False)
    first = client.get("/triage/drift?lang=en").text
    assert client.get("/triage/drift?lang=en").text == first
    assert "変化あり" in client.get("/triage/drift?lang=ja").text
    quiet = kept.model_copy(update={"alarms": ()})
    monkeypatch.setattr(triage, "drift", lambda: quiet, raising=False)
    assert "No alarm" in client.get("/triage/drift?lang=en").text


@pytest.mark.parametrize("address", ["/triage/drift", "/triage/labelling"])
def test_a_store_that_cannot_be_read_is_said_on_the_page(
    client: FlaskClient, triage: FakeTriage, address: str
) -> None:
    triage.trouble = unavailable()
    answer = client.get(address)
    assert answer.status_code == 200 and "The store cannot be used (OperationalError)." in answer.text
    assert client.get(f"{API}/drift").status_code == 503


def test_a_model_that_does_not_say_what_it_was_trained_on(
    client: FlaskClient, triage: FakeTriage, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = drifted()
    bare = view.models[0].model_copy(
        update={
            "quantities": tuple(q.model_copy(update={"reference": None}) for q in view.models[0].quantities)
        }
    )
    monkeypatch.setattr(triage, "drift", lambda: view.model_copy(update={"models": (bare,)}), raising=False)
    html = client.get("/triage/drift?lang=en").text
    assert "nothing is compared" in html and "Trained on" not in html


def test_alarms_and_rates_are_metrics(client: FlaskClient) -> None:
    families = {f.name: f for f in text_string_to_metric_families(client.get(f"{API}/metrics").text)}
    alarms = {
        (s.labels["figure"], s.labels["model"]): s.value for s in families["headct_watch_alarm"].samples
    }
    assert set(alarms) == {("not_analysed", ""), ("failed", "")} | {
        (figure, "bleed25d-0.1.0") for figure in ("relabelled", *Quantity)
    }
    assert [figure for (figure, _), on in alarms.items() if on] == ["slice_distance_mm"]
    week = drifted().rates[0].weeks[-2]
    of = {s.labels["rate"]: s.value for s in families["headct_week_cases"].samples}
    assert of["not_analysed"] == week.of
    shifts = {s.labels["quantity"]: s.value for s in families["headct_shift"].samples}
    limits = {s.labels["quantity"]: s.value for s in families["headct_shift_limit"].samples}
    assert shifts["slice_distance_mm"] > limits["slice_distance_mm"]
    assert shifts["age_years"] < limits["age_years"]


@pytest.mark.parametrize("base", ["/triage", API])
@pytest.mark.parametrize(("old", "new"), [("watch", "drift"), ("reading-list", "labelling")])
def test_the_address_of_the_last_release_leads_there(
    client: FlaskClient, base: str, old: str, new: str
) -> None:
    for query in ("", "?lang=ja&blind=1"):
        answer = client.get(f"{base}/{old}{query}")
        # Relative: under which path a proxy shows us is not known.
        assert (answer.status_code, answer.headers["Location"]) == (301, f"{new}{query}")
        assert client.get(urljoin(f"{base}/{old}", answer.headers["Location"])).status_code == 200


# --- shapes -------------------------------------------------------------------------------------------


COUNTS = st.lists(st.lists(st.integers(0, 40), min_size=6, max_size=6), min_size=WEEKS, max_size=WEEKS)


def quantity(counts: list[list[int]]) -> QuantityView:
    return QuantityView(
        quantity=Quantity.AGE_YEARS,
        edges=EDGES[Quantity.AGE_YEARS],
        reference=(1, 2, 3, 4, 5, 6),
        weeks=tuple(ShiftWeekView(week=f"2026-W{n:02}", counts=tuple(c)) for n, c in enumerate(counts)),
    )


@run_with(max_examples=25)
@given(COUNTS)
def test_columns_of_shares_fill_the_plot(counts: list[list[int]]) -> None:
    chart = charts.shift_chart(quantity(counts))
    columns: dict[float, float] = {}
    for bar in chart.bars:
        middle = round(bar.x + bar.width / 2)
        columns[middle] = columns.get(middle, 0.0) + bar.height
        assert bar.x > 0 and bar.x + bar.width < chart.width
        assert bar.y >= charts.TOP - 0.1 and bar.y + bar.height <= charts.TOP + charts.HEIGHT + 0.2
    assert len(columns) == 1 + sum(any(c) for c in counts)
    assert all(height == pytest.approx(charts.HEIGHT, abs=0.5) for height in columns.values())


@run_with(max_examples=25)
@given(st.lists(st.integers(0, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))),
                min_size=WEEKS, max_size=WEEKS))  # fmt: skip
def test_shares_and_their_intervals_stay_in_the_plot(counts: list[tuple[int, int]]) -> None:
    chart = charts.rate_chart(rate_view(Rate.FAILED, counts))
    assert len(chart.dots) == sum(of > 0 for _, of in counts)
    for dot in chart.dots:
        assert charts.TOP <= dot.high <= dot.y <= dot.low <= charts.TOP + charts.HEIGHT


def test_an_empty_week_and_an_empty_hospital_have_plots() -> None:
    nothing = charts.cases_chart([w.model_copy(update={"cases": 0}) for w in drifted().weeks])
    assert nothing.bars == () and nothing.x_ticks
    assert charts.rate_chart(rate_view(Rate.FAILED, [(0, 0)] * WEEKS)).dots == ()


def test_names_of_classes() -> None:
    assert charts.class_names((0.05, 2, 18)) == ("< 0.05", "0.05–2", "2–18", "≥ 18")


# --- labelling queue -------------------------------------------------------------------------------------


def rows(html: str) -> dict[str, str]:
    found = re.findall(
        r'<li class="row" id="case-(\w+)">(.*?)</li>\s*(?=<li class="row"|</ol>)', html, re.DOTALL
    )
    return dict(found)


def test_every_row_says_why(client: FlaskClient) -> None:
    html = client.get("/triage/labelling?lang=en").text
    shown = rows(html)
    assert list(shown) == [row.study_id for row in queued().rows]
    assert "Not for clinical order" in html
    assert "read first on the worklist and therefore not here: 1" in html
    for row in queued().rows:
        for lesson in row.lessons:
            assert lesson.sentence.en in shown[row.study_id].replace("&#39;", "'")
    assert '"studies/discordant?series=t1"' in shown["discordant"]
    assert "未読の緊急症例" in client.get("/triage/labelling?lang=ja").text


def test_who_reads_blind_is_not_told_why(client: FlaskClient) -> None:
    html = client.get("/triage/labelling?blind=1&lang=en", environ_overrides={"REMOTE_USER": "reader0"}).text
    shown = rows(html)
    assert "hidden while you read blind" in shown["undecided"]
    assert "probability" not in shown["undecided"] and "worth" not in shown["undecided"]
    assert "Two readers differ" in shown["disputed"]  # they are one of them


def test_names_are_escaped(client: FlaskClient, triage: FakeTriage, monkeypatch: pytest.MonkeyPatch) -> None:
    view = queued()
    evil = view.rows[0].model_copy(update={"patient_name": PatientNameView(alphabetic="<script>x</script>")})
    monkeypatch.setattr(
        triage, "labelling_queue", lambda: view.model_copy(update={"rows": (evil,)}), raising=False
    )
    html = client.get("/triage/labelling").text
    assert "<script>x" not in html and "&lt;script&gt;x" in html


def test_nothing_to_read(client: FlaskClient, triage: FakeTriage, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = queued().model_copy(update={"rows": (), "total": 0, "left_to_worklist": 0})
    monkeypatch.setattr(triage, "labelling_queue", lambda: nothing, raising=False)
    assert "No label is missing" in client.get("/triage/labelling?lang=en").text


def test_what_is_kept_is_worked_out_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("orthanc_plugin.kept.time.monotonic", lambda: now[0])
    answers = iter(range(9))
    kept: Kept[int] = Kept(60)
    with pytest.raises(ZeroDivisionError):
        kept.get(lambda: 1 // 0)
    assert [kept.get(lambda: next(answers)) for _ in range(3)] == [0, 0, 0]
    now[0] += 61
    assert kept.get(lambda: next(answers)) == 1
