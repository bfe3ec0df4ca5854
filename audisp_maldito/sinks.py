# SPDX-License-Identifier: Apache-2.0
"""The output: a file or a named pipe, written by a thread of its own behind a queue bounded in bytes.

The loop only ever puts documents into the queue, so it reads on while the writer hangs in a full, frozen or dead file system.
What the file holds is whole lines: after a short write (a full disk) the rest of the line follows once there is room; in
another file, or before another reader of the pipe, the line starts anew; a torn line that an earlier process left behind is
ended with a newline first. The file is opened again when its name leads elsewhere (rotation), and what was just written into
a file without a name is written again.

Past the queue's limit documents are dropped, newest first, until half of it is written: one hole with two ends, which
`lost` then reports, rather than many. Errors never end the process; they are said once a minute and tried again each second.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from collections import deque
from typing import Callable, NamedTuple, Optional

from .diagnostics import NOTICE, Log
from .lock import Lock

QUEUE_BYTES = 32 * 1024 * 1024
"""A minute and more of a busy host, and half of what the whole process may take."""

WRITE_BYTES = 1024 * 1024
"""One write at most: what must be held beside the queue, and repeated after an error."""

RETRY_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""How often the output's name is looked up while there is something to write."""

LOCK_RETRY_SECONDS = 0.05
"""An earlier generation of the plugin is gone within tens of milliseconds."""

LOCK_PATIENCE = 5.0
"""After this long the other is no earlier generation on its way out: write beside its file rather than into memory."""


class Lost(NamedTuple):
    """Documents that were dropped: `first` and `last` are their eventIds."""

    first: Optional[str]
    last: Optional[str]
    count: int
    reason: str


def second(path: str) -> str:
    """The file that is written while another instance holds the lock: events.jsonl -> events.second.jsonl."""
    root, extension = os.path.splitext(path)
    return root + ".second" + extension


def event_id(document: bytes) -> Optional[str]:
    """The document's eventId. Within a JSON string a quote has a backslash, so only the key itself can match."""
    _, found, rest = document.partition(b'"eventId":"')
    return rest.partition(b'"')[0].decode("ascii", "replace") if found else None


class Off:
    """The sink of `output: off`: everything is read, nothing is written."""

    def put(self, documents: list[bytes]) -> None:
        pass

    def look(self) -> None:
        pass

    def lost(self) -> Optional[Lost]:
        return None

    def close(self, seconds: float) -> bool:
        return True


class Sink:
    """One output path and the thread that writes it."""

    def __init__(
        self,
        path: str,
        lock: Lock,
        log: Log,
        clock: Callable[[], float],
        wake: Callable[[], None] = lambda: None,
        limit: int = QUEUE_BYTES,
    ) -> None:
        self._path = path
        self._lock = lock
        self._log = log
        self._clock = clock
        self._wake = wake
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._lost: Optional[Lost] = None
        self._file = _File()
        self._in_hand = b""
        self._written = 0
        self._started = clock()
        self._look_at = 0.0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, documents: list[bytes]) -> None:
        """Queue documents (without newline); never waits for the output."""
        if not documents:
            return
        with self._changed:
            for document in documents:
                if self._lost is None and self._bytes + len(document) < self._limit:
                    self._queue.append(document)
                    self._bytes += len(document) + 1
                else:
                    self._drop(document)
            self._changed.notify()

    def look(self) -> None:
        """Look now whether the path still leads to what is open (SIGHUP)."""
        with self._changed:
            self._look_at = 0.0
            self._changed.notify()

    def lost(self) -> Optional[Lost]:
        """What was dropped, once the output works again and there is room to say so."""
        if self._lost is None or self._bytes > self._limit // 2:
            return None
        with self._changed:
            lost, self._lost = self._lost, None
        return lost

    def close(self, seconds: float) -> bool:
        """Write what is queued, for at most so long; False if something remained."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._bytes

    def _drop(self, document: bytes) -> None:
        found = event_id(document)
        first, count = (found, 0) if self._lost is None else (self._lost.first, self._lost.count)
        self._lost = Lost(first, found, count + 1, "the output could not be written and the queue was full")

    def _run(self) -> None:
        while self._take():
            try:
                if self._write():
                    continue
            except OSError as error:
                self._log.say(f"output {self._path}: {_reason(error)}; what happens is kept in memory", about="output")
            if self._closing:
                return
            with self._changed:
                self._changed.wait(RETRY_SECONDS)

    def _take(self) -> bool:
        """Wait for something to write and take it in hand; False when closing and there is nothing more."""
        with self._changed:
            while not self._in_hand and not self._queue:
                if self._closing:
                    return False
                self._changed.wait(None if self._lock.held else RETRY_SECONDS)
                self._lock.take()
            if not self._in_hand:
                taken = []
                size = 0
                while self._queue and size < WRITE_BYTES:
                    taken.append(self._queue.popleft())
                    size += len(taken[-1]) + 1
                taken.append(b"")
                self._in_hand = b"\n".join(taken)
                self._written = 0
        return True

    def _write(self) -> bool:
        """Write what is in hand; False: not now."""
        if not self._open():
            return False
        while self._written < len(self._in_hand):
            try:
                self._written += self._file.write(self._in_hand[self._written :] if self._written else self._in_hand)
            except BlockingIOError:
                if not self._file.room(RETRY_SECONDS):
                    return False
            except BrokenPipeError:
                self._start_line_anew()
                self._file.close()
                raise
        if self._file.nameless():
            self._written = 0
            return self._write()
        self._done()
        return True
