# SPDX-License-Identifier: Apache-2.0
"""Journal files with fields of our choosing, the trusted ones included, which journald would fill in itself.

systemd-journal-remote turns the export format into a journal file; kept running it appends, and readers are told of it.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, Union

from audisp_maldito import journal
from audisp_maldito.errors import InputError
from audisp_maldito.model import SshdEntry

from .stack.waiting import until

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT = "0123456789abcdef0123456789abcdef"
SSHD = {"_UID": 0, "_EXE": "/usr/sbin/sshd", "_TRANSPORT": "syslog", "_PID": 4711, "SYSLOG_IDENTIFIER": "sshd"}

Value = Union[str, bytes, int, list[Any]]


def field(name: str, value: Value) -> bytes:
    """One field in the export format; a list is that field several times."""
    if isinstance(value, list):
        return b"".join(field(name, item) for item in value)
    data = value if isinstance(value, bytes) else str(value).encode()
    if data.isascii() and data.decode().isprintable():
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"


def entry(fields: dict[str, Value], realtime_us: int = 0, monotonic_us: int = 0) -> bytes:
    """One entry; both of its times are now unless given."""
    stamps: dict[str, Value] = {
        "__REALTIME_TIMESTAMP": realtime_us or time.time_ns() // 1000,
        "__MONOTONIC_TIMESTAMP": monotonic_us or time.monotonic_ns() // 1000,
        "_BOOT_ID": BOOT,
    }
    return b"".join(field(name, value) for name, value in {**stamps, **fields}.items()) + b"\n"


def write(path: Path, entries: list[bytes]) -> None:
    """A journal file of these entries."""
    subprocess.run([REMOTE, f"--output={path}", "-"], input=b"".join(entries), check=True, capture_output=True)


class Journal:
    """A journal directory that can be written to while others read it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self._generation = 0
        self.rotate()

    def rotate(self) -> None:
        """Go on in another file."""
        if self._generation:
            self.close()
        self._generation += 1
        self.file = self.directory / f"{self._generation}.journal"
        command = [REMOTE, f"--output={self.file}", "-"]
        self._remote = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        until(self.file.exists, "the journal file")

    def write(self, fields: dict[str, Value], ago: float = 0.0) -> None:
        """Append an entry as of `ago` seconds ago."""
        assert self._remote.stdin is not None
        back = int(ago * 1_000_000)
        stamps = time.time_ns() // 1000 - back, time.monotonic_ns() // 1000 - back
        self._remote.stdin.write(entry(fields, *stamps))
        self._remote.stdin.flush()

    def settle(self, message: str) -> None:
        """Wait until the entry with this message can be read."""
        until(lambda: any(one.message == message for one in self._entries()), f"{message!r} in the journal")

    def _entries(self) -> list[SshdEntry]:
        try:
            return journal.recorded([str(self.directory)]).entries
        except InputError:  # its writer has not got so far
            return []

    def close(self) -> None:
        """End the file."""
        assert self._remote.stdin is not None
        self._remote.stdin.close()
        self._remote.wait()
