# SPDX-License-Identifier: Apache-2.0
"""What the engine knows, as plain values and back: so that another process can go on where this one ends.  Pure.

A change is a table of whole records by their key; a state is what all changes together say (ledger.py makes them):

    sessions     ses -> a session
    numbers      ses -> [actions told, the last nameless one]: all that an ordinary action changes
    adrift       ses -> pids that no longer descend from the monitor
    processes    pid -> acceptances, partial ones, what the audit stream itself said of its login
    connections  pid -> what sshd said of failed logins there; None: nothing any more
    held         actions that wait for their session's name; those that were told since are left out by their ids

Times are the boot's monotonic clock, which the next process has as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .acceptances import GIVE_UP, REMEMBER, Sign
from .attempts import Attempts, SavedConnection
from .memory import Memory
from .model import Action, Login, SshdEntry
from .plain import read
from .session import (
    BOUND,
    NAMELESS,
    NOBODYS,
    WAITING,
    Acceptance,
    Session,
)
from .testimony import Evidence, Testimony
from .trust import Factor, Identity

STATES = {state: state for state in (WAITING, BOUND, NAMELESS, NOBODYS)}
RECENT_MS = int(REMEMBER * 1000)

ADRIFT = 1024
"""Detached processes of one session that are taken over, the latest."""

Change = dict[str, Any]


class SavedAcceptance(NamedTuple):
    """An Acceptance."""

    entry: SshdEntry
    login: Login
    who: Identity
    read_at: float
    scope: Optional[int] = None
    told: bool = False
    taken: bool = False
    ended_us: Optional[int] = None
    factors: tuple[Factor, ...] = ()

    @classmethod
    def of(cls, acceptance: Acceptance) -> SavedAcceptance:
        return cls(*(getattr(acceptance, name) for name in cls._fields))

    def revived(self) -> Acceptance:
        acceptance = Acceptance(self.entry, self.login, self.read_at, self.scope)
        for name, value in zip(self._fields, self):
            setattr(acceptance, name, value)
        return acceptance


class SavedSession(NamedTuple):
    """A Session. `root`: the number of the session whose heir it is."""

    ses: int
    state: str
    auid: Optional[int] = None
    account: Optional[str] = None
    root: Optional[int] = None
    inherited: Optional[int] = None
    pid: Optional[int] = None
    time_ms: int = 0
    event_id: Optional[str] = None
    acceptance: Optional[SavedAcceptance] = None
    reason: Optional[str] = None
    contested: tuple[SavedAcceptance, ...] = ()
    flowing: bool = False
    due: float = 0.0
    give_up: float = 0.0
    first_nameless: Optional[str] = None
    last_nameless: Optional[str] = None
    actions: int = 0
    ended: bool = False
    ended_at: tuple[int, int] = (0, 0)
    testimony: tuple[Evidence, ...] = ()
    confirmed_by: tuple[str, ...] = ()

    @classmethod
    def of(cls, session: Session, root_is_known: bool) -> SavedSession:
        """`root_is_known`: its root can be saved, too; else it takes over what the root is."""
        values = {name: getattr(session, name) for name in cls._fields}
        values["root"] = None
        if session.root is not session:
            if root_is_known:
                values["root"] = session.root.ses
            else:
                values.update(
                    {name: getattr(session.root, name) for name in ("state", "acceptance", "reason", "contested")}
                )
        if values["acceptance"] is not None:
            values["acceptance"] = SavedAcceptance.of(values["acceptance"])
        values["contested"] = tuple(SavedAcceptance.of(one) for one in values["contested"])
        values["confirmed_by"] = tuple(session.confirmed_by)
        values["testimony"] = tuple(session.testimony.evidence) if session.testimony is not None else ()
        return cls(**values)

    def revived(self) -> Session:
        """Without its root."""
        session = Session(self.ses, self.auid, self.account)
        for name, value in zip(self._fields, self):
            if name in _AS_THEY_ARE:
                setattr(session, name, value)
        session.state = STATES.get(self.state, NOBODYS)
        session.acceptance = self.acceptance.revived() if self.acceptance is not None else None
        session.contested = [one.revived() for one in self.contested]
        session.confirmed_by = list(self.confirmed_by)
        session.testimony = Testimony(list(self.testimony)) if self.testimony else None
        return session


_AS_THEY_ARE = frozenset(SavedSession._fields) - {
    "root", "acceptance", "contested", "state", "confirmed_by", "testimony"}  # fmt: skip


class SavedProcess(NamedTuple):
    """What is remembered of a pid."""

    acceptances: tuple[SavedAcceptance, ...] = ()
    partials: tuple[tuple[SshdEntry, Login], ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Saved:
    """A state put together from changes, read with suspicion: what is not of its type is left out, and counted."""

    def __init__(self) -> None:
        self.sessions: dict[int, SavedSession] = {}
        self.numbers: dict[int, tuple[int, Optional[str]]] = {}
        self.adrift: dict[int, dict[int, None]] = {}
        self.processes: dict[int, SavedProcess] = {}
        self.connections: dict[int, SavedConnection] = {}
        self.held: dict[str, Action] = {}
        self.refused = 0

    def apply(self, change: Change) -> None:
        """One more change."""
        for ses, value in _items(change, "sessions"):
            session = self._read(SavedSession, value)
            if session is not None and session.ses == ses:
                self.sessions[ses] = session
                self.numbers.pop(ses, None)
        for ses, value in _items(change, "numbers"):
            numbers = self._read(tuple[int, Optional[str]], value)
            if numbers is not None:
                self.numbers[ses] = numbers
        for ses, value in _items(change, "adrift"):
            self.adrift.setdefault(ses, {}).update(dict.fromkeys(self._read(list[int], value) or ()))
        for pid, value in _items(change, "processes"):
            self.processes[pid] = self._read(SavedProcess, value) or SavedProcess()
        for pid, value in _items(change, "connections"):
            connection = self._read(SavedConnection, value) if value is not None else None
            self.connections.pop(pid, None)
            if connection is not None:
                self.connections[pid] = connection
        for value in self._read(list[Any], change.get("held", [])) or ():
            action = self._read(Action, value)
            if action is not None:
                self.held[action.id] = action

    def _read(self, kind: Any, value: Any) -> Any:
        try:
            return read(kind, value)
        except ValueError:
            self.refused += 1
            return None

    def restore(self, memory: Memory, attempts: Attempts, now: float) -> None:
        """Put all but the held actions into a new engine's parts."""
        for process in self.processes.values():
            for acceptance in process.acceptances:
                memory.acceptances.restore(acceptance.revived())
            for entry, login in process.partials:
                memory.partials.add(entry, login)
            for evidence in process.evidence:
                memory.testimonies.add(evidence)
        sessions = {ses: saved.revived() for ses, saved in self.sessions.items()}
        for ses, (actions, last_nameless) in self.numbers.items():
            if ses in sessions:
                sessions[ses].actions, sessions[ses].last_nameless = actions, last_nameless
        for ses, session in sessions.items():
            session.root = sessions.get(self.sessions[ses].root or ses, session)
            if ses in self.adrift:
                memory.lineages.adopt(session, list(self.adrift[ses])[-ADRIFT:])
        newest_ms = max((session.time_ms for session in sessions.values()), default=0)
        for _, session in sorted(sessions.items()):
            _restore(session, memory, now, recent=session.time_ms > newest_ms - RECENT_MS)
        for pid, connection in self.connections.items():
            attempts.restore(pid, connection, now)


def _restore(session: Session, memory: Memory, now: float, recent: bool) -> None:
    """`recent`: its LOGIN may still be a sign that its pid's acceptances are another's."""
    memory.sessions.add(session, memory.waiting)
    if session.pid is None:
        return
    if recent:
        memory.acceptances.ended(session.pid, Sign(session.time_ms * 1000 + 1), now)
    if session.inherited is not None:
        memory.sessions.inherit(session)
    if session.state is not NOBODYS:
        memory.sessions.log_in(session)
        if session.ended:
            memory.sessions.log_out(session)
    if session.state is WAITING:
        # The journal is read once more before it is decided, and is given the time for that.
        session.due = min(session.due, now)
        session.give_up = now + GIVE_UP
        memory.waiting[session] = None


class Recovered(NamedTuple):
    """Where to go on."""

    saved: Saved
    seq: int = 0
    low: Optional[str] = None
    """The event up to which everything was told; None: nobody was here before."""
    told: tuple[str, ...] = ()
    """Events after it that were, too, and are in the state."""
    written: frozenset[str] = frozenset()
    """Documents that were written, but are not in the state."""
    journal: Optional[str] = None
    """The last entry that was used."""
    losses_from: Optional[float] = None
    """Up to when the journal was searched for losses, on the monotonic clock."""
    kernel_lost: int = 0


def _items(change: Change, name: str) -> list[tuple[int, Any]]:
    """JSON's keys are texts."""
    table = change.get(name)
    if not isinstance(table, dict):
        return []
    return [
        (int(key), value) for key, value in table.items() if isinstance(key, int) or (key.isascii() and key.isdigit())
    ]
