# SPDX-License-Identifier: Apache-2.0
"""The accounts of this host that somebody can log in to, from /etc/passwd and /etc/group.

The files and not NSS: a directory service may know a hundred thousand accounts, and may not answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

NO_LOGIN = ("nologin", "false", "sync", "shutdown", "halt")


class Account(NamedTuple):
    """A line of passwd; `groups` are the names of all groups that it is a member of."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: frozenset[str] = frozenset()

    @property
    def may_log_in(self) -> bool:
        """Has it a shell that is one?"""
        return os.path.basename(self.shell) not in NO_LOGIN


def read(root: str = "/") -> list[Account]:
    """All accounts; an absent or unreadable file has none."""
    members: dict[str, set[str]] = {}
    names: dict[int, str] = {}
    for name, _, gid, listed in _lines(root, "etc/group", 4):
        if gid.isdigit():
            names[int(gid)] = name
        for member in listed.split(","):
            members.setdefault(member, set()).add(name)
    accounts = []
    for name, _, uid, gid, _, home, shell in _lines(root, "etc/passwd", 7):
        if uid.isdigit() and gid.isdigit():
            groups = members.get(name, set()) | ({names[int(gid)]} if int(gid) in names else set())
            accounts.append(Account(name, int(uid), int(gid), home, shell, frozenset(groups)))
    return accounts


def _lines(root: str, path: str, fields: int) -> Iterator[list[str]]:
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                parts = line.rstrip("\n").split(":")
                if len(parts) == fields:
                    yield parts
    except OSError:
        return
