# SPDX-License-Identifier: Apache-2.0
"""Keeps a document within `max_document_bytes`: shippers silently drop longer lines, so an attacker could pad a command
until its event disappears downstream. Texts and lists are cut in the middle, harder and harder until the document fits, and
what was cut is said: of arguments their number, length and SHA-256, of anything else its key and how much there was.
"""

from __future__ import annotations

from typing import Any

from .jsonline import encode

STEPS = ((512, 4096), (512, 1024), (256, 256), (128, 64), (64, 16), (16, 4), (16, 2))
"""(characters that stay of each end of a text, items that stay of a list). The first keeps all of an ordinary long command
line within the default of 64 KiB; the last brings everything but a hostile record under 4 KiB, the least there may be."""
NEEDED = frozenset(
    ["schema", "eventId", "bootId", "seq", "action", "object", "type", "session", "argsTruncated", "cut"]
)
"""Of metadata.extra: what stays even of a document that no cutting makes short enough."""


def fitted(document: dict[str, Any], extra: dict[str, Any], limit: int) -> bytes:
    """`document` as a line of at most `limit` bytes; `extra` is its metadata.extra. Neither is changed."""
    line = encode(document, extra)
    if len(line) <= limit:
        return line
    whole = _measure(extra["process_args"]) if "process_args" in extra else {}
    shorter = document
    for chars, items in STEPS:
        cut = _Cut(chars, items)
        shorter = cut.value(document, "")
        kept = shorter["metadata"]["extra"]
        if cut.keys.pop("process_args", None):
            kept["argsTruncated"] = {**whole, "kept": len(kept["process_args"])}
        if cut.keys:
            kept["cut"] = sorted(cut.keys.values())
        line = encode(shorter, kept)
        if len(line) <= limit:
            return line
    return _bare(shorter, limit, line)


class _Cut:
    """One pass over a document. `keys`: what was cut, by the key it stands under, in words."""

    def __init__(self, chars: int, items: int) -> None:
        self._chars = chars
        self._items = items
        self.keys: dict[str, str] = {}

    def value(self, value: Any, key: str) -> Any:
        """A copy of `value`, shortened."""
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, list):
            return [self.value(item, key) for item in self._list(value, key)]
        if isinstance(value, dict):
            return {name: self.value(item, name) for name, item in value.items()}
        return value

    def _text(self, text: str, key: str) -> str:
        gone = len(text) - 2 * self._chars
        if gone <= 32:  # what is put in its place is about as long
            return text
        self.keys.setdefault(key, key)
        return f"{text[: self._chars]}…[{gone} characters cut]…{text[-self._chars :]}"

    def _list(self, items: list[Any], key: str) -> list[Any]:
        if len(items) <= self._items:
            return items
        self.keys[key] = f"{key}: {len(items)} items"
        half = self._items // 2
        return items[:half] + items[-half:]


def _measure(args: list[str]) -> dict[str, Any]:
    import hashlib  # a millisecond of start-up that most hosts never need

    whole = "\0".join(args).encode("utf-8", "surrogateescape")
    return {"count": len(args), "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}


def _bare(document: dict[str, Any], limit: int, line: bytes) -> bytes:
    """Leave out what is longest until it fits: only a record of nothing but control characters gets here."""
    extra = document["metadata"]["extra"]
    longest = sorted(set(extra) - NEEDED, key=lambda key: -len(encode({key: extra[key]}, {})))
    for key in longest:
        if len(line) <= limit:
            break
        del extra[key]
        extra["cut"] = sorted({*extra.get("cut", []), f"{key}: left out"})
        line = encode(document, extra)
    return line
