"""The panel in a real Qt window is never frozen, whatever the server does."""

import time

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from processor_time import noticed
from PySide6.QtCore import Qt
from qt_host import hold_the_lock, longest_gap, rounds, run_until
from reader import Reader
from ward import STUDIES


@pytest.fixture
def endless_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives a server up: what waits for a silent one waits for ever."""
    from HeadCTTriageLib.server import client, connection

    monkeypatch.setattr(connection, "SILENCE_SECONDS", 10_000.0)
    monkeypatch.setattr(client, "ANSWER", connection.Limit(seconds=10_000.0, bytes=2**20))


@pytest.mark.usefixtures("endless_patience")
def test_nothing_freezes_while_the_server_sleeps(reader: Reader) -> None:
    """The event loop goes round while nothing is answered, which it could not if it waited for an answer."""
    reader.ward.awake.clear()
    reader.connect()
    run_until(lambda: reader.ward.count("GET", "/status") == 1)
    with rounds() as gone_round, hold_the_lock():
        run_until(lambda: gone_round() > 100)
    assert reader.ui.connectButton.text() == "Cancel"
    reader.click(reader.ui.connectButton)
    reader.ward.awake.set()
    with longest_gap() as longest, hold_the_lock():
        reader.click(reader.ui.connectButton)
        run_until(lambda: reader.rows() == len(STUDIES), what="the worklist")
        reader.open("red")
        reader.press(Qt.Key.Key_A)
        reader.shown("black")
        assert longest() < noticed()
    assert reader.said("red") == [("confirm", "RED", "")]


def test_the_stop_watch_notices_an_event_loop_that_stands_still() -> None:
    with longest_gap() as longest:
        run_until(lambda: longest() > 0.0)
        until = time.thread_time() + 0.15
        while time.thread_time() < until:
            pass
        run_until(lambda: longest() > 0.1)


@pytest.mark.usefixtures("endless_patience")
def test_a_dead_server_does_not_keep_the_panel_from_ending(reader: Reader) -> None:
    reader.connected()
    reader.ward.awake.clear()
    reader.panel.worklist.refresh()
    reader.click_row("red")
    run_until(lambda: len(reader.panel.background._under_way) >= 2)
    reader.host.widget.exit()
    reader.host.widget.cleanup()
    assert not reader.ward.awake.is_set(), "ended, though nothing was answered"
