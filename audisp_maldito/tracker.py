# SPDX-License-Identifier: Apache-2.0
"""Login x Action -> Session: whose session is it?  Pure: times are arguments, nothing here reads a clock.

Theory. sshd's monitor, one process per connection, logs "Accepted …" and then writes its loginuid: the kernel's LOGIN
record with a new audit session and the same pid. That pid, close in time, is the join; everything the kernel later
says of that session belongs to that login. A pid can be used again within a second and the journal can be late, so a
LOGIN is not decided when it is read but when the journal has been read to its end a second later; till then its
actions are held.

    WAITING    the LOGIN is read, its acceptance not decided. Actions are held; past a limit they flow, nameless.
       | one acceptance        | several different ones     | none in 5 s
    BOUND                    NAMELESS (contested)        NAMELESS
    for ever                 for ever                    a late acceptance makes it wait again, its actions flowing

A session that another program opened from within one of these (su with pam_loginuid) is that session's heir and has
its state. All others (cron, systemd --user, console) are NOBODYS: their actions go out as SystemAction, with the
persons logged in on the account as candidates; so they too wait while a login of that account is undecided.

Two acceptances of one pid with different words before one LOGIN cannot both be true: nobody is named. An acceptance
is out of the question for a LOGIN when between the two its process is seen to end, or to write another LOGIN.
"""

from __future__ import annotations

from typing import Optional

from .acceptances import GIVE_UP, Acceptances, Sign, signs
from .held import Held
from .lineages import Lineages
from .memory import Memory
from .model import UNSET, Action, Login, SshdEntry
from .partials import Partials
from .session import (
    BOUND,
    NAMELESS,
    NOBODYS,
    WAITING,
    Acceptance,
    ActionTold,
    Candidates,
    IdentityTold,
    Intruder,
    LoginMissing,
    LoginTold,
    LogoutTold,
    Session,
    Told,
)
from .sessions import Sessions
from .testimony import Evidence, Testimonies
from .trust import Policy, is_some_sshd, judge, undeleted
from .verdict import SHARED, Verdict, is_another_sshds, verdict

SETTLE = 1.0
"""Seconds the journal is given to bring a second, contradicting acceptance."""
SESSIONS = 16_384
"""Sessions remembered, 1.7 KiB each: far more than live at once; `ses` is not used twice within a boot."""
ENDS = frozenset(["USER_END", "CRED_DISP"])
"""What the monitor writes when it closes a session: the second alone where PAM could not open it."""


class Tracker:
    """The state machine above. Methods answer what can be told now, in order."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._acceptances = Acceptances()
        self._partials = Partials()
        self._testimonies = Testimonies()
        self._sessions = Sessions(SESSIONS)
        self._lineages = Lineages()
        self._waiting: dict[Session, None] = {}
        self._read_to = float("-inf")
        self._held = Held()
        self._counts = dict.fromkeys(
            ("acceptances", "acceptances_twice", "acceptances_out_of_scope", "acceptances_dropped", "sessions_ssh",
             "sessions_inherited", "sessions_bound", "sessions_nameless", "sessions_contested",
             "sessions_identified_late", "sessions_shared", "holds_overflowed"), 0)  # fmt: skip

    def accepted(self, entry: SshdEntry, login: Login, now: float, scope: Optional[int] = None) -> list[Told]:
        """An acceptance that counts. `scope`: it does so for that audit session only."""
        told = self._forget_outdated(now)
        acceptance = self._acceptances.add(entry, login, now, scope)
        if acceptance is None:
            self._counts["acceptances_twice"] += 1
            return told
        partials = self._partials.take(entry, login, self._acceptances)
        acceptance.who, acceptance.factors = judge(login, partials, self._policy)
        self._counts["acceptances"] += 1
        if self._policy.untimed:
            self._acceptances.told(acceptance)
            return [*told, LoginTold(acceptance, None, [])]
        session = self._opened_by(acceptance)
        if session is not None and session.state is NAMELESS:
            self._wait(session, now, flowing=True)
        return told

    def partial(self, entry: SshdEntry, login: Login) -> None:
        """One of several methods worked: a line that counts as an acceptance would."""
        self._partials.add(entry, login)

    def heard(self, entry: SshdEntry, login: Optional[Login], now: float) -> None:
        """Any other line of a monitor's: may be a sign that its process handles its connection no longer."""
        for pid, sign in signs(entry, login):
            self._acceptances.ended(pid, sign, now)

    def testified(self, evidence: Evidence) -> None:
        """What the audit stream itself says of a login, before its LOGIN."""
        self._testimonies.add(evidence)

    def done(self, action: Action, now: float) -> list[Told]:
        """One audit event of a set session, LOGIN included."""
        if action.session is None:
            return []
        told: list[Told] = []
        session = self._sessions.get(action.session)
        start = action.start
        opens = start is not None and start.succeeded and start.ses == action.session
        if opens and (session is None or session.event_id != action.id):
            told += self._open(action, now)
            session = self._sessions.get(action.session)
        if session is None:
            session = self._sessions.add(Session(action.session, action.auid, action.account), self._waiting)
        self._sessions.spoke(session)
        root = session.root
        if root.state in (BOUND, WAITING) and is_another_sshds(action, root, self._policy):
            root.intruder = Intruder(action.pid or 0, action.time_ms, action.id, now)
            if root.state is BOUND:
                self._wait(root, now, flowing=False)
        holder = self._holder(session)
        if holder is None:
            return told + self._tell(session, action)
        if not self._held.add(holder, session, action):
            self._counts["holds_overflowed"] += 1
            for waiting in self._waiting:
                told += self._release(waiting)
        return told

    def journal_read(self, at: float, now: float) -> list[Told]:
        """The journal was read to an end that was looked for at `at`."""
        self._read_to = max(self._read_to, at)
        return self.tick(now)

    def tick(self, now: float) -> list[Told]:
        """Decide what time has made ripe."""
        told: list[Told] = []
        for session in list(self._waiting):
            if self._read_to >= session.due or now >= session.give_up:
                told += self._decide(session, settled=self._read_to >= session.due, final=now >= session.give_up)
        for acceptance in self._acceptances.untold(before=now - GIVE_UP):
            if not self._awaited(acceptance):
                told += self._tell_alone(acceptance)
        return told + self._forget_outdated(now)

    def close(self) -> list[Told]:
        """Both inputs are at their end: decide everything."""
        told: list[Told] = []
        while self._waiting:
            told += self._decide(next(iter(self._waiting)), settled=True, final=True)
        for acceptance in self._acceptances.untold():
            told += self._tell_alone(acceptance)
        return told

    def deadline(self, now: float) -> Optional[float]:
        """When `tick` next has work that more input does not bring; None if never."""
        times = [s.due if s.due > now else s.give_up for s in self._waiting if s.due > now or not s.flowing]
        untold = next((a for a in self._acceptances.untold() if not self._awaited(a)), None)
        if untold is not None:
            times.append(untold.read_at + GIVE_UP)
        return min(times, default=None)

    def journal_wanted(self, now: float) -> bool:
        """Does a LOGIN wait for nothing but the journal's being read to its end?"""
        return any(self._read_to < session.due <= now for session in self._waiting)

    def is_ssh(self, ses: int) -> bool:
        """Is `ses` an SSH session or an heir of one?"""
        session = self._sessions.get(ses)
        return session is not None and session.root.state is not NOBODYS

    def reconfigure(self, policy: Policy) -> None:
        """Judge what comes from now on by another policy."""
        self._policy = policy

    def began(self, action: Action, now: float) -> None:
        """The LOGIN of a session from before our time, which is not told itself."""
        self._open(action, now)

    def memory(self) -> Memory:
        return Memory(
            self._sessions, self._waiting, self._acceptances, self._partials, self._testimonies, self._lineages
        )

    def stats(self) -> dict[str, int]:
        """Counters, and what is kept at this moment."""
        return {
            **self._counts,
            "sessions": len(self._sessions),
            "sessions_evicted": self._sessions.evicted,
            "sessions_evicted_alive": self._sessions.evicted_alive,
            "sessions_waiting": len(self._waiting),
            "lineages_forgotten": self._lineages.forgotten,
            "held_actions": self._held.actions,
            "held_bytes": self._held.bytes,
            "acceptances_remembered": len(self._acceptances),
        }

    # Sessions: how they begin, how they are kept

    def _open(self, action: Action, now: float) -> list[Told]:
        start = action.start
        assert start is not None
        told: list[Told] = []
        before = self._sessions.get(start.ses)
        if before is not None and before in self._waiting:  # its number is another's now: it can wait no longer
            told += self._decide(before, settled=self._read_to >= before.due, final=True)
            self._waiting.pop(before, None)
        parent = self._sessions.get(start.old_ses) if start.old_ses not in (UNSET, start.ses) else None
        session = self._sessions.add(Session(start.ses, start.auid, action.account), self._waiting)
        session.pid = start.pid
        session.time_ms = action.time_ms
        session.event_id = action.id
        session.testimony = self._testimonies.take(start.pid, action.time_ms)
        # From now on the pid is another connection's, or no monitor's at all; of this LOGIN itself it proves nothing.
        self._acceptances.ended(start.pid, Sign(action.time_ms * 1000 + 1), now)
        exe = start.exe and undeleted(start.exe)
        if exe in self._policy.sshd_paths:
            # Never by inheritance: an sshd started by hand gives its starter's session to everybody as old-ses.
            if start.uid == 0:
                told += self._open_ssh(session, now)
        elif parent is not None and parent.root.state is not NOBODYS and exe and not is_some_sshd(exe):
            session.root = parent.root
            session.inherited = parent.ses
            self._sessions.inherit(session)
            self._counts["sessions_inherited"] += 1
        return told

    def _open_ssh(self, session: Session, now: float) -> list[Told]:
        assert session.pid is not None
        self._counts["sessions_ssh"] += 1
        self._sessions.log_in(session)
        self._wait(session, now, flowing=False)
        if not self._policy.untimed:
            return []
        first = self._acceptances.first_in(session.pid)
        return self._bind(session, first) if first is not None else self._judge(session, [])

    def _wait(self, session: Session, now: float, flowing: bool) -> None:
        session.wait(now + SETTLE, now + GIVE_UP, flowing)
        self._waiting[session] = None

    def _holder(self, session: Session) -> Optional[Session]:
        """The undecided session on whose decision an action of `session` depends, if any."""
        root = session.root
        if root.state is WAITING:
            return None if root.flowing else root
        if root.state is NOBODYS and self._waiting:
            return next((w for w in reversed(self._waiting) if w.auid == session.auid and not w.flowing), None)
        return None

    # Decisions

    def _decide(self, session: Session, settled: bool, final: bool) -> list[Told]:
        """`settled`: the journal is read far enough to know all candidates. `final`: it has waited long enough."""
        if session.acceptance is not None:
            return self._clear(session, settled, final)
        candidates = [a for a in self._acceptances.openers(session) if self._opened_by(a) is session]
        witness = session.testimony is not None and self._policy.audit_identity
        if not candidates and not (witness and final):
            return self._judge(session, []) if final else []
        if not settled:
            return self._release(session)
        if not final and any(a.is_late_for(session) for a in candidates):
            return []  # a second LOGIN of that pid may come, and the line be its own
        return self._judge(session, candidates)

    def _judge(self, session: Session, candidates: list[Acceptance]) -> list[Told]:
        said = session.testimony
        if said and self._acceptances.over_between(session.pid or 0, said.time_ms, session.time_ms):
            session.testimony = None  # of an earlier process of that pid; known only now that the journal is read
        found = verdict(session, candidates, self._policy)
        if found.acceptance is not None:
            return self._bind(session, found.acceptance)
        if found.contested:
            return self._contest(session, candidates, found)
        return self._give_up(session, found)

    def _bind(self, session: Session, acceptance: Acceptance) -> list[Told]:
        del self._waiting[session]
        session.state = BOUND
        session.acceptance = acceptance
        self._sessions.named(session)
        session.testimony = None
        self._counts["sessions_bound"] += 1
        told = self._take(acceptance, session, [])
        if session.first_nameless is not None:
            self._counts["sessions_identified_late"] += 1
            told.append(IdentityTold(session))
        if session.intruder is None:
            return told + self._release(session)
        told += self._release(session, before=session.intruder.event_id)
        self._wait(session, session.intruder.seen_at, flowing=False)
        return told

    def _contest(self, session: Session, candidates: list[Acceptance], found: Verdict) -> list[Told]:
        del self._waiting[session]
        session.state = NAMELESS
        session.reason = found.reason
        session.contested = found.contested
        self._counts["sessions_contested"] += 1
        told: list[Told] = []
        for acceptance in candidates:
            told += self._take(acceptance, session, found.contested)
        return told + self._release(session)

    def _give_up(self, session: Session, found: Verdict) -> list[Told]:
        del self._waiting[session]
        session.state = NAMELESS
        first_time = session.reason is None
        session.reason = found.reason
        if not first_time:
            return self._release(session)
        self._counts["sessions_nameless"] += 1
        return [LoginMissing(session), *self._release(session)]

    def _clear(self, session: Session, settled: bool, final: bool) -> list[Told]:
        """Has that sshd let anybody in? Then nobody can say whose an action of this session is from here on."""
        assert session.intruder is not None
        others = self._acceptances.near(session.intruder.pid, session.intruder.time_ms)
        if not (final or (settled and others)):
            return []
        del self._waiting[session]
        session.state = BOUND
        session.intruder = None
        if others:
            session.state, session.reason, session.acceptance = NAMELESS, SHARED, None
            session.contested = others
            self._sessions.named(session)
            self._counts["sessions_shared"] += 1
        return self._release(session)

    def _take(self, acceptance: Acceptance, session: Session, contested: list[Acceptance]) -> list[Told]:
        acceptance.taken = True
        news = not acceptance.told or acceptance.entry.past
        self._acceptances.told(acceptance)
        return [LoginTold(acceptance, session, contested)] if news else []

    def _release(self, session: Session, before: Optional[str] = None) -> list[Told]:
        session.flowing = True
        told: list[Told] = []
        for owner, action in self._held.take(session, before):
            told += self._tell(owner, action)
        return told

    # What goes out

    def _tell(self, session: Session, action: Action) -> list[Told]:
        root = session.root
        if root.state is NOBODYS:
            if self._policy.sessions == "ssh":
                return []
            return [ActionTold(session, action, self._sessions.candidates(session.auid))]
        root.actions += 1
        if root.state is not BOUND:
            root.first_nameless = root.first_nameless or action.id
            root.last_nameless = action.id
        told: list[Told] = [ActionTold(session, action, Candidates(), *self._lineages.place(root, action))]
        if session is root and action.type in ENDS and action.pid == session.pid and not session.ended:
            session.ended, session.ended_at = True, (action.time_ms, action.serial)
            self._sessions.log_out(session)
            self._lineages.ended(session)
            told.append(LogoutTold(session, action, session.actions))
        return told

    def _opened_by(self, acceptance: Acceptance) -> Optional[Session]:
        """The first LOGIN without a decision of its own that the acceptance may have led to."""
        monitors = self._sessions.of_monitor(acceptance.pid)
        fits = [s for s in monitors if s.acceptance is None and not s.contested and acceptance.opens(s)]
        return next((s for s in fits if not acceptance.is_late_for(s)), fits[0] if fits else None)

    def _awaited(self, acceptance: Acceptance) -> bool:
        """Will an undecided LOGIN tell it?"""
        session = self._opened_by(acceptance)
        return session is not None and session in self._waiting

    def _tell_alone(self, acceptance: Acceptance) -> list[Told]:
        """No LOGIN came for it in time."""
        self._acceptances.told(acceptance)
        if acceptance.scope is not None:
            self._counts["acceptances_out_of_scope"] += 1
            return []
        return [LoginTold(acceptance, None, self._acceptances.rivals(acceptance))]

    def _forget_outdated(self, now: float) -> list[Told]:
        told: list[Told] = []
        for acceptance in () if self._policy.untimed else self._acceptances.outdated(now):
            if not acceptance.told:
                self._counts["acceptances_dropped"] += 1
                told += self._tell_alone(acceptance)
        return told
