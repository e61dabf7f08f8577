"""Reviews by clicks and keys in a real Qt window: sent once, kept while the server is away, never blind."""

import re
from collections.abc import Callable

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from qt_host import Host, run_until, turn
from reader import Reader, say
from reading_room import ReadingRoom
from ward import STUDIES, Ward


def test_confirming_by_one_key_sends_and_opens_the_next(reader: Reader) -> None:
    reader.connected().open("red")
    reader.press(Qt.Key.Key_A)
    reader.shown("black")
    assert reader.said("red") == [("confirm", "RED", "")]
    # Said by the server: who confirms a bleed says there is one.
    assert dict(reader.room.reviews("red")[0].findings) == {"haemorrhage": True}
    assert reader.status() == "Sent: RED, Red Patient"
    run_until(lambda: "RED, Sato Hanako" in reader.cell("red", 3).data())


def test_relabelling_by_keys_with_findings_and_comment(reader: Reader) -> None:
    reader.connected().open("yellow")
    reader.press(Qt.Key.Key_3)
    assert reader.ui.redButton.isChecked() and reader.said("yellow") == []
    assert "Say below whether there is blood" in reader.status()
    signs = reader.panel.review.entries.signs
    reader.click(signs["subdural"])
    assert signs["haemorrhage"].text() == "bleed within the skull: present"
    reader.click(signs["fracture"])
    reader.click(signs["fracture"])
    reader.press(Qt.Key.Key_C)
    QTest.keyClicks(QApplication.focusWidget(), "by the falx")
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: reader.said("yellow") != [])
    assert reader.said("yellow") == [("relabel", "RED", "by the falx")]
    assert {k.value: v for k, v in reader.room.reviews("yellow")[0].findings.items()} == {
        "haemorrhage": True,
        "subdural": True,
        "fracture": False,
    }


def test_black_and_exclusion_are_never_sent_by_one_key(reader: Reader) -> None:
    reader.connected().open("black")
    reader.press(Qt.Key.Key_A)
    assert "Black means" in reader.status() and reader.ui.blackButton.isChecked()
    reader.press(Qt.Key.Key_X)
    reader.press(Qt.Key.Key_5)
    assert "Say in the comment" in reader.status()
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: not reader.panel.background.busy)
    assert reader.said("black") == []
    reader.press(Qt.Key.Key_1)
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: reader.said("black") == [("exclude", None, "")])
    assert reader.room.reviews("black")[0].reason == "post_operative"


def test_a_key_pressed_twice_does_not_speak_of_the_next_case(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from HeadCTTriageLib.panel import review_section

    reader.connected().open("red")
    # On a busy machine the second press may come late.
    monkeypatch.setattr(review_section, "LOOK_FIRST_SECONDS", 10_000.0)
    reader.press(Qt.Key.Key_A)
    run_until(lambda: "Black Patient" in reader.ui.caseLabel.text() and reader.ui.reviewWidget.isEnabled())
    reader.press(Qt.Key.Key_3)
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: not reader.panel.background.busy)
    assert reader.said("black") == []


def test_keys_work_only_while_the_module_is_entered(reader: Reader) -> None:
    reader.connected().open("red")
    reader.host.widget.exit()
    reader.press(Qt.Key.Key_A)
    reader.host.widget.enter()
    run_until(lambda: not reader.panel.background.busy)
    assert reader.said("red") == []
    reader.press(Qt.Key.Key_2)
    assert reader.ui.yellowButton.isChecked()


def test_next_case_stays_away_when_it_is_not_wanted(reader: Reader) -> None:
    reader.connected().open("red")
    reader.click(reader.ui.nextCheckBox)
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.status().startswith("Sent"))
    run_until(lambda: "Reviewed: RED" in reader.ui.historyLabel.text())
    assert "Red Patient" in reader.ui.caseLabel.text()
    reader.press(Qt.Key.Key_N)
    reader.shown("black")


def test_after_the_last_case_it_says_so(reader: Reader) -> None:
    reader.connected()
    for key in STUDIES:
        say(reader.room, "sato", key)
    reader.panel.worklist.refresh()
    run_until(lambda: all("Sato" in reader.cell(key, 3).data() for key in STUDIES))
    reader.open("red")
    reader.press(Qt.Key.Key_N)
    assert "No other case waits for you." in reader.status()


def test_conflict_says_who_said_what_and_the_doctor_decides(reader: Reader) -> None:
    reader.connected().open("red")
    say(reader.room, "ito", "red", urgency="GREEN")
    reader.press(Qt.Key.Key_4)
    reader.press(Qt.Key.Key_Return)
    run_until(
        lambda: (
            "Taro Ito says GREEN" in reader.ui.conflictLabel.text()
            or "Ito Taro says GREEN" in reader.ui.conflictLabel.text()
        )
    )
    assert reader.ui.conflictFrame.isVisible() and reader.ui.blackButton.isChecked()
    assert len(reader.said("red")) == 1
    for folded in (False, True):
        reader.ui.reviewCollapsibleButton.setProperty("collapsed", folded)
        reader.press(Qt.Key.Key_Return)
        turn(100)
        assert reader.ward.count("POST", "/review") == 1, "not before they have looked"
    reader.ui.reviewCollapsibleButton.setProperty("collapsed", False)
    run_until(lambda: reader.panel.review._now is not None)
    reader.click(reader.ui.lookAgainButton)
    assert not reader.ui.conflictFrame.isVisible() and reader.ui.blackButton.isChecked()
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: len(reader.said("red")) == 2)
    assert reader.said("red")[1][:2] == ("relabel", "BLACK")
    run_until(lambda: not reader.ui.unsentFrame.isVisible())


def test_sending_mine_all_the_same(reader: Reader) -> None:
    reader.connected().open("red")
    say(reader.room, "ito", "red", urgency="GREEN")
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.panel.review._now is not None)
    reader.click(reader.ui.insistButton)
    run_until(lambda: len(reader.said("red")) == 2)
    assert reader.said("red")[1][:2] == ("confirm", "RED")


def test_away_is_kept_shown_and_sent_later_once(reader: Reader) -> None:
    reader.connected().open("red")
    reader.ward.away()
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    assert "Not sent yet (1): RED, Red Patient" in reader.ui.unsentLabel.text()
    assert "kept and sent later by itself" in reader.status()
    run_until(lambda: reader.cell("red", 3).data().startswith("NOT SENT YET"))
    reader.panel.worklist.refresh()
    run_until(lambda: "as of" in reader.ui.freshnessLabel.text())
    reader.ward.back()
    reader.panel.worklist.refresh()
    run_until(lambda: not reader.ui.unsentFrame.isVisible())
    assert reader.said("red") == [("confirm", "RED", "")]
    assert reader.ward.count("POST", "/review") == 1


def test_unsent_survives_the_application(
    reader: Reader, new_host: Callable[..., Host], room: ReadingRoom, ward: Ward
) -> None:
    reader.connected().open("red")
    ward.away()
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    reader.host.widget.cleanup()
    ward.back()
    again = Reader(new_host(), room, ward)
    again.connect()
    run_until(lambda: again.said("red") == [("confirm", "RED", "")])


def test_refused_is_shown_with_the_servers_words_and_can_be_discarded(reader: Reader) -> None:
    reader.connect(user="mori")
    run_until(lambda: reader.rows() == 4)
    reader.open("red")
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.status().startswith("Refused."))
    assert "Needs you: RED, Red Patient" in reader.ui.unsentLabel.text()
    assert reader.said("red") == []
    reader.host.app.answers.append(False)
    reader.click(reader.ui.discardUnsentButton)
    assert reader.ui.unsentFrame.isVisible()
    reader.host.app.answers.append(True)
    reader.click(reader.ui.discardUnsentButton)
    run_until(lambda: not reader.ui.unsentFrame.isVisible())
    assert "Discard this review?" in reader.host.app.questions[-1]


def test_a_japanese_panel_shows_no_english_refusal(
    new_host: Callable[..., Host], room: ReadingRoom, ward: Ward
) -> None:
    japanese = Reader(new_host("ja-JP"), room, ward)
    japanese.connect(user="mori")
    run_until(lambda: japanese.rows() == len(STUDIES))
    japanese.open("red")
    japanese.press(Qt.Key.Key_A)
    run_until(lambda: japanese.status().startswith("受け付けられません"))
    assert not re.search("[a-z]{3}", japanese.status()), japanese.status()
    assert not re.search("[a-z]{3}", japanese.ui.unsentLabel.text().replace("Red Patient", ""))


def test_conflict_that_turns_up_later_leads_back_to_the_case(reader: Reader) -> None:
    reader.connected().open("red")
    reader.ward.away()
    reader.press(Qt.Key.Key_4)
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    say(reader.room, "ito", "red", urgency="GREEN")
    reader.ward.back()
    reader.open("yellow")
    reader.panel.worklist.refresh()
    run_until(lambda: "Needs you: BLACK, Red Patient" in reader.ui.unsentLabel.text())
    assert len(reader.said("red")) == 1
    reader.click(reader.ui.openUnsentButton)
    reader.shown("red")
    run_until(lambda: reader.panel.review._now is not None)
    assert "Ito Taro says GREEN" in reader.ui.conflictLabel.text() and reader.ui.blackButton.isChecked()
    reader.click(reader.ui.insistButton)
    run_until(lambda: len(reader.said("red")) == 2)
    assert reader.said("red")[1][:2] == ("relabel", "BLACK")
    run_until(lambda: not reader.ui.unsentFrame.isVisible())


def test_entries_are_there_again_when_the_reader_comes_back_to_the_case(reader: Reader) -> None:
    reader.connected().open("red")
    reader.press(Qt.Key.Key_2)
    reader.click(reader.panel.review.entries.signs["fracture"])
    reader.open("yellow")
    assert not reader.ui.yellowButton.isChecked()
    reader.open("red")
    assert reader.ui.yellowButton.isChecked()
    assert reader.panel.review.entries.signs["fracture"].text() == "skull fracture: present"
