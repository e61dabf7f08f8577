"""Connecting, and what of that is remembered: clicks and keys in a real Qt window."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from fake_triage import FakeTriage
from qt_host import Host, run_until
from reader import Reader
from slicer_servers import Authority, as_json, http_server
from ward import PASSWORD


def test_the_test_button_says_in_words_what_is_wrong_and_connects_nothing(reader: Reader) -> None:
    reader.connect(password="wrong")
    run_until(lambda: "does not know this user or password" in reader.ui.connectionLabel.text())
    reader.type(reader.ui.passwordLineEdit, PASSWORD)
    reader.click(reader.ui.testButton)
    run_until(lambda: reader.ui.connectionLabel.text().startswith("The server answers: triage"))
    reader.ward.away()
    reader.click(reader.ui.testButton)
    run_until(
        lambda: reader.ui.connectionLabel.text().endswith("no server runs there, or the port is another.")
    )
    reader.ward.back()
    assert reader.panel.login.client is None and reader.rows() == 0
    assert reader.ui.connectButton.text() == "Connect"


def test_address_and_user_are_remembered_the_password_nowhere(
    reader: Reader, new_host: Callable[..., Host], tmp_path: Path
) -> None:
    reader.connected().open("red")
    scene = reader.host.scene
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    reader.click(reader.ui.greenButton)
    reader.ward.away()
    reader.click(reader.ui.sendButton)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    reader.host.app.userSettings().sync()
    written = [file for file in tmp_path.rglob("*") if file.is_file() and "room" not in file.parts]
    assert {"Slicer.ini", "scene.mrml"} <= {file.name for file in written}
    assert any(file.suffix == ".json" for file in written), "a review is kept"
    for file in written:
        assert PASSWORD.encode() not in file.read_bytes(), file
    assert b"Patient" not in (tmp_path / "scene.mrml").read_bytes()
    reader.ward.back()
    again = new_host()
    assert again.ui.addressLineEdit.text() == reader.ward.url
    assert again.ui.userLineEdit.text() == "sato"
    assert again.ui.passwordLineEdit.text() == ""


def test_disconnecting_forgets_list_case_and_password(reader: Reader) -> None:
    reader.connected().open("red")
    assert reader.ui.serverCollapsibleButton.property("collapsed")
    reader.ui.serverCollapsibleButton.setProperty("collapsed", False)
    reader.click(reader.ui.connectButton)
    run_until(lambda: reader.rows() == 0)
    assert reader.ui.caseLabel.text() == "No case is open."
    assert reader.ui.passwordLineEdit.text() == ""
    assert not reader.ui.reviewWidget.isEnabled()
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_a_hospitals_own_certificate_wants_its_ca_file(reader: Reader, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    status = FakeTriage().status().model_dump(mode="json")
    with http_server(lambda asked: as_json(200, status), authority.certificate("localhost")) as (url, asked):
        reader.ward.url = url
        reader.connect()
        run_until(lambda: "is of an issuer that is not known here" in reader.ui.connectionLabel.text())
        assert asked == [], "neither name nor password was sent"
        reader.ui.caPathLineEdit.setProperty("currentPath", str(authority.file))
        reader.click(reader.ui.testButton)
        run_until(lambda: reader.ui.connectionLabel.text().startswith("The server answers: triage"))
