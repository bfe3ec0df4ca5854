# SPDX-License-Identifier: Apache-2.0
"""sshd's lines about what did not work -> failed logins, each attempt once.  Pure.

Theory. One attempt leaves up to four lines: the reason ("Invalid user …", "User … not allowed because …"), the failure
("Failed password for …"), and, at the connection's end, "maximum authentication attempts …" and "Connection closed by
authenticating user …"; which of them depends on LogLevel, method and version. All bear the monitor's pid. So, by pid:

    failed     a failed login, with its number among the connection's and the reasons that wait
    refused    waits for the next `failed`; becomes a failed login of its own if the connection ends without one
    closing    a failed login at the connection's end, if nothing else told of one
    accepted   whatever waits led to a login that worked: dropped, counted. A `refused` within half a minute after it
               (PAM could not open the session) is a failed login of its own that says which login it undid
    ended, connection, and every line that `ends`: the connection is over (or begins), nothing more

A connection is over with a line that says so, with a line of the same pid that names another user, address or port,
and at the end of the input; what waits longer than LoginGraceTime lets it is told as it is. What a refusal lacks (user,
address) it takes from earlier lines of its connection and from those that close it, never from another attempt's.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple, Optional

from .model import Login, SshdEntry

PATIENCE = 150.0
"""Seconds: LoginGraceTime is 120 by default, and PAM modules delay a failure by a few."""
AFTER_US = 30_000_000
"""How long after its acceptance a process may say why nothing came of it: as long as PAM's session modules may take."""
CONNECTIONS = 10_000
"""Pids remembered; MaxStartups is 100 by default. The oldest is told first."""
REFUSALS = 16
"""Distinct refusals that wait on one connection; MaxAuthTries is 6 by default. The oldest is told first."""
RECENT = 4096
"""Lines remembered in order to know one that is read twice."""
CUT_NAME = 100
"""Bytes: most messages have "%.100s" for a name, some more."""

_ATTEMPT = {"failed": "attempts_failed", "refused": "attempts_refused", "closing": "attempts_closed"}
"""Kinds that tell of an attempt, and their counters."""


class FailedLogin(NamedTuple):
    """One attempt that did not work: the line that tells it, and what the connection's other lines add to it."""

    entry: SshdEntry
    login: Login
    tries: int
    """Which "Failed" of its connection it is; 0 for any other line."""
    after: Optional[tuple[SshdEntry, Login]] = None
    """The acceptance that it undid."""

    @property
    def pid(self) -> Optional[int]:
        return self.entry.pid

    @property
    def time_us(self) -> int:
        return self.entry.time_us

    @property
    def text(self) -> str:
        return self.login.text


class SavedConnection(NamedTuple):
    """What one pid has said, as a plain value."""

    user: Optional[str] = None
    source: Optional[str] = None
    port: Optional[str] = None
    tries: int = 0
    told: bool = False
    refusals: tuple[FailedLogin, ...] = ()
    closings: tuple[FailedLogin, ...] = ()
    accepted: Optional[tuple[SshdEntry, Login]] = None


class _Connection:
    """What one pid has said."""

    __slots__ = ("accepted", "closings", "port", "refusals", "source", "told", "tries", "user")

    def __init__(self) -> None:
        self.user: Optional[str] = None
        self.source: Optional[str] = None
        self.port: Optional[str] = None
        self.tries = 0
        self.told = False
        """A failed login of it was told, or waits to be."""
        self.refusals: list[FailedLogin] = []
        self.closings: list[FailedLogin] = []
        self.accepted: Optional[tuple[SshdEntry, Login]] = None

    def contradicts(self, login: Login) -> bool:
        """Can `login` not be of this connection? A host's name beside its address is no contradiction."""
        if login.user is not None and self.user is not None and _name(login.user) != _name(self.user):
            return True
        ours, theirs = (self.source, self.port), (login.source, login.port)
        return None not in ours and None not in theirs and ours != theirs

    def undone_by(self, entry: SshdEntry, login: Login) -> bool:
        """Does a line say that nothing came of the connection's acceptance?"""
        if self.accepted is None or login.kind != "refused":
            return False
        return 0 <= entry.time_us - self.accepted[0].time_us <= AFTER_US

    def over(self, entry: SshdEntry, login: Login) -> bool:
        """Can `login` be of no connection that was accepted?"""
        return self.accepted is not None and login.kind in _ATTEMPT and not self.undone_by(entry, login)

    def learn(self, login: Login) -> None:
        if self.user is None:
            self.user = login.user
        if self.port is None and login.port is not None:
            self.source, self.port = login.source, login.port

    def filled(self, failure: FailedLogin) -> FailedLogin:
        """`failure` with what it lacks and the connection knows."""
        login = failure.login
        if login.user is None and self.user is not None:
            login = login._replace(user=self.user)
        if login.source is None and self.source is not None:
            login = login._replace(source=self.source, port=self.port)
        return failure._replace(login=login)


class Attempts:
    """Collects by pid. Returns each failed login once, as soon as it is certain."""

    def __init__(self) -> None:
        self._of_pid: dict[int, _Connection] = {}
        self._due: OrderedDict[int, float] = OrderedDict()
        self._accepted: deque[tuple[float, int, _Connection]] = deque()
        self._recent: OrderedDict[tuple[Optional[int], int, int], None] = OrderedDict()
        self._counts = dict.fromkeys(
            ("attempts_failed", "attempts_refused", "attempts_closed", "attempts_forgiven", "attempts_early",
             "attempts_after", "attempts_repeated"), 0)  # fmt: skip

    def take(self, entry: SshdEntry, login: Login, now: float) -> list[FailedLogin]:
        """One line of sshd's that counts."""
        if login.kind in _ATTEMPT and self._read_before(entry, login):
            return []
        pid = int(login.details["sessionPid"]) if "sessionPid" in login.details else entry.pid
        if pid is None:
            return self._alone(entry, login)
        told: list[FailedLogin] = []
        connection = self._of_pid.get(pid)
        if connection is not None and (
            login.kind == "connection" or connection.contradicts(login) or connection.over(entry, login)
        ):
            told += self._end(pid)
            connection = None
        if connection is None:
            if login.kind not in _ATTEMPT and login.kind not in ("connection", "accepted"):
                return told
            told += self._make_room()
            connection = self._of_pid[pid] = _Connection()
        told += self._heard(pid, connection, entry, login, now)
        if login.ends or "sessionPid" in login.details:
            told += self._end(pid)
        return told

    def tick(self, now: float) -> list[FailedLogin]:
        """Tell what has waited long enough."""
        told: list[FailedLogin] = []
        while self._due and next(iter(self._due.values())) <= now:
            told += self._tell(next(iter(self._due)))
        return told

    def close(self) -> list[FailedLogin]:
        """Nothing more will come: tell all that waits."""
        return [failure for pid in list(self._of_pid) for failure in self._end(pid)]

    def deadline(self) -> Optional[float]:
        """When `tick` has something to tell; None if nothing waits."""
        return next(iter(self._due.values()), None)

    def stats(self) -> dict[str, int]:
        return {**self._counts, "attempts_connections": len(self._of_pid)}

    def pids(self) -> Iterable[int]:
        """Those that something is known of."""
        return self._of_pid

    def saved(self, pid: int) -> Optional[SavedConnection]:
        """What is known of `pid`, for another process to go on with; None if nothing is."""
        connection = self._of_pid.get(pid)
        if connection is None:
            return None
        values = {name: getattr(connection, name) for name in SavedConnection._fields}
        values.update(refusals=tuple(connection.refusals), closings=tuple(connection.closings))
        return SavedConnection(**values)

    def restore(self, pid: int, saved: SavedConnection, now: float) -> None:
        """Go on with what another process knew of `pid`."""
        if len(self._of_pid) >= CONNECTIONS:
            return
        connection = self._of_pid[pid] = _Connection()
        for name, value in saved._asdict().items():
            setattr(connection, name, list(value) if name in ("refusals", "closings") else value)
        self._wait(pid, connection, now)

    def _heard(
        self, pid: int, connection: _Connection, entry: SshdEntry, login: Login, now: float
    ) -> list[FailedLogin]:
        told: list[FailedLogin] = []
        failure = connection.filled(FailedLogin(entry, login, 0))
        if login.kind == "accepted":
            self._counts["attempts_forgiven"] += len(connection.refusals)
            connection.refusals, connection.closings = [], []
            connection.accepted = entry, login
            self._accepted.append((now, pid, connection))
            self._lapse(now)
        elif login.kind == "failed":
            connection.tries += 1
            connection.told = True
            told.append(_with_reasons(failure._replace(tries=connection.tries), connection.refusals))
            connection.refusals = []
            self._counts["attempts_failed"] += 1
        elif connection.undone_by(entry, login):
            self._counts["attempts_after"] += 1
            told.append(failure._replace(after=connection.accepted))
        elif login.kind == "refused":
            connection.told = True
            if all(_sense(other) != _sense(failure) for other in connection.refusals):
                connection.refusals.append(failure)
            if len(connection.refusals) > REFUSALS:
                self._counts["attempts_early"] += 1
                told += self._refused([connection.refusals.pop(0)])
        elif login.kind == "closing":
            connection.closings.append(failure)
        connection.learn(login)
        if login.kind in ("closing", "ended"):
            connection.refusals = [connection.filled(refusal) for refusal in connection.refusals]
        self._wait(pid, connection, now)
        return told

    def _wait(self, pid: int, connection: _Connection, now: float) -> None:
        if not connection.refusals and (connection.told or not connection.closings):
            self._due.pop(pid, None)
        elif pid in self._of_pid:
            self._due.setdefault(pid, now + PATIENCE)

    def _tell(self, pid: int) -> list[FailedLogin]:
        """What waits on a connection, told as it is."""
        self._due.pop(pid, None)
        connection = self._of_pid[pid]
        told = self._refused(connection.refusals)
        if not connection.told and connection.closings:
            first, *others = connection.closings
            told.append(_with_reasons(first, others, own_first=True))
            self._counts["attempts_closed"] += 1
            connection.told = True
        connection.refusals, connection.closings = [], []
        return told

    def _refused(self, refusals: list[FailedLogin]) -> list[FailedLogin]:
        self._counts["attempts_refused"] += len(refusals)
        return list(refusals)

    def _end(self, pid: int) -> list[FailedLogin]:
        if pid not in self._of_pid:
            return []
        told = self._tell(pid)
        self._forget(pid)
        return told

    def _lapse(self, now: float) -> None:
        """Long after its acceptance a connection may as well be another's: most logins last, and nothing ends them."""
        while self._accepted[0][0] + PATIENCE <= now or len(self._accepted) > CONNECTIONS:
            _, pid, connection = self._accepted.popleft()
            if self._of_pid.get(pid) is connection and pid not in self._due:
                self._forget(pid)

    def _forget(self, pid: int) -> None:
        del self._of_pid[pid]
        self._due.pop(pid, None)

    def _make_room(self) -> list[FailedLogin]:
        if len(self._of_pid) < CONNECTIONS:
            return []
        told = self._end(next(iter(self._of_pid)))
        self._counts["attempts_early"] += len(told)
        return told

    def _alone(self, entry: SshdEntry, login: Login) -> list[FailedLogin]:
        """A line without a pid: nothing ties it to another."""
        if login.kind not in _ATTEMPT:
            return []
        self._counts[_ATTEMPT[login.kind]] += 1
        return [FailedLogin(entry, login, 1 if login.kind == "failed" else 0)]

    def _read_before(self, entry: SshdEntry, login: Login) -> bool:
        """The same line again (a journal read twice). Lines without time cannot be told apart, and all count."""
        if not entry.time_us:
            return False
        line = (entry.pid, entry.time_us, hash(login.text))
        if line in self._recent:
            self._counts["attempts_repeated"] += 1
            return True
        self._recent[line] = None
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return False


def _with_reasons(failure: FailedLogin, others: list[FailedLogin], own_first: bool = False) -> FailedLogin:
    """`failure` with the reasons and details of `others` beside its own."""
    logins = [other.login for other in others]
    logins.insert(0 if own_first else len(logins), failure.login)
    reasons = list(dict.fromkeys(login.reason for login in logins if login.reason))
    details: dict[str, str] = {}
    for login in logins:
        details.update(login.details)
    return failure._replace(login=failure.login._replace(reason="; ".join(reasons) or None, details=details))


def _sense(failure: FailedLogin) -> tuple[str, Optional[str]]:
    return failure.login.row, failure.login.reason


def _name(user: str) -> bytes:
    return user.encode("utf-8", "surrogateescape")[:CUT_NAME]
