# SPDX-License-Identifier: Apache-2.0
"""The output's earlier files: `events.jsonl` becomes `events.jsonl.2026-11-20T09-30-00Z` when it has grown to its size.

One rename between two whole lines, and nothing else that could be interrupted: no event is lost or split at the edge,
and whoever reads the file by its inode reads on. The name is the time of the last write, so that no clock is needed
and the names' order is the files'. Only as many as `generations` are kept.

Compression happens afterwards, in a thread of its own, of everything that isn't compressed yet; what a kill leaves is a
`.part` that the next one writes over. Two plugins at once (an upgrade) compress one file only once, since the `.part`
is locked.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import zlib
from contextlib import suppress
from typing import NamedTuple

from .stamp import rfc3339

STAMPED = re.compile(r"\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?(\.gz)?")
PART = ".part"
PACKED = ".gz"
FILE_MODE = 0o640
CHUNK = 256 * 1024
GZIP = 16 + zlib.MAX_WBITS
TWINS = 1000
"""Files of one second."""


class Rotation(NamedTuple):
    """When and how; `size` 0: never."""

    size: int = 0
    generations: int = 9
    compress: bool = False


def rotated(path: str) -> list[str]:
    """The earlier files of an output, the newest first, each as `.gz` if it is."""
    directory, name = os.path.split(path)
    found = [entry for entry in os.listdir(directory) if entry.startswith(name)]
    return [
        os.path.join(directory, entry)
        for entry in sorted(found, key=_order, reverse=True)
        if STAMPED.fullmatch(entry[len(name) :])
    ]


def rotate(path: str, generations: int) -> str:
    """Give the file its later name, and let go of the oldest; what it is called now."""
    stamp = rfc3339(int(os.lstat(path).st_mtime), 1).replace(":", "-")
    target = _free(f"{path}.{stamp}")
    os.rename(path, target)
    for old in rotated(path)[max(generations, 1) :]:
        for name in (old, old + PART):
            with suppress(FileNotFoundError):
                os.unlink(name)
    return target


class Packer:
    """At most one thread that compresses what is there to be compressed."""

    def __init__(self) -> None:
        self._thread = threading.Thread()

    def start(self, path: str) -> None:
        """Compress all earlier files of this output, unless that is being done."""
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=_pack_all, args=(path,), name="packer", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until it is done."""
        if self._thread.ident is not None:
            self._thread.join()


def _pack_all(path: str) -> None:
    for earlier in reversed(rotated(path)):
        if not earlier.endswith(PACKED):
            try:
                pack(earlier)
            except OSError:
                # No room, or gone meanwhile: it stays as it is, and the next rotation tries again.
                continue


def pack(path: str) -> None:
    """Put a gzip file in the place of this one."""
    with open(path, "rb") as source:
        status = os.fstat(source.fileno())
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path + PART, flags, FILE_MODE), "wb") as target:
            fcntl.lockf(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
            target.truncate(0)
            if os.fstat(target.fileno()).st_gid != status.st_gid:
                os.fchown(target.fileno(), -1, status.st_gid)
            packer = zlib.compressobj(wbits=GZIP)
            while chunk := source.read(CHUNK):
                target.write(packer.compress(chunk))
            target.write(packer.flush())
            target.flush()
            os.fsync(target.fileno())
            os.rename(path + PART, path + PACKED)
            os.unlink(path)


def _order(name: str) -> tuple[str, int]:
    """By time, and within a second by number: "-10" comes after "-9"."""
    plain = name.removesuffix(PACKED)
    time, dash, number = plain.rpartition("Z-")
    return (time + "Z", int(number)) if dash and number.isdigit() else (plain, 0)


def _free(name: str) -> str:
    candidates = [name, *(f"{name}-{number}" for number in range(1, TWINS))]
    return next((c for c in candidates if not (os.path.lexists(c) or os.path.lexists(c + PACKED))), name)
