# SPDX-License-Identifier: Apache-2.0
"""Recorded input -> documents, by recorded time: two streams merged on their own stamps, so that the same files give the
same bytes whenever and wherever they are replayed.

Events end in another order than they began, so they are put in order within the two seconds that auditd itself allows an
event to take. A recording may span several boots, and pids and session numbers mean nothing across them: the journal's
_BOOT_ID splits it, and so do serial numbers that fall back behind a DAEMON_START or SYSTEM_BOOT (a plain restart of auditd
has that record and goes on counting; DAEMON records themselves bear random serials).
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Callable, Optional

from ._native import Assembler, Event
from .engine import Engine
from .model import Boot, SshdEntry
from .trust import UNKNOWN, Policy

CHUNK = 1 << 16
CLOSED = 1 << 20
"""Ids remembered so that a record met twice (overlapping rotated files) makes no second event."""
DISORDER_MS = 2000
"""auditd's `end_of_event_timeout`. A call that took longer (a stamp is that of its beginning) is told when it ended."""
LATE_JOURNAL_US = 60_000_000
"""How much later than auditd a boot's first journal entry may be stamped while the clock is not set yet."""

Rank = tuple[int, int]
"""(index of the journal's boot by time, number of the split within it)."""


class _Boots:
    """Which boot an event is of."""

    def __init__(self, boots: list[Boot]) -> None:
        self._boots = sorted(boots)
        self._starts = [boot.start_us for boot in self._boots]
        self._index_of: dict[Optional[str], int] = {boot.boot_id: index for index, boot in enumerate(self._boots)}
        self._rank: Rank = (-1, 0)
        self._last_serial = self._last_ms = 0
        self._restarted = False

    def boot_id(self, rank: Rank) -> Optional[str]:
        index, split = rank
        return self._boots[index].boot_id if split == 0 and index >= 0 else None

    def of_entry(self, entry: SshdEntry) -> Rank:
        return self._index_of.get(entry.boot_id, -1), 0

    def of_event(self, event: Event) -> Rank:
        """Events come in the order in which they were recorded."""
        index, split = self._rank
        by_time = self._by_time(event.time_ms * 1000)
        if by_time > index:
            index, split = by_time, 0
        elif self._fell_back(event):
            soon = self._by_time(event.time_ms * 1000 + LATE_JOURNAL_US)
            index, split = (soon, 0) if soon > index else (index, split + 1)
        if (index, split) != self._rank:
            self._last_serial = self._last_ms = 0
        self._rank = index, split
        first_type = event.records[0].type
        if first_type in ("DAEMON_START", "SYSTEM_BOOT"):
            self._restarted = True
        if not first_type.startswith("DAEMON_"):
            if event.serial > self._last_serial:
                self._last_serial, self._last_ms = event.serial, event.time_ms
            if first_type != "SYSTEM_BOOT":
                self._restarted = False
        return self._rank

    def _by_time(self, time_us: int) -> int:
        """The first boot has no beginning: a recording's first journal entry may be younger than its first event."""
        begun = bisect_right(self._starts, time_us)
        return max(begun, min(1, len(self._boots))) - 1

    def _fell_back(self, event: Event) -> bool:
        first_type = event.records[0].type
        if first_type.startswith("DAEMON_"):
            return False
        # One that was in flight when auditd was restarted has a lower serial too, but also an earlier stamp.
        lower = event.serial < self._last_serial and event.time_ms > self._last_ms
        return lower and (self._restarted or first_type == "SYSTEM_BOOT")


class Replay:
    """Merges the inputs and drives one engine per boot."""

    def __init__(self, policy: Policy, boots: list[Boot]) -> None:
        self._policy = policy
        self._boots = _Boots(boots)
        self._assembler = Assembler(
            keep="watched" if policy.sessions == "ssh" else "sessions", closed=CLOSED, hold=True
        )
        self._engine: Optional[Engine] = None
        self._rank: Optional[Rank] = None
        self._clock = 0.0
        self._totals: dict[str, int] = {}

    def documents(
        self, audit: Iterable[bytes], entries: list[SshdEntry], untimed: Iterable[SshdEntry] = ()
    ) -> Iterator[bytes]:
        """`audit`: chunks of bytes. `entries`: the journal. `untimed`: lines of `--sshd-log`, told at once."""
        events = self._events(audit)
        first = next(events, None)
        if first is not None and self._policy.host == UNKNOWN and first[1].node:
            self._policy = self._policy._replace(host=first[1].node)
        for entry in untimed:
            yield from self._engine_of(self._rank or (-1, 0)).sshd(entry, self._clock)
        ordered = sorted(((self._boots.of_entry(e), e.time_us, n, e) for n, e in enumerate(entries)), key=_by_stamp)
        journal = iter(ordered)
        upcoming = next(journal, None)
        for rank, event in chain([] if first is None else [first], events):
            stamp = (rank, event.time_ms * 1000)
            while upcoming is not None and upcoming[:2] <= stamp:
                yield from self._entry(upcoming[0], upcoming[3])
                upcoming = next(journal, None)
            yield from self._advance(rank, event.time_ms / 1000)
            yield from self._engine_of(rank).events([event], self._clock)
        while upcoming is not None:
            yield from self._entry(upcoming[0], upcoming[3])
            upcoming = next(journal, None)
        yield from self._finish()

    def stats(self) -> dict[str, int]:
        """The engines' counters, summed over boots."""
        return {**self._totals, **self._assembler.stats()}

    def rejected(self) -> list[tuple[str, bytes]]:
        """Samples of lines that are no records: (reason, line)."""
        return [(sample.reason, sample.line) for sample in self._assembler.rejected()]

    def _entry(self, rank: Rank, entry: SshdEntry) -> Iterator[bytes]:
        yield from self._advance(rank, entry.time_us / 1_000_000)
        yield from self._engine_of(rank).sshd(entry, self._clock)

    def _advance(self, rank: Rank, time: float) -> Iterator[bytes]:
        """Move the recorded clock on; both inputs are known up to there."""
        if self._engine is not None and rank != self._rank:
            yield from self._finish()
        self._clock = max(self._clock, time)
        if self._engine is not None:
            yield from self._engine.journal_read(self._clock, self._clock)
            yield from self._engine.ripe(self._clock)

    def _engine_of(self, rank: Rank) -> Engine:
        if self._engine is None:
            self._rank = rank
            self._engine = Engine(self._policy, boot_id=self._boots.boot_id(rank), assembler=self._assembler)
        return self._engine

    def _finish(self) -> Iterator[bytes]:
        engine, self._engine = self._engine, None
        self._clock = 0.0
        if engine is None:
            return
        yield from engine.decide()
        for name, count in engine.stats().items():
            self._totals[name] = self._totals.get(name, 0) + count

    def _events(self, audit: Iterable[bytes]) -> Iterator[tuple[Rank, Event]]:
        """Events in the order in which they began, with their boot."""
        early: list[tuple[Rank, int, int, int, Event]] = []
        latest: tuple[Rank, int] = ((-1, 0), 0)
        number = 0
        for events in self._assembled(audit):
            for event in events:
                rank = latest[0] if event.late else self._boots.of_event(event)
                number += 1
                heapq.heappush(early, (rank, event.time_ms, event.serial, number, event))
                latest = max(latest, (rank, event.time_ms - DISORDER_MS))
            while early and early[0][:2] <= latest:
                yield early[0][0], heapq.heappop(early)[4]
        while early:
            yield early[0][0], heapq.heappop(early)[4]

    def _assembled(self, audit: Iterable[bytes]) -> Iterator[list[Event]]:
        for chunk in audit:
            yield self._assembler.feed(chunk, 0.0)
        yield self._assembler.close()


def _by_stamp(item: tuple[Rank, int, int, SshdEntry]) -> tuple[Rank, int, int]:
    return item[:3]


def chunks(paths: list[str], open_input: Callable[[str], Iterable[bytes]]) -> Iterator[bytes]:
    """The audit files as one stream; a file without a final newline does not swallow the next one's first line."""
    for path in paths:
        last = b"\n"
        for chunk in open_input(path):
            last = chunk[-1:] or last
            yield chunk
        if last != b"\n":
            yield b"\n"
