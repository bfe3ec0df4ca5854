# SPDX-License-Identifier: Apache-2.0
"""The tracker's limits and promises to its caller. What it decides, and why, is told in tests/scenarios."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from audisp_maldito import held
from audisp_maldito import tracker as module
from audisp_maldito.session import ActionTold, Candidates, IdentityTold, LoginMissing, LoginTold, Session, Told
from audisp_maldito.sessions import CANDIDATES
from audisp_maldito.tracker import Tracker
from audisp_maldito.trust import Policy

from .sessions import action, entry, login, opening

CRON = "/usr/sbin/cron"


def kinds(told: list[Told]) -> list[str]:
    return [type(one).__name__ for one in told]


def actions(told: list[Told]) -> list[int]:
    return [one.action.serial for one in told if isinstance(one, ActionTold)]


def bound(tracker: Tracker, ses: int, pid: int, now: float = 1000.0, auid: int = 1000) -> None:
    tracker.accepted(entry(pid, now), login(), now)
    tracker.done(opening(ses, pid, now, auid=auid), now)
    tracker.journal_read(now + 1, now + 1)
    assert tracker.stats()["sessions_waiting"] == 0


def test_hold_is_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the cap everything held flows, nameless and in order; a later name is told of, and binds what follows."""
    monkeypatch.setattr(held, "HELD_ACTIONS", 10)
    tracker = Tracker(Policy())
    told = tracker.done(opening(5, 71, serial=1), 1000.0)
    for serial in range(2, 12):
        told += tracker.done(action(5, serial=serial), 1000.0)

    assert actions(told) == list(range(1, 12))
    assert actions(tracker.done(action(5, serial=12), 1000.0)) == [12]
    assert tracker.stats()["holds_overflowed"] == 1
    assert (tracker.stats()["held_actions"], tracker.stats()["held_bytes"]) == (0, 0)

    tracker.accepted(entry(71), login(), 1000.5)
    named = tracker.journal_read(1001.0, 1001.0)
    assert kinds(named) == ["LoginTold", "IdentityTold"]
    assert isinstance(named[1], IdentityTold)
    assert (named[1].session.first_nameless, named[1].session.last_nameless) == ("1000.000:1", "1000.000:12")


def test_hold_is_bounded_by_bytes() -> None:
    """Two long command lines of 8 MiB are enough."""
    tracker = Tracker(Policy())
    tracker.done(opening(5, 71), 1000.0)
    told = [tracker.done(action(5, serial=n, size=8 << 20), 1000.0) for n in range(2, 4)]

    assert actions(told[0]) == []
    assert actions(told[1]) == [1, 2, 3]


def test_hold_of_another_session_is_let_go_too() -> None:
    """The memory is one; whoever fills it, everybody's actions come out, none is lost."""
    tracker = Tracker(Policy())
    tracker.done(opening(5, 71, serial=1), 1000.0)
    tracker.done(opening(6, 72, serial=2), 1000.0)
    told = tracker.done(action(6, serial=3, size=20 << 20), 1000.0)

    assert sorted(actions(told)) == [1, 2, 3]


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was quiet longest is forgotten, counted; a session that speaks stays."""
    monkeypatch.setattr(module, "SESSIONS", 10)
    tracker = Tracker(Policy())
    bound(tracker, 1, 71)
    for ses in range(2, 30):
        tracker.done(action(1), 1002.0)
        tracker.done(opening(ses, 100 + ses, exe=CRON, auid=1), 1002.0)

    assert tracker.stats()["sessions"] == 10
    assert tracker.stats()["sessions_evicted"] == 19
    assert tracker.is_ssh(1)


def test_those_alive_are_forgotten_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """However quiet one is: whoever logs in and out, or has a crontab, does not take its name. Before them go heirs."""
    monkeypatch.setattr(module, "SESSIONS", 30)
    tracker = Tracker(Policy())
    bound(tracker, 1, 71)
    tracker.done(opening(2, 72, exe="/usr/bin/su", old_ses=1), 1002.0)
    for ses in range(10, 60):
        bound(tracker, ses, 100 + ses)
        tracker.done(action(ses, kind="USER_END", pid=100 + ses), 1002.0)
        tracker.done(opening(100 + ses, 300 + ses, exe=CRON), 1002.0)
    assert [tracker.is_ssh(ses) for ses in (1, 2, 10)] == [True, True, False]
    assert tracker.stats()["sessions_evicted_alive"] == 0

    for ses in range(200, 229):
        bound(tracker, ses, 300 + ses)
    assert [tracker.is_ssh(ses) for ses in (1, 2, 200)] == [True, False, True]
    bound(tracker, 300, 900)
    assert not tracker.is_ssh(1)
    assert tracker.stats()["sessions_evicted_alive"] == 1


def test_who_is_forgotten_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not when the garbage collector comes: it comes the later, the more there is."""
    monkeypatch.setattr(module, "SESSIONS", 10)
    tracker = Tracker(Policy())
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, Session) for one in gc.get_objects())
        for ses in range(100):
            bound(tracker, ses, 100 + ses)
            tracker.done(action(ses, kind="USER_END", pid=100 + ses), 1002.0)
        assert sum(isinstance(one, Session) for one in gc.get_objects()) - before == 10
    finally:
        gc.enable()


def test_candidates_are_those_logged_in_now() -> None:
    """Kept from action to action, counted anew with each login, name and logout, and never more than are of use."""
    tracker = Tracker(Policy(trusted_cas=None))

    def candidates() -> Candidates:
        told = tracker.done(action(9), 1002.0)
        assert isinstance(told[-1], ActionTold)
        return told[-1].candidates

    assert candidates() == Candidates()
    for number in range(CANDIDATES + 1):
        tracker.accepted(entry(100 + number), login(f"person {number:02d}"), 1000.0)
        tracker.done(opening(100 + number, 100 + number), 1000.0)
        tracker.journal_read(1001.0, 1001.0)
        assert candidates() == (tuple(f"person {n:02d}" for n in range(number + 1))[:CANDIDATES], number >= CANDIDATES)
    tracker.done(action(100, kind="USER_END", pid=100), 1002.0)
    assert candidates() == (tuple(f"person {n:02d}" for n in range(1, CANDIDATES + 1)), False)


def test_a_session_costs_little_once_it_is_over() -> None:
    """Its acceptance cannot be contradicted any more, its processes say no more than that it is over."""
    tracker = Tracker(Policy(trusted_cas=None))
    cost = []
    tracemalloc.start()
    for ses in range(3000):
        now = 1000.0 + ses
        line = login(f"person {ses} with a key id of some length", source=f"192.0.2.{ses}", port=f"5{ses}")
        tracker.accepted(entry(ses, now, message=line.text), line, now)
        tracker.done(opening(ses, ses, now), now)
        tracker.done(action(ses, now), now)
        tracker.journal_read(now + 1, now + 1)
        tracker.done(action(ses, now, kind="USER_END", pid=ses), now)
        cost.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert (cost[-1] - cost[1000]) / 2000 < 2200
    (told,) = tracker.done(action(7, 5000.0), 5000.0)
    assert isinstance(told, ActionTold) and told.session.acceptance is not None
    assert (told.session.acceptance.login.source, told.detached) == ("192.0.2.7", True)
    assert told.session.acceptance.who.person == "person 7 with a key id of some length"


def test_undecided_sessions_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their held actions would be lost. If there is nothing else they go too: no input makes it raise."""
    monkeypatch.setattr(module, "SESSIONS", 10)
    tracker = Tracker(Policy())
    told: list[Told] = []
    told += tracker.done(opening(1, 71, serial=1, exe=CRON, auid=1), 1000.0)
    for ses in range(2, 40):
        told += tracker.done(opening(ses, 100 + ses, serial=ses), 1000.0)
    told += tracker.tick(1005.0)

    assert sorted(actions(told)) == list(range(1, 40))
    assert tracker.stats()["held_actions"] == 0


def test_many_logins_of_one_pid() -> None:
    """A hostile stream costs time linear in its length, and memory within the limits."""
    tracker = Tracker(Policy())
    told: list[Told] = []
    for ses in range(2000):
        told += tracker.done(opening(ses, 71, 1000 + ses / 1000, serial=ses), 1000.0)
    told += tracker.close()

    assert len([one for one in told if isinstance(one, LoginMissing)]) == 2000
    assert sorted(actions(told)) == list(range(2000))


def test_deadline() -> None:
    """When the loop must turn although nothing comes in: to decide, to give up, to tell an acceptance."""
    tracker = Tracker(Policy())
    assert tracker.deadline(1000.0) is None

    tracker.done(opening(5, 71), 1000.0)
    assert tracker.deadline(1000.0) == 1001.0
    assert tracker.deadline(1001.0) == 1005.0
    tracker.tick(1005.0)
    assert tracker.deadline(1005.0) is None

    tracker.accepted(entry(72, 1006), login(), 1006.0)
    assert tracker.deadline(1006.0) == 1011.0
    tracker.tick(1011.0)
    assert tracker.deadline(1011.0) is None


def test_journal_wanted() -> None:
    """From a second after a LOGIN until the journal was read to an end that was looked for then."""
    tracker = Tracker(Policy())
    tracker.accepted(entry(71), login(), 1000.0)
    tracker.done(opening(5, 71), 1000.0)

    assert not tracker.journal_wanted(1000.9)
    assert tracker.journal_wanted(1001.0)
    assert tracker.journal_read(1000.9, 1001.1) == []
    assert tracker.journal_wanted(1001.1)
    assert kinds(tracker.journal_read(1001.0, 1001.2)) == ["LoginTold", "ActionTold"]
    assert not tracker.journal_wanted(1001.3)


def test_journal_read_long_ago_decides_nothing() -> None:
    """What counts is when the end was looked for, not when it was found."""
    tracker = Tracker(Policy())
    tracker.journal_read(1000.9, 1000.9)
    tracker.accepted(entry(71), login(), 1000.0)
    tracker.done(opening(5, 71), 1000.0)

    assert tracker.tick(1003.0) == []


def test_is_ssh() -> None:
    """An SSH session and its heirs; nothing else."""
    tracker = Tracker(Policy())
    bound(tracker, 5, 71)
    tracker.done(opening(6, 80, exe="/usr/bin/su", old_ses=5), 1002.0)
    tracker.done(opening(7, 81, exe=CRON), 1002.0)

    assert [tracker.is_ssh(ses) for ses in (5, 6, 7, 8)] == [True, True, False, False]


def test_events_without_a_session_are_nothing() -> None:
    assert Tracker(Policy()).done(action(None), 1000.0) == []


def test_close_decides_everything() -> None:
    """Held actions, acceptances without a LOGIN: at the end of input nothing is left."""
    tracker = Tracker(Policy())
    tracker.done(opening(5, 71, serial=1), 1000.0)
    tracker.accepted(entry(72), login("bob@example.org"), 1000.0)
    told = tracker.close()

    assert kinds(told) == ["LoginMissing", "ActionTold", "LoginTold"]
    assert tracker.stats()["sessions_waiting"] == tracker.stats()["held_actions"] == 0
    assert tracker.close() == []


def test_an_acceptance_is_told_once() -> None:
    """Five seconds after its line without a LOGIN, and not again when the LOGIN comes after all."""
    tracker = Tracker(Policy())
    tracker.accepted(entry(71, 1000), login(), 1000.0)
    alone = tracker.tick(1005.0)
    tracker.done(opening(5, 71, 1006), 1006.0)
    late = tracker.journal_read(1007.0, 1007.0)

    assert kinds(alone) == ["LoginTold"]
    assert kinds(late) == ["ActionTold"]
    assert isinstance(alone[0], LoginTold) and isinstance(late[0], ActionTold)
    assert late[0].session.acceptance is alone[0].acceptance
