# SPDX-License-Identifier: Apache-2.0
"""The programs that run side by side, all fed alike: what auditd gives a plugin, by a socket on stdin (ausearch reads a
file, since it takes nothing else). What is measured is each process's own CPU time and peak memory, as the kernel counts.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Optional

from tests import journalfile
from tests.stack.waiting import until

from . import hostlog

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
PEERS = Path(__file__).parent / "peers"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
CHUNK = 1 << 18
MIB = 1 << 20

PLUGIN = """
import os, sys, time
from audisp_maldito.diagnostics import Log
from audisp_maldito.plugin import Plugin
directory = sys.argv[1]
Plugin(directory + "/config.yaml", Log(time.monotonic, directory + "/syslog"), directory + "/journal").run()
os._exit(0)
"""
LAUREL = """\
directory = "{directory}"
[auditlog]
file = "audit.log"
size = 100000000000
generations = 2
"""


class Cost(NamedTuple):
    """What a run took: CPU seconds, peak MiB, MiB written."""

    cpu: float
    rss: float
    written: float


class Contestant:
    """A program; `command` starts it with stdin as its input."""

    name = ""
    reads_file = False

    def command(self, log: Optional[Path]) -> list[str]:
        raise NotImplementedError

    def prepare(self, _log: Optional[Path]) -> None:
        """Before it starts."""

    def opened(self) -> None:
        """Wait until it has taken in the log's opening."""

    def output(self) -> Optional[Path]:
        return None

    def run(self, log: Optional[Path]) -> Cost:
        """One run over the log; None: over nothing."""
        self.prepare(log)
        # The kernel counts a fork's memory to what it becomes: time(1) is small.
        command = ["/usr/bin/time", "-o", str(BUILD / "peak"), "-f", "%M", *self.command(log)]
        ours, its = socket.socketpair()
        with its, (BUILD / "stderr").open("wb") as errors:
            process = subprocess.Popen(command, stdin=its, stdout=subprocess.DEVNULL, stderr=errors, cwd=ROOT)
        with ours:
            if log is not None and not self.reads_file:
                self._feed(ours, log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode and log is not None:
            raise SystemExit(f"{self.name} ended with {process.returncode}: {(BUILD / 'stderr').read_text()[-500:]}")
        peak = int((BUILD / "peak").read_text().split()[-1]) / 1024
        output = self.output()
        written = output.stat().st_size / MIB if output is not None and output.exists() else 0.0
        return Cost(usage.ru_utime + usage.ru_stime, peak, written)

    def _feed(self, ours: socket.socket, log: Path) -> None:
        opening = json.loads(log.with_suffix(".json").read_text())["opening"]
        with log.open("rb") as records:
            ours.sendall(records.read(opening))
            self.opened()
            while chunk := records.read(CHUNK):
                ours.sendall(chunk)


class Ours(Contestant):
    """The plugin with a configuration file, a journal of its own and its output in a file."""

    name = "audisp-maldito"

    def __init__(self, directory: Path, sessions: str = "all") -> None:
        self.directory = directory
        self.sessions = sessions
        self._logins = 0

    def command(self, _log: Optional[Path]) -> list[str]:
        return [sys.executable, "-B", "-c", PLUGIN, str(self.directory)]

    def output(self) -> Path:
        return self.directory / "events.jsonl"

    def prepare(self, log: Optional[Path]) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "journal").mkdir(parents=True)
        settings = {
            "output": str(self.output()), "state_dir": str(self.directory / "state"), "sessions": self.sessions,
            "trusted_cas": [hostlog.CA], "host": "bench",
        }  # fmt: skip
        config = self.directory / "config.yaml"
        config.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        config.chmod(0o600)
        logins = json.loads(log.with_suffix(".json").read_text())["logins"] if log is not None else []
        entries = [self._acceptance(*login) for login in logins]
        self._logins = len(entries)
        if entries:
            journalfile.write(self.directory / "journal" / "1.journal", entries)

    def _acceptance(self, pid: int, ses: int, time_ms: int) -> bytes:
        fields: dict[str, Any] = {
            **journalfile.SSHD, "_PID": pid, "_SYSTEMD_UNIT": "ssh.service", "_BOOT_ID": BOOT_ID,
            "MESSAGE": hostlog.acceptance(pid, hostlog.KEY_ID.format(ses)),
            "_SOURCE_REALTIME_TIMESTAMP": time_ms * 1000 - 5000,
        }  # fmt: skip
        return journalfile.entry(fields)

    def opened(self) -> None:
        """Its sessions have their names."""
        if self._logins:
            until(lambda: self._told() >= self._logins, "the logins to be told", timeout=30)

    def _told(self) -> int:
        output = self.output()
        return output.read_bytes().count(b'"type":"UserLogin"') if output.exists() else 0

    def documents(self) -> int:
        with self.output().open("rb") as lines:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(MIB), b""))


class Laurel(Contestant):
    """Debian's package; its output in a file."""

    name = "LAUREL"

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def command(self, _log: Optional[Path]) -> list[str]:
        return ["/usr/sbin/laurel", "-c", str(self.directory / "laurel.toml")]

    def output(self) -> Path:
        return self.directory / "audit.log"

    def prepare(self, _log: Optional[Path]) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        config = self.directory / "laurel.toml"
        config.write_text(LAUREL.format(directory=self.directory))
        config.chmod(0o600)


class Program(Contestant):
    """Anything else; `{}` in its command stands for the log."""

    def __init__(self, name: str, *command: str) -> None:
        self.name = name
        self._command = command
        self.reads_file = "{}" in command

    def command(self, log: Optional[Path]) -> list[str]:
        return [str(log or os.devnull) if word == "{}" else word for word in self._command]


def compiled(name: str, *libraries: str) -> str:
    """The path of a program of peers/."""
    program = BUILD / name
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-o", program, PEERS / f"{name}.c", *libraries], check=True)
    return str(program)


def laurel_version() -> str:
    told = subprocess.run(["/usr/sbin/laurel", "--version"], capture_output=True, text=True, check=True)
    return told.stdout.strip().rpartition(" ")[2]
