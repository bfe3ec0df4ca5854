# SPDX-License-Identifier: Apache-2.0
"""The live journal, read by a thread of its own, since libsystemd may hang in a dead or frozen file system.

One reader follows what may be sshd's word: root's entries from an sshd path or under one of sshd's identifiers.
journald tells its readers of new entries up to 250 ms late; so when a LOGIN waits for its name the loop asks (`ask`),
and the thread reads what is there now and answers with the time at which it began to. While nothing happens nobody
wakes up.

A second reader counts what only imitates sshd, which anybody may write as fast as they like: it looks at most once a
second, at a bounded number of entries, and leaves out the rest.

Entries of the minute before the start are read as well, marked `past`: a login whose session begins after us may have
been accepted before. Positions are on the monotonic clock, which nobody sets. What libsystemd says of files that came
and went (INVALIDATE), and every error, ends in opening anew behind the last entry read.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Callable, NamedTuple, Optional, Union

from systemd._reader import INVALIDATE, LOCAL_ONLY, NOP, SYSTEM, _Reader

from . import sshd
from .diagnostics import Log
from .journal import THRESHOLD, fetch, matching, number, raw
from .model import SshdEntry
from .trust import CLAIMS, SSHD_IDENTIFIERS, TRANSPORTS

BEFORE_START = 60.0
"""Seconds: LoginGraceTime's half; more would only bring acceptances whose sessions have begun already."""

FOUND_LIMIT = 1024
"""Entries that wait for the loop, at most THRESHOLD bytes each; the journal itself keeps the rest."""

RETRY_SECONDS = 2.0
"""After an error, and while there is no journal at all (early boot)."""

IMITATIONS_SECONDS = 1.0
IMITATIONS_LOOKED_AT = 256
IMITATORS_LIMIT = 64
EXE_BYTES = 100


class ReadToEnd(NamedTuple):
    """The journal has been read to an end that was looked for at `at`."""

    at: float


class Imitated(NamedTuple):
    """Entries under sshd's identifiers of one (uid, program) that is no sshd; at least so many."""

    uid: Optional[int]
    exe: Optional[str]
    entries: int


Found = Union[SshdEntry, ReadToEnd, Imitated]


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
    ) -> None:
        self._sshd_paths = sshd_paths
        self._boot_id = boot_id
        self._log = log
        self._clock = clock
        self._wake = wake
        self._directory = directory
        self._started = clock()
        self._cursor: Optional[str] = None
        self._imitations_from = self._started
        self._imitations_due = 0.0
        self._found: deque[Found] = deque()
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
            found.append(self._found.popleft())
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
                with self._open(SYSTEM) as reader, self._open(0) as imitations:
                    if self._directory or reader.has_runtime_files() or reader.has_persistent_files():
                        self._follow(reader, imitations)
                        continue
            except Exception as error:  # noqa: BLE001  a journal that cannot be read costs names, never the process
                self._log.say(f"journal: {type(error).__name__}: {error}; opening it again", about="journal")
            self._wait(self._requests, RETRY_SECONDS)

    def _open(self, flags: int) -> Any:
        if self._directory is None:
            reader = _Reader(flags=LOCAL_ONLY | flags)
        else:
            reader = _Reader(flags=0, path=self._directory)
        reader.data_threshold = THRESHOLD
        reader.wait(0)  # sets up the watches; without this first call process() cannot tell APPEND from INVALIDATE
        reader.add_match(f"_BOOT_ID={self._boot_id}")
        reader.add_conjunction()
        return reader

    def _follow(self, reader: Any, imitations: Any) -> None:
        """Read on until files come or go."""
        standing = self._place(reader)
        matching(imitations, "SYSLOG_IDENTIFIER", SSHD_IDENTIFIERS)
        self._seek(imitations, self._imitations_from)
        poll = select.poll()
        poll.register(self._request, select.POLLIN)
        poll.register(reader.fileno(), reader.get_events())
        news = True
        while not self._closed and not self._reopen:
            asked, self._asked = self._asked, False
            at = self._clock()
            change = reader.process()
            self._read(reader, standing)
            standing = False
            if asked:
                self._give(ReadToEnd(at))
                self._wake()
            if change == INVALIDATE:
                return
            news = news or change != NOP
            if news and at >= self._imitations_due:
                self._count(imitations, at)
                news = False
            if not self._asked:
                self._wait(poll, self._pause(reader, news))

    def _pause(self, reader: Any, news: bool) -> Optional[float]:
        """How long to wait at most: for ever, but for unseen imitations and file systems without inotify."""
        times = [self._imitations_due - self._clock()] if news else []
        if reader.get_timeout_ms() >= 0:
            times.append(reader.get_timeout_ms() / 1000)
        return min(times, default=None)

    def _place(self, reader: Any) -> bool:
        """Before the first entry that was not read yet; True: on it."""
        reader.add_match("_UID=0")
        reader.add_conjunction()
        matching(reader, "_EXE", self._sshd_paths)
        reader.add_disjunction()
        matching(reader, "SYSLOG_IDENTIFIER", SSHD_IDENTIFIERS)
        if self._cursor is None:
            self._seek(reader, self._started - BEFORE_START)
            return False
        reader.seek_cursor(self._cursor)
        return bool(reader._next()) and not reader.test_cursor(self._cursor)

    def _seek(self, reader: Any, time: float) -> None:
        reader.seek_monotonic(max(0, int(time * 1_000_000)), self._boot_id)

    def _read(self, reader: Any, standing: bool) -> None:
        """Give the loop everything up to the journal's end."""
        found = False
        while (standing or reader._next()) and not self._closed:
            standing = False
            self._cursor = reader._get_cursor()
            age = self._started - reader._get_monotonic().timestamp / 1_000_000
            if age > BEFORE_START:  # where files hold several boots, libsystemd may stand too early
                continue
            entry = fetch(reader, past=age > 0)
            if entry is not None:
                self._give(entry)
                found = True
        if found:
            self._wake()

    def _give(self, found: Found) -> None:
        while len(self._found) >= FOUND_LIMIT and not self._closed:
            self._stalled = True
            if len(self._found) >= FOUND_LIMIT:  # seen again after saying so, or `take` could empty it in between
                self._wake()
                self._wait(self._requests, None)
            self._stalled = False
        self._found.append(found)

    def _count(self, imitations: Any, now: float) -> None:
        """Who imitated sshd since the last look."""
        self._imitations_due = now + IMITATIONS_SECONDS
        counts: dict[tuple[Optional[int], Optional[str]], int] = {}
        imitations.process()
        looked = 0
        while looked < IMITATIONS_LOOKED_AT and imitations._next():
            looked += 1
            uid, exe = raw(imitations, "_UID"), raw(imitations, "_EXE")
            ours = exe is not None and exe.decode("utf-8", "replace") in self._sshd_paths
            if uid != b"0" and not ours and _claims(imitations):
                by = (number(uid), None if exe is None else exe[:EXE_BYTES].decode("utf-8", "replace"))
                by = by if by in counts or len(counts) < IMITATORS_LIMIT else (None, None)
                counts[by] = counts.get(by, 0) + 1
        if looked:
            self._imitations_from = imitations._get_monotonic().timestamp / 1_000_000 + 1e-6
        if looked == IMITATIONS_LOOKED_AT:
            self._imitations_from = now
            self._seek(imitations, now)
        for (by_uid, by_exe), count in counts.items():
            self._give(Imitated(by_uid, by_exe, count))
        if counts:
            self._wake()


def _claims(reader: Any) -> bool:
    """Does the entry say what only sshd's monitor may say? By journald's own protocol sshd never speaks: there MESSAGE, which
    can be of hundreds of megabytes, is not looked at; a syslog datagram and a line of stdout are short."""
    transport = raw(reader, "_TRANSPORT")
    if transport is None or transport.decode("ascii", "replace") not in TRANSPORTS:
        return True
    message = raw(reader, "MESSAGE") or b""
    login = sshd.parse(message.decode("utf-8", "replace"), len(message))
    return login is not None and login.kind in CLAIMS
