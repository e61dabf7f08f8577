"""The same images under a corrected patient are one case."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import NOT_COVERED, after, arrive_and_judge, claimed, judgement, seen, state

from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, queue, results, withdrawal
from orthanc_plugin.store.tables import AuditEntry, Series, Study


class TestCorrectedPatient:
    """The same study and series under another PatientID is another Orthanc series, and one case."""

    def corrected(self, session: Session, options: Settings, pixels: str = "all") -> None:
        arrive_and_judge(session, options)
        same = seen("s2", "st2", series_instance_uid="1.2.s1", study_instance_uid="1.3.st1")
        queue.arrive(session, same, after(1000), options)
        claim = claimed(session, options, 1003)
        said = judgement(Urgency.RED, "corrected", series="s2", pixels=pixels)
        results.record_assessed(session, claim, said, after(1004), options)

    def test_it_has_been_waiting_since_it_first_came(self, session: Session, options: Settings) -> None:
        self.corrected(session, options)
        assert session.get_one(Study, "st2").first_arrival == after(0)

    def test_the_first_one_is_withdrawn(self, session: Session, options: Settings) -> None:
        self.corrected(session, options)
        first = session.get_one(Series, "s1")
        assert (first.state, first.superseded_by) == (SeriesState.WITHDRAWN, "s2")
        assert outbox.publication(session, "s1").series_labels == ()
        assert outbox.publication(session, "s2").series_labels == ("triage-red",)
        assert len(outbox.publication(session, "s2").send) == 2
        events = session.scalars(select(AuditEntry.event).where(AuditEntry.series_id == "s2")).all()
        assert "patient_corrected" in events

    def test_other_pixels_are_another_case(self, session: Session, options: Settings) -> None:
        self.corrected(session, options, pixels="other")
        assert state(session, "s1") is SeriesState.ASSESSED
        assert state(session, "s2") is SeriesState.ASSESSED

    def test_the_first_one_stays_until_the_second_is_judged(
        self, session: Session, options: Settings
    ) -> None:
        arrive_and_judge(session, options)
        same = seen("s2", "st2", count=5, series_instance_uid="1.2.s1", study_instance_uid="1.3.st1")
        queue.arrive(session, same, after(1000), options)
        results.record_not_analysed(session, claimed(session, options, 1060), NOT_COVERED, None, after(1061))
        assert state(session, "s1") is SeriesState.ASSESSED

    def test_when_the_second_is_deleted_the_first_may_come_back(
        self, session: Session, options: Settings
    ) -> None:
        self.corrected(session, options)
        withdrawal.withdraw(session, "s2", after(2000))
        assert session.get_one(Series, "s1").superseded_by is None
        arrive_and_judge(session, options, 2001)
        assert outbox.publication(session, "s1").series_labels == ("triage-red",)
