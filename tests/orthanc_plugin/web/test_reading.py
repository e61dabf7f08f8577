"""Which case is next, and what was said of a series in order."""

from datetime import timedelta

import pytest
from fake_cases import NOW, case, in_full, summary

from headct.terms.review import Action, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from orthanc_plugin.cases.review_views import ReviewView
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.states import CaseState, SeriesState
from orthanc_plugin.web.reading import timeline, waits_for


def said(login: str, urgency: Urgency | None, minutes: float = 1, **more: object) -> ReviewView:
    return ReviewView.model_validate(
        {
            "action": Action.RELABEL if urgency is not None else Action.EXCLUDE,
            "urgency": urgency,
            "findings": {},
            "reason": None if urgency is not None else Exclusion.POST_OPERATIVE,
            "comment": "",
            "blind": False,
            "login": login,
            "reader": f"{login.title()}^Hanako=佐藤^花子",
            "organisation": "St. Elsewhere",
            "at": NOW - timedelta(minutes=minutes),
            **more,
        }
    )


def row(key: str, *logins: str, urgency: Urgency | None = Urgency.RED, **more: object) -> WorklistRow:
    reviews = tuple(said(login, Urgency.RED) for login in logins)
    return case(key, key, 1, summary(key, urgency=urgency), urgency=urgency, reviews=reviews, **more)  # type: ignore[arg-type]


ROWS = {
    "read": row("read", "ito", reviewed=True),
    "alert": row("alert"),
    "disputed by me": row("disputed by me", "sato", "ito", disputed=True),
    "disputed": row("disputed", "ito", "abe", disputed=True),
    "another series open": row("another series open", "sato"),
    "reopened": row("reopened", "sato", reopened=True),
    "no result": row("no result", urgency=None, state=CaseState.NOT_ANALYSED),
    "early": row("early", state=CaseState.PENDING),
    "coming": row("coming", urgency=None, state=CaseState.PENDING),
}


def waits(key: str, *, blind: bool = False) -> bool:
    return waits_for(ROWS[key], "sato", blind=blind)


@pytest.mark.parametrize(
    "key", ["alert", "disputed", "another series open", "reopened", "no result", "early"]
)
def test_what_waits_for_a_reader(key: str) -> None:
    assert waits(key)


@pytest.mark.parametrize("key", ["read", "disputed by me", "coming"])
def test_what_does_not(key: str) -> None:
    assert not waits(key)


@pytest.mark.parametrize("key", ["alert", "read", "disputed"])
def test_a_blind_reader_speaks_once_of_every_case_with_a_result(key: str) -> None:
    assert waits(key, blind=True)
    for other in ("disputed by me", "reopened", "no result", "early", "coming"):
        assert not waits(other, blind=True)


def test_all_that_was_said_in_order() -> None:
    shown = case("black", "A^B", 31, summary("black", urgency=Urgency.BLACK), urgency=Urgency.BLACK)
    series = in_full(shown, shown.series[0]).model_copy(
        update={
            "reviews": (
                said(
                    "ito",
                    Urgency.RED,
                    12,
                    machine=Urgency.RED,
                    blind=True,
                    findings={ReviewFinding.SUBDURAL: True, ReviewFinding.FRACTURE: False},
                ),
                said("abe", Urgency.GREEN, 5, machine=Urgency.BLACK, comment="artefact"),
                said("sato", None, 2, machine=Urgency.BLACK),
                said("ito", Urgency.YELLOW, 1),
            )
        }
    )
    events = timeline(series, "en")
    assert [e.by_person for e in events] == [False, True, False, True, True, True]
    assert [e.at for e in events] == sorted(e.at for e in events)
    first, ito, current, abe, excluded, ito_again = events
    assert first.superseded_at is not None and current.superseded_at is None
    assert (first.title, current.title) == (
        "Urgent, specialist now",
        "Suspected extreme severity, specialist now",
    )
    assert first.who == "bleed25d 0.1.0"
    assert (ito.title, ito.who, ito.agrees, ito.differs) == ("RED", "Ito Hanako, St. Elsewhere", True, None)
    assert ito.words == (
        "urgent, specialist treatment at once",
        "subdural bleed: present; skull fracture: absent",
        "given before the machine's answer was shown",
    )
    assert (abe.agrees, abe.differs, abe.words[-1]) == (False, Urgency.BLACK, "“artefact”")
    assert (excluded.title, excluded.tone, excluded.words) == (
        "Excluded",
        "excluded",
        ("after an operation",),
    )
    assert not excluded.agrees and excluded.differs is None
    assert not ito_again.agrees and ito_again.differs is None, "there was no result then"
    japanese = timeline(series, "ja")
    assert (japanese[1].title, japanese[1].who) == ("赤", "佐藤 花子, St. Elsewhere")
    assert japanese[1].words[1] == "硬膜下出血：あり、頭蓋骨骨折：なし"


def test_states_without_a_result_are_passed_by_only_while_images_come() -> None:
    failed = case("f", "failed", 1, summary("f", SeriesState.FAILED), state=CaseState.FAILED)
    assert waits_for(failed, "sato", blind=False)
