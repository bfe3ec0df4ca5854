# SPDX-License-Identifier: Apache-2.0
"""The host under examination: files below a root, processes, commands. All that the checks know they know from here.

Nothing is ever changed, and nothing of it raises: what cannot be read is None, what cannot be run is a failure with its
reason.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple, Optional

COMMAND_SECONDS = 10
READ_BYTES = 4 * 1024 * 1024
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
UNSET = 4294967295
PROCESS_STAT = re.compile(r"(\d+) \((.*)\) (\S) (\d+) ", re.DOTALL)


class Ran(NamedTuple):
    """A command's end: `code` is None if it could not be run or did not end; then `error` says why."""

    code: Optional[int]
    output: str
    error: str


class Process(NamedTuple):
    """One of /proc."""

    pid: int
    parent: int
    comm: str
    exe: str
    title: str
    """The words of its command line with blanks between them, or what it has put in their place."""

    loginuid: Optional[int]


class Host:
    """This machine; tests give another root, other processes and other answers of commands."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def where(self, path: str) -> str:
        """The path below our root."""
        return os.path.join(self.root, path.lstrip("/"))

    def now(self) -> float:
        return time.time()

    def root_user(self) -> bool:
        return os.geteuid() == 0

    def read(self, path: str, limit: int = READ_BYTES) -> Optional[str]:
        """The beginning of a file."""
        try:
            with open(self.where(path), "rb") as file:
                return file.read(limit).decode("utf-8", "replace")
        except OSError:
            return None

    def tail(self, path: str, limit: int) -> Optional[str]:
        """The end of a file, from a line's beginning on."""
        try:
            with open(self.where(path), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - limit))
                text = file.read(limit).decode("utf-8", "replace")
        except OSError:
            return None
        return text if size <= limit else text.partition("\n")[2]

    def status(self, path: str) -> Optional[os.stat_result]:
        """Of what the path leads to, links followed."""
        try:
            return os.stat(self.where(path))
        except OSError:
            return None

    def mode(self, path: str) -> Optional[int]:
        status = self.status(path)
        return None if status is None else stat.S_IMODE(status.st_mode)

    def listing(self, pattern: str) -> list[str]:
        """Paths that match, as seen from the root."""
        prefix = len(self.root.rstrip("/"))
        return sorted(found[prefix:] for found in glob.glob(self.where(pattern)))

    def link(self, path: str) -> Optional[str]:
        try:
            return os.readlink(self.where(path))
        except OSError:
            return None

    def room(self, path: str) -> Optional[tuple[int, int]]:
        """Bytes that are free for others than root, and all."""
        try:
            status = os.statvfs(self.where(path))
        except OSError:
            return None
        return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize

    def run(self, *words: str) -> Ran:
        """A command, with nothing of our environment and for a bounded time."""
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_SECONDS,
                env=ENVIRONMENT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ran(None, "", "no answer")
        except OSError as error:
            return Ran(None, "", error.strerror or str(error))
        return Ran(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").strip()
        )

    def processes(self) -> list[Process]:
        """Those whose /proc entry we can read, kernel threads left out."""
        return list(self._processes())

    def _processes(self) -> Iterator[Process]:
        for name in os.listdir(self.where("proc")):
            found = PROCESS_STAT.match(self.read(f"proc/{name}/stat") or "") if name.isdigit() else None
            title = self.read(f"proc/{name}/cmdline") if found else None
            if found and title:
                loginuid = self.read(f"proc/{name}/loginuid") or ""
                yield Process(
                    pid=int(name),
                    parent=int(found[4]),
                    comm=found[2],
                    exe=(self.link(f"proc/{name}/exe") or "").replace(" (deleted)", ""),
                    title=title.replace("\0", " ").strip(),
                    loginuid=int(loginuid) if loginuid.strip().isdigit() else None,
                )
