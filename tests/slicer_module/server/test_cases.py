"""All that the server can say is read as it was meant; all else is refused by name, whatever it is."""

import copy
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

import pytest
from fake_triage import FakeTriage
from HeadCTTriageLib.errors import UnreadableError
from HeadCTTriageLib.server import cases
from HeadCTTriageLib.server.reading import parse, read, read_all, to_json
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from headct.terms.review import BLEED_TYPES, LONGEST_COMMENT, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from orthanc_plugin import answer
from orthanc_plugin.cases import review_views, views
from orthanc_plugin.forwarding.views import ReceiverView
from orthanc_plugin.health.views import ClockSetView, StatusView, UnexpectedEndView

TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SPECIAL: dict[Any, st.SearchStrategy[Any]] = {
    AwareDatetime: TIMES,
    AwareDatetime | None: st.none() | TIMES,
    float: NUMBERS,
    float | None: st.none() | NUMBERS,
    int: st.integers(),
}
"""What hypothesis does not find out by itself; what has limits is never negative."""


def whole(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Views with every field filled, those with a default too."""
    fields = {}
    for name, field in model.model_fields.items():
        plain = SPECIAL.get(field.annotation)
        fields[name] = ... if plain is None else plain
        if get_origin(field.annotation) is tuple:
            inner = st.from_type(get_args(field.annotation)[0])
            fields[name] = st.lists(inner, max_size=2).map(tuple)
        elif field.metadata and plain is not None:
            fields[name] = plain.map(lambda value: None if value is None else abs(value))
    return st.builds(model, **fields)


for part in (
    answer.Words,
    views.ReasonView,
    views.CautionView,
    views.FindingView,
    views.KeySliceView,
    answer.BundleView,
    review_views.UnverifiedView,
    review_views.ReviewView,
    review_views.VerdictView,
    views.AssessmentView,
    views.DocumentView,
    views.SeriesSummary,
    views.SeriesView,
    answer.PatientNameView,
    views.PreviewView,
    views.WorklistRow,
    views.LostView,
    ReceiverView,
    ClockSetView,
    UnexpectedEndView,
):
    st.register_type_strategy(part, whole(part))

ANSWERS = {
    StatusView: cases.Status,
    views.WorklistView: cases.Worklist,
    views.StudyView: cases.Study,
    views.SeriesView: cases.Series,
    review_views.ReviewAnswer: cases.ReviewAnswer,
}


def same(here: Any, said: Any) -> None:
    """Everything that was read is what was said."""
    if isinstance(here, dict) and isinstance(said, dict):
        for name, value in here.items():
            same(value, said[name])
    elif isinstance(here, list):
        assert len(here) == len(said)
        for one, other in zip(here, said, strict=True):
            same(one, other)
    elif isinstance(here, str) and here != said:
        assert datetime.fromisoformat(here) == datetime.fromisoformat(said)
    else:
        assert here == said


@pytest.mark.parametrize("view", ANSWERS)
@settings(max_examples=25)
@given(data=st.data())
def test_all_the_server_can_say_is_read(view: type[BaseModel], data: st.DataObject) -> None:
    said = data.draw(whole(view)).model_dump_json().encode()
    same(to_json(read(ANSWERS[view], parse(said))), json.loads(said))


def sample() -> list[tuple[type, Any]]:
    """An answer of each kind with something in every list."""
    triage = FakeTriage()
    row = triage.rows[0]
    said = [(cases.Status, triage.status()), (cases.Study, triage.study(row.id))]
    return [(kind, json.loads(view.model_dump_json())) for kind, view in said]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in an answer."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value or []):
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(("kind", "answer"), sample())
@given(data=st.data())
def test_what_is_wrong_is_refused_and_nothing_else_happens(
    kind: type, answer: Any, data: st.DataObject
) -> None:
    damaged = copy.deepcopy(answer)
    *way, last = data.draw(st.sampled_from(list(places(answer))))
    target = damaged
    for step in way:
        target = target[step]
    if data.draw(st.booleans()):
        target[last] = data.draw(ANYTHING)
    else:
        del target[last]
    try:
        read(kind, parse(json.dumps(damaged).encode()))
    except UnreadableError as error:
        assert str(error)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode) | st.just(b"[" * 100_000))
def test_no_bytes_at_all_do_more_than_be_refused(text: bytes) -> None:
    try:
        read(cases.Status, parse(text))
    except UnreadableError:
        return
    pytest.fail("no status can be that short")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"generated_at": "yesterday"}, "Worklist.generated_at"),
        ({"generated_at": "2026-03-04T18:12:44"}, "Worklist.generated_at"),
        ({"generated_at": "2026-02-31T18:12:44Z"}, "Worklist.generated_at"),
        ({"rows": {}}, "Worklist.rows"),
        ({"rows": [{"id": 3}]}, "Worklist.rows[0].id"),
        ({"rows": None}, "Worklist.rows"),
    ],
)
def test_the_place_is_named(change: dict[str, Any], place: str) -> None:
    answer = {"generated_at": "2026-03-04T18:12:44Z", "rows": [], **change}
    with pytest.raises(UnreadableError, match=f"{place}.".replace("[", r"\[")):
        read(cases.Worklist, answer)


@pytest.mark.parametrize("name", ["id", "images", "state", "study_id", "based_on"])
def test_what_no_series_lacks_is_missed(name: str) -> None:
    triage = FakeTriage()
    answer = json.loads(triage.study(triage.rows[0].id).series[0].model_dump_json())
    del answer[name]
    with pytest.raises(UnreadableError, match=f"Series.{name}"):
        read(cases.Series, answer)


@pytest.mark.parametrize("images", [True, 3.0, "3", None, 1e999])
def test_a_number_of_images_is_a_whole_number(images: Any) -> None:
    triage = FakeTriage()
    answer = json.loads(triage.rows[0].series[0].model_dump_json())
    answer["images"] = images
    with pytest.raises(UnreadableError):
        read_all(cases.SeriesSummary, [answer])


def test_what_a_newer_server_adds_is_passed_over_but_no_colour() -> None:
    triage = FakeTriage()
    answer = json.loads(triage.worklist().model_dump_json())
    answer["rows"][0] |= {"pulse": [80], "state": "under_discussion"}
    assert read(cases.Worklist, answer).rows[0].state == "under_discussion"
    answer["rows"][0]["urgency"] = "PURPLE"
    with pytest.raises(UnreadableError, match=r"rows\[0\]\.urgency"):
        read(cases.Worklist, answer)


def test_times_are_read_to_the_microsecond_whatever_the_zone() -> None:
    def at(text: str) -> datetime:
        return read(cases.Worklist, {"generated_at": text, "rows": []}).generated_at

    assert at("2026-03-04T18:12:44.5Z") == datetime(2026, 3, 4, 18, 12, 44, 500_000, UTC)
    assert at("2026-03-05T03:12:44.000001+09:00") == datetime(2026, 3, 4, 18, 12, 44, 1, UTC)


def test_the_vocabulary_is_the_servers() -> None:
    assert set(ReviewFinding) == set(cases.FINDINGS)
    assert set(BLEED_TYPES) == set(cases.BLEED_TYPES)
    assert set(Exclusion) == set(cases.EXCLUSIONS)
    assert cases.LONGEST_COMMENT == LONGEST_COMMENT
    assert [one.name for one in Urgency] == [one.value for one in cases.Urgency]


@given(
    st.builds(
        cases.Review,
        action=st.sampled_from(["confirm", "relabel"]),
        based_on=st.text(),
        urgency=st.sampled_from(cases.Urgency),
        findings=st.dictionaries(st.sampled_from(cases.FINDINGS), st.booleans()),
        comment=st.text(),
    )
)
def test_the_server_reads_a_review_as_it_was_given(review: cases.Review) -> None:
    request = review_views.ReviewRequest.model_validate_json(json.dumps(to_json(review)))
    assert request.urgency is not None
    assert (request.urgency.name, request.comment, request.request_id) == (
        review.urgency,
        review.comment,
        review.request_id,
    )
    assert {finding.value: there for finding, there in request.findings.items()} == review.findings


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (cases.PersonName("YAMADA^TAROU", "山田^太郎", "やまだ^たろう"), "山田 太郎"),
        (cases.PersonName("Müller^Annemarie^^Dr."), "Müller Annemarie Dr."),
        (cases.PersonName(), ""),
    ],
)
def test_a_name_is_shown_as_it_is_read(written: cases.PersonName, shown: str) -> None:
    assert written.shown == shown


@pytest.fixture
def quick_turns() -> Iterator[None]:
    """On a fast machine too the list takes several."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_turns")
def test_other_threads_have_their_turn_while_a_long_worklist_is_parsed() -> None:
    view = FakeTriage().worklist()
    text = view.model_copy(update={"rows": view.rows * 150}).model_dump_json().encode()
    assert any(turns_while(lambda: parse(text)) >= 5 for _ in range(10)), "parsed in one go"


def turns_while(work: Callable[[], object]) -> int:
    """How often this thread has its turn while another one works; a busy machine may give it few."""
    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    return turns
