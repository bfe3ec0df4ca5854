# SPDX-License-Identifier: Apache-2.0
"""The certificate authorities that this host's sshd trusts for all accounts, found by reading what sshd reads; and, on
the way, whether it asks for more than one method.

A CA in an account's own authorized_keys is the account's word; one in a file that TrustedUserCAKeys names is the
host's. sshd is never run to ask it (`sshd -T` wants host keys, and would be a child in the audit trail). Its grammar,
as in OpenSSH's servconf.c: keywords in any case, arguments in double or single quotes, "=" allowed after the keyword;
the first global TrustedUserCAKeys wins, each Match block may have another; Include takes globs, relative ones from
/etc/ssh, and what it includes from within a Match block belongs to that block. Which connections a block matches is
not asked: its CA was written down by root all the same.

A file that somebody but root could have written is left out, with the reason for the log.
"""

from __future__ import annotations

import binascii
import glob
import hashlib
import os
from typing import NamedTuple, Optional

from . import rootfile
from .errors import InputError

SSH_DIR = "/etc/ssh"
INCLUDE_DEPTH = 16
"""sshd's own SERVCONF_MAX_DEPTH."""
CONFIG_BYTES = 1024 * 1024
KEYS_BYTES = 1024 * 1024
FILES_LIMIT = 1024
"""Of configuration files: an Include that includes itself twice would be read 2^16 times."""


class Trusted(NamedTuple):
    """`fingerprints` as sshd logs them ("SHA256:…" and "MD5:aa:bb…"); `skipped` says what was left out and why."""

    fingerprints: frozenset[str]
    skipped: list[str]
    multi_factor: Optional[bool] = None
    """Does AuthenticationMethods ask anybody for more than one method? None: sshd_config could not be read."""
    files: tuple[tuple[str, rootfile.Stamp], ...] = ()
    """Everything that was looked at, as it was: when one of them changes, this does."""


def find(sshd_config: str, ssh_dir: str = SSH_DIR) -> Trusted:
    """Read sshd's configuration and the CA files it names; whatever is wrong only makes the set smaller."""
    search = _Search(ssh_dir)
    search.config(sshd_config, 0)
    fingerprints: set[str] = set()
    for path in dict.fromkeys(search.ca_files):
        fingerprints |= fingerprints_of(search.file(path, KEYS_BYTES))
    multi_factor = search.multi_factor if search.readable else None
    return Trusted(frozenset(fingerprints), search.skipped, multi_factor, tuple(search.files.items()))


class _Search:
    """One pass over sshd_config and its Includes, in order, since a Match block reaches to the end of its file."""

    def __init__(self, ssh_dir: str) -> None:
        self.ssh_dir = ssh_dir
        self.ca_files: list[str] = []
        self.skipped: list[str] = []
        self.files: dict[str, rootfile.Stamp] = {}
        self.multi_factor = False
        self.readable = False
        self._configs = 0
        self._global_seen = False

    def file(self, path: str, limit: int) -> bytes:
        """A file's bytes; none if it is none of root's own."""
        self.files[path] = rootfile.stamp(path)
        try:
            data = rootfile.read(path, limit, follow=True)
        except InputError as error:
            self._skip(str(error))
            return b""
        self.readable = True
        return data

    def config(self, path: str, depth: int, in_match: bool = False) -> None:
        self._configs += 1
        if depth > INCLUDE_DEPTH or self._configs > FILES_LIMIT:
            self._skip(f"cannot read {path}: too many Includes")
            return
        for line in self.file(path, CONFIG_BYTES).decode("utf-8", "surrogateescape").split("\n"):
            words = _words(line)
            if not words:
                continue
            keyword = words[0].lower()
            if keyword == "match":
                in_match = True
            elif keyword == "include":
                for pattern in words[1:]:
                    for included in sorted(glob.glob(os.path.join(self.ssh_dir, pattern))):
                        self.config(included, depth + 1, in_match)
            elif keyword == "trustedusercakeys" and len(words) > 1:
                self._ca_file(words[1], in_match)
            elif keyword == "authenticationmethods":
                # Match blocks count too: whom they apply to is not asked.
                self.multi_factor = self.multi_factor or any("," in word for word in words[1:])

    def _ca_file(self, path: str, in_match: bool) -> None:
        if not in_match and self._global_seen:
            return
        self._global_seen = self._global_seen or not in_match
        if path.lower() == "none":
            return
        if os.path.isabs(path):
            self.ca_files.append(path)
        else:
            self._skip(f"cannot read {path}: TrustedUserCAKeys is relative to where sshd was started")

    def _skip(self, reason: str) -> None:
        if reason not in self.skipped:
            self.skipped.append(reason)


def _words(line: str) -> list[str]:
    """A line as sshd's strdelim and argv_split see it: blanks and one "=" part words, quotes hold them together."""
    words: list[str] = []
    rest = line.strip(" \t\r\f")
    while rest and rest[0] != "#":
        word = ""
        while rest and rest[0] not in " \t" and not (rest[0] == "=" and not words):
            quote = rest[0]
            if quote in "\"'" and quote in rest[1:]:
                inner, rest = rest[1:].split(quote, 1)
                word += inner
            else:
                word, rest = word + quote, rest[1:]
        words.append(word)
        rest = rest.lstrip(" \t")
        if len(words) == 1 and rest.startswith("="):
            rest = rest[1:].lstrip(" \t")
    return words


def fingerprints_of(keys: bytes) -> set[str]:
    """Of a CA file's lines "TYPE BASE64 [comment]"; options before a key are no part of its grammar."""
    found: set[str] = set()
    for line in keys.split(b"\n"):
        words = line.split(None, 2)
        if len(words) < 2 or words[0].startswith(b"#"):
            continue
        try:
            blob = binascii.a2b_base64(words[1])
        except binascii.Error:
            continue
        if blob[4:].startswith(words[0]) and int.from_bytes(blob[:4], "big") == len(words[0]):
            digest = binascii.b2a_base64(hashlib.sha256(blob).digest(), newline=False).rstrip(b"=")
            found.add("SHA256:" + digest.decode())
            found.add("MD5:" + hashlib.md5(blob, usedforsecurity=False).digest().hex(":"))
    return found
