# SPDX-License-Identifier: Apache-2.0
"""auditd's own log, read by position: what the plugin missed stands there.

The files are opened once and kept, oldest first, so that a rotation under a reader loses nothing that was there when it
began: audit.log.3 is still the same file when it is called audit.log.4. The newest is followed by its name.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple, Optional

DEFAULT_CONFIG = "/etc/audit/auditd.conf"
DEFAULT_PATH = "/var/log/audit/audit.log"
CONFIG_LIMIT = 64 * 1024
FILES = 100
"""Opened at most, the newest: auditd's num_logs may be 999."""
BLOCK = 1 << 20
OVERLAP = 16 * 1024
"""More than auditd's longest line."""
EVENT_ID = re.compile(rb"^(?:node=\S+ )?type=(\w+(?:\[\d+\])?) msg=audit\((\d+\.\d{3}:\d+)\):", re.MULTILINE)


HEAD = re.compile(rb"(?:node=\S+ )?(?:type=\w+(?:\[\d+\])? )?")


class Position(NamedTuple):
    """A place in the log: a number of a file, which it keeps when it is renamed, and an offset."""

    file: int
    offset: int


class _File(NamedTuple):
    fd: int
    device: int
    inode: int


def configured(config: str) -> Optional[str]:
    """Where auditd writes its log; None: nowhere. OSError: its configuration cannot be read."""
    settings = {"log_file": DEFAULT_PATH, "write_logs": "yes"}
    with open(config, encoding="utf-8", errors="surrogateescape") as file:
        for line in file.read(CONFIG_LIMIT).splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                settings[name.strip().lower()] = value.strip()
    return settings["log_file"] if settings["write_logs"].lower() != "no" else None


class AuditLog:
    """Its files as they were opened; used by one thread at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._files: list[_File] = []
        self._first = 0

    def open(self) -> None:
        """All that are there. OSError: the newest cannot be."""
        self.close()
        directory, name = os.path.split(self.path)
        numbered = re.compile(re.escape(name) + r"\.(\d{1,4})")
        found = (numbered.fullmatch(one) for one in os.listdir(directory))
        numbers = sorted(int(one[1]) for one in found if one)[: FILES - 1]
        for number in reversed(numbers):
            try:
                self._add(f"{self.path}.{number}")
            except OSError:  # rotated meanwhile, or not for us: what is older is of no use without it
                self.close()
        self._add(self.path)

    def close(self) -> None:
        for file in self._files:
            os.close(file.fd)
        self._files = []

    def refresh(self) -> None:
        """Follow the newest file's name; it stays the old one's if the new one cannot be opened."""
        try:
            status = os.lstat(self.path)
        except OSError:
            return
        if not self._files or (status.st_dev, status.st_ino) != self._files[-1][1:]:
            self._add(self.path)

    @property
    def begin(self) -> Position:
        return Position(self._first, 0)

    @property
    def end(self) -> Position:
        newest = self._first + len(self._files) - 1
        return Position(newest, os.fstat(self._files[-1].fd).st_size)

    def before(self, position: Position, size: int) -> Position:
        """The place so many bytes before, or the beginning."""
        file, offset = position
        while offset < size and file > self._first:
            size -= offset
            file -= 1
            offset = os.fstat(self._files[file - self._first].fd).st_size
        return Position(file, max(0, offset - size))

    def distance(self, start: Position, end: Position) -> int:
        """Bytes between two places."""
        sizes = (os.fstat(self._files[n - self._first].fd).st_size for n in range(start.file, end.file))
        return sum(sizes) + end.offset - start.offset

    def read(self, position: Position, size: int) -> tuple[bytes, Position]:
        """At most so many bytes from there on, and the place behind them; none at the end of everything."""
        while True:
            data = os.pread(self._files[position.file - self._first].fd, size, position.offset)
            if data:
                return data, position._replace(offset=position.offset + len(data))
            if position.file == self._first + len(self._files) - 1:
                self.refresh()
                if position.file == self._first + len(self._files) - 1:
                    return b"", position
                continue  # it was renamed after our look at its end
            position = Position(position.file + 1, 0)

    def find_last(self, text: bytes, limit: Optional[int] = None) -> Optional[Position]:
        """The last line with `text` as its first words, or after a record's type; among the last `limit` bytes."""
        file, end = self.end
        left = limit
        while left is None or left > 0:
            start = max(0, end - BLOCK)
            data = os.pread(self._files[file - self._first].fd, end - start, start)
            at = _begins_line(data, text, whole=start == 0)
            if at is not None:
                return Position(file, start + at)
            left = left - (end - start) if left is not None else None
            if start > 0:
                end = start + OVERLAP
            elif file > self._first:
                file -= 1
                end = os.fstat(self._files[file - self._first].fd).st_size
            else:
                return None
        return None

    def next_line(self, position: Position) -> Position:
        """The beginning of the line after the one that `position` is in, itself if that is the first of its file."""
        if position.offset == 0:
            return position
        data = os.pread(self._files[position.file - self._first].fd, OVERLAP, position.offset)
        return position._replace(offset=position.offset + data.find(b"\n") + 1)

    def first_id(self) -> Optional[str]:
        """The oldest event's."""
        found = EVENT_ID.search(self.read(self.begin, OVERLAP)[0])
        return found[2].decode() if found is not None else None

    def _add(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(f"{path} is not a regular file")
        self._files.append(_File(fd, status.st_dev, status.st_ino))


def _begins_line(data: bytes, text: bytes, whole: bool) -> Optional[int]:
    """The last line of `data` that begins with `text` but for node and type; not the first unless it is `whole`.

    What stands further behind in a line may be anybody's words: a place in the log is not found by them.
    """
    at = len(data)
    while (at := data.rfind(text, 0, at)) >= 0:
        line = data.rfind(b"\n", 0, at) + 1
        if (line > 0 or whole) and HEAD.fullmatch(data, line, at):
            return line
        if line == 0:
            break
        at = line
    return None


def ids_in(data: bytes) -> list[str]:
    """The event of each line; it begins with one."""
    return [found[2].decode() for found in EVENT_ID.finditer(data)]


def logins_in(data: bytes) -> list[bytes]:
    """The lines of each event with a LOGIN record, its first; they stand close together. `data` begins with a line."""
    found = []
    for login in re.finditer(rb"type=LOGIN msg=(audit\(\d+\.\d{3}:\d+\)):", data):
        start = data.rfind(b"\n", 0, login.start()) + 1
        if not HEAD.fullmatch(data, start, login.start()):
            continue  # somebody's words
        near = data[start : start + 4 * OVERLAP]
        lines = near[: near.rfind(b"\n") + 1].splitlines(keepends=True)
        found.append(b"".join(line for line in lines if b"msg=" + login[1] + b":" in line[:400]))
    return found
