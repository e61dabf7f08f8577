"""Makes the store of the last release, `store.sqlite.gz`, and what that release said of it, `answers.json`.

Run by hand, once, at the last commit with the store as that release leaves it (62d1e3d), never by the tests:
their code is another one. In a checkout of that commit, with its virtual environment:

    PYTHONPATH=tests:. .venv/bin/python .../last_release/make.py FOLDER

Its own worker judges generated heads that its own store was told of, and its own service is asked and told
what a hospital would; only Orthanc is played, from memory, and the clock. Modules are looked up by name
because the places they lie in are those of that commit.
"""

import gzip
import hashlib
import json
import logging
import sqlite3
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from stand_ins import CLOCK, Orthanc, Wall, heads, identifier


def old(name: str) -> Any:
    """A module of the last release."""
    return import_module(name)


bundle = old("headct.bundle")
database, orthanc_client = (old(f"orthanc_plugin.{name}") for name in ("database", "orthanc_client"))
store, model_views, service = (old(f"orthanc_plugin.{name}") for name in ("store", "model_views", "service"))
serving, settings, views, watch, worker = (
    old(f"orthanc_plugin.{name}") for name in ("serving", "settings", "views", "watch", "worker")
)

NAME = "box/000000000001"
NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
"""When the answers are asked for."""
PEOPLE = {
    login: {"Name": name, "Organisation": "St. Elsewhere", "Role": role}
    for login, name, role in (
        ("sato", "Sato^Hanako=佐藤^花子=さとう^はなこ", "reader"),
        ("ito", "Ito^Taro=伊藤^太郎=いとう^たろう", "reader"),
        ("kato", "Kato^Jun", "reader"),
        ("abe", "Abe^Ken=安部^健=あべ^けん", "administrator"),
    )
}


class Nobody:
    """No processes but the worker below."""

    restarts = 0
    problem = ""
    alive = 1
    error = None


class Hospital:
    """One store, one worker, one service over it."""

    def __init__(self, folder: Path) -> None:
        self.options = settings.Settings.model_validate(
            {"Storage": str(folder), "People": PEOPLE, "Previews": False, "ForwardTo": []}
        )
        self.database = database.Database(self.options.database_url)
        self.database.migrate()
        with self.database.writing() as session:
            store.sign_of_life(session, NAME, CLOCK.now)
        self.orthanc = Orthanc()
        self.employ(self.options)
        self.triage = service.Triage(
            self.database, self.options, Nobody(), Nobody(), "1.12.9", authentication=True
        )
        self.asked = 0

    def employ(self, options: Any) -> None:
        """A worker with these settings."""
        self.worker = worker.Worker(
            NAME, self.orthanc, self.database, options, serving.Serving(NAME, self.database, options)
        )

    def arrive(self, files: tuple[bytes, ...], count: int | None = None, *, uploaded: bool = False) -> str:
        """So many images of a series come; Orthanc's identifier of it."""
        CLOCK.pass_by(20)
        first = dcmread(BytesIO(files[0]), stop_before_pixels=True)
        names = (str(first.PatientID), first.StudyInstanceUID, first.SeriesInstanceUID)
        here = self.orthanc.series.setdefault(identifier(*names), {})
        for data in files[:count]:
            here[identifier(*names, dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID)] = data
        seen = store.Seen(
            identifier(*names),
            identifier(*names[:2]),
            first.SeriesInstanceUID,
            first.StudyInstanceUID,
            first.Modality,
            len(here),
            CLOCK.now,
            uploaded,
        )
        with self.database.writing() as session:
            store.arrive(session, seen, CLOCK.now, self.options)
            store.set_position(session, "changes", store.position(session, "changes") + len(here) + 2)
        return seen.series_id

    def work(self, seconds: float = 90) -> None:
        """All that is to be done, as the clock goes on."""
        for _ in range(int(seconds / 3)):
            CLOCK.pass_by(3)
            while self._step():
                pass
        with self.database.writing() as session:
            store.sign_of_life(session, NAME, CLOCK.now)

    def _step(self) -> bool:
        try:
            return bool(self.worker.step())
        except orthanc_client.OrthancError:  # as in `Worker.run`
            with self.database.writing() as session:
                store.record_failure(
                    session,
                    self.worker.claim,
                    old("headct.reasons").Reason(
                        old("headct.reasons").ReasonCode.UNREADABLE, "Orthanc does not give its files"
                    ),
                    CLOCK.now,
                    self.options,
                )
            self.worker.claim = None
            return False

    def judged(self, kind: str, seed: int, **changes: Any) -> str:
        """A series comes whole and is judged and published."""
        found = self.arrive(heads(kind, seed, **changes))
        self.work(seconds=75)
        return found

    def say(self, series: str, login: str, action: str, urgency: str | None = None, **more: Any) -> None:
        """A reader speaks."""
        CLOCK.pass_by(60)
        self.asked += 1
        self.triage.review(
            series,
            login,
            views.ReviewRequest(
                action=action,
                urgency=urgency,
                based_on=self.triage.series(series).based_on,
                request_id=f"request-{self.asked}",
                **more,
            ),
        )
        self.work(seconds=6)

    def own_model(self, version: str, threshold: float) -> str:
        """Another model in the hospital's own folder; its name."""
        shipped = bundle.load_bundle(bundle.default_bundle())
        contents = replace(
            shipped.contents,
            version=version,
            cuts=replace(shipped.contents.cuts, haemorrhage=threshold),
            figures={},
        )
        name = f"{contents.name}-{version}"
        bundle.write_bundle(
            self.options.models_folder / name, contents, shipped.network.read_bytes(), "# Made for a test\n"
        )
        return name


# Long, because it is one story, told in the order in which it happens.
def live(hospital: Hospital) -> None:
    """Weeks of a hospital: every state, every action, every table."""
    order = model_views.ModelRequest
    hospital.work(seconds=6)  # the model that ships is in service
    red = hospital.judged("intracerebral", 3)
    hospital.say(red, "sato", "confirm", findings={"haemorrhage": True, "intraparenchymal": True})
    green = hospital.judged("normal_child", 3)
    hospital.say(green, "sato", "relabel", "YELLOW", comment="small, at the tentorium", blind=True)
    hospital.say(green, "ito", "relabel", "GREEN", findings={"haemorrhage": False})  # disputed

    CLOCK.pass_by(7 * 86400)
    first = hospital.judged("subdural", 3)
    hospital.say(first, "sato", "relabel", "BLACK")
    hospital.say(first, "ito", "confirm")
    hospital.say(first, "kato", "confirm", comment="thick, but not that bad")  # settled
    hospital.say(first, "ito", "relabel", "YELLOW")  # spoken again
    excluded = hospital.judged("normal", 4)
    hospital.say(excluded, "sato", "exclude", reason="post_operative")
    bone = hospital.judged("bone_kernel", 4)  # not analysed, and yet spoken of
    hospital.say(bone, "ito", "relabel", "GREEN")
    hospital.judged("localizer", 5)
    broken = hospital.arrive(heads("normal_elderly", 5))
    hospital.orthanc.damaged |= set(hospital.orthanc.series[broken])
    hospital.work(seconds=120)  # failed
    hospital.say(broken, "kato", "relabel", "RED", comment="seen on the scanner's own screen")

    # Another model: in shadow, in service, and back; one that cannot be loaded gives way.
    CLOCK.pass_by(7 * 86400)
    strict = hospital.own_model("9.1.0", 0.99)
    hospital.triage.begin_shadow(strict, "abe", order(reason="would it have said less?"))
    seen = hospital.judged("intracerebral_small", 3)
    hospital.work(seconds=30)
    assert hospital.triage.models().comparisons
    hospital.triage.end_shadow("abe", order(reason="seen enough"))
    hospital.triage.activate_model(strict, "abe", order(reason="fewer alerts"))
    CLOCK.pass_by(60)
    hospital.triage.rerun(seen, "sato")
    hospital.work(seconds=75)  # a second result of the same images, whose report names the first
    hospital.triage.roll_back_model("abe", order(reason="missed a bleed"))
    gone = hospital.own_model("9.2.0", 0.5)
    hospital.triage.activate_model(gone, "abe", order())
    for file in (hospital.options.models_folder / gone).iterdir():
        file.unlink()
    hospital.work(seconds=9)
    hospital.triage.begin_shadow(strict, "abe", order(reason="once more"))

    # A correction of the patient after a review, a deletion, imports, regions drawn, results sent on.
    CLOCK.pass_by(7 * 86400)
    emergency = hospital.arrive(heads("subdural_small", 6, patient="EMERGENCY 1"))
    hospital.work(seconds=75)
    hospital.say(emergency, "sato", "confirm", findings={"haemorrhage": True})
    hospital.arrive(heads("subdural_small", 6))
    hospital.work(seconds=75)
    deleted = hospital.judged("few_slices", 7)
    with hospital.database.writing() as session:
        store.withdraw(session, deleted, CLOCK.now)
    del hospital.orthanc.series[deleted]
    hospital.work(seconds=9)
    for kind, seed, new in (("chest", 8, False), ("few_slices", 9, True)):
        files = heads(kind, seed)
        study = dcmread(BytesIO(files[0]), stop_before_pixels=True).StudyInstanceUID
        hospital.triage.announce_import([study], "kato", new=new)
        hospital.arrive(files, uploaded=True)
        hospital.work(seconds=75)
    hospital.employ(hospital.options.model_copy(update={"annotations": True, "forward_to": ("PACS",)}))
    hospital.judged("intracerebral_massive", 8)
    hospital.employ(hospital.options.model_copy(update={"forward_to": ("PACS",)}))

    # Three series of one study: discordant, one not analysed, one that came after the reader.
    hospital.judged("normal_child", 13, study="several", number=2)
    brain = hospital.judged("intracerebral", 13, study="several", number=3)
    hospital.say(brain, "kato", "relabel", "YELLOW")
    hospital.judged("bone_kernel", 13, study="several", number=4)
    hospital.judged("intracerebral_massive", 13, study="several", number=5)

    # What is under way when the program is updated.
    half = heads("intracerebral", 9)
    hospital.arrive(half, 14)
    hospital.work(seconds=6)  # a preliminary alert
    hospital.arrive(heads("normal", 10), 9)
    hospital.work(seconds=6)  # waits for more
    hospital.arrive(heads("normal", 11))
    CLOCK.pass_by(3)
    with hospital.database.writing() as session:
        assert store.claim(session, NAME, CLOCK.now, hospital.options) is not None  # being judged
    hospital.arrive(heads("normal", 12))  # arriving


def answers(hospital: Hospital) -> dict[str, Any]:
    """What the program says of it all."""
    triage = hospital.triage
    listed = triage.worklist()
    rows = (*listed.rows, *listed.earlier)
    told = triage.models()
    with hospital.database.reading() as session:
        kept = {
            row.sop_instance_uid: hashlib.sha256(row.content).hexdigest()
            for row in session.query(old("orthanc_plugin.tables").Document)
        }
        watched = watch.watch(session, NOW)
        shown = {
            s.id: list(old("orthanc_plugin.outbox").publication(session, s.id).series_labels)
            for s in session.query(old("orthanc_plugin.tables").Series)
        }
    return {
        "worklist": listed.model_dump(mode="json"),
        "series": [series.model_dump(mode="json") for row in rows for series in triage.study(row.id).series],
        "labels": triage.labels().model_dump(mode="json"),
        "models": told.model_dump(mode="json", include={"history", "comparisons", "based_on", "rollback_to"}),
        "drift": watched.model_dump(mode="json"),
        "shown_in_orthanc": shown,
        "documents": kept,
        "now": NOW.isoformat(),
    }


def main(out: Path) -> None:
    """Make both files."""
    logging.basicConfig(level=logging.WARNING)
    store.utcnow = lambda: CLOCK.now
    old("orthanc_plugin.worker").datetime = Wall
    worker.SHADOW_SECONDS = 0.0
    with tempfile.TemporaryDirectory() as folder:
        hospital = Hospital(Path(folder))
        live(hospital)
        CLOCK.now = NOW
        told = answers(hospital)
        hospital.database.close()
        with sqlite3.connect(hospital.options.database_path) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("VACUUM")
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                print(table, count)
                assert count, f"nothing in {table}"
        content = Path(hospital.options.database_path).read_bytes()
    (out / "store.sqlite.gz").write_bytes(gzip.compress(content, mtime=0))
    lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in told.items())
    (out / "answers.json").write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
