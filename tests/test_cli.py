# SPDX-License-Identifier: Apache-2.0
"""The command line as somebody on call meets it: a real process, its exit code, an error that says where and what."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

from audisp_maldito import __version__, cli

from . import documents

ROOT = Path(__file__).parents[1]
BOOKWORM = ROOT / "tests" / "corpus" / "hosts" / "bookworm"
AUDIT, JOURNAL = BOOKWORM / "36-cert-sudo.audit.log", BOOKWORM / "36-cert-sudo.journal.json"
PARSED = [
    "id", "time", "node", "type", "records", "session", "auid", "action", "how", "object", "result", "process", "user",
    "syscall", "arch", "exit", "key", "paths", "socket", "warnings",
]  # fmt: skip


def maldito(*arguments: object, given: Optional[bytes] = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "audisp_maldito", *map(str, arguments)]
    return subprocess.run(command, input=given or b"", capture_output=True, cwd=ROOT, check=False, timeout=60)


def said(process: subprocess.CompletedProcess[bytes]) -> str:
    """What an operator reads, and no traceback."""
    text = process.stderr.decode()
    assert "Traceback" not in text
    return text


# Words about itself


def test_version() -> None:
    assert maldito("--version").stdout.decode() == f"audisp-maldito {__version__}\n"


def test_help_has_examples() -> None:
    """Every example in the help is a command line that the parser takes."""
    text = maldito("--help").stdout.decode()
    examples = [line.strip() for line in text.partition("examples:")[2].splitlines() if line.startswith("    ")]

    assert len(examples) >= 4
    for example in examples:
        arguments = shlex.split(example.rpartition("maldito ")[2])
        assert cli._parser().parse_args(arguments).run


@pytest.mark.parametrize("command", ["plugin", "replay", "parse", "check-config"])
def test_help_of_commands(command: str) -> None:
    process = maldito(command, "--help")

    assert process.returncode == 0
    assert command in process.stdout.decode()


@pytest.mark.parametrize(
    "arguments", [[], ["frobnicate"], ["replay", "--frobnicate"], ["replay"], ["check-config", "a", "b"]]
)
def test_usage_errors(arguments: list[str]) -> None:
    """Exit code 2, and what is wrong."""
    process = maldito(*arguments)

    assert process.returncode == 2
    assert said(process).strip()


# replay


def test_replay(tmp_path: Path) -> None:
    """Documents to a file that is replaced; host and machine id are the journal's."""
    output = tmp_path / "out.jsonl"
    output.write_text("what was there before")
    process = maldito("replay", "--audit", AUDIT, "--journal", JOURNAL, "--output", output)

    written = documents.read_all(output.read_bytes().splitlines())
    fields = json.loads(JOURNAL.read_text().splitlines()[0])
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")
    assert {d["subjects"]["userID"] for d in written if d["type"] == "UserAction"} == {"alice@example.org"}
    assert written[0]["target"] == {"host": fields["_HOSTNAME"], "machine-id": fields["_MACHINE_ID"]}


def test_replay_new_output(tmp_path: Path) -> None:
    """What people did is not for everybody to read."""
    output = tmp_path / "out.jsonl"
    maldito("replay", "--audit", AUDIT, "--output", output)

    assert output.stat().st_mode & 0o777 == 0o640


def test_replay_twice_gives_the_same_bytes() -> None:
    """Law 8: nothing depends on when or where it is read."""
    once, again = (maldito("replay", "--audit", AUDIT, "--journal", JOURNAL).stdout for _ in range(2))

    assert once == again != b""


def test_replay_from_stdin() -> None:
    process = maldito("replay", "--audit", "-", "--journal", JOURNAL, "--output", "-", given=AUDIT.read_bytes())

    assert process.stdout == maldito("replay", "--audit", AUDIT, "--journal", JOURNAL).stdout


def test_replay_host_and_machine() -> None:
    """Said on the command line, else node=, else unknown."""

    def target(*arguments: object, given: bytes) -> dict[str, str]:
        first = maldito("replay", *arguments, given=given).stdout.splitlines()[0]
        found: dict[str, str] = json.loads(first)["target"]
        return found

    named = b"".join(b"node=web7 " + line for line in AUDIT.read_bytes().splitlines(keepends=True))
    assert target("--audit", "-", "--host", "h", "--machine-id", "m", given=named) == {"host": "h", "machine-id": "m"}
    assert target("--audit", "-", given=AUDIT.read_bytes()) == {"host": "unknown", "machine-id": "unknown"}


def test_replay_node_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(b"node=web7 " + line for line in AUDIT.read_bytes().splitlines(keepends=True)))

    assert json.loads(maldito("replay", "--audit", path).stdout.splitlines()[0])["target"]["host"] == "web7"


def test_replay_trusted_ca() -> None:
    """Without one nobody checks; with a strange one nobody is named."""
    login = json.loads(maldito("replay", "--audit", AUDIT, "--journal", JOURNAL).stdout.splitlines()[0])
    strange = "SHA256:" + "A" * 43
    distrusted = maldito("replay", "--audit", AUDIT, "--journal", JOURNAL, "--trusted-ca", strange).stdout.splitlines()
    trusted = maldito(
        "replay",
        "--audit",
        AUDIT,
        "--journal",
        JOURNAL,
        "--trusted-ca",
        strange,
        "--trusted-ca",
        login["data"]["CA"].split()[2],
    ).stdout.splitlines()

    assert (login["data"]["CATrust"], login["subjects"]["userID"]) == ("unchecked", "alice@example.org")
    assert {json.loads(line)["subjects"]["userID"] for line in distrusted} == {"unknown"}
    assert json.loads(trusted[0])["data"]["CATrust"] == "trusted"


def test_replay_bad_fingerprint() -> None:
    process = maldito("replay", "--audit", AUDIT, "--trusted-ca", "SHA256:short")

    assert process.returncode == 2
    assert "--trusted-ca" in said(process) and "ssh-keygen" in said(process)


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("--audit", "/nonexistent/x.log"),
        ("--journal", "/nonexistent/x.log"),
        ("--sshd-log", "/nonexistent/x.log"),
        ("--audit", "/"),
        ("--sshd-log", "/"),
    ],
)
def test_replay_unreadable_input(option: str, path: str) -> None:
    """Exit code 1, the file's name, the reason."""
    process = maldito("replay", option, path)

    assert process.returncode == 1
    assert path in said(process)


def test_replay_unwritable_output() -> None:
    process = maldito("replay", "--audit", AUDIT, "--output", "/nonexistent/out.jsonl")

    assert process.returncode == 2
    assert "/nonexistent/out.jsonl" in said(process)


def test_replay_reader_goes_away() -> None:
    """`| head` is no error."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "audisp_maldito", "replay", "--audit", str(AUDIT), "--journal", str(JOURNAL)]
    process = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write)

    assert (process.returncode, process.stderr) == (0, b"")


def test_replay_config(tmp_path: Path) -> None:
    """Sessions, host and trust of a file; a mistake in it is named by file, line and key."""
    config = tmp_path / "config.yaml"
    config.write_text("host: of-config\nsessions: ssh\n")
    found = maldito("replay", "--audit", AUDIT, "--journal", JOURNAL, "--config", config).stdout.splitlines()
    config.write_text("host: of-config\nsesions: ssh\n")
    process = maldito("replay", "--audit", AUDIT, "--config", config)

    assert json.loads(found[0])["target"]["host"] == "of-config"
    assert not any(json.loads(line)["type"] == "SystemAction" for line in found)
    assert process.returncode == 2
    assert f"{config}:2" in said(process) and "'sesions'" in said(process) and "'sessions'" in said(process)


def test_replay_says_what_it_did_not_believe(tmp_path: Path) -> None:
    """Forgeries and lines that are no records are counted on stderr; the exit code is 0."""
    entry = json.loads(next(line for line in JOURNAL.read_text().splitlines() if "Accepted" in line))
    journal = tmp_path / "journal.json"
    journal.write_text(json.dumps({**entry, "_UID": "1000"}) + "\nnot JSON\n[1]\n")
    process = maldito("replay", "--journal", journal, "--audit", "-", given=b"type=LOGIN\n\n")

    assert process.returncode == 0
    assert "1 journal entries imitate sshd" in said(process)
    assert "2 lines of the journal are no JSON objects" in said(process)
    assert "lines are no audit records" in said(process)


def test_replay_sshd_log_and_journal() -> None:
    """One proves nothing and would make the other worthless."""
    process = maldito("replay", "--sshd-log", "/dev/null", "--journal", JOURNAL)

    assert process.returncode == 2
    assert "--sshd-log" in said(process)


def test_equal_lines_of_an_sshd_log_are_different_events(tmp_path: Path) -> None:
    """Without time only their place tells them apart; replayed again they are the same."""
    log = tmp_path / "sshd.log"
    lines = (
        "Failed password for bob from 192.0.2.7 port 5 ssh2",
        "Accepted password for bob from 192.0.2.7 port 5 ssh2",
    )
    log.write_text("".join(f"7 {line}\n" for line in lines * 2))
    written = [maldito("replay", "--sshd-log", log, "--sshd-log", log).stdout for _ in range(2)]
    found = documents.read_all(written[0].splitlines())

    assert written[0] == written[1]
    assert len({document["metadata"]["extra"]["eventId"] for document in found}) == 8


@pytest.mark.parametrize(("stamp", "shown"), [("", ".000"), (".5", ".500"), (".0412", ".041")])
def test_the_example_shows_milliseconds(stamp: str, shown: str) -> None:
    """The documents' times have no zeros at their end; a table has."""
    program = ROOT / "examples" / "two-people" / "show.py"
    document = {
        "type": "UserLogout", "loggedAt": f"2026-11-20T10:00:00{stamp}Z", "outcome": "succeeded", "metadata": {},
        "subjects": {"userID": "alice", "loggedAs": "core"},
    }  # fmt: skip
    process = subprocess.run(
        [sys.executable, program], input=json.dumps(document).encode(), capture_output=True, check=True
    )
    assert process.stdout.decode().startswith(f"10:00:00{shown} alice as core")


def test_replay_reads_nothing_of_this_host() -> None:
    """A recording says the same wherever it is replayed: no file of /etc, /proc, /run or /var is opened."""
    program = """
import sys
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
from audisp_maldito import cli
before = len(opened)
cli.main(sys.argv[1:])
print("\\n".join(opened), file=sys.stderr)
"""
    arguments = ["replay", "--audit", str(AUDIT), "--journal", str(JOURNAL)]
    process = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, cwd=ROOT, check=True)
    opened = process.stderr.decode().splitlines()

    assert str(AUDIT) in opened
    assert [path for path in opened if path.startswith(("/etc", "/proc", "/run", "/var", "/root", "/home"))] == []


# parse


def test_parse_prints_every_event_once() -> None:
    """SSH or not, with all its keys, in the order of the log."""
    process = maldito("parse", AUDIT)
    printed = [json.loads(line) for line in process.stdout.splitlines()]
    stamps = dict.fromkeys(
        line.partition(b"audit(")[2].partition(b")")[0].decode() for line in AUDIT.read_bytes().splitlines()
    )

    assert (process.returncode, process.stderr) == (0, b"")
    assert [event["id"] for event in printed] == list(stamps)
    for event in printed:
        assert [key for key in event if key in PARSED] == PARSED
        assert set(event["object"]) == {"type", "primary", "secondary"}
        assert {"pid", "ppid", "exe", "comm", "args", "cwd", "tty", "title"} <= set(event["process"])
        assert event["result"] in ("success", "fail", None)


def test_parse_stdin_and_several_files() -> None:
    """A file's last line is its own, newline or not."""
    data = AUDIT.read_bytes()
    whole = maldito("parse", given=data).stdout

    assert whole == maldito("parse", AUDIT).stdout == maldito("parse", "-", given=data.rstrip(b"\n")).stdout
    assert maldito("parse", AUDIT, BOOKWORM / "01-cert-login.audit.log").stdout.startswith(whole)


def jpeg() -> bytes:
    noise = random.Random(7)
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + noise.randbytes(200_000) + b"\xff\xd9"


INPUTS: dict[str, Any] = {
    "jpeg": jpeg(),
    "ls": Path("/bin/ls").read_bytes(),
    "empty": b"",
    "newlines": b"\n" * 5000,
    "nuls": bytes(100_000),
    "no-newline": b"type=LOGIN msg=audit(1.000:1): pid=1",
    "long-line": b"type=LOGIN msg=audit(1.000:1): " + b"x" * 500_000,
    "utf-16": "type=LOGIN msg=audit(1.000:1): pid=1\n".encode("utf-16"),
    "huge-numbers": b"type=LOGIN msg=audit(99999999999999999999.999:99999999999): pid=" + b"9" * 5000 + b"\n",
    "python": Path(__file__).read_bytes(),
}


@pytest.mark.parametrize("name", INPUTS)
def test_parse_never_fails(name: str, tmp_path: Path) -> None:
    """Whatever the file is: exit code 0, JSON on stdout, and on stderr how many lines were refused and why."""
    path = tmp_path / name
    path.write_bytes(INPUTS[name])
    process = maldito("parse", path)

    assert process.returncode == 0
    for line in process.stdout.splitlines():
        json.loads(line)
    if INPUTS[name].count(b"\n") > len(process.stdout.splitlines()):
        assert "lines are no audit records" in said(process)


@pytest.mark.parametrize("name", INPUTS)
def test_replay_never_fails(name: str, tmp_path: Path) -> None:
    """The same files as any of the three inputs."""
    path = tmp_path / name
    path.write_bytes(INPUTS[name])

    for option in ("--audit", "--journal", "--sshd-log"):
        process = maldito("replay", option, path)
        assert process.returncode == 0, process.stderr
        said(process)
        documents.read_all(process.stdout.splitlines())


def test_parse_missing_file() -> None:
    process = maldito("parse", AUDIT, "/nonexistent/audit.log")

    assert process.returncode == 1
    assert "/nonexistent/audit.log" in said(process)


# check-config


def test_check_config(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("output: /tmp/out.jsonl\n")
    good = maldito("check-config", path)
    path.write_text("\n\noutptu: /tmp/out.jsonl\n")
    bad = maldito("check-config", path)
    missing = maldito("check-config", tmp_path / "none.yaml")

    assert (good.returncode, bad.returncode, missing.returncode) == (0, 2, 2)
    assert f"{path}:3" in said(bad) and "did you mean 'output'" in said(bad)
    assert "none.yaml" in said(missing)
