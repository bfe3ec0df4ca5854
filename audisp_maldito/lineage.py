# SPDX-License-Identifier: Apache-2.0
"""Which of a session's processes no longer descend from its monitor.  Pure.

Whoever logs in runs under sshd's monitor. A process whose parent died is init's child from then on (tmux and screen
servers, nohup, daemons), and everything it starts is out of the login's reach: another person may steer it later, by a
socket, from another login. Only what the session's own events prove is marked: a parent that is process 1, a parent that
is marked itself, or any action after the monitor closed the session. A pid that is seen with a living parent is not
marked any more, since pids come round.
"""

from __future__ import annotations

from typing import Optional

INIT = 1
PROCESSES = 1024
"""Marked processes remembered of one session; the oldest are forgotten, and their children are then not marked."""


class Lineage:
    """Of one session and its heirs."""

    __slots__ = ("_adrift",)

    def __init__(self) -> None:
        self._adrift: dict[int, None] = {}

    def detached(self, pid: Optional[int], ppid: Optional[int], monitor: Optional[int]) -> bool:
        """Is the process that acts now known to have left? Called for every action, in order."""
        if pid is None or pid == monitor:
            return False
        if ppid is None:
            return pid in self._adrift
        if ppid == INIT or (ppid != monitor and ppid in self._adrift):
            self._adrift.pop(pid, None)
            self._adrift[pid] = None
            if len(self._adrift) > PROCESSES:
                del self._adrift[next(iter(self._adrift))]
            return True
        self._adrift.pop(pid, None)
        return False
