# SPDX-License-Identifier: Apache-2.0
"""What data/sshd.yaml must be before it is compiled; build time only.

The rules of the page's own head are checked, above all that every hostile field stands on the side that its row's
anchors do not hang on: a pattern that an attacker could move is refused here rather than found in a log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .model import Login
from .patterns import FREE

if TYPE_CHECKING:
    from .checks import Table

KINDS = frozenset(
    ["accepted", "partial", "postponed", "failed", "refused", "closing", "ended", "disconnected", "session-opened",
     "session-closed", "key", "connection", "channel", "child", "remark"]
)  # fmt: skip
HANGS = frozenset(["none", "left", "right", "both"])
PREAUTH = frozenset(["never", "always", "either", "absent"])
PLACES = frozenset(["data", "subjects", "metadata", "hidden"])
_DOCUMENTED = ("format", "where", "why", "examples")
_ROW = (
    "id", "kind", "pattern", "unless", "tails", "hangs", "hostile", "level", "preauth", "ends", "invalid_user",
    "reason", "set", "loose", "decode",
)  # fmt: skip
_TAIL = ("id", "methods", "pattern", "hangs", "hostile")
_REFERENCE = re.compile(r"\{(\w+)\}")


def compiled(table: Table) -> dict[str, Any]:
    """The table without what only readers and tests need."""
    table.only("shapes", "fields", "tails", "rows")
    for name in table["shapes"]:
        _check_shape(table["shapes"], name)
    _check_fields(table["fields"], table["shapes"])
    shapes = {name: table["shapes"].get(field["shape"], field["shape"]) for name, field in table["fields"].items()}
    dull = {name for name, field in table["fields"].items() if field["to"] == "nothing" and shapes[name] != FREE}
    for tail in table["tails"]:
        _check(tail, _TAIL, shapes, dull)
        if not tail.get("methods"):
            raise tail.wrong("a tail belongs to methods")
    for row in table["rows"]:
        _check(row, _ROW, shapes, dull)
        _check_row(row, table["fields"])
    for rows in (table["rows"], table["tails"]):
        _check_unique(rows)
    return {
        "shapes": dict(table["shapes"]),
        "fields": {name: dict(field) for name, field in table["fields"].items()},
        "tails": [_kept(tail, _TAIL) for tail in table["tails"]],
        "rows": [_kept(row, _ROW) for row in table["rows"]],
    }


def _kept(row: Table, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: row[key] for key in keys if key in row}


def _check_shape(shapes: Table, name: str) -> None:
    try:
        re.compile(shapes[name])
    except re.error as e:
        raise shapes.wrong(f"shape {name!r}: {e}", name) from e


def _check_fields(fields: Table, shapes: Table) -> None:
    places: dict[str, str] = {}
    for name, field in fields.items():
        field.only("shape", "to")
        if field["shape"] != FREE and field["shape"] not in shapes:
            raise field.wrong(f"no shape {field['shape']!r}", "shape")
        place, _, detail = field["to"].partition(".")
        if detail and (place not in PLACES or places.setdefault(detail, place) != place):
            raise field.wrong(f"{field['to']!r}: {name!r} goes to no place, or to a second one", "to")
        if not detail and place not in Login._fields and place != "nothing":
            raise field.wrong(f"{place!r} is no field of a Login", "to")


def _check(row: Table, keys: tuple[str, ...], shapes: dict[str, str], dull: set[str]) -> None:
    row.only(*keys, *_DOCUMENTED)
    for needed in ("id", "format", "pattern", "hangs", "examples"):
        if not row.get(needed):
            raise row.wrong(f"it lacks {needed!r}")
    named = [name for key in ("pattern", "unless") for name in _REFERENCE.findall(row.get(key, ""))]
    unknown = [name for name in named if name not in shapes]
    if unknown or row["hangs"] not in HANGS:
        raise row.wrong(f"{(unknown or [row['hangs']])[0]!r} is unknown", "pattern" if unknown else "hangs")
    fields = _REFERENCE.findall(row["pattern"])
    if len(fields) != len(set(fields)):
        raise row.wrong("a field stands twice in it", "pattern")
    free = [name for name in fields if shapes[name] == FREE or name in row.get("hostile", ())]
    _check_sides(row, free, fields, dull)


def _check_sides(row: Table, free: list[str], fields: list[str], dull: set[str]) -> None:
    hangs, hostile = row["hangs"], row.get("hostile", [])
    if hangs != "none" and not row.get("why"):
        raise row.wrong("it lacks 'why'")
    if not set(hostile) <= set(free):
        raise row.wrong("a hostile field is not in the pattern", "hostile")
    if hangs == "none" and free:
        raise row.wrong(f"{free[0]!r} is free, so its anchors hang on a side", "hangs")
    behind = fields[fields.index(hostile[0]) + 1 :] if hostile else []
    if hangs == "left" and not dull.issuperset(behind):
        raise row.wrong("read from the left, nothing that is used may follow a hostile field", "hostile")
    if hangs == "right" and hostile and free[0] not in hostile:
        raise row.wrong("read from the right, no free field may stand before a hostile one", "hostile")


def _check_row(row: Table, fields: Table) -> None:
    if row.get("kind") not in KINDS:
        raise row.wrong(f"no kind {row.get('kind')!r}", "kind")
    if row.get("preauth", "never") not in PREAUTH:
        raise row.wrong(f"no such preauth: {row['preauth']!r}", "preauth")
    if not set(row.get("level", ())) <= {"error", "fatal"}:
        raise row.wrong("levels are error and fatal", "level")
    unset = set(row.get("set", ())) - set(fields)
    if unset:
        raise row.wrong(f"no field {unset.pop()!r}", "set")
    given = {*_REFERENCE.findall(row["pattern"]), *row.get("set", ())}
    missing = set(_REFERENCE.findall(row.get("reason", ""))) - given
    if missing:
        raise row.wrong(f"the pattern has no {missing.pop()!r}", "reason")


def _check_unique(rows: list[Table]) -> None:
    seen: set[object] = set()
    for row in rows:
        for key in (row["id"], (row["pattern"], row.get("preauth", "never"))):
            if key in seen:
                raise row.wrong(f"{key!r} stands twice")
            seen.add(key)
