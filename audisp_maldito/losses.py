# SPDX-License-Identifier: Apache-2.0
"""What the journal says of losses elsewhere: the kernel's, whose lost records take no serial number and so leave no hole,
and journald's own, whose rate limit may have swallowed the line that names somebody.

Only the kernel writes entries of transport kernel; journald's come from itself (transport driver) and have a message id. A
bounded number is looked at each time: the kernel's line bears its total, so none that is left out is missed.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any, Optional

from .journal import matching, number, raw, seek
from .model import Loss
from .stamp import rfc3339

SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"
LOOKED_AT = 256
PRIORITIES = ("3", "4")
"""Of "audit: audit_lost=…" and "audit: backlog limit exceeded": error or warning, by kernel version."""

LOST = re.compile(rb"audit: audit_lost=(\d{1,10}) ")
UNCOUNTED = (b"audit: backlog limit exceeded", b"audit: rate limit exceeded", b"audit: out of memory")


class Losses:
    """Where the looking is; the reader is another one after each time the journal was opened."""

    def __init__(self, boot_id: str, start: float, units: tuple[str, ...]) -> None:
        self._boot_id = boot_id
        self._from = start
        self.units = units

    def place(self, reader: Any) -> None:
        """Prepare a newly opened reader."""
        reader.add_match("_TRANSPORT=kernel")
        matching(reader, "PRIORITY", PRIORITIES)
        reader.add_disjunction()
        reader.add_match("_TRANSPORT=driver")
        reader.add_match(f"MESSAGE_ID={SUPPRESSED}")
        seek(reader, self._from, self._boot_id)

    def look(self, reader: Any, now: float) -> list[Loss]:
        """What was lost since the last look."""
        found = []
        reader.process()
        looked = 0
        while looked < LOOKED_AT and reader._next():
            looked += 1
            at = reader._get_monotonic().timestamp / 1_000_000
            loss = self._loss(reader) if at >= self._from else None
            if loss is not None:
                found.append(loss)
        if looked:
            self._from = max(self._from, reader._get_monotonic().timestamp / 1_000_000 + 1e-6)
        if looked == LOOKED_AT:
            self._from = now
            seek(reader, now, self._boot_id)
        return found

    def _loss(self, reader: Any) -> Optional[Loss]:
        time = rfc3339(reader._get_realtime(), 1_000_000)
        message = raw(reader, "MESSAGE") or b""
        if raw(reader, "_TRANSPORT") == b"kernel":
            counted = LOST.match(message)
            if counted is not None:
                return Loss(time, "the kernel lost audit records: its backlog was full", total=int(counted[1]))
            return Loss(time, "the kernel lost audit records", total=0) if message.startswith(UNCOUNTED) else None
        unit = (raw(reader, "OBJECT_SYSTEMD_UNIT") or raw(reader, "UNIT") or b"").decode("utf-8", "replace")
        if not unit:  # older journald has it in the words alone: "Suppressed 91 messages from ssh.service"
            unit = message.rpartition(b" ")[2].decode("utf-8", "replace")
        if not any(fnmatchcase(unit, pattern) for pattern in self.units):
            return None
        counted = re.match(rb"Suppressed (\d{1,12}) messages? from ", message)
        count = number(raw(reader, "N_DROPPED")) or (int(counted[1]) if counted is not None else 0)
        return Loss(time, f"journald suppressed messages of {unit}: its rate limit", count)
