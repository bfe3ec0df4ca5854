# SPDX-License-Identifier: Apache-2.0
"""A plugin that dies and is started again: every event once, each under its person's name."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from . import documents
from .dispatcher import Dispatcher
from .journalfile import SSHD, Journal
from .stack.waiting import until

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
CA = "SHA256:H0lWsvOzd4XxFVFJ5XMs7UBw8JwhV2wx+eG+hsc/rDo"
START = """
import sys, time
from audisp_maldito import plugin
from audisp_maldito.diagnostics import Log
directory = sys.argv[1]
plugin.Plugin(directory + "/config.yaml", Log(time.monotonic, directory + "/syslog"), directory + "/journal").run()
"""
UNSET = 4294967295


class Host:
    """People who log in and act, a dispatcher, a journal, an output."""

    def __init__(self, directory: Path, **more: Any) -> None:
        self.directory = directory
        self.output = directory / "log" / "events.jsonl"
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(str(directory / "syslog"))
        self.syslog.setblocking(False)
        self.lines: list[str] = []
        self.journal = Journal(directory / "journal")
        self.auditd = Dispatcher(directory, START, **more)
        self.persons: dict[int, str] = {}
        self.sessions: dict[str, int] = {}
        """What was done: event -> session."""
        self._pid = 4000
        self.configure()

    def configure(self, **settings: Any) -> None:
        settings = {
            "output": str(self.output), "state_dir": str(self.directory / "state"), "trusted_cas": [CA],
            "auditd_conf": str(self.directory / "auditd.conf"), **settings,
        }  # fmt: skip
        path = self.directory / "config.yaml"
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        path.chmod(0o600)

    def log_in(self, person: str) -> int:
        """A certificate login; its session."""
        self._pid += 2
        ses = self._pid
        port = 20_000 + self._pid
        key = f"SHA256:{self._pid:043d}"
        self.journal.write(
            {**SSHD, "_PID": self._pid, "_SYSTEMD_UNIT": "ssh.service", "_BOOT_ID": BOOT_ID,
             "MESSAGE": f"Accepted publickey for core from 192.0.2.7 port {port} ssh2: ED25519-CERT {key} "
                        f"ID {person} (serial 1) CA ED25519 {CA}"}
        )  # fmt: skip
        self.persons[ses] = person
        self._note(ses, ("LOGIN", f"pid={self._pid} uid=0 old-auid={UNSET} auid=1000 tty=(none) old-ses={UNSET} ses={ses} res=1"),
                   self._syscall(ses, 1, "sshd", "/usr/sbin/sshd", self._pid), ("PROCTITLE", 'proctitle="sshd"'))  # fmt: skip
        return ses

    def act(self, ses: int, *args: str) -> str:
        """A command in a session."""
        words = " ".join(f'a{number}="{word}"' for number, word in enumerate(args))
        return self._note(ses, self._syscall(ses, 59, args[0], f"/usr/bin/{args[0]}", self._pid + 1),
                          ("EXECVE", f"argc={len(args)} {words}"), ("CWD", 'cwd="/home/core"'),
                          ("PATH", f'item=0 name="/usr/bin/{args[0]}" inode=1 dev=08:01 mode=0100755 nametype=NORMAL'),
                          ("PROCTITLE", f'proctitle="{args[0]}"'))  # fmt: skip

    def _syscall(self, ses: int, number: int, comm: str, exe: str, pid: int) -> tuple[str, str]:
        return ("SYSCALL", f"arch=c000003e syscall={number} success=yes exit=0 a0=3 a1=0 a2=4 a3=0 items=1 ppid=1 pid={pid} "
                f"auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses={ses} "
                f'comm="{comm}" exe="{exe}" key=(null)')  # fmt: skip

    def _note(self, ses: int, *records: tuple[str, str]) -> str:
        event_id = self.auditd.event(*records)
        self.sessions[event_id] = ses
        return event_id

    def written(self) -> list[documents.Document]:
        text = self.output.read_bytes() if self.output.exists() else b""
        return [documents.read(line) for line in text[: text.rfind(b"\n") + 1].splitlines() if line]

    def actions(self) -> list[documents.Document]:
        return [one for one in self.written() if one["type"] in ("UserAction", "SystemAction")]

    def ids(self) -> list[str]:
        return [one["metadata"]["extra"]["eventId"] for one in self.actions()]

    def all_told(self) -> bool:
        return set(self.ids()) >= set(self.sessions)

    def check(self) -> None:
        """Everything once, under the right name, numbered without a hole."""
        try:
            until(self.all_told, "everything", timeout=8)
        except AssertionError:
            self.said("x")
            print("".join(line + chr(10) for line in self.lines))
            print(
                sorted(set(self.sessions) - set(self.ids()))[:20],
                len(self.sessions),
                len(self.ids()),
                self.auditd.restarts,
            )
            raise
        found = self.written()
        ids = [one["metadata"]["extra"]["eventId"] for one in found]
        assert len(ids) == len(set(ids)), "something was told twice"
        assert set(self.ids()) == set(self.sessions)
        for one in self.actions():
            ses = self.sessions[one["metadata"]["extra"]["eventId"]]
            assert one["metadata"]["auditId"] == str(ses)
            assert one["subjects"]["userID"] == self.persons[ses], one
        assert [one["metadata"]["extra"]["seq"] for one in found] == list(range(1, len(found) + 1))
        logins = [one["metadata"]["extra"].get("session") for one in found if one["type"] == "UserLogin"]
        assert sorted(map(int, logins)) == sorted(self.persons)

    def said(self, text: str) -> Optional[str]:
        try:
            while True:
                self.lines.append(self.syslog.recv(65536).decode())
        except BlockingIOError:
            return next((line for line in reversed(self.lines) if text in line), None)

    def close(self) -> None:
        self.auditd.close()
        self.journal.close()
        self.syslog.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def test_what_is_held_at_the_end_goes_out_named_at_the_next_start(host: Host) -> None:
    host.auditd.start()
    alice = host.log_in("alice")
    host.act(alice, "id")
    assert host.auditd.end() == 0
    host.auditd.start()
    host.check()
    assert host.auditd.end() == 0


def test_killed_again_and_again(host: Host) -> None:
    chance = random.Random(3)
    host.auditd.start()
    sessions = [host.log_in("alice"), host.log_in("bob")]
    until(host.written, "the first document: before it, nothing is ours")
    for turn in range(12):
        for number in range(chance.randrange(1, 60)):
            host.act(chance.choice(sessions), "echo", str(turn), str(number))
            if chance.random() < 0.02:
                sessions.append(host.log_in(f"person{len(sessions)}"))
        if turn % 3 == 0:
            time.sleep(0.1)
        host.auditd.kill()
    host.act(sessions[0], "last")
    host.check()
    assert host.auditd.end() == 0
