# SPDX-License-Identifier: Apache-2.0
"""The operator's configuration: a YAML file of a dozen flat keys, all with defaults.

`Config`'s fields are the keys; config/config.yaml documents them, and a test holds the two together. A key that is
unknown, written twice or of a wrong shape is refused with its line: a setting that is silently not in force is worse
than none. Only `load` reads the file, and only one that nobody but root can have written (rootfile.py).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Optional

from . import rootfile, yamlfile
from .errors import ConfigError, InputError
from .trust import SSHD_PATHS, SSHD_UNITS, Policy

DEFAULT_PATH = "/etc/audisp-maldito/config.yaml"

SIZE_LIMIT = 64 * 1024
"""Far above what these keys can need; YAML takes about a hundred times its size in memory while it is read."""

ITEMS_LIMIT = 256
TEXT_LIMIT = 4096
DOCUMENT_BYTES = (4096, 16 * 1024 * 1024)
"""Below, a document's fixed parts would not fit; above, no shipper takes the line."""

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|MD5:[0-9a-f]{2}(:[0-9a-f]{2}){15}")


class Config(NamedTuple):
    """What may be set, and what holds where it isn't."""

    output: str = "/var/log/audisp-maldito/events.jsonl"
    """A file or an existing named pipe; "off" keeps reading and writes nothing."""
    sessions: str = "all"
    """"all": every session with an auid; "ssh": only SSH sessions and what descends from them."""
    host: Optional[str] = None
    """The host's name in the documents; None: what the kernel says."""
    sshd_paths: tuple[str, ...] = tuple(sorted(SSHD_PATHS))
    sshd_units: tuple[str, ...] = SSHD_UNITS
    sshd_config: str = "/etc/ssh/sshd_config"
    trusted_cas: Optional[tuple[str, ...]] = None
    """Fingerprints; None: what sshd_config's TrustedUserCAKeys name."""
    identities: Optional[str] = None
    """The operator's directory of keys; None: identities.yaml beside the default configuration, if it is there."""
    audit_identity: bool = False
    """May the audit stream alone name somebody (Red Hat's OpenSSH)?"""
    auditd_conf: str = "/etc/audit/auditd.conf"
    """Says where auditd's own log is, out of which what was missed is told."""
    state_dir: str = "/var/lib/audisp-maldito"
    max_document_bytes: int = 65536
    redact: bool = True
    """Replace the values of known secret options in command lines."""
    redact_patterns: tuple[str, ...] = ()
    typed_text: bool = False
    """Write what was typed on audited terminals."""

    def policy(self, *, trusted_cas: Optional[frozenset[str]], **more: Any) -> Policy:
        """The engine's part of it; `trusted_cas` are those found on the host, which count where the file names none."""
        return Policy(
            sshd_paths=frozenset(self.sshd_paths),
            sshd_units=self.sshd_units,
            trusted_cas=trusted_cas if self.trusted_cas is None else frozenset(self.trusted_cas),
            sessions=self.sessions,
            max_document_bytes=self.max_document_bytes,
            audit_identity=self.audit_identity,
            redact=self.redact,
            redact_patterns=self.redact_patterns,
            typed_text=self.typed_text,
            **more,
        )


def load(path: str) -> Config:
    """Read, check and complete the file; ConfigError says where it is wrong."""
    try:
        data = rootfile.read(path, SIZE_LIMIT)
    except InputError as error:
        raise ConfigError(path, error.args[1]) from error
    return parse(data, path)


def parse(data: bytes, path: str) -> Config:
    """The configuration that `data` holds; `path` is only for the messages."""
    values: dict[str, Any] = {}
    for line, key, value in yamlfile.pairs(data, path):
        where = f"{path}:{line}"
        if key not in CHECKS:
            raise ConfigError(where, f"unknown key {key!r}{_nearest(key)}")
        if key in values:
            raise ConfigError(where, f"{key!r} is set twice")
        try:
            values[key] = CHECKS[key](value)
        except ValueError as error:
            raise ConfigError(where, f"{key!r} {error}") from error
    return Config(**values)


def _nearest(key: str) -> str:
    import difflib  # only on the way out

    near = difflib.get_close_matches(key, CHECKS, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else "; the keys are " + ", ".join(sorted(CHECKS))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > TEXT_LIMIT or not value.isprintable():
        raise ValueError("must be a text on one line")
    return value


def _absolute(value: Any) -> str:
    text = _text(value)
    if not text.startswith("/"):
        raise ValueError("must be an absolute path")
    return text


def _output(value: Any) -> str:
    return "off" if value is False or value == "off" else _absolute(value)  # YAML 1.1 reads off as false


def _sessions(value: Any) -> str:
    if value not in ("all", "ssh"):
        raise ValueError("must be 'all' or 'ssh'")
    return str(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > ITEMS_LIMIT:
        raise ValueError(f"must be a list of at most {ITEMS_LIMIT}")
    return value


def _believed(value: Any) -> list[Any]:
    if value == []:
        raise ValueError("must not be empty: nobody would be named; leave the key out for the default")
    return _list(value)


def _paths(value: Any) -> tuple[str, ...]:
    return tuple(_absolute(item) for item in _believed(value))


def _units(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _believed(value))


def _fingerprints(value: Any) -> tuple[str, ...]:
    items = tuple(_text(item) for item in _list(value))
    for item in items:
        if not FINGERPRINT.fullmatch(item):
            raise ValueError(f"has {item!r}, which is no fingerprint as `ssh-keygen -l` prints it (SHA256:… or MD5:…)")
    return items


def _document_bytes(value: Any) -> int:
    low, high = DOCUMENT_BYTES
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"must be a number from {low} to {high}")
    return value


def _switch(value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError("must be true or false")
    return value is True


def _patterns(value: Any) -> tuple[str, ...]:
    return tuple(_pattern(item) for item in _list(value))


def _pattern(value: Any) -> str:
    from .redact import Pattern  # reads the table of secrets, which a file without this key has no need of

    text = _text(value)
    try:
        Pattern.read(text)
    except ValueError as error:
        raise ValueError(f"has {text!r}: {error}") from error
    return text


CHECKS = {
    "output": _output,
    "sessions": _sessions,
    "host": _text,
    "sshd_paths": _paths,
    "sshd_units": _units,
    "sshd_config": _absolute,
    "trusted_cas": _fingerprints,
    "identities": _absolute,
    "audit_identity": _switch,
    "auditd_conf": _absolute,
    "state_dir": _absolute,
    "max_document_bytes": _document_bytes,
    "redact": _switch,
    "redact_patterns": _patterns,
    "typed_text": _switch,
}
