# SPDX-License-Identifier: Apache-2.0
"""Whose keys these are, by the operator's word: the directory that the identities file (identities.py) is read into.
Pure.

Two kinds of entry. A key's fingerprint is its person's. A pattern says whose a certificate's key id is, and always
names the CA that signed it, since a key id is worth what its CA is; it must fit the whole id, never a part ("alice"
is not "alice-eve"). Both can speak of one login; then they must name the same person, or nobody is named.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class KeyIdPattern(NamedTuple):
    """Key ids that fit `glob` under the CA with the fingerprint `ca` are `person`'s."""

    ca: str
    glob: str
    person: str


class Persons:
    """Look-ups only; what it is made of was checked before."""

    __slots__ = ("_of_ca", "_of_key")

    def __init__(self, keys: Mapping[str, str], patterns: Iterable[KeyIdPattern] = ()) -> None:
        self._of_key = dict(keys)
        self._of_ca: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for pattern in patterns:
            # translate() anchors at both ends and its regular expressions are linear in the text.
            regex = re.compile(fnmatch.translate(pattern.glob))
            self._of_ca.setdefault(pattern.ca, []).append((regex, pattern.person))

    def __len__(self) -> int:
        return len(self._of_key) + sum(map(len, self._of_ca.values()))

    def of_key(self, fingerprint: str) -> set[str]:
        """Whose key it is: one person or none."""
        person = self._of_key.get(fingerprint)
        return set() if person is None else {person}

    def of_certificate(self, ca: str, key_id: str) -> set[str]:
        """Everybody whose patterns fit; the empty key id fits none."""
        if not key_id:
            return set()
        return {person for regex, person in self._of_ca.get(ca, ()) if regex.match(key_id)}
