# SPDX-License-Identifier: Apache-2.0
"""A document as one line of compact JSON that every consumer can read, whatever bytes an attacker put in.

Text holds undecodable bytes as lone surrogates (surrogateescape). JSON could carry those as \\udcXX, but strict parsers
(Rust's, Go's) then refuse or alter the line, and a refused line is a lost event. So a string with such bytes is written
with each of them as `\\xHH` and each backslash doubled, and the key it stands under is listed in `escaped`: nothing is
lost, and a string that only looks so is told apart. Characters that steer terminals or split lines for careless readers
(C1 controls, U+2028, bidirectional overrides) are written as \\uXXXX.
"""

from __future__ import annotations

import json
import re
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_UNDECODABLE = re.compile(r"[\ud800-\udfff]")


def encode(document: dict[str, Any], marks: dict[str, Any]) -> bytes:
    """`document` as UTF-8 JSON without a newline. `marks` is the part of it that gets `escaped` when needed."""
    text = _ENCODER.encode(document)
    if _UNDECODABLE.search(text):
        escape = _Escape(marks)
        escaped = escape.value(document, "")
        escape.marks["escaped"] = sorted(escape.keys)
        text = _ENCODER.encode(escaped)
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


class _Escape:
    """One pass over a document. `keys`: those of the texts that needed it; `marks`: the copy of the given part."""

    def __init__(self, marks: dict[str, Any]) -> None:
        self._original = marks
        self.marks: dict[str, Any] = {}
        self.keys: set[str] = set()

    def value(self, value: Any, key: str) -> Any:
        """A copy of `value`, escaped."""
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, list):
            return [self.value(item, key) for item in value]
        if not isinstance(value, dict):
            return value
        copy = {name: self.value(item, name) for name, item in value.items()}
        if value is self._original:
            self.marks = copy
        return copy

    def _text(self, text: str, key: str) -> str:
        if not _UNDECODABLE.search(text):
            return text
        self.keys.add(key)
        return _UNDECODABLE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", text.replace("\\", "\\\\"))
