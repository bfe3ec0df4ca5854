# SPDX-License-Identifier: Apache-2.0
"""PATH records: what each names, which of them is the object, and where a relative name starts.

The kernel writes one PATH for each name that it looked up, parents included: `nametype` tells them apart (RHEL 7
calls it `objtype`). A lookup that failed has a name, nametype UNKNOWN and nothing else. Item numbers are the
kernel's; records come in their order, but one may be missing.
"""

from __future__ import annotations

from typing import Any, Optional

from ._native import Record

KINDS = {
    0o140000: "socket",
    0o120000: "symlink",
    0o100000: "file",
    0o060000: "block-device",
    0o040000: "directory",
    0o020000: "character-device",
    0o010000: "fifo",
}
_NUMBERS = ("inode", "ouid", "ogid")
_WORDS = ("dev", "rdev", "obj")
_NO_DEVICE = "00:00"
_ON_THE_WAY = frozenset(["PARENT", "UNKNOWN"])


def read(record: Record) -> dict[str, Any]:
    """One PATH record: its fields as the output has them, absent ones left out."""
    path: dict[str, Any] = {}
    _set(path, "item", record.number_of("item"))
    _set(path, "name", record.text("name"))
    _set(path, "nametype", record.word("nametype") or record.word("objtype"))
    mode = record.number_of("mode", 8)
    if mode is not None:
        _set(path, "kind", KINDS.get(mode & 0o170000))
        path["mode"] = f"{mode & 0o7777:04o}"
    for name in _NUMBERS:
        _set(path, name, record.number_of(name))
    for name in _WORDS:
        _set(path, name, record.word(name))
    if path.get("rdev") == _NO_DEVICE:
        del path["rdev"]
    return path


def _set(path: dict[str, Any], key: str, value: Any) -> None:
    if value is not None:
        path[key] = value


def chosen(paths: list[dict[str, Any]], index: int) -> Optional[dict[str, Any]]:
    """The object's PATH: from `index` on the first that was found and is no parent, else what was looked for."""
    if not paths:
        return None
    found = paths[index if index < len(paths) else 0 :]
    at_hand = next((path for path in found if path.get("nametype") not in _ON_THE_WAY), None)
    wanted = next((path for path in reversed(paths) if path.get("nametype") == "UNKNOWN"), paths[-1])
    return wanted if at_hand is None else at_hand


def of_type(paths: list[dict[str, Any]], nametype: str) -> Optional[dict[str, Any]]:
    return next((path for path in paths if path.get("nametype") == nametype), None)


def joined(name: str, cwd: Optional[str]) -> str:
    """A name as recorded, after the directory that it starts from."""
    if name.startswith("/") or not cwd:
        return name
    return cwd + name if cwd.endswith("/") else f"{cwd}/{name}"
