# SPDX-License-Identifier: Apache-2.0
"""Audit text in, events out: the typed face of csrc/.

What completes an event, which clock counts and what the limits are for stands in csrc/assemble.h; the grammar of a
record's fields in csrc/fields.h.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Optional

RECORD_TYPES: dict[str, int]
"""Every record type known, those that are newer than the host's auditd included."""

def type_name(number: int) -> Optional[str]: ...
def type_number(name: str) -> Optional[int]: ...
def header(line: bytes) -> Optional[tuple[str, int, int]]:
    """Type, time in ms and serial of one line; None if it is no record."""

class Rejected(NamedTuple):
    """A line that is no audit record: why, and its first 200 bytes."""

    reason: str
    line: bytes

class Record:
    """One line of an event. Lives as long as anybody holds it; fields are searched for when asked for.

    Everything that reads a field has an `inner`: False is what the kernel (or auditd) wrote, True is what stands inside
    msg='…' and was chosen by a process. Of several fields of one name the first counts (in LOGIN the last, but for pid,
    uid and subj). To go through many fields of one record (EXECVE) use items(): each single look-up is a search.
    """

    @property
    def type(self) -> str:
        """The type's name; "UNKNOWN[n]" if not even we know it."""
    @property
    def number(self) -> Optional[int]:
        """The type's number; None if the name is newer than we are."""
    @property
    def body(self) -> bytes:
        """All of the text but auditd's translations (what follows 0x1D)."""
    @property
    def truncated(self) -> bool:
        """auditd cut the line: NUL before LF, a full buffer, an open quote, or no text at all."""
    @property
    def kernel(self) -> bool:
        """Written by the kernel as a whole, so that names() can be trusted."""
    def raw(self, name: str, inner: bool = False) -> Optional[bytes]:
        """The value exactly as written."""
    def text(self, name: str, inner: bool = False) -> Optional[str]:
        """An untrusted string (comm, exe, name, acct …): quoted is literal, bare hex is decoded; (null), (none) and ?
        are None. Bytes that are no UTF-8 become surrogates."""
    def word(self, name: str, inner: bool = False) -> Optional[str]:
        """A value that is never hex: quotes dropped, (null), (none) and ? are None."""
    def number_of(self, name: str, base: int = 10, inner: bool = False) -> Optional[int]:
        """None if absent, no number of that base (8, 10 or 16), or beyond 64 bits."""
    def items(self, inner: bool = False) -> list[tuple[str, bytes]]:
        """All fields in order, repeated ones too, values as written. An AVC's verdict is `seresult` and `seperms`."""
    def names(self) -> Optional[dict[str, str]]:
        """auditd's translations by field name ("auid": "core"); only of kernel records, and only if they match the
        record's own fields one by one. `saddr` is what stands between the braces."""

class Event:
    """The records of one event."""

    @property
    def id(self) -> str:
        """ "SEC.mmm:SERIAL" """
    @property
    def node(self) -> Optional[str]: ...
    @property
    def time_ms(self) -> int: ...
    @property
    def serial(self) -> int: ...
    @property
    def session(self) -> Optional[int]:
        """`ses` of its SYSCALL or URINGOP, else of the first record that has one; None where it is unset or absent."""
    @property
    def incomplete(self) -> bool:
        """Closed by a time-out, a limit or the end of input, not by its last record. Lone kernel records
        (CONFIG_CHANGE, TTY) always are: nothing tells that no other follows."""
    @property
    def late(self) -> bool:
        """No event, but one record of a type that its event lacks, come when that had been handed out."""
    @property
    def size(self) -> int:
        """Bytes of its records' texts."""
    @property
    def records(self) -> list[Record]:
        """In stream order, EOE left out. Never empty. A new list each time."""
    def first(self, type: str) -> Optional[Record]: ...
    def all(self, type: str) -> list[Record]: ...

class Assembler:
    """Events of a stream of audit records.

    `keep` says which are handed out: "all"; "sessions": those of any audit session; "watched": those of watched ones.
    In all three also what attribution needs: LOGIN (which watches its session by itself), DAEMON_*, SYSTEM_BOOT,
    USER_AUTH, CRYPTO_KEY_USER, CRYPTO_SESSION. `in_flight` bounds unfinished events, `closed` how many finished ones
    are remembered so that a record met twice makes no second event. With `hold` a program's own record (USER_CMD,
    SERVICE_START …) waits for the next record, which may be that of the system call it was sent by, at most 5 ms.
    """

    def __init__(
        self,
        *,
        in_flight: int = 4096,
        closed: int = 16384,
        keep: Literal["all", "sessions", "watched"] = "all",
        hold: bool = False,
    ) -> None: ...
    def feed(self, data: bytes | bytearray | memoryview, now: float) -> list[Event]:
        """Events that are complete now, in the order in which they became so. Any cut of the stream gives the same."""
    def expire(self, now: float) -> list[Event]:
        """Events whose first record came 2 s of the caller's clock ago or earlier."""
    def deadline(self) -> Optional[float]:
        """The `now` from which expire() has something to do; None if nothing is in flight."""
    def close(self) -> list[Event]:
        """End of input: a last line without newline counts, and all that is in flight completes."""
    def watch(self, ses: int) -> None: ...
    def forget(self, ses: int) -> None: ...
    def rejected(self) -> list[Rejected]:
        """The first 8 refused lines since the last call, blank ones left out."""
    def stats(self) -> dict[str, int]:
        """Counters; how they add up stands in csrc/stats.h."""
