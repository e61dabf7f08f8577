"""A case opened in a real Qt window: images, words, earlier series, and what ends all that."""

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from fake_cases import orthanc_id
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from qt_host import run_until
from reader import Reader
from sqlalchemy import select
from ward import head

from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import outbox, queue
from orthanc_plugin.store.tables import Assessment, Document


def test_case_opens_with_images_words_windows_and_key_slices(reader: Reader) -> None:
    reader.connected().open("red")
    ui, logic = reader.ui, reader.host.widget.logic
    assert logic.currentSlice() == 15, "the first key slice"
    volume = reader.host.scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert volume.GetImageData().GetDimensions() == (64, 64, 33)
    assert (
        "about 41 ml" in ui.findingsLabel.text()
        and "Small bleeding can be missed." in ui.findingsLabel.text()
    )
    assert ui.figuresTable.item(0, 1).text() == "41.2"
    assert "physician makes the final judgement" in ui.noticeLabel.text() and ui.noticeLabel.isVisible()
    assert "probability" in ui.detailsLabel.text() and not ui.detailsLabel.isVisible()
    reader.click(ui.boneButton)
    assert volume.GetDisplayNode().GetWindow() == 2800
    assert ui.boneButton.isChecked() and not ui.brainButton.isChecked()
    reader.press(Qt.Key.Key_W)
    assert volume.GetDisplayNode().GetWindow() == 80 and ui.brainButton.isChecked()
    reader.press(Qt.Key.Key_K)
    assert logic.currentSlice() == 13
    reader.click(reader.panel.case._key_buttons[2])
    assert logic.currentSlice() == 17


def test_return_opens_the_selected_case_and_so_does_the_button(reader: Reader) -> None:
    reader.connected()
    table = reader.ui.worklistTable
    assert not reader.ui.openButton.isEnabled()
    place = table.visualRect(reader.cell("yellow", 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.keyClick(table, Qt.Key.Key_Return)
    reader.shown("yellow")
    table.selectRow(3)
    reader.click(reader.ui.openButton)
    reader.shown("green")


def test_previous_series_is_shown_beside_the_open_one(reader: Reader) -> None:
    reader.ward.images("earlier series", head(20))
    red = ("20260301", reader.room.series("red"))
    reader.ward.of_one_patient(
        {orthanc_id("red"): red, orthanc_id("earlier"): ("20250105", "earlier series")}
    )
    reader.connected().open("red")
    ui, logic = reader.ui, reader.host.widget.logic
    run_until(ui.previousButton.isVisible)
    assert ui.previousComboBox.currentText().startswith("2025-01-05")
    reader.click(ui.previousButton)
    run_until(lambda: reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2)
    assert not ui.loadFrame.isVisible() and logic.currentSlice() == 15
    reader.open("yellow")
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert not ui.previousWidget.isVisible()


def test_opening_another_case_ends_the_first_ones_loading(reader: Reader) -> None:
    reader.connected()
    reader.ward.held.clear()
    reader.click_row("red")
    run_until(lambda: reader.ward.count("GET", "/file") > 0)
    assert reader.ui.loadFrame.isVisible()
    first = reader.panel.case._loading
    reader.click_row("yellow")
    assert first.cancelled.is_set()
    reader.ward.held.set()
    reader.shown("yellow")
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_loading_can_be_cancelled(reader: Reader) -> None:
    reader.connected()
    reader.ward.held.clear()
    reader.click_row("red")
    run_until(lambda: reader.ward.count("GET", "/file") > 0)
    reader.click(reader.ui.cancelButton)
    assert not reader.ui.loadFrame.isVisible()
    assert "cancelled" in reader.ui.imagesLabel.text()
    assert "about 41 ml" in reader.ui.findingsLabel.text(), "what is said stays"
    reader.ward.held.set()


def test_images_that_do_not_come_are_said_and_the_case_can_be_reviewed(reader: Reader) -> None:
    reader.ward.images(reader.room.series("red"), [])
    reader.connected().open("red")
    assert reader.ui.imagesLabel.isVisible() and reader.ui.imagesLabel.text()
    assert reader.ui.reviewWidget.isEnabled()


def test_a_region_that_cannot_be_read_keeps_no_image_away(reader: Reader) -> None:
    room, now = reader.room, queue.utcnow()
    with room.database.writing() as session:
        drawn = Document(
            sop_instance_uid="1.2.77",
            series_id=room.series("red"),
            assessment_id=session.scalars(
                select(Assessment.id).where(Assessment.series_id == room.series("red"))
            ).one(),
            kind=DocumentKind.SEGMENTATION,
            content=b"",
            created_at=now,
        )
        session.add(drawn)
        session.flush()
        # A CT image where the region should be.
        outbox.document_sent(session, "1.2.77", orthanc_id(f"{room.series('red')} 0"), now)
    reader.connected().open("red")
    assert "region of the bleed cannot be shown" in reader.ui.imagesLabel.text()
    assert reader.host.widget.logic.currentSlice() == 15
    assert not reader.ui.segmentationCheckBox.isVisible()


def test_closing_the_scene_closes_the_case_and_the_panel_goes_on(reader: Reader) -> None:
    reader.connected().open("red")
    reader.host.scene.Clear(False)
    assert reader.ui.caseLabel.text() == "No case is open."
    assert not reader.ui.reviewWidget.isEnabled()
    reader.open("yellow")
    reader.click(reader.ui.boneButton)
    assert reader.host.widget._parameterNode.window == "bone"


def test_slicers_own_self_test_passes(reader: Reader) -> None:
    import HeadCTTriage

    HeadCTTriage.HeadCTTriageTest().runTest()


def test_nothing_of_the_case_is_left_when_it_is_closed_while_it_loads(reader: Reader) -> None:
    reader.connected()
    reader.click_row("red")
    reader.panel.case.close()
    run_until(lambda: not reader.panel.background.busy)
    assert reader.ui.caseLabel.text() == "No case is open."
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
