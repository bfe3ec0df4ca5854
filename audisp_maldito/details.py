# SPDX-License-Identifier: Apache-2.0
"""What an event says beside who, what and how it ended: arguments of the call, fields of special records.

`details` of an Action, in this order: the call's arguments that arguments.yaml knows (`mode`, `signal`, `access` …),
the deciding record's own fields (`acct`, `op`, `grantors`, `old-auid` …) but for those that stand elsewhere, what the
other records add under their type's name, and what can be told from several of them (`script`, `gained`, `targets`).
A user-space record's fields are what its sender says.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Optional

from . import keystrokes, names, tables
from ._native import Record
from .arguments import decoded
from .fields import Fields
from .model import UNSET

_ARGUMENTS: dict[str, dict[str, list[str]]] = tables.load("arguments")["details"]
_FIELDS = tables.load("actions")["fields"]
_TEXT = frozenset(_FIELDS["text"])
_ELSEWHERE = frozenset(_FIELDS["elsewhere"])
_SHOWN_ELSEWHERE = frozenset(["SYSCALL", "PATH", "CWD", "EXECVE", "SOCKADDR", "PROCTITLE", "URINGOP", "SOCKETCALL"])
_ABSENT = frozenset([b"", b"?", b"(null)", b"(none)"])
_NO_CONTAINER = "18446744073709551615"
_PLAIN_LABELS = frozenset(["unconfined", "=unconfined", "kernel"])
_NUMBERS = {"sig": "signal", "saddr_fam": "family", "uring_op": "io_uring", "code": "seccomp", "resolve": "resolve"}
_BASES = {"code": 16, "resolve": 16}
_CONTAINER = re.compile(r"(?:docker|libpod|crio|cri-containerd|containerd)-([0-9a-f]{64})\b")
_MASKS = frozenset(["cap_pi", "cap_pp", "cap_pe", "cap_pa"])

Details = dict[str, Any]


def of(fields: Fields, call: Optional[str]) -> Details:
    """All details of an event; `call` is what its system call (or io_uring's operation) is about."""
    found: Details = {}
    deciding, base = fields.deciding, fields.base
    if fields.arguments is not None:
        found = _arguments(fields.arguments, call, fields.arch)
    if base is not None:
        label = base.word("subj")
        if label is not None and label not in _PLAIN_LABELS:
            found["subj"] = label
    if deciding.type != "SYSCALL":
        for name, value in _own(deciding).items():
            found.setdefault(name, value)
    for kind, same in fields.by_type.items():
        special = _SPECIAL.get(kind)
        if special is not None:
            found.update(special(same, fields.arch))
        elif kind not in _SHOWN_ELSEWHERE:
            others = [_own(record) for record in same if record is not deciding and record is not base]
            if others:
                found[kind.lower()] = others[0] if len(others) == 1 else others
    return found


def _arguments(record: Record, call: Optional[str], arch: Optional[str]) -> Details:
    found: Details = {}
    for name, (argument, form) in _ARGUMENTS.get(call or "", {}).items():
        number = record.number_of(argument, 16)
        value = None if number is None else names.shown(form, number, arch)
        if value is not None:
            found[name] = value
    return found


def _own(record: Record) -> Details:
    """A record's fields but for those that stand elsewhere; inside msg='…' before outside of it, the first of a
    name."""
    found: Details = {}
    listed = record.items() if record.kernel else record.items(True) + record.items()
    for name, raw in listed:
        if name in _ELSEWHERE or name in found:
            continue
        if raw not in _ABSENT:
            value = decoded(raw) if name in _TEXT else raw.strip(b'"')
            found[name] = _meant(name, value.decode("utf-8", "surrogateescape"))
    return found


def _meant(name: str, value: str) -> Any:
    """Numbers that have a name."""
    table = _NUMBERS.get(name)
    try:
        if table is not None:
            return names.shown(table, int(value, _BASES.get(name, 10)), None)
        if name in _MASKS:
            return names.capabilities(int(value, 16))
    except ValueError:
        pass
    return value


def _openat2(records: list[Record], arch: Optional[str]) -> Details:
    """How openat2 opens, which is in a structure that SYSCALL does not show."""
    flags = records[0].number_of("oflag", 8) or 0
    found: Details = {"access": names.shown("access", flags, arch)}
    named = names.shown("open", flags, arch)
    if named is not None:
        found["flags"] = named
    resolve = records[0].word("resolve")
    if resolve not in (None, "0", "0x0"):
        found["resolve"] = _meant("resolve", str(resolve))
    return found


def _targets(records: list[Record], _arch: Optional[str]) -> Details:
    """OBJ_PID: the processes that a signal, a trace … was meant for, as they were then."""
    return {"targets": [_target(record) for record in records]}


def _target(record: Record) -> Details:
    target: Details = {}
    for name, field in (("pid", "opid"), ("auid", "oauid"), ("uid", "ouid"), ("ses", "oses")):
        number = record.number_of(field)
        if number is not None and number not in (-1, UNSET):
            target[name] = number
    comm = record.text("ocomm")
    if comm is not None:
        target["comm"] = comm
    return target


def _gained(records: list[Record], _arch: Optional[str]) -> Details:
    """BPRM_FCAPS: capabilities that the new program has in effect and the old one had not."""
    old, new = records[0].number_of("old_pe", 16), records[0].number_of("pe", 16)
    gained = [] if old is None or new is None else names.capabilities(new & ~old)
    return {"gained": gained} if gained else {}


def _typed(records: list[Record], _arch: Optional[str]) -> Details:
    """TTY, USER_TTY: the keys that were pressed."""
    return {"keys": keystrokes.named("".join(record.text("data") or "" for record in records))}


_SPECIAL: dict[str, Callable[[list[Record], Optional[str]], Details]] = {
    "OPENAT2": _openat2,
    "OBJ_PID": _targets,
    "BPRM_FCAPS": _gained,
    "TTY": _typed,
    "USER_TTY": _typed,
}


def script(args: list[str], found: list[dict[str, Any]]) -> Optional[str]:
    """The script, where an interpreter was run for it: execve's name is item 0, the interpreter's item 1, and the
    kernel put interpreter and script before the other arguments."""
    if len(found) < 2 or not args or args[0] != found[1].get("name"):
        return None
    name: Optional[str] = found[0].get("name")
    return name if name in args[1:3] else None


def container(told: Details) -> Optional[str]:
    """The id of a container: of the kernel's own (`contid`, of kernels that have audit containers), or what container
    engines put into the name of its unit (SERVICE_START)."""
    for place in (told, *told.values()):
        found = place.get("contid") if isinstance(place, dict) else None
        if isinstance(found, str) and found != _NO_CONTAINER:
            return found
    unit = _CONTAINER.search(str(told.get("unit", "")))
    return None if unit is None else unit[1]
