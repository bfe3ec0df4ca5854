# SPDX-License-Identifier: Apache-2.0
"""Which process opened an audit session that began before we did: a third source, for recovery after a restart.  Pure.

systemd-logind names its sessions by the kernel's audit session and logs each with the process that leads it, which is
sshd's monitor; journald writes beside each of sshd's own lines the audit session of the process that logged it. Neither
names a person: they find the pid by which sshd's acceptance is then found. Anybody may send an entry with LEADER,
SESSION_ID and MESSAGE_ID of their choice, so only what journald vouches for decides whether it is logind's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, NamedTuple, Optional

from .model import UNSET, SshdEntry
from .trust import Grade, Policy, grade

MESSAGE_ID = "8d45620c1a4348dbb17410da57c60c66"
EXES = ("/usr/lib/systemd/systemd-logind", "/lib/systemd/systemd-logind")
UNIT = "systemd-logind.service"


class Begun(NamedTuple):
    """The process `pid` opened the audit session `ses`."""

    ses: int
    pid: int
    time_us: int


def begun(get: Callable[[str], Optional[str]], time_us: int) -> Optional[Begun]:
    """What "New session N of user U" says, if the entry is logind's. `get` gives the entry's fields."""
    if get("_UID") != "0" or get("_EXE") not in EXES or get("_SYSTEMD_UNIT") != UNIT or get("MESSAGE_ID") != MESSAGE_ID:
        return None
    ses, pid = _number(get("SESSION_ID")), _number(get("LEADER"))  # without audit sessions are named c1, c2 …
    return None if ses is None or pid is None else Begun(ses, pid, time_us)


def by_sshd(entry: SshdEntry, policy: Policy) -> Optional[Begun]:
    """What the audit session of one of sshd's own lines says."""
    if entry.pid is None or entry.audit_session in (None, UNSET):
        return None
    if grade(entry, policy) not in (Grade.ACCEPTANCE, Grade.SCOPED):
        return None
    return Begun(entry.audit_session or 0, entry.pid, entry.time_us)


def monitors(found: Iterable[Begun]) -> dict[int, Begun]:
    """By session, the first that told of it; sessions that two sources give to different processes are left out."""
    of_ses: dict[int, Begun] = {}
    contested: set[int] = set()
    for one in found:
        if of_ses.setdefault(one.ses, one).pid != one.pid:
            contested.add(one.ses)
    return {ses: one for ses, one in of_ses.items() if ses not in contested}


def _number(text: Optional[str]) -> Optional[int]:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if 0 < int(text) < UNSET else None
