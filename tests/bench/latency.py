# SPDX-License-Identifier: Apache-2.0
"""How long the plugin takes, on the real stack: from a record on its stdin to the document in the file.

    /usr/bin/python3 -m tests.bench.latency [LOGINS]

Two numbers, since a new session waits on purpose until the journal has been read past its LOGIN. "bound": every event
of a session that has its name already, from its last record to its document. "first": from the LOGIN record to the
first document of its session. Start-up is from exec to the first byte taken from stdin; memory is the idle process's.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

from tests.stack.plugin import Plugin
from tests.stack.rig import Rig
from tests.stack.waiting import until

LOOK_S = 0.0002
"""How often the output is looked at: the resolution of what is measured."""
STARTS = 20
NOTHING: dict[str, str] = {}
"""The environment that auditd gives."""


class Watch(threading.Thread):
    """Notes when each document became readable in the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.seen: list[tuple[int, str, str]] = []
        self.enough = threading.Event()

    def run(self) -> None:
        until(self.path.exists, "the output file")
        rest = b""
        with self.path.open("rb") as lines:
            while not self.enough.wait(LOOK_S):
                now = time.monotonic_ns()
                *whole, rest = (rest + lines.read()).split(b"\n")
                for line in whole:
                    document = json.loads(line)
                    metadata = document["metadata"]
                    self.seen.append((now, metadata["auditId"], metadata["extra"]["eventId"]))


def start_up(plugin: Plugin) -> tuple[list[float], list[int]]:
    """Milliseconds from exec to reading stdin, and RssAnon (KiB) of the process then idle."""
    times, sizes = [], []
    for _ in range(STARTS):
        ours, its = socket.socketpair()
        ours.sendall(b"type=EOE msg=audit(1.000:1): \n")
        begun = time.monotonic()
        process = subprocess.Popen([str(plugin.launcher), str(plugin.config)], stdin=its.fileno(), env=NOTHING, cwd="/")
        its.close()
        while _unread(ours):
            select.select([], [], [], LOOK_S)
        times.append((time.monotonic() - begun) * 1000)
        sizes.append(_settled_memory(process.pid))
        ours.close()
        process.wait()
    return times, sizes


def _unread(ours: socket.socket) -> int:
    """Bytes that the other side has not taken yet."""
    answer = fcntl.ioctl(ours, termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def _settled_memory(pid: int) -> int:
    """RssAnon once it has stood still for a fifth of a second."""
    values = [-1]
    while len(values) < 10 or len(set(values[-10:])) > 1:
        text = Path(f"/proc/{pid}/status").read_text()
        values.append(int(text.partition("RssAnon:")[2].split()[0]))
        select.select([], [], [], 0.02)
    return values[-1]


def logins(rig: Rig, plugin: Plugin, number: int) -> tuple[list[float], list[float]]:
    """Milliseconds per event in bound sessions, and from LOGIN to the first document, over so many logins."""
    stamps = plugin.directory / "stamps"
    relay = plugin.directory / "relay"
    shutil.copyfile(Path(__file__).parents[1] / "stack" / "relay.py", relay)
    relay.chmod(0o755)
    rig.auditd.stop()
    rig.auditd.plugin("relay", relay, f"{plugin.config} {stamps}")
    rig.auditd.start()
    watch = Watch(plugin.output)
    watch.start()
    for _ in range(number):
        _visit(rig, plugin)
    watch.enough.set()
    watch.join()
    rig.auditd.stop()
    return _evaluate(stamps.read_text(), watch.seen)


def _visit(rig: Rig, plugin: Plugin) -> None:
    visitor = rig.person("alice@example.org")
    process = rig.sshd.open(rig.core.name, "exec /bin/sh", visitor)
    # The session is bound once its LOGIN is told; what follows is then not held.
    ses = rig.session(visitor)
    until(lambda: plugin.of_session(ses), "the first document")
    process.communicate("id; ls /; uname\n", timeout=20)
    plugin.actions(ses)


def _evaluate(stamps: str, seen: list[tuple[int, str, str]]) -> tuple[list[float], list[float]]:
    given: dict[str, int] = {}
    opened: dict[str, int] = {}
    for line in stamps.splitlines():
        at, kind, event = line.split()
        if kind != "EOE":
            given[event] = int(at)
        if kind == "LOGIN":
            opened[event] = int(at)
    first: dict[str, tuple[int, int]] = {}
    bound = []
    for written, session, event in seen:
        if event not in given:
            continue
        if event in opened:
            first[session] = (written, opened[event])
        elif session in first and given[event] > first[session][0]:
            bound.append((written - given[event]) / 1e6)
    return bound, [(written - login) / 1e6 for written, login in first.values()]


def report(name: str, values: list[float], unit: str) -> None:
    middle, worst = statistics.median(values), max(values)
    print(f"{name:32} n={len(values):5}  median {middle:9.2f} {unit}  worst {worst:9.2f} {unit}")


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with Rig() as rig:
        plugin = Plugin(rig, "bench")
        bound, first = logins(rig, plugin, number)
        times, sizes = start_up(plugin)
    print(f"on {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    report("bound: record -> document", bound, "ms")
    report("first: LOGIN -> document", first, "ms")
    report("start-up: exec -> reads stdin", times, "ms")
    report("idle RssAnon", [float(size) for size in sizes], "KiB")


if __name__ == "__main__":
    main()
