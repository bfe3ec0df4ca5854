# SPDX-License-Identifier: Apache-2.0
"""What was missed, out of auditd's log: a thread reads it, since a disk may hang, and hands the loop pieces.

A gap begins behind the last event that is sure (`low`) and ends where the stream goes on: at the line in the log that is the
stream's first (`first_line`). Events with a line before that place belong to the log whole, even where the rest of their lines
also came by the stream; their ids are told (`Bounded.before`) so that they are left out there. All others are the
stream's. So the stream may flow as soon as that place is known, and the sessions that began in the gap are
(`Logins`); the rest of the gap is read beside it. A short gap is read at once, and then everything is in order.

Nothing is known about the stream's first line while there is none; then the log is read to its end. What was read from
there although it is the stream's is told apart by its id, as everything is that comes twice.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable, NamedTuple, Optional, Union

from .auditlog import BLOCK, OVERLAP, AuditLog, Position, ids_in, logins_in
from .diagnostics import ERROR, Log

PIECE = 256 * 1024
"""Read at once, and taken by the loop in one turn: up to 1,000 events, 50 ms."""
PIECES = 2
SHORT = 2 << 20
"""A gap that is read before the stream flows: a quarter of a second."""
NAMES_BYTES = 64 << 20
"""How far back the LOGINs of sessions are looked for that began before there was a plugin."""
BOUND_BYTES = 64 << 20
"""How far back the stream's first line is: what auditd's queue and the socket hold, many times over."""
NEAR = 128 * 1024
"""An event's lines are closer together."""
PATIENCE = 2.0
"""Seconds for a line to get into the log: auditd passes it on just before it writes it."""
LOOK = 0.01
CUT = 20
"""Bytes at the end of a line that need not be in both: auditd 4.2 cuts 16 off in the stream."""


START = "0.000:0"
"""Where the log began with what we saw first: the event before it."""


class Logins(NamedTuple):
    """Lines of LOGIN events ahead of everything else."""

    data: bytes


class Rest(NamedTuple):
    """What follows are lines of events that began before the stream did; `enough` when they are complete."""


class Bounded(NamedTuple):
    """Where the stream begins. `before`: events that belong to the log; `last`: the one just before, None if there is none
    or the place was not found."""

    before: frozenset[str]
    last: Optional[str]


class Piece(NamedTuple):
    """The next lines."""

    data: bytes


class Missing(NamedTuple):
    """The log does not reach back to `low`: its oldest event is this."""

    first: Optional[str]


class Ended(NamedTuple):
    """Nothing more; `reason`: why it could not be all."""

    reason: Optional[str] = None


Item = Union[Logins, Bounded, Piece, Rest, Missing, Ended]


class Backfill:
    """Reads one gap; `take` what it has found whenever it calls `wake`."""

    def __init__(
        self, log: AuditLog, low: Optional[str], wake: Callable[[], None], say: Log, to_end: bool = False
    ) -> None:
        """`low` None: there is no gap, only sessions that began before. `to_end`: the stream has long begun."""
        self._log = log
        self._low = low
        self._wake = wake
        self._say = say
        self._to_end = to_end
        self._line: Optional[bytes] = None
        self._before: frozenset[str] = frozenset()
        self._items: deque[Item] = deque()
        self._stopped = self._enough = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="backfill", daemon=True)
        self._thread.start()

    def bound(self, first_line: bytes) -> None:
        """The stream has begun with this line."""
        with self._changed:
            self._line = first_line
            self._changed.notify()

    def take(self) -> Optional[Item]:
        """The next item, None if there is none yet."""
        with self._changed:
            self._changed.notify()
            return self._items.popleft() if self._items else None

    def enough(self) -> None:
        """No event of the log's is incomplete any more."""
        with self._changed:
            self._enough = True
            self._changed.notify()

    def stop(self) -> None:
        """Nothing more is wanted."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _give(self, item: Item) -> None:
        with self._changed:
            while not self._stopped and sum(isinstance(one, Piece) for one in self._items) >= PIECES:
                self._changed.wait()
            self._items.append(item)
        self._wake()

    def _run(self) -> None:
        try:
            self._work()
            self._give(Ended())
        except Exception as error:  # noqa: BLE001  a log that cannot be read costs its events, never the process
            self._say.say(f"{self._log.path}: {type(error).__name__}: {error}", about="backfill", priority=ERROR)
            self._give(Ended(str(error)))

    def _work(self) -> None:
        log = self._log
        log.refresh()
        if self._low is None:
            self._wait_for_line()
            self._bound(log.next_line(log.before(log.end, NAMES_BYTES)))
            return
        start, end = self._begin(self._low), log.end
        short = log.distance(start, end) <= SHORT
        if not short:
            self._names(start, end)
        bound: Optional[Position] = None
        while not self._stopped:
            if bound is None and self._line is not None and not short:
                bound = self._bound(end)
            data, start = self._upto(bound, start)
            if data:
                self._give(Piece(data))
            elif bound is not None:
                self._rest(start)
                return
            elif self._to_end:
                return
            else:
                short = False
                self._wait_for_line()

    def _begin(self, low: str) -> Position:
        """Where to read from."""
        if low == START:
            return self._log.begin
        found = self._log.find_last(b"msg=audit(%s):" % low.encode("ascii", "replace"))
        if found is not None:
            return self._log.next_line(self._log.before(found, NEAR))
        self._give(Missing(self._log.first_id()))
        return self._log.begin

    def _upto(self, bound: Optional[Position], start: Position) -> tuple[bytes, Position]:
        if bound is not None and start.file == bound.file:
            return self._log.read(start, min(PIECE, bound.offset - start.offset)) if start < bound else (b"", start)
        return self._log.read(start, PIECE) if bound is None or start < bound else (b"", start)

    def _rest(self, start: Position) -> None:
        """Behind the stream's beginning, the lines of events that began before it."""
        self._give(Rest())
        half = b""
        for _ in range(int(PATIENCE / LOOK)):
            data, start = self._log.read(start, PIECE)
            *lines, half = (half + data).split(b"\n")
            ours = [line + b"\n" for line in lines if not self._before.isdisjoint(ids_in(line))]
            if ours:
                self._give(Piece(b"".join(ours)))
            with self._changed:
                if not data and not self._enough and not self._stopped:
                    self._changed.wait(LOOK)
                if self._enough or self._stopped:
                    return

    def _wait_for_line(self) -> None:
        with self._changed:
            while self._line is None and not self._stopped:
                self._changed.wait()

    def _names(self, start: Position, end: Position) -> None:
        """Tell of the LOGINs between two places."""
        tail = b""
        while start < end and not self._stopped:
            data, start = self._log.read(start, BLOCK)
            if not data:
                return
            found = logins_in(tail + data)
            if found:
                self._give(Logins(b"".join(found)))
            tail = data[data.rfind(b"\n", 0, max(0, len(data) - 4 * OVERLAP)) + 1 :]

    def _bound(self, end: Position) -> Position:
        """Find the stream's first line in the log; up to `end` all LOGINs have been told."""
        line = (self._line or b"").rstrip()
        text = line[: max(len(line) - CUT, line.find(b"):") + 2)]
        found = None
        for _ in range(int(PATIENCE / LOOK)):
            self._log.refresh()
            found = self._log.find_last(text, BOUND_BYTES)
            if found is not None:
                break
            with self._changed:
                if not self._stopped:
                    self._changed.wait(LOOK)
        if found is None:
            self._say.say("the stream's first record is not in audit.log", about="bound")
            found, last = self._log.end, None
        else:
            near = ids_in(self._between(self._log.next_line(self._log.before(found, NEAR)), found))
            last = near[-1] if near else START
            self._before = frozenset(near)
        self._names(end, found)
        self._give(Bounded(self._before, last))
        return found

    def _between(self, start: Position, end: Position) -> bytes:
        data = b""
        while start < end:
            more, start = self._upto(end, start)
            if not more:
                break
            data += more
        return data
