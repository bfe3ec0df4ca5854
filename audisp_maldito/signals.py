# SPDX-License-Identifier: Apache-2.0
"""TERM and HUP as values with their sender.

systemd sends TERM to every process of auditd's group at once, before auditd's last records are out; only auditd's
own, our parent's, means that the end has come. A Python signal handler is not told who sent it, so the signals stay
blocked, as the launcher has them from its first instruction on, and a thread waits for them. Whatever else is blocked
stays so.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from typing import Callable, NamedTuple

WANTED = (signal.SIGTERM, signal.SIGHUP)


class Signal(NamedTuple):
    """One signal that came."""

    number: int
    sender: int
    """The pid; 0 if the kernel sent it."""


class Signals:
    """To be made before any other thread: each inherits what is blocked."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._came: deque[Signal] = deque(maxlen=64)
        signal.pthread_sigmask(signal.SIG_BLOCK, WANTED)
        threading.Thread(target=self._run, name="signals", daemon=True).start()

    def take(self) -> list[Signal]:
        """What came since the last call, in order."""
        came = []
        while self._came:
            came.append(self._came.popleft())
        return came

    def _run(self) -> None:
        while True:
            told = signal.sigwaitinfo(WANTED)
            self._came.append(Signal(told.si_signo, told.si_pid))
            self._wake()
