# SPDX-License-Identifier: Apache-2.0
"""systemd-journald, the machine's own if one runs, else ours; and the reading of what it wrote."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from pathlib import Path
from typing import Any, Optional

from .daemon import Daemon, run
from .waiting import until

PROGRAM = "/lib/systemd/systemd-journald"
RUN = Path("/run/systemd/journal")
DEV_LOG = Path("/dev/log")
VOLATILE = Path("/run/log/journal")
DROP_IN = Path("/run/systemd/journald.conf.d/zz-maldito-stack.conf")
# Audit: neither switched on nor off by journald, that is for auditd to do. Rate limits would swallow "Accepted" lines
# of a test that logs in often, which is a test of its own.
CONFIG = """\
[Journal]
Storage=volatile
Audit=
RateLimitIntervalSec=0
ForwardToConsole=no
"""


def answers(path: Path) -> bool:
    """Whether somebody receives on this datagram socket: a dead journald leaves its socket files behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


class Journald:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.daemon: Optional[Daemon] = None

    def start(self) -> None:
        if answers(RUN / "socket"):
            return
        if DROP_IN.exists():
            _clear()
        self._had_volatile = VOLATILE.exists()
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(CONFIG)
        RUN.mkdir(parents=True, exist_ok=True)
        self.daemon = daemon = Daemon([PROGRAM], self.directory / "journald.out")
        until(lambda: daemon.alive() and answers(RUN / "dev-log"), "journald's sockets")
        if not answers(DEV_LOG):
            DEV_LOG.unlink(missing_ok=True)
            DEV_LOG.symlink_to(RUN / "dev-log")

    def stop(self) -> None:
        """End our journald and take away all it made; a journald of the machine's own stays as it was."""
        if self.daemon is None:
            return
        self.daemon.stop()
        self.daemon = None
        _clear(keep_volatile=self._had_volatile)

    def cursor(self) -> str:
        """Where the journal ends now."""
        run(["journalctl", "--sync"])
        out = run(["journalctl", "-q", "-n", "0", "--show-cursor"]).stdout.decode()
        return out.partition("-- cursor: ")[2].strip()

    def entries(self, since: str = "", all_fields: bool = True) -> list[dict[str, Any]]:
        """What was logged after `since`. Without `all_fields` long ones are null, as `journalctl -o json` has it."""
        return [json.loads(line) for line in self.lines(since, all_fields)]

    def lines(self, since: str = "", all_fields: bool = True) -> list[bytes]:
        run(["journalctl", "--sync"])
        argv = ["journalctl", "-q", "-o", "json"]
        argv += ["--all"] if all_fields else []
        argv += ["--after-cursor", since] if since else []
        return run(argv).stdout.splitlines()


def _clear(keep_volatile: bool = False) -> None:
    """Take away what a journald of ours made; the drop-in is the sign that it was ours."""
    if DEV_LOG.is_symlink():
        DEV_LOG.unlink()
    shutil.rmtree(RUN, ignore_errors=True)
    if not keep_volatile:
        shutil.rmtree(VOLATILE, ignore_errors=True)
    DROP_IN.unlink()
    with contextlib.suppress(OSError):
        DROP_IN.parent.rmdir()
