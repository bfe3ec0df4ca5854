# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audisp_maldito.stamp import identifier, rfc3339


@pytest.mark.parametrize(
    ("ticks", "per_second", "expected"),
    [
        (0, 1000, "1970-01-01T00:00:00Z"),
        (1795163855012, 1000, "2026-11-20T08:37:35.012Z"),
        (1795163855100, 1000, "2026-11-20T08:37:35.1Z"),
        (1795163855592379, 1_000_000, "2026-11-20T08:37:35.592379Z"),
        (1795163855000001, 1_000_000, "2026-11-20T08:37:35.000001Z"),
        (253402300799999, 1000, "9999-12-31T23:59:59.999Z"),
        (253402300800000, 1000, "9999-12-31T23:59:59Z"),
        (2**64, 1000, "9999-12-31T23:59:59Z"),
        (10**40, 1000, "9999-12-31T23:59:59Z"),
    ],
)
def test_rfc3339(ticks: int, per_second: int, expected: str) -> None:
    """As Go's RFC3339Nano: no trailing zeros; past the year 9999 the last second there is."""
    assert rfc3339(ticks, per_second) == expected


@settings(deadline=None)
@given(st.integers(0, 253402300799999))
def test_rfc3339_is_read_back(ticks: int) -> None:
    """No millisecond is lost or rounded."""
    text = rfc3339(ticks, 1000)
    whole, _, fraction = text[:-1].partition(".")
    seconds = int(datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp())

    assert seconds * 1000 + int((fraction + "000")[:3]) == ticks


def test_identifier_is_a_function_of_what_happened() -> None:
    """The same parts give the same UUIDv5; parts are not confused with each other's text."""
    assert identifier("boot", 1, "a") == identifier("boot", 1, "a")
    assert identifier("boot", 1, "a") != identifier("boot", 1, "b")
    assert uuid.UUID(identifier(None)).version == 5


def test_identifier_of_parts_with_the_separator() -> None:
    """A message chosen by an attacker does not take the identifier of another one."""
    assert identifier("boot", "a|b", "c") != identifier("boot", "a", "b|c")


def test_identifier_of_undecodable_text() -> None:
    """Bytes that are no UTF-8 stay different bytes."""
    assert identifier("\udcff") != identifier("\udcfe")
