# SPDX-License-Identifier: Apache-2.0
"""The plugin's file in plugins.d, read the way auditd reads it, which is not the way anybody would expect.

auditd takes only blanks between words and wants "=" as a word of its own; it leaves out a line of 158 bytes and more
(before 4.1.3) with nothing but a message, and takes two arguments (before 3.1.3) and silently no more. It refuses files
of others than root, since 4.2 also those that a group may write. Each rule here is one of its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Optional

from .auditd import Daemon
from .finding import Finding, amber, green, red
from .host import Host

NAME = "audisp-maldito.conf"
PROGRAM = "/usr/sbin/audisp-maldito"
LINE_BYTES = 158
VALUES = {
    "active": ("yes", "no"),
    "direction": ("out", "in"),
    "type": ("always", "builtin"),
    "format": ("string", "binary"),
}
KEYS = {*VALUES, "path", "args"}
PROGRAM_MODE = 0o750
ARGUMENTS = 2
CHECK = "plugin-file"


def path(auditd: Daemon) -> str:
    """Where the drop-in is."""
    return os.path.join(auditd.conf.get("plugin_dir", "/etc/audit/plugins.d"), NAME)


def settings(host: Host, auditd: Daemon) -> dict[str, str]:
    """What it says, as far as auditd would understand it."""
    return dict(_words(line)[:2] for line in (host.read(path(auditd)) or "").split("\n") if _words(line))


def config_path(host: Host, auditd: Daemon) -> Optional[str]:
    """The plugin's own configuration, which is its one argument."""
    return settings(host, auditd).get("args") or None


def check(host: Host, auditd: Daemon) -> Iterator[Finding]:
    """What auditd would refuse, or the one finding that it refuses nothing."""
    found = list(_wrong(host, auditd, path(auditd)))
    yield from found or [green(CHECK, f"{path(auditd)} is good and active")]


def _wrong(host: Host, auditd: Daemon, conf: str) -> Iterator[Finding]:
    text, status = host.read(conf), host.status(conf)
    if text is None or status is None:
        install = "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss audisp-maldito"
        yield red(CHECK, f"{conf} is not there or cannot be read", install)
        return
    if status.st_uid != 0 or not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield red(
            CHECK, f"{conf} must be root's, and writable by nobody else", f"chown root:root {conf}; chmod 640 {conf}"
        )
    for number, line in enumerate(text.split("\n"), 1):
        wrong = _wrong_line(line)
        if wrong:
            yield red(CHECK, f"{conf}:{number}: {wrong}", f"edit {conf}")
    said = settings(host, auditd)
    if said.get("active", "no").lower() != "yes":
        reload = "kill -HUP $(pidof auditd)"
        yield red(CHECK, f"{conf} says active = no", f"sed -i 's/^active = .*/active = yes/' {conf}; {reload}")
    yield from _wrong_program(host, said.get("path", ""))
    for other in host.listing(os.path.join(os.path.dirname(conf), "*")):
        if (
            other != conf
            and os.path.basename(other).count(".") < 2
            and said.get("path") in (host.read(other) or "").split()
        ):
            yield amber("plugin-twice", f"{other} starts the same program a second time", f"rm {other}")


def _words(line: str) -> tuple[str, str, int]:
    """(key, value, number of words in it); empty for a line without a setting."""
    words = [word for word in line.split(" ") if word]
    if not words or words[0].startswith("#"):
        return ()  # type: ignore[return-value]
    return words[0].lower(), words[2] if len(words) > 2 else "", len(words) - 2


def _wrong_line(line: str) -> Optional[str]:
    words = [word for word in line.split(" ") if word]
    if len(line.encode()) >= LINE_BYTES:
        return f"{LINE_BYTES} bytes or more, which auditd leaves out"
    if not words or words[0].startswith("#"):
        return None
    if "\t" in line or "\r" in line:
        return "has a tab or a carriage return; auditd knows only blanks"
    if len(words) < 3 or words[1] != "=":
        return "is no `key = value` with blanks around the ="
    key, values = words[0].lower(), words[2:]
    if key not in KEYS:
        return f"auditd knows no {key!r} and refuses the whole file"
    if key in VALUES and values[0].lower() not in VALUES[key]:
        return f"{key} cannot be {values[0]!r}"
    if len(values) > (ARGUMENTS if key == "args" else 1):
        return f"{key} has too many words; a comment needs a line of its own"
    return None


def _wrong_program(host: Host, program: str) -> Iterator[Finding]:
    status = host.status(program) if program else None
    if status is None or not stat.S_ISREG(status.st_mode):
        yield red("plugin-program", f"{program or 'path'} is no program", "apt-get install --reinstall audisp-maldito")
        return
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != 0 or mode & 0o022 or mode & PROGRAM_MODE != PROGRAM_MODE:
        yield red(
            "plugin-program",
            f"{program} has mode {mode:o} and owner {status.st_uid}: auditd wants root's, 0750 or 0755",
            f"chown root:root {program}; chmod 755 {program}",
        )
