# SPDX-License-Identifier: Apache-2.0
"""auditd as a plugin sees it, in miniature: each record goes to the plugin's socket and then into the log; a plugin that
has died is noticed by the next write, started anew and sent that one record again; the log is rotated.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).parent.parent


class Dispatcher:
    def __init__(self, directory: Path, script: str, rotate_at: int = 8 << 20, files: int = 5) -> None:
        self.directory = directory
        self.log = directory / "audit" / "audit.log"
        self.log.parent.mkdir(exist_ok=True)
        self.restarts = 0
        self.serial = 0
        self.process: Optional[subprocess.Popen[bytes]] = None
        self._script = script
        self._rotate_at, self._files = rotate_at, files
        self._stdin: Optional[socket.socket] = None
        self._file = self.log.open("ab", buffering=0)
        (directory / "auditd.conf").write_text(f"log_file = {self.log}\nwrite_logs = yes\n")

    def start(self) -> None:
        """A generation of the plugin."""
        self._stdin, theirs = socket.socketpair()
        # auditd closes its end in later generations' children; a leaked copy would keep stdin open.
        os.set_inheritable(self._stdin.fileno(), False)
        command = [sys.executable, "-c", self._script, str(self.directory)]
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, cwd=ROOT)

    def send(self, lines: Iterable[bytes]) -> None:
        """The records of an event, each by itself."""
        for line in lines:
            try:
                assert self._stdin is not None
                self._stdin.sendall(line)
            except (BrokenPipeError, ConnectionResetError):
                self._bury()
                self.restarts += 1
                self.start()
                assert self._stdin is not None
                self._stdin.sendall(line)
            if not line.startswith(b"type=EOE"):
                self._write(line)

    def event(self, *records: tuple[str, str], at: Optional[float] = None) -> str:
        """Send an event of the next serial, with its EOE if it has several records; its id."""
        self.serial += 1
        event_id = f"{time.time() if at is None else at:.3f}:{self.serial}"
        lines = [f"type={kind} msg=audit({event_id}): {body}\n".encode() for kind, body in records]
        if len(records) > 1:
            lines.append(f"type=EOE msg=audit({event_id}): \n".encode())
        self.send(lines)
        return event_id

    def kill(self) -> None:
        """kill -9, as anybody may do it; auditd does not notice before it writes."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """The end of the plugin's stdin; its exit code."""
        assert self._stdin is not None and self.process is not None
        self._stdin.close()
        errors = self.process.communicate(timeout=30)[1]
        assert errors == b"", errors.decode()
        return self.process.returncode

    def close(self) -> None:
        self._bury()
        self._file.close()

    def _bury(self) -> None:
        if self._stdin is not None:
            self._stdin.close()
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.communicate()

    def _write(self, line: bytes) -> None:
        if self._file.tell() + len(line) > self._rotate_at:
            self._file.close()
            for number in range(self._files - 1, 0, -1):
                before = self.log if number == 1 else self.log.with_name(f"audit.log.{number - 1}")
                if before.exists():
                    before.rename(self.log.with_name(f"audit.log.{number}"))
            self._file = self.log.open("ab", buffering=0)
        self._file.write(line)
