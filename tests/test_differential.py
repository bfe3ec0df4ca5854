# SPDX-License-Identifier: Apache-2.0
"""Against audit-userspace's own programs on the same logs: ausearch's normalised events and libauparse's field values.

Each difference is listed here with its reason; anything else is a failure of ours (or news about theirs).
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest

from audisp_maldito import normalize
from audisp_maldito.model import Action
from tests.events import events, recordings
from tests.test_names import OTHERWISE

auparse = pytest.importorskip("auparse", reason="python3-audit is not installed: there is nothing to compare with")

NO_WORD = {"triggered-audit-rule", "triggered-unknown-audit-rule", "did-unknown", ""}
# Ours and theirs, where both have a word. Those of go-libaudit stand above audit-userspace's: consumers match on them.
ACTIONS = {
    # audit-userspace 3.0 shows the operation itself.
    ("changed-audit-configuration", "set"),
    ("changed-audit-configuration", "add_rule"),
    ("changed-audit-configuration", "remove_rule"),
    ("changed-audit-configuration", "autoremove_rule"),
    ("changed-audit-configuration", "tty_set"),
    # The word depends on more than what was done.
    ("allocated-memory", "allocated-memory-in"),
    ("make-device", "made-character-device"),
    ("killed-pid", "killed-list-of-pids"),
    ("changed-promiscuous-mode-on-device", "entered-promiscuous-mode-on-device"),
    # go-libaudit's word.
    ("error", "caused-account-error"),
    ("violated-seccomp-policy", "called-seccomp-controlled-syscall"),
    ("used-suspicious-link", "used-suspcious-link"),
    # libauparse 3.0 does not know Landlock's records and takes the call beside them.
    ("violated-landlock-policy", "opened-file"),
}
# Type, and the two results.
RESULTS = {
    # A filter's verdict is no result of the call; it is in details.code.
    ("SECCOMP", None, "fail"),
    # libauparse 3.0 does not normalise io_uring.
    ("URINGOP", "success", None),
}
PROGRAM = shutil.which("ausearch", path="/usr/sbin:/sbin")


def ours(path: Path) -> dict[str, Action]:
    return {f"{done.time_ms}:{done.serial}": done for done in map(normalize.action, events(path.read_bytes()))}


def theirs(path: Path) -> list[dict[str, str]]:
    command = [str(PROGRAM), "-if", str(path), "--format", "csv", "--extra-time"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "replace").splitlines()
    # ausearch writes a control character of an object as it is: only whole lines are looked at.
    return [row for row in csv.DictReader(lines) if row["SERIAL_NUM"] and row["SERIAL_NUM"].isdigit()]


@pytest.fixture(params=recordings(), ids=lambda path: f"{path.parent.name}/{path.name}")
def log(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.mark.skipif(PROGRAM is None, reason="ausearch is not installed: there is nothing to compare with")
def test_ausearch_tells_the_same(log: Path) -> None:
    by_serial: dict[int, Action] = {done.serial: done for done in ours(log).values()}
    rows = theirs(log)
    assert {int(row["SERIAL_NUM"]) for row in rows} == set(by_serial)
    for row in rows:
        done = by_serial[int(row["SERIAL_NUM"])]
        if done.type == "URINGOP":
            continue
        session = row["SESSION"] if row["SESSION"] not in ("unset", "") else None
        assert (None if done.session is None else str(done.session)) == session, row
        result = {"success": "success", "failed": "fail", "": None}[row["RESULT"]]
        assert done.result == result or (done.type, done.result, result) in RESULTS, row
        if done.account is not None and done.type == "SYSCALL":
            assert row["SUBJ_PRIME"] == done.account, row
        split_in_two = done.type == "LOGIN" and row["EVENT"] == "SYSCALL"  # by audit 3.0
        same = done.action == row["ACTION"] or row["ACTION"] in NO_WORD or (done.action, row["ACTION"]) in ACTIONS
        assert same or split_in_two, row


def values(parser: Any) -> list[tuple[str, str]]:
    """All fields of the record at hand, as libauparse reads them."""
    found = []
    more = parser.first_field()
    while more:
        try:
            found.append((parser.get_field_name(), parser.interpret_field()))
        except UnicodeDecodeError:  # python3-audit has no way to say what is no UTF-8
            found.append((parser.get_field_name(), parser.get_field_str()))
        more = parser.next_field()
    return found


def type_name(parser: Any) -> str:
    try:
        return str(parser.get_type_name())
    except LookupError:  # newer than libauparse
        return ""


def records(path: Path) -> list[tuple[str, str, dict[str, str]]]:
    """(event, type, fields) of every record, as libauparse reads them."""
    parser = auparse.AuParser(auparse.AUSOURCE_FILE, str(path))
    parser.set_escape_mode(auparse.AUPARSE_ESC_RAW)
    found = []
    while parser.parse_next_event():
        stamp = parser.get_timestamp()
        event = f"{stamp.sec * 1000 + stamp.milli}:{stamp.serial}"
        more = parser.first_record()
        while more:
            found.append((event, type_name(parser), dict(values(parser))))
            more = parser.next_record()
    return found


def test_libauparse_reads_the_same(log: Path) -> None:
    """Numbers, names and strings of the records that tell of processes."""
    found = ours(log)
    for event, kind, fields in records(log):
        done = found[event]
        if kind == "SYSCALL":
            call = fields["syscall"].partition("(")[0]
            assert done.syscall == call or (done.syscall, call) in OTHERWISE or call.startswith("unknown"), fields
            assert str(done.pid) == fields["pid"]
            assert (done.exe, done.comm) == (fields["exe"], fields["comm"])
            assert done.errno == _errno(fields.get("exit"))
        elif kind == "EXECVE" and "argc" in fields and f"a{len(done.args) - 1}" in fields:
            same = [theirs for n, theirs in enumerate(done.args) if theirs.isprintable()]
            assert same == [fields[f"a{n}"] for n, theirs in enumerate(done.args) if theirs.isprintable()]
        elif kind == "CWD":
            assert done.cwd == fields["cwd"]


def _errno(text: Optional[str]) -> Optional[str]:
    name = (text or "").partition("(")[0]
    return name if name.startswith("E") else None
