# SPDX-License-Identifier: Apache-2.0
"""Between stdin and the engine: what goes in, and when.

    WAITING   it is not known yet what the last process left, or where the gap behind it ends: bytes are kept
    FLOWING   bytes go to the engine as they come, and beside them, a piece a turn, what the log has of a gap
    SHEDDING  the output takes nothing and the queue is full: bytes are counted and thrown away, since auditd's log has
              them, too; when there is room again that is a gap like the one before a start

Without a log that can be read nothing is waited for and nothing is thrown away: then the queue's own limit counts.
"""

from __future__ import annotations

from typing import Callable, Optional

from ._native import Assembler, Event, header
from .auditlog import AuditLog
from .backfill import Backfill, Bounded, Ended, Logins, Missing, Piece, Rest
from .diagnostics import Log
from .engine import Engine
from .recent import serial_of

KEPT_BYTES = 16 << 20
"""Of the stream, in WAITING: as much as a busy host writes in 10 s."""
PATIENCE = 3.0
"""Seconds for the gap's end to be found: the reader itself gives up after 2."""
BEHIND_MS = 3000
"""Nothing older than this is incomplete any more."""

WAITING, FLOWING, SHEDDING = "waiting", "flowing", "shedding"

Tell = Callable[[list[bytes]], None]


class Intake:
    def __init__(self, engine: Engine, tell: Tell, log: Log, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._tell = tell
        self._say = log
        self._wake = wake
        self._mode = WAITING
        self._log: Optional[AuditLog] = None
        self._fill: Optional[Backfill] = None
        self._kept = bytearray()
        self._bounded = False
        self._wanted_since: Optional[float] = None
        self._at_line = True
        self._assembler = Assembler(keep="sessions", hold=True)
        self._low = 0
        self._past_low = self._resting = False
        self._before: frozenset[str] = frozenset()
        self._progress: list[tuple[int, str]] = []
        self._shed = Assembler(keep="watched")
        self._ends: list[str] = []
        self.filled = 0
        """Documents that came from the log."""

    @property
    def filling(self) -> bool:
        return self._fill is not None

    @property
    def waiting(self) -> bool:
        return self._mode is WAITING

    @property
    def shedding(self) -> bool:
        return self._mode is SHEDDING

    @property
    def can_wait(self) -> bool:
        """Is there a log that has what is not read now?"""
        return self._log is not None

    def begin(self, log: Optional[AuditLog], now: float) -> None:
        """What an earlier process left has been put into the engine: what came after it is in `log`."""
        self._log = log
        if log is None:
            self._flow(now)
        else:
            self._start_filling()
            self._ask(now)

    def take(self, data: memoryview, now: float) -> None:
        """Bytes of the stream."""
        if self._mode is FLOWING:
            self._tell(self._engine.feed(data, now))
        elif self._mode is SHEDDING:
            self._throw_away(data)
        else:
            self._keep(data, now)

    def turn(self, now: float, room: bool) -> bool:
        """Take a piece of the log, if there is `room` for its documents; True: there may be more at once."""
        if self._mode is WAITING and self._wanted_since is not None and now - self._wanted_since > PATIENCE:
            self._say.say("where the stream goes on in audit.log was not found in time", about="bound")
            self._flow(now)
        if self._fill is None:
            return False
        if not room:
            return False
        item = self._fill.take()
        if isinstance(item, Logins):
            self._name(item.data, now)
        elif isinstance(item, Piece):
            self._read(self._assembler.feed(item.data, now), now)
        elif isinstance(item, Bounded):
            if self._engine.recent.low is None:  # nothing older is ours, cut events included
                self._engine.recent.low = item.last
            else:
                self._before = item.before
                self._engine.set_apart(item.before)
            self._flow(now)
        elif isinstance(item, Missing):
            self._unrecoverable(item.first)
        elif isinstance(item, Rest):
            self._resting = True
        elif isinstance(item, Ended):
            self._finish(item.reason, now)
        elif self._resting and self._assembler.deadline() is None:
            self._fill.enough()
        return item is not None

    def expire(self, now: float) -> None:
        """Time alone completes events of the log, too."""
        deadline = self._assembler.deadline()
        if self._fill is not None and deadline is not None and deadline <= now:
            self._read(self._assembler.expire(now), now)

    def deadline(self) -> Optional[float]:
        times = [self._assembler.deadline() if self._fill is not None else None]
        if self._mode is WAITING and self._wanted_since is not None:
            times.append(self._wanted_since + PATIENCE)
        return min((time for time in times if time is not None), default=None)

    def shed(self) -> None:
        """From here on the stream is not taken."""
        self._stop_filling()
        self._mode = SHEDDING
        self._engine.recent.filling = True
        self._engine.break_off()
        self._shed = Assembler(keep="watched")
        self._ends = []

    def resume(self) -> None:
        """There is room again: say what was missed, and fetch it."""
        first, last = self._engine.recent.latest or "unknown", self._ends[-1] if self._ends else "unknown"
        count = self._shed.stats()["events_started"]
        self._say.say(f"{count} events were left to audit.log while the output could not be written", about="shed")
        self._tell(self._engine.lost(first, last, count, "the output could not be written; read from audit.log since"))
        self._mode = WAITING
        self._at_line = False
        self._start_filling()

    def end(self, now: float) -> None:
        """The end of the stream: what is kept of it is in the log for the next process, or must be told now."""
        if self._log is None or self._engine.recent.low is None:
            self._flow(now)
        self._stop_filling()

    # WAITING

    def _keep(self, data: memoryview, now: float) -> None:
        if not self._at_line:
            begin = bytes(data).find(b"\n") + 1
            if not begin:
                return
            self._at_line, data = True, data[begin:]
        self._kept += data
        if len(self._kept) > KEPT_BYTES and self._log is not None:
            self._kept.clear()
            self._at_line = False
            self._bounded, self._wanted_since = False, None
            self._stop_filling()
            self._start_filling()
        elif len(self._kept) > KEPT_BYTES:
            self._flow(now)
        else:
            self._ask(now)

    def _ask(self, now: float) -> None:
        """Have the stream's first line looked for in the log."""
        if self._bounded or self._fill is None:
            return
        start = 0
        while (end := self._kept.find(b"\n", start)) >= 0:
            line = bytes(self._kept[start:end])
            found = header(line)
            if found is not None and found[0] != "EOE":  # which is not in the log
                self._bounded, self._wanted_since = True, now
                self._fill.bound(line)
                return
            start = end + 1

    def _flow(self, now: float) -> None:
        if self._mode is not WAITING:
            return
        self._mode = FLOWING
        kept, self._kept = self._kept, bytearray()
        self._bounded, self._wanted_since = False, None
        if kept:
            self._tell(self._engine.feed(kept, now))

    # The log

    def _start_filling(self) -> None:
        assert self._log is not None
        recent = self._engine.recent
        recent.filling = recent.low is not None
        self._assembler = Assembler(keep="sessions", hold=True)
        self._low = recent.low_serial
        self._past_low = self._resting = False
        self._before = frozenset()
        self._progress = []
        self._fill = Backfill(self._log, recent.low, self._wake, self._say)

    def _stop_filling(self) -> None:
        if self._fill is not None:
            self._fill.stop()
        self._fill = None

    def _name(self, data: bytes, now: float) -> None:
        """LOGINs, so that what comes beside the log finds its session."""
        assembler = Assembler(keep="sessions")
        events = [event for event in (*assembler.feed(data, now), *assembler.close()) if event.first("LOGIN")]
        if self._engine.recent.low is None:
            self._engine.began(events, now)
        else:
            self._tell(self._engine.recovered([event for event in events if event.serial > self._low], now))

    def _read(self, events: list[Event], now: float) -> None:
        wanted = [event for event in events if self._is_new(event)]
        documents = self._engine.recovered(wanted, now)
        self.filled += len(documents)
        self._tell(documents)
        if wanted and not self._resting:
            self._progress.append((wanted[-1].time_ms, wanted[-1].id))
            newest = wanted[-1].time_ms
            while self._progress and self._progress[0][0] <= newest - BEHIND_MS:
                self._engine.recent.filled(self._progress.pop(0)[1])

    def _is_new(self, event: Event) -> bool:
        if event.records[0].type.startswith("DAEMON_"):  # auditd makes up their serials
            return self._past_low
        self._past_low = self._past_low or event.serial >= self._low
        return event.serial > self._low

    def _unrecoverable(self, first: Optional[str]) -> None:
        count = serial_of(first) - self._low - 1 if first else 0
        if count > 0:
            reason = "unrecoverable: audit.log no longer has what happened while nothing was read"
            self._tell(self._engine.lost(self._engine.recent.low or "unknown", first or "unknown", count, reason))

    def _finish(self, reason: Optional[str], now: float) -> None:
        if reason is not None:
            first, last = self._engine.recent.low or "unknown", "unknown"
            self._tell(self._engine.lost(first, last, 0, f"unrecoverable: audit.log cannot be read: {reason}"))
        self._read([event for event in self._assembler.close() if event.id in self._before], now)
        self._fill = None
        self._engine.set_apart(frozenset())
        self._engine.recent.filling = False
        self._flow(now)

    # SHEDDING

    def _throw_away(self, data: memoryview) -> None:
        self._shed.feed(data, 0.0)
        lines = bytes(data[-4096:]).splitlines()
        for line in reversed(lines[1:]):
            found = header(line)
            if found is not None:
                self._ends = [f"{found[1] // 1000}.{found[1] % 1000:03d}:{found[2]}"]
                break
