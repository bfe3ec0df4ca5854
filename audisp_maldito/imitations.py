# SPDX-License-Identifier: Apache-2.0
"""Who writes to the journal what only imitates sshd. Anybody may, as fast as they like: so a bounded number of entries is
looked at, and the rest is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from . import sshd
from .journal import matching, number, raw, seek
from .trust import CLAIMS, SSHD_IDENTIFIERS, TRANSPORTS

LOOKED_AT = 256
IMITATORS = 64
EXE_BYTES = 100


class Imitated(NamedTuple):
    """Entries under sshd's identifiers of one (uid, program) that is no sshd; at least so many."""

    uid: Optional[int]
    exe: Optional[str]
    entries: int


class Imitations:
    """Where the counting is; the reader is another one after each time the journal was opened."""

    def __init__(self, boot_id: str, start: float) -> None:
        self._boot_id = boot_id
        self._from = start

    def place(self, reader: Any) -> None:
        """Prepare a newly opened reader."""
        matching(reader, "SYSLOG_IDENTIFIER", SSHD_IDENTIFIERS)
        seek(reader, self._from, self._boot_id)

    def count(self, reader: Any, sshd_paths: frozenset[str], now: float) -> list[Imitated]:
        """Who imitated sshd since the last look."""
        counts: dict[tuple[Optional[int], Optional[str]], int] = {}
        reader.process()
        looked = 0
        while looked < LOOKED_AT and reader._next():
            looked += 1
            uid, exe = raw(reader, "_UID"), raw(reader, "_EXE")
            ours = exe is not None and exe.decode("utf-8", "replace") in sshd_paths
            if uid != b"0" and not ours and _claims(reader):
                by = (number(uid), None if exe is None else exe[:EXE_BYTES].decode("utf-8", "replace"))
                by = by if by in counts or len(counts) < IMITATORS else (None, None)
                counts[by] = counts.get(by, 0) + 1
        if looked:
            self._from = reader._get_monotonic().timestamp / 1_000_000 + 1e-6
        if looked == LOOKED_AT:
            self._from = now
            seek(reader, now, self._boot_id)
        return [Imitated(uid, exe, count) for (uid, exe), count in counts.items()]


def _claims(reader: Any) -> bool:
    """Does the entry say what only sshd's monitor may say? By journald's own protocol sshd never speaks: there MESSAGE, which
    can be of hundreds of megabytes, is not looked at; a syslog datagram and a line of stdout are short."""
    transport = raw(reader, "_TRANSPORT")
    if transport is None or transport.decode("ascii", "replace") not in TRANSPORTS:
        return True
    message = raw(reader, "MESSAGE") or b""
    login = sshd.parse(message.decode("utf-8", "replace"), len(message))
    return login is not None and login.kind in CLAIMS
