# SPDX-License-Identifier: Apache-2.0
"""The audit sessions that are remembered: found by number, by their monitor's pid, by the account they are alive on.

`ses` is not used twice within a boot and jobs go on after a logout, so a session is forgotten by number only. Whoever
may log in, or has a crontab, may open as many as they like, and must not make others' names forgotten by it: first go
the sessions that have ended or are nobody's, then heirs, and only then those alive, each time the one that was quiet
longest; of those alive none whose login is undecided while there is another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from typing import Optional

from .session import Candidates, Session

SAME_PID = 64
"""LOGINs of one pid that may compete for an acceptance: pids come round in a second at best, LATEST_US are thirty."""
LOOKED_AT = 16
"""Of the quietest, when one has to go: a look at all of them would make a flood of LOGINs quadratic."""
CANDIDATES = 32
"""Names that an action of nobody's may be given: more are no hint, and they are repeated with each action."""


class Sessions:
    """A bounded registry. It decides nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._living: OrderedDict[int, Session] = OrderedDict()
        self._heirs: OrderedDict[int, Session] = OrderedDict()
        self._spent: OrderedDict[int, Session] = OrderedDict()
        self._of_monitor: dict[int, list[Session]] = {}
        self._alive: dict[Optional[int], dict[Session, None]] = {}
        self._candidates: dict[Optional[int], Candidates] = {}
        self.evicted = 0
        self.evicted_alive = 0

    def __len__(self) -> int:
        return len(self._living) + len(self._heirs) + len(self._spent)

    def __iter__(self) -> Iterator[Session]:
        for place in (self._living, self._heirs, self._spent):
            yield from place.values()

    def get(self, ses: int) -> Optional[Session]:
        return self._place(ses).get(ses)

    def spoke(self, session: Session) -> None:
        """It is not quiet."""
        self._place(session.ses).move_to_end(session.ses)

    def add(self, session: Session, undecided: Container[Session]) -> Session:
        """Remember it, in the place of one with its number; it is nobody's for now."""
        replaced = self._place(session.ses).pop(session.ses, None)
        if replaced is not None:
            self._bury(replaced)
        if len(self) >= self._limit:
            self._evict(undecided)
        self._spent[session.ses] = session
        return session

    def inherit(self, session: Session) -> None:
        """It is another's heir."""
        self._move(session, self._heirs)

    def log_in(self, session: Session) -> None:
        """Its monitor is `session.pid`, and it is alive on its account."""
        assert session.pid is not None
        self._move(session, self._living)
        self._of_monitor[session.pid] = [*self._of_monitor.get(session.pid, [])[1 - SAME_PID :], session]
        self._alive.setdefault(session.auid, {})[session] = None
        self.named(session)

    def named(self, session: Session) -> None:
        """Its name is another than before."""
        self._candidates.pop(session.auid, None)

    def log_out(self, session: Session) -> None:
        self._move(session, self._spent)
        if session.acceptance is not None:
            self._orphan(session)  # no other acceptance can be its
        alive = self._alive.get(session.auid, {})
        if session in alive:
            del alive[session]
            self.named(session)
        if not alive:
            self._alive.pop(session.auid, None)

    def of_monitor(self, pid: int) -> Sequence[Session]:
        """In the order of their LOGINs."""
        return self._of_monitor.get(pid, ())

    def candidates(self, auid: Optional[int]) -> Candidates:
        """The names of those alive on an account. Counted anew only when one of them has changed: whoever opens many
        sessions would make each action of the account's jobs as dear as all of them."""
        known = self._candidates.get(auid)
        if known is None and auid in self._alive:
            names = {s.acceptance.who.person for s in self._alive[auid] if s.acceptance is not None}
            first = nsmallest(CANDIDATES, names, key=lambda name: (name is None, name))
            known = self._candidates[auid] = Candidates(tuple(first), len(names) > CANDIDATES)
        return known or Candidates()

    def _place(self, ses: int) -> OrderedDict[int, Session]:
        if ses in self._living:
            return self._living
        return self._heirs if ses in self._heirs else self._spent

    def _move(self, session: Session, to: OrderedDict[int, Session]) -> None:
        place = self._place(session.ses)
        if place.get(session.ses) is session:  # not forgotten meanwhile
            del place[session.ses]
            to[session.ses] = session

    def _evict(self, undecided: Container[Session]) -> None:
        place = self._spent or self._heirs or self._living
        quiet = list(islice(place.values(), LOOKED_AT))
        oldest = next((s for s in quiet if s.root not in undecided), quiet[0])
        del place[oldest.ses]
        self._bury(oldest)
        self.evicted += 1
        self.evicted_alive += place is self._living

    def _bury(self, session: Session) -> None:
        self._orphan(session)
        self.log_out(session)

    def _orphan(self, session: Session) -> None:
        """Its monitor's pid leads to it no longer."""
        if session.pid is not None and session in self._of_monitor.get(session.pid, ()):
            self._of_monitor[session.pid].remove(session)
            if not self._of_monitor[session.pid]:
                del self._of_monitor[session.pid]
