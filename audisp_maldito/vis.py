# SPDX-License-Identifier: Apache-2.0
"""Undoes vis(3), through which sshd passes every line of its log.

To syslog with VIS_CSTYLE|VIS_NL|VIS_TAB|VIS_OCTAL, to stderr (`sshd -e`) with VIS_SAFE|VIS_OCTAL: a backslash is
doubled, control characters become C escapes or octal, bytes outside ASCII octal. A line of the unprivileged child
(" [preauth]") passes through it twice: once in the child, once in the monitor that logs it.
"""

from __future__ import annotations

import re

_ESCAPE = rb"\\(?:([0-3][0-7]{2})|([\\nrbavtfs0]))"
_ESCAPES = re.compile(_ESCAPE)
_WELL_FORMED = re.compile(rb"(?:[^\\]|" + _ESCAPE + rb")*")
_MEANS = {b"n": b"\n", b"r": b"\r", b"b": b"\b", b"a": b"\a", b"v": b"\v", b"t": b"\t", b"f": b"\f", b"s": b" ",
          b"0": b"\0", b"\\": b"\\"}  # fmt: skip


def unvis(text: str, times: int = 1) -> str:
    """`text` with its escapes undone; as it is where they are not what vis(3) writes."""
    if "\\" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    for _ in range(times):
        if not _WELL_FORMED.fullmatch(raw):
            break
        raw = _ESCAPES.sub(_meaning, raw)
    return raw.decode("utf-8", "surrogateescape")


def unvis_cut(text: str) -> str:
    """As `unvis`, for text that may end inside an escape: what is no escape stays as it is."""
    if "\\" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPES.sub(_meaning, raw).decode("utf-8", "surrogateescape")


def _meaning(escape: re.Match[bytes]) -> bytes:
    octal, letter = escape.groups()
    return bytes([int(octal, 8)]) if octal else _MEANS[letter]
