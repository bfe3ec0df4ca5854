# SPDX-License-Identifier: Apache-2.0
"""A large log of a busy host, made of the recordings in tests/corpus: what auditd would have written to a plugin.

    /usr/bin/python3 -m tests.bench.hostlog --records 1000000 --ssh 1.0 LOG

Sessions open first (LOGINS lines, whose end the sidecar file tells), then all of them act at once until the end: that is
a host with people logged in, and lets a plugin whose names come a second after a login be fed as fast as it can read.
Every event is unique: stamp, serial, pid, inode, and in every fourth execve a word of its own. The mix is in MIX: execve
with its six to nine records leads, then what the usual rule sets ask for (files, permissions, network, identity), the
user-space records of logins and sudo, and one in a thousand of everything else that was ever recorded. 3 in 100 events
are interleaved with the one after, one record in a thousand is an EXECVE with 2,000 to 7,000 hex digits.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests import variants

CORPUS = Path(__file__).parents[1] / "corpus"
EXAMPLE = Path(__file__).parents[2] / "examples" / "two-people" / "audit.log"
START_MS = 1_800_000_000_000
EVENTS_PER_SECOND = 1000
INTERLEAVED = 0.03
LONG_RECORDS = 0.001
UNSET = b"4294967295"
KEY_ID = "person{}@example.org"
CA = "SHA256:q0oQ6YyP5Zb7cQ2FQGdHk8mJv1lX9cWkF3yJ0Q3x9Lk"

USUAL = frozenset(
    [
        "open",
        "openat",
        "creat",
        "truncate",
        "ftruncate",
        "unlink",
        "unlinkat",
        "rename",
        "renameat",
        "renameat2",
        "mkdir",
        "mkdirat",
        "rmdir",
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "chmod",
        "fchmod",
        "fchmodat",
        "chown",
        "fchown",
        "fchownat",
        "lchown",
        "setxattr",
        "fsetxattr",
        "removexattr",
        "connect",
        "bind",
        "accept",
        "accept4",
        "socket",
        "kill",
        "ptrace",
        "setuid",
        "setgid",
        "setresuid",
        "setreuid",
        "mount",
        "umount2",
        "sethostname",
        "execveat",
        "memfd_create",
        "init_module",
        "finit_module",
        "delete_module",
    ]
)
"""The calls that the common rule sets (STIG, CIS, PCI, Neo23x0) ask for."""
MIX = {"session": 0.58, "example": 0.249, "sudo": 0.07, "usual": 0.10, "other": 0.001}
"""Recorded SSH sessions with an execve rule; the example's two people; sudo without one; deeds of USUAL; everything else
recorded."""

_STAMP = re.compile(rb"audit\((\d+\.\d+:\d+)\)")
_PID = re.compile(rb"(?<=[ =:])(p?pid)=(\d+)")
_SES = re.compile(rb" ses=\d+")
_INODE = re.compile(rb" inode=\d+")
_LAST_WORD = re.compile(rb' (a\d+)="([^" ]*)"$')


class Shape(NamedTuple):
    """A recorded event as bytes.__mod__ fills it."""

    text: bytes
    records: int
    call: str


def events(path: Path) -> list[list[bytes]]:
    """The lines of each event, in the order in which events ended."""
    found: dict[bytes, list[bytes]] = {}
    for line in variants.with_eoe(path.read_bytes().splitlines()):
        match = _STAMP.search(line)
        if match:
            found.setdefault(match[1], []).append(line)
    return list(found.values())


def shape(lines: list[bytes], unique: bool = False) -> Shape:
    """`unique`: the last plain argument of an execve gets a word more."""
    made = []
    for line in lines:
        line = line.replace(b"%", b"%%")
        line = _STAMP.sub(b"audit(%(stamp)s)", line)
        line = _PID.sub(
            lambda match: match[0] if len(match[2]) == 1 else match[1] + b"=%(" + match[1] + b")d", line, count=2
        )
        line = _SES.sub(b" ses=%(ses)d", line, count=1)
        line = _INODE.sub(b" inode=%(pid)d", line)
        if unique and line.startswith(b"type=EXECVE"):
            line = _LAST_WORD.sub(rb' \1="\2-%(word)x"', line)
        made.append(line + b"\n")
    call = re.search(rb" SYSCALL=(\w+)", lines[0]) if lines[0].startswith(b"type=SYSCALL") else None
    return Shape(b"".join(made), len(made), call[1].decode() if call else "")


def of_session(lines: list[bytes]) -> bool:
    """Is it an event within a session, neither its beginning nor its end?"""
    first = lines[0]
    ses = re.search(rb" ses=(\d+)", lines[1] if first.startswith(b"type=LOGIN") else first)
    return ses is not None and ses[1] != UNSET and not first.startswith((b"type=LOGIN", b"type=USER_END"))


class Shapes:
    """What is drawn from."""

    def __init__(self) -> None:
        hosts = sorted(CORPUS.glob("hosts/*/*.plugin.txt"))
        deeds = [lines for lines in events(CORPUS / "deeds" / "deeds.plugin.txt") if of_session(lines)]
        deeds = [lines for lines in deeds if lines[-1].startswith(b"type=EOE")]
        listed = {
            "session": [
                lines for path in hosts if "execve" in path.name for lines in events(path) if of_session(lines)
            ],
            "sudo": [lines for path in hosts if "sudo" in path.name for lines in events(path) if of_session(lines)],
            "example": [lines for lines in events(EXAMPLE) if of_session(lines)],
            "usual": [lines for lines in deeds if shape(lines).call in USUAL],
            "other": [lines for lines in deeds if shape(lines).call not in USUAL],
        }
        self.drawn = {
            name: [shape(lines, number % 4 == 0) for number, lines in enumerate(found)]
            for name, found in listed.items()
        }
        logins = [lines for lines in events(hosts[0]) if lines[0].startswith(b"type=LOGIN")]
        self.login = shape(logins[0])
        execve = next(lines for lines in listed["session"] if len(lines) > 4 and lines[1].startswith(b"type=EXECVE"))
        self.long = shape([*execve[:1], b'type=EXECVE msg=audit(1.000:1): argc=2 a0="sh" a1=LONG', *execve[2:]])


class HostLog:
    """Writes one log. `ssh`: which part of the sessions sshd opened; the others are console logins."""

    def __init__(self, records: int, ssh: float, sessions: int = 200, seed: int = 7) -> None:
        self.records, self.ssh, self.sessions = records, ssh, sessions
        self._chance = random.Random(seed)
        self._shapes = Shapes()
        self._serial = 1000
        self._time_ms = START_MS
        self.logins: list[tuple[int, int, int]] = []
        """(pid, ses, time in ms) of the sessions that sshd opened."""
        self.events = 0

    def opening(self) -> Iterator[bytes]:
        for number in range(self.sessions):
            pid, ses = 100_000 + 7 * number, 10 + number
            text = self._event(self._shapes.login, pid, ses)
            if number < self.sessions * self.ssh:
                self.logins.append((pid, ses, self._time_ms))
            else:
                text = text.replace(b'"/usr/sbin/sshd"', b'"/usr/bin/login"')
            yield text

    def body(self) -> Iterator[bytes]:
        names, weights = list(MIX), list(MIX.values())
        written, held, due = 0, b"", 1 / LONG_RECORDS
        while written < self.records:
            which = self._chance.choices(names, weights)[0]
            drawn = self._chance.choice(self._shapes.drawn[which])
            if written >= due:
                due += 1 / LONG_RECORDS
                drawn = self._shapes.long
            written += drawn.records
            text = self._event(drawn, 200_000 + self._serial % 3_000_000, 10 + self._chance.randrange(self.sessions))
            if drawn is self._shapes.long:
                digits = b"%02X" % self._chance.randrange(0x20, 0x7F) * self._chance.randrange(1000, 3500)
                text = text.replace(b"LONG", digits)
            if held:
                held, text = b"", interleaved(held, text)
            elif self._chance.random() < INTERLEAVED / 2:
                held = text
                continue
            yield text
        yield held

    def _event(self, drawn: Shape, pid: int, ses: int) -> bytes:
        self._serial += 1
        self._time_ms += 1000 // EVENTS_PER_SECOND
        self.events += 1
        stamp = b"%d.%03d:%d" % (*divmod(self._time_ms, 1000), self._serial)
        return drawn.text % {b"stamp": stamp, b"pid": pid, b"ppid": pid - 1, b"ses": ses, b"word": self._serial}


def interleaved(first: bytes, second: bytes) -> bytes:
    """The lines of two events, by turns."""
    left, right = first.splitlines(True), second.splitlines(True)
    mixed = [line for pair in zip(left, right) for line in pair]
    return b"".join(mixed + left[len(right) :] + right[len(left) :])


def acceptance(pid: int, person: str) -> str:
    return (
        f"Accepted publickey for core from 192.0.2.7 port {40000 + pid % 20000} ssh2: ED25519-CERT "
        f"SHA256:Zf3v5hH0mK2yJb7o3n9gq1T8xV4cW6dE0aR5sU7iP1k ID {person} (serial {pid}) CA ED25519 {CA}"
    )


def make(path: Path, records: int, ssh: float, sessions: int = 200) -> dict[str, object]:
    """The log at `path`, and beside it what is in it, as JSON. One that is there already is used again."""
    side = path.with_suffix(".json")
    wanted = [records, ssh, sessions, Path(__file__).stat().st_mtime_ns]
    if path.exists() and side.exists():
        known: dict[str, object] = json.loads(side.read_text())
        if known["wanted"] == wanted:
            return known
    log = HostLog(records, ssh, sessions)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.writelines(log.opening())
        opening = out.tell()
        out.writelines(log.body())
        size = out.tell()
    lines = path.read_bytes().count(b"\n")
    made: dict[str, object] = {
        "wanted": wanted, "opening": opening, "bytes": size, "records": lines, "events": log.events, "logins": log.logins,
    }  # fmt: skip
    side.write_text(json.dumps(made))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--ssh", type=float, default=1.0)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("log", type=Path)
    wanted = parser.parse_args()
    made = make(wanted.log, wanted.records, wanted.ssh, wanted.sessions)
    print({name: value for name, value in made.items() if name != "logins"})


if __name__ == "__main__":
    main()
