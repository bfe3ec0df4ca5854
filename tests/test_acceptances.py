# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audisp_maldito import acceptances as module
from audisp_maldito.acceptances import REMEMBER, SAME_PID, Acceptances, Sign
from audisp_maldito.session import Session

from .sessions import entry, login


def session(pid: int, time: float) -> Session:
    made = Session(5, 1000, None)
    made.pid, made.time_ms = pid, round(time * 1000)
    return made


def persons(store: Acceptances, pid: int, time: float) -> list[str]:
    return [a.login.key_id or "" for a in store.openers(session(pid, time))]


def test_window() -> None:
    """Half a second after the LOGIN to thirty before it; of its own pid."""
    store = Acceptances()
    store.add(entry(71, 1000), login(), 0.0, None)

    found = [
        persons(store, pid, time) for pid, time in ((71, 999.5), (71, 999.499), (71, 1030), (71, 1030.001), (72, 1000))
    ]
    assert found == [["alice@example.org"], [], ["alice@example.org"], [], []]


def test_the_same_line_again() -> None:
    """By words, pid and about its time, whether a LOGIN took it or not."""
    store = Acceptances()
    first = store.add(entry(71, 1000), login(), 0.0, None)
    assert first is not None
    assert store.add(entry(71, 1000), login(), 0.0, None) is None
    assert store.add(entry(71, 1000.1), login(), 0.0, None) is None
    first.taken = True
    assert store.add(entry(71, 1000), login(), 0.0, None) is None
    assert store.add(entry(71, 1010), login(), 0.0, None) is None
    assert store.add(entry(71, 1030.1), login(), 0.0, None) is not None
    assert store.add(entry(71, 1010), login("bob@example.org"), 0.0, None) is not None
    assert store.add(entry(72, 1010), login(), 0.0, None) is not None


def test_lines_without_time_are_never_the_same() -> None:
    store = Acceptances()

    assert store.add(entry(71, 0), login(), 0.0, None) is not None
    assert store.add(entry(71, 0), login(), 0.0, None) is not None
    assert len(store) == 2


@pytest.mark.parametrize("first", ["sign", "acceptance"])
def test_signs_count_in_any_order(first: str) -> None:
    """A sign between acceptance and LOGIN rules it out; one before the acceptance or after the LOGIN does not."""
    store = Acceptances()

    def add() -> None:
        store.add(entry(71, 1000), login(), 0.0, None)

    def signs() -> None:
        for microseconds in (999_000_000, 1000_000_000, 1005_000_000, 1010_000_000):
            store.ended(71, Sign(microseconds), 0.0)
        store.ended(72, Sign(1001_000_000), 0.0)
        store.ended(71, Sign(1001_000_000, ("192.0.2.7", "5")), 0.0)

    for step in (signs, add) if first == "sign" else (add, signs):
        step()
    assert persons(store, 71, 1004.999) == ["alice@example.org"]
    assert persons(store, 71, 1005) == []


def test_a_line_about_another_connection_is_a_sign() -> None:
    """Whatever it says, its process is not the one that accepted ours; about the same connection it says nothing."""
    store = Acceptances()
    store.add(entry(71, 1000), login(), 0.0, None)
    store.ended(71, Sign(1001_000_000, ("192.0.2.7", "5")), 0.0)
    assert persons(store, 71, 1002) == ["alice@example.org"]
    store.ended(71, Sign(1001_000_000, ("192.0.2.7", "6")), 0.0)
    assert persons(store, 71, 1002) == []


def test_old_ones_are_forgotten() -> None:
    """By the time they were read at; acceptances and signs alike."""
    store = Acceptances()
    store.add(entry(71, 1000), login(), 10.0, None)
    store.ended(80, Sign(1), 10.0)

    assert store.outdated(10.0 + REMEMBER - 1) == []
    assert len(store.outdated(10.0 + REMEMBER)) == 1
    assert len(store) == 0
    store.ended(81, Sign(2), 10.0 + REMEMBER)
    store.add(entry(80, 0.0000005), login(), 10.0 + REMEMBER, None)
    assert persons(store, 80, 0.001) == ["alice@example.org"]


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, and are handed back so that they can be told."""
    monkeypatch.setattr(module, "ACCEPTANCES", 3)
    monkeypatch.setattr(module, "SIGNS", 3)
    store = Acceptances()
    for pid in range(10):
        store.add(entry(pid, 1000), login(), 0.0, None)
        store.ended(pid + 100, Sign(1), 0.0)

    assert [a.pid for a in store.outdated(0.0)] == list(range(7))
    assert len(store) == 3
    store.add(entry(109, 0), login(), 0.0, None)
    store.add(entry(100, 0), login(), 0.0, None)
    assert (persons(store, 109, 0.001), persons(store, 100, 0.001)) == ([], ["alice@example.org"])


def test_rivals() -> None:
    """Different words of one process at one time; not those that a LOGIN took, or that ended."""
    store = Acceptances()
    alice = store.add(entry(71, 1000), login(), 0.0, None)
    assert alice is not None and store.rivals(alice) == []
    bob = store.add(entry(71, 1010), login("bob@example.org"), 0.0, None)
    far = store.add(entry(71, 1041), login("carol@example.org"), 0.0, None)
    assert bob is not None and far is not None

    assert store.rivals(alice) == [alice, bob]
    bob.taken = True
    assert store.rivals(alice) == []
    assert store.rivals(far) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, ("192.0.2.7", "5"), ("192.0.2.8", "6")]))))
def test_the_first_sign_after_it_ends_an_acceptance(said: list[tuple[int, Optional[tuple[str, str]]]]) -> None:
    """Whichever are read before it and which after."""
    ends = [time for time, connection in said if time > 4 and connection != ("192.0.2.7", "5")]
    for before in range(len(said) + 1):
        store = Acceptances()
        for index in range(len(said) + 1):
            if index == before:
                acceptance = store.add(entry(71, 4e-6), login(), 0.0, None)
            if index < len(said):
                store.ended(71, Sign(*said[index]), 0.0)
        assert acceptance is not None
        assert acceptance.ended_us == min(ends, default=None)
    store.ended(1, Sign(0), REMEMBER)
    assert list(store._signs_of) == [1]


def test_one_pid_is_bounded() -> None:
    """It comes round in a second at best; the oldest of more are handed out to be told."""
    store = Acceptances()
    added = [store.add(entry(71, 1000 + n), login(str(n)), 0.0, None) for n in range(SAME_PID + 2)]
    assert store.outdated(0.0) == added[:2]
    assert len(store) == SAME_PID
    assert store.outdated(0.0) == []


def test_time_is_in_proportion() -> None:
    """However much one pid has said: a log of one process's may be as long as it likes."""

    def seconds(count: int) -> float:
        store = Acceptances()
        started = time.perf_counter()
        for n in range(count):
            store.ended(71, Sign(2 * n), 0.0)
            store.add(entry(71, (2 * n + 1) / 1e6), login(str(n)), 0.0, None)
            store.outdated(0.0)
        return time.perf_counter() - started

    small, large = min(seconds(500) for _ in range(3)), min(seconds(4000) for _ in range(3))
    assert large < 8 * 4 * small + 0.01
