# SPDX-License-Identifier: Apache-2.0
"""The plugin as a process of its own: stdin, signals, configuration, output and a journal directory, all real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from . import documents
from .journalfile import SSHD, Journal
from .stack.waiting import until

START = """
import sys, time
from audisp_maldito import plugin
from audisp_maldito.config import Config
from audisp_maldito.diagnostics import Log
directory = sys.argv[1]
plugin.Config = lambda: Config(output=directory + "/default.jsonl", state_dir=directory + "/state")
plugin.COMPLAIN_SECONDS = 0.1
plugin.JOURNAL_PATIENCE = 5
plugin.Plugin(directory + "/config.yaml", Log(time.monotonic, directory + "/syslog"), directory + "/journal").run()
"""

BREAK = """
import sys
from audisp_maldito import plugin
from audisp_maldito.diagnostics import Log
def fail(*_):
    raise ZeroDivisionError("by\\na stranger")
plugin.RUN_DIR = sys.argv[1] + "/run"
plugin.Plugin = fail
plugin.Log = lambda clock: Log(clock, sys.argv[1] + "/syslog")
plugin.main([])
"""

ROOT = Path(__file__).parent.parent
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
CA = "SHA256:H0lWsvOzd4XxFVFJ5XMs7UBw8JwhV2wx+eG+hsc/rDo"
ACCEPTED = (
    "Accepted publickey for core from 192.0.2.7 port 39604 ssh2: ED25519-CERT "
    f"SHA256:ta3LYklntvpC74d0jIRXd4NT2p6dWNHtaKe4fc3Fl3k ID alice@example.org (serial 4711) CA ED25519 {CA}"
)


def action(serial: int, ses: int = 5) -> bytes:
    """A record that is an event of its own, of a session that nobody logged in to by SSH."""
    return (
        f"type=USER_START msg=audit(1700000000.000:{serial}): pid=9 uid=0 auid=1000 ses={ses} msg='op=PAM:session_open "
        'acct="core" exe="/usr/sbin/cron" hostname=? addr=? terminal=cron res=success\'\n'
    ).encode()


def login(serial: int, pid: int, ses: int) -> bytes:
    """sshd's LOGIN, now."""
    stamp = f"audit({time.time():.3f}:{serial})"
    return (
        f"type=LOGIN msg={stamp}: pid={pid} uid=0 old-auid=4294967295 auid=1000 tty=(none) old-ses=4294967295 "
        f"ses={ses} res=1\n"
        f"type=SYSCALL msg={stamp}: arch=c000003e syscall=1 success=yes exit=4 a0=3 a1=0 a2=4 a3=0 items=0 ppid=1 "
        f"pid={pid} auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses={ses} "
        f'comm="sshd" exe="/usr/sbin/sshd" key=(null)\ntype=PROCTITLE msg={stamp}: proctitle="sshd"\n'
    ).encode()


class Running:
    """One plugin process; its stdin is a socket, as auditd makes it."""

    def __init__(self, directory: Path, script: str) -> None:
        self.stdin, theirs = socket.socketpair()
        command = [sys.executable, "-c", script, str(directory)]
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, cwd=ROOT)

    def end(self) -> None:
        """End its stdin, and wait until it has gone as it should."""
        self.stdin.close()
        assert self.wait() == 0

    def wait(self) -> int:
        errors = self.process.communicate(timeout=20)[1]
        self.stdin.close()
        assert errors == b""
        return self.process.returncode


class Host:
    """A directory with everything that plugins read and write, and the plugins."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "log" / "events.jsonl"
        self._syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._syslog.bind(str(directory / "syslog"))
        self._syslog.setblocking(False)
        self._said: list[str] = []
        self._running: list[Running] = []
        (directory / "journal").mkdir()
        self.configure()

    def configure(self, **settings: Any) -> None:
        settings = {
            "output": str(self.output),
            "state_dir": str(self.directory / "state"),
            "trusted_cas": [],
            "auditd_conf": str(self.directory / "auditd.conf"),
            **settings,
        }
        path = self.directory / "config.yaml"
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        path.chmod(0o600)

    def start(self, script: str = START) -> Running:
        self._running.append(Running(self.directory, script))
        return self._running[-1]

    def said(self, text: str) -> Optional[str]:
        """The last line of its own log with this text."""
        try:
            while True:
                self._said.append(self._syslog.recv(65536).decode())
        except BlockingIOError:
            return next((line for line in reversed(self._said) if text in line), None)

    def written(self, path: Optional[Path] = None) -> list[documents.Document]:
        path = path or self.output
        text = path.read_bytes() if path.exists() else b""
        return [documents.read(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def serials(self, path: Optional[Path] = None) -> list[int]:
        return [int(one["metadata"]["extra"]["eventId"].split(":")[1]) for one in self.written(path)]

    def tell(self, running: Running, serial: int) -> None:
        """Send one action and wait for its document: whatever came before has been seen, too."""
        running.stdin.sendall(action(serial))
        until(lambda: serial in self.serials(), f"the document of {serial}")

    def close(self) -> None:
        self._syslog.close()
        for running in self._running:
            running.stdin.close()
            if running.process.poll() is None:
                running.process.kill()
                running.process.communicate()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def test_a_record_becomes_a_line_while_stdin_is_open(host: Host) -> None:
    plugin = host.start()
    host.tell(plugin, 1)
    record = action(2)
    plugin.stdin.sendall(record[:50])
    plugin.stdin.sendall(record[50:])
    until(lambda: host.serials() == [1, 2], "both")
    plugin.end()


def test_the_end_of_stdin_is_the_end_and_everything_is_written(host: Host) -> None:
    plugin = host.start()
    plugin.stdin.sendall(b"".join(action(serial) for serial in range(1, 301)).rstrip(b"\n"))
    plugin.end()
    assert host.serials() == list(range(1, 301))


def test_records_that_wait_in_the_socket_at_term_are_read(host: Host) -> None:
    plugin = host.start()
    host.tell(plugin, 1)
    plugin.process.send_signal(signal.SIGSTOP)
    plugin.stdin.sendall(b"".join(action(serial) for serial in range(2, 201)))
    plugin.process.terminate()
    plugin.process.send_signal(signal.SIGCONT)
    assert plugin.wait() == 0
    assert host.serials() == list(range(1, 201))


def test_term_of_anybody_but_the_parent_is_ignored(host: Host) -> None:
    plugin = host.start()
    host.tell(plugin, 1)
    for _ in range(3):
        subprocess.run(["kill", "-TERM", str(plugin.process.pid)], check=True)
    until(lambda: host.said("which is not the parent: ignored"), "a line in the log")
    host.tell(plugin, 2)
    plugin.end()


def test_hup_puts_the_configuration_in_force_and_a_bad_one_leaves_the_old(host: Host) -> None:
    plugin = host.start()
    host.tell(plugin, 1)
    second = host.output.with_name("second.jsonl")
    host.configure(output=str(second))
    plugin.process.send_signal(signal.SIGHUP)
    until(lambda: host.said("HUP: configuration read"), "the reload")
    plugin.stdin.sendall(action(2))
    until(lambda: host.serials(second) == [2], "the other file")

    host.configure(outptu="/tmp/x")
    plugin.process.send_signal(signal.SIGHUP)
    until(lambda: host.said("unknown key 'outptu'; did you mean 'output'?"), "the complaint")
    plugin.stdin.sendall(action(3))
    until(lambda: host.serials(second) == [2, 3], "the same file")
    assert host.serials() == [1]
    plugin.end()


def test_hup_follows_a_rotated_output(host: Host) -> None:
    plugin = host.start()
    host.tell(plugin, 1)
    rotated = host.output.rename(host.output.with_suffix(".1"))
    plugin.process.send_signal(signal.SIGHUP)
    until(lambda: host.said("HUP"), "the reload")
    host.tell(plugin, 2)
    assert (host.serials(rotated), host.serials()) == ([1], [2])
    plugin.end()


@pytest.mark.parametrize("config", [None, "output: [", "sessions: some\n"])
def test_a_bad_configuration_is_complained_of_again_and_again_and_defaults_hold(
    host: Host, config: Optional[str]
) -> None:
    path = host.directory / "config.yaml"
    if config is None:
        path.unlink()
    else:
        path.write_text(config)
    plugin = host.start()
    plugin.stdin.sendall(action(1))
    until(lambda: host.serials(host.directory / "default.jsonl") == [1], "the default output")
    until(lambda: host.said("it is not in force"), "the complaint")
    host._said.clear()
    until(lambda: host.said("it is not in force"), "the next complaint")
    host.configure()
    plugin.process.send_signal(signal.SIGHUP)
    until(lambda: host.said("HUP"), "the reload")
    host.tell(plugin, 2)
    plugin.end()


def test_off_reads_and_writes_nothing(host: Host) -> None:
    host.configure(output="off")
    plugin = host.start()
    for serial in range(1, 2000):
        plugin.stdin.sendall(action(serial))
    plugin.end()
    assert not host.output.exists()


def test_stdin_is_read_while_nobody_reads_the_output(host: Host) -> None:
    host.output.parent.mkdir()
    os.mkfifo(host.output)
    plugin = host.start()
    plugin.stdin.settimeout(20)
    for first in range(0, 20_000, 1000):  # ten times what the socket holds
        plugin.stdin.sendall(b"".join(action(serial) for serial in range(first, first + 1000)))
    until(lambda: host.said("No such device or address; trying again"), "the complaint")
    plugin.end()
    assert host.said("bytes of documents unwritten")


def test_two_generations_do_not_mix(host: Host) -> None:
    old = host.start()
    host.tell(old, 1)
    new = host.start()
    new.stdin.sendall(action(2))
    host.tell(old, 3)
    assert host.serials() == [1, 3]
    old.end()
    until(lambda: host.serials() == [1, 3, 2], "the new one's turn")
    new.end()


def test_a_login_in_the_journal_names_the_session(host: Host) -> None:
    host.configure(trusted_cas=[CA], host="bastion")
    journal = Journal(host.directory / "journal")
    plugin = host.start()
    sender = {**SSHD, "_SYSTEMD_UNIT": "ssh.service", "_BOOT_ID": BOOT_ID}
    journal.write({**sender, "MESSAGE": ACCEPTED})
    plugin.stdin.sendall(login(1, pid=4711, ses=7) + action(2, ses=7))
    until(lambda: len(host.written()) >= 3, "three documents")
    found = host.written()
    assert [one["type"] for one in found] == ["UserLogin", "UserAction", "UserAction"]
    assert {one["subjects"]["userID"] for one in found} == {"alice@example.org"}
    assert {one["metadata"]["auditId"] for one in found[1:]} == {"7"}
    assert {one["target"]["host"] for one in found} == {"bastion"}
    assert found[0]["data"]["CATrust"] == "trusted"
    plugin.stdin.sendall(action(3, ses=7))
    until(lambda: len(host.written()) >= 4, "the next action, which waits for nothing")
    plugin.end()
    journal.close()


def test_a_login_just_before_the_start_names_a_session_just_after(host: Host) -> None:
    host.configure(trusted_cas=[CA])
    journal = Journal(host.directory / "journal")
    sender = {**SSHD, "_SYSTEMD_UNIT": "ssh.service", "_BOOT_ID": BOOT_ID}
    journal.write({**sender, "MESSAGE": ACCEPTED}, ago=2)
    journal.write({**sender, "MESSAGE": ACCEPTED.replace("alice", "bob"), "_PID": 5}, ago=2)
    plugin = host.start()
    plugin.stdin.sendall(login(1, pid=4711, ses=7))
    until(lambda: len(host.written()) >= 2, "two documents")
    assert [one["subjects"]["userID"] for one in host.written()] == ["alice@example.org"] * 2
    plugin.end()
    assert len(host.written()) == 2  # the other login was no news of ours
    journal.close()


def test_what_is_held_at_the_end_of_stdin_goes_out_named_at_the_next_start(host: Host) -> None:
    host.configure(trusted_cas=[CA])
    journal = Journal(host.directory / "journal")
    plugin = host.start()
    host.tell(plugin, 1)
    journal.write({**SSHD, "_SYSTEMD_UNIT": "ssh.service", "_BOOT_ID": BOOT_ID, "MESSAGE": ACCEPTED})
    journal.settle(ACCEPTED)
    plugin.stdin.sendall(login(2, pid=4711, ses=7))
    plugin.end()
    assert len(host.written()) == 1
    plugin = host.start()
    until(lambda: len(host.written()) == 3, "the login and its LOGIN")
    plugin.end()
    assert [one["subjects"]["userID"] for one in host.written()][1:] == ["alice@example.org"] * 2
    journal.close()


def test_without_a_place_for_state_everything_is_told_at_the_end_of_stdin(host: Host) -> None:
    host.configure(trusted_cas=[CA], state_dir=str(host.directory / "syslog"))
    journal = Journal(host.directory / "journal")
    plugin = host.start()
    host.tell(plugin, 1)
    journal.write({**SSHD, "_SYSTEMD_UNIT": "ssh.service", "_BOOT_ID": BOOT_ID, "MESSAGE": ACCEPTED})
    journal.settle(ACCEPTED)
    plugin.stdin.sendall(login(2, pid=4711, ses=7))
    plugin.end()
    assert [one["subjects"]["userID"] for one in host.written()][1:] == ["alice@example.org"] * 2
    journal.close()


def test_imitations_of_sshd_name_nobody_and_are_said(host: Host) -> None:
    host.configure(trusted_cas=[CA])
    journal = Journal(host.directory / "journal")
    plugin = host.start()
    fake = {**SSHD, "_UID": 1000, "_EXE": "/usr/bin/logger", "_BOOT_ID": BOOT_ID, "MESSAGE": ACCEPTED}
    journal.write(fake)
    plugin.stdin.sendall(login(1, pid=4711, ses=7))
    until(lambda: host.said("uid 1000"), "the notice")
    until(host.written, "the nameless login")
    plugin.end()
    assert {one["subjects"]["userID"] for one in host.written()} == {"unknown"}
    journal.close()


def test_a_mistake_of_ours_is_heard_of(host: Host) -> None:
    plugin = host.start(BREAK)
    assert plugin.wait() == 1
    assert host.said("ended by ZeroDivisionError at <string>:6: 'by\\na stranger'")
