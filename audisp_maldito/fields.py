# SPDX-License-Identifier: Apache-2.0
"""The records of one event as the rules of actions.yaml see them: grouped by type, and their fields as one mapping.

The mapping has the deciding record's fields first, then SYSCALL's, then the others'; PATH, SOCKADDR, EXECVE, CWD,
PROCTITLE and OBJ_PID are left out, since their fields mean something else under the same names. In a user-space
record what stands inside msg='…' comes before the kernel's prefix (`id`, `acct`, `exe` are there); the truth about
pid, uid, auid and ses is never asked for here.
"""

from __future__ import annotations

from typing import Optional

from . import names, tables
from ._native import Event, Record

_TEXT = frozenset(tables.load("actions")["fields"]["text"])
_TYPES = tables.load("actions")["records"]
_APART = frozenset(["PATH", "SOCKADDR", "EXECVE", "CWD", "PROCTITLE", "OBJ_PID"])
_PARTS = frozenset(tables.load("actions")["parts"])
_UNSET = frozenset(["4294967295", "-1"])
_LOGIN_IDS = frozenset(["auid", "new-auid", "old-auid"])
_BASES = {"a0": 16, "a1": 16, "a2": 16, "a3": 16}


class Fields:
    """One event's records, and its fields by name."""

    __slots__ = ("arch", "base", "by_type", "deciding", "enriched", "records", "searched", "syscall")

    def __init__(self, event: Event) -> None:
        self.records = event.records
        self.by_type: dict[str, list[Record]] = {}
        for record in self.records:
            self.by_type.setdefault(record.type, []).append(record)
        syscall = self.one("SYSCALL")
        self.base = syscall or self.one("URINGOP")
        self.deciding = self._deciding()
        process = self.process
        self.enriched = process.names() if process.kernel else None
        self.arch = self.syscall = None
        called = syscall or (self.deciding if self.deciding.kernel else None)
        if called is not None:
            self.arch = names.arch(called.raw("arch"))
            enriched = self.enriched.get("syscall") if self.enriched else None
            self.syscall = names.syscall(self.arch, called.raw("syscall"), enriched)
        self.searched: Optional[list[Record]] = None

    def _deciding(self) -> Record:
        """The first record that is no part of another, up to SYSCALL (or URINGOP): what the kernel writes before that
        is what the event is about, what it writes after it belongs to the call."""
        for record in self.records:
            if record is self.base or record.type not in _PARTS:
                return record
        return next((record for record in self.records if record.type in _TYPES), self.records[0])

    @property
    def process(self) -> Record:
        """The record that tells the truth about the process."""
        return self.base or self.deciding

    @property
    def arguments(self) -> Optional[Record]:
        """The record whose a0, a1 … are the call's: for i386's and s390's socketcall not SYSCALL."""
        return self.one("SOCKETCALL" if self.syscall == "socketcall" else "SYSCALL")

    def one(self, kind: str) -> Optional[Record]:
        same = self.by_type.get(kind)
        return same[0] if same else None

    def get(self, name: str) -> Optional[str]:
        """The first value of that name, decoded; None where no record has it."""
        if name in _BASES:
            return None if self.arguments is None else self.arguments.word(name)
        if name == "syscall" and self.syscall is not None:
            return self.syscall
        if self.searched is None:
            first = [self.deciding] if self.base in (None, self.deciding) else [self.deciding, self.process]
            rest = [r for r in self.records if r.type not in _APART and r is not self.deciding and r is not self.base]
            self.searched = first + rest
        for record in self.searched:
            value = None if record.kernel else _value(record, name, True)
            if value is None:
                value = _value(record, name, False)
            if value is not None:
                return "unset" if name in _LOGIN_IDS and value in _UNSET else value
        return None

    def shown(self, name: str, form: Optional[str]) -> Optional[str]:
        """`get`, in one of the forms of arguments.yaml if one is asked for."""
        value = self.get(name)
        if value is None or form is None:
            return value
        try:
            number = int(value, _BASES.get(name, 10))
        except ValueError:
            return value
        named = names.shown(form, number, self.arch)
        return None if named is None else str(named)


def _value(record: Record, name: str, inner: bool) -> Optional[str]:
    return record.text(name, inner) if name in _TEXT else record.word(name, inner)
