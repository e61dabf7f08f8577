"""Rows and words of the panel: the same as the web page's, and no more than the case bears out."""

from datetime import UTC, datetime
from typing import Any

import fake_cases
import pytest
from HeadCTTriageLib import words
from HeadCTTriageLib.panel import rows
from HeadCTTriageLib.server.cases import EXCLUSIONS, FINDINGS, Case, Finding, Urgency, Worklist
from HeadCTTriageLib.server.cases import Words as BothWords
from HeadCTTriageLib.server.reading import read
from hypothesis import given
from hypothesis import strategies as st

from headct import wording
from headct.terms.review import BLEED_TYPES, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency as ServersUrgency
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.views import WorklistView
from orthanc_plugin.web import page
from orthanc_plugin.web import words as page_words
from orthanc_plugin.web.reading import waits_for


def cases() -> tuple[Case, ...]:
    """One of every kind, through JSON as a server sends them."""
    view = WorklistView(generated_at=fake_cases.NOW, rows=fake_cases.rows())
    return read(Worklist, view.model_dump(mode="json")).rows


@pytest.fixture(scope="module")
def of_every_kind() -> dict[str, tuple[Case, Any]]:
    keys = [
        "black",
        "red",
        "preliminary",
        "failed",
        "half",
        "yellow",
        "pending",
        "judging",
        "green",
        "green2",
    ]
    return {k: (c, r) for k, c, r in zip(keys, cases(), fake_cases.rows(), strict=True)}


@pytest.mark.parametrize("urgency", Urgency)
def test_colours_mean_what_the_server_says_they_mean(urgency: Urgency) -> None:
    servers = ServersUrgency[urgency.value]
    assert words.machine_meaning(urgency) == wording.urgency_words(servers)
    assert words.person_meaning(urgency) == wording.urgency_words(servers, by_person=True)
    assert words.colour(urgency) == wording.colour(servers).upper()
    title, meaning = page.urgency_sign(servers, "en").title, wording.urgency_words(servers)
    assert words.machine_sign(urgency) in {title, f"{title}: {meaning}"}


def test_a_machines_green_is_never_called_green_or_normal_nor_its_black_black() -> None:
    assert words.machine_sign(Urgency.GREEN) == "Nothing flagged"
    assert "BLACK" not in words.machine_sign(Urgency.BLACK)


def test_names_of_findings_and_exclusions_are_the_servers() -> None:
    assert [wording.review_finding_words(ReviewFinding(f)) for f in FINDINGS] == [
        words.finding(f) for f in FINDINGS
    ]
    assert [wording.exclusion_words(Exclusion(e)) for e in EXCLUSIONS] == [
        words.exclusion(e) for e in EXCLUSIONS
    ]
    assert words.finding("a_new_one") == "a new one" and words.exclusion("a_new_one") == "a new one"
    assert words.notice() == wording.notice()
    assert set(BLEED_TYPES) < set(map(ReviewFinding, FINDINGS))


@given(st.floats(0, 1e7), st.sampled_from(["007Y", "011M", "003W", "012D", "74", "", "Unknown", "0７4Y"]))
def test_times_and_ages_read_as_on_the_page(seconds: float, age: str) -> None:
    assert words.duration(seconds) == page_words.duration(seconds).say("en")
    assert words.age(age) == page_words.age_as_written(age, "en")


@given(st.text("AZaz^=山田やまだ -", max_size=20), st.sampled_from(["en", "ja"]))
def test_names_read_as_on_the_page(written: str, language: Any) -> None:
    view = PatientNameView.of(written)
    from HeadCTTriageLib.server.cases import PersonName

    name = PersonName(view.alphabetic, view.ideographic, view.phonetic)
    assert words.person_name(name, language) == page_words.name_parts(view, language)
    assert words.reader_name(written, language) == page_words.name_parts(view, language)[0]


def test_each_kind_of_row_says_what_it_is(of_every_kind: dict[str, tuple[Case, Any]]) -> None:
    made = {name: rows.row(case, "en", unsent=False) for name, (case, _) in of_every_kind.items()}
    assert {name: row.tone for name, row in made.items()} == {
        "black": "black",
        "red": "red",
        "preliminary": "red",
        "failed": "failed",
        "half": "not_analysed",
        "yellow": "yellow",
        "pending": "pending",
        "judging": "pending",
        "green": "green",
        "green2": "green",
    }
    sign = {name: row.cells[rows.URGENCY] for name, row in made.items()}
    assert sign["half"] == "Not analysed: head not fully covered"
    assert sign["failed"] == "Failed: the analysis failed"
    assert sign["pending"] == "Pending: receiving images, 21 so far"
    assert "Series disagree" in made["red"].cells[rows.STATE]
    assert "Preliminary" in made["preliminary"].cells[rows.STATE]
    assert "a child" in made["preliminary"].cells[rows.FINDINGS]
    assert made["green"].cells[rows.PATIENT] == "(no name)"
    assert made["failed"].cells[rows.AGE] == ""
    assert rows.row(of_every_kind["red"][0], "en", unsent=True).cells[rows.STATE].startswith("NOT SENT YET")
    assert rows.row(of_every_kind["black"][0], "ja", unsent=False).cells[rows.PATIENT] == "山田 太郎"


def test_tool_tips_show_what_patients_are_called_and_no_markup_of_theirs(
    of_every_kind: dict[str, tuple[Case, Any]],
) -> None:
    import dataclasses

    from HeadCTTriageLib.server.cases import PersonName

    case = dataclasses.replace(of_every_kind["red"][0], patient_name=PersonName("<b>A&B^</b>"))
    assert "&lt;b&gt;A&amp;B" in rows.row(case, "en", unsent=False).tooltip


@given(st.text(max_size=12), st.booleans())
def test_a_filter_lets_through_what_has_all_its_words(text: str, unread_only: bool) -> None:
    row = rows.row(cases()[1], "en", unsent=False)
    expected = all(word in row.searched for word in text.lower().split())
    assert rows.wanted(row, text, unread_only) is expected
    assert rows.wanted(row, "müller DEEP bleed", unread_only)
    assert not rows.wanted(row, "müller absent", unread_only)


@given(
    st.lists(st.sampled_from(["haemorrhage", "midline_offset", "old_collection"]), max_size=8),
    st.floats(-9, 9),
)
def test_few_findings_of_a_row_are_those_that_the_page_shows(kinds: list[str], offset: float) -> None:
    both = BothWords("", "")
    findings = tuple(
        Finding(kind, both, offset_mm=offset, volume_ml=float(n)) for n, kind in enumerate(kinds)
    )
    from headct.terms.assessment import FindingKind
    from orthanc_plugin.answer import Words
    from orthanc_plugin.cases.views import FindingView

    nothing = Words(en="", ja="")
    views = tuple(
        FindingView(kind=FindingKind(f.kind), offset_mm=offset, volume_ml=f.volume_ml, sentence=nothing)
        for f in findings
    )
    shown, _more = page.telling(views)
    assert [f.volume_ml for f in rows.telling(findings)] == [f.volume_ml for f in shown]


def test_next_case_is_the_pages_next_case(of_every_kind: dict[str, tuple[Case, Any]]) -> None:
    from dataclasses import replace

    given = read_review("sato"), read_review("ito")
    found = read_unverified()
    for case, view in of_every_kind.values():
        for reviewed, disputed, reopened, by, doubted in [
            (False, False, False, (), 0),
            (True, False, False, given[:1], 0),
            (False, True, False, given, 0),
            (False, True, False, given, 1),
            (False, True, False, given[1:], 0),
            (False, True, True, given, 0),
            (False, False, True, given[:1], 0),
            (False, False, False, given[:1], 1),
        ]:
            state = {"reviewed": reviewed, "disputed": disputed, "reopened": reopened}
            mine = replace(case, reviews=tuple(r for r, _ in by), unverified=found[0][:doubted], **state)
            update = {**state, "reviews": tuple(r for _, r in by), "unverified": found[1][:doubted]}
            theirs = view.model_copy(update=update)
            expected = waits_for(theirs, "sato", blind=False)
            assert rows.waits_for(mine, "sato") is expected, (case.id, state)


def test_what_nobody_vouches_for_is_told_and_ages(of_every_kind: dict[str, tuple[Case, Any]]) -> None:
    from dataclasses import replace

    case = replace(of_every_kind["red"][0], reviewed=True, reopened=False)
    assert not rows.ages(case)
    doubted = replace(case, unverified=read_unverified()[0])
    assert rows.ages(doubted)
    why = "Review found, not verified: read again (RED, Nobody knows who wrote it.)"
    assert why in rows.row(doubted, "en", unsent=False).cells[3]


def read_unverified() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A report that nobody vouches for, as the panel and as the server has it."""
    from HeadCTTriageLib.server.cases import Unverified

    from headct.terms.review import Doubt
    from orthanc_plugin.answer import Words
    from orthanc_plugin.cases.review_views import UnverifiedView

    view = UnverifiedView(
        why=Doubt.NOT_SEALED,
        sentence=Words(en="Nobody knows who wrote it.", ja="誰が書いたか分かりません。"),
        urgency="RED",
        found_at=datetime(2026, 3, 4, tzinfo=UTC),
        orthanc_id="an-instance",
    )
    return (read(Unverified, view.model_dump(mode="json")),), (view,)


def read_review(login: str) -> tuple[Any, Any]:
    """A review of a login, as the panel and as the server has it."""
    from HeadCTTriageLib.server.cases import GivenReview

    from orthanc_plugin.cases.review_views import ReviewView

    view = ReviewView(
        action="relabel",
        urgency="RED",
        findings={},
        reason=None,
        comment="",
        blind=False,
        login=login,
        reader="Sato^Hanako",
        organisation="St. Elsewhere",
        at=datetime(2026, 3, 4, tzinfo=UTC),
    )
    return read(GivenReview, view.model_dump(mode="json")), view
