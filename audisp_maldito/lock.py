# SPDX-License-Identifier: Apache-2.0
"""One instance writes the output: a record lock on a file that only root can open.

Two can run at once: auditd before 4.2 starts the new generation of an upgraded plugin without waiting for the old
one, and a stray copy of the plugin's configuration starts a second. A lock by flock() needs only a readable file, and
any user could hold it; hence fcntl's, on a 0600 file in a 0700 directory. The kernel lets go of it when the process
ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Optional

NAME = "lock"


class Lock:
    """Not held until `take` says so; kept until the process ends."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._fd = -1
        self.held = False

    def take(self) -> bool:
        """Try once. OSError: there can be no lock file, which is not the same as somebody holding it."""
        if not self.held:
            if self._fd < 0:
                self._fd = self._open()
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.held = True
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
        return self.held

    def release(self) -> None:
        """Let another have it (the kernel does so, too, at the process's end)."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self.held = False

    def _open(self) -> int:
        directory: Optional[int] = None
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(NAME, flags, 0o600, dir_fd=directory)
        finally:
            if directory is not None:
                os.close(directory)
