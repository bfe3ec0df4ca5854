# SPDX-License-Identifier: Apache-2.0
"""Who opened a session that began before us: only by logind's own entries and by lines that count as sshd's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from systemd._reader import _Reader

from audisp_maldito import journal, logind
from audisp_maldito.logind import MESSAGE_ID, Begun
from audisp_maldito.trust import Policy

from . import journalfile
from .sessions import entry

LOGIND = {
    "_UID": "0", "_EXE": "/usr/lib/systemd/systemd-logind", "_SYSTEMD_UNIT": "systemd-logind.service",
    "MESSAGE_ID": MESSAGE_ID, "SESSION_ID": "5", "LEADER": "71", "_TRANSPORT": "journal",
    "MESSAGE": "New session 5 of user core.",
}  # fmt: skip
HOSTS = Path(__file__).parent / "corpus" / "hosts"


@pytest.mark.parametrize(
    "fields",
    [
        {"_UID": "1000"}, {"_UID": None}, {"_EXE": None}, {"_EXE": "/tmp/systemd-logind"}, {"_SYSTEMD_UNIT": None},
        {"_SYSTEMD_UNIT": "session-3.scope"}, {"MESSAGE_ID": None}, {"MESSAGE_ID": "3354939424b4456d9802ca8333ed424a"},
        {"SESSION_ID": "c1"}, {"SESSION_ID": None}, {"SESSION_ID": "4294967295"}, {"SESSION_ID": "0"},
        {"SESSION_ID": "５"}, {"LEADER": None}, {"LEADER": "-71"}, {"LEADER": "71\n"},
        {"LEADER": "99999999999999999999"},
    ],
)  # fmt: skip
def test_anything_else_proves_nothing(fields: dict[str, Any]) -> None:
    """Anybody may send MESSAGE_ID, SESSION_ID and LEADER of their choice; without audit, sessions are named c1, c2."""
    said = {**LOGIND, **fields}
    assert logind.begun(LOGIND.get, 7) == Begun(5, 71, 7)
    assert logind.begun(said.get, 7) is None


def test_sshds_own_lines_tell_their_session() -> None:
    """Only those that count."""
    assert logind.by_sshd(entry(71, audit_session=5), Policy()) == Begun(5, 71, 1_000_000_000)
    moved = entry(71, audit_session=5, unit="session-5.scope")
    assert logind.by_sshd(moved, Policy()) == Begun(5, 71, 1_000_000_000)
    assert logind.by_sshd(entry(71), Policy()) is None
    assert logind.by_sshd(entry(71, audit_session=4294967295), Policy()) is None
    for fields in ({"uid": 1000}, {"exe": None}, {"unit": "docker-1.scope"}):
        assert logind.by_sshd(entry(71, audit_session=5, **fields), Policy()) is None


def test_two_processes_of_one_session_are_neither() -> None:
    found = [Begun(5, 71, 1), Begun(5, 71, 2), Begun(6, 72, 3), Begun(6, 73, 4), Begun(7, 74, 5)]
    assert logind.monitors(found) == {5: Begun(5, 71, 1), 7: Begun(7, 74, 5)}


def test_a_journals_sessions(tmp_path: Path) -> None:
    """By the fields alone, in order, from where the reader stands."""
    file = tmp_path / "x.journal"
    entries = [LOGIND, {**LOGIND, "_UID": "1000", "SESSION_ID": "6"}, {**LOGIND, "SESSION_ID": "7", "LEADER": "80"}]
    entries += [{"MESSAGE": "New session 8 of user core.", "_UID": "0"}]
    journalfile.write(file, [journalfile.entry(dict(fields), 1000 + n) for n, fields in enumerate(entries)])
    with _Reader(flags=0, files=[str(file)]) as reader:
        assert list(journal.sessions_begun(reader)) == [Begun(5, 71, 1000), Begun(7, 80, 1002)]


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*/01-*.journal.json")), ids=lambda path: path.parent.name)
def test_recorded(path: Path) -> None:
    """On real hosts the session's number is the kernel's, and its leader the pid that logged the acceptance."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    accepted = {int(line["_PID"]) for line in lines if str(line.get("MESSAGE")).startswith("Accepted ")}
    found = logind.monitors(filter(None, (logind.begun(line.get, 0) for line in lines)))
    assert accepted & {one.pid for one in found.values()}
