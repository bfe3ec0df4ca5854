# SPDX-License-Identifier: Apache-2.0
"""What the engine's policy rests on beside the configuration: the CAs that sshd trusts, the operator's directory of
persons, the host's own names and addresses. Found when the plugin starts, on HUP, and when one of the files changes.

A directory that is broken leaves the last good one in force and says so: a half-written file must not turn everybody
into somebody unknown.
"""

from __future__ import annotations

import os
from typing import Optional

from . import addresses, identities, rootfile, trusted_cas
from .config import Config
from .diagnostics import ERROR, INFO, Log
from .errors import ConfigError
from .persons import Persons
from .trust import Policy

LOOK_SECONDS = 1.0
"""How often files and addresses are looked at, at most; a look costs some ten system calls."""


class Premises:
    """`policy` finds everything anew; `changed` says when that is worth it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._trusted: Optional[trusted_cas.Trusted] = None
        self._persons: Optional[Persons] = None
        self._addresses: frozenset[str] = frozenset()
        self._files: dict[str, rootfile.Stamp] = {}
        self._look_at = 0.0

    def policy(self, config: Config) -> Policy:
        """What `config` comes to on this host, now."""
        directory = config.identities or identities.DEFAULT_PATH
        self._files = {directory: rootfile.stamp(directory)}
        trusted = self._sshd(config)
        self._persons = self._directory(directory, wanted=config.identities is not None)
        self._addresses = addresses.own()
        return config.policy(
            trusted_cas=trusted.fingerprints,
            persons=self._persons,
            multi_factor=trusted.multi_factor,
            addresses=self._addresses,
            host=config.host or os.uname().nodename,
            machine_id=first_line("/etc/machine-id") or "unknown",
            units_required=os.path.isdir("/run/systemd/system"),
        )

    def changed(self, now: float) -> bool:
        """Is anything different from what the last policy was made of? Looks at most once in a while."""
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        files = any(rootfile.stamp(path) != known for path, known in self._files.items())
        return files or addresses.own() != self._addresses

    def _sshd(self, config: Config) -> trusted_cas.Trusted:
        """What sshd trusts. A configuration that cannot be read any more (privileges were dropped) stays as it was."""
        found = trusted_cas.find(config.sshd_config)
        self._files.update(found.files)
        for reason in found.skipped if config.trusted_cas is None else ():
            self._log.say(f"CA keys: {reason}", about=reason)
        if found.multi_factor is not None or self._trusted is None:
            self._trusted = found
        return self._trusted

    def _directory(self, path: str, wanted: bool) -> Optional[Persons]:
        if not wanted and not os.path.lexists(path):
            return None
        try:
            persons = identities.load(path)
        except ConfigError as error:
            kept = "the last good one stays in force" if self._persons is not None else "nobody is named by it"
            self._log.say(f"identities: {error}; {kept}", about="identities", priority=ERROR)
            return self._persons
        if self._persons is not None:
            self._log.say(f"identities: {len(persons)} entries read", priority=INFO)
        return persons


def first_line(path: str) -> Optional[str]:
    """Of a small file; None if it cannot be read or begins with an empty line."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(256).strip() or None
    except (OSError, UnicodeDecodeError):
        return None
