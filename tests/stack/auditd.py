# SPDX-License-Identifier: Apache-2.0
"""Debian's auditd with a configuration of ours: own log, own plugin directory."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
from pathlib import Path
from typing import Optional

from . import kernel
from .daemon import Daemon, executable, run
from .trail import Trail
from .waiting import until

PROGRAM = "/sbin/auditd"
PID_FILE = Path("/run/auditd.pid")
CONFIG = """\
local_events = yes
write_logs = yes
log_file = {log}
log_group = root
log_format = {format}
flush = NONE
max_log_file = 64
num_logs = 2
max_log_file_action = ROTATE
priority_boost = 4
name_format = {name_format}
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
distribute_network = no
q_depth = 2000
overflow_action = SYSLOG
max_restarts = 10
plugin_dir = {plugins}
end_of_event_timeout = 2
"""
DROP_IN = """\
active = yes
direction = out
path = {path}
type = always
{args}format = string
"""


class Auditd:
    def __init__(self, directory: Path) -> None:
        self.directory = directory / "auditd"
        self.plugins = self.directory / "plugins.d"
        self.log = self.directory / "log" / "audit.log"
        self.daemon: Optional[Daemon] = None
        self._barriers = itertools.count(1)
        for made in (self.directory, self.plugins, self.log.parent):
            made.mkdir(mode=0o700)

    def plugin(self, name: str, path: Path, args: str = "") -> None:
        """Install a drop-in; auditd reads it at its start. A line of 158 bytes or more would be skipped by it."""
        text = DROP_IN.format(path=path, args=f"args = {args}\n" if args else "")
        assert len(args.split()) <= 2 and max(map(len, text.splitlines())) < 158
        target = self.plugins / f"{name}.conf"
        target.write_text(text)
        target.chmod(0o640)

    def without_plugins(self) -> None:
        for drop_in in self.plugins.iterdir():
            drop_in.unlink()

    def start(self, log_format: str = "ENRICHED", name_format: str = "NONE") -> None:
        config = self.directory / "auditd.conf"
        config.write_text(CONFIG.format(log=self.log, format=log_format, name_format=name_format, plugins=self.plugins))
        config.chmod(0o640)
        assert kernel.status()["pid"] == 0, "another audit daemon holds the kernel's only place"
        self.daemon = daemon = Daemon([PROGRAM, "-n", "-c", self.directory], self.directory / "auditd.out")
        until(lambda: daemon.alive() and kernel.status()["pid"] == daemon.pid, "auditd to register")
        self.settle()

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.stop()
            self.daemon = None
            until(lambda: kernel.status()["pid"] == 0, "the kernel to lose its audit daemon")

    def fresh_log(self) -> None:
        """Forget what was recorded; only between a stop and a start."""
        assert self.daemon is None
        shutil.rmtree(self.log.parent)
        self.log.parent.mkdir(mode=0o700)

    def settle(self) -> None:
        """Return when everything that the kernel recorded until now is in the log: our own message comes after it."""
        word = f"maldito-barrier-{os.getpid()}-{next(self._barriers)}"
        run(["auditctl", "-m", word])
        until(lambda: self.log.exists() and word.encode() in self.log.read_bytes(), "auditd to write its log")

    def text(self) -> bytes:
        self.settle()
        return self.log.read_bytes()

    def trail(self) -> Trail:
        return Trail(self.text())


def holder(home: Path) -> int:
    """The pid of an audit daemon that is none of ours, 0 if there is none.

    An auditd of a test run that was killed, known by the configuration directory under `home`, is ended.
    """
    pid = kernel.status()["pid"]
    if pid == 0:
        return 0
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if executable(pid) != os.path.realpath(PROGRAM) or os.fsencode(home / "run" / "auditd") not in words:
            return pid
        os.kill(pid, signal.SIGTERM)
    until(lambda: kernel.status()["pid"] == 0, "the auditd of an earlier run to end")
    return 0


def pause_the_service() -> None:
    run(["systemctl", "stop", "auditd.service"])
    until(lambda: kernel.status()["pid"] == 0, "auditd.service to end")


def resume_the_service() -> None:
    run(["systemctl", "start", "auditd.service"])
