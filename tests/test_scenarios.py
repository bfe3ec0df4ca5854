# SPDX-License-Identifier: Apache-2.0
"""Every text in tests/scenarios, with and without the filter in C: law 3 on each of them for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from audisp_maldito._native import Assembler

from .scenario import Scenario, ScenarioError

TEXTS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("keep", ["sessions", "all"])
def test_scenario(path: Path, keep: str) -> None:
    """All that comes out is what the text expects."""
    Scenario(path.read_text(), lambda: Assembler(keep=keep)).run()


def test_unexpected_document_fails() -> None:
    """A scenario that does not expect all documents is no proof."""
    text = "LOGIN pid=7 ses=3 exe=/usr/sbin/cron\nclose\n"

    with pytest.raises(AssertionError, match="SystemAction unknown ses=3"):
        Scenario(text).run()


def test_unexpected_mark_fails() -> None:
    """`contested`, `inherited` … are never passed over."""
    text = (
        "LOGIN pid=7 ses=3\nsshd[7]: Accepted password for core from 127.0.0.1 port 9 ssh2\n@+2\n"
        "> UserLogin unknown core 127.0.0.1:9 succeeded ses=3\n"
        "> UserAction unknown ses=3 changed-login-id-to 1000\nclose\n"
    )

    with pytest.raises(AssertionError, match="fromSelf"):
        Scenario(text).run()


def test_scenario_must_close() -> None:
    """What is held at the end would never be looked at."""
    with pytest.raises(ScenarioError, match="close"):
        Scenario("LOGIN pid=7 ses=3\n").run()
