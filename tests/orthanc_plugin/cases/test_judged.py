"""Every case of a model, read or not, and who read it blind."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session
from store_samples import after, judgement, seen

from headct.terms.judged_case import JudgedCase
from headct.terms.review import Action, Exclusion, Person, Review, ReviewFinding
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import judged
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue, results, reviews, withdrawal
from orthanc_plugin.store.tables import Series, Study

MODEL, OTHER = "b" * 64, "c" * 64


class Hospital:
    """Series that arrive, are judged and read, a minute each."""

    def __init__(self, session: Session, options: Settings) -> None:
        self.session, self.options, self.at = session, options, 0.0

    def judge(
        self, name: str, urgency: Urgency = Urgency.GREEN, study: str = "", bundle: str = MODEL, **how: bool
    ) -> None:
        self.at += 60
        queue.arrive(self.session, seen(name, study or f"st-{name}"), after(self.at), self.options)
        self.again(name, urgency, bundle, **how)

    def again(self, name: str, urgency: Urgency, bundle: str = MODEL, **how: bool) -> None:
        self.at += 60
        queue.rerun(self.session, name, "test", after(self.at))
        claim = queue.claim(self.session, "w", after(self.at), self.options)
        assert claim is not None and claim.series_id == name
        images = f"{name} {self.session.get_one(Series, name).instance_count}"
        made = judgement(urgency, images, bundle=bundle, series=name, **how)
        assert results.record_assessed(self.session, claim, made, after(self.at), self.options)

    def read(
        self,
        name: str,
        urgency: Urgency | None = Urgency.GREEN,
        login: str = "sato",
        *,
        blind: bool = True,
        **findings: bool,
    ) -> None:
        self.at += 60
        said = Review(
            Person(login, "Sato^Hanako", "St. Elsewhere"),
            after(self.at),
            Action.RELABEL if urgency is not None else Action.EXCLUDE,
            urgency,
            {ReviewFinding(name): there for name, there in findings.items()},
            reason=Exclusion.POOR_QUALITY if urgency is None else None,
            blind=blind,
        )
        series = self.session.get_one(Series, name)
        self.session.expire_all()
        reviews.record(
            self.session,
            name,
            said,
            seen=reviews.based_on(series),
            request_id=str(self.at),
            asked=str(self.at),
            now=after(self.at),
        )

    def cases(self, digest: str = MODEL) -> dict[str, JudgedCase]:
        self.session.flush()
        self.session.expire_all()
        view = judged.cases(self.session, digest)
        found = [JudgedCase.from_json(row) for row in view.model_dump(mode="json")["cases"]]
        assert [case.to_json() for case in found] == [
            JudgedCase.from_json(case.to_json()).to_json() for case in found
        ]
        return {case.study_id: case for case in found}


@pytest.fixture
def hospital(session: Session, options: Settings) -> Hospital:
    return Hospital(session, options)


def test_read_or_not_all_are_there(hospital: Hospital) -> None:
    hospital.judge("a")
    hospital.judge("b", Urgency.RED, unsure=True)
    hospital.read("a", haemorrhage=False)
    found = hospital.cases()
    assert list(found) == ["st-a", "st-b"]
    (said,) = found["st-a"].readings
    assert (said.urgency, said.findings, said.bleeds) == (
        Urgency.GREEN,
        {ReviewFinding.HAEMORRHAGE: False},
        False,
    )
    assert (found["st-b"].urgency, found["st-b"].unsure, found["st-b"].readings) == (Urgency.RED, True, ())
    assert found["st-a"].patient_id == "P1"
    assert found["st-a"].first_arrival == after(60)


def test_whoever_has_seen_the_answer_reads_blind_no_more(hospital: Hospital) -> None:
    hospital.judge("a")
    hospital.read("a", blind=False)
    hospital.read("a", Urgency.YELLOW, blind=True)
    assert hospital.cases()["st-a"].readings == ()
    hospital.read("a", Urgency.YELLOW, "ito")
    hospital.read("a", Urgency.GREEN, "ito", blind=False)
    hospital.read("a", None, "abe")
    said = hospital.cases()["st-a"].readings
    assert [(one.urgency, one.reason) for one in said] == [
        (Urgency.YELLOW, None),
        (None, Exclusion.POOR_QUALITY),
    ]


def test_whose_images_came_later_was_not_read(hospital: Hospital) -> None:
    for name in ("a", "b"):
        hospital.judge(name)
        hospital.read(name)
    hospital.at += 60
    queue.arrive(hospital.session, seen("a", "st-a", count=40), after(hospital.at), hospital.options)
    hospital.again("a", Urgency.RED)
    hospital.judge("second", Urgency.YELLOW, study="st-b")
    found = hospital.cases()
    assert [(case.urgency, case.readings) for case in found.values()] == [
        (Urgency.RED, ()),
        (Urgency.YELLOW, ()),
    ]


def test_the_worst_of_a_study_s_series(hospital: Hospital) -> None:
    hospital.judge("a", Urgency.GREEN, unsure=True)
    hospital.judge("b", Urgency.YELLOW, study="st-a")
    hospital.read("b", Urgency.YELLOW)
    (case,) = hospital.cases().values()
    assert (case.urgency, case.unsure, len(case.readings)) == (Urgency.YELLOW, False, 1)


def test_each_model_has_its_own(hospital: Hospital) -> None:
    hospital.judge("a")
    hospital.judge("b", bundle=OTHER)
    hospital.judge("mixed")
    hospital.judge("rest", study="st-mixed", bundle=OTHER)
    hospital.again("a", Urgency.RED, OTHER)
    # What the first said of it stands in the history, and was what it is worth.
    assert {name: case.urgency for name, case in hospital.cases().items()} == {"st-a": Urgency.GREEN}
    assert {name: case.urgency for name, case in hospital.cases(OTHER).items()} == {
        "st-a": Urgency.RED,
        "st-b": Urgency.GREEN,
    }


def test_who_stands_apart_and_who_does_not(hospital: Hospital) -> None:
    """Of deleted cases nobody may say that there were none; earlier studies came as somebody chose."""
    for name in ("deleted", "earlier", "copy", "corrected"):
        hospital.judge(name)
    hospital.judge("part", Urgency.RED, preliminary=True)
    hospital.session.get_one(Study, "st-earlier").earlier = True
    hospital.session.get_one(Series, "copy").aside = True
    assert withdrawal.withdraw(hospital.session, "corrected", after(hospital.at), superseded_by="new")
    assert withdrawal.withdraw(hospital.session, "deleted", after(hospital.at))
    assert list(hospital.cases()) == ["st-deleted"]


def test_in_parts_from_a_time_on(hospital: Hospital) -> None:
    for n in range(5):
        hospital.judge(f"s{n}")
    first = judged.cases(hospital.session, MODEL, most=2)
    rest = judged.cases(hospital.session, MODEL, after=2, most=3)
    assert (first.next, rest.next) == (2, None)
    assert [case.study_id for case in (*first.cases, *rest.cases)] == [f"st-s{n}" for n in range(5)]
    third = rest.cases[0].first_arrival
    later = judged.cases(hospital.session, MODEL, third + timedelta(seconds=1))
    assert [case.study_id for case in later.cases] == ["st-s3", "st-s4"]
