# SPDX-License-Identifier: Apache-2.0
"""The output, and the state that goes with it: documents into a file or a named pipe, by a thread of its own behind a
queue bounded in bytes.

The loop only ever puts documents into the queue, so it reads on while the writer hangs in a full, frozen or dead file
system. What is written is whole lines: after a short write (a full disk) the rest of the line follows once there is
room; in another file, or before another reader of the pipe, the line begins anew. What was just written into a file
that has lost its name is written again.

Between the documents the queue holds what they changed (`change`): when those before it are written it is added to the
state, together with their ids. So the state on disk is never ahead of the output, however long the output hangs.

At three quarters of the queue's limit it is `full`: who can read the events once more does not put them. Past the limit documents
are dropped, newest first, until half of it is written: one hole with two ends, which `lost` then reports, rather than
many. Errors never end the process; they are said once a minute and tried again each second.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from typing import Callable, NamedTuple, Optional, Union

from .diagnostics import ERROR, NOTICE, Log
from .lock import Lock
from .outfile import OutFile
from .statefile import StateFile

OFF = "off"
"""The path that stands for no output at all."""

QUEUE_BYTES = 32 * 1024 * 1024
"""A minute and more of a busy host, and half of what the whole process may take."""

WRITE_BYTES = 256 * 1024
"""One write at most: what must be held beside the queue, and repeated after an error."""

RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.0
"""How often the output's path is followed anew while there is something to write: with each batch, since one lstat is
a few microseconds beside the write, and who has renamed the file may count on its growing no more."""

LOCK_RETRY_SECONDS = 0.05
"""An earlier generation of the plugin is gone within tens of milliseconds."""

LOCK_PATIENCE = 5.0
"""After this long the other is no earlier generation on its way out: write beside its file rather than into memory."""


class Mark(NamedTuple):
    """A place in the queue: what to do with the state when everything before it has been written."""

    change: bytes
    """A JSON object; empty where there is none."""
    anew: bool = False
    """Only for the file that is being written anew."""
    begin: bool = False
    replace: bool = False


class Lost(NamedTuple):
    """Documents that were dropped; `first` and `last` are their eventIds."""

    first: Optional[str]
    last: Optional[str]
    documents: int
    reason: str


def second(path: str) -> str:
    """The file that is written while another instance holds the lock: events.jsonl -> events.second.jsonl."""
    root, extension = os.path.splitext(path)
    return root + ".second" + extension


def event_id(document: bytes) -> Optional[str]:
    """The document's eventId. Within a JSON string a quote has a backslash, so only the key itself can match."""
    _, found, rest = document.partition(b'"eventId":"')
    return rest.partition(b'"')[0].decode("ascii", "replace") if found else None


class Sink:
    """One output path (OFF: none) and the thread that writes it."""

    def __init__(
        self,
        path: str,
        lock: Lock,
        log: Log,
        clock: Callable[[], float],
        wake: Callable[[], None],
        limit: int = QUEUE_BYTES,
        recall: Callable[[bool], Optional[StateFile]] = lambda _held: None,
    ) -> None:
        """`recall` is called once, by the thread, before it writes: with the lock held, or in vain waited for."""
        self._path = path
        self._lock = lock
        self._log = log
        self._clock = clock
        self._wake = wake
        self._limit = limit
        self._file = OutFile()
        self._recall = recall
        self._state: Optional[StateFile] = None
        self._queue: deque[Union[bytes, Mark]] = deque()
        self._taken: list[Union[bytes, Mark]] = []
        self._told: list[str] = []
        self._queued = 0
        self._lost: Optional[Lost] = None
        self._lines = b""
        self._written = self._begun = 0
        self._impatient_at = clock() + LOCK_PATIENCE
        self._look_at = 0.0
        self._failed = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, documents: list[bytes]) -> None:
        """Queue documents (without newline); never waits for the output."""
        if not documents or self._path == OFF:
            return
        with self._changed:
            for document in documents:
                if self._lost is None and self._queued + len(document) < self._limit:
                    self._queue.append(document)
                    self._queued += len(document) + 1
                else:
                    self._drop(document)
            self._changed.notify()

    def mark(self, mark: Mark) -> None:
        """Queue what the documents put before it have changed."""
        with self._changed:
            self._queue.append(mark)
            self._queued += len(mark.change) + 1
            self._changed.notify()

    @property
    def full(self) -> bool:
        """Is it time to put no more, for whoever can do without?"""
        return self._queued > self._limit // 4 * 3

    @property
    def has_room(self) -> bool:
        """Is it time to go on?"""
        return self._queued <= self._limit // 2

    @property
    def keeps_state(self) -> bool:
        """Will another process find what this one knows?"""
        return self._state is not None and self._state.sound

    @property
    def grown(self) -> bool:
        """Should the state be written anew?"""
        return self._state is not None and self._state.grown

    def follow(self, path: str) -> None:
        """Write to `path` from now on, and look at once where it leads (SIGHUP)."""
        with self._changed:
            self._path = path
            self._look_at = 0.0
            self._changed.notify()

    def lost(self) -> Optional[Lost]:
        """What was dropped, once the output works again and there is room to say so."""
        if self._lost is None or self._queued > self._limit // 2:
            return None
        with self._changed:
            lost, self._lost = self._lost, None
        return lost

    def close(self, seconds: float) -> int:
        """Write what is queued, for at most so long; the number of bytes that remained."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return self._queued

    def _drop(self, document: bytes) -> None:
        last = event_id(document)
        first, before = (last, 0) if self._lost is None else (self._lost.first, self._lost.documents)
        self._lost = Lost(first, last, before + 1, "the output could not be written and the queue was full")

    def _run(self) -> None:
        self._state = self._recall(self._wait_for_lock())
        while self._take():
            wait = RETRY_SECONDS
            try:
                wait = self._write()
            except OSError as error:
                self._failed = True
                reason = error.strerror or str(error)
                self._log.say(f"output {self._path}: {reason}; trying again", about="output", priority=ERROR)
            if wait and not self._pause(wait):
                return

    def _wait_for_lock(self) -> bool:
        """Whether it could be had, before patience or our time was at its end."""
        while not self._may_write():
            if self._closing or self._clock() >= self._impatient_at:
                return False
            with self._changed:
                self._changed.wait(LOCK_RETRY_SECONDS)
        return self._lock.held

    def _take(self) -> bool:
        """Wait until there are lines to write; False when closing and there are none."""
        with self._changed:
            while not self._taken and not self._queue:
                if self._closing:
                    return False
                self._changed.wait()
            if not self._taken:
                size = 0
                while self._queue and size < WRITE_BYTES:
                    self._taken.append(self._queue.popleft())
                    if isinstance(self._taken[-1], bytes):
                        size += len(self._taken[-1])
                self._lines = b"".join(one + b"\n" for one in self._taken if isinstance(one, bytes))
                self._written = self._begun = 0
        return True

    def _pause(self, seconds: float) -> bool:
        """False instead of waiting when there is no time left to."""
        with self._changed:
            if not self._closing:
                self._changed.wait(seconds)
            return not self._closing

    def _write(self) -> float:
        """Write the lines in hand; how long to wait before going on with them, 0 when there is no need."""
        path = self._target()
        if path == OFF or not self._lines:
            return self._done()
        now = self._clock()
        look = now >= self._look_at
        if look:
            self._look_at = now + LOOK_SECONDS
        if self._file.follow(path, look):
            self._written = self._begun = self._lines.rfind(b"\n", 0, self._written) + 1
        while self._written < len(self._lines):
            count = self._file.write(memoryview(self._lines)[self._written :])
            if not count and not self._file.room(RETRY_SECONDS):
                self._log.say(f"output {path}: its reader does not read; waiting", about="output")
                return 0.001 if self._closing else 0.0
            self._written += count
        if self._file.nameless():
            self._written = self._begun
            self._look_at = 0.0
            return 0.0
        return self._done()

    def _target(self) -> str:
        """Where to write now."""
        if self._path == OFF or self._may_write():
            return self._path
        path = second(self._path)
        self._log.say(f"another instance holds the lock: writing to {path}", about="lock", priority=ERROR)
        return path

    def _may_write(self) -> bool:
        try:
            return self._lock.take()
        except OSError as error:
            # Rather two writers than none: nobody is known to hold the lock.
            self._log.say(f"no lock file in the state directory: {error.strerror}", about="lock", priority=ERROR)
            return True

    def _done(self) -> float:
        if self._state is not None:
            self._keep(self._state)
        with self._changed:
            self._queued -= sum(len(one if isinstance(one, bytes) else one.change) + 1 for one in self._taken)
            self._taken = []
            self._lines = b""
        if self._lost is not None and self._queued <= self._limit // 2:
            self._wake()
        if self._failed:
            self._failed = False
            self._log.say(f"output {self._path}: works again", priority=NOTICE)
        return 0.0

    def _keep(self, state: StateFile) -> None:
        """Add what was written to the state, as far as it is known what it changed."""
        for one in self._taken:
            if isinstance(one, bytes):
                event = event_id(one)
                if event is not None and ":" in event:  # the others are told again only together with an event
                    self._told.append(event)
                continue
            if one.begin:
                state.begin()
            if one.change:
                about = {} if one.anew else {"told": self._told, "out": self._file.position()}
                state.write(json.dumps(about).encode()[:-1] + b"," * bool(about) + one.change[1:], one.anew)
                if not one.anew:
                    self._told = []
            if one.replace:
                state.replace()
