"""A review being made: whatever the reader does, what can be sent is what the server takes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from HeadCTTriageLib.panel.review import Choice, ReviewForm, news
from HeadCTTriageLib.server.cases import (
    EXCLUSIONS,
    FINDINGS,
    Assessment,
    Bundle,
    Finding,
    GivenReview,
    Series,
    Urgency,
    Words,
)
from HeadCTTriageLib.server.reading import to_json
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headct.terms.review import Person, Review
from headct.terms.urgency import Urgency as ServersUrgency
from orthanc_plugin.cases.review_views import ReviewRequest

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def assessment(urgency: Urgency, bleeds: bool = True, hour: int = 0) -> Assessment:
    """What a machine says."""
    found = (Finding("haemorrhage", Words("bleed", "出血")),) if bleeds else ()
    bundle = Bundle("m", "1", "ab")
    return Assessment(urgency, 0.9, 0.9, found, (), "1", bundle, NOW.replace(hour=hour))


def series(said: Assessment | None, state: str = "assessed", based_on: str = "1", **more: Any) -> Series:
    """A series as shown."""
    return Series("s", "1.2", 33, state, study_id="st", based_on=based_on, assessment=said, **more)


def test_a_confirmation_that_became_the_readers_own_word_still_says_that_there_is_blood() -> None:
    form = ReviewForm(series(assessment(Urgency.RED)))
    assert form.confirm()
    form.rebase(series(assessment(Urgency.YELLOW), based_on="2"))
    assert form.choice == Choice("relabel", Urgency.RED)
    assert form.review().findings == {"haemorrhage": True}


class MadeReview(RuleBasedStateMachine):
    """The reader presses whatever they like while the case changes under them."""

    @initialize(urgency=st.none() | st.sampled_from(Urgency), bleeds=st.booleans())
    def begin(self, urgency: Urgency | None, bleeds: bool) -> None:
        self.form = ReviewForm(series(assessment(urgency, bleeds) if urgency else None))

    @rule()
    def confirm(self) -> None:
        before = self.form.choice
        at_once = self.form.confirm()
        if self.form.machine is None or self.form.refusal:
            assert not at_once and self.form.choice == before
        else:
            assert self.form.choice == Choice("confirm", self.form.machine)
            assert at_once is (self.form.machine is not Urgency.BLACK)

    @rule(urgency=st.sampled_from(Urgency))
    def relabel(self, urgency: Urgency) -> None:
        self.form.relabel(urgency)

    @rule(reason=st.sampled_from(EXCLUSIONS))
    def exclude(self, reason: str) -> None:
        self.form.exclude(reason)

    @rule()
    def undo(self) -> None:
        self.form.undo()

    @rule(finding=st.sampled_from(FINDINGS))
    def turn(self, finding: str) -> None:
        before = self.form.findings.get(finding)
        self.form.turn(finding)
        assert self.form.findings.get(finding) is {None: True, True: False, False: None}[before]

    @rule(text=st.sampled_from(["", " ", "why", "x" * 2001]))
    def write(self, text: str) -> None:
        self.form.comment = text

    @rule(
        urgency=st.none() | st.sampled_from(Urgency),
        state=st.sampled_from(["assessed", "judging", "withdrawn"]),
    )
    def change(self, urgency: Urgency | None, state: str) -> None:
        wish = self.form.choice.urgency if self.form.choice else None
        self.form.rebase(series(assessment(urgency) if urgency else None, state, based_on="2"))
        assert (self.form.choice.urgency if self.form.choice else None) == wish, "what the reader said stays"

    @precondition(lambda self: not self.form.missing)
    @rule()
    def send_and_take_up_again(self) -> None:
        review = self.form.review()
        again = ReviewForm(self.form.series)
        again.fill(review)
        same = again.review()
        assert same.request_id != review.request_id
        assert replace(same, request_id=review.request_id) == review
        assert (again.choice, again.findings) == (self.form.choice, self.form.findings)

    @invariant()
    def what_can_be_sent_the_server_takes(self) -> None:
        if not hasattr(self, "form") or self.form.missing:
            return
        assert self.form.hint
        sent = ReviewRequest.model_validate(to_json(self.form.review()))
        assert sent.based_on == self.form.series.based_on
        Review(
            by=Person("sato", "Sato^Hanako", "St. Elsewhere"),
            at=NOW,
            action=sent.action,
            urgency=sent.urgency,
            findings=sent.findings,
            reason=sent.reason,
            comment=sent.comment,
        )
        if sent.action == "confirm":
            assert self.form.machine and sent.urgency is ServersUrgency[self.form.machine.value]


TestMadeReview = MadeReview.TestCase
TestMadeReview.settings = settings(max_examples=40, stateful_step_count=15)


def test_nothing_can_be_said_of_what_is_still_judged_but_of_a_preliminary_result() -> None:
    for state in ("arriving", "waiting", "judging"):
        form = ReviewForm(series(None, state))
        form.relabel(Urgency.RED)
        assert "still being received or judged" in form.missing
        early = ReviewForm(series(assessment(Urgency.RED), state))
        assert early.confirm() and not early.missing
    for state in ("not_analysed", "failed"):
        form = ReviewForm(series(None, state))
        assert not form.confirm() and form.choice is None
        form.relabel(Urgency.GREEN)
        assert not form.missing


def test_confirming_sends_what_the_reader_said_and_tells_what_that_says_of_blood() -> None:
    form = ReviewForm(series(assessment(Urgency.RED)))
    form.confirm()
    assert form.review().findings == {}, "what a confirmation says of a bleed is the server's to know"
    assert "It says that there is blood, unless you deny it below." in form.hint
    form.findings["haemorrhage"] = False
    form.confirm()
    assert form.review().findings == {"haemorrhage": False}
    assert form.hint == "RED: Alt+Return sends it."
    form = ReviewForm(series(assessment(Urgency.BLACK)))
    form.confirm()
    assert form.hint.startswith("Black means") and "It says that there is blood" in form.hint
    form = ReviewForm(series(assessment(Urgency.RED, bleeds=False)))
    form.confirm()
    assert form.review().findings == {} and "Say below whether there is blood." in form.hint


def test_news_name_all_that_is_new() -> None:
    before = series(assessment(Urgency.RED))
    said = GivenReview(
        "relabel", Urgency.GREEN, {}, None, "", "ito", "Ito^Taro=伊藤^太郎", "St. Elsewhere", NOW
    )
    after = replace(series(assessment(Urgency.BLACK, hour=1), reviews=(said,)), images=40)
    lines = news(before, after, "en")
    assert lines[0] == "The machine's result is new: Suspected extreme severity, specialist now."
    assert lines[1] == "There are 40 images now."
    assert lines[2].startswith("Ito Taro says GREEN, 2026-03-0")
    assert "伊藤 太郎" in news(before, after, "ja")[2]
    assert news(before, series(None), "en") == ["The machine's result was withdrawn."]
    assert len(news(before, before, "en")) == 1
