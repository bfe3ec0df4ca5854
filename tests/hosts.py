# SPDX-License-Identifier: Apache-2.0
"""A host for `maldito doctor` on which everything is well, until a test makes something otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Optional

from audisp_maldito import rules
from audisp_maldito.doctor.host import Host, Process, Ran

ROOT = Path(__file__).parents[1]
NOW = 1_800_000_000.0
AUDITD, PLUGIN = 100, 101
SSHD = "/usr/sbin/sshd"
SSHD_T = "loglevel INFO\nusepam yes\ntrustedusercakeys /etc/ssh/ca.pub\nauthenticationmethods any\n"
CA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBkaKjl2VbfRlneh1wAzIMSZcnof7tx3Z4ypnSA09gzY ca\n"
OTHER_CA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPeIAjQcewyK6FesRiWxQn0N2tnXDYcH9s57RvqVCnj3 other\n"
STATUS = "enabled 1\nfailure 1\npid 100\nbacklog_limit 8192\nlost 0\nbacklog 0\nloginuid_immutable 1 locked\n"
FILES = {
    "etc/audit/auditd.conf": "log_file = /var/log/audit/audit.log\nlog_format = ENRICHED\n"
    "max_log_file = 8\nnum_logs = 5\n",
    "run/auditd.pid": f"{AUDITD}\n",
    "etc/ssh/ca.pub": CA,
    "etc/pam.d/sshd": "@include common-auth\nsession    required     pam_loginuid.so\n",
    "etc/passwd": "root:x:0:0::/root:/bin/bash\ncore:x:1000:1000::/home/core:/bin/bash\n"
    "audisp-maldito:x:990:990::/:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nsystemd-journal:x:999:audisp-maldito\ndocker:x:998:\n",
    "run/systemd/journal/socket": "",
    "var/log/journal/x": "",
    "var/log/audit/audit.log": f"type=DAEMON_START msg=audit({NOW - 7200:.3f}:1): op=start\n"
    f"type=LOGIN msg=audit({NOW - 60:.3f}:2): pid=1 uid=0 old-auid=4294967295 auid=1000 ses=3 res=1\n",
    "var/log/audisp-maldito/events.jsonl": '{"loggedAt":"2027-01-15T07:59:00.5Z"}\n',
    "var/lib/audisp-maldito/lock": "",
}


class Well(Host):
    """Nothing in it is this machine's: files below a directory, answers and processes by name."""

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory))
        self.directory = directory
        self.answers = {
            "auditctl -v": Ran(0, "auditctl version 3.0.9\n", ""),
            "auditctl -s": Ran(0, STATUS, ""),
            "auditctl -l": Ran(0, "-a always,exit -F arch=b64 -S execve,execveat -F auid!=-1 -F key=exec\n", ""),
            "journalctl": Ran(1, "", ""),
            "timedatectl": Ran(0, "yes\n", ""),
            "systemctl show": Ran(
                0, "Id=ssh.service\nActiveState=active\n\nId=sshd.service\nActiveState=inactive\n", ""
            ),
            f"{SSHD} -T": Ran(0, SSHD_T, ""),
        }
        self.running = [
            Process(AUDITD, 1, "auditd", "/usr/sbin/auditd", "/sbin/auditd", 4294967295),
            Process(PLUGIN, AUDITD, "audisp-maldito", "/usr/bin/python3.11", "python3", 4294967295),
            Process(200, 1, "sshd", SSHD, f"sshd: {SSHD} -D [listener] 0 of 10-100 startups", 4294967295),
            Process(201, 200, "sshd", SSHD, "sshd: core [priv]", 1000),
            Process(202, 201, "sshd", SSHD, "sshd: core@pts/0", 1000),
        ]
        self.free: Optional[tuple[int, int]] = (10**11, 10**12)
        for path, text in FILES.items():
            self.write(path, text)
        for name in ("etc/audit/plugins.d", "usr/sbin", "root", "home/core", "etc/audit/rules.d"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "plugins.d/audisp-maldito.conf", directory / "etc/audit/plugins.d")
        shutil.copy(ROOT / "config/config.yaml", self.write("etc/audisp-maldito/config.yaml", ""))
        self.write("usr/sbin/audisp-maldito", "").chmod(0o755)
        (directory / "var/log/audisp-maldito").chmod(0o750)
        (directory / "var/lib/audisp-maldito").chmod(0o700)
        # sshd's paths are absolute, and are read as they are.
        self.write("etc/ssh/sshd_config", f"TrustedUserCAKeys {directory}/etc/ssh/ca.pub\n")
        self.limit(1_000_000, 1_000_000)

    def write(self, path: str, text: str) -> Path:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o640)
        return file

    def append(self, path: str, text: str) -> None:
        with (self.directory / path).open("a") as file:
            file.write(text)

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.directory / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def answer(self, command: str, output: str, code: Optional[int] = 0, error: str = "") -> None:
        self.answers[command] = Ran(code, output, error)

    def limit(self, burst: int, microseconds: int, unit: str = "ssh.service") -> None:
        """What systemd would have left for journald."""
        units = self.directory / "run/systemd/units"
        units.mkdir(parents=True, exist_ok=True)
        for what, value in (("burst", burst), ("interval", microseconds)):
            link = units / f"log-rate-limit-{what}:{unit}"
            link.unlink(missing_ok=True)
            os.symlink(str(value), link)

    def our_rules(self) -> rules.Rules:
        return rules.Rules(self.root, str(ROOT / "packaging/rules"))

    def now(self) -> float:
        return NOW

    def root_user(self) -> bool:
        return True

    def room(self, path: str) -> Optional[tuple[int, int]]:
        return self.free if (self.directory / path.lstrip("/")).exists() else None

    def run(self, *words: str) -> Ran:
        command = " ".join(words)
        known = [start for start in self.answers if command.startswith(start)]
        return self.answers[max(known, key=len)] if known else Ran(None, "", f"{command}: unknown to this test")

    def processes(self) -> list[Process]:
        return self.running
