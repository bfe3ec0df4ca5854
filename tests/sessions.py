# SPDX-License-Identifier: Apache-2.0
"""Actions, entries and logins as values, for tests of what comes after parsing."""

from __future__ import annotations

from typing import Any, Optional

from audisp_maldito.model import UNSET, Action, Login, ObjectRef, SessionStart, SshdEntry

SSHD = "/usr/sbin/sshd"
_NOTHING: dict[str, Any] = dict.fromkeys(Action._fields)


def action(
    ses: Optional[int], time: float = 1000.0, serial: int = 1, kind: str = "SYSCALL",
    start: Optional[SessionStart] = None, pid: int = 80, auid: int = 1000, size: int = 500,
) -> Action:  # fmt: skip
    """An event of session `ses` at `time`."""
    milliseconds = round(time * 1000)
    stamp = f"{milliseconds // 1000}.{milliseconds % 1000:03d}:{serial}"
    values = {
        **_NOTHING, "id": stamp, "time_ms": milliseconds, "serial": serial, "type": kind, "records": [kind],
        "session": ses, "auid": auid, "action": "executed", "object": ObjectRef(None, None, None), "result": "success",
        "pid": pid, "args": [], "user": {}, "keys": [], "paths": [], "warnings": [], "details": {},
        "start": start, "size": size,
    }  # fmt: skip
    return Action(**{name: value for name, value in values.items() if name in Action._fields})


def opening(
    ses: int, pid: int, time: float = 1000.0, serial: int = 1, auid: int = 1000, exe: Optional[str] = SSHD,
    uid: int = 0, old_ses: int = UNSET,
) -> Action:  # fmt: skip
    """A LOGIN."""
    return action(ses, time, serial, "LOGIN", SessionStart(pid, uid, auid, ses, old_ses, True, exe), pid, auid)


def entry(pid: int, time: float = 1000.0, **fields: Any) -> SshdEntry:
    """A line of a true monitor."""
    known = {"uid": 0, "exe": SSHD, "unit": "ssh.service", "transport": "syslog", "message": "", "size": 0, **fields}
    return SshdEntry(pid=pid, time_us=round(time * 1_000_000), **known)


def login(person: str = "alice@example.org", **fields: Any) -> Login:
    """An acceptance of `person`'s certificate."""
    head = "Accepted publickey for core from 192.0.2.7 port 5 ssh2: ED25519-CERT SHA256:K"
    text = f"{head} ID {person} (serial 1) CA ED25519 SHA256:C"
    known = {
        "text": text,
        "method": "publickey",
        "user": "core",
        "source": "192.0.2.7",
        "port": "5",
        "key_id": person,
        "ca": "SHA256:C",
        **fields,
    }
    return Login(row="auth", kind="accepted", **known)
