# SPDX-License-Identifier: Apache-2.0
"""A made-up host with real logins and every attack of A1 to A14, from a seed; it knows who did what.

What it assumes of the world, since no input could show otherwise:
* A pid comes round in 0.6 s at the earliest (a whole second was measured).
* A pid whose acceptance led to no LOGIN is used again for an sshd within half a minute only if sshd logged the end of
  the connection, and that line is in the journal by the time.
* A perfect forgery (root of the host, who can send with any process's credentials) stands beside the true line, which
  is there in time; whoever can also hold back the true line can be anybody.
* Beside a password such a forger can put a certificate's "Partial" line, which nothing denies: on these hosts he does
  not.
* Within a minute of a clock that steps back no pid comes round: dates are then no order of events.
* What a container writes into the audit trail (CAP_AUDIT_WRITE) is not worth a name, unless the operator says so
  (`audit_identity`): on such hosts no container does.
"""

from __future__ import annotations

import base64
import hashlib
import random
from typing import NamedTuple, Optional

from . import records
from .chronicle import Chronicle, Line, Session

COMPANY, OWN = "SHA256:Company", "SHA256:Mallory"
PEOPLE = ("alice@example.org", "bob@example.org", "carol (serial 1) CA ED25519 SHA256:Company", "mallory@example.org")
ACCOUNTS = (1000, 1001)
GONE = 31.0
"""Until an acceptance is out of every window."""


class Key(NamedTuple):
    """What a person shows sshd, and what sshd makes of it."""

    text: str
    port: int
    named: Optional[str]
    """Whom the line names if it is believed."""
    key_id: Optional[str] = None
    ca: Optional[str] = None


class World(Chronicle):
    """The host of one seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(random.Random(seed))
        self.units_required = self.flip(0.8)
        self.red_hat = self.flip(0.3)
        """Its sshd tells the audit trail of keys."""
        self.audit_identity = self.red_hat and self.flip(0.3)
        self._port = 40000
        self._now = 1000.0
        for _ in range(self.chance.randint(1, 5)):
            self._now += self.chance.choice((0.0, 0.02, 0.3, 1.0, 2.5, 7.0)) * self.chance.random()
            self._something()
        self.settle()

    def _something(self) -> None:
        kind = self.chance.random()
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
            for _ in range(3):
                self._imitations(self.chance.choice((100, 101, 102)), self._now + self.chance.random() * 5)

    # People

    def _login(self) -> None:
        """A person logs in and works; attacks on the way."""
        chance, start = self.chance, self._now
        auid = chance.choice(ACCOUNTS)
        lasts = chance.choice((0.05, 0.5, 3.0, 12.0)) * (0.5 + chance.random())
        slow = chance.choice((0.005, 0.01, 0.07, 0.07, 2.0, 20.0))
        opened = start + slow
        pid = self.pid(start - 0.4, opened + lasts)
        person = chance.choice(PEOPLE)
        key = self._key(person)
        parent = self.someone() if self.flip(0.1) else None
        session = self.session(pid, auid, key.named)
        if parent is None and self.flip(0.04):
            self.take_number(session, opened)
        self._lines(session, key, person, parent, start, slow)
        if self.flip(0.3):
            self._imitations(pid, start + chance.choice((-0.2, 0.001, slow)), quiet=start - 0.35)
        old = parent.ses if parent is not None else records.UNSET
        self.write(opened, session, "login", pid=pid, ses=session.ses, auid=auid, old_ses=old)
        self._work(session, opened, opened + lasts, monitor=pid)
        if self.flip(0.5):
            self.say(pid, opened + lasts, f"Connection closed by 192.0.2.7 port {key.port}", ends=True)

    def _lines(
        self, session: Session, key: Key, person: str, parent: Optional[Session], start: float, slow: float
    ) -> None:
        """What sshd, and whoever imitates it perfectly, says of a login."""
        pid = session.pid
        unit: Optional[str] = "ssh.service" if self.units_required else None
        fields: dict[str, object] = {"unit": unit}
        if parent is not None and self.units_required:
            # An sshd started by hand in that session: its lines prove nothing, its LOGIN bears the session as old-ses.
            fields = {"unit": f"session-{parent.ses}.scope", "audit_session": parent.ses}
        elif self.units_required and self.flip(0.05):
            fields = {"unit": f"session-{session.ses}.scope", "audit_session": session.ses}
        counts = parent is None or not self.units_required
        if self.flip(0.3):
            self.say(pid, start - 0.3, f"Failed password for core from 192.0.2.7 port {key.port} ssh2", ends=True)
        if self.red_hat:
            self._testify(pid, start - 0.05, key)
        stepped = any(start - 1 < at < start + slow + 1 for at, _ in self.steps)
        forged = parent is None and not stepped and self.flip(0.08)
        lost = not forged and self.flip(0.12)
        line = self.say(
            pid, start, key.text, counts=counts, person=key.named, timely=forged, lost=lost, **fields
        )  # fmt: skip
        if not lost and self.flip(0.1):
            self.again(line, forged)
        if key.key_id is None and counts and not stepped and not lost and self.flip(0.5):
            self._partial(session, key, person, start, line, fields)
        if forged:
            self._rival(session, key, start, slow, line, fields)

    def _partial(
        self, session: Session, key: Key, person: str, start: float, line: Line, fields: dict[str, object]
    ) -> None:
        """The account asks for two methods: the certificate stands in an earlier line."""
        first = self._key(person, certificate=True, port=key.port)
        text = first.text.replace("Accepted", "Partial", 1)
        if "unit" in fields and "audit_session" not in fields and first.named is not None:
            self.say(session.pid, start - 0.1, text, before=line, **fields)
            session.person, session.muddled = first.named, True

    def _rival(
        self, session: Session, key: Key, start: float, slow: float, line: Line, fields: dict[str, object]
    ) -> None:
        """A8: root forges an acceptance, or one method more, with the true monitor's credentials."""
        other = self._key(self.chance.choice(PEOPLE), port=key.port if self.flip(0.3) else None)
        at = start + slow * self.chance.random() * 0.9
        if other.port == key.port and key.named is not None and self.flip(0.5):
            self.say(session.pid, start - 0.1, other.text.replace("Accepted", "Partial", 1), before=line, **fields)
            session.muddled = True
        else:
            fields = {**fields, "unit": "ssh.service" if self.units_required else None, "audit_session": None}
            self.say(session.pid, at, other.text, counts=True, person=other.named, timely=True, **fields)

    def _work(self, session: Session, start: float, end: float, monitor: Optional[int]) -> None:
        chance = self.chance
        for _ in range(chance.randint(0, 3)):
            self._exec(session, start + (end - start) * chance.random())
        if self.flip(0.25):
            self._su(session, start + (end - start) * chance.random())
        if self.flip(0.2):
            self._try_to_leave(session, start + (end - start) * chance.random())
        if monitor is not None and self.flip(0.8):
            self.write(end, session, "user", kind="USER_END", pid=monitor, ses=session.ses, auid=session.auid)
        if self.flip(0.3):
            self._exec(session, end + chance.random() * 12)

    def _exec(self, session: Session, at: float) -> None:
        self.write(at, session, "execute", pid=8000, ses=session.ses, auid=session.auid, command=["ls", "x"])

    def _su(self, session: Session, at: float) -> None:
        """su with a session of its own: the same person's. It also ends, with a pid of its own."""
        heir = self.heir(session, self.chance.choice(ACCOUNTS))
        exe = self.chance.choice(("/usr/bin/su", "/usr/bin/login", "/usr/sbin/runuser"))
        self.write(at, heir, "login", pid=heir.pid, ses=heir.ses, auid=heir.auid, old_ses=session.ses, exe=exe)
        self._exec(heir, at + self.chance.random())
        self.write(at + 1.5, heir, "user", kind="USER_END", pid=heir.pid, ses=heir.ses, auid=heir.auid, exe=exe)

    def _try_to_leave(self, session: Session, at: float) -> None:
        """A5: a failed LOGIN is an action of the session; an unset one leads nowhere."""
        self.write(
            at, session, "login", pid=7000, ses=records.UNSET, auid=0, old_ses=session.ses, old_auid=session.auid,
            uid=1000, exe="/usr/bin/bash", res=0,
        )  # fmt: skip
        stranger = self.session(7001, self.chance.choice(ACCOUNTS), None, ssh=False)
        self.write(at + 0.1, stranger, "login", pid=7001, ses=stranger.ses, auid=stranger.auid, exe="/usr/bin/bash")
        self._exec(stranger, at + 0.2)

    # Others

    def _refused(self) -> None:
        """A7: an acceptance that leads to no session; its pid comes round."""
        pid = self.pid(self._now, self._now + 0.3)
        key = self._key(self.chance.choice(PEOPLE))
        unit = "ssh.service" if self.units_required else None
        self.say(pid, self._now, key.text, counts=True, person=key.named, timely=True, unit=unit)
        if self.red_hat:
            self._testify(pid, self._now - 0.05, key)
        if self.flip(0.7):
            denied = "fatal: Access denied for user core by PAM account configuration"
            end = self.chance.choice((denied, f"Connection closed by 192.0.2.7 port {key.port}"))
            self.say(pid, self._now + 0.2, end, ends=True, timely=True)
        else:
            self.hands_off[pid] = self._now + (150 if self.red_hat else GONE)

    def _container(self) -> None:
        """A3: root of a container, with the journal's socket and a LOGIN that looks like sshd's. A13: it may also write
        what only a Red Hat's sshd writes."""
        pid = self.pid(self._now, self._now + 5)
        for unit in ("docker-4f1c.scope", "containerd.service", None if self.units_required else "x.service"):
            if self.flip(0.7):
                self._forge(pid, self._now, unit=unit)
        if self.flip(0.5) and not self.audit_identity:
            self._testify(pid, self._now, self._key(self.chance.choice(PEOPLE), certificate=True))
        session = self.session(pid, self.chance.choice(ACCOUNTS), None)
        self.write(self._now + 0.01, session, "login", pid=pid, ses=session.ses, auid=session.auid)
        self._work(session, self._now + 0.02, self._now + 2, monitor=None)

    def _false_sshd(self) -> None:
        """A4: a process without rights calls itself sshd."""
        pid = self.pid(self._now, self._now + 3)
        self._imitations(pid, self._now)
        session = self.session(pid, self.chance.choice(ACCOUNTS), None, ssh=False)
        exe, uid = self.chance.choice(((records.SSHD, 1001), ("/tmp/sshd", 0), ("/home/x/sshd", 1001), (None, 0)))
        starter = self.someone() if self.flip(0.3) else None
        old = records.UNSET if starter is None else starter.ses
        self.write(
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
        self.write(
            self._now + 0.02, session, "user", kind="USER_START", pid=pid, ses=session.ses, auid=session.auid,
            acct='core" ses=3 auid=0 pid=100 exe="/usr/sbin/sshd',
        )  # fmt: skip
        self._exec(session, self._now + 1)

    def _job(self) -> None:
        """cron, systemd --user: of the account, nobody's."""
        pid = self.pid(self._now, self._now + 1)
        session = self.session(pid, self.chance.choice(ACCOUNTS), None, ssh=False)
        exe = self.chance.choice(("/usr/sbin/cron", "/usr/lib/systemd/systemd", "/usr/bin/login"))
        self.write(self._now, session, "login", pid=pid, ses=session.ses, auid=session.auid, exe=exe)
        for _ in range(self.chance.randint(0, 3)):
            self._exec(session, self._now + 10 * self.chance.random())

    # Lines and records

    def _imitations(self, pid: int, at: float, quiet: Optional[float] = None) -> None:
        """A9 to A11: what any user, any client, any container can get into the journal; `quiet`: when a client that has
        not logged in is at the other end of that process."""
        text = self._key(self.chance.choice(PEOPLE)).text
        which = self.chance.randrange(9)
        if which == 5:
            self.say(pid, at, f"pam_unix(sshd:auth): bad username [-\n{text}]")
        elif which == 6 and quiet is not None:
            self.say(pid, quiet, f"Received disconnect from 192.0.2.66 port 9:11: {text} [preauth]", ends=True)
        elif which == 7:
            self.say(pid, at, text, line_break=True)
        elif which == 8:
            self.say(pid, at, text, unit="session-3.scope", audit_session=3)
        else:
            senders = ({"exe": None}, {"uid": 1001}, {"uid": 1001, "exe": None}, {"exe": "/usr/bin/logger"})
            self._forge(pid, at, **(senders[which] if which < len(senders) else {"transport": "journal"}))

    def _forge(self, pid: int, at: float, **fields: object) -> None:
        text = self._key(self.chance.choice(PEOPLE)).text
        if self.flip(0.2):
            text = text.replace("Accepted", "Partial", 1)
        self.say(pid, at, text, **{"unit": "ssh.service", **fields})  # type: ignore[arg-type]

    def _key(self, person: str, certificate: bool = False, port: Optional[int] = None) -> Key:
        """A login of `person`'s, one of every kind."""
        if port is None:
            self._port += 1
            port = self._port
        head = f"for core from 192.0.2.7 port {port} ssh2"
        key = f"Accepted publickey {head}: ED25519-CERT {_fingerprint(port)} ID "
        kind = self.chance.random() * (0.85 if certificate else 1.0)
        if kind < 0.75:
            return Key(f"{key}{person} (serial 7) CA ED25519 {COMPANY}", port, person, person, COMPANY)
        if kind < 0.85:
            return Key(f"{key}{person} (serial 7) CA ED25519 {OWN}", port, None, person, OWN)
        if kind < 0.90:
            tail = f"{person} (serial 7) CA ED25519 {COMPANY}"
            padding = " " * (self.chance.choice((500, 501, 600)) - len(key) - len(tail))
            return Key(key + padding + tail, port, None, padding + person, OWN)
        if kind < 0.92:
            return Key(f"{key} (serial 7) CA ED25519 {COMPANY}", port, None, "", COMPANY)
        plain = f"Accepted publickey {head}: ED25519 {_fingerprint(port)}"
        return Key(self.chance.choice((f"Accepted password {head}", plain)), port, None)

    def _testify(self, pid: int, at: float, key: Key) -> None:
        """What Red Hat's sshd tells the audit trail before the LOGIN."""
        there = 'exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=? res=success'
        said = [
            (
                "CRYPTO_SESSION",
                f"op=start direction=from-client spid=9 suid=0 rport={key.port} laddr=? lport=22 {there}",
            )
        ]
        if "publickey" in key.text:
            digest = ":".join(f"{byte:02x}" for byte in _digest(key.port))
            said.append(("USER_AUTH", f'op=pubkey_auth grantors=auth-key acct="core" {there}'))
            said.append(("CRYPTO_KEY_USER", f"op=negotiate kind=auth-key fp=SHA256:{digest} {there}"))
        if key.key_id is not None and self.flip(0.7):
            name = records.text(key.key_id)
            issuer = f'cert_serial=7 cert_issuer_alg="ssh-ed25519" cert_issuer_fp="{key.ca}"'
            said.append(("USER_AUTH", f'op=cert key_id={name} {issuer} acct="core" {there}'))
        for number, (kind, text) in enumerate(said):
            self.write(at + number * 0.001, None, "spoken", kind=kind, pid=pid, said=text)


def _digest(port: int) -> bytes:
    return hashlib.sha256(str(port).encode()).digest()


def _fingerprint(port: int) -> str:
    return "SHA256:" + base64.b64encode(_digest(port)).decode().rstrip("=")
