# SPDX-License-Identifier: Apache-2.0
"""Journal entries as values, from libsystemd and from what `journalctl -o json` wrote.

Only named fields are fetched, each at most `THRESHOLD` bytes if journald compressed it: one entry of a stranger may
have a thousand fields of 64 KiB. A field that is there twice, or is no text, counts as absent. MESSAGE can only be
double in an entry by journald's native protocol, which sshd does not speak: there it is not even looked at.

python-systemd's inner module is used alone: the outer one costs 12 ms of start-up and fetches whole entries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Union

from . import logind
from .errors import InputError
from .logind import Begun
from .model import Boot, SshdEntry
from .trust import SSHD_IDENTIFIERS, SSHD_PATHS, TRANSPORTS

THRESHOLD = 4096
"""Far more than the 500 bytes at which sshd itself cuts a message, so a longer one is still known to be cut."""

NOT_SHOWN = 4096
"""What `journalctl -o json` without --all leaves out as null is at least this long."""

LINE_LIMIT = 16 * 1024 * 1024
MAGIC = b"LPKSHHRH"

Get = Callable[[str], Optional[str]]


class Recording(NamedTuple):
    """What journals hold: the entries that may be sshd's, in order, and what all of them say of boots and host."""

    entries: list[SshdEntry]
    boots: list[Boot]
    host: Optional[str]
    machine_id: Optional[str]
    has_units: bool
    """False: not one entry has a unit, so the machine was not booted with systemd."""
    rejected: int
    """Lines that are no JSON object."""


def recorded(paths: Iterable[str], sshd_paths: frozenset[str] = SSHD_PATHS) -> Recording:
    """Read journal directories, .journal files and files of `journalctl -o json` lines."""
    survey = _Survey(sshd_paths)
    for path in paths:
        survey.read(path)
    return survey.recording()


def matching(reader: Any, field: str, values: Iterable[str]) -> None:
    """Add a term to the reader's matches: the field has one of the values."""
    for value in sorted(values):
        reader.add_match(f"{field}={value}")


def seek(reader: Any, monotonic: float, boot_id: str) -> None:
    """Before the first entry of that time or later, on the clock that nobody sets."""
    reader.seek_monotonic(max(0, int(monotonic * 1_000_000)), boot_id)


def fetch(reader: Any, past: bool = False) -> Optional[SshdEntry]:
    """The entry that the reader stands on; None if it is none that a process wrote (kernel, audit records)."""

    get = partial(field, reader)
    transport = get("_TRANSPORT")
    if transport in ("audit", "kernel"):
        return None
    message = raw(reader, "MESSAGE") if transport in TRANSPORTS else None
    return _entry(get, message, reader._get_realtime(), raw(reader, "SYSLOG_RAW") is not None, past)


def sessions_begun(reader: Any) -> Iterator[Begun]:
    """What logind logged of sessions, from where the reader stands to the journal's end."""
    reader.add_conjunction()
    matching(reader, "MESSAGE_ID", [logind.MESSAGE_ID])
    matching(reader, "_UID", ["0"])
    while reader._next():
        source_us = number(field(reader, "_SOURCE_REALTIME_TIMESTAMP"))
        found = logind.begun(partial(field, reader), reader._get_realtime() if source_us is None else source_us)
        if found is not None:
            yield found


def field(reader: Any, name: str) -> Optional[str]:
    """One field's value as text."""
    data = raw(reader, name)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def raw(reader: Any, name: str) -> Optional[bytes]:
    """One field's value, None if the entry has no such field."""
    try:
        value = reader._get(name)
    except (KeyError, OSError):  # absent, or damaged
        return None
    return value if isinstance(value, bytes) else None


def _entry(get: Get, message: Optional[bytes], realtime_us: int, has_original: bool, past: bool = False) -> SshdEntry:
    try:
        text = None if message is None else message.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    source_us = number(get("_SOURCE_REALTIME_TIMESTAMP"))
    transport = get("_TRANSPORT")
    return SshdEntry(
        pid=number(get("_PID")),
        time_us=realtime_us if source_us is None else source_us,
        message=text,
        size=0 if message is None else len(message),
        uid=number(get("_UID")),
        exe=get("_EXE"),
        unit=get("_SYSTEMD_UNIT"),
        transport=transport,
        identifier=get("SYSLOG_IDENTIFIER"),
        audit_session=number(get("_AUDIT_SESSION")),
        line_break=get("_LINE_BREAK") is not None,
        boot_id=get("_BOOT_ID"),
        host=get("_HOSTNAME"),
        machine_id=get("_MACHINE_ID"),
        stripped=has_original or (transport == "stdout" and text is not None and not text.endswith("\r")),
        past=past,
    )


def number(text: Union[str, bytes, None]) -> Optional[int]:
    """Decimal and unsigned, of at most 64 bits; None for anything else."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    return int(text)


def _is_journal(path: str) -> bool:
    if not os.path.isfile(path):  # a pipe can be read only once, and libsystemd maps files
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class _Survey:
    """Collects from one input after the other."""

    def __init__(self, sshd_paths: frozenset[str]) -> None:
        self._sshd_paths = sshd_paths
        self._entries: list[SshdEntry] = []
        self._boots: dict[str, int] = {}
        self._host: Optional[str] = None
        self._machine_id: Optional[str] = None
        self._has_units = False
        self._rejected = 0

    def recording(self) -> Recording:
        boots = sorted(Boot(start, boot_id) for boot_id, start in self._boots.items())
        return Recording(self._entries, boots, self._host, self._machine_id, self._has_units, self._rejected)

    def read(self, path: str) -> None:
        try:
            if os.path.isdir(path) or _is_journal(path):
                self._libsystemd(path)
            else:
                self._lines(path)
        except OSError as error:
            raise InputError(path, error.strerror or str(error)) from error

    def _libsystemd(self, path: str) -> None:
        from systemd._reader import _Reader  # not needed to replay JSON lines

        try:
            reader = _Reader(flags=0, path=path) if os.path.isdir(path) else _Reader(flags=0, files=[path])
        except ValueError as error:
            raise InputError(path, "not a journal") from error
        with reader:
            reader.data_threshold = THRESHOLD
            boots = sorted(value.decode("ascii", "replace") for value in reader.query_unique("_BOOT_ID"))
            if not boots and os.path.isdir(path):  # libsystemd passes over what it cannot open
                raise InputError(path, "no readable journal in it")
            for boot_id in boots:
                reader.flush_matches()
                reader.add_match(f"_BOOT_ID={boot_id}")
                reader.seek_head()
                if reader._next():
                    self._boot(boot_id, reader._get_realtime())
                    self._machine(_text(raw(reader, "_HOSTNAME")), _text(raw(reader, "_MACHINE_ID")))
            self._has_units = self._has_units or bool(reader.query_unique("_SYSTEMD_UNIT"))
            reader.flush_matches()
            matching(reader, "_EXE", self._sshd_paths)
            reader.add_disjunction()
            matching(reader, "SYSLOG_IDENTIFIER", SSHD_IDENTIFIERS)
            reader.seek_head()
            while reader._next():
                entry = fetch(reader)
                if entry is not None:
                    self._entries.append(entry)

    def _lines(self, path: str) -> None:
        for fields in self._objects(path):
            get = _getter(fields)
            realtime_us = number(get("__REALTIME_TIMESTAMP")) or 0
            boot_id = get("_BOOT_ID")
            if boot_id is not None:
                self._boot(boot_id, realtime_us)
            self._machine(get("_HOSTNAME"), get("_MACHINE_ID"))
            self._has_units = self._has_units or get("_SYSTEMD_UNIT") is not None
            sshds = get("SYSLOG_IDENTIFIER") in SSHD_IDENTIFIERS or get("_EXE") in self._sshd_paths
            if sshds and get("_TRANSPORT") not in ("audit", "kernel"):
                entry = _entry(get, _message(fields.get("MESSAGE")), realtime_us, "SYSLOG_RAW" in fields)
                if "MESSAGE" in fields and fields["MESSAGE"] is None:
                    entry = entry._replace(size=NOT_SHOWN)
                self._entries.append(entry)

    def _objects(self, path: str) -> Iterator[dict[str, Any]]:
        with open(path, "rb") as file:
            while line := file.readline(LINE_LIMIT):
                try:
                    fields = json.loads(line) if line.strip() else None
                except (ValueError, RecursionError):
                    fields = line
                if isinstance(fields, dict):
                    yield fields
                elif fields is not None:
                    self._rejected += 1

    def _boot(self, boot_id: str, time_us: int) -> None:
        self._boots[boot_id] = min(time_us, self._boots.get(boot_id, time_us))

    def _machine(self, host: Optional[str], machine_id: Optional[str]) -> None:
        self._host = self._host or host
        self._machine_id = self._machine_id or machine_id


def _text(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else data.decode("utf-8", "replace")


def _getter(fields: dict[str, Any]) -> Get:
    def get(name: str) -> Optional[str]:
        value = fields.get(name)
        return value if isinstance(value, str) else None

    return get


def _message(value: Any) -> Optional[bytes]:
    """journalctl writes text as a string, other bytes as a list of numbers, several values as a list of those."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, list) and value and all(type(item) is int and 0 <= item < 256 for item in value):
        return bytes(value)
    return None
