"""pydicom's settings are those of whoever imports headct: changed only while headers are read or written."""

import logging
import subprocess
import sys
import warnings
from threading import Barrier, Thread

import pytest
from dicom_stack import file_bytes, files, head, write
from pydicom import config
from pydicom.dataset import Dataset

from headct.eligibility.gate import admit
from headct.images.headers import text
from headct.images.quiet import quiet
from headct.images.reading import group_series, read_headers

HEAD = head(slabs=12, size=48)
LONG = "longer than a study's number may be"
STATE = """
import logging
import warnings

from pydicom import config


def state():
    log = logging.getLogger("pydicom")
    settings = {name: value for name, value in vars(config).items() if isinstance(value, (bool, int, str))}
    mine = [str(entry) for entry in warnings.filters if "pydicom" in str(entry)]
    return (
        settings, dict(vars(config.settings)), mine,
        log.level, log.disabled, log.propagate, list(log.handlers), list(log.filters),
    )
"""
IMPORT_ALL = (
    STATE
    + """
before = state()

import pkgutil
import sys

import headct

names = [module.name for module in pkgutil.walk_packages(headct.__path__, "headct.")]
for name in names:
    __import__(name)
assert len(names) > 40, names
assert state() == before, "importing"

from pathlib import Path

from headct.images.reading import group_series, load_series

(paths,) = group_series([Path(sys.argv[1])]).values()
load_series(paths)
assert state() == before, "reading"
"""
)


def test_importing_every_module_and_reading_leave_pydicom_as_it_was(tmp_path):
    for number, image in enumerate(files(HEAD)):
        (tmp_path / f"{number}.dcm").write_bytes(image)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def damaged() -> Dataset:
    """As it comes from a file: its values are looked at when they are asked for."""
    image = write(HEAD[:1])[0]
    with quiet():
        image.StudyID = LONG
    (header,) = read_headers([file_bytes(image)])
    return header


def here() -> tuple[object, ...]:
    log = logging.getLogger("pydicom")
    return dict(vars(config.settings)), list(warnings.filters), log.level


def test_a_damaged_value_is_read_without_a_remark_and_outside_there_is_one(caplog):
    before = here()
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        assert text(damaged(), "StudyID") == LONG
        assert not remarks and not caplog.records
        assert damaged().StudyID == LONG
        assert remarks and caplog.records
    assert here() == before


@pytest.mark.parametrize("read", [admit, read_headers, group_series])
def test_what_cannot_be_read_leaves_pydicom_as_it_was_too(read, tmp_path):
    before = here()
    (tmp_path / "damaged.dcm").write_bytes(files(HEAD)[0][:700])
    try:
        read([tmp_path / "damaged.dcm"])
    except Exception as error:
        assert type(error).__name__ == "NotAnalysedError"
    assert here() == before


def test_the_last_to_go_gives_the_settings_back():
    before = here()
    inside, one_gone = Barrier(2, timeout=60), Barrier(2, timeout=60)

    def first() -> None:
        with quiet():
            inside.wait()
        one_gone.wait()

    thread = Thread(target=first)
    thread.start()
    with quiet():
        inside.wait()
        one_gone.wait()
        assert config.settings.reading_validation_mode == config.IGNORE
        assert logging.getLogger("pydicom").level == logging.CRITICAL
    thread.join()
    assert here() == before
