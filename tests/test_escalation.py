# SPDX-License-Identifier: Apache-2.0
"""Two real sessions (tests/stack/escalation.py) in which somebody becomes others in every common way, with and
without a terminal: each command is known by its argument, and so is how it came to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest

from audisp_maldito import cli

from . import documents

RECORDINGS = Path(__file__).parent / "corpus" / "hosts" / "escalation"
SUDO, SU = "/usr/bin/sudo", "/usr/bin/su"
OWN: tuple[Optional[str], Optional[str]] = (None, None)
# The argument of /usr/bin/id -> the program that is said to have made it another user, and for which account.
EVERYWHERE = {
    "plain-before": OWN,
    "by-sudo": (SUDO, "root"),
    "by-sudo-as-another": (SUDO, "maldito-other"),
    "by-sudo-in-a-shell": (SUDO, "root"),
    "by-su-in-sudo": (SU, "maldito-other"),
    "back-again": OWN,
    "plain-after": OWN,
    "left-early": OWN,
    "left-behind": OWN,
    "plain-last": OWN,
}
EXPECTED = {
    "without-terminal": EVERYWHERE,
    "on-a-terminal": {
        **EVERYWHERE,
        "by-sudo-i": (SUDO, "maldito-other"),
        "in-a-subshell": (SUDO, "maldito-other"),
        "by-sudo-s": (SUDO, "maldito-other"),
        "by-sudo-env": (SUDO, "root"),
        "by-su": (SU, "maldito-other"),
    },
}


@pytest.fixture(params=EXPECTED)
def name(request: pytest.FixtureRequest) -> str:
    recording: str = request.param
    return recording


@pytest.fixture
def actions(name: str, tmp_path: Path) -> list[documents.Document]:
    output = tmp_path / "out.jsonl"
    source = [str(RECORDINGS / f"{name}{suffix}") for suffix in (".plugin.txt", ".journal.json")]
    words = ["replay", "--audit", source[0], "--journal", source[1], "--output", str(output)]
    assert cli.main([*words, "--trusted-ca", (RECORDINGS / "company-ca.txt").read_text().strip()]) == 0
    found = documents.read_all(output.read_bytes().splitlines())
    return [d for d in found if d["type"] == "UserAction"]


def ids(actions: list[documents.Document]) -> dict[str, documents.Document]:
    """Each `/usr/bin/id WORD` by its word."""
    found = {}
    for document in actions:
        args = document["metadata"]["extra"].get("process_args", [])
        if args[:1] == ["/usr/bin/id"]:
            found[args[1]] = document
    return found


def data(document: documents.Document) -> dict[str, Any]:
    said: dict[str, Any] = document.get("data", {})
    return said


def test_each_command_and_how_it_came_to_run(name: str, actions: list[documents.Document]) -> None:
    found = {}
    for word, document in ids(actions).items():
        escalated = data(document).get("escalated", {})
        found[word] = (escalated.get("by"), escalated.get("account"))
    assert found == EXPECTED[name]


def test_mark_and_ids_agree(actions: list[documents.Document]) -> None:
    """Escalated are those, and all of those, whose effective uid the kernel says is another than the login's; but for
    the login itself."""
    for document in actions:
        extra = document["metadata"]["extra"]
        mark = data(document).get("escalated")
        if extra.get("euid", extra["auid"]) == extra["auid"] or str(extra["pid"]) == document["subjects"]["pid"]:
            assert mark is None
        else:
            assert mark is not None
            assert mark["euid"] == extra["euid"]


def test_sudos_word_is_where_it_is_said_to_be(actions: list[documents.Document]) -> None:
    """`event` leads to the record, `command` is what it says."""
    by_id = {d["metadata"]["extra"]["eventId"]: d["metadata"]["extra"] for d in actions}
    tied = [data(d)["escalated"] for d in actions if "event" in data(d).get("escalated", {})]
    assert len(tied) > 20
    for escalated in tied:
        record = by_id[escalated["event"]]
        assert record["exe"] == escalated["by"]
        if "command" in escalated:
            assert (record["type"], record["object"]["primary"]) == ("USER_CMD", escalated["command"])
        else:
            assert record["type"] in ("USER_START", "SYSCALL", "BPRM_FCAPS", "LOGIN")


def test_every_deed_of_a_tied_process_is_tied(actions: list[documents.Document]) -> None:
    """Not its execve alone: what it opens, too."""
    shadow = [d for d in actions if d["metadata"]["extra"]["object"].get("primary") == "/etc/shadow"]
    opened = [d for d in shadow if d["metadata"]["extra"]["comm"] == "cat"]
    assert opened
    assert all("in-a-shell" in data(d)["escalated"]["command"] for d in opened)


def test_what_was_left_behind_is_detached(actions: list[documents.Document]) -> None:
    detached = {word for word, document in ids(actions).items() if data(document).get("detached")}
    assert detached == {"left-early", "left-behind"}
