"""The panel in a Qt window before a real Orthanc with triage: the path of a doctor, by clicks and keys."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
sys.path.append(str(Path(__file__).parents[2] / "slicer_module"))
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from qt_host import Host, run_until

from headct.generator.generation import generate, write

pytestmark = pytest.mark.skipif(not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc is not installed")

PASSWORD = "not-a-secret"
SMALL = {"matrix": 256, "thickness_mm": 7.0}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """With a bleed and a head without one judged, regions drawn."""
    folder = tmp_path_factory.mktemp("panel")
    people = {"sato": {"Name": "Sato^Hanako", "Organisation": "St. Elsewhere", "Role": "reader"}}
    options = {
        "QuietSeconds": 1,
        "WorkerNiceness": 0,
        "Previews": False,
        "Annotations": True,
        "People": people,
    }
    one = OrthancProcess(folder / "orthanc", options)
    one.configuration["RegisteredUsers"] |= {"sato": PASSWORD}
    one.start_triage()
    for kind in ("epidural", "normal"):
        files = write(generate(kind, 7, salt="slicer panel", **SMALL), folder / kind)
        one.send(file.read_bytes() for file in files)
    one.wait(one.settled)
    yield one
    one.stop()
    one.http.close()


def test_connect_list_open_relabel_next(orthanc: OrthancProcess, tmp_path: Path) -> None:
    host = Host(tmp_path)
    ui, panel, logic = host.ui, host.widget._panel, host.widget.logic
    for field, text in (
        (ui.addressLineEdit, f"http://127.0.0.1:{orthanc.http_port}"),
        (ui.userLineEdit, "sato"),
        (ui.passwordLineEdit, PASSWORD),
    ):
        QTest.keyClicks(field, text)
    QTest.mouseClick(ui.connectButton, Qt.MouseButton.LeftButton)
    table = ui.worklistTable
    run_until(lambda: table.model().rowCount() == 2, what="the worklist")
    assert table.model().index(0, 0).data().startswith("RED")
    assert table.model().index(1, 0).data() == "Nothing flagged"
    place = table.visualRect(table.model().index(0, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    run_until(lambda: ui.reviewWidget.isEnabled(), what="the images")
    first = panel.case.study
    key = first.series[0].assessment.key_slices[0]
    assert logic.currentSlice() == key.number
    assert ui.segmentationCheckBox.isVisible()
    drawn = host.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert drawn.GetDisplayNode().GetVisibility()
    QTest.mouseClick(ui.segmentationCheckBox, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert not drawn.GetDisplayNode().GetVisibility()
    QTest.mouseClick(ui.segmentationCheckBox, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    host.screenshot(tmp_path / "case.png")
    run_until(lambda: panel.review._ready())
    QTest.keyClick(host.window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(host.window, Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier)
    QTest.keyClicks(ui.commentTextEdit, "thin, seen with the neurosurgeon")
    QTest.keyClick(host.window, Qt.Key.Key_Return, Qt.KeyboardModifier.AltModifier)
    run_until(lambda: panel.case.study is not None and panel.case.study.case.id != first.case.id, what="next")
    run_until(lambda: ui.reviewWidget.isEnabled(), what="its images")
    assert "Nothing flagged" in ui.caseLabel.text() and ui.reviewStatusLabel.text().startswith("Sent: YELLOW")
    assert not ui.segmentationCheckBox.isVisible()
    series = orthanc.get(f"series/{first.series[0].id}")
    assert [(r["action"], r["urgency"], r["comment"], r["login"]) for r in series["reviews"]] == [
        ("relabel", "YELLOW", "thin, seen with the neurosurgeon", "sato")
    ]
    run_until(lambda: table.model().index(1, 3).data().startswith("YELLOW, Sato Hanako"), what="the list")
    host.close()
