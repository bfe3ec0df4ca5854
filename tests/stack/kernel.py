# SPDX-License-Identifier: Apache-2.0
"""The kernel's audit state: one per machine, so it is noted before the first change and put back at the end."""

from __future__ import annotations

import json
from pathlib import Path

from .daemon import run

RULES = """\
-a always,exit -F arch=b64 -S execve,execveat {people} -k maldito-exec
-a always,exit -F arch=b64 -S open,openat,openat2,creat,truncate -F exit=-EACCES {people} -k maldito-access
-a always,exit -F arch=b64 -S open,openat,openat2,creat,truncate -F exit=-EPERM {people} -k maldito-access
-a always,exit -F path=/etc/shadow -F perm=rwa {people} -k maldito-shadow
-a always,exit -F arch=b64 -S connect {people} -k maldito-connect
"""
# Without these two, our own daemons would be audited and feed themselves, and the whole host with them.
PEOPLE = "-F auid>=1000 -F auid!=unset"
BACKLOG = 8192


def status() -> dict[str, int]:
    """What `auditctl -s` says, the lines with one number."""
    words = [line.split() for line in run(["auditctl", "-s"]).stdout.decode().splitlines()]
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}


def rules() -> list[str]:
    """What `auditctl -l` says, each line a rule that auditctl takes again."""
    return [line for line in run(["auditctl", "-l"]).stdout.decode().splitlines() if line != "No rules"]


class KernelAudit:
    """`note` is where the state before our changes is kept: a run that was killed left it there for the next one."""

    def __init__(self, note: Path) -> None:
        self.note = note
        if not note.exists():
            note.write_text(json.dumps({"status": status(), "rules": rules()}))
        before = json.loads(note.read_text())
        self.status: dict[str, int] = before["status"]
        self.rules: list[str] = before["rules"]

    def load_rules(self) -> None:
        run(["auditctl", "-D"])
        run(["auditctl", "-b", str(BACKLOG)])
        for rule in RULES.format(people=PEOPLE).splitlines():
            run(["auditctl", *rule.split()])

    def restore(self) -> None:
        run(["auditctl", "-D"])
        for rule in self.rules:
            run(["auditctl", *rule.split()])
        run(["auditctl", "-b", str(self.status["backlog_limit"])])
        run(["auditctl", "-e", str(self.status["enabled"])])
        self.note.unlink()
