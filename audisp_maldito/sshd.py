# SPDX-License-Identifier: Apache-2.0
"""One message of sshd's -> Login.  Pure.

The messages stand in data/sshd.yaml, one row each; `patterns` says from which side a row is read. Here is the rest:

* What sshd puts around a message is peeled where the row can have it: the level's prefix ("error: "), the tag that
  LogVerbose forces, the final CR of `sshd -e`, the " [preauth]" of lines that the monitor logs for its child.
* A message with a control byte is none of sshd's, which writes all through vis(3): it comes from a PAM module that was
  handed a newline.
* auth_log's message may go on after "ssh2: " with a key, a certificate, a principal. Where that begins is settled
  first, so that nothing in it can move the address; then the method says which tails it can have.
* Text of others is decoded (`vis`), whole and untrimmed, after it was cut out.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple, Optional

from . import tables
from .model import Login
from .patterns import Fields, Pattern, Template, is_address
from .vis import unvis, unvis_cut

CUT_BYTES = 500
"""sshd hands "%.500s" to syslog: what is as long as this may have lost its end."""
LONGEST = 8192
"""Bytes. `sshd -e` writes at most 1,023, PAM modules rarely more: a longer message is no message."""

_SUFFIX = " [preauth]"
_CONTROL = re.compile(r"[\x00-\x1f]")
_PREFIX = re.compile(r"(error|fatal): ")
_TAG = re.compile(r"[^ :]{1,48}:[^ :()]{1,48}\(\):[0-9]{1,9} \((?:bin=[^ ]+, )?pid=[0-9]{1,20}\): ")
_OPEN_ENDED = frozenset(["cut", "unread"])
"""Tails that end anywhere: what a cut message may have, and no proof of where EXTRA begins."""


def parse(text: str, size: int) -> Optional[Login]:
    """What `text` (a MESSAGE of `size` bytes) says of a login; None if it is not one of the rows."""
    line = _peeled(text, size)
    if line is None:
        return None
    for row in _policy().rows:
        body = row.body(line)
        if body is None:
            continue
        fields = row.read_cut(body) if line.cut else row.read(body)
        if fields is not None:
            return _login(row, line, fields)
    return None


def place(detail: str) -> str:
    """Where a document shows `detail`: "data", "subjects", "metadata" (its extra) or "hidden" (nowhere)."""
    return _policy().places[detail]


class _Line(NamedTuple):
    text: str
    body: str
    prefix: Optional[str]
    cut: bool


def _peeled(text: str, size: int) -> Optional[_Line]:
    body = text.removesuffix("\r")
    try:
        size = max(size, len(text.encode("utf-8", "surrogateescape")))
    except UnicodeEncodeError:
        return None
    if size > LONGEST or _CONTROL.search(body):
        return None
    prefix = _PREFIX.match(body)
    if prefix:
        body = body[prefix.end() :]
    tag = _TAG.match(body)
    if tag:
        body = body[tag.end() :]
    return _Line(text, body, prefix.group(1) if prefix else None, size >= CUT_BYTES)


class _Row:
    """One message, as sshd.yaml has it."""

    __slots__ = ("ends", "id", "invalid", "kind", "levels", "loose", "pattern", "preauth", "raw", "reason", "set",
                 "tails", "unless")  # fmt: skip

    def __init__(self, row: dict[str, Any], shapes: dict[str, str], tails: list[_Tail]) -> None:
        self.id: str = row["id"]
        self.kind: str = row.get("kind", "")
        self.pattern = Pattern(Template(row["pattern"], shapes, row["hangs"], tuple(row.get("hostile", ()))))
        self.unless = Pattern(Template(row["unless"], shapes)) if "unless" in row else None
        self.levels: frozenset[str] = frozenset(row.get("level", ()))
        self.preauth: str = row.get("preauth", "never")
        self.tails = tails if row.get("tails") else []
        self.loose: bool = row.get("loose", False)
        self.ends: bool = row.get("ends", False)
        self.invalid: bool = row.get("invalid_user", False)
        self.raw: bool = not row.get("decode", True)
        self.reason: Optional[str] = row.get("reason")
        self.set: dict[str, str] = row.get("set", {})

    def body(self, line: _Line) -> Optional[str]:
        """The part of `line` that the pattern must match; None if the line cannot be this row's."""
        if not line.body.startswith(self.pattern.literal) or (line.prefix and line.prefix not in self.levels):
            return None
        if self.unless and self.unless.begins(line.body) is not None:
            return None
        has_suffix = line.body.endswith(_SUFFIX)
        if (self.preauth == "absent" and has_suffix) or (self.preauth == "always" and not has_suffix):
            return None
        peel = has_suffix and self.preauth in ("always", "either")
        return line.body[: -len(_SUFFIX)] if peel else line.body

    def read(self, body: str) -> Optional[Fields]:
        if not self.tails:
            fields = self.pattern.read(body)
            return self.pattern.read_loosely(body) if fields is None and self.loose else fields
        whole = [tail for tail in self.tails if tail.id != "cut"]
        fields = self._read_left(body, whole) if self.pattern.template.hangs == "left" else self._read_both(body)
        if fields is None and self.loose:
            fields = self._read_left(body, whole, loosely=True)
        return fields

    def read_cut(self, body: str) -> Optional[Fields]:
        if not self.tails:
            return self.pattern.read_cut(body)
        if self.pattern.template.hangs != "left":
            return self.pattern.begins(body)
        fields = self._read_left(body, [tail for tail in self.tails if tail.id in _OPEN_ENDED])
        if fields and "key_id_cut" not in fields and any(fields["method"] in tail.methods for tail in self.tails):
            fields["key_id_cut"] = ""
        return fields

    def _read_left(self, body: str, tails: list[_Tail], loosely: bool = False) -> Optional[Fields]:
        """The first place that fits, and no other."""
        for fields, end in self.pattern.heads(body, loosely):
            extra = _extra(body, end)
            if extra is None:
                continue
            if not loosely and not is_address(fields["addr"]):
                return None
            reads = (tail.read(fields["method"], extra) for tail in tails)
            return {**fields, **next((read for read in reads if read is not None), {})}
        return None

    def _read_both(self, body: str) -> Optional[Fields]:
        """The one place that fits; if there are several, nothing that an attacker could have moved."""
        places = 0
        readings: list[Fields] = []
        lonely: Optional[Fields] = None
        for fields, end in self.pattern.heads(body):
            extra = _extra(body, end)
            if extra is None or not is_address(fields["addr"]):
                continue
            places += 1
            lonely = fields
            if not extra:
                readings.append(fields)
                continue
            proofs = (tail.read(fields["method"], extra) for tail in self.tails if tail.id not in _OPEN_ENDED)
            readings += [{**fields, **read} for read in proofs if read is not None]
        if len(readings) == 1:
            return readings[0]
        return lonely if places == 1 else self.pattern.begins(body) if places else None


def _extra(body: str, end: int) -> Optional[str]:
    """What follows auth_log's "ssh2"; None if the message cannot go on like that."""
    if end == len(body):
        return ""
    return body[end + 2 :] if body.startswith(": ", end) else None


class _Tail(NamedTuple):
    id: str
    methods: frozenset[str]
    pattern: Pattern

    def read(self, method: str, extra: str) -> Optional[Fields]:
        return self.pattern.read(extra) if method in self.methods else None


def _login(row: _Row, line: _Line, fields: Fields) -> Login:
    policy = _policy()
    relayed = row.preauth in ("always", "either") and line.body.endswith(_SUFFIX)
    values: dict[str, str] = dict(row.set)
    for name, text in fields.items():
        if row.raw:
            values[name] = text
        else:
            values[name] = unvis_cut(text) if name == "key_id_cut" else unvis(text, 2 if relayed else 1)
    told: dict[str, str] = {}
    details: dict[str, str] = {}
    for name, value in values.items():
        where, _, detail = policy.goes[name].partition(".")
        if where in Login._fields:
            told[where] = value
        elif detail:
            details[detail] = value
    invalid = row.invalid or bool(told.pop("invalid_user", None))
    if "clientUser" in details and "clientHost" in details:
        told["info"] = f'client user "{details["clientUser"]}", client host "{details["clientHost"]}"'
    elif "principal" in details:
        told["info"] = details["principal"]
    return Login(
        row=row.id, kind=row.kind, text=line.text, invalid_user=invalid, reason=_reason(row, values),
        preauth=relayed or row.preauth == "always", ends=row.ends, details=details, **told,
    )  # fmt: skip


def _reason(row: _Row, values: dict[str, str]) -> Optional[str]:
    try:
        return row.reason and row.reason.format_map(values).strip()
    except KeyError:
        return None


class _Policy(NamedTuple):
    rows: list[_Row]
    goes: dict[str, str]
    """Field -> a field of Login, or PLACE.DETAIL."""
    places: dict[str, str]


@functools.lru_cache(maxsize=1)
def _policy() -> _Policy:
    table = tables.load("sshd")
    shapes = {name: table["shapes"].get(field["shape"], field["shape"]) for name, field in table["fields"].items()}
    goes = {name: field["to"] for name, field in table["fields"].items()}
    tails = [_Tail(row["id"], frozenset(row["methods"]), _Row(row, shapes, []).pattern) for row in table["tails"]]
    rows = [_Row(row, shapes, tails) for row in table["rows"]]
    places = {detail: where for where, _, detail in (to.partition(".") for to in goes.values()) if detail}
    return _Policy(rows, goes, places)
