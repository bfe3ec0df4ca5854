# SPDX-License-Identifier: Apache-2.0
"""The state on disk: a file of changes, one JSON object a line, to which each batch of documents adds one more.

    {"format": 1, "boot": "…"}          first
    {"sessions": {…}, "processes": …}   whole records (saved.py), and beside them:
    "seq"      of the last document written             "low", "told"   which events were told (recent.py)
    "journal"  cursor of the last entry used            "out"           [device, inode, size] of the output then
    {"whole": true}                     from here on it is a state; what follows are changes since

A line is added after the documents that it goes with were written, in one write, and is either there or not: so the file
is a state at every moment, though its last line may be older than the output's. It is written anew, beside the old one
and piece by piece while changes go on, when it has grown; the new one takes the old one's place by its name.

What is read back is input. A file of another boot, another format or an unknown writer, one whose first part is damaged,
is set aside (`state.bad`, `state.before`), with a line in the log; of one that is damaged later all lines before count.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from typing import Any, Optional

from .diagnostics import ERROR, WARNING, Log
from .saved import Change, Saved

NAME, NEW, BAD, BEFORE = "state", "state.new", "state.bad", "state.before"
FORMAT = 1
LARGEST = 256 << 20
"""A file that large is none of ours: 65,536 sessions are 60 MB."""
LINE_LIMIT = 64 << 20
GROWN = 4 << 20
"""Written anew when it is this much larger than it was when last written anew, and twice as large."""


class Remembered:
    """What a state file holds."""

    def __init__(self) -> None:
        self.saved = Saved()
        self.whole = False
        self.seq = 0
        self.low: Optional[str] = None
        self.told: dict[str, None] = {}
        self.journal: Optional[str] = None
        self.out: Optional[list[int]] = None
        self.good = 0
        """Bytes of it up to the last whole line."""

    def apply(self, change: Change) -> None:
        self.saved.apply(change)
        told = change.get("told")
        if isinstance(told, list):
            self.told.update(dict.fromkeys(one for one in told if isinstance(one, str)))
        self.seq = _of(int, change.get("seq")) or self.seq
        self.low = _of(str, change.get("low")) or self.low
        self.journal = _of(str, change.get("journal")) or self.journal
        out = change.get("out")
        if isinstance(out, list) and len(out) == 3 and all(type(number) is int for number in out):
            self.out = out
        self.whole = self.whole or change.get("whole") is True


class StateFile:
    """Used by one thread at a time."""

    def __init__(self, directory: str, boot_id: str, log: Log) -> None:
        self._path = directory
        self._boot_id = boot_id
        self._log = log
        self._directory = -1
        self._fd = self._new = -1
        self._size = self._size_anew = 0
        self._unwritten = b""
        self.grown = False
        """It should be written anew."""

    @property
    def sound(self) -> bool:
        """Is everything in it that was written?"""
        return self._fd >= 0 and not self._unwritten

    def load(self) -> Optional[Remembered]:
        """What the last process of this boot left, None if nothing of use; from here on it is added to."""
        self._directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        remembered = self._remembered(NAME)
        if remembered is None:
            self.begin()
            self.write(b'{"whole":true}')
            self.replace()
            return None
        self._fd = self._open(NAME, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(self._fd, remembered.good)
        self._size = self._size_anew = remembered.good
        return remembered

    def write(self, change: bytes, anew: bool = False) -> None:
        """Add a change, a JSON object; `anew`: only to the file that is being written anew."""
        line = change + b"\n"
        if self._new >= 0:
            self._write_new(line)
        if not anew and self._fd >= 0:
            self._add(line)

    def begin(self) -> None:
        """Start a new file beside the old one."""
        self._abandon()
        self._unwritten = b""
        self.grown = False
        self._new = self._open(NEW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._write_new(json.dumps({"format": FORMAT, "boot": self._boot_id}).encode() + b"\n")

    def replace(self) -> None:
        """The new file is whole: it is the state now."""
        if self._new < 0:
            return
        os.rename(NEW, NAME, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._new = self._new, -1
        self._size = self._size_anew = os.fstat(self._fd).st_size

    def _write_new(self, line: bytes) -> None:
        try:
            if os.write(self._new, line) == len(line):
                return
            reason = os.strerror(errno.ENOSPC)
        except OSError as error:
            reason = error.strerror or str(error)
        self._complain(reason)
        self._abandon()
        self.grown = True  # tried again

    def _abandon(self) -> None:
        if self._new >= 0:
            os.close(self._new)
        self._new = -1

    def _add(self, line: bytes) -> None:
        """A line that cannot be written is written with the next one; if there are too many, all is written anew."""
        self._unwritten += line
        try:
            count = os.write(self._fd, self._unwritten)
            if count == len(self._unwritten):
                self._size += count
                self._unwritten = b""
                self.grown = self.grown or self._size > max(2 * self._size_anew, self._size_anew + GROWN)
                return
            os.ftruncate(self._fd, self._size)
            reason = os.strerror(errno.ENOSPC)
        except OSError as error:
            reason = error.strerror or str(error)
        self._complain(reason)
        if len(self._unwritten) > GROWN:
            # What is there stays a state, an older one; lines after a hole would not be.
            os.close(self._fd)
            self._fd = -1
            self._unwritten = b""
            self.grown = True

    def _complain(self, reason: str) -> None:
        self._log.say(f"state in {self._path}: {reason}; trying again", about="state", priority=ERROR)

    def _open(self, name: str, flags: int) -> int:
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=self._directory)

    # Reading

    def _remembered(self, name: str) -> Optional[Remembered]:
        try:
            fd = self._open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._set_aside(f"{error.strerror}", BAD)
            return None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                self._set_aside("not a regular file of a likely size", BAD)
                return None
            return self._read(_lines(file))

    def _read(self, lines: Iterator[tuple[int, Optional[Change]]]) -> Optional[Remembered]:
        _, head = next(lines, (0, None))
        if head is None or head.get("format") != FORMAT:
            self._set_aside("not a state of this version", BAD)
            return None
        if head.get("boot") != self._boot_id:
            self._set_aside("of another boot", BEFORE, WARNING)
            return None
        remembered = Remembered()
        for end, change in lines:
            if change is None:
                self._log.say(f"state in {self._path}: damaged after {remembered.good} bytes; what is before it counts")
                break
            remembered.apply(change)
            remembered.good = end
        if not remembered.whole:
            self._set_aside("damaged", BAD)
            return None
        if remembered.saved.refused:
            self._log.say(
                f"state in {self._path}: {remembered.saved.refused} records are not as they should be: left out"
            )
        return remembered

    def _set_aside(self, why: str, name: str, priority: int = ERROR) -> None:
        self._log.say(f"state in {self._path}: {why}; set aside as {name}", priority=priority)
        try:
            os.rename(NAME, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError as error:
            self._complain(error.strerror or str(error))


def _lines(file: Any) -> Iterator[tuple[int, Optional[Change]]]:
    """Each line's change and where the line ends; None for one that is none, and then no more."""
    end = 0
    while line := file.readline(LINE_LIMIT):
        end += len(line)
        try:
            change = json.loads(line) if line.endswith(b"\n") else None
        except (ValueError, RecursionError):
            change = None
        if not isinstance(change, dict):
            yield end, None
            return
        yield end, change


def _of(kind: type, value: Any) -> Any:
    return value if type(value) is kind else None
