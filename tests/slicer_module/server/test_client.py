"""What the client asks and how, and what it understands of the answers."""

import base64
import json
from pathlib import Path

import pytest
from asking import PASSWORD, at, status, triage, wrong
from fake_triage import FakeTriage
from HeadCTTriageLib.errors import RefusedError, TriageError, UnreachableError, UnreadableError
from HeadCTTriageLib.server import cases, client
from HeadCTTriageLib.server.client import ConflictError, Server, TriageClient
from slicer_servers import Asked, Reply, as_json, http_server
from stack_process import free_ports


def test_who_asks_and_how() -> None:
    with http_server(triage()) as (url, asked):
        at(url).status()
    assert base64.b64decode(asked[0].headers["authorization"].split()[1]).decode() == f"sato:{PASSWORD}"
    assert asked[0].headers["x-triage"] == "slicer"
    assert asked[0].headers["accept-language"] == "en"


def test_the_server_refuses_in_the_language_of_slicer() -> None:
    said = {"en": "You may only look.", "ja": "閲覧のみ可能です。", "ja-JP": "閲覧のみ可能です。"}

    def refuse(asked: Asked) -> Reply:
        return as_json(403, {"code": "refused", "message": said[asked.headers["accept-language"]]})

    with http_server(refuse) as (url, _):
        for language in ("en", "ja", "ja_JP"):
            one = TriageClient(Server(url, "mori", PASSWORD), language)
            with pytest.raises(RefusedError) as caught:
                one.review("s1", review())
            assert str(caught.value) == said[language.replace("_", "-")]


def test_neither_proxy_nor_password_file_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login thief password stolen\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    (port,) = free_ports(1)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://localhost:{port}")
    with http_server(triage()) as (url, asked):
        at(url).status()
    assert len(asked) == 1


def test_the_password_does_not_follow_to_another_address() -> None:
    with http_server(triage()) as (elsewhere, there):
        with http_server(lambda asked: (302, {"Location": f"{elsewhere}/page"}, b"")) as (url, _):
            error = wrong(url)
        assert there == []
    assert isinstance(error, UnreadableError)
    assert elsewhere in str(error)


def test_cookies_are_not_kept() -> None:
    body = json.loads(status().model_dump_json())
    with http_server(lambda asked: (200, {"Set-Cookie": "a=b"}, as_json(200, body)[2])) as (url, asked):
        one = at(url)
        one.status()
        one.status()
    assert "cookie" not in asked[1].headers


def test_the_password_is_not_in_what_is_printed() -> None:
    server = Server("pacs", "sato", PASSWORD)
    assert PASSWORD not in repr(server)
    assert PASSWORD not in str(vars(TriageClient(server)))


def test_the_worklist_a_study_and_a_series() -> None:
    fake = FakeTriage()
    row = fake.rows[1]
    study = fake.study(row.id)
    routes = {
        "/worklist": fake.worklist(),
        f"/studies/{row.id}": study,
        f"/series/{row.series[0].id}": study.series[0],
    }
    answers = {f"/triage/api/v1{route}": json.loads(view.model_dump_json()) for route, view in routes.items()}
    with http_server(lambda asked: as_json(200, answers[asked.path])) as (url, _):
        one = at(url)
        assert [case.id for case in one.worklist().rows] == [case.id for case in fake.rows]
        assert one.study(row.id).case.patient_name.shown.startswith("Müller-Lüdenscheidt")
        assert one.series(row.series[0].id).assessment is not None


def test_a_long_worklist_comes_in_parts_and_what_moved_meanwhile_is_there_once() -> None:
    fake = FakeTriage()
    last = len(fake.rows)
    parts = {
        "": fake.worklist().model_copy(update={"earlier": (), "next": last - 1}),
        f"?offset={last - 1}": fake.worklist().model_copy(update={"rows": fake.rows[-2:], "total": last}),
    }
    answers = {f"/triage/api/v1/worklist{part}": json.loads(v.model_dump_json()) for part, v in parts.items()}
    with http_server(lambda asked: as_json(200, answers[asked.path])) as (url, _):
        listed = at(url).worklist()
    assert [case.id for case in listed.rows] == [row.id for row in fake.rows]
    assert [case.id for case in listed.earlier] == [row.id for row in fake.earlier]
    assert (listed.next, listed.total) == (None, last)


def test_of_an_endless_worklist_the_beginning_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_STUDIES", 10)
    view = json.loads(FakeTriage().worklist().model_copy(update={"next": 10}).model_dump_json())
    with http_server(lambda asked: as_json(200, view)) as (url, asked):
        assert at(url).worklist().next == 10
    assert len(asked) == 1


def review() -> cases.Review:
    return cases.Review("relabel", "1-33-0-0", cases.Urgency.RED, {"fracture": False}, comment="骨折なし")


def test_a_review_that_the_server_does_not_take() -> None:
    fake = FakeTriage()
    series = json.loads(fake.study(fake.rows[1].id).series[0].model_dump_json())
    refusals: list[tuple[Reply, type[TriageError]]] = [
        (as_json(409, {"code": "conflict", "message": "Look again.", "current": series}), ConflictError),
        (as_json(409, {"code": "conflict", "message": "Look again."}), UnreadableError),
        (as_json(403, {"code": "refused", "message": "You may only look."}), RefusedError),
        (as_json(404, {"code": "not_found", "message": "no such series"}), RefusedError),
        (as_json(400, {"code": "bad_request", "message": "Say why."}), RefusedError),
        (as_json(413, {"code": "too_large", "message": "Too long."}), RefusedError),
        (as_json(500, {"code": "internal_error", "message": "The log says where."}), UnreachableError),
        ((502, {}, b"<h1>Bad gateway</h1>"), UnreachableError),
        ((404, {}, b"<h1>Not found</h1>"), UnreadableError),
        (as_json(201, {"review": {}}), UnreadableError),
        (as_json(404, ["code", "message"]), UnreadableError),
        (as_json(404, {"code": 4, "message": None}), UnreadableError),
    ]
    for reply, expected in refusals:
        with http_server(lambda asked, reply=reply: reply) as (url, asked):
            with pytest.raises(TriageError) as caught:
                at(url).review("s1", review())
            assert type(caught.value) is expected, repr(caught.value)
            if isinstance(caught.value, ConflictError):
                assert caught.value.current.id == series["id"]
            if isinstance(caught.value, RefusedError):
                assert caught.value.message == json.loads(reply[2])["message"]
        assert json.loads(asked[0].body)["comment"] == "骨折なし"
        assert asked[0].headers["content-type"] == "application/json"
