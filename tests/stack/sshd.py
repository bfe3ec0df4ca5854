# SPDX-License-Identifier: Apache-2.0
"""An sshd of our own on a free loopback port, and the client that visits it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional, Union

from .accounts import PASSWORD
from .daemon import CLEAN_ENVIRONMENT, Daemon, leave_the_session
from .keys import Authority, Identity, Key
from .waiting import until

PROGRAM = "/usr/sbin/sshd"
SEPARATION = Path("/run/sshd")
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
TrustedUserCAKeys {trusted}
PidFile none
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
PrintMotd no
MaxStartups 200
MaxAuthTries 6
Subsystem sftp internal-sftp
"""


class Visit(NamedTuple):
    """How an ssh client fared."""

    status: int
    out: str
    err: str


class Sshd:
    def __init__(self, directory: Path, authority: Authority) -> None:
        self.directory = directory
        self.authority = authority
        self.config = directory / "sshd_config"
        self.trusted = directory / "trusted-ca.pub"
        self.host_key = Key(directory, "host")
        self.daemon: Optional[Daemon] = None
        self.port = 0

    def start(self, extra: str = "", first: str = "", program: Union[str, Path] = PROGRAM) -> None:
        """`first` stands before our own settings, and so wins over them; it may name {directory} and {port}."""
        self._made_separation = not SEPARATION.exists()
        SEPARATION.mkdir(mode=0o755, exist_ok=True)
        self.port = another_port()
        self.trusted.write_text(self.authority.key.line())
        ours = CONFIG.format(port=self.port, host_key=self.host_key.path, trusted=self.trusted)
        self.config.write_text(first.format(directory=self.directory, port=self.port) + ours + extra)
        known = self.directory / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {self.host_key.line()}")
        self.daemon = daemon = Daemon([program, "-D", "-f", self.config], self.directory / "sshd.out")
        until(lambda: daemon.alive() and self.listens(self.port), "sshd to listen")

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.stop()
            self.daemon = None
            if self._made_separation:
                SEPARATION.rmdir()

    def client(
        self, account: str, command: Optional[str], identity: Optional[Identity], options: Sequence[str], port: int
    ) -> list[str]:
        words = ["ssh", "-F", "/dev/null", "-p", str(port or self.port)]
        settings = {
            "UserKnownHostsFile": self.directory / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "ControlPath": "none",
            "LogLevel": "ERROR",
            "ConnectTimeout": "20",
            "NumberOfPasswordPrompts": "1",
            "PreferredAuthentications": "publickey" if identity else "password",
        }
        words += options  # before ours: ssh takes the first value of a setting
        for name, value in settings.items():
            words += ["-o", f"{name}={value}"]
        words += identity.options() if identity else ["-o", "PubkeyAuthentication=no"]
        words += ["-l", account, "127.0.0.1"]
        return words + ([command] if command is not None else [])

    def visit(
        self,
        account: str,
        command: str = "true",
        identity: Optional[Identity] = None,
        password: str = PASSWORD,
        options: Sequence[str] = (),
        port: int = 0,
        timeout: float = 60.0,
    ) -> Visit:
        """One connection from beginning to end; without an identity by password."""
        others = set(self.monitors())
        process = self.open(account, command, identity, password, options, port)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        # The client is gone before its monitor has closed the session, which are events, too.
        until(lambda: set(self.monitors()) <= others, "the connection's monitor to end")
        return Visit(process.returncode, out, err)

    def open(
        self,
        account: str,
        command: Optional[str] = None,
        identity: Optional[Identity] = None,
        password: str = PASSWORD,
        options: Sequence[str] = (),
        port: int = 0,
        asks: Optional[Path] = None,
    ) -> subprocess.Popen[str]:
        """A connection that stays open: commands go to its stdin. `asks` is what ssh runs to get the password."""
        return subprocess.Popen(
            self.client(account, command, identity, options, port),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**CLEAN_ENVIRONMENT, **self._asking(password), **({"SSH_ASKPASS": str(asks)} if asks else {})},
            start_new_session=True,
            preexec_fn=leave_the_session,
        )

    def _asking(self, password: str) -> dict[str, str]:
        """ssh takes a password from a program only: this one echoes a variable."""
        program = self.directory / "askpass"
        if not program.exists():
            program.write_text('#!/bin/sh\nprintf "%s\\n" "$MALDITO_PASSWORD"\n')
            program.chmod(0o755)
        return {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force", "MALDITO_PASSWORD": password}

    def listens(self, port: int) -> bool:
        # Looked up rather than connected to: a connection would leave lines in the journal.
        wanted = f"0100007F:{port:04X} 00000000:0000 0A"
        return wanted in Path("/proc/net/tcp").read_text()

    def monitors(self) -> list[int]:
        """The pids of the processes that serve a connection each: sshd's own children."""
        assert self.daemon is not None
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(status.read_text().rpartition(")")[2].split()[1]) == self.daemon.pid:
                    found.append(int(status.parent.name))
        return found


def another_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
