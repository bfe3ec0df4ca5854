# SPDX-License-Identifier: Apache-2.0
"""What an earlier process of this boot left: its state, and in the output's last lines what it wrote after that.

The state is added to after the documents that it goes with, so a process that died in between wrote more than its state
says. Those documents must not come again: their ids are in the output itself, behind the place that the state knows. Where
there is no state to use, the output's end alone tells what was written, and since when it can be relied upon.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import Optional

from .diagnostics import ERROR, Log
from .recent import serial_of
from .saved import Recovered, Saved
from .sinks import event_id
from .statefile import Remembered, StateFile

END_BYTES = 1 << 20
"""Of the output, where there is no state: a thousand documents."""
UNKEPT_BYTES = 64 << 20
"""Of the output behind the state's place, which a full disk may have kept from growing."""

SEQ = re.compile(rb'"seq":(\d{1,18})')  # within a JSON string its quotes would have backslashes


def recover(state: Optional[StateFile], output: str, boot_id: str, log: Log) -> Recovered:
    """Never fails: what cannot be read is not known."""
    remembered = _load(state, log) if state is not None else None
    try:
        if remembered is None:
            return _from_output(output, boot_id)
        lines = _lines_after(output, remembered.out)
    except OSError as error:
        log.say(
            f"cannot read the end of {output}: {error.strerror or error}; something may be told twice", priority=ERROR
        )
        lines = []
    if remembered is None:
        return Recovered(Saved())
    written = frozenset(found for found in map(event_id, lines) if found is not None)
    for event in (*remembered.told, *written):
        remembered.saved.held.pop(event, None)
    low = serial_of(remembered.low) if remembered.low is not None else 0
    told = tuple(event for event in remembered.told if serial_of(event) > low)
    seq = max(remembered.seq, _seq(lines))
    return Recovered(remembered.saved, seq, remembered.low, told, written, remembered.journal)


def _load(state: StateFile, log: Log) -> Optional[Remembered]:
    try:
        return state.load()
    except OSError as error:
        log.say(f"no state can be kept: {error.strerror or error}", priority=ERROR)
        return None


def _from_output(output: str, boot_id: str) -> Recovered:
    """All that there is to go by is what was written last."""
    with suppress(FileNotFoundError):
        with open(_opened(output), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - END_BYTES))
            data = file.read(END_BYTES)
        lines = data.splitlines(keepends=True)[size > END_BYTES :]
        ours = b'"bootId":"%s"' % boot_id.encode()
        lines = [line for line in lines if line.endswith(b"\n") and ours in line]
        ids = [found for found in map(event_id, lines) if found is not None]
        events = [one for one in ids if ":" in one]
        if events:
            # Held ones come late, so the first few may have followed others that are no longer in sight.
            early = events[: len(events) // 4 + 1] if size > END_BYTES else events[:1]
            low = max(early, key=serial_of) if size > END_BYTES else min(events, key=serial_of)
            return Recovered(Saved(), _seq(lines), low, written=frozenset(ids))
    return Recovered(Saved())


def _lines_after(output: str, place: Optional[list[int]]) -> list[bytes]:
    """The whole lines of the output behind the place that the state knows, wherever the file has been moved to."""
    if place is None:
        return []
    device, inode, size = place
    directory = os.path.dirname(output)
    for name in (os.path.basename(output), *sorted(os.listdir(directory))):
        path = os.path.join(directory, name)
        status = os.lstat(path) if os.path.lexists(path) else None
        if status is None or (status.st_dev, status.st_ino) != (device, inode) or not stat.S_ISREG(status.st_mode):
            continue
        if status.st_size <= size:
            return []
        with open(_opened(path), "rb") as file:
            file.seek(max(size, status.st_size - UNKEPT_BYTES))
            return [line for line in file.read(UNKEPT_BYTES).splitlines(keepends=True) if line.endswith(b"\n")]
    return []


def _opened(path: str) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileNotFoundError(path)


def _seq(lines: list[bytes]) -> int:
    found = SEQ.search(lines[-1]) if lines else None
    return int(found[1]) if found is not None else 0
