# SPDX-License-Identifier: Apache-2.0
"""The whole stack as one object: `with Rig() as rig:` has it all running, and leaves the machine as it was.

What is done to the machine is undone in the opposite order, whatever happened in between; what a killed run left is
found by the notes it kept under HOME and undone by the next. Two rigs at once are impossible (the kernel has one place
for an audit daemon), so a second one waits for the first.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Any, Optional

from . import auditd
from .accounts import Account, Accounts
from .auditd import Auditd
from .journald import Journald
from .kernel import KernelAudit
from .keys import Authority, Identity
from .sshd import Sshd, Visit
from .trail import Trail
from .waiting import until

# Root's, with no ancestor that others may write: auditd, sshd and the plugin all look at where their files lie.
HOME = Path("/var/lib/maldito-stack")
CORE = "maldito-core"
OTHER = "maldito-other"


def required() -> bool:
    """Whether the stack must run: on a machine that is there for tests. A running auditd.service is paused then."""
    return os.environ.get("MALDITO_STACK") == "required"


def missing() -> Optional[str]:
    """Why the stack cannot run here, in a sentence; None when it can."""
    if os.geteuid() != 0:
        return "needs root: it starts auditd, sshd and journald"
    for program in (
        "/sbin/auditd",
        "/sbin/auditctl",
        "/usr/sbin/sshd",
        "/lib/systemd/systemd-journald",
        "/usr/bin/sudo",
    ):
        if not os.path.exists(program):
            return f"{program} is not installed"
    pid = auditd.holder(HOME)
    if pid and not required():
        return (
            f"audit daemon {pid} holds the kernel's only place; MALDITO_STACK=required pauses auditd.service meanwhile"
        )
    return None


class Rig:
    def __init__(self, accounts: tuple[str, ...] = (CORE, OTHER)) -> None:
        self._names = list(accounts)
        self._undo = contextlib.ExitStack()
        self.directory = HOME / "run"

    def __enter__(self) -> Rig:
        with contextlib.ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *why: object) -> None:
        self._undo.close()

    def _start(self, undo: contextlib.ExitStack) -> None:
        self._wait_for_our_turn(undo)
        HOME.mkdir(mode=0o755, exist_ok=True)
        undo.callback(_remove_if_empty, HOME)
        # A terminated run must clean up like an interrupted one.
        before = signal.signal(signal.SIGTERM, _interrupt)
        undo.callback(signal.signal, signal.SIGTERM, before)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o755)
        undo.callback(shutil.rmtree, self.directory)

        if auditd.holder(HOME):
            auditd.pause_the_service()
            undo.callback(auditd.resume_the_service)
        self.kernel = KernelAudit(HOME / "kernel-before.json")
        undo.callback(self.kernel.restore)
        accounts = Accounts(self._names, HOME / "accounts")
        undo.callback(accounts.remove)
        self.accounts = accounts.create()
        self.journald = Journald(self.directory)
        undo.callback(self.journald.stop)
        self.journald.start()
        self.auditd = Auditd(self.directory)
        undo.callback(self.auditd.stop)
        self.auditd.start()
        self.kernel.load_rules()
        keys = self.directory / "keys"
        keys.mkdir(mode=0o700)
        self.keys = keys
        self.authority = Authority(keys, "company-ca")
        self.sshd = Sshd(self.directory, self.authority)
        undo.callback(self.sshd.stop)
        self.sshd.start()

    def _wait_for_our_turn(self, undo: contextlib.ExitStack) -> None:
        """A name in the abstract namespace is a lock that leaves no file and ends with its process."""
        turn = undo.enter_context(socket.socket(socket.AF_UNIX))
        until(lambda: _bound(turn), "another rig to end", timeout=900)

    @property
    def core(self) -> Account:
        return self.accounts[self._names[0]]

    @property
    def other(self) -> Account:
        return self.accounts[self._names[1]]

    def person(self, key_id: str, serial: Optional[int] = None, authority: Optional[Authority] = None) -> Identity:
        """A certificate for the first account, by the CA that sshd trusts unless another is given."""
        return (authority or self.authority).certify(key_id, self.core.name, serial)

    def visit(self, identity: Optional[Identity], command: str = "true", **how: Any) -> Visit:
        return self.sshd.visit(how.pop("account", self.core.name), command, identity, **how)

    def accepted(self, identity: Identity, since: str = "") -> dict[str, Any]:
        """sshd's acceptance of this identity, known by the fingerprint: that stands before all that is free text."""
        pattern = re.compile(
            rf"Accepted publickey for \S+ from \S+ port \d+ ssh2: \S+ {re.escape(identity.fingerprint)}( |$)"
        )

        def found() -> Optional[dict[str, Any]]:
            for entry in self.journald.entries(since):
                if isinstance(entry.get("MESSAGE"), str) and pattern.match(entry["MESSAGE"]):
                    return entry
            return None

        return until(found, f"sshd's acceptance of {identity.key_id!r}")

    def session(self, identity: Identity, since: str = "") -> int:
        """The audit session of this identity's (only) login since then."""
        pid = int(self.accepted(identity, since)["_PID"])
        number = self.trail().login_of(pid).number("ses")
        assert number is not None
        return number

    def trail(self) -> Trail:
        return self.auditd.trail()


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt(f"signal {number}")


def _bound(turn: socket.socket) -> bool:
    try:
        turn.bind("\0maldito-stack")
    except OSError:
        return False
    return True


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()
