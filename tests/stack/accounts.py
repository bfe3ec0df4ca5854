# SPDX-License-Identifier: Apache-2.0
"""Accounts that exist only while the rig does."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from .daemon import run

SUDOERS = Path("/etc/sudoers.d/zz-maldito-stack")
PASSWORD = "maldito"


class Account:
    def __init__(self, name: str) -> None:
        self.name = name
        entry = pwd.getpwnam(name)
        self.uid, self.gid, self.home = entry.pw_uid, entry.pw_gid, Path(entry.pw_dir)

    def authorize(self, text: str) -> None:
        """Replace the account's authorized_keys, owned by the account as sshd's StrictModes wants it."""
        directory = self.home / ".ssh"
        directory.mkdir(mode=0o700, exist_ok=True)
        target = directory / "authorized_keys"
        target.write_text(text)
        target.chmod(0o600)
        for path in (directory, target):
            os.chown(path, self.uid, self.gid)


class Accounts:
    """The accounts of one rig. An account that was there before is refused: it would be removed at the end."""

    def __init__(self, names: list[str], note: Path) -> None:
        self.names = names
        self.note = note
        self._remove_leftovers()
        present = [name for name in names if _exists(name)]
        assert not present, f"accounts {present} exist already; the rig would remove them"

    def create(self) -> dict[str, Account]:
        self.note.write_text("\n".join(self.names))
        for name in self.names:
            run(["useradd", "--create-home", "--shell", "/bin/bash", name])
        run(["chpasswd"], data="".join(f"{name}:{PASSWORD}\n" for name in self.names).encode())
        # Written under a name that sudo ignores (it holds a dot), then moved: sudo never sees half a file.
        draft = SUDOERS.with_suffix(".tmp")
        draft.write_text("".join(f"{name} ALL=(ALL) NOPASSWD: ALL\n" for name in self.names))
        draft.chmod(0o440)
        draft.rename(SUDOERS)
        return {name: Account(name) for name in self.names}

    def remove(self) -> None:
        SUDOERS.unlink(missing_ok=True)
        for name in self.names:
            if _exists(name):
                run(["userdel", "--remove", "--force", name], check=False)
                assert not _exists(name), f"account {name} could not be removed"
        self.note.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        if self.note.exists():
            left = self.note.read_text().split()
            for name in left:
                if _exists(name):
                    run(["userdel", "--remove", "--force", name], check=False)
            self.note.unlink()


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
