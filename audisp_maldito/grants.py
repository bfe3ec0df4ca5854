# SPDX-License-Identifier: Apache-2.0
"""How a process came to act as another user than the one who logged in: the record that says so.  Pure.

Three kinds of record do: sudo's own USER_CMD; USER_START, by which a program (su, sudo, pkexec) opens a PAM session
for an account; an execve whose file has the setuid bit and whose process then has the owner's effective id. The first
two are written by the programs themselves, which takes CAP_AUDIT_WRITE: who could forge them has become somebody else
already. Pid and session in them are the kernel's.
"""

from __future__ import annotations

from typing import Optional

from .model import Action

Order = tuple[int, int]
"""When something happened: milliseconds, serial. Events are read in the order of their ends."""

ENDS = frozenset(["USER_END", "CRED_DISP"])
COMMAND = 256
"""Characters of sudo's command that are kept: it is repeated with each of its deeds, and `event` leads to all of it."""
_EXECUTES = frozenset(["execve", "execveat"])
_SETUID = 0o4000


def order_of(action: Action) -> Order:
    """When it happened."""
    return action.time_ms, action.serial


class Grant:
    """`by` (a program's path) made the process `pid` somebody else, as the event `event` says. `over`: when that
    program said that it ends."""

    __slots__ = ("account", "by", "command", "event", "order", "over", "pid", "words")

    def __init__(self, action: Action, account: Optional[str] = None, command: Optional[str] = None) -> None:
        self.pid = action.pid
        self.by = action.exe
        self.account = account
        self.command = command if command is None or len(command) <= COMMAND else command[: COMMAND - 1] + "…"
        self.words = hash(command)
        self.event = action.id
        self.order = order_of(action)
        self.over: Optional[Order] = None


def granted(action: Action) -> Optional[Grant]:
    """What an event grants to the process that it tells of. For sshd's own login and for everything else nothing."""
    if action.result != "success":
        return None
    if action.type == "USER_CMD":
        return Grant(action, command=action.object.primary)
    if action.type == "USER_START":
        return Grant(action, account=_account(action))
    return Grant(action) if _by_setuid(action) else None


def _account(action: Action) -> Optional[str]:
    account = action.details.get("acct")
    return account if isinstance(account, str) else None


def _by_setuid(action: Action) -> bool:
    if action.syscall not in _EXECUTES or not action.paths:
        return False
    euid, program = action.user.get("euid"), action.paths[0]
    return (
        euid is not None
        and euid != action.user.get("uid")
        and euid == program.get("ouid")
        and bool(int(program.get("mode", "0"), 8) & _SETUID)
    )
