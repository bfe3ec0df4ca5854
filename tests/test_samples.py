# SPDX-License-Identifier: Apache-2.0
"""Every rule has a real record that exercises it, and the table in the docs says which."""

from __future__ import annotations

from audisp_maldito import normalize, tables
from tests.events import events
from tests.samples import CORPUS, REPORT, report, samples


def test_every_rule_has_a_sample() -> None:
    types, calls = samples()
    assert set(tables.load("actions")["records"]) - set(types) == set()
    assert set(tables.load("actions")["calls"]) - set(calls) == set()


def test_no_sample_falls_to_the_default() -> None:
    words = {normalize.action(event).action for event in events((CORPUS / "formats.log").read_bytes())}
    assert not any(word.startswith(("recorded-", "triggered-")) for word in words)


def test_the_docs_say_so() -> None:
    """`/usr/bin/python3 -m tests.samples` writes them."""
    assert REPORT.read_text() == report()
