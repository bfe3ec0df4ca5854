# SPDX-License-Identifier: Apache-2.0
"""Which "Partial …" lines belong to an acceptance. What follows from them is told in tests/scenarios/multi-factor*."""

from __future__ import annotations

from typing import Any

import pytest

from audisp_maldito import partials as module
from audisp_maldito.acceptances import Acceptances, Sign
from audisp_maldito.model import Login
from audisp_maldito.partials import Partials

from .sessions import entry


def line(text: str = "one", **fields: Any) -> Login:
    return Login("partial", "partial", text, **{"user": "core", "source": "192.0.2.7", "port": "5", **fields})


def taken(store: Partials, signs: list[Sign] | None = None, time: float = 1010.0, **fields: Any) -> list[str]:
    acceptances = Acceptances()
    for sign in signs or []:
        acceptances.ended(71, sign, 0.0)
    return [login.text for login in store.take(entry(71, time), line("accepted", **fields), acceptances)]


def made(*texts: str, time: float = 1000.0) -> Partials:
    store = Partials()
    for text in texts:
        store.add(entry(71, time), line(text))
    return store


def test_they_are_told_in_order_and_once() -> None:
    store = made("one", "two", "one")
    assert taken(store) == ["one", "two"]
    assert taken(store) == []


@pytest.mark.parametrize("fields", [{"user": "root"}, {"source": "192.0.2.8"}, {"port": "6"}])
def test_of_the_same_connection_only(fields: dict[str, str]) -> None:
    assert taken(made("one"), **fields) == []


@pytest.mark.parametrize(("time", "expected"), [(999.4, []), (999.6, ["one"]), (1150.0, ["one"]), (1150.1, [])])
def test_of_about_that_time(time: float, expected: list[str]) -> None:
    assert taken(made("one"), time=time) == expected


@pytest.mark.parametrize(
    ("sign", "expected"),
    [
        (Sign(1_005_000_000), []),
        (Sign(1_005_000_000, undecided=True), ["one"]),
        (Sign(1_005_000_000, ("192.0.2.7", "5")), ["one"]),
        (Sign(1_005_000_000, ("192.0.2.7", "6")), []),
        (Sign(999_000_000), ["one"]),
        (Sign(1_011_000_000), ["one"]),
        # its own LOGIN, by the kernel's coarser clock, read before the acceptance
        (Sign(1_009_990_000), ["one"]),
        (Sign(1_009_400_000), []),
    ],
)
def test_nothing_may_have_ended_the_process_between(sign: Sign, expected: list[str]) -> None:
    assert taken(made("one"), [sign]) == expected


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIDS", 2)
    monkeypatch.setattr(module, "PER_PID", 2)
    store = made("one", "two", "three")
    store.add(entry(72), line())
    assert taken(store) == ["two", "three"]
    store = made("one")
    for pid in (72, 73):
        store.add(entry(pid), line())
    assert taken(store) == []
