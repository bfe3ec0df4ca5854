# SPDX-License-Identifier: Apache-2.0
"""What has changed in one engine, as plain values (saved.py says which).  Pure.

A `Ledger` watches an engine and answers what is new since it was last asked: whole records, so that a change says how
things are and not how they came to be so. A state that is written piece by piece while changes go on (`everything`) is
therefore right once its last piece is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Optional

from .attempts import Attempts
from .memory import Memory
from .model import Action
from .plain import plain
from .saved import Change, SavedAcceptance, SavedProcess, SavedSession
from .session import ActionTold, LoginTold, Session, Told

SLICE = 200
"""Records of a whole state that are written between two turns of the loop: about 5 ms."""


class Ledger:
    """What has changed in one engine."""

    def __init__(self, memory: Memory, attempts: Attempts) -> None:
        self._memory = memory
        self._attempts = attempts
        self._sessions: dict[Session, None] = {}
        self._as_saved: dict[int, int] = {}
        self._adrift: dict[int, dict[int, None]] = {}
        self._pids: dict[int, None] = {}
        self._connections: dict[int, None] = {}
        self._held: dict[Session, int] = {}

    def acted(self, action: Action) -> None:
        """An action went through the tracker."""
        session = self._memory.sessions.get(action.session) if action.session is not None else None
        if session is not None:
            self._sessions[session] = None
        if action.start is not None:
            self._pids[action.start.pid] = None

    def heard(self, pid: Optional[int]) -> None:
        """sshd's process `pid` said something."""
        if pid is not None:
            self._pids[pid] = None
            self._connections[pid] = None

    def testified(self, pid: int) -> None:
        """The audit stream itself said something of that process."""
        self._pids[pid] = None

    def told(self, told: Iterable[Told]) -> None:
        """What the tracker answered."""
        for one in told:
            if isinstance(one, LoginTold):
                self._pids[one.acceptance.pid] = None
                if one.session is not None:
                    self._sessions[one.session] = None
            else:
                self._sessions[one.session] = None
                if isinstance(one, ActionTold) and one.detached and one.action.pid is not None:
                    self._adrift.setdefault(one.session.root.ses, {})[one.action.pid] = None

    def failed(self, pid: Optional[int]) -> None:
        """A failed login of that process was told."""
        if pid is not None:
            self._connections[pid] = None

    def take(self) -> Change:
        """What has changed since the last call; empty if nothing has."""
        change: Change = {}
        waiting = self._memory.waiting
        for session in (*self._sessions, *waiting):
            self._put_session(change, session)
        self._put_held(change, waiting)
        if self._adrift:
            change["adrift"] = {ses: list(pids) for ses, pids in self._adrift.items()}
        if self._pids:
            change["processes"] = {pid: self._process(pid) for pid in self._pids}
        if self._connections:
            change["connections"] = {pid: plain(self._attempts.saved(pid)) for pid in self._connections}
        self._sessions, self._adrift, self._pids, self._connections = {}, {}, {}, {}
        return change

    def everything(self) -> Iterator[Change]:
        """The whole state, a slice at a time, each as it is when it is asked for."""
        sessions = iter(list(self._memory.sessions))
        while some := list(islice(sessions, SLICE)):
            yield {"sessions": {session.ses: self._session(session) for session in some}}
        memory = self._memory
        pids = iter([*{*memory.acceptances.pids(), *memory.partials.pids(), *memory.testimonies.pids()}])
        while some_pids := list(islice(pids, SLICE)):
            yield {"processes": {pid: self._process(pid) for pid in some_pids}}
        pids = iter(list(self._attempts.pids()))
        while some_pids := list(islice(pids, SLICE)):
            yield {"connections": {pid: plain(self._attempts.saved(pid)) for pid in some_pids}}
        held = (action for session in self._memory.waiting for _, action in list(session.held))
        while some_actions := list(islice(held, SLICE)):
            yield {"held": [plain(action) for action in some_actions]}

    def _session(self, session: Session) -> Any:
        root_is_known = self._memory.sessions.get(session.root.ses) is session.root
        return plain(SavedSession.of(session, root_is_known))

    def _put_session(self, change: Change, session: Session) -> None:
        if self._memory.sessions.get(session.ses) is not session:
            return  # forgotten, or another has its number
        looks = hash((
            session.state, session.flowing, session.due, session.event_id, session.reason, session.ended,
            session.first_nameless, len(session.contested), len(session.confirmed_by), session.root.ses, session.root.event_id,
            id(session.acceptance) if session.acceptance is not None else 0,
        ))  # fmt: skip
        if self._as_saved.get(session.ses) != looks:
            self._as_saved[session.ses] = looks
            change.setdefault("sessions", {})[session.ses] = self._session(session)
        elif session.root is session:
            change.setdefault("numbers", {})[session.ses] = [session.actions, session.last_nameless]
        if session.root is not session:
            self._put_session(change, session.root)

    def _put_held(self, change: Change, waiting: Iterable[Session]) -> None:
        before, self._held = self._held, {}
        for session in waiting:
            if session.held:
                self._held[session] = len(session.held)
                new = session.held[before.get(session, 0) :]
                if new:
                    change.setdefault("held", []).extend(plain(action) for _, action in new)

    def _process(self, pid: int) -> Any:
        memory = self._memory
        acceptances = tuple(SavedAcceptance.of(one) for one in memory.acceptances.of_pid(pid))
        return plain(
            SavedProcess(acceptances, tuple(memory.partials.of_pid(pid)), tuple(memory.testimonies.of_pid(pid)))
        )
