"""What Orthanc writes on its standard output, without patients' data, into its log.

Its messages quote what it was sent: numbers of patients where a tag is missing, what was searched for, names
of files; which of them do differs from version to version. So of a message only those words are kept that
stand in the program itself. Kept are also what our own packages say, for it names nobody, and what is said
until Orthanc listens, which is about its options.

Orthanc writes into memory. A pipe would end Orthanc's log, and Orthanc with it, whenever we are killed.
"""

import ctypes
import fcntl
import logging
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

OURS = re.compile(r"(orthanc_plugin|headct)[\w.]*: |Triage[ ,]|A file is refused: nested ")
"""How what our packages say begins."""
LEFT_OUT = "..."

_SHORTEST, _LONGEST = 8, 400
"""Characters of what counts as the words of a program. Shorter ones may be part of a name."""
_LINE = re.compile(r"([A-Z]\d{4} [\d:.]+ +(?:[\w:-]+ +)?[\w.-]+:\d+\] )(.*)")
"""Level, time, thread (from Orthanc 1.12 on) and place in the source; the message."""
_WORKER = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ ([\w.]+): ")
"""Time and name of the logger."""
_WHERE_FROM = re.compile(r" on IP \d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
"""Of a scanner that is not among those that may send."""
_FRAME = re.compile(r'  File "[^"]+", line \d+ in [\w.<>]+|(Current thread|Thread) 0x[0-9a-f]+ .*')
"""Where a process was that crashed (faulthandler)."""
_LISTENS = re.compile(r"(DICOM|HTTP) server listening ")
_PIECE = 2**16
_MOST_KEPT = 8 * 2**20
"""Bytes that wait in memory while the log cannot be written, as on a full disk."""

_PUNCH_HOLE = 0x03
"""FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of linux/falloc.h."""
_libc = ctypes.CDLL(None, use_errno=True)
log = logging.getLogger(__name__)


class Words:
    """The words that stand in some programs."""

    def __init__(self, programs: Sequence[Path]) -> None:
        self._programs = programs

    @cached_property
    def _known(self) -> frozenset[str]:
        runs = re.compile(rb"[\x20-\x7e]{%d,}" % _SHORTEST)
        found: set[str] = set()
        for program in self._programs:
            try:
                found.update(run.decode("ascii") for run in runs.findall(program.read_bytes()))
            except OSError as error:
                log.warning("%s cannot be read (%s): of its messages less is kept", program, error.strerror)
        return frozenset(found)

    def of(self, message: str) -> str:
        """As much of a message as stands in the programs, from its beginning on."""
        kept = 0
        while kept < len(message):
            rest = message[kept : kept + _LONGEST]
            length = next((n for n in range(len(rest), _SHORTEST - 1, -1) if rest[:n] in self._known), 0)
            if not length:
                return message[:kept] + LEFT_OUT + "".join(_WHERE_FROM.findall(rest))
            kept += length
            if message[kept : kept + 2] == ": ":
                kept += 2
        return message


class Filter:
    """Lines as they may be kept."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._starts = True

    def line(self, line: str) -> str:
        """One of them, without its end."""
        if match := _LINE.fullmatch(line):
            place, message = match.groups()
            if _LISTENS.match(message):
                self._starts = False
            elif not (self._starts or OURS.match(message)):
                message = self._words.of(message)
            return place + message
        if (match := _WORKER.match(line)) and not OURS.match(f"{match[1]}: "):
            return match[0] + LEFT_OUT
        if match or _FRAME.fullmatch(line):
            return line
        return self._words.of(line)


class Gathered:
    """A file in memory into which a program writes, and the log into which that goes."""

    def __init__(self, target: Path, words: Words) -> None:
        self._target = target
        self._filter = Filter(words)
        self._descriptor = os.memfd_create(target.name)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, os.O_APPEND)
        self._closed = False
        self._at = 0
        self._rest = b""

    def fileno(self) -> int:
        """Where the program writes."""
        return self._descriptor

    def move(self, *, all_of_it: bool = False) -> None:
        """Put whole lines into the log; a failure is tried again, and what waits too long is lost.

        Args:
            all_of_it: also a last line that has no end, for the program has ended.
        """
        while not self._closed and (end := os.fstat(self._descriptor).st_size) > self._at:
            written = os.pread(self._descriptor, _PIECE, self._at)
            *lines, rest = (self._rest + written).split(b"\n")
            if not self._write(lines) and end - self._at < _MOST_KEPT:
                return
            self._at += len(written)
            self._rest = rest[-_PIECE:]
            _forget(self._descriptor, self._at)
        if all_of_it and self._rest and self._write([self._rest]):
            self._rest = b""

    def close(self) -> None:
        """Put the rest into the log; nobody writes any more."""
        if not self._closed:
            self.move(all_of_it=True)
            os.close(self._descriptor)
            self._closed = True

    def _write(self, lines: list[bytes]) -> bool:
        text = "".join(self._filter.line(line.decode("utf-8", "replace")) + "\n" for line in lines)
        try:
            with open(self._target, "a", encoding="utf-8", opener=_private) as file:
                file.write(text)
        except OSError:
            return False
        return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _forget(descriptor: int, up_to: int) -> None:
    """Give the memory of what was read free; the program goes on writing behind it."""
    _libc.fallocate(descriptor, _PUNCH_HOLE, ctypes.c_int64(0), ctypes.c_int64(up_to))
