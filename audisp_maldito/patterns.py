# SPDX-License-Identifier: Apache-2.0
"""A message's pattern ("Invalid user {user} from {addr} port {port}") as regular expressions.

Theory. What a stranger may choose (a name, a key id, a client's text) may look like any anchor, so a pattern is read
from the side on which nobody but sshd wrote: `left` takes the first place where the anchors fit, `right` the last, and
`both` takes everything if there is one place only, else what stands before the first free field. Shapes have no free
quantifier inside another, so matching is linear, but for patterns of two free fields; those are tried on less than 500
bytes only.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import NamedTuple, Optional

Fields = dict[str, str]
Piece = tuple[str, Optional[str]]

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
FREE = "free"
LOOSE = ".+"
"""What an address that is none may be (the Go original's tests have some; sshd has not)."""
_LAZY, _GREEDY = ".*?", ".*"


class Template(NamedTuple):
    """A pattern as it stands in sshd.yaml, with the shape of each of its fields."""

    text: str
    shapes: dict[str, str]
    """Field -> regular expression, or FREE."""
    hangs: str = "none"
    hostile: tuple[str, ...] = ()

    def pieces(self) -> list[Piece]:
        """(literal, None) and ("", field) in turn."""
        split = _PLACEHOLDER.split(self.text)
        return [(text, None) if n % 2 == 0 else ("", text) for n, text in enumerate(split)]

    def literal(self) -> str:
        """What every message of it begins with."""
        return self.text.partition("{")[0]

    def first_free(self) -> Optional[str]:
        return next((name for _, name in self.pieces() if name and self.shapes[name] == FREE), None)

    def before(self, field: Optional[str]) -> list[str]:
        """The names of the fields that stand before `field`."""
        names = [name for _, name in self.pieces() if name]
        return names[: names.index(field)] if field in names else names


class Pattern:
    """Reads messages by one template. Its expressions are compiled when they are first needed: most never are."""

    __slots__ = ("_compiled", "literal", "template")

    def __init__(self, template: Template) -> None:
        self.template = template
        self.literal = template.literal()
        self._compiled: dict[str, re.Pattern[str]] = {}

    def read(self, text: str) -> Optional[Fields]:
        """The fields of `text`, those of them that are certain; None if it is another message."""
        if not text.startswith(self.literal):
            return None
        template = self.template
        match = self._regex(_GREEDY if template.hangs == "right" else _LAZY).fullmatch(text)
        if match is None:
            return None
        fields = match.groupdict()
        if template.hangs == "both":
            last = self._regex(_GREEDY).fullmatch(text)
            if last is None or last.regs != match.regs:
                fields = {name: fields[name] for name in template.before(template.first_free())}
        return fields if is_address(fields.get("addr")) else None

    def read_loosely(self, text: str) -> Optional[Fields]:
        """As `read`, with any text for the address."""
        if not text.startswith(self.literal):
            return None
        match = self._regex("loose").fullmatch(text)
        return None if match is None else match.groupdict()

    def read_cut(self, text: str) -> Optional[Fields]:
        """The fields of a message that may have lost its end: up to the first hostile field."""
        if not self.template.hostile or not text.startswith(self.literal):
            return None
        match = self._regex("cut").fullmatch(text)
        if match is None:
            return None
        fields = match.groupdict()
        return fields if is_address(fields.get("addr")) else None

    def heads(self, text: str, loosely: bool = False) -> Iterator[tuple[Fields, int]]:
        """Each way to read `text` by the pattern with anything behind it, and where that begins; leftmost first."""
        first = self.template.first_free()
        begin = self._regex("begin").match(text) if first and text.startswith(self.literal) else None
        if first is None or begin is None:
            return
        for tail in self._regex("loose tail" if loosely else "tail").finditer(text, begin.end()):
            yield {**begin.groupdict(), first: text[begin.end() : tail.start()], **tail.groupdict()}, tail.end()

    def begins(self, text: str) -> Optional[Fields]:
        """The fields before the first free one."""
        match = self._regex("begin").match(text) if text.startswith(self.literal) else None
        return None if match is None else match.groupdict()

    def _regex(self, how: str) -> re.Pattern[str]:
        regex = self._compiled.get(how)
        if regex is None:
            regex = self._compiled[how] = re.compile(self._source(how), re.DOTALL)
        return regex

    def _source(self, how: str) -> str:
        template = self.template
        pieces = template.pieces()
        if how in (_LAZY, _GREEDY):
            return self._joined(pieces, how)
        free = template.hostile[0] if how == "cut" else template.first_free()
        at = next((n for n, (_, name) in enumerate(pieces) if name and name == free), len(pieces))
        if how == "cut":
            kept = free if template.hangs == "left" else "key_id_cut" if free == "key_id" else None
            return self._joined(pieces[:at], _LAZY) + (f"(?P<{kept}>.*)" if kept else ".*")
        if how == "begin":
            return self._joined(pieces[:at], _LAZY)
        if how in ("tail", "loose tail"):
            return self._joined(pieces[at + 1 :], _LAZY, f"{LOOSE}?" if how == "loose tail" else "")
        return self._joined(pieces, _GREEDY if template.hangs == "right" else _LAZY, LOOSE)

    def _joined(self, pieces: list[Piece], free: str, loose: str = "") -> str:
        parts = []
        for literal, name in pieces:
            if name is None:
                parts.append(re.escape(literal))
                continue
            shape = self.template.shapes[name]
            if loose and name in ("addr", "host"):
                shape = loose
            parts.append(f"(?P<{name}>{free if shape == FREE else shape})")
        return "".join(parts)


def is_address(text: Optional[str]) -> bool:
    """An IP address as sshd prints it, or its "UNKNOWN"; None (no address to judge) passes."""
    if text is None or text == "UNKNOWN":
        return True
    bare = text.partition("%")[0]
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)
    except (OSError, ValueError):  # ValueError: a NUL, or bytes that are no text
        return False
    return True
