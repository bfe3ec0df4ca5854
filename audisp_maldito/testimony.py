# SPDX-License-Identifier: Apache-2.0
"""What the audit stream itself says of a login: a second source beside sshd's own lines.  Pure.

Only Red Hat's OpenSSH writes it: USER_AUTH (the account; of newer versions also the certificate's key id, serial and
CA), CRYPTO_KEY_USER (the key's fingerprint, as hex), CRYPTO_SESSION (the connection's ports), all by the monitor
before its LOGIN. Any process with CAP_AUDIT_WRITE can write the same words, so a record counts only by what the
kernel put before them: uid 0, neither loginuid nor session, and the pid of a LOGIN that counts. What it says must
agree with the journal, or the login is contested; by itself it names somebody only if the operator says so
(`audit_identity`).
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from ._native import Event, Record
from .model import UNSET, Login
from .sshd import CUT_BYTES

TYPES = frozenset(["USER_AUTH", "CRYPTO_KEY_USER", "CRYPTO_SESSION"])
PATIENCE_MS = 150_000
"""LoginGraceTime is 120 s by default; what is older is of another connection."""
PIDS = 10_000
PER_PID = 64
"""MaxAuthTries keys, a principal each and the connection's own: a dozen at most. The oldest go."""
CUT_NAME = 100
"""sshd's lines have "%.100s" for a name."""


class Evidence(NamedTuple):
    """One record that counts. Absent is None."""

    id: str
    """"SEC.mmm:SERIAL" of its event."""
    time_ms: int
    pid: int
    account: Optional[str] = None
    address: Optional[str] = None
    port: Optional[str] = None
    fingerprint: Optional[str] = None
    """As ssh-keygen prints it, whatever the record's notation is."""
    key_id: Optional[str] = None
    serial: Optional[str] = None
    ca_alg: Optional[str] = None
    ca: Optional[str] = None


def read(event: Event) -> Optional[Evidence]:
    """What `event` is evidence of, if it counts at all."""
    record = event.records[0]
    if record.type not in TYPES or len(event.records) != 1 or record.truncated:
        return None
    pid = record.number_of("pid")
    outside = (record.number_of("uid"), record.number_of("auid"), record.number_of("ses"))
    if pid is None or outside != (0, UNSET, UNSET) or record.word("res", inner=True) not in ("success", "yes", "1"):
        return None
    said = _said(record)
    return None if said is None else said._replace(id=event.id, time_ms=event.time_ms, pid=pid)


def _said(record: Record) -> Optional[Evidence]:
    operation = record.word("op", inner=True)
    said = Evidence("", 0, 0, address=record.word("addr", inner=True))
    if record.type == "CRYPTO_SESSION":
        return said._replace(port=record.word("rport", inner=True)) if operation == "start" else None
    if record.type == "CRYPTO_KEY_USER":
        key = operation == "negotiate" and record.word("kind", inner=True) == "auth-key"
        return said._replace(fingerprint=fingerprint(record.word("fp", inner=True))) if key else None
    said = said._replace(account=record.text("acct", inner=True))
    if operation == "pubkey_auth":
        return said
    if operation != "cert":
        return None
    return said._replace(
        key_id=record.text("key_id", inner=True),
        serial=record.word("cert_serial", inner=True),
        ca_alg=_algorithm(record.word("cert_issuer_alg", inner=True)),
        ca=fingerprint(record.word("cert_issuer_fp", inner=True)),
    )


def fingerprint(text: Optional[str]) -> Optional[str]:
    """ "SHA256:71:b3:…" (the audit trail's) as "SHA256:cbO…" (sshd's and ssh-keygen's); MD5 is hex in both."""
    name, _, digest = (text or "").partition(":")
    if name != "SHA256":
        return text if name == "MD5" else None
    if ":" not in digest:
        return text
    try:
        data = binascii.unhexlify(digest.replace(":", ""))
    except ValueError:
        return None
    return "SHA256:" + base64.b64encode(data).decode().rstrip("=") if len(data) == 32 else None


def _algorithm(name: Optional[str]) -> Optional[str]:
    """ "ssh-ed25519" as sshd's own lines have it: "ED25519"."""
    if name is None:
        return None
    return "ECDSA" if name.startswith("ecdsa") else name.removeprefix("ssh-").upper()


class Testimony:
    """All evidence about one connection."""

    __slots__ = ("evidence",)

    def __init__(self, evidence: list[Evidence]) -> None:
        self.evidence = evidence

    @property
    def time_ms(self) -> int:
        """When it began."""
        return self.evidence[0].time_ms

    def login(self) -> Optional[Login]:
        """The login that it tells of, in the form of an acceptance; None if it tells of no key."""
        known: dict[str, str] = {}
        for one in self.evidence:
            known.update({name: value for name, value in one._asdict().items() if isinstance(value, str)})
        if "fingerprint" not in known:
            return None
        certificate = "key_id" in known and "ca" in known
        return Login(
            row="audit", kind="accepted", method="publickey", text=self._text(), user=known.get("account"),
            source=known.get("address"), port=known.get("port"), fingerprint=known["fingerprint"],
            key_id=known["key_id"] if certificate else None, serial=known.get("serial") if certificate else None,
            ca=known["ca"] if certificate else None, ca_alg=known.get("ca_alg") if certificate else None,
        )  # fmt: skip

    def told(self) -> list[str]:
        """Each record in a line, for people."""
        return [_told(one) for one in self.evidence]

    def _text(self) -> str:
        """Short whatever it holds, since what is as long as sshd's longest line counts as cut."""
        data = "; ".join(self.told()).encode("utf-8", "surrogateescape")
        return data[: CUT_BYTES - 10].decode("utf-8", "ignore")

    def confirms(self, factors: list[Login]) -> list[str]:
        """Ids of the records that say of the login's keys what sshd's lines say."""
        keys = {login.fingerprint for login in factors if login.fingerprint}
        names = {(login.key_id, login.ca) for login in factors if login.ca is not None}
        return [one.id for one in self.evidence if one.fingerprint in keys or (one.key_id, one.ca) in names]

    def contradicts(self, factors: list[Login]) -> bool:
        """Does any of it deny what sshd's lines say? What one of the two does not tell is no contradiction."""
        last = factors[-1]
        for one in self.evidence:
            if one.account is not None and last.user is not None and _name(one.account) != _name(last.user):
                return True
            if one.port is not None and None not in (one.address, last.source, last.port):
                if (one.address, one.port) != (last.source, last.port):
                    return True
            elif one.address is not None and _numeric(last.source) and one.address != last.source:
                return True
        return self._other_key(factors) or self._other_certificate(factors)

    def _other_key(self, factors: list[Login]) -> bool:
        """Several keys may have been tried, but the one that sshd accepted must be among them."""
        told = {one.fingerprint for one in self.evidence if one.fingerprint}
        keys = {login.fingerprint for login in factors if login.method == "publickey" and login.fingerprint}
        comparable = {key for key in keys if any(key.partition(":")[0] == other.partition(":")[0] for other in told)}
        return not comparable <= told

    def _other_certificate(self, factors: list[Login]) -> bool:
        told = {(one.key_id, one.serial, one.ca) for one in self.evidence if one.key_id is not None}
        whole = {(f.key_id, f.serial, f.ca) for f in factors if f.method == "publickey" and f.key_id is not None}
        return bool(told) and not whole <= told


class Testimonies:
    """Evidence by pid, until the pid's LOGIN. Bounded."""

    def __init__(self) -> None:
        self._of_pid: OrderedDict[int, list[Evidence]] = OrderedDict()

    def add(self, evidence: Evidence) -> None:
        known = self._of_pid.setdefault(evidence.pid, [])
        self._of_pid.move_to_end(evidence.pid)
        if evidence.port is not None and any(o.port not in (None, evidence.port) for o in known):
            known.clear()  # another connection begins
        known.append(evidence)
        del known[:-PER_PID]
        if len(self._of_pid) > PIDS:
            self._of_pid.popitem(last=False)

    def pids(self) -> Iterable[int]:
        """Those that something is kept of."""
        return self._of_pid

    def of_pid(self, pid: int) -> Sequence[Evidence]:
        """In the order they came."""
        return self._of_pid.get(pid, ())

    def take(self, pid: int, time_ms: int) -> Optional[Testimony]:
        """What was said about the connection whose LOGIN came at `time_ms`; the pid begins anew."""
        known = [one for one in self._of_pid.pop(pid, []) if 0 <= time_ms - one.time_ms <= PATIENCE_MS]
        return Testimony(known) if known else None


def _told(one: Evidence) -> str:
    said = (
        ("account", one.account),
        ("key", one.fingerprint),
        ("key id", one.key_id),
        ("serial", one.serial),
        ("CA", one.ca),
        ("from", one.address),
        ("port", one.port),
    )
    return f"audit {one.id}: " + ", ".join(f"{name} {value:.200}" for name, value in said if value is not None)


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")[:CUT_NAME]


def _numeric(source: Optional[str]) -> bool:
    return source is not None and (":" in source or source.replace(".", "").isdigit())
