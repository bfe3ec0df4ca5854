# SPDX-License-Identifier: Apache-2.0
"""A made-up host with real logins and every attack of A1 to A14, from a seed; it knows who did what.

What it assumes of the world, since no input could show otherwise:
* A pid comes round in 0.6 s at the earliest (a whole second was measured).
* A pid whose acceptance led to no LOGIN is used again for an sshd within half a minute only if sshd logged the end of
  the connection, and that line is in the journal by the time.
* A perfect forgery (root of the host, who can send with any process's credentials) stands beside the true line, which
  is there in time; whoever can also hold back the true line can be anybody.
* Within a minute of a clock that steps back no pid comes round: dates are then no order of events.
"""

from __future__ import annotations

import random
from typing import NamedTuple, Optional

from audisp_maldito.model import SshdEntry

from . import records

COMPANY, OWN = "SHA256:Company", "SHA256:Mallory"
PEOPLE = ("alice@example.org", "bob@example.org", "carol (serial 1) CA ED25519 SHA256:Company", "mallory@example.org")
ACCOUNTS = (1000, 1001)
POOL = range(100, 106)
EPOCH = 1_795_000_000
REUSE = 0.6
GONE = 31.0
"""Until an acceptance is out of every window."""


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

    def __init__(
        self, ses: int, pid: int, auid: int, person: Optional[str], ssh: bool, parent: Optional[Session] = None
    ) -> None:
        self.ses, self.pid, self.auid = ses, pid, auid
        self.person = person
        self.ssh = ssh
        self.root: Session = parent.root if parent is not None else self
        self.time_ms = 0
        self.read_at = 0.0
        self.replaced_by: Optional[Session] = None
        """A later LOGIN with the same number: A20."""
        self.last = 0.0
        self.alive = (float("inf"), float("-inf"))
        """From LOGIN to the monitor's USER_END, by reading."""


class Done(NamedTuple):
    """An audit event: whose it is, and when it is read."""

    stamp: str
    session: Session
    read_at: float


class World:
    """`lines` and `records` are the input, in order of reading; `done` and `sessions` the truth."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.units_required = self._flip(0.8)
        self.lines: list[Line] = []
        self.records: list[tuple[float, list[str]]] = []
        self.done: list[Done] = []
        self.sessions: list[Session] = []
        self.stalls: list[tuple[float, float]] = []
        """While the reader of the journal gets nowhere."""
        self._audit: list[tuple[float, int, Session, str, dict[str, object]]] = []
        self._spoken: list[tuple[float, float, Line]] = []
        self._free: dict[int, float] = dict.fromkeys(POOL, 0.0)
        self._hands_off: dict[int, float] = {}
        self._next = 10
        self._port = 40000
        self._now = 1000.0
        self._plan()
        self._settle()

    # What happens

    def _plan(self) -> None:
        chance = self._chance
        self._steps = (
            [(1000 + chance.random() * 20, chance.choice((-3600, -7, -1, -0.3, 0.3, 5, 3600)))]
            if self._flip(0.15)
            else []
        )
        self._journald = self._pause(0.25, 9)
        self._auditd = self._pause(0.2, 3)
        self.stalls = [self._pause(0.2, 9)]
        for _ in range(chance.randint(1, 5)):
            self._now += chance.choice((0.0, 0.02, 0.3, 1.0, 2.5, 7.0)) * chance.random()
            kind = chance.random()
            if kind < 0.62:
                self._login()
            elif kind < 0.70:
                self._refused()
            elif kind < 0.76:
                self._container()
            elif kind < 0.82:
                self._false_sshd()
            elif kind < 0.92:
                self._job()
            else:
                self._noise(chance.choice(POOL))

    def _login(self) -> None:
        """A person logs in and works; attacks on the way."""
        chance, start = self._chance, self._now
        person, auid = chance.choice(PEOPLE), chance.choice(ACCOUNTS)
        lasts = chance.choice((0.05, 0.5, 3.0, 12.0)) * (0.5 + chance.random())
        slow = chance.choice((0.005, 0.01, 0.07, 0.07, 2.0, 20.0))
        pid = self._pid(start - 0.4, start + slow + lasts)
        text, named = self._acceptance(person)
        opened = start + slow
        parent = self._someone() if self._flip(0.1) else None
        session = self._session(pid, auid, named)
        if parent is None and self._flip(0.04):
            self._take_number(session, opened)
        unit: Optional[str] = "ssh.service" if self.units_required else None
        audit_session, counts = None, True
        if parent is not None and self.units_required:
            # An sshd started by hand in that session: its lines prove nothing, its LOGINs bear the session as old-ses.
            unit, audit_session, counts = f"session-{parent.ses}.scope", parent.ses, False
        elif self.units_required and self._flip(0.05):
            unit, audit_session = f"session-{session.ses}.scope", session.ses
        if self._flip(0.3):
            self._say(pid, start - 0.3, f"Failed password for core from 192.0.2.9 port {self._port} ssh2", ends=True)
        forged = parent is None and self._flip(0.08) and not any(start - 1 < at < opened + 1 for at, _ in self._steps)
        lost = not forged and self._flip(0.12)
        line = self._say(
            pid,
            start,
            text,
            counts=counts,
            person=named,
            unit=unit,
            audit_session=audit_session,
            timely=forged,
            lost=lost,
        )
        if not lost and self._flip(0.1):
            self._again(line, forged)
        if forged:
            other, whom = self._acceptance(chance.choice(PEOPLE))
            self._say(
                pid, start + slow * chance.random() * 0.9, other, counts=True, person=whom, unit=unit, timely=True
            )
        if self._flip(0.3):
            self._imitations(pid, start + chance.choice((-0.2, 0.001, slow)), quiet=start - 0.35)
        old = parent.ses if parent is not None else records.UNSET
        self._write(opened, session, "login", pid=pid, ses=session.ses, auid=auid, old_ses=old)
        self._work(session, opened, opened + lasts, monitor=pid)
        if self._flip(0.5):
            self._say(pid, opened + lasts, f"Connection closed by 192.0.2.9 port {self._port}", ends=True)

    def _work(self, session: Session, start: float, end: float, monitor: Optional[int]) -> None:
        chance = self._chance
        for _ in range(chance.randint(0, 3)):
            self._exec(session, start + (end - start) * chance.random())
        if self._flip(0.25):
            self._su(session, start + (end - start) * chance.random())
        if self._flip(0.2):
            self._try_to_leave(session, start + (end - start) * chance.random())
        if monitor is not None and self._flip(0.8):
            self._write(end, session, "user", kind="USER_END", pid=monitor, ses=session.ses, auid=session.auid)
        if self._flip(0.3):
            self._exec(session, end + chance.random() * 12)

    def _su(self, session: Session, at: float) -> None:
        """su with a session of its own: the same person's. It also ends, with a pid of its own."""
        heir = Session(
            self._number(), 5000 + self._next, self._chance.choice(ACCOUNTS), session.person, session.ssh, session
        )
        self.sessions.append(heir)
        exe = self._chance.choice(("/usr/bin/su", "/usr/bin/login", "/usr/sbin/runuser"))
        self._write(at, heir, "login", pid=heir.pid, ses=heir.ses, auid=heir.auid, old_ses=session.ses, exe=exe)
        self._exec(heir, at + self._chance.random())
        self._write(at + 1.5, heir, "user", kind="USER_END", pid=heir.pid, ses=heir.ses, auid=heir.auid, exe=exe)

    def _try_to_leave(self, session: Session, at: float) -> None:
        """A5: a failed LOGIN is an action of the session; an unset one leads nowhere."""
        self._write(
            at, session, "login", pid=7000, ses=records.UNSET, auid=0, old_ses=session.ses, old_auid=session.auid,
            uid=1000, exe="/usr/bin/bash", res=0,
        )  # fmt: skip
        stranger = self._session(7001, self._chance.choice(ACCOUNTS), None, ssh=False)
        self._write(at + 0.1, stranger, "login", pid=7001, ses=stranger.ses, auid=stranger.auid, exe="/usr/bin/bash")
        self._exec(stranger, at + 0.2)

    def _refused(self) -> None:
        """A7: an acceptance that leads to no session; its pid comes round."""
        pid = self._pid(self._now, self._now + 0.3)
        text, named = self._acceptance(self._chance.choice(PEOPLE))
        unit = "ssh.service" if self.units_required else None
        self._say(pid, self._now, text, counts=True, person=named, timely=True, unit=unit)
        if self._flip(0.7):
            end = self._chance.choice(("fatal: Access denied for user core by PAM account configuration",
                                       f"Connection closed by 192.0.2.7 port {self._port}"))  # fmt: skip
            self._say(pid, self._now + 0.2, end, ends=True, timely=True)
        else:
            self._hands_off[pid] = self._now + GONE

    def _container(self) -> None:
        """A3: root of a container, with the journal's socket and a LOGIN that looks like sshd's."""
        pid = self._pid(self._now, self._now + 5)
        for unit in ("docker-4f1c.scope", "containerd.service", None if self.units_required else "x.service"):
            if self._flip(0.7):
                self._forge(pid, self._now, unit=unit)
        session = self._session(pid, self._chance.choice(ACCOUNTS), None)
        self._write(self._now + 0.01, session, "login", pid=pid, ses=session.ses, auid=session.auid)
        self._work(session, self._now + 0.02, self._now + 2, monitor=None)

    def _false_sshd(self) -> None:
        """A4: a process without rights calls itself sshd."""
        pid = self._pid(self._now, self._now + 3)
        self._imitations(pid, self._now)
        session = self._session(pid, self._chance.choice(ACCOUNTS), None, ssh=False)
        exe, uid = self._chance.choice(((records.SSHD, 1001), ("/tmp/sshd", 0), ("/home/x/sshd", 1001), (None, 0)))
        starter = self._someone() if self._flip(0.3) else None
        old = records.UNSET if starter is None else starter.ses
        self._write(
            self._now + 0.01,
            session,
            "login",
            pid=pid,
            ses=session.ses,
            auid=session.auid,
            exe=exe,
            uid=uid,
            old_ses=old,
        )
        self._write(
            self._now + 0.02, session, "user", kind="USER_START", pid=pid, ses=session.ses, auid=session.auid,
            acct='core" ses=3 auid=0 pid=100 exe="/usr/sbin/sshd',
        )  # fmt: skip
        self._exec(session, self._now + 1)

    def _job(self) -> None:
        """cron, systemd --user: of the account, nobody's."""
        pid = self._pid(self._now, self._now + 1)
        session = self._session(pid, self._chance.choice(ACCOUNTS), None, ssh=False)
        exe = self._chance.choice(("/usr/sbin/cron", "/usr/lib/systemd/systemd", "/usr/bin/login"))
        self._write(self._now, session, "login", pid=pid, ses=session.ses, auid=session.auid, exe=exe)
        for _ in range(self._chance.randint(0, 3)):
            self._exec(session, self._now + 10 * self._chance.random())

    def _noise(self, pid: int) -> None:
        for _ in range(3):
            self._imitations(pid, self._now + self._chance.random() * 5)

    # Lines that look like an acceptance

    def _imitations(self, pid: int, at: float, quiet: Optional[float] = None) -> None:
        """A9 to A11: what any user, any client, any container can get into the journal; `quiet`: when a client that has
        not logged in is at the other end of that process."""
        text, _ = self._acceptance(self._chance.choice(PEOPLE))
        which = self._chance.randrange(9)
        if which == 0:
            self._forge(pid, at, exe=None)
        elif which == 1:
            self._forge(pid, at, uid=1001)
        elif which == 2:
            self._forge(pid, at, uid=1001, exe=None)
        elif which == 3:
            self._forge(pid, at, exe="/usr/bin/logger")
        elif which == 4:
            self._forge(pid, at, transport="journal")
        elif which == 5:
            self._say(pid, at, f"pam_unix(sshd:auth): bad username [-\n{text}]")
        elif which == 6 and quiet is not None:
            self._say(pid, quiet, f"Received disconnect from 192.0.2.66 port 9:11: {text} [preauth]", ends=True)
        elif which == 7:
            self._say(pid, at, text, line_break=True)
        else:
            self._forge(pid, at, unit="session-3.scope", audit_session=3)

    def _forge(self, pid: int, at: float, **fields: object) -> None:
        text, _ = self._acceptance(self._chance.choice(PEOPLE))
        self._say(pid, at, text, **{"unit": "ssh.service", **fields})

    def _acceptance(self, person: str) -> tuple[str, Optional[str]]:
        """A line, and whom it names if it is believed."""
        self._port += 1
        head = f"for core from 192.0.2.7 port {self._port} ssh2"
        key = f"Accepted publickey {head}: ED25519-CERT SHA256:K{self._port} ID "
        kind = self._chance.random()
        if kind < 0.75:
            return f"{key}{person} (serial 7) CA ED25519 {COMPANY}", person
        if kind < 0.85:
            return f"{key}{person} (serial 7) CA ED25519 {OWN}", None
        if kind < 0.90:
            tail = f"{person} (serial 7) CA ED25519 {COMPANY}"
            return key + " " * (self._chance.choice((500, 501, 600)) - len(key) - len(tail)) + tail, None
        if kind < 0.92:
            return f"{key} (serial 7) CA ED25519 {COMPANY}", None
        return self._chance.choice(
            (f"Accepted password {head}", f"Accepted publickey {head}: ED25519 SHA256:Plain")
        ), None

    # Bookkeeping

    def _say(
        self, pid: int, at: float, text: str, *, counts: bool = False, person: Optional[str] = None, ends: bool = False,
        timely: bool = False, lost: bool = False, **fields: object,
    ) -> Line:  # fmt: skip
        known = {"uid": 0, "exe": records.SSHD, "unit": "ssh.service", "transport": "syslog", **fields}
        stamp = round(self._real(at) * 1_000_000) + self._chance.randrange(-400, 400)
        entry = SshdEntry(pid=pid, time_us=stamp, message=text, size=len(text.encode()), **known)  # type: ignore[arg-type]
        line = Line(entry, at + 0.001 + 0.03 * self._chance.random(), counts, person, ends)
        if timely:
            self._spoken.append((at, at + 0.8 * self._chance.random(), line))
        elif not lost:
            late = 8 * self._chance.random() if counts and self._flip(0.08) else 0.0
            self._spoken.append((at, self._paused(line.read_at + late, self._journald), line))
        return line

    def _again(self, line: Line, timely: bool) -> None:
        """Read twice, or written twice."""
        later = self._chance.choice((0, 0, 3000))
        entry = line.entry._replace(time_us=line.entry.time_us + later)
        at = line.read_at + (0.0 if timely else self._chance.choice((0.0, 0.5, 4.0, 12.0)))
        self._spoken.append((at, at, line._replace(entry=entry)))

    def _write(self, at: float, session: Session, what: str, **fields: object) -> None:
        self._audit.append((at, len(self._audit), session, what, fields))
        session.last = max(session.last, at)

    def _exec(self, session: Session, at: float) -> None:
        self._write(at, session, "execute", pid=8000, ses=session.ses, auid=session.auid, command=["ls", "x"])

    def _session(self, pid: int, auid: int, person: Optional[str], ssh: bool = True) -> Session:
        session = Session(self._number(), pid, auid, person, ssh)
        self.sessions.append(session)
        return session

    def _take_number(self, session: Session, opened: float) -> None:
        """The number of a session of which nothing more is heard."""
        quiet = [s for s in self.sessions if s.last and s.last + 0.1 < opened and s.replaced_by is None and s.root is s]
        heard = {s.root for s in self.sessions if s.last + 0.1 >= opened}
        old = next((s for s in quiet if s not in heard), None)
        if old is not None:
            session.ses, old.replaced_by = old.ses, session

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _someone(self) -> Optional[Session]:
        known = [s for s in self.sessions if s.ssh and s.root is s and s.replaced_by is None]
        return self._chance.choice(known) if known else None

    def _pid(self, start: float, end: float) -> int:
        """A free one, if possible one that somebody had."""
        stepped = any(change < 0 and at - 60 < start < at + 60 for at, change in self._steps)
        free = [pid for pid in POOL if self._free[pid] + REUSE <= start and self._hands_off.get(pid, 0) <= start]
        fresh = [pid for pid in free if not self._free[pid]] if stepped else free
        pid = self._chance.choice(fresh) if fresh else 9000 + self._number()
        self._free[pid] = max(self._free.get(pid, 0.0), end)
        return pid

    def _real(self, at: float) -> float:
        return EPOCH + at + sum(change for since, change in self._steps if since <= at)

    def _pause(self, probability: float, longest: float) -> tuple[float, float]:
        if not self._flip(probability):
            return 0.0, 0.0
        start = 1000 + 15 * self._chance.random()
        return start, start + longest * self._chance.random()

    @staticmethod
    def _paused(at: float, pause: tuple[float, float]) -> float:
        return pause[1] if pause[0] <= at < pause[1] else at

    def _flip(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _settle(self) -> None:
        """Put everything in the order in which it is read, and remember the truth beside it."""
        for _, read_at, line in sorted(self._spoken, key=lambda spoken: spoken[:2]):
            if self.stalls[0][0] <= read_at < self.stalls[0][1]:
                read_at = self.stalls[0][1]
            self.lines.append(line._replace(read_at=read_at))
        self.lines.sort(key=lambda line: line.read_at)
        self._write_records()

    def _write_records(self) -> None:
        serial, last = 100, 0.0
        for at, _, session, what, fields in sorted(self._audit, key=lambda written: written[:2]):
            serial += 1
            milliseconds = int(self._real(at) * 1000)
            stamp = f"{milliseconds // 1000}.{milliseconds % 1000:03d}:{serial}"
            last = max(last, self._paused(at + 0.001 + 0.01 * self._chance.random(), self._auditd))
            if what == "login" and fields.get("res", 1) == 1:
                session.time_ms, session.read_at = milliseconds, last
                session.alive = (last, float("inf"))
            elif what == "user" and fields["pid"] == session.pid:
                session.alive = (session.alive[0], last)
            write = {"login": records.login, "execute": records.execute, "user": records.user}[what]
            lines = write(stamp, **fields)  # type: ignore[operator]
            self.records.append((last, lines))
            if self._flip(0.03):
                self.records.append((last + self._chance.random(), lines))
            self.done.append(Done(stamp, session, last))
