# SPDX-License-Identifier: Apache-2.0
"""What world.py's hosts write down: journal lines and audit records with the stamps of a clock that may be stepped, in
the order in which they are read, which may be late; and beside them the truth.
"""

from __future__ import annotations

import random
from typing import NamedTuple, Optional

from audisp_maldito.model import SshdEntry

from . import records

POOL = range(100, 106)
"""Few pids, so that each is somebody else's soon."""
EPOCH = 1_795_000_000
REUSE = 0.6
Fields = dict[str, object]


class Line(NamedTuple):
    """A journal entry, when it is read, and what it is worth."""

    entry: SshdEntry
    read_at: float
    counts: bool
    """As an acceptance: by its sender, not by its truth."""
    person: Optional[str]
    """Whom it names if it is believed; None: nobody."""
    ends: bool = False


class Session:
    """One LOGIN, and the truth of it."""

    def __init__(self, ses: int, pid: int, auid: int, person: Optional[str], parent: Optional[Session] = None) -> None:
        self.ses, self.pid, self.auid = ses, pid, auid
        self.person = person
        self.ssh = True
        self.root: Session = parent.root if parent is not None else self
        self.time_ms = 0
        self.read_at = 0.0
        self.last = 0.0
        self.replaced_by: Optional[Session] = None
        """A later LOGIN with the same number: A20."""
        self.muddled = False
        """Somebody forged part of its login beside the true lines: the right name or none."""
        self.alive = (float("inf"), float("-inf"))
        """From LOGIN to the monitor's USER_END, by reading."""


class Done(NamedTuple):
    """An audit event of a session: whose it is, and when it is read."""

    stamp: str
    session: Session
    read_at: float


class Chronicle:
    """`lines` and `records` are the input, in order of reading; `done` and `sessions` the truth."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.lines: list[Line] = []
        self.records: list[tuple[float, list[str]]] = []
        self.done: list[Done] = []
        self.sessions: list[Session] = []
        self.steps: list[tuple[float, float]] = []
        """(when, by how much) the clock is set."""
        if self.flip(0.15):
            self.steps.append((1000 + chance.random() * 20, chance.choice((-3600, -7, -1, -0.3, 0.3, 5, 3600))))
        self._journald = self._pause(0.25, 9)
        self._auditd = self._pause(0.2, 3)
        self.stalls = [self._pause(0.2, 9)]
        """While the reader of the journal gets nowhere."""
        self.hands_off: dict[int, float] = {}
        """Until when a pid is nobody else's."""
        self._free: dict[int, float] = dict.fromkeys(POOL, 0.0)
        self._next = 10
        self._spoken: list[tuple[float, float, Line]] = []
        self._written: list[tuple[float, int, Optional[Session], str, Fields]] = []

    def flip(self, probability: float) -> bool:
        return self.chance.random() < probability

    def say(
        self, pid: int, at: float, text: str, *, counts: bool = False, person: Optional[str] = None, ends: bool = False,
        timely: bool = False, lost: bool = False, before: Optional[Line] = None, **fields: object,
    ) -> Line:  # fmt: skip
        """A journal line, a true monitor's but for `fields`. `timely`: no stall of journald touches it; `before`: it is
        read before that one."""
        known = {"uid": 0, "exe": records.SSHD, "unit": "ssh.service", "transport": "syslog", **fields}
        stamp = round(self.real(at) * 1_000_000) + self.chance.randrange(-400, 400)
        entry = SshdEntry(pid=pid, time_us=stamp, message=text, size=len(text.encode()), **known)  # type: ignore[arg-type]
        late = 8 * self.chance.random() if counts and not timely and self.flip(0.08) else 0.0
        if before is not None:
            read_at = before.read_at - 0.0001
        elif timely:
            read_at = at + 0.8 * self.chance.random()
        else:
            read_at = self._paused(at + 0.001 + 0.03 * self.chance.random() + late, self._journald)
        line = Line(entry, read_at, counts, person, ends)
        if not lost:
            self._spoken.append((at, read_at, line))
        return line

    def again(self, line: Line, timely: bool) -> None:
        """The line a second time: read twice, or written twice."""
        later = self.chance.choice((0, 0, 3000))
        entry = line.entry._replace(time_us=line.entry.time_us + later)
        at = line.read_at + (0.0 if timely else self.chance.choice((0.0, 0.5, 4.0, 12.0)))
        self._spoken.append((at, at, line._replace(entry=entry)))

    def write(self, at: float, session: Optional[Session], what: str, **fields: object) -> None:
        """An audit event, by the name of a function of records.py; without a session nothing is told of it."""
        self._written.append((at, len(self._written), session, what, fields))
        if session is not None:
            session.last = max(session.last, at)

    def session(self, pid: int, auid: int, person: Optional[str], ssh: bool = True) -> Session:
        session = Session(self.number(), pid, auid, person)
        session.ssh = ssh
        self.sessions.append(session)
        return session

    def heir(self, parent: Session, auid: int) -> Session:
        heir = Session(self.number(), 5000 + self._next, auid, parent.person, parent)
        heir.ssh = parent.ssh
        self.sessions.append(heir)
        return heir

    def take_number(self, session: Session, opened: float) -> None:
        """The number of a session of which nothing more is heard."""
        heard = {s.root for s in self.sessions if s.last + 0.1 >= opened}
        quiet = [s for s in self.sessions if s.root is s and s.last and s.replaced_by is None and s not in heard]
        if quiet:
            session.ses, quiet[0].replaced_by = quiet[0].ses, session

    def number(self) -> int:
        self._next += 1
        return self._next

    def someone(self) -> Optional[Session]:
        """An SSH session that there was."""
        known = [s for s in self.sessions if s.ssh and s.root is s and s.replaced_by is None]
        return self.chance.choice(known) if known else None

    def pid(self, start: float, end: float) -> int:
        """A free one, if possible one that somebody had."""
        stepped = any(change < 0 and at - 60 < start < at + 60 for at, change in self.steps)
        free = [pid for pid in POOL if self._free[pid] + REUSE <= start and self.hands_off.get(pid, 0) <= start]
        fresh = [pid for pid in free if not self._free[pid]] if stepped else free
        pid = self.chance.choice(fresh) if fresh else 9000 + self.number()
        self._free[pid] = max(self._free.get(pid, 0.0), end)
        return pid

    def real(self, at: float) -> float:
        """What the clock on the wall shows."""
        return EPOCH + at + sum(change for since, change in self.steps if since <= at)

    def settle(self) -> None:
        """Put everything in the order in which it is read, and remember the truth beside it."""
        for _, read_at, line in sorted(self._spoken, key=lambda spoken: spoken[:2]):
            self.lines.append(line._replace(read_at=self._paused(read_at, self.stalls[0])))
        self.lines.sort(key=lambda line: line.read_at)
        serial, last = 100, 0.0
        for at, _, session, what, fields in sorted(self._written, key=lambda written: written[:2]):
            serial += 1
            milliseconds = int(self.real(at) * 1000)
            stamp = f"{milliseconds // 1000}.{milliseconds % 1000:03d}:{serial}"
            last = max(last, self._paused(at + 0.001 + 0.01 * self.chance.random(), self._auditd))
            lines = getattr(records, what)(stamp, **fields)
            self.records.append((last, lines))
            if self.flip(0.03):
                self.records.append((last + self.chance.random(), lines))
            if session is not None:
                self.done.append(Done(stamp, session, last))
                self._remember(session, what, fields, milliseconds, last)

    @staticmethod
    def _remember(session: Session, what: str, fields: Fields, milliseconds: int, read_at: float) -> None:
        if what == "login" and fields.get("res", 1) == 1:
            session.time_ms, session.read_at = milliseconds, read_at
            session.alive = (read_at, float("inf"))
        elif what == "user" and fields["pid"] == session.pid:
            session.alive = (session.alive[0], read_at)

    def _pause(self, probability: float, longest: float) -> tuple[float, float]:
        if not self.flip(probability):
            return 0.0, 0.0
        start = 1000 + 15 * self.chance.random()
        return start, start + longest * self.chance.random()

    @staticmethod
    def _paused(at: float, pause: tuple[float, float]) -> float:
        return pause[1] if pause[0] <= at < pause[1] else at
