# SPDX-License-Identifier: Apache-2.0
"""`replay` of every recorded host says of each SSH session what a second, independent reader of the same files finds: a
few regular expressions that know these recordings and nothing else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Optional

import pytest

from . import documents

HOSTS = Path(__file__).parent / "corpus" / "hosts"
RECORDINGS = sorted(path.with_suffix("") for path in HOSTS.glob("*/*.audit.log"))
UNSET = "4294967295"

_HEADER = re.compile(r"(?:node=\S+ )?type=(\S+) msg=audit\(([\d.]+:\d+)\): ?(.*)")
_SES = re.compile(r"(?:^| )ses=(\d+)")
_KEY_ID = re.compile(r"Accepted publickey for .* ssh2: \S+-CERT \S+ ID (.*) \(serial \d+\) CA \S+ (\S+)")


class Accepted(NamedTuple):
    pid: str
    key_id: str
    """"unknown" where there is none that may name somebody."""


class Trail(NamedTuple):
    """What the reader found."""

    events: dict[str, set[str]]
    """By session: the ids of its events."""
    sshd: dict[str, str]
    """Sessions that sshd opened -> the pid of their LOGIN."""


def read_audit(path: Path) -> Trail:
    records: dict[str, list[tuple[str, str]]] = {}
    for line in path.read_text(errors="surrogateescape").split("\n"):
        match = _HEADER.match(line)
        if match:
            records.setdefault(match[2], []).append((match[1], match[3].partition("\x1d")[0]))
    events: dict[str, set[str]] = {}
    sshd: dict[str, str] = {}
    for stamp, lines in records.items():
        bodies = sorted(lines, key=lambda line: line[0] != "SYSCALL")
        found = (_SES.search(body.partition(" msg='")[0]) for _, body in bodies)
        ses = next((match[1] for match in found if match), UNSET)
        if ses != UNSET:
            events.setdefault(ses, set()).add(stamp)
        kinds = dict(lines)
        opener = re.search(r' exe="(\S+)"', kinds.get("SYSCALL", ""))
        if (
            "LOGIN" in kinds
            and " res=1" in kinds["LOGIN"]
            and opener
            and opener[1].endswith(("/sshd", "/sshd-session"))
        ):
            pid = re.match(r"pid=(\d+)", kinds["LOGIN"])
            assert pid
            sshd[ses] = pid[1]
    return Trail(events, sshd)


def read_journal(path: Path, trusted: Optional[str]) -> list[Accepted]:
    accepted = []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        message = entry.get("MESSAGE")
        if (
            entry.get("_UID") != "0"
            or entry.get("_TRANSPORT") not in ("syslog", "stdout")
            or not isinstance(message, str)
        ):
            continue
        if message.startswith("Accepted ") and "\n" not in message:
            match = _KEY_ID.fullmatch(message)
            named = match and len(message.encode()) < 500 and match[1] and trusted in (None, match[2])
            accepted.append(Accepted(entry["_PID"], unvis(match[1]) if match and named else "unknown"))
    return accepted


def unvis(text: str) -> str:
    """What sshd's vis(3) did, undone, as far as these recordings have it."""
    data = re.sub(
        rb"\\(\\|[0-7]{3}|[nrtabfv])",
        lambda m: bytes([int(m[1], 8)]) if m[1].isdigit() else {b"\\": b"\\", b"n": b"\n", b"t": b"\t"}[m[1]],
        text.encode(),
    )
    return data.decode("utf-8", "surrogateescape")


def company_ca(recording: Path) -> Optional[str]:
    path = recording.parent / "company-ca.txt"
    return path.read_text().strip() if path.exists() else None


def replay(audit: Path, recording: Path, *arguments: str) -> list[bytes]:
    command = [sys.executable, "-m", "audisp_maldito", "replay", "--audit", str(audit)]
    command += ["--journal", str(with_suffix(recording, ".journal.json")), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=HOSTS.parents[2]).stdout.splitlines()


def with_suffix(recording: Path, suffix: str) -> Path:
    return recording.parent / (recording.name.partition(".")[0] + suffix)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.name.partition('.')[0]}")
@pytest.mark.parametrize("stream", [".audit.log", ".plugin.txt"])
def test_recording(recording: Path, stream: str) -> None:
    """Every event of every session once, each SSH session's under its own key id, one UserLogin for each "Accepted"."""
    trusted = company_ca(recording)
    audit = with_suffix(recording, stream)
    trail = read_audit(audit)
    accepted = read_journal(with_suffix(recording, ".journal.json"), trusted)
    written = documents.read_all(replay(audit, recording, *(["--trusted-ca", trusted] if trusted else [])))

    person = {a.pid: a.key_id for a in accepted}
    assert len(person) == len(accepted), "the reader knows logins by pid"
    expected = Counter(
        ("UserAction", ses, stamp, person[trail.sshd[ses]])
        if ses in trail.sshd
        else ("SystemAction", ses, stamp, "unknown")
        for ses, stamps in trail.events.items()
        for stamp in stamps
    )
    found = Counter(
        (d["type"], d["metadata"]["auditId"], d["metadata"]["extra"]["eventId"], d["subjects"]["userID"])
        for d in written
        if d["type"].endswith("Action")
    )
    assert found == expected
    logins = Counter(
        (d["subjects"]["pid"], d["subjects"]["userID"], d["metadata"]["extra"].get("session"))
        for d in written
        if d["type"] == "UserLogin" and d["outcome"] == "succeeded"
    )
    session_of = {pid: ses for ses, pid in trail.sshd.items()}
    assert logins == Counter((a.pid, a.key_id, session_of.get(a.pid)) for a in accepted)


def test_there_are_recordings() -> None:
    """Two distributions, two generations of auditd and OpenSSH."""
    assert {path.parent.name for path in RECORDINGS} >= {"bookworm", "trixie"}
