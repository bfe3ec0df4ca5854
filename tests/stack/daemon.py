# SPDX-License-Identifier: Apache-2.0
"""A process that the rig started and must end, known by its own pid and nothing else."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Optional, Union

PR_SET_PDEATHSIG = 1
UNSET = "4294967295"
CLEAN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

_libc = ctypes.CDLL(None)


def leave_the_session() -> None:
    """Give up the login that the tests themselves may run in.

    A daemon started out of an admin's session would carry that admin's loginuid: auditd's own work would match the
    rules and feed itself, and every LOGIN would name the admin's session as its `old-ses`.
    """
    if Path("/proc/self/loginuid").read_text() != UNSET:
        Path("/proc/self/loginuid").write_text(UNSET)


def _before_exec() -> None:
    leave_the_session()
    # A test run that is killed outright cannot clean up: its daemons then end by themselves.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Daemon:
    def __init__(self, argv: Sequence[Union[str, Path]], log: Path, environment: Optional[dict[str, str]] = None):
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=CLEAN_ENVIRONMENT if environment is None else environment,
                cwd="/",
                start_new_session=True,
                preexec_fn=_before_exec,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        """True while it runs; what it last said, as an error, when it ended by itself."""
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace")[-2000:]
            raise AssertionError(f"{self.process.args!r} ended with {self.process.returncode}: {said}")
        return True

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 10.0) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(
    argv: Sequence[Union[str, Path]],
    check: bool = True,
    timeout: float = 60.0,
    stdin: Union[None, int, IO[bytes]] = subprocess.DEVNULL,
    data: Optional[bytes] = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the system to its end, outside any login session; an error shows what it said."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=None if data is not None else stdin,
        input=data,
        capture_output=True,
        check=False,
        env=CLEAN_ENVIRONMENT,
        timeout=timeout,
        preexec_fn=leave_the_session,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{done.args} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
    return done


def executable(pid: int) -> str:
    """The program that runs as `pid`, or "" when there is none: a pid in a file proves nothing by itself."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
