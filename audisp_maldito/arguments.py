# SPDX-License-Identifier: Apache-2.0
"""A command line out of its EXECVE records, whole.

    argc=3 a0="sh" a1=2D63 a2_len=20000 a2[0]=6563…        one record is at most 8 KiB, so long lists go on in the next
    a2[1]=6F20… a2[2]=…                                    ones, and a long argument is cut into numbered pieces

`aN_len` is the length of the encoded argument. Arguments may be empty, and may hold any byte but NUL; pieces are
joined as bytes, since a cut may fall into a UTF-8 sequence. What is missing is said in the warnings, with the numbers
of the arguments, and stands as an empty string between those that are there.
"""

from __future__ import annotations

import re
from typing import Optional

from ._native import Record

_NAME = re.compile(r"a(\d{1,9})(?:\[(\d{1,9})\]|(_len))?", re.ASCII)
_HEX = re.compile(rb"(?:[0-9A-F]{2})+")
_MOST_HOLES = 64
"""No more missing arguments than these are filled in between: an index may be anything in a damaged record."""
_MOST_SPANS = 16


def decoded(raw: bytes) -> bytes:
    """A value as the kernel writes untrusted strings: quoted, or in hex."""
    if raw[:1] == b'"':
        return raw[1:-1] if raw[-1:] == b'"' and len(raw) > 1 else raw[1:]
    return bytes.fromhex(raw.decode("ascii")) if _HEX.fullmatch(raw) else raw


def read(records: list[Record], warnings: list[str]) -> list[str]:
    """The arguments of all EXECVE records of an event, in order."""
    whole: dict[int, bytes] = {}
    pieces: dict[int, list[bytes]] = {}
    lengths: dict[int, int] = {}
    argc: Optional[int] = None
    for record in records:
        for name, raw in record.items():
            match = _NAME.fullmatch(name)
            if match is None:
                if name == "argc" and argc is None:
                    argc = record.number_of("argc")
            elif match[3]:
                lengths[int(match[1])] = int(raw) if raw.isdigit() and len(raw) < 10 else 0
            elif match[2]:
                pieces.setdefault(int(match[1]), []).append(raw)
            else:
                whole.setdefault(int(match[1]), decoded(raw))
    for number, parts in pieces.items():
        if sum(map(len, parts)) < lengths.get(number, 0):
            warnings.append(f"argument {number} is cut")
        whole.setdefault(number, b"".join(map(decoded, parts)))
    return _in_order(whole, argc, warnings)


def _in_order(whole: dict[int, bytes], argc: Optional[int], warnings: list[str]) -> list[str]:
    args: list[str] = []
    missing: list[str] = []
    expected = 0
    for number in sorted(whole):
        if number > expected:
            missing.append(_span(expected, number - 1))
            if number - expected <= _MOST_HOLES:
                args.extend([""] * (number - expected))
        args.append(whole[number].decode("utf-8", "surrogateescape"))
        expected = number + 1
    if argc is not None and expected < argc:
        missing.append(_span(expected, argc - 1))
    if missing:
        warnings.append("arguments missing: " + ", ".join(missing[:_MOST_SPANS]))
    return args


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
