# SPDX-License-Identifier: Apache-2.0
"""An audit.log read in the plainest way, and without the product's code, so that the two can be compared."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

HEADER = re.compile(rb"^(?:node=\S+ )?type=(\S+) msg=audit\((\d+\.\d+:\d+)\):")
UNSET = 4294967295


class Line(NamedTuple):
    type: str
    id: str
    text: bytes

    def field(self, name: str) -> Optional[str]:
        """A field of the kernel's own part: what a process wrote stands behind msg='."""
        found = re.search(rb"(?<=[ (])" + name.encode() + rb"=(\S+)", self.text.partition(b" msg='")[0])
        return found[1].decode() if found else None

    def number(self, name: str) -> Optional[int]:
        value = self.field(name)
        return int(value) if value is not None else None


class Trail:
    def __init__(self, text: bytes) -> None:
        self.lines = []
        for raw in text.splitlines():
            header = HEADER.match(raw)
            assert header, f"not a record: {raw!r}"
            self.lines.append(Line(header[1].decode(), header[2].decode(), raw.partition(b"\x1d")[0]))
        self.events: dict[str, list[Line]] = {}
        for line in self.lines:
            self.events.setdefault(line.id, []).append(line)

    def session(self, event: list[Line]) -> Optional[int]:
        """The audit session of whoever did it: SYSCALL's, else that of the first record which has one."""
        for line in sorted(event, key=lambda line: line.type != "SYSCALL"):
            ses = line.number("ses")
            if ses is not None:
                return ses if ses != UNSET else None
        return None

    def of_session(self, ses: int) -> list[str]:
        return [key for key, event in self.events.items() if self.session(event) == ses]

    def logins(self) -> list[Line]:
        return [line for line in self.lines if line.type == "LOGIN"]

    def login_of(self, pid: int) -> Line:
        (line,) = [line for line in self.logins() if line.number("pid") == pid and line.field("res") == "1"]
        return line
