# SPDX-License-Identifier: Apache-2.0
"""Event -> Action: what one audit event says was done, by the rules of data/actions.yaml.

One record decides what the event is: the first before SYSCALL that is no part of another (the kernel writes what is
special, LOGIN, AVC, CONFIG_CHANGE, before the SYSCALL that caused it), else SYSCALL by the call's name, else URINGOP.
The truth about the process comes from SYSCALL; in a user-space record from what the kernel wrote before msg='…'; exe
and comm inside it are what the sender says of itself.

Total: any event gives an Action. What could not be decoded is kept as written, what is missing is said in `warnings`.
"""

from __future__ import annotations

from typing import Any, Optional

from . import arguments, details, names, paths, sockaddr, tables
from ._native import Event, Record
from .fields import Fields
from .model import UNSET, Action, SessionStart
from .objects import Sources, call_behind
from .stamp import rfc3339

_RULES = tables.load("actions")
_RECORDS: dict[str, list[dict[str, Any]]] = _RULES["records"]
_CALLS: dict[str, dict[str, Any]] = _RULES["calls"]
_INTERPRETERS = tuple(_RULES["interpreters"])
_IDS = ("uid", "gid", "euid", "suid", "fsuid", "egid", "sgid", "fsgid")
_BIG_ENDIAN = frozenset(["s390", "s390x", "ppc", "ppc64"])
_TITLE_BYTES = 127
"""The kernel copies 128 bytes of the command line: a title this long may have lost its end."""

Rule = Optional[dict[str, Any]]


def action(event: Event) -> Action:
    """What the event says was done. Never raises."""
    fields = Fields(event)
    process, deciding, by_type = fields.process, fields.deciding, fields.by_type
    warnings: list[str] = []
    call = call_behind(fields)
    keys = _keys(process, deciding)
    found = [paths.read(record) for record in by_type.get("PATH", ())]
    cwd = _text(fields.one("CWD") or deciding, "cwd")
    socket = _socket(fields)
    args = arguments.read(by_type.get("EXECVE", []), warnings)
    rule = _rule(fields, call)
    sources = Sources(fields, call, found, cwd, socket, warnings)
    auid = _id(process.number_of("auid"))
    exit_code = process.number_of("exit")
    exe, comm = _text(process, "exe"), _text(process, "comm")
    told = _details(fields, call, args, found)
    return Action(
        id=event.id,
        time_ms=event.time_ms,
        serial=event.serial,
        node=event.node,
        type=deciding.type,
        records=[record.type for record in fields.records],
        session=event.session,
        auid=auid,
        account=_account(auid, fields.enriched),
        action=_word(rule, fields, keys),
        how=_how(rule, sources, exe, comm),
        object=sources.object(rule, keys),
        result=_result(process, deciding),
        pid=process.number_of("pid"),
        ppid=process.number_of("ppid"),
        exe=exe,
        comm=comm,
        args=args,
        cwd=cwd,
        tty=process.word("tty"),
        title=_title(fields.one("PROCTITLE"), warnings),
        user=_user(process, fields.enriched),
        syscall=fields.syscall,
        arch=fields.arch,
        exit=exit_code,
        errno=names.errno(exit_code),
        keys=keys,
        paths=found,
        socket=socket,
        warnings=warnings + _missing(fields),
        start=_start(fields.one("LOGIN"), fields.one("SYSCALL")),
        size=event.size,
        category=None if rule is None else rule["category"],
        container=details.container(told) if told else None,
        details=told,
    )


def _details(fields: Fields, call: Optional[str], args: list[str], found: list[dict[str, Any]]) -> dict[str, Any]:
    told = details.of(fields, call)
    script = details.script(args, found)
    if script is not None:
        told["script"] = script
    return told


def _missing(fields: Fields) -> list[str]:
    """What the event has lost on its way: said by what its own records promise, so that it does not depend on the
    stream's form."""
    warnings = []
    cut = [record.type for record in fields.records if record.truncated]
    if cut:
        warnings.append("a record is cut: " + ", ".join(cut[:8]))
    promised = None if fields.base is None else fields.base.number_of("items")
    there = len(fields.by_type.get("PATH", ()))
    if promised is not None and promised > there:
        warnings.append(f"PATH records missing: {promised - there} of {promised}")
    return warnings


def _text(record: Record, name: str) -> Optional[str]:
    """A field of the kernel's, or what a user-space record says of itself inside msg='…'."""
    return record.text(name) if record.kernel else record.text(name, True)


def _id(number: Optional[int]) -> Optional[int]:
    return None if number is None or number in (UNSET, -1) else number


def _account(auid: Optional[int], enriched: Optional[dict[str, str]]) -> Optional[str]:
    name = enriched.get("auid") if enriched and auid is not None else None
    return name if name is not None and _is_name(name) else None


def _is_name(text: str) -> bool:
    """auditd writes these where it knows no name."""
    return text != "unset" and not text.startswith("unknown(")


def _user(process: Record, enriched: Optional[dict[str, str]]) -> dict[str, Any]:
    """The ids that the process acted under, as numbers; their names where auditd resolved them."""
    user: dict[str, Any] = {}
    for name in _IDS:
        number = process.number_of(name)
        if number is not None:
            user[name] = number
    if enriched:
        known = {n: enriched[n] for n in ("auid", *user) if n in enriched and _is_name(enriched[n])}
        if known:
            user["names"] = known
    return user


def _keys(process: Record, deciding: Record) -> list[str]:
    """The keys of the rules that asked for the event, or that it changed (CONFIG_CHANGE); 0x01 stands between them."""
    texts = [process.text("key"), None if deciding is process else deciding.text("key")]
    return list(dict.fromkeys(key for text in texts if text for key in text.split("\x01") if key))


def _title(record: Optional[Record], warnings: list[str]) -> Optional[str]:
    """PROCTITLE: what the process shows as its command line. It can write there what it likes."""
    title = record.text("proctitle") if record is not None else None
    if title is None:
        return None
    if len(title.encode("utf-8", "surrogateescape")) >= _TITLE_BYTES:
        warnings.append("the title may be cut")
    return title.rstrip("\0")


def _socket(fields: Fields) -> Optional[dict[str, Any]]:
    record = fields.one("SOCKADDR")
    raw = record.raw("saddr") if record is not None else None
    return None if raw is None else sockaddr.decode(raw, fields.arch in _BIG_ENDIAN)


def _start(login: Optional[Record], syscall: Optional[Record]) -> Optional[SessionStart]:
    if login is None:
        return None
    numbers = [login.number_of(name) for name in ("pid", "uid", "auid", "ses", "old-ses")]
    pid, uid, auid, ses, old_ses = (UNSET if n is None else n for n in numbers)
    exe = syscall.text("exe") if syscall is not None else None
    return SessionStart(pid, uid, auid, ses, old_ses, _said(login) == "success", exe)


def _result(process: Record, deciding: Record) -> Optional[str]:
    """The call's own success; where that went well, what the record says of the matter itself (res=)."""
    success = process.word("success")
    if success is not None and (success != "yes" or deciding is process):
        return "success" if success == "yes" else "fail"
    said = _said(deciding)
    return "success" if said is None and success == "yes" else said


def _said(record: Record) -> Optional[str]:
    """res= of a record: success, yes, 1; anything else is a failure, nothing is nothing."""
    inner = not record.kernel
    value = record.word("res", inner) or (record.word("success", inner) if inner else None)
    if value is None and inner:
        value = record.word("res")
    if value is None:
        return None
    return "success" if value in ("1", "yes") or value.startswith("suc") else "fail"


def _rule(fields: Fields, call: Optional[str]) -> Rule:
    kind = fields.deciding.type
    if kind == "SYSCALL":
        return _CALLS.get(call or "")
    chosen: Rule = None
    for rule in _RECORDS.get(kind, ()):
        if rule["needs"] is None or fields.get(rule["needs"]) is not None:
            chosen = rule
    return chosen


def _word(rule: Rule, fields: Fields, keys: list[str]) -> str:
    kind = fields.deciding.type
    if rule is None:
        if kind == "SYSCALL":
            default = _RULES["default"]["call"]
            return str(default["keyed"] if keys else default["unkeyed"])
        plain = "".join(c if c.isalnum() else "-" for c in kind.lower())
        return str(_RULES["default"]["record"]) + plain.strip("-")
    word = rule["action"]
    if isinstance(word, str):
        return word
    return str(word["words"].get(fields.get(word["by"]), word["else"]))


def _how(rule: Rule, sources: Sources, exe: Optional[str], comm: Optional[str]) -> Optional[str]:
    listed = None if rule is None else rule["how"]
    if listed is not None:
        found = sources.first(listed)
        if found is not None or not listed:
            return found
    if exe is not None and comm is not None and exe.startswith(_INTERPRETERS):
        return comm
    return exe if exe is not None else comm


def parsed(done: Action) -> dict[str, Any]:
    """The object that `maldito parse` prints: every key always there, null where the event has nothing."""
    return {
        "id": done.id,
        "time": rfc3339(done.time_ms, 1000),
        "node": done.node,
        "type": done.type,
        "records": list(done.records),
        "session": done.session,
        "auid": done.auid,
        "action": done.action,
        "how": done.how,
        "object": {"type": done.object.kind, "primary": done.object.primary, "secondary": done.object.secondary},
        "result": done.result,
        "process": {
            "pid": done.pid,
            "ppid": done.ppid,
            "exe": done.exe,
            "comm": done.comm,
            "args": list(done.args),
            "cwd": done.cwd,
            "tty": done.tty,
            "title": done.shown_title,
        },
        "user": dict(done.user),
        "syscall": done.syscall,
        "arch": done.arch,
        "exit": done.exit,
        "errno": done.errno,
        "key": list(done.keys),
        "paths": [dict(path) for path in done.paths],
        "socket": None if done.socket is None else dict(done.socket),
        "category": done.category,
        "container": done.container,
        "details": dict(done.details),
        "warnings": list(done.warnings),
    }
