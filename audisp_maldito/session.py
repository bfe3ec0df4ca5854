# SPDX-License-Identifier: Apache-2.0
"""An audit session, the acceptance that may name it, and what can be told of both.

`told` values are what the tracker answers: each becomes one document (auditevent.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

from .lineage import Escalation
from .model import Action, Login, SshdEntry
from .testimony import Testimony
from .trust import Factor, Identity

EARLIEST_US = -500_000
"""A LOGIN may bear an earlier stamp than its acceptance: kernel audit time moves in steps of up to 4 ms, and an entry
without _SOURCE_REALTIME_TIMESTAMP bears the time of its receipt."""
SURE_US = -50_000
"""A LOGIN stamped earlier than this before an acceptance is rather that of another process with the same pid."""
LATEST_US = 30_000_000
"""PAM's account and session modules run between the two; 4 to 73 ms were recorded, slow directories need seconds."""

WAITING, BOUND, NAMELESS, NOBODYS = "waiting", "bound", "nameless", "nobody's"


SHED = SshdEntry(None, 0, None)


class Acceptance:
    """An "Accepted …" that counted, and what became of it."""

    __slots__ = ("ended_us", "entry", "factors", "login", "pid", "read_at", "scope", "taken", "told", "who")

    def __init__(self, entry: SshdEntry, login: Login, read_at: float, scope: Optional[int]) -> None:
        self.entry = entry
        self.login = login
        self.who = Identity(None)
        """Decided once: a CA that is trusted or not from now on changes no login that has been."""
        self.factors: tuple[Factor, ...] = ()
        """The methods it took, where there were several: in order, its own last."""
        self.pid = entry.pid or 0
        self.read_at = read_at
        self.scope = scope
        """It counts for the LOGIN of this audit session only."""
        self.told = entry.past
        self.taken = False
        self.ended_us: Optional[int] = None

    def opens(self, session: Session) -> bool:
        """Could this be the acceptance that `session`'s LOGIN followed?"""
        opened_us = session.time_ms * 1000
        return (
            not self.taken
            and (self.scope is None or self.scope == session.ses)
            and EARLIEST_US <= opened_us - self.entry.time_us <= LATEST_US
            and (self.ended_us is None or self.ended_us > opened_us)
        )

    def shed(self) -> None:
        """It can name or contradict nobody any more: keep what the documents of its session repeat."""
        known = self.login
        self.login = Login(known.row, known.kind, "", user=known.user, source=known.source, port=known.port)
        self.entry = SHED
        self.factors = ()

    def is_late_for(self, session: Session) -> bool:
        """Is the line so much younger than the LOGIN that it may be of the next process with that pid?"""
        return session.time_ms * 1000 - self.entry.time_us < SURE_US


class Intruder(NamedTuple):
    """Another sshd that spoke within a session: its pid, the event, and when that was read."""

    pid: int
    time_ms: int
    event_id: str
    seen_at: float


class Session:
    """One audit session. `root` is itself, or the SSH session whose heir it is; only a root has a state of its own."""

    __slots__ = (
        "acceptance",
        "account",
        "actions",
        "auid",
        "confirmed_by",
        "contested",
        "due",
        "ended",
        "ended_at",
        "event_id",
        "first_nameless",
        "flowing",
        "give_up",
        "held",
        "inherited",
        "intruder",
        "last_nameless",
        "parent",
        "pid",
        "reason",
        "ses",
        "state",
        "testimony",
        "time_ms",
    )  # fmt: skip

    def __init__(self, ses: int, auid: Optional[int], account: Optional[str]) -> None:
        self.ses = ses
        self.auid = auid
        self.account = account
        self.parent: Optional[Session] = None
        self.inherited: Optional[int] = None
        self.intruder: Optional[Intruder] = None
        self.state = NOBODYS
        self.pid: Optional[int] = None
        self.time_ms = 0
        self.event_id: Optional[str] = None
        self.acceptance: Optional[Acceptance] = None
        self.reason: Optional[str] = None
        self.contested: Sequence[Acceptance] = ()
        self.held: list[tuple[Session, Action]] = []
        self.flowing = False
        """Undecided, but its actions are held no longer."""
        self.due = 0.0
        self.give_up = 0.0
        self.first_nameless: Optional[str] = None
        self.last_nameless: Optional[str] = None
        self.testimony: Optional[Testimony] = None
        """What the audit stream itself told of its login (Red Hat's OpenSSH)."""
        self.confirmed_by: Sequence[str] = ()
        """The audit records that agree with its acceptance."""
        self.actions = 0
        self.ended = False
        self.ended_at = (0, 0)
        """Time and serial of the record that said so: events end in another order than they begin."""

    @property
    def root(self) -> Session:
        """Kept as `parent` only where it is another: a session that held itself would stay until the garbage collector
        comes, long after it was forgotten."""
        return self if self.parent is None else self.parent

    @root.setter
    def root(self, root: Session) -> None:
        self.parent = None if root is self else root

    def wait(self, due: float, give_up: float, flowing: bool) -> None:
        """For the journal, from `due` on to be decided, from `give_up` on whatever is known."""
        self.state = WAITING
        self.due, self.give_up, self.flowing = due, give_up, flowing


class LoginTold(NamedTuple):
    """An acceptance's UserLogin. `contested`: the acceptances that contradict each other, itself among them."""

    acceptance: Acceptance
    session: Optional[Session]
    contested: list[Acceptance]


class LoginMissing(NamedTuple):
    """The UserLogin of an SSH session for which no acceptance counted."""

    session: Session


class Candidates(NamedTuple):
    """Who is logged in on an account, each once; None: somebody unknown. `cut`: there are more."""

    names: tuple[Optional[str], ...] = ()
    cut: bool = False


class ActionTold(NamedTuple):
    """`candidates`: of a session that is nobody's, those logged in on its account. `detached`: by a process that is
    known not to descend from the monitor any more. `escalated`: as somebody else than the account that logged in."""

    session: Session
    action: Action
    candidates: Candidates
    detached: bool = False
    escalated: Optional[Escalation] = None


class LogoutTold(NamedTuple):
    """The monitor closed its session; `action` is its USER_END, `actions` how many were told by then."""

    session: Session
    action: Action
    actions: int


class IdentityTold(NamedTuple):
    """A name found after some of the session's actions had gone out without one."""

    session: Session


Told = Union[LoginTold, LoginMissing, ActionTold, LogoutTold, IdentityTold]
