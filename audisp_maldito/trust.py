# SPDX-License-Identifier: Apache-2.0
"""What counts as sshd's word, and whose name a login may bear.

journald vouches for the fields with a leading underscore, and only for what the kernel told it at the moment of
reading: any user may log as "sshd" (`logger -t sshd`), give a live sshd's pid in SYSLOG_PID, or run a copy of sshd; a
container's root with the host's journal socket mounted has uid 0, the right exe and a host pid, and only its unit
tells it apart. So an acceptance needs all of transport, uid, exe and unit. Lines that cannot name anybody (refusals,
ends) need less, because journald often loses exe and unit of a process that is gone: but never the uid.

A certificate's key id is what its CA signed. Whoever can write an account's authorized_keys can add a CA of their
own, so a key id names a person only under a CA that the host trusts for all accounts. Whose a plain key is only the
operator can say (persons.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Optional

from .model import Login, SshdEntry
from .persons import Persons
from .sshd import CUT_BYTES

UNKNOWN = "unknown"

SSHD_PATHS = frozenset(
    ["/usr/sbin/sshd", "/usr/bin/sshd"]
    + [
        directory + "/sshd-session"
        for directory in (
            "/usr/lib/openssh",
            "/usr/libexec/openssh",
            "/usr/lib/ssh",
            "/usr/libexec/ssh",
            "/usr/lib64/misc",
            "/usr/libexec/misc",
        )
    ]
)
SSHD_UNITS = ("ssh.service", "sshd.service", "ssh@*.service", "sshd@*.service", "sshd-*@*.service")
SSHD_IDENTIFIERS = frozenset(["sshd", "sshd-session", "sshd-auth"])
TRANSPORTS = frozenset(["syslog", "stdout"])

CLAIMS = frozenset(["accepted", "partial", "failed", "refused"])
"""Kinds of messages that only sshd's monitor writes: from anybody else they are forgeries. The others come rightly from
the user's own sshd process too, with that user's uid and often, since it ends then, without a program's name."""


class Policy(NamedTuple):
    """What the operator (or the defaults) decided; everything in the engine that is not in its inputs."""

    host: str = UNKNOWN
    machine_id: str = UNKNOWN
    sshd_paths: frozenset[str] = SSHD_PATHS
    sshd_units: tuple[str, ...] = SSHD_UNITS
    units_required: bool = True
    """False on a machine not booted with systemd: there an entry without a unit counts."""
    trusted_cas: Optional[frozenset[str]] = frozenset()
    """Fingerprints ("SHA256:…") of the CAs whose key ids name people; None: not checked (`replay` without any)."""
    sessions: str = "all"
    max_document_bytes: int = 65536
    redact: bool = True
    """Replace known secrets in command lines."""
    redact_patterns: tuple[str, ...] = ()
    """What else is one (redact.Pattern)."""
    typed_text: bool = False
    """Write what was typed on audited terminals."""
    persons: Optional[Persons] = None
    """The operator's directory of keys (the identities file), where there is one."""
    multi_factor: Optional[bool] = None
    """Does sshd_config ask anybody for more than one method? None: not known."""
    audit_identity: bool = False
    """May the audit stream alone name somebody (Red Hat's OpenSSH), where the journal has no line?"""
    addresses: frozenset[str] = frozenset()
    """The host's own, beside loopback."""
    untimed: bool = False
    """Logins come without time (`--sshd-log`): matched first in, first out, and never trusted."""


class Grade:
    """How much an entry may say: of a login's success, of failures and ends only, or nothing."""

    ACCEPTANCE = "acceptance"
    SCOPED = "scoped"
    """An acceptance if, and only if, it joins the LOGIN of its own audit session."""
    REFUSAL = "refusal"
    CHILD = "child"
    """sshd's process of the logged-in user: true perhaps, but anybody of that uid can imitate it."""
    FORGED = "forged"


def grade(entry: SshdEntry, policy: Policy) -> str:
    """Judge an entry by what journald vouches for, never by its text."""
    if entry.uid != 0:
        return Grade.CHILD if entry.exe in policy.sshd_paths else Grade.FORGED
    if entry.transport not in TRANSPORTS or (entry.exe is not None and entry.exe not in policy.sshd_paths):
        return Grade.FORGED
    scoped = entry.unit is not None and entry.unit.startswith("session-") and entry.unit.endswith(".scope")
    known = entry.unit is not None and any(fnmatchcase(entry.unit, unit) for unit in policy.sshd_units)
    if entry.unit is not None and not known and not scoped:
        return Grade.FORGED
    if entry.exe is None or (entry.unit is None and policy.units_required):
        return Grade.REFUSAL
    if scoped and not known:
        return Grade.SCOPED if entry.audit_session is not None else Grade.REFUSAL
    return Grade.ACCEPTANCE


class Identity(NamedTuple):
    """Whose login it is: `person` None means "unknown", and `reason` then says why."""

    person: Optional[str]
    ca_trust: Optional[str] = None
    reason: Optional[str] = None
    source: Optional[str] = None
    """Who says so where it is not the certificate's CA: "identities" (the operator's file), "audit"."""


class Factor(NamedTuple):
    """One of several methods that a login took, and whose it is by itself."""

    login: Login
    who: Identity


ONE_LOGGED = "sshd_config asks some logins for several methods, and only the last is logged (LogLevel VERBOSE logs all)"


def judge(login: Login, partials: Sequence[Login], policy: Policy) -> tuple[Identity, tuple[Factor, ...]]:
    """Whose login it is after all its methods; and each of them, where there were several.

    Whoever can forge one line beside a true one could add a key, so all keys of a login must be the same person's.
    """
    last = identity(login, policy)
    if not partials:
        if policy.multi_factor and last.person is None and login.method != "publickey":
            last = last._replace(reason=f"{last.reason}; {ONE_LOGGED}")
        return last, ()
    factors = (*(Factor(partial, identity(partial, policy)) for partial in partials), Factor(login, last))
    keys = [factor.who for factor in factors if factor.login.method == "publickey"]
    nameless = next((who for who in keys if who.person is None), None)
    if not keys:
        who = last
    elif nameless is not None:
        who = nameless
    elif len({who.person for who in keys}) > 1:
        who = Identity(None, reason="the keys of this login are different persons'")
    elif login.method != "publickey" and policy.multi_factor is False:
        who = Identity(None, reason="a method before the last, though sshd_config asks nobody for more than one")
    else:
        who = keys[-1]
    return who._replace(ca_trust=last.ca_trust), factors


def identity(login: Login, policy: Policy) -> Identity:
    """Who the key of one method is: by the operator's directory, by the key id under a trusted CA, by nothing else."""
    if login.key_id_cut is not None or len(login.text.encode("utf-8", "surrogateescape")) >= CUT_BYTES:
        return Identity(None, reason="the message may have been cut by sshd")
    if login.method != "publickey":
        return Identity(None, reason=f"{login.method} proves an account, not a person")
    certificate = login.key_id is not None and login.ca is not None
    trust = _ca_trust(login, policy) if certificate else None
    persons = _listed(login, trust, policy)
    if persons:
        if len(persons) > 1:
            return Identity(None, trust, "the identities file names several persons for this login")
        return Identity(persons.pop(), trust, source="identities")
    if not certificate:
        return Identity(None, reason="a plain key that no identity is known for")
    if trust == "untrusted":
        return Identity(None, trust, "the certificate's CA is not trusted by this host")
    if not login.key_id:
        return Identity(None, trust, "the certificate's key id is empty")
    return Identity(login.key_id, trust)


def _ca_trust(login: Login, policy: Policy) -> str:
    if policy.trusted_cas is None:
        return "unchecked"
    return "trusted" if login.ca in policy.trusted_cas else "untrusted"


def _listed(login: Login, trust: Optional[str], policy: Policy) -> set[str]:
    """Everybody whom the operator's directory names: a key is whose it is, a key id only what its CA is."""
    if policy.persons is None:
        return set()
    found = policy.persons.of_key(login.fingerprint) if login.fingerprint else set()
    if trust in ("trusted", "unchecked") and login.ca is not None:
        found |= policy.persons.of_certificate(login.ca, login.key_id or "")
    return found


def undeleted(exe: str) -> str:
    """The kernel says so of a program that was replaced under a running process: every upgrade of sshd."""
    return exe.removesuffix(" (deleted)")


def is_some_sshd(exe: str) -> bool:
    """A name proves nothing, so it gives nobody a session; it is enough to take nobody's for all who come through
    it."""
    return exe.rpartition("/")[2].startswith("sshd")
