# SPDX-License-Identifier: Apache-2.0
"""Files whose words a root process acts upon: read only if nobody but root could have written them.

Configuration, sshd_config, CA keys: whoever can write one of them decides who is named. So the file must be a regular
one, root's (or the process's own user's), writable by neither group nor others, and so must its directory be, since
whoever can write that can put another file in its place. The checks look at what was opened, never at a name that may
change between.

A process that is not root decides nothing for the host (`check-config` as a user, a replay): it may read what it
likes.
"""

from __future__ import annotations

import os
import stat

from .errors import InputError

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

Stamp = tuple[int, int, int, int]


def stamp(path: str) -> Stamp:
    """What differs when another file, or other contents, have this name; all zero where there is none. To be taken before
    the file is read."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0, 0, 0
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def read(path: str, limit: int, *, follow: bool = False) -> bytes:
    """The whole file, or an InputError that says which condition it fails. `follow`: its last part may be a link."""
    if follow:
        path = os.path.realpath(path)
    directory = file = -1
    try:
        directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        file = os.open(os.path.basename(path), flags, dir_fd=directory)
        _check(path, os.fstat(directory), os.fstat(file), limit)
        return _contents(path, file, limit)
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    finally:
        for fd in (directory, file):
            if fd >= 0:
                os.close(fd)


def _check(path: str, directory: os.stat_result, file: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(file.st_mode):
        raise InputError(path, "not a regular file")
    if file.st_size > limit:
        raise InputError(path, f"larger than {limit} bytes")
    if os.geteuid() != 0:
        return
    for what, status in (("", file), ("its directory is ", directory)):
        if status.st_uid != 0:
            raise InputError(path, f"{what}not owned by root")
        if status.st_mode & OTHERS_WRITE:
            raise InputError(path, f"{what}writable by group or others")


def _contents(path: str, file: int, limit: int) -> bytes:
    data = b""
    while len(data) <= limit:
        chunk = os.read(file, limit + 1 - len(data))
        if not chunk:
            return data
        data += chunk
    raise InputError(path, f"larger than {limit} bytes")
