# SPDX-License-Identifier: Apache-2.0
"""What the plugin has to say of itself, to syslog: under auditd its stdout and stderr are /dev/null.

A datagram socket of our own rather than the C library's syslog(), which waits as long as journald does not read, and
would hold the loop meanwhile. What cannot be sent (no /dev/log in early boot, its queue full) is kept, a bounded
number of messages, and tried again with the next one and by `retry`.

The text may quote strangers (names, paths, command lines): it is made printable and cut, and it always begins with
our own words. What repeats is said once a minute per `about`, with the number of times it was not.
"""

from __future__ import annotations

import os
import threading
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket  # the module around it costs 6 ms of start-up
from collections import deque
from typing import Callable, Optional

ADDRESS = "/dev/log"
IDENTIFIER = "audisp-maldito"
LOG_DAEMON = 3 << 3
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6

MESSAGE_BYTES = 1000
QUOTE_BYTES = 100
INTERVAL = 60.0
KEPT_MESSAGES = 50
SUBJECTS_LIMIT = 256
"""Different `about`s remembered; they may name uids, which strangers choose."""


def quote(text: str, limit: int = QUOTE_BYTES) -> str:
    """A stranger's text as it may stand in a message: printable ASCII, quoted, at most `limit` bytes of it."""
    data = text.encode("utf-8", "surrogateescape")
    return repr(data[:limit])[1:] + ("…" if len(data) > limit else "")


class Log:
    """Safe to call from any thread; never waits and never raises."""

    def __init__(self, clock: Callable[[], float], address: str = ADDRESS) -> None:
        self._clock = clock
        self._address = address
        self._socket: Optional[socket] = None
        self._kept: deque[bytes] = deque(maxlen=KEPT_MESSAGES)
        self._said: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def say(self, text: str, *, about: Optional[str] = None, priority: int = WARNING) -> None:
        """Send one message; with `about`, at most one a minute on that subject."""
        with self._lock:
            unsaid = self._unsaid(about) if about is not None else 0
            if unsaid is None:
                return
            if unsaid:
                text += f" ({unsaid} more in the minutes before)"
            line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
            data = line.encode("utf-8", "backslashreplace")[:MESSAGE_BYTES]
            self._kept.append(b"<%d>%s[%d]: %s" % (LOG_DAEMON | priority, IDENTIFIER.encode(), os.getpid(), data))
            self._send()

    def retry(self) -> None:
        """Try again to send what is kept."""
        if self._kept:
            with self._lock:
                self._send()

    @property
    def waiting(self) -> bool:
        """Is something kept that could not be sent?"""
        return bool(self._kept)

    def close(self) -> None:
        """Let go of the socket; the next message opens another."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _unsaid(self, about: str) -> Optional[int]:
        """None: it was said within the minute. Else how often it was held back since."""
        now = self._clock()
        said, unsaid = self._said.pop(about, (now - INTERVAL, 0))
        due = now - said >= INTERVAL
        self._said[about] = (now, 0) if due else (said, unsaid + 1)
        if len(self._said) > SUBJECTS_LIMIT:
            del self._said[next(iter(self._said))]
        return unsaid if due else None

    def _send(self) -> None:
        try:
            while self._kept:
                if self._socket is None:
                    self._socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
                    self._socket.setblocking(False)
                    self._socket.connect(self._address)
                self._socket.send(self._kept[0])
                self._kept.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
