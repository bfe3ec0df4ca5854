# SPDX-License-Identifier: Apache-2.0
"""The audit sessions that are remembered: found by number, by their monitor's pid, by the account they are alive on.

`ses` is not used twice within a boot and jobs go on after a logout, so a session is forgotten by number only: the one
that was quiet longest goes, though none whose login is undecided while there is another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Sequence
from itertools import islice
from typing import Optional

from .session import Session

SAME_PID = 64
"""LOGINs of one pid that may compete for an acceptance: pids come round in a second at best, LATEST_US are thirty."""
LOOKED_AT = 16
"""Of the quietest, when one has to go: a look at all of them would make a flood of LOGINs quadratic."""


class Sessions:
    """A bounded registry. It decides nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._of_ses: OrderedDict[int, Session] = OrderedDict()
        self._of_monitor: dict[int, list[Session]] = {}
        self._alive: dict[Optional[int], dict[Session, None]] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._of_ses)

    def get(self, ses: int) -> Optional[Session]:
        return self._of_ses.get(ses)

    def spoke(self, session: Session) -> None:
        """It is not quiet."""
        self._of_ses.move_to_end(session.ses)

    def add(self, session: Session, undecided: Container[Session]) -> Session:
        """Remember it, in the place of one with its number."""
        replaced = self._of_ses.pop(session.ses, None)
        if replaced is not None:
            self._bury(replaced)
        self._of_ses[session.ses] = session
        if len(self._of_ses) > self._limit:
            quiet = [s for s in islice(self._of_ses.values(), LOOKED_AT) if s is not session]
            oldest = next((s for s in quiet if s.root not in undecided), quiet[0])
            del self._of_ses[oldest.ses]
            self._bury(oldest)
            self.evicted += 1
        return session

    def log_in(self, session: Session) -> None:
        """Its monitor is `session.pid`, and it is alive on its account."""
        assert session.pid is not None
        self._of_monitor[session.pid] = [*self._of_monitor.get(session.pid, [])[1 - SAME_PID :], session]
        self._alive.setdefault(session.auid, {})[session] = None

    def log_out(self, session: Session) -> None:
        alive = self._alive.get(session.auid, {})
        alive.pop(session, None)
        if not alive:
            self._alive.pop(session.auid, None)

    def of_monitor(self, pid: int) -> Sequence[Session]:
        """In the order of their LOGINs."""
        return self._of_monitor.get(pid, ())

    def alive_on(self, auid: Optional[int]) -> list[Session]:
        return list(self._alive.get(auid, ()))

    def _bury(self, session: Session) -> None:
        if session.pid is not None and session in self._of_monitor.get(session.pid, ()):
            self._of_monitor[session.pid].remove(session)
            if not self._of_monitor[session.pid]:
                del self._of_monitor[session.pid]
        self.log_out(session)
