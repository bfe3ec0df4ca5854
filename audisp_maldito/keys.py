# SPDX-License-Identifier: Apache-2.0
"""`maldito keys`: every key that could log in on this host, with its place and, where it is known, its person.

Run by an administrator, as a start for the identities file and to find what nobody remembers. The plugin itself never
looks into a home: what lies there is its owner's, who may put a FIFO, a link to a device or a dead network mount
where a key file should be. So a file is looked at before it is opened (O_PATH), only regular ones are, and each look
happens in a thread that is left behind when it does not come back. What could not be read is said, never passed over.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Callable, NamedTuple, Optional

from . import accounts, authorized
from .accounts import Account
from .authorized import AuthorizedKey
from .persons import Persons

FILE_BYTES = 1024 * 1024
PATIENCE = 3.0
"""Seconds for one home, and for one answer of sshd's: far more than either needs where anything works."""
DEFAULT_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Found(NamedTuple):
    """One key. `account` is "*" for a CA that sshd trusts for all."""

    account: str
    path: str
    key: AuthorizedKey
    authority: bool
    person: Optional[str]
    remark: Optional[str] = None
    """Why sshd may refuse it."""


class Skipped(NamedTuple):
    """What was not read, and why."""

    what: str
    why: str


class Survey:
    """One look at the host. `root` is where its files lie, for tests."""

    def __init__(self, sshd: Sequence[str], persons: Optional[Persons], patience: float = PATIENCE) -> None:
        self._sshd = list(sshd)
        self._persons = persons
        self._patience = patience
        self.found: list[Found] = []
        self.skipped: list[Skipped] = []

    def look(self, listed: Iterable[Account]) -> None:
        """At each account, and at the CAs of all."""
        authorities: dict[str, None] = {}
        for account in listed:
            settings = self._settings(account)
            for path in _first(settings, "trustedusercakeys"):
                authorities[path] = None
            for program in _first(settings, "authorizedkeyscommand"):
                self._skip(account.name, f"keys also come from {program}, which is not run")
            files = settings.get("authorizedkeysfile") or list(DEFAULT_FILES)
            self._within(account.name, partial(self._home, account, files))
        for path in authorities:
            self._within(path, partial(self._file, "*", path, None))

    def _settings(self, account: Account) -> dict[str, list[str]]:
        """What sshd itself says holds for this account; nothing if it cannot be asked."""
        command = [*self._sshd, "-T", "-C", f"user={account.name},host=localhost,addr=127.0.0.1"]
        try:
            asked = subprocess.run(
                command, capture_output=True, timeout=self._patience, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self._skip("sshd -T", f"{error}; its default files are looked at")
            return {}
        if asked.returncode:
            said = asked.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
            self._skip("sshd -T", f"{said[0]}; its default files are looked at")
            return {}
        lines = asked.stdout.decode("utf-8", "surrogateescape").splitlines()
        return {words[0]: words[1:] for words in map(str.split, lines) if words}

    def _home(self, account: Account, files: list[str]) -> None:
        for pattern in files:
            if pattern == "none":
                continue
            path = _expanded(pattern, account)
            self._file(account.name, path, account)

    def _file(self, name: str, path: str, account: Optional[Account]) -> None:
        inside = account.home if account is not None and _below(path, account.home) else None
        try:
            data, status = _contents(path, inside)
        except FileNotFoundError:
            return
        except OSError as error:
            self._skip(path, error.strerror or str(error))
            return
        remark = _modes(status, account)
        for line in authorized.keys(data):
            if isinstance(line, AuthorizedKey):
                authority = line.authority or account is None
                person = None if authority else self._person(line.fingerprint)
                self.found.append(Found(name, path, line, authority, person, remark))
            else:
                self._skip(f"{path}:{line.line}", line.reason)

    def _person(self, fingerprint: str) -> Optional[str]:
        return next(iter(self._persons.of_key(fingerprint)), None) if self._persons is not None else None

    def _within(self, what: str, look: Callable[[], None]) -> None:
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(self._patience)
        if thread.is_alive():
            self._skip(what, f"no answer in {self._patience:g} s: a file system that hangs?")

    def _skip(self, what: str, why: str) -> None:
        if Skipped(what, why) not in self.skipped:
            self.skipped.append(Skipped(what, why))


def _first(settings: dict[str, list[str]], key: str) -> list[str]:
    return [value for value in settings.get(key, [])[:1] if value != "none"]


def _expanded(pattern: str, account: Account) -> str:
    """sshd's tokens; a relative path is the home's."""
    tokens = {"%": "%", "h": account.home, "u": account.name, "U": str(account.uid)}
    path = re.sub("%(.)", lambda token: tokens.get(token[1], token[0]), pattern)
    return os.path.join(account.home, path)


def _below(path: str, directory: str) -> bool:
    directory = os.path.normpath(directory)
    return os.path.normpath(path).startswith(directory.rstrip("/") + "/")


def _contents(path: str, inside: Optional[str]) -> tuple[bytes, os.stat_result]:
    """A regular file's bytes. It is looked at before it is opened, since opening a device does something already."""
    looked = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(looked)
        real = os.readlink(f"/proc/self/fd/{looked}")
        if inside is not None and not _below(real, os.path.realpath(inside)):
            raise OSError(0, f"a link out of the home, to {real}")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file")
        if status.st_size > FILE_BYTES:
            raise OSError(0, f"larger than {FILE_BYTES} bytes")
        file = os.open(f"/proc/self/fd/{looked}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(looked)
    with open(file, "rb") as opened:
        return opened.read(FILE_BYTES), status


def _modes(status: os.stat_result, account: Optional[Account]) -> Optional[str]:
    """What StrictModes would say of the file itself; the directories above it are not looked at."""
    if account is None:
        return None
    if status.st_uid not in (0, account.uid):
        return f"owned by uid {status.st_uid}: refused by StrictModes"
    if status.st_mode & OTHERS_WRITE:
        return "writable by others: refused by StrictModes"
    return None


def as_text(found: Sequence[Found]) -> Iterator[str]:
    """A line for each key."""
    for one in found:
        kind = "CA" if one.authority else "plain"
        words = [one.account, one.key.fingerprint, kind, one.person or "-", f"{one.path}:{one.key.line}"]
        words += [_shown(one.key.comment) or "-", *map(_shown, one.key.options)]
        yield "  ".join(words) + (f"  ({one.remark})" if one.remark else "")


def as_json(found: Sequence[Found]) -> Iterator[str]:
    """An object for each key."""
    for one in found:
        key = one.key
        told: dict[str, Any] = {
            "account": one.account,
            "fingerprint": key.fingerprint,
            "type": key.type,
            "authority": one.authority,
            "person": one.person,
            "file": one.path,
            "line": key.line,
            "comment": _shown(key.comment),
            "options": list(map(_shown, key.options)),
            "remark": one.remark,
        }
        yield json.dumps(told)


def as_yaml(found: Sequence[Found]) -> Iterator[str]:
    """A start for the identities file: what is not known stands behind a "#", to be completed."""
    places: dict[tuple[bool, str], list[str]] = {}
    persons: dict[str, str] = {}
    for one in found:
        place = f"{one.account} {one.path}:{one.key.line} {_shown(one.key.comment)}".rstrip()
        places.setdefault((one.authority, one.key.fingerprint), []).append(place)
        if one.person is not None:
            persons[one.key.fingerprint] = one.person
    for authority, title in ((False, "keys:"), (True, "certificates:")):
        yield title
        for (is_authority, fingerprint), listed in places.items():
            if is_authority is not authority:
                continue
            yield from (f"  # {place}" for place in listed)
            if authority:
                yield from (f"  # {fingerprint}:", '  #   "key-id-*": ')
            elif fingerprint in persons:
                yield f"  {fingerprint}: {json.dumps(persons[fingerprint], ensure_ascii=False)}"
            else:
                yield f"  # {fingerprint}: "


def _shown(text: str) -> str:
    """Text of others, for a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(names: Sequence[str]) -> list[Account]:
    """The accounts of /etc/passwd, or those asked for."""
    return [account for account in accounts.read() if not names or account.name in names]
