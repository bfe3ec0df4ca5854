# SPDX-License-Identifier: Apache-2.0
"""The lines of an authorized_keys file, as sshd reads them.  Pure.

    [OPTIONS] TYPE BASE64 [COMMENT]

Options are separated by commas, values quoted, quotes within them escaped by a backslash; the first blank outside of
quotes ends them. A line whose key cannot be read is no key: sshd goes on with the next one, and so do we, saying so.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

LINES_LIMIT = 20_000
KEY_TYPE = re.compile(
    r"(ssh-(rsa|dss|ed25519|xmss@openssh\.com)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
    r"(?=[ \t])"
)
CERTIFICATE_TYPE = re.compile(r"\S+-cert-v01@openssh\.com[ \t]")


class AuthorizedKey(NamedTuple):
    """One line with a key."""

    line: int
    type: str
    fingerprint: str
    """"SHA256:…"."""
    comment: str
    options: tuple[str, ...]

    @property
    def authority(self) -> bool:
        """Is it a CA's, so that every certificate of it can log in?"""
        return any(option.lower() == "cert-authority" for option in self.options)


class BadLine(NamedTuple):
    """A line that sshd passes over."""

    line: int
    reason: str


Line = Union[AuthorizedKey, BadLine]


def keys(data: bytes) -> Iterator[Line]:
    """Every line that is neither empty nor a comment."""
    for number, raw in enumerate(data.split(b"\n"), 1):
        text = raw.decode("utf-8", "surrogateescape").strip(" \t\r")
        if not text or text.startswith("#"):
            continue
        if number > LINES_LIMIT:
            yield BadLine(number, f"not read, like all that follow: more than {LINES_LIMIT} lines")
            return
        yield _line(number, text)


def _line(number: int, text: str) -> Line:
    options: tuple[str, ...] = ()
    if not KEY_TYPE.match(text) and not CERTIFICATE_TYPE.match(text):
        split = _options(text)
        if split is None:
            return BadLine(number, "an option's quote is not closed")
        options, text = split
    if CERTIFICATE_TYPE.match(text):
        return BadLine(number, "a certificate, which this file is not the place for")
    if not KEY_TYPE.match(text):
        return BadLine(number, "no key of a known type")
    kind, blob, comment = (*text.split(None, 2), "", "")[:3]
    fingerprint = fingerprint_of(kind, blob)
    if fingerprint is None:
        return BadLine(number, f"no {kind} key")
    return AuthorizedKey(number, kind, fingerprint, comment, options)


def _options(text: str) -> Optional[tuple[tuple[str, ...], str]]:
    """The options at the beginning of a line, and the rest; None if a quote is open at its end."""
    options, start, quoted, at = [], 0, False, 0
    while at < len(text) and (quoted or text[at] not in " \t"):
        if text.startswith('\\"', at):
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        elif text[at] == "," and not quoted:
            options.append(text[start:at])
            start = at + 1
        at += 1
    if quoted:
        return None
    options.append(text[start:at])
    return tuple(filter(None, options)), text[at:].lstrip(" \t")


def fingerprint_of(kind: str, blob: str) -> Optional[str]:
    """As `ssh-keygen -l` prints it; None if `blob` is no key of that kind."""
    try:
        key = binascii.a2b_base64(blob.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return None
    parts, at = [], 0
    while at < len(key):
        end = at + 4 + int.from_bytes(key[at : at + 4], "big")
        parts.append(key[at + 4 : end])
        at = end
    if at != len(key) or len(parts) < 2 or parts[0] != kind.encode():
        return None
    return "SHA256:" + binascii.b2a_base64(hashlib.sha256(key).digest(), newline=False).rstrip(b"=").decode()
