# SPDX-License-Identifier: Apache-2.0
"""Recordings of the real stack: what journald kept, what auditd wrote and what it gave to a plugin.

`/usr/bin/python3 -m tests.stack.capture DIRECTORY` records afresh the embedded recording of two people on one account.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

from .keys import Identity
from .rig import Rig
from .waiting import until

# What attribution reads of an entry, and enough beside it to look like one.
FIELDS = {
    *("__CURSOR", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "_BOOT_ID"),
    *("_TRANSPORT", "_UID", "_GID", "_PID", "_EXE", "_COMM", "_AUDIT_SESSION", "_AUDIT_LOGINUID", "_SYSTEMD_UNIT"),
    *("_MACHINE_ID", "_HOSTNAME", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "PRIORITY", "MESSAGE", "_LINE_BREAK"),
}


def record(rig: Rig, directory: Path, name: str, scenario: Callable[[Rig], None], log_format: str = "ENRICHED") -> None:
    """Run `scenario` and store NAME.audit.log, NAME.journal.json and NAME.plugin.txt of just that time."""
    stdin = rig.directory / f"{name}.plugin.txt"
    program = rig.directory / "recorder"
    shutil.copyfile(Path(__file__).with_name("recorder.py"), program)
    program.chmod(0o755)
    rig.auditd.stop()
    rig.auditd.fresh_log()
    rig.auditd.plugin("recorder", program, str(stdin))
    rig.auditd.start(log_format)
    since = rig.journald.cursor()
    scenario(rig)
    journal = rig.journald.lines(since, all_fields=False)
    log = rig.auditd.text()
    last = log.splitlines()[-1].partition(b"\x1d")[0].split(b"msg=")[1]
    until(lambda: last in stdin.read_bytes(), "the recorder to have read all")
    rig.auditd.stop()
    rig.auditd.without_plugins()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.audit.log").write_bytes(log)
    (directory / f"{name}.journal.json").write_bytes(b"".join(line + b"\n" for line in journal))
    shutil.move(str(stdin), directory / f"{name}.plugin.txt")
    rig.auditd.start()


def shell(rig: Rig, identity: Identity) -> subprocess.Popen[str]:
    """A login that stays open and takes its commands from stdin, one after the other."""
    return rig.sshd.open(rig.core.name, "exec /bin/sh", identity)


def order(process: subprocess.Popen[str], command: str) -> None:
    """Have a shell run a command, and return when it has."""
    assert process.stdin and process.stdout
    process.stdin.write(f"{command} >/dev/null 2>&1 </dev/null; echo done\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def two_people(rig: Rig) -> None:
    """alice and bob at the same time on one account; alice becomes root for one command."""
    alice, bob = rig.person("alice@example.org", 4711), rig.person("bob@example.org", 4712)
    hers, his = shell(rig, alice), shell(rig, bob)
    order(hers, "id")
    order(his, "ls /root")
    order(hers, "sudo -n cat /etc/shadow")
    order(his, "cat /etc/shadow")
    order(hers, "uname -r")
    order(his, "sh -c 'echo bob was here | tee notes.txt'")
    order(hers, "cat notes.txt")
    for process in (hers, his):
        process.communicate(timeout=60)


def trimmed(lines: bytes) -> bytes:
    """The entries without those that journald made of audit records, and each with the fields above only."""
    kept = []
    for line in lines.splitlines():
        entry = json.loads(line)
        if entry.get("_TRANSPORT") in ("syslog", "stdout", "journal"):
            kept.append(json.dumps({name: value for name, value in entry.items() if name in FIELDS}) + "\n")
    return "".join(kept).encode()


def main(directory: Path) -> None:
    with Rig(accounts=("core",)) as rig:
        record(rig, directory, "two-people", two_people)
        (directory / "company-ca.fingerprint").write_text(rig.authority.fingerprint + "\n")
    (directory / "two-people.audit.log").rename(directory / "audit.log")
    (directory / "journal.json").write_bytes(trimmed((directory / "two-people.journal.json").read_bytes()))
    for scrap in ("two-people.journal.json", "two-people.plugin.txt"):
        (directory / scrap).unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
