"""What does not arrive and what was deleted unread: on every page, over REST, and ended by a reader."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fake_cases import NOW, orthanc_id
from fake_triage import FakeTriage
from flask.testing import FlaskClient
from reading_room import ReadingRoom

from headct.terms.urgency import Urgency
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import PatientNameView, Words
from orthanc_plugin.cases.views import LostView, WorklistView
from orthanc_plugin.forwarding import deliveries
from orthanc_plugin.forwarding.views import ReceiverView
from orthanc_plugin.health.views import UnexpectedEndView
from orthanc_plugin.people import IdentityView
from orthanc_plugin.recycling.views import RecyclingView
from orthanc_plugin.states import DeliveryTrouble
from orthanc_plugin.store import outbox, queue, withdrawal

API = "/triage/api/v1"
WANTED = {"Content-Type": "application/json", "X-Triage": "test"}
PAGES = ("/triage/", "/triage/models", "/triage/drift", "/triage/labelling")


def words(text: str) -> Words:
    return Words(en=text, ja=f"{text} ja")


@pytest.fixture
def troubled(triage: FakeTriage) -> FakeTriage:
    triage.current = triage.current.model_copy(
        update={
            "receivers": (
                ReceiverView(name="PACS 1", waiting=3, problem=words("does not arrive")),
                ReceiverView(name="WELL"),
            ),
            "recycling": RecyclingView(patients=9, unprotected_alerts=2, problem=words("may be deleted")),
            "lost_unread": 2,
            "unexpected_end": UnexpectedEndView(at=NOW - timedelta(hours=2), again=NOW - timedelta(hours=1)),
        }
    )
    return triage


@pytest.mark.parametrize("address", PAGES)
def test_every_page_tells(client: FlaskClient, troubled: FakeTriage, address: str) -> None:
    html = client.get(address).text
    told_of = ("does not arrive", "may be deleted", "before anybody had read them: 2", "ended unexpectedly")
    for told in told_of:
        assert told in html
    assert html.count('id="receiver-') == 1
    assert "/receivers/PACS%201/again" in html
    japanese = client.get(f"{address}?lang=ja").text
    assert "Orthancが予期せず終了し" in japanese
    assert "does not arrive ja" in japanese and "may be deleted ja" in japanese


def test_who_only_looks_gets_no_button(client: FlaskClient, troubled: FakeTriage) -> None:
    troubled.me = IdentityView(login="guest", role=Role.VIEWER, refusal=words("only looks"))
    html = client.get("/triage/").text
    assert "does not arrive" in html
    assert "/again" not in html


def test_a_machine_that_is_well_says_nothing(client: FlaskClient) -> None:
    html = client.get("/triage/").text
    for banner in ("receiver-", "recycling", "lost", "unexpected-end"):
        assert f'id="{banner}' not in html


def test_the_worklist_names_what_was_deleted(
    client: FlaskClient, troubled: FakeTriage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = LostView(
        study_id=orthanc_id("gone"),
        study_instance_uid="1.2.3",
        patient_name=PatientNameView.of("Gone^Gerda"),
        patient_id="P-17",
        urgency=Urgency.RED,
        deleted_at=NOW - timedelta(minutes=3),
    )
    unknown = LostView(study_id=orthanc_id("x"), study_instance_uid="1.2.99", deleted_at=NOW)
    monkeypatch.setattr(
        troubled, "worklist", lambda asked: WorklistView(generated_at=NOW, rows=(), lost=(gone, unknown))
    )
    html = client.get("/triage/").text
    for told in ("Gone Gerda", "P-17", "1.2.99", f"/studies/{orthanc_id('gone')}/loss-noted"):
        assert told in html
    assert "Gone Gerda" in client.get("/triage/?blind=1").text


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ReadingRoom]:
    found = ReadingRoom(tmp_path, {"red": Urgency.RED})
    object.__setattr__(
        found.triage, "settings", found.options.model_copy(update={"forward_to": ("PACS", "NEW")})
    )
    yield found
    found.close()


def ask(room: ReadingRoom, who: str, route: str) -> tuple[int, object]:
    answer = room.app.test_client().post(
        f"{API}/{route}", headers=WANTED, data="{}", environ_overrides={"REMOTE_USER": who}
    )
    return answer.status_code, answer.get_json()


def test_a_reader_has_all_sent_again(room: ReadingRoom) -> None:
    with room.database.writing() as session:
        for uid in outbox.publication(session, room.series("red")).send:
            outbox.document_sent(session, uid, "x", queue.utcnow(), forward=True)
        while due := deliveries.claim(session, ("PACS",), queue.utcnow()):
            deliveries.failed(session, due, DeliveryTrouble.REFUSED, queue.utcnow())
    assert ask(room, "nobody", "receivers/PACS/again")[0] == 403
    assert ask(room, "sato", "receivers/ELSEWHERE/again")[0] == 404
    status, answer = ask(room, "sato", "receivers/PACS/again")
    assert status == 202
    assert isinstance(answer, dict)
    assert answer["receivers"][0]["failing"] == 0
    assert answer["receivers"][0]["waiting"] == 2
    with room.database.writing() as session:
        assert deliveries.claim(session, ("PACS",), queue.utcnow()) is not None


def test_a_reader_notes_what_was_lost(room: ReadingRoom) -> None:
    with room.database.writing() as session:
        withdrawal.withdraw(session, room.series("red"), queue.utcnow())
    (gone,) = room.triage.worklist().lost
    assert (gone.patient_id, gone.urgency) == ("P-red", Urgency.RED)
    assert room.triage.status().lost_unread == 1
    assert ask(room, "nobody", f"studies/{gone.study_id}/loss-noted")[0] == 403
    assert ask(room, "sato", f"studies/{orthanc_id('other')}/loss-noted")[0] == 404
    status, answer = ask(room, "sato", f"studies/{gone.study_id}/loss-noted")
    assert status == 202
    assert isinstance(answer, dict)
    assert answer["lost"] == []
    assert room.triage.status().lost_unread == 0
