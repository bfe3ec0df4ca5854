# SPDX-License-Identifier: Apache-2.0
"""Bytes and journal entries in, documents out.  Pure: no clock, no file, no log, no thread.

    bytes -> Assembler -Event-> normalize, redact -Action-> tracker -told-> auditevent -document-> jsonline
    SshdEntry -> trust, sshd -Login-> tracker (acceptances), attempts (everything else)

`now` is any clock that only moves on: the loop's monotonic one, or the recording's own time in a replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Optional

from . import normalize, sshd, testimony
from ._native import Assembler, Event
from .attempts import Attempts, FailedLogin
from .auditevent import Author
from .fit import fitted
from .ledger import Ledger
from .model import Action, Login, Loss, SshdEntry
from .particulars import Document
from .recent import Recent
from .redact import Redaction
from .saved import Change, Recovered
from .session import NOBODYS, LoginMissing, LoginTold, Told
from .tracker import Tracker
from .trust import CLAIMS, Grade, Policy, grade

NOTICES = 100
"""Lines for our own log kept between two calls of `notices`; they are rate-limited again where they are written."""

UNLIKELY = 1000
"""Serials that are not left out between two events of sessions on most hosts: only then it is worth a look at the type."""


class Engine:
    """Everything that is known of one boot of one host."""

    def __init__(self, policy: Policy, *, boot_id: Optional[str] = None, assembler: Optional[Assembler] = None) -> None:
        self._policy = policy
        self._assembler = assembler or self._new_assembler()
        self._tracker = Tracker(policy)
        self._attempts = Attempts()
        self._author = Author(policy, boot_id)
        self._redaction = _redaction(policy)
        self._seq = self._seq_saved = 0
        self._low_saved: Optional[str] = None
        self._last_ms = 0
        self._notices: list[tuple[str, str]] = []
        self._ledger: Optional[Ledger] = None
        self._written: frozenset[str] = frozenset()
        self._apart: frozenset[str] = frozenset()
        self._began: set[Optional[str]] = set()
        self._again: list[str] = []
        self._kernel_lost = 0
        self._lost_until = "unknown"
        self.recent = Recent()
        """Which events of sessions were seen, as far as a ledger is kept."""
        self._counts = dict.fromkeys(
            ("documents", "actions", "sshd_entries", "sshd_entries_unreadable", "sshd_entries_other", "forgeries",
             "events_repeated", "logins_untrusted_ca", "logins_cut", "testimonies", "gaps", "events_lost"), 0)  # fmt: skip

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """Audit records as auditd writes them, in chunks of any size."""
        return self.events(self._assembler.feed(data, now), now)

    def events(self, events: Iterable[Event], now: float) -> list[bytes]:
        """Events already assembled, in the order in which they shall be told."""
        told: list[Told] = []
        documents: list[bytes] = []
        for event in events:
            if self._ledger is not None and self._is_known(event):
                continue
            if event.late:
                documents += self._write(told) + self._late(event)
                told = []
                continue
            if event.session is None:
                evidence = testimony.read(event)
                if evidence is not None:
                    self._counts["testimonies"] += 1
                    self._tracker.testified(evidence)
                    if self._ledger is not None:
                        self._ledger.testified(evidence.pid)
            told += self._event(self._redaction.apply(normalize.action(event)), now)
        return documents + self._write(told)

    def sshd(self, entry: SshdEntry, now: float) -> list[bytes]:
        """One journal entry that may be sshd's."""
        self._counts["sshd_entries"] += 1
        text = entry.message
        if (entry.pid is None and entry.pid_text is None) or text is None or entry.line_break:
            self._counts["sshd_entries_unreadable"] += 1
            return []
        if self._ledger is not None:
            self._ledger.heard(entry.pid)
        login = sshd.parse(text, entry.size)
        if login is not None and login.key_id is not None and entry.stripped:
            login = sshd.parse(text, max(entry.size, sshd.CUT_BYTES))
        worth = Grade.ACCEPTANCE if self._policy.untimed else grade(entry, self._policy)
        if login is None:
            self._counts["sshd_entries_other"] += 1
            if text.startswith("fatal: ") and worth not in (Grade.FORGED, Grade.CHILD):
                self._tracker.heard(entry, None, now)
            return []
        proves = login.kind in ("accepted", "partial")
        if worth in (Grade.FORGED, Grade.CHILD) or (proves and worth is Grade.REFUSAL):
            if login.kind in CLAIMS:
                self.forged(entry.uid, entry.exe, 1)
            return []
        if login.kind == "accepted":
            if entry.pid is None:
                self._counts["sshd_entries_unreadable"] += 1
                return []
            scope = entry.audit_session if worth is Grade.SCOPED else None
            return self._failed(self._attempts.take(entry, login, now)) + self._write(
                self._tracker.accepted(entry, login, now, scope)
            )
        if login.kind == "partial" and worth is Grade.ACCEPTANCE:
            self._tracker.partial(entry, login)
        self._tracker.heard(entry, login, now)
        return [] if entry.past else self._failed(self._attempts.take(entry, login, now))

    def forged(self, uid: Optional[int], exe: Optional[str], count: int) -> None:
        """`count` entries that look like sshd's and are not."""
        self._counts["forgeries"] += count
        by = "an unknown uid" if uid is None else f"uid {uid}"
        self._notice(f"forged {uid}", f"journal lines that imitate sshd, by {by}, program {exe!r:.100}")

    def journal_read(self, at: float, now: float) -> list[bytes]:
        """The journal was read to its end, an end that was looked for at `at`."""
        return self._write(self._tracker.journal_read(at, now))

    def journal_wanted(self, now: float) -> bool:
        """Does a LOGIN wait for nothing but the journal's being read to its end?"""
        return self._tracker.journal_wanted(now)

    def tick(self, now: float) -> list[bytes]:
        """What time alone decides, events that were never completed included."""
        return self.events(self._assembler.expire(now), now) + self.ripe(now)

    def ripe(self, now: float) -> list[bytes]:
        """What time alone decides of logins and sessions."""
        self.recent.age(now)
        return self._write(self._tracker.tick(now)) + self._failed(self._attempts.tick(now))

    def deadline(self, now: float) -> Optional[float]:
        """When `tick` next has work that more input does not bring; None if never."""
        times = (self._tracker.deadline(now), self._attempts.deadline(), self._assembler.deadline())
        return min((time for time in times if time is not None), default=None)

    def close(self, now: float) -> list[bytes]:
        """Both inputs are at their end."""
        return self.events(self._assembler.close(), now) + self.decide()

    def decide(self) -> list[bytes]:
        """Nothing more will come of this boot: tell everything, decided or not."""
        return self._write(self._tracker.close()) + self._failed(self._attempts.close())

    def end(self, now: float) -> list[bytes]:
        """The stream is at its end: what came of an event is all of it. Nothing else is decided by that."""
        return self.events(self._assembler.close(), now)

    def reconfigure(self, policy: Policy) -> None:
        """Another policy from now on, for what is read from now on; which events the assembler keeps stays as it
        was."""
        self._policy = policy._replace(sessions=self._policy.sessions)
        self._tracker.reconfigure(self._policy)
        self._author.reconfigure(self._policy)
        self._redaction = _redaction(self._policy)

    def lost(self, first: str, last: str, count: int, reason: str) -> list[bytes]:
        """Documents or events that could not be told, as a document: `first` and `last` are eventIds or times."""
        self._counts["gaps"] += 1
        self._counts["events_lost"] += count
        return self._encode([self._author.gap(first, last, count, reason, self._last_ms)])

    def lost_elsewhere(self, loss: Loss) -> list[bytes]:
        """What the journal says of the kernel's losses and its own."""
        first = self._lost_until
        self._lost_until = loss.time
        if loss.total is None:
            return self.lost(first, loss.time, loss.records, loss.reason)
        if loss.total <= self._kernel_lost:
            return []
        count, self._kernel_lost = loss.total - self._kernel_lost, loss.total
        return self.lost(first, loss.time, count, loss.reason)

    def keep_ledger(self) -> None:
        """Note from now on what changes."""
        self._ledger = Ledger(self._tracker.memory(), self._attempts)

    def changes(self) -> Change:
        """What has changed since the last call, for another process to go on with (saved.py)."""
        if self._ledger is None:
            return {}
        change = self._ledger.take()
        if self._again:
            change["told"], self._again = self._again, []
        if self.recent.low != self._low_saved:
            self._low_saved = change["low"] = self.recent.low
        if change or self._seq != self._seq_saved:
            self._seq_saved = change["seq"] = self._seq
        return change

    def whereabouts(self) -> Change:
        """How far it has come; what is held has not been told."""
        held = {action.id for session in self._tracker.memory().waiting for _, action in session.held}
        told = [one for one in self.recent.ids() if one not in held]
        return {"seq": self._seq, "low": self.recent.low, "told": told, "losses": [0.0, self._kernel_lost]}

    def everything(self) -> Iterator[Change]:
        """All of it, in slices."""
        return iter(()) if self._ledger is None else self._ledger.everything()

    def restore(self, recovered: Recovered, now: float) -> list[bytes]:
        """Go on where another process ended."""
        self._seq = recovered.seq
        self._kernel_lost = recovered.kernel_lost
        self._written = recovered.written
        self.recent.restore(recovered.low, recovered.told)
        recovered.saved.restore(self._tracker.memory(), self._attempts, now)
        self._watch_sessions()
        told: list[Told] = []
        for action in recovered.saved.held.values():
            self.recent.add(action.id, action.serial)
            told += self._did(action, now)
        return self._write(told)

    def recovered(self, events: Iterable[Event], now: float) -> list[bytes]:
        """Events that were missed, from the log."""
        apart, self._apart = self._apart, frozenset()
        documents = self.events(events, now)
        self._apart = apart
        return documents

    def began(self, logins: Iterable[Event], now: float) -> None:
        """LOGINs of sessions that began before anybody looked: to be known, not to be told."""
        for event in logins:
            action = normalize.action(event)
            if (
                action.start is not None
                and action.start.succeeded
                and self._tracker.memory().sessions.get(action.start.ses) is None
            ):
                self._began.add(action.id)
                self._tracker.began(action, now)

    def set_apart(self, ids: frozenset[str]) -> None:
        """Leave these events out when they come: they come from the log."""
        self._apart = ids

    def break_off(self) -> None:
        """The stream goes on somewhere else: what is not complete will not be."""
        self._assembler = self._new_assembler()
        self._watch_sessions()

    def _new_assembler(self) -> Assembler:
        return Assembler(keep="watched" if self._policy.sessions == "ssh" else "sessions", hold=True)

    def _watch_sessions(self) -> None:
        """All events of SSH sessions are wanted, even where no others are."""
        if self._policy.sessions == "ssh":
            for session in self._tracker.memory().sessions:
                if session.root.state is not NOBODYS:
                    self._assembler.watch(session.ses)

    def _is_known(self, event: Event) -> bool:
        """Was it seen, or is it to be left out?"""
        if event.id in self._apart:
            return True
        if event.session is None or event.late:
            return False
        if event.id in self.recent:
            self._counts["events_repeated"] += 1
            return True
        serial = event.serial
        if serial > self.recent.latest_serial + UNLIKELY and event.records[0].type.startswith("DAEMON_"):
            serial = 0  # auditd makes up the serials of its own records
        self.recent.add(event.id, serial)
        return False

    def stats(self) -> dict[str, int]:
        """Every counter, each under one name."""
        return {**self._assembler.stats(), **self._tracker.stats(), **self._attempts.stats(), **self._counts}

    def notices(self) -> list[tuple[str, str]]:
        """(key, line) for our own log since the last call; the key is what to limit the rate by."""
        notices, self._notices = self._notices, []
        return notices

    def _event(self, action: Action, now: float) -> list[Told]:
        self._last_ms = max(self._last_ms, action.time_ms)
        if action.session is None:
            return []
        return self._did(action, now)

    def _did(self, action: Action, now: float) -> list[Told]:
        assert action.session is not None
        self._counts["actions"] += 1
        told = self._tracker.done(action, now)
        if self._ledger is not None:
            self._ledger.acted(action)
        if action.start is not None and self._policy.sessions == "ssh" and not self._tracker.is_ssh(action.session):
            self._assembler.forget(action.session)
        return told

    def _late(self, event: Event) -> list[bytes]:
        """A record that came when its event's document had been made, which is what that document lacks."""
        ses = event.session
        if ses is None or (self._policy.sessions == "ssh" and not self._tracker.is_ssh(ses)):
            return []
        self._counts["gaps"] += 1
        reason = f"a {event.records[0].type} record came after its event was complete: its document lacks it"
        return self._encode([self._author.gap(event.id, event.id, 1, reason, event.time_ms)])

    def _failed(self, failures: list[FailedLogin]) -> list[bytes]:
        if self._ledger is not None:
            for failure in failures:
                self._ledger.failed(failure.pid)
        return self._encode([self._author.failed(f.entry, f.login, f.tries, f.after) for f in failures])

    def _write(self, told: list[Told]) -> list[bytes]:
        if self._ledger is not None:
            told = [one for one in told if not self._is_old(one)]
            self._ledger.told(told)
        for one in told:
            if isinstance(one, LoginTold):
                self._watch_login(one)
        return self._encode([self._author.write(one) for one in told])

    def _is_old(self, told: Told) -> bool:
        """Is it a login that nobody was there to tell of when it happened?"""
        if not isinstance(told, (LoginTold, LoginMissing)) or told.session is None:
            return False
        return told.session.event_id in self._began

    def _watch_login(self, told: LoginTold) -> None:
        login: Login = told.acceptance.login
        who = told.acceptance.who
        if told.contested:
            self._notice(f"contested {told.acceptance.pid}", f"contested login of {login.user!r:.100}: nobody is named")
        if "untrusted" in (who.ca_trust, *(factor.who.ca_trust for factor in told.acceptance.factors)):
            self._counts["logins_untrusted_ca"] += 1
            self._notice("untrusted ca", f"a certificate of an untrusted CA logged in as {login.user!r:.100}")
        if login.key_id_cut is not None:
            self._counts["logins_cut"] += 1

    def _encode(self, documents: list[Document]) -> list[bytes]:
        lines: list[bytes] = []
        for document in documents:
            extra: dict[str, Any] = document["metadata"]["extra"]
            if self._written and extra["eventId"] in self._written:
                self._again.append(extra["eventId"])
                continue
            self._seq += 1
            extra["seq"] = self._seq
            lines.append(fitted(document, extra, self._policy.max_document_bytes))
        self._counts["documents"] += len(lines)
        return lines

    def _notice(self, key: str, line: str) -> None:
        if len(self._notices) < NOTICES:
            self._notices.append((key, line))


def _redaction(policy: Policy) -> Redaction:
    return Redaction(policy.redact, not policy.typed_text, policy.redact_patterns)
