# SPDX-License-Identifier: Apache-2.0
"""Which events have been seen lately, and up to which one all have.  Pure.

Records come almost in the order of their serials, and an event is complete at most two seconds after it began. So of all
events with a serial up to the highest of `WINDOW` seconds ago nothing will come any more (`low`), and of those after it the
ids are remembered. Both together say of any event in a log whether it was seen: what a successor asks, and whoever fills
a gap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Optional

WINDOW = 5.0
"""Seconds; the true age of `low` is once to twice that."""
IDS = 100_000
"""Ids remembered at most, 10 MB: 10 s of 10,000 events a second. Beyond, an event met twice may be told twice."""


class Recent:
    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._in_order: deque[tuple[int, str]] = deque()
        self._latest = self._next = (0, "")
        self._due: Optional[float] = None
        self.low: Optional[str] = None
        """The event up to which all have been seen; None as long as that is not known of any."""
        self.filling = False
        """What is older than the stream is being read: only `filled` moves `low` then."""

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    @property
    def low_serial(self) -> int:
        return serial_of(self.low) if self.low is not None else 0

    @property
    def latest_serial(self) -> int:
        return self._latest[0]

    @property
    def latest(self) -> Optional[str]:
        """The highest seen."""
        return self._latest[1] or None

    def ids(self) -> list[str]:
        """Those remembered, in the order they were seen."""
        return [event_id for _, event_id in self._in_order]

    def restore(self, low: Optional[str], ids: Iterable[str]) -> None:
        """Go on with what another process saw."""
        self.low = low
        for event_id in ids:
            self.add(event_id, serial_of(event_id))

    def add(self, event_id: str, serial: int) -> None:
        """This event was seen; with a serial of 0 it is none of the kernel's."""
        if event_id in self._ids:
            return
        self._ids.add(event_id)
        self._in_order.append((serial or self._latest[0], event_id))
        if serial > self._latest[0]:
            self._latest = (serial, event_id)
        if len(self._in_order) > IDS:
            self._ids.discard(self._in_order.popleft()[1])

    def age(self, now: float) -> None:
        """Time goes on."""
        if self.filling or self._latest[0] == 0:
            return
        if self._due is None:
            self._due = now + WINDOW
        elif now >= self._due:
            self._move(self._next)
            self._next = self._latest
            self._due = now + WINDOW

    def filled(self, event_id: str) -> None:
        """Whoever reads the log has come past this event."""
        self._move((serial_of(event_id), event_id))

    def _move(self, to: tuple[int, str]) -> None:
        if to[0] <= self.low_serial:
            return
        self.low = to[1]
        while self._in_order and self._in_order[0][0] <= to[0]:
            self._ids.discard(self._in_order.popleft()[1])


def serial_of(event_id: str) -> int:
    """Of an id as the kernel writes it; 0 if it is none."""
    serial = event_id.rpartition(":")[2]
    return int(serial) if serial.isascii() and serial.isdigit() and len(serial) <= 20 else 0
