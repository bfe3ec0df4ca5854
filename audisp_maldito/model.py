# SPDX-License-Identifier: Apache-2.0
"""The nouns that pass between the stages, as plain values.

An `Action` is what one audit event says was done; a `Login` is what one sshd message says of an authentication; an
`SshdEntry` is one journal entry before anybody has decided whether it is sshd's word. Times are integers in the unit
that their source has (audit: milliseconds, journal: microseconds), so that nothing is rounded on the way.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

UNSET = 4294967295
"""The kernel's (unsigned)-1: no loginuid, no audit session."""


class SessionStart(NamedTuple):
    """What a LOGIN record says, and the SYSCALL beside it (`exe` is None without one)."""

    pid: int
    uid: int
    auid: int
    ses: int
    old_ses: int
    succeeded: bool
    exe: Optional[str]


class ObjectRef(NamedTuple):
    """What was acted upon: `kind` and names as in the output (`object.type`, `.primary`, `.secondary`)."""

    kind: Optional[str]
    primary: Optional[str]
    secondary: Optional[str]


class Action(NamedTuple):
    """One audit event, normalised. Absent is None (or an empty list), never a made-up value."""

    id: str
    """"SEC.mmm:SERIAL", the kernel's own stamp."""
    time_ms: int
    serial: int
    node: Optional[str]
    type: str
    """The record type that decided what the event is."""
    records: list[str]
    session: Optional[int]
    """The audit session, None where it is unset or no record has one."""
    auid: Optional[int]
    account: Optional[str]
    """auid's name, only where a kernel record's own enrichment gives it."""
    action: str
    how: Optional[str]
    object: ObjectRef
    result: Optional[str]
    """"success", "fail" or None."""
    pid: Optional[int]
    ppid: Optional[int]
    exe: Optional[str]
    comm: Optional[str]
    args: list[str]
    cwd: Optional[str]
    tty: Optional[str]
    title: Optional[str]
    """PROCTITLE, with a NUL after each argument but the last, as recorded; for people `shown_title`."""
    user: dict[str, Any]
    """uid, euid … as numbers; their names, where enriched, under `names`."""
    syscall: Optional[str]
    arch: Optional[str]
    exit: Optional[int]
    errno: Optional[str]
    keys: list[str]
    paths: list[dict[str, Any]]
    socket: Optional[dict[str, Any]]
    warnings: list[str]
    start: Optional[SessionStart]
    """Present when the event holds a LOGIN record."""
    size: int
    """Bytes of the event's records: what holding it costs."""
    category: Optional[str] = None
    """ECS's event.category, by the rule that named the action."""
    container: Optional[str] = None
    """The container's id, where a record has one."""
    details: dict[str, Any] = {}
    """What else the records say (mode, signal, acct, op, script …): see details.py."""

    @property
    def shown_title(self) -> Optional[str]:
        """The title on one line."""
        return None if self.title is None else self.title.replace("\0", " ")


class Login(NamedTuple):
    """One sshd message, parsed. `kind` says what it tells (the kinds are listed at the head of data/sshd.yaml)."""

    row: str
    kind: str
    text: str
    """The message as logged, prefix and suffix included."""
    method: Optional[str] = None
    user: Optional[str] = None
    invalid_user: bool = False
    source: Optional[str] = None
    """Address (or host name, or "UNKNOWN") as logged."""
    port: Optional[str] = None
    alg: Optional[str] = None
    fingerprint: Optional[str] = None
    """With its hash: "SHA256:…"."""
    key_id: Optional[str] = None
    """Decoded, never trimmed; None when absent or cut."""
    key_id_cut: Optional[str] = None
    """What is left of a key id when sshd may have cut the message (500 bytes)."""
    serial: Optional[str] = None
    ca_alg: Optional[str] = None
    ca: Optional[str] = None
    """Fingerprint of the certificate's CA, with its hash."""
    info: Optional[str] = None
    """What follows key and certificate: "signature count = 3", a GSSAPI name, hostbased's client user and host."""
    reason: Optional[str] = None
    preauth: bool = False
    ends: bool = False
    """The process that logged it handles this connection no longer."""
    details: dict[str, str] = {}
    """Other named fields of the row, under the names they have in the documents (`shell`, `filePath` …)."""


class SshdEntry(NamedTuple):
    """One journal entry, only the fields that attribution reads. None is "the entry has no such field"."""

    pid: Optional[int]
    time_us: int
    """_SOURCE_REALTIME_TIMESTAMP, else __REALTIME_TIMESTAMP."""
    message: Optional[str]
    """None unless there is exactly one MESSAGE and it is UTF-8 text."""
    size: int = 0
    """MESSAGE's length in bytes."""
    uid: Optional[int] = None
    exe: Optional[str] = None
    unit: Optional[str] = None
    transport: Optional[str] = None
    identifier: Optional[str] = None
    audit_session: Optional[int] = None
    line_break: bool = False
    boot_id: Optional[str] = None
    host: Optional[str] = None
    machine_id: Optional[str] = None
    stripped: bool = False
    """journald may have taken blanks off MESSAGE's end, and with them the sign that sshd had cut it: it keeps the original
    of a syslog datagram as SYSLOG_RAW then, and of a line of stdout nothing. There only the CR that sshd -e writes last tells."""
    past: bool = False
    """Older than the plugin's own start: may name a session that begins later, and is no news of its own."""
    line: int = 0
    """Of a line of `--sshd-log`: the how manieth it is, which is all that tells two of the same words apart."""
    pid_text: Optional[str] = None
    """Of a line of `--sshd-log`: what stands where its pid should, if that is no number."""


class Boot(NamedTuple):
    """One _BOOT_ID of a journal, and when its first entry was written."""

    start_us: int
    boot_id: str


class Loss(NamedTuple):
    """What was lost elsewhere, up to `time`; `total`: as many since the kernel started, else `records` now."""

    time: str
    reason: str
    records: int = 0
    total: Optional[int] = None
