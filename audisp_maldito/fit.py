# SPDX-License-Identifier: Apache-2.0
"""Keeps a document within `max_document_bytes`: shippers silently drop longer lines, so an attacker could pad a command
until its event disappears downstream. What is cut is cut in the middle and said: how much there was, and its SHA-256.
"""

from __future__ import annotations

from typing import Any

ARGUMENT_CHARS = 512
"""What stays of each end of one over-long argument, at first; halved until the document fits."""
SMALLEST = 16


def shorten(document: dict[str, Any], extra: dict[str, Any], excess: int) -> None:
    """Make `document` at least `excess` bytes shorter, if its arguments, paths or long texts allow.

    `extra` is its `metadata.extra`. Adds `argsTruncated` {count, bytes, sha256, kept} and `cut` (names of other fields).
    """
    args: list[str] = extra.get("process_args", [])
    if args and sum(map(len, args)) > ARGUMENT_CHARS:
        excess -= _shorten_arguments(extra, args, excess + 512)
    if excess > 0 and len(extra.get("paths", ())) > 2:
        excess -= _shorten_paths(extra, excess + 64)
    if excess > 0:
        _shorten_texts(document, extra)


def _shorten_arguments(extra: dict[str, Any], args: list[str], excess: int) -> int:
    import hashlib

    whole = "\0".join(args).encode("utf-8", "surrogateescape")
    before = _cost(args)
    chars = ARGUMENT_CHARS
    kept = [_middle_out(arg, chars) for arg in args]
    while chars > SMALLEST and before - _cost(kept) < excess:
        chars //= 2
        kept = [_middle_out(arg, chars) for arg in args]
    ends = len(kept)
    while ends > 2 and before - _cost(kept) < excess:
        ends //= 2
        kept = kept[: (ends + 1) // 2] + kept[len(kept) - ends // 2 :]
    extra["process_args"] = kept
    extra["argsTruncated"] = {
        "count": len(args),
        "bytes": len(whole),
        "sha256": hashlib.sha256(whole).hexdigest(),
        "kept": len(kept),
    }
    return before - _cost(kept)


def _shorten_paths(extra: dict[str, Any], excess: int) -> int:
    paths = extra["paths"]
    before = len(str(paths))
    kept = paths
    while len(kept) > 2 and before - len(str(kept)) < excess:
        half = len(kept) // 2
        kept = kept[: (half + 1) // 2] + kept[len(kept) - half // 2 :]
    extra["paths"] = kept
    extra.setdefault("cut", []).append(f"paths: {len(paths)} records")
    return before - len(str(kept))


def _shorten_texts(document: dict[str, Any], extra: dict[str, Any]) -> None:
    cut: set[str] = set()

    def walk(value: Any, key: str) -> Any:
        if isinstance(value, str) and len(value) > 2 * ARGUMENT_CHARS:
            cut.add(key)
            return _middle_out(value, ARGUMENT_CHARS)
        if isinstance(value, list):
            if len(value) > 64 and key != "process_args":
                cut.add(key)
                value = value[:32] + value[-32:]
            return [walk(item, key) for item in value]
        if isinstance(value, dict):
            for name in value:
                value[name] = walk(value[name], name)
        return value

    walk(document, "")
    if cut:
        extra["cut"] = sorted({*extra.get("cut", []), *cut})


def _middle_out(text: str, chars: int) -> str:
    gone = len(text) - 2 * chars
    return f"{text[:chars]}…[{gone} characters cut]…{text[-chars:]}" if gone > 32 else text


def _cost(texts: list[str]) -> int:
    """About what they take in JSON; control and undecodable characters take up to six bytes."""
    return sum(len(text.encode("utf-8", "surrogateescape")) + 3 for text in texts)
