# SPDX-License-Identifier: Apache-2.0
"""Recorded journals; the live one is in test_follower."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audisp_maldito import journal
from audisp_maldito.errors import InputError
from audisp_maldito.model import Boot, SshdEntry

from . import journalfile
from .journalfile import BOOT, SSHD

ROOT = Path(__file__).parent.parent
OTHER_BOOT = "f" * 32


def jsonl(path: Path, *entries: Any) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


def shown(**fields: Any) -> dict[str, Any]:
    """An entry of sshd as `journalctl -o json` writes it."""
    texts = {name: str(value) for name, value in SSHD.items()}
    return {**texts, "__REALTIME_TIMESTAMP": "1000", "_BOOT_ID": BOOT, "MESSAGE": "text", **fields}


def only(recording: journal.Recording) -> SshdEntry:
    (entry,) = recording.entries
    return entry


def test_a_line_of_journalctl_becomes_an_entry(tmp_path: Path) -> None:
    line = shown(
        _SOURCE_REALTIME_TIMESTAMP="999",
        _SYSTEMD_UNIT="ssh.service",
        _AUDIT_SESSION="7",
        _HOSTNAME="h",
        _MACHINE_ID="m",
    )
    recording = journal.recorded([jsonl(tmp_path / "j", line)])
    assert only(recording) == SshdEntry(
        pid=4711, time_us=999, message="text", size=4, uid=0, exe="/usr/sbin/sshd", unit="ssh.service",
        transport="syslog", identifier="sshd", audit_session=7, boot_id=BOOT, host="h", machine_id="m",
    )  # fmt: skip
    assert recording[1:] == ([Boot(1000, BOOT)], "h", "m", True, 0)


@pytest.mark.parametrize(
    ("value", "message", "size"),
    [
        ("Accepted", "Accepted", 8),
        ("ü", "ü", 2),
        ([65, 10, 66], "A\nB", 3),
        ([255, 254], None, 2),
        (None, None, journal.NOT_SHOWN),
        (["one", "two"], None, 0),
        ([[65], [66]], None, 0),
        ([], None, 0),
        ([True, 65], None, 0),
        ([-1], None, 0),
        (5, None, 0),
        ({}, None, 0),
    ],
)
def test_a_message_is_text_or_nothing(tmp_path: Path, value: Any, message: Any, size: int) -> None:
    entry = only(journal.recorded([jsonl(tmp_path / "j", shown(MESSAGE=value))]))
    assert (entry.message, entry.size) == (message, size)


@pytest.mark.parametrize("value", [None, "", "-1", "1.5", "x", "9" * 21, "٣", ["1", "2"], 5, [49]])
def test_a_number_is_decimal_or_absent(tmp_path: Path, value: Any) -> None:
    assert only(journal.recorded([jsonl(tmp_path / "j", shown(_PID=value))])).pid is None


def test_fields_may_be_missing(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "j", {"SYSLOG_IDENTIFIER": "sshd-session"})
    assert only(journal.recorded([path])) == SshdEntry(None, 0, None, identifier="sshd-session")


def test_line_breaks_are_marked(tmp_path: Path) -> None:
    assert only(journal.recorded([jsonl(tmp_path / "j", shown(_LINE_BREAK="nul"))])).line_break


def test_what_is_no_object_is_counted_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'\n[1]\n"a"\nnull\n{\n\xff\xd8\xff\n' + b"[" * 100_000 + b"\n" + json.dumps(shown()).encode())
    recording = journal.recorded([str(path)])
    assert only(recording).message == "text"
    assert recording.rejected == 5


def test_other_programs_and_the_audit_transport_are_left_out_but_say_of_boots_and_units(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "j",
        {"_TRANSPORT": "kernel", "__REALTIME_TIMESTAMP": "5", "_BOOT_ID": OTHER_BOOT},
        {"SYSLOG_IDENTIFIER": "cron", "__REALTIME_TIMESTAMP": "4", "_BOOT_ID": BOOT, "_SYSTEMD_UNIT": "cron.service"},
        {"SYSLOG_IDENTIFIER": "cron", "__REALTIME_TIMESTAMP": "3", "_BOOT_ID": BOOT, "_HOSTNAME": "h"},
        shown(_TRANSPORT="audit"),
    )
    assert journal.recorded([path]) == ([], [Boot(3, BOOT), Boot(5, OTHER_BOOT)], "h", None, True, 0)


def test_imitations_are_entries_too(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "j", shown(_UID="1000", _EXE="/usr/bin/logger"))
    assert only(journal.recorded([path])).uid == 1000


def test_several_inputs_are_one(tmp_path: Path) -> None:
    paths = [jsonl(tmp_path / name, shown(_PID=name)) for name in "12"]
    assert [entry.pid for entry in journal.recorded(paths).entries] == [1, 2]


@pytest.mark.parametrize("form", ["file", "directory"])
def test_a_journal_file_says_the_same_as_its_json(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.journal"
    fields = [
        {**SSHD, "MESSAGE": "one", "_SYSTEMD_UNIT": "ssh.service", "_HOSTNAME": "h", "_MACHINE_ID": "m"},
        {**SSHD, "MESSAGE": b"a\nb", "_SOURCE_REALTIME_TIMESTAMP": 5, "_LINE_BREAK": "eof"},
        {**SSHD, "MESSAGE": b"\xff", "_AUDIT_SESSION": 3},
        {"SYSLOG_IDENTIFIER": "cron", "MESSAGE": "no"},
        {**SSHD, "_TRANSPORT": "audit", "MESSAGE": "no"},
        {**SSHD, "_UID": 1000, "_EXE": "/tmp/ü", "MESSAGE": "x" * 600},
        {**SSHD, "_BOOT_ID": OTHER_BOOT, "MESSAGE": "another boot", "SYSLOG_IDENTIFIER": "sshd-session"},
    ]
    stamped = enumerate(fields, start=1)
    journalfile.write(path, [journalfile.entry(one, number * 10**15, number * 10**6) for number, one in stamped])
    command = ["journalctl", "--all", "-o", "json", f"--file={path}"]
    (tmp_path / "json").write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    recording = journal.recorded([str(path if form == "file" else tmp_path)])
    assert recording == journal.recorded([str(tmp_path / "json")])
    assert [entry.message for entry in recording.entries] == ["one", "a\nb", None, "x" * 600, "another boot"]
    assert recording.boots == [Boot(10**15, BOOT), Boot(7 * 10**15, OTHER_BOOT)]
    assert (recording.host, recording.machine_id, recording.has_units) == ("h", "m", True)


def test_a_message_in_journalds_own_protocol_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    journalfile.write(path, [journalfile.entry({**SSHD, "_TRANSPORT": "journal", "MESSAGE": ["one", "two"]})])
    assert only(journal.recorded([str(path)])).message is None


@pytest.mark.parametrize("content", [None, b"LPKSHHRH", b"LPKSHHRH" + b"\xff" * 10_000])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "x.journal"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*x\.journal: "):
        journal.recorded([str(path)])


@pytest.mark.parametrize("content", [None, b"LPKSHHRH" + b"\xff" * 10_000])
def test_a_directory_without_a_readable_journal_is_named(tmp_path: Path, content: Any) -> None:
    """libsystemd opens it all the same, and has no entries."""
    if content is not None:
        (tmp_path / "x.journal").write_bytes(content)
    with pytest.raises(InputError, match="no readable journal in it"):
        journal.recorded([str(tmp_path)])


WEIGH = """
import resource, sys
from audisp_maldito import journal
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
journal.recorded([sys.argv[1]])
before = peak()
entries = journal.recorded([sys.argv[2]]).entries
print(len(entries), peak() - before)
"""


def test_an_entry_of_two_hundred_large_fields_costs_no_memory(tmp_path: Path) -> None:
    small, large = tmp_path / "small.journal", tmp_path / "large.journal"
    journalfile.write(small, [journalfile.entry({**SSHD, "MESSAGE": "x"})])
    bomb: dict[str, journalfile.Value] = {f"FIELD_{number}": os.urandom(30_000).hex() for number in range(200)}
    entries = [journalfile.entry({**SSHD, **bomb, "MESSAGE": "x" * 60_000, "N": number}) for number in range(10)]
    journalfile.write(large, entries)
    command = [sys.executable, "-c", WEIGH, small, large]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    count, kilobytes = map(int, run.stdout.split())
    assert count == 10
    assert kilobytes < 4096  # python-systemd's whole entries took 24 MB for one
