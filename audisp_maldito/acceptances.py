# SPDX-License-Identifier: Apache-2.0
"""The acceptances that may still open a session or have not been told yet: found by pid, forgotten by age and number.

With them the signs that a process is no longer the one that accepted: a line that its connection ended, a line about
another connection, and each LOGIN, since a monitor writes one. A sign counts by its time, read before the acceptance
or after.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional, cast

from .model import Login, SshdEntry
from .session import EARLIEST_US, LATEST_US, Acceptance, Session

GIVE_UP = 5.0
"""Seconds until an acceptance without a LOGIN, or a LOGIN without an acceptance, is told as it is."""
REMEMBER = 120.0
"""Seconds an acceptance stays a candidate after it was read: LATEST_US and a late journal fit in several times."""
ACCEPTANCES = 10_000
"""Acceptances remembered; one costs about 1 KiB."""
SAME_PID = 128
"""Acceptances of one pid: pids come round in a second at best, REMEMBER are 120."""
SIGNS = 50_000
"""Signs remembered, about 200 bytes each: 120 s of 400 refused logins a second."""


ENDS = frozenset(["failed", "refused", "closing", "connection", "postponed", "partial", "key"])
"""Kinds of line that a monitor writes only before it accepts: after an acceptance they are another process's."""
UNDECIDED = frozenset(["failed", "refused", "postponed", "partial", "key"])
"""Those of them after which it goes on and may accept."""


class Sign(NamedTuple):
    """From `time_us` on a pid is another process's than before."""

    time_us: int
    connection: Optional[tuple[Optional[str], Optional[str]]] = None
    """Address and port of the connection that it is at: says nothing about an acceptance of that same one."""
    undecided: bool = False
    """It is still to accept: says nothing about the methods that worked before on its way there."""


def signs(entry: SshdEntry, login: Optional[Login]) -> Iterator[tuple[int, Sign]]:
    """What a line (None: a "fatal: …" of any other wording) says of whose process a pid is."""
    listener = login.details.get("sessionPid") if login else None
    pid = entry.pid if listener is None else int(listener)
    if pid is None:
        return
    if login is None or login.ends or listener is not None:
        yield pid, Sign(entry.time_us)
    elif login.kind in ENDS:
        yield pid, Sign(entry.time_us, undecided=login.kind in UNDECIDED)
    if login is not None and login.source is not None and login.port is not None:
        yield pid, Sign(entry.time_us, (login.source, login.port))


class Acceptances:
    """A bounded store. It decides nothing."""

    def __init__(self) -> None:
        self._of_pid: dict[int, list[Acceptance]] = {}
        self._by_age: OrderedDict[Acceptance, None] = OrderedDict()
        self._untold: OrderedDict[Acceptance, None] = OrderedDict()
        self._signs_of: dict[int, list[Sign]] = {}
        self._crowded_out: list[Acceptance] = []
        self._gone: list[Acceptance] = []
        """Forgotten by the last look: what was told of them then has been written by the next one."""
        self._signs: deque[tuple[int, Sign, float]] = deque()

    def __len__(self) -> int:
        return len(self._by_age)

    def add(self, entry: SshdEntry, login: Login, now: float, scope: Optional[int]) -> Optional[Acceptance]:
        """Remember it; None when it is a line that is already here (read twice, or written to the journal twice)."""
        of_pid = self._of_pid.setdefault(entry.pid or 0, [])
        if any(a.login.text == login.text and _one_line(a, entry) for a in of_pid):
            return None
        acceptance = Acceptance(entry, login, now, scope)
        for sign in self._later_signs(acceptance.pid, entry.time_us):
            _apply(sign, acceptance)
            if acceptance.ended_us is not None:
                break
        of_pid.append(acceptance)
        if len(of_pid) > SAME_PID:
            self._crowded_out.append(of_pid[-SAME_PID - 1])
        self._by_age[acceptance] = None
        if not acceptance.told:
            self._untold[acceptance] = None
        return acceptance

    def restore(self, acceptance: Acceptance) -> None:
        """One that an earlier process remembered."""
        self._of_pid.setdefault(acceptance.pid, []).append(acceptance)
        self._by_age[acceptance] = None
        if not acceptance.told:
            self._untold[acceptance] = None

    def pids(self) -> Iterable[int]:
        """Those of which acceptances are remembered."""
        return self._of_pid

    def of_pid(self, pid: int) -> Sequence[Acceptance]:
        """In the order they were read."""
        return self._of_pid.get(pid, ())

    def ended(self, pid: int, sign: Sign, now: float) -> None:
        """A sign that the process `pid` is not the one whose acceptance was logged before it."""
        for acceptance in self._of_pid.get(pid, ()):
            _apply(sign, acceptance)
        signs = self._signs_of.setdefault(pid, [])
        signs.insert(_index(signs, sign.time_us + 1), sign)
        self._signs.append((pid, sign, now))
        while len(self._signs) > SIGNS or self._signs[0][2] + REMEMBER <= now:
            old_pid, old, _ = self._signs.popleft()
            signs = self._signs_of[old_pid]
            del signs[signs.index(old, _index(signs, old.time_us))]
            if not signs:
                del self._signs_of[old_pid]

    def gone_between(self, first: SshdEntry, last: SshdEntry, connection: tuple[Optional[str], Optional[str]]) -> bool:
        """Did the process that wrote two lines of `connection` end, or serve another one, between them? Its own LOGIN
        may be read before the second, and bear a stamp a little before it."""
        return any(
            not sign.undecided and sign.connection != connection
            for sign in self._later_signs(last.pid or 0, first.time_us, last.time_us + EARLIEST_US)
        )

    def over_between(self, pid: int, first_ms: int, last_ms: int) -> bool:
        """Did the process `pid` end between two times, as far as its lines say?"""
        return any(
            not sign.undecided and sign.connection is None
            for sign in self._later_signs(pid, first_ms * 1000, last_ms * 1000)
        )

    def _later_signs(self, pid: int, first_us: int, last_us: Optional[int] = None) -> Iterator[Sign]:
        """Those of `pid` after one time and not after another, in order."""
        signs = self._signs_of.get(pid, [])
        for index in range(_index(signs, first_us + 1), len(signs)):
            if last_us is not None and signs[index].time_us > last_us:
                return
            yield signs[index]

    def openers(self, session: Session) -> list[Acceptance]:
        """The candidates for `session`'s LOGIN, in the order they were read."""
        return [a for a in self._of_pid.get(session.pid or 0, ()) if a.opens(session)]

    def near(self, pid: int, time_ms: int) -> list[Acceptance]:
        """Those of `pid` that were logged about then, before or after."""
        return [a for a in self._of_pid.get(pid, ()) if abs(a.entry.time_us - time_ms * 1000) <= LATEST_US]

    def first_in(self, pid: int) -> Optional[Acceptance]:
        """The oldest of `pid` not taken, whatever its time (`--sshd-log`)."""
        return next((a for a in self._of_pid.get(pid, ()) if not a.taken), None)

    def rivals(self, acceptance: Acceptance) -> list[Acceptance]:
        """All that claim the same process at the same time with other words, itself included; empty if none does."""
        if acceptance.ended_us is not None:
            return []
        near = [
            a
            for a in self._of_pid.get(acceptance.pid, ())
            if not a.taken and a.ended_us is None and abs(a.entry.time_us - acceptance.entry.time_us) <= LATEST_US
        ]
        return near if len({a.login.text for a in near}) > 1 else []

    def told(self, acceptance: Acceptance) -> None:
        acceptance.told = True
        self._untold.pop(acceptance, None)

    def untold(self, before: Optional[float] = None) -> list[Acceptance]:
        """Those not told yet and read at `before` or earlier (None: all), oldest first."""
        due: list[Acceptance] = []
        for acceptance in self._untold:
            if before is not None and acceptance.read_at > before:
                break
            due.append(acceptance)
        return due

    def outdated(self, now: float) -> list[Acceptance]:
        """Those past REMEMBER, ACCEPTANCES or SAME_PID, now forgotten; some may not have been told."""
        for acceptance in self._gone:
            acceptance.shed()
        gone: list[Acceptance] = []
        self._gone = gone
        for acceptance in self._crowded_out:
            if acceptance in self._by_age:
                self._forget(acceptance)
                gone.append(acceptance)
        self._crowded_out = []
        while self._by_age:
            oldest = next(iter(self._by_age))
            if len(self._by_age) <= ACCEPTANCES and oldest.read_at + REMEMBER > now:
                break
            self._forget(oldest)
            gone.append(oldest)
        return gone

    def _forget(self, acceptance: Acceptance) -> None:
        del self._by_age[acceptance]
        of_pid = self._of_pid[acceptance.pid]
        of_pid.remove(acceptance)
        if not of_pid:
            del self._of_pid[acceptance.pid]


def _index(signs: list[Sign], time_us: int) -> int:
    """Of the first that is not before a time."""
    return bisect_left(cast("list[tuple[int, ...]]", signs), (time_us,))  # no tie is ever looked into: (t,) < (t, …)


def _apply(sign: Sign, acceptance: Acceptance) -> None:
    here = (acceptance.login.source, acceptance.login.port)
    if acceptance.entry.time_us < sign.time_us and sign.connection != here:
        acceptance.ended_us = min(acceptance.ended_us or sign.time_us, sign.time_us)


def _one_line(acceptance: Acceptance, entry: SshdEntry) -> bool:
    """Is `entry`, which has the same words, the same line, or the same login's by another way (syslog and stderr)? A
    client's port and sshd's pid do not come together again so soon. Lines without time never are."""
    apart = abs(acceptance.entry.time_us - entry.time_us)
    return entry.time_us != 0 and apart <= LATEST_US
