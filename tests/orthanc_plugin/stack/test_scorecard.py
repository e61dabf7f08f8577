"""The demo's table: what counts as missed, over-called, recognised."""

from typing import Any

import pytest

from headct.generator.generation import Truth
from headct.reasons import ReasonCode
from orthanc_plugin.stack.scorecard import Answer, Given, Scorecard, Verdict, answers_by_series, verdict


def truth(kind: str = "normal", reason: ReasonCode | None = None, blood: float = 0.0) -> Truth:
    return Truth(
        kind=kind,
        seed=0,
        age_years=50.0,
        eligible=reason is None,
        expected_reason=reason,
        bleeds=blood > 0,
        volumes_ml={"epidural": blood} if blood else {},
        midline_shift_mm=0.0,
    )


NORMAL = truth()
BLEED = truth("epidural", blood=45.0)
LOCALIZER = truth("localizer", ReasonCode.LOCALIZER)


def assessed(urgency: str, row: int = 0) -> Answer:
    return Answer(row, "assessed", urgency)


@pytest.mark.parametrize(
    ("put_in", "answer", "expected"),
    [
        (NORMAL, assessed("GREEN"), Verdict.RIGHT),
        (NORMAL, assessed("YELLOW"), Verdict.OVER_CALL),
        (BLEED, assessed("GREEN"), Verdict.MISSED_BLEED),
        (BLEED, assessed("YELLOW"), Verdict.RIGHT),
        (BLEED, assessed("BLACK"), Verdict.RIGHT),
        (BLEED, Answer(0, "not_analysed", reason_code="contrast"), Verdict.REFUSED),
        (LOCALIZER, Answer(0, "not_analysed", reason_code="localizer"), Verdict.RIGHT),
        (LOCALIZER, Answer(0, "not_analysed", reason_code="too_few_slices"), Verdict.OTHER_REASON),
        (LOCALIZER, assessed("GREEN"), Verdict.NOT_RECOGNISED),
        (NORMAL, Answer(0, "failed"), Verdict.FAILED),
        (NORMAL, Answer(0, "withdrawn"), Verdict.FAILED),
        (NORMAL, Answer(0, "judging"), Verdict.UNFINISHED),
        (NORMAL, Answer(0, "waiting"), Verdict.UNFINISHED),
        (NORMAL, None, Verdict.UNFINISHED),
    ],
)
def test_verdict(put_in: Truth, answer: Answer | None, expected: Verdict) -> None:
    assert verdict(put_in, answer) is expected


def card(*pairs: tuple[Truth, Answer | None]) -> Scorecard:
    given = {str(n): Given(t.kind, t) for n, (t, _) in enumerate(pairs)}
    return Scorecard(given, {str(n): a for n, (_, a) in enumerate(pairs) if a})


def test_a_missed_bleed_is_said_plainly_and_does_not_fail_the_demo() -> None:
    made = card((BLEED, assessed("GREEN")), (NORMAL, assessed("RED")))
    assert "Missed bleeds (1 of 1): epidural (45 ml)" in made.summary()
    assert "Over-calls (1 of 1 without blood): normal" in made.summary()
    assert "MISSED BLEED" in made.table()
    assert made.as_it_should_be


@pytest.mark.parametrize("bad", [None, Answer(0, "failed"), Answer(0, "arriving")])
def test_an_unfinished_series_fails_the_demo(bad: Answer | None) -> None:
    assert not card((NORMAL, bad), (BLEED, assessed("RED"))).as_it_should_be


def test_an_ineligible_series_with_a_colour_fails_the_demo() -> None:
    made = card((LOCALIZER, assessed("GREEN")))
    assert not made.as_it_should_be
    assert "Not to be analysed: 0 of 1 recognised" in made.summary()


def test_nothing_sent_is_not_a_success() -> None:
    assert not card().as_it_should_be


def test_the_table_is_in_the_worklists_order() -> None:
    made = card((NORMAL, assessed("GREEN", row=1)), (BLEED, assessed("RED", row=0)))
    lines = made.table().splitlines()
    assert "RED" in lines[1]
    assert "GREEN" in lines[2]


def test_a_preliminary_alert_on_half_a_head_shows_both() -> None:
    half = truth("lower_half", ReasonCode.HEAD_NOT_COVERED)
    reason = {"reason_code": "head_not_covered", "reason": "head not fully covered"}
    made = card((half, Answer(0, "not_analysed", "RED", preliminary=True, **reason)))
    assert "RED (preliminary), not analysed: head not fully covered" in made.table()
    assert made.as_it_should_be


def test_answers_from_the_worklists_json() -> None:
    def series(uid: str, **more: Any) -> dict[str, Any]:
        plain = {"state": "assessed", "urgency": "RED", "reason": None, "preliminary": False}
        return {"series_instance_uid": uid, **plain, **more}

    reason = {"code": "localizer", "sentence": {"en": "localizer (scout) image", "ja": "..."}}
    refused = series("1.2", state="not_analysed", urgency=None, reason=reason)
    worklist = {
        "rows": [{"series": [series("1.1"), refused]}],
        "earlier": [{"series": [series("1.3", urgency="GREEN")]}],
    }
    assert answers_by_series(worklist) == {
        "1.1": Answer(0, "assessed", "RED"),
        "1.2": Answer(0, "not_analysed", None, "localizer", "localizer (scout) image"),
        "1.3": Answer(1, "assessed", "GREEN"),
    }
