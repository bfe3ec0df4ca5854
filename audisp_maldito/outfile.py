# SPDX-License-Identifier: Apache-2.0
"""The file or named pipe that an output path leads to, and what it takes to append whole lines to it.

Never through a symbolic link, never into anything else than a regular file or a pipe, and never waiting for a pipe's
reader. A path leads elsewhere when its (device, inode) is another than ours: rotated, replaced or deleted.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import Optional, Union

Bytes = Union[bytes, memoryview]

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750

PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors after which the open file is still the right one."""


class OutFile:
    """Closed until `follow` has opened it."""

    def __init__(self) -> None:
        self._fd = -1
        self._path: Optional[str] = None
        self._identity: Optional[tuple[int, int]] = None

    def follow(self, path: str, look: bool) -> bool:
        """Make sure that what is open is what `path` leads to (`look`: do not trust an earlier answer).

        True if it is another file, or a pipe's new reader, than was last written: a line begun there must begin anew.
        """
        if self._fd >= 0 and path == self._path and not (look and self._moved()):
            return False
        self.close()
        before = self._identity
        self._fd, status = _open(path)
        self._path, self._identity = path, (status.st_dev, status.st_ino)
        if self._identity == before:
            return False
        if stat.S_ISREG(status.st_mode) and status.st_size and os.pread(self._fd, 1, status.st_size - 1) != b"\n":
            os.write(self._fd, b"\n")  # an earlier process died within its last line
        return True

    def write(self, data: Bytes) -> int:
        """Append; fewer bytes than given, 0 included, if there is no room for more. OSError: try again later."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in PASSING:
                self.close()
            if error.errno == errno.EPIPE:
                self._identity = None
            raise

    def room(self, seconds: float) -> bool:
        """Wait until a full pipe has been read from."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    def nameless(self) -> bool:
        """Was the file deleted? Then what is written into it is gone with it."""
        return os.fstat(self._fd).st_nlink == 0

    def position(self) -> Optional[list[int]]:
        """[device, inode, size] of the file that is open; None of a pipe, or if none is."""
        if self._fd < 0:
            return None
        status = os.fstat(self._fd)
        return [status.st_dev, status.st_ino, status.st_size] if stat.S_ISREG(status.st_mode) else None

    def close(self) -> None:
        """Close what is open."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _moved(self) -> bool:
        assert self._path is not None
        try:
            status = os.lstat(self._path)
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._identity


def _make(directory: str) -> None:
    """With all that lead there; os.makedirs would leave those to others as the umask has it."""
    missing = []
    while directory and not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for path in reversed(missing):
        os.mkdir(path, DIRECTORY_MODE)


def _open(path: str) -> tuple[int, os.stat_result]:
    flags = os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        pipe = stat.S_ISFIFO(os.lstat(path).st_mode)
    except FileNotFoundError:
        pipe = False
        _make(os.path.dirname(path))
    # A pipe opened for reading and writing would have us as its reader; a file must be read for its last byte.
    fd = os.open(path, flags | (os.O_WRONLY if pipe else os.O_RDWR | os.O_CREAT), FILE_MODE)
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) or (pipe and stat.S_ISFIFO(status.st_mode)):
        return fd, status
    os.close(fd)
    raise OSError(errno.EINVAL, "neither a regular file nor a named pipe")
