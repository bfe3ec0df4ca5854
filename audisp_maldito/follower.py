# SPDX-License-Identifier: Apache-2.0
"""The live journal, read by a thread of its own, since libsystemd may hang in a dead or frozen file system.

One reader follows what may be sshd's word: root's entries from an sshd path or under one of sshd's identifiers.
journald tells its readers of new entries up to 250 ms late; so when a LOGIN waits for its name the loop asks (`ask`),
and the thread reads what is there now and answers with the time at which it began to. While nothing happens nobody
wakes up.

Two more readers, which look at most once a second, see who imitates sshd (imitations.py) and what was lost elsewhere
(losses.py).

A process that goes on where another ended begins behind that one's last entry. Else entries of the minute before the start
are read as well, marked `past`: a login whose session begins after us may have
been accepted before. Positions are on the monotonic clock, which nobody sets. What libsystemd says of files that came
and went (INVALIDATE), and every error, ends in opening anew behind the last entry read.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Callable, NamedTuple, Optional, Union

from systemd._reader import INVALIDATE, LOCAL_ONLY, NOP, SYSTEM, _Reader

from .diagnostics import Log
from .imitations import Imitated, Imitations
from .journal import THRESHOLD, fetch, matching, seek
from .losses import Losses
from .model import Loss, SshdEntry
from .trust import SSHD_IDENTIFIERS

BEFORE_START = 60.0
"""Seconds: LoginGraceTime's half; more would only bring acceptances whose sessions have begun already."""

FOUND_LIMIT = 1024
"""Entries that wait for the loop, at most THRESHOLD bytes each; the journal itself keeps the rest."""

RETRY_SECONDS = 2.0
"""After an error, and while there is no journal at all (early boot)."""

SIDE_SECONDS = 1.0
"""How often what is beside sshd's word is looked at."""


class Start(NamedTuple):
    """Where to begin: behind the entry `cursor`, else where `news_from` says (monotonic); what is older is `past`."""

    news_from: float
    cursor: Optional[str] = None


class ReadToEnd(NamedTuple):
    """The journal has been read to an end that was looked for at `at`."""

    at: float


Found = Union[SshdEntry, ReadToEnd, Imitated, Loss]


class Follower:
    """Started at once; everything but `take`, `ask`, `believe` and `close` happens in its thread."""

    def __init__(
        self,
        sshd_paths: frozenset[str],
        boot_id: str,
        log: Log,
        clock: Callable[[], float],
        wake: Callable[[], None],
        directory: Optional[str] = None,
        start: Optional[Start] = None,
        units: tuple[str, ...] = (),
    ) -> None:
        self._sshd_paths = sshd_paths
        self._boot_id = boot_id
        self._log = log
        self._clock = clock
        self._wake = wake
        self._directory = directory
        now = clock()
        news_from, self._cursor = start or Start(now)
        self._news_from = news_from if self._cursor is None else 0.0
        self._imitations = Imitations(boot_id, now)
        self._losses = Losses(boot_id, news_from, units)
        self._side_due = 0.0
        self._pids: list[int] = []
        self._found: deque[tuple[Found, Optional[str]]] = deque()
        self.position = self._cursor
        """The cursor of the last entry taken."""
        self._asked = self._stalled = self._reopen = self._closed = False
        self._request, self._requested = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._requests = select.poll()
        self._requests.register(self._request, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def take(self) -> list[Found]:
        """What was found since the last call, in order."""
        found = []
        while self._found:
            one, cursor = self._found.popleft()
            found.append(one)
            self.position = cursor or self.position
        if self._stalled:
            self._nudge()
        return found

    def ask(self) -> None:
        """Have the journal read to its end; the answer is a ReadToEnd."""
        if not self._asked:
            self._asked = True
            self._nudge()

    def believe(self, sshd_paths: frozenset[str]) -> None:
        """Follow other programs from the next entry on."""
        if sshd_paths != self._sshd_paths:
            self._sshd_paths = sshd_paths
            self._reopen = True
            self._nudge()

    def search(self, pids: list[int]) -> None:
        """Give what these processes said in this boot, as past, before the next ReadToEnd."""
        self._pids = pids
        self._nudge()

    def close(self) -> None:
        """End the thread when it is next free."""
        self._closed = True
        self._nudge()

    def _nudge(self) -> None:
        with suppress(BlockingIOError):  # full: it has been nudged and will look
            os.write(self._requested, b"\0")

    def _wait(self, poll: select.poll, seconds: Optional[float]) -> None:
        poll.poll(None if seconds is None else max(0.0, seconds) * 1000)
        with suppress(BlockingIOError):
            os.read(self._request, 4096)

    def _run(self) -> None:
        while not self._closed:
            self._reopen = False
            try:
                with self._open(SYSTEM) as reader, self._open(0) as imitations, self._open(SYSTEM) as losses:
                    if self._directory or reader.has_runtime_files() or reader.has_persistent_files():
                        self._imitations.place(imitations)
                        self._losses.place(losses)
                        self._follow(reader, imitations, losses)
                        continue
            except Exception as error:  # noqa: BLE001  a journal that cannot be read costs names, never the process
                self._log.say(f"journal: {type(error).__name__}: {error}; opening it again", about="journal")
            self._wait(self._requests, RETRY_SECONDS)

    def _open(self, flags: int) -> Any:
        where = {"flags": LOCAL_ONLY | flags} if self._directory is None else {"flags": 0, "path": self._directory}
        reader = _Reader(**where)
        reader.data_threshold = THRESHOLD
        reader.wait(0)  # sets up the watches; without this first call process() cannot tell APPEND from INVALIDATE
        reader.add_match(f"_BOOT_ID={self._boot_id}")
        reader.add_conjunction()
        return reader

    def _follow(self, reader: Any, imitations: Any, losses: Any) -> None:
        """Read on until files come or go."""
        standing = self._place(reader)
        poll = select.poll()
        poll.register(self._request, select.POLLIN)
        poll.register(reader.fileno(), reader.get_events())
        news = True
        while not self._closed and not self._reopen:
            asked, self._asked = self._asked, False
            at = self._clock()
            if self._pids:
                self._search()
            change = reader.process()
            self._read(reader, standing)
            standing = False
            if asked:
                self._give(ReadToEnd(at))
                self._wake()
            if change == INVALIDATE:
                return
            news = news or change != NOP
            if news and at >= self._side_due:
                self._side_due = at + SIDE_SECONDS
                self._beside(
                    [*self._imitations.count(imitations, self._sshd_paths, at), *self._losses.look(losses, at)]
                )
                news = False
            if not self._asked:
                self._wait(poll, self._pause(reader, news))

    def _pause(self, reader: Any, news: bool) -> Optional[float]:
        """How long to wait at most: for ever, but for what is beside sshd's word and file systems without inotify."""
        times = [self._side_due - self._clock()] if news else []
        if reader.get_timeout_ms() >= 0:
            times.append(reader.get_timeout_ms() / 1000)
        return min(times, default=None)

    def _place(self, reader: Any) -> bool:
        """Before the first entry that was not read yet; True: on it."""
        self._match(reader)
        if self._cursor is None:
            seek(reader, self._news_from - BEFORE_START, self._boot_id)
            return False
        reader.seek_cursor(self._cursor)
        return bool(reader._next()) and not reader.test_cursor(self._cursor)

    def _match(self, reader: Any) -> None:
        reader.add_match("_UID=0")
        reader.add_conjunction()
        matching(reader, "_EXE", self._sshd_paths)
        reader.add_disjunction()
        matching(reader, "SYSLOG_IDENTIFIER", SSHD_IDENTIFIERS)

    def _read(self, reader: Any, standing: bool) -> None:
        """Give the loop everything up to the journal's end."""
        found = False
        while (standing or reader._next()) and not self._closed:
            standing = False
            self._cursor = reader._get_cursor()
            age = self._news_from - reader._get_monotonic().timestamp / 1_000_000
            if age > BEFORE_START:  # where files hold several boots, libsystemd may stand too early
                continue
            entry = fetch(reader, past=age > 0)
            if entry is not None:
                self._give(entry, self._cursor)
                found = True
        if found:
            self._wake()

    def _search(self) -> None:
        """What was asked for by pid. Only the newest of a flood: an acceptance is a connection's last line but a few."""
        pids, self._pids = self._pids, []
        for pid in pids:
            with self._open(SYSTEM) as reader:
                self._match(reader)
                reader.add_conjunction()
                reader.add_match(f"_PID={pid}")
                seek(reader, 0.0, self._boot_id)
                entries: deque[SshdEntry] = deque(maxlen=FOUND_LIMIT // 16)
                while reader._next():
                    entry = fetch(reader, past=True)
                    if entry is not None:
                        entries.append(entry)
                for entry in entries:
                    self._give(entry)

    def _beside(self, found: Sequence[Found]) -> None:
        for one in found:
            self._give(one)
        if found:
            self._wake()

    def _give(self, found: Found, cursor: Optional[str] = None) -> None:
        while len(self._found) >= FOUND_LIMIT and not self._closed:
            self._stalled = True
            if len(self._found) >= FOUND_LIMIT:  # seen again after saying so, or `take` could empty it in between
                self._wake()
                self._wait(self._requests, None)
            self._stalled = False
        self._found.append((found, cursor))
