# SPDX-License-Identifier: Apache-2.0
"""A small sample of `python3 -m tests.interleavings`, and the proof that it sees something: each defence that is taken
away makes it find a wrong name.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

from audisp_maldito import acceptances, engine, normalize, sshd, tracker, trust
from audisp_maldito.model import Login, SshdEntry
from audisp_maldito.session import Acceptance, Session, Told
from audisp_maldito.tracker import Tracker
from audisp_maldito.trust import Grade, Identity, Policy
from audisp_maldito.verdict import verdict as decide

from .interleavings import check
from .world import COMPANY, World

SAMPLE = range(1_000_000, 1_000_300)
MOST = 3000
"""Worlds within which a defence that is missing must be missed; most are within a hundred."""

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("seeds", [SAMPLE[n::3] for n in range(3)], ids=str)
def test_sample(seeds: range) -> None:
    """Not one action with a wrong name, and unknown only where the input holds no proof."""
    assert {seed: wrong for seed in seeds for wrong in [check(seed)[0]] if wrong} == {}


def test_a_seed_is_a_world() -> None:
    """What is reported can be looked at again."""
    one, same, other = World(7), World(7), World(8)

    assert (one.lines, one.records) == (same.lines, same.records)
    assert one.lines != other.lines


def believe_everybody(patch: pytest.MonkeyPatch) -> None:
    """A3, A10: any sender."""
    patch.setattr(engine, "grade", lambda *_: Grade.ACCEPTANCE)


def believe_root(patch: pytest.MonkeyPatch) -> None:
    """A3: any unit."""
    patch.setattr(engine, "grade", lambda entry, _: Grade.ACCEPTANCE if entry.uid == 0 else Grade.CHILD)


def believe_any_scope(patch: pytest.MonkeyPatch) -> None:
    """A line from session-3.scope for any session."""
    patch.setattr(
        engine,
        "grade",
        lambda entry, policy: {Grade.SCOPED: Grade.ACCEPTANCE}.get(
            trust.grade(entry, policy), trust.grade(entry, policy)
        ),
    )


def believe_any_ca(patch: pytest.MonkeyPatch) -> None:
    """A1."""
    patch.setattr(trust, "identity", lambda login, *_: Identity(login.key_id or None))


def believe_cut_lines(patch: pytest.MonkeyPatch) -> None:
    """A2."""
    patch.setattr(sshd, "CUT_BYTES", 10_000)
    patch.setattr(trust, "CUT_BYTES", 10_000)


def read_every_line_of_a_message(patch: pytest.MonkeyPatch) -> None:
    """A9."""
    parse = sshd.parse
    patch.setattr(sshd, "parse", lambda text, size: parse(text.rpartition("\n")[2].rstrip("]"), size))


def take_the_first_acceptance(patch: pytest.MonkeyPatch) -> None:
    """A8: nobody contests."""
    patch.setattr(tracker, "verdict", lambda session, found, policy: decide(session, found[:1], policy))


def take_the_last_acceptance(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tracker, "verdict", lambda session, found, policy: decide(session, found[-1:], policy))


def believe_the_audit_trail(patch: pytest.MonkeyPatch) -> None:
    """A13: whoever can write USER_AUTH records."""
    patch.setattr(
        tracker, "verdict", lambda session, found, policy: decide(session, found, policy._replace(audit_identity=True))
    )


def see_no_end(patch: pytest.MonkeyPatch) -> None:
    """A7: an acceptance waits for whoever gets its pid."""
    patch.setattr(acceptances, "_apply", lambda *_: None)


def take_any_time(patch: pytest.MonkeyPatch) -> None:
    """A7: an acceptance of any age."""
    patch.setattr(Acceptance, "opens", lambda self, session: not self.taken and self.scope in (None, session.ses))


def believe_any_login(patch: pytest.MonkeyPatch) -> None:
    """A4: whoever calls himself sshd."""
    start = normalize._start

    def believed(*records: Any) -> Any:
        made = start(*records)
        return (
            None
            if made is None
            else made._replace(uid=0, exe="/usr/sbin/sshd" if "sshd" in (made.exe or "sshd") else made.exe)
        )

    patch.setattr(normalize, "_start", believed)


def inherit_through_sshd(patch: pytest.MonkeyPatch) -> None:
    """A6: an sshd that was started by hand."""
    done = Tracker.done

    def inheriting(self: Tracker, action: Any, now: float) -> list[Told]:
        if action.start is not None and action.start.old_ses != 4294967295:
            action = action._replace(start=action.start._replace(exe="/usr/bin/su"))
        return done(self, action, now)

    patch.setattr(Tracker, "done", inheriting)


def find_the_last_login_of_a_pid(patch: pytest.MonkeyPatch) -> None:
    """A late acceptance opens whichever session of its pid is the last."""

    def opened_by(self: Tracker, acceptance: Acceptance) -> Optional[Session]:
        return next(iter(self._sessions.of_monitor(acceptance.pid)[-1:]), None)

    patch.setattr(Tracker, "_opened_by", opened_by)
    patch.setattr(Acceptance, "opens", lambda self, _: not self.taken)


def rename_at_will(patch: pytest.MonkeyPatch) -> None:
    """A bound session takes a later line."""
    accepted = Tracker.accepted

    def renaming(self: Tracker, entry: SshdEntry, login: Login, now: float, scope: Optional[int] = None) -> list[Told]:
        told = accepted(self, entry, login, now, scope)
        for session in self._sessions.of_monitor(entry.pid or 0):
            if session.acceptance is not None:
                session.acceptance.who = trust.identity(login, Policy(trusted_cas=frozenset([COMPANY])))
        return told

    patch.setattr(Tracker, "accepted", renaming)


def decide_at_once(patch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the second, contradicting line."""
    patch.setattr(tracker, "SETTLE", -1.0)


DEFENCES: list[tuple[Patch, str]] = [
    (believe_everybody, "WRONG NAME"),
    (believe_root, "WRONG NAME"),
    (believe_any_scope, "WRONG NAME"),
    (believe_any_ca, "WRONG NAME"),
    (believe_cut_lines, "WRONG NAME"),
    (read_every_line_of_a_message, "WRONG NAME"),
    (take_the_first_acceptance, "WRONG NAME"),
    (take_the_last_acceptance, "WRONG NAME"),
    (believe_the_audit_trail, "WRONG NAME"),
    (see_no_end, "WRONG NAME"),
    (take_any_time, "WRONG NAME"),
    (believe_any_login, "UserAction for SystemAction"),
    (inherit_through_sshd, "WRONG NAME"),
    (find_the_last_login_of_a_pid, "WRONG NAME"),
    (rename_at_will, "WRONG NAME"),
    (decide_at_once, "WRONG NAME"),
]


@pytest.mark.parametrize(("remove", "found"), DEFENCES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_missing_defence_is_found(remove: Patch, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the sample above would prove nothing."""
    remove(monkeypatch)

    assert any(found in wrong for seed in range(MOST) for wrong in check(seed)[0])
