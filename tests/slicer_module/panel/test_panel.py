"""The panel in a real Qt window is never frozen, whatever the server does."""

import time

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from PySide6.QtCore import Qt
from qt_host import hold_the_lock, longest_gap, run_until
from reader import Reader
from ward import STUDIES


def test_nothing_freezes_while_the_server_sleeps(reader: Reader) -> None:
    reader.ward.sleep = 10.0
    reader.connect()
    run_until(lambda: reader.ward.count("GET", "/status") == 1)
    gaps = []
    for _ in range(3):  # of which a busy machine may spoil one
        with longest_gap() as longest, hold_the_lock():
            until = time.monotonic() + 0.4
            run_until(lambda end=until: time.monotonic() > end)
            gaps.append(longest())
    assert 0.0 < min(gaps) < 0.1
    assert reader.ui.connectButton.text() == "Cancel"
    reader.click(reader.ui.connectButton)
    reader.ward.sleep = 0.2
    with longest_gap(time.thread_time) as longest, hold_the_lock():
        reader.click(reader.ui.connectButton)
        run_until(lambda: reader.rows() == len(STUDIES), what="the worklist")
        reader.open("red")
        reader.press(Qt.Key.Key_A)
        reader.shown("black")
        assert longest() < 0.1
    assert reader.said("red") == [("confirm", "RED", "")]


def test_the_stop_watch_notices_an_event_loop_that_stands_still() -> None:
    with longest_gap() as longest:
        run_until(lambda: longest() > 0.0)
        time.sleep(0.15)
        run_until(lambda: longest() > 0.1, 5)


def test_a_dead_server_does_not_keep_the_panel_from_ending(reader: Reader) -> None:
    reader.connected()
    reader.ward.sleep = 30.0
    reader.panel.worklist.refresh()
    reader.click_row("red")
    run_until(lambda: len(reader.panel.background._under_way) >= 2)
    started = time.monotonic()
    reader.host.widget.exit()
    reader.host.widget.cleanup()
    assert time.monotonic() - started < 0.5
    reader.ward.sleep = 0.0
