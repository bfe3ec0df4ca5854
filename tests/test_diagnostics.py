# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from audisp_maldito import diagnostics
from audisp_maldito.diagnostics import ERROR, Log, quote


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.setblocking(False)
        yield receiver


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    log = Log(clock, str(tmp_path / "log"))
    yield log
    log.close()


def received(syslog: socket.socket) -> list[str]:
    lines = []
    with suppress(BlockingIOError):
        while True:
            lines.append(syslog.recv(65536).decode())
    return lines


def test_a_message_is_a_syslog_datagram(log: Log, syslog: socket.socket) -> None:
    log.say("disk full", priority=ERROR)
    assert received(syslog) == [f"<27>audisp-maldito[{os.getpid()}]: disk full"]


def test_a_subject_is_spoken_of_once_a_minute(log: Log, syslog: socket.socket, clock: Clock) -> None:
    for _ in range(5):
        log.say("disk full", about="disk")
    log.say("journal gone", about="journal")
    clock.now += 60
    log.say("disk full", about="disk")
    texts = [line.split(": ", 1)[1] for line in received(syslog)]
    assert texts == ["disk full", "journal gone", "disk full (4 more in the minutes before)"]


def test_subjects_are_bounded(log: Log, syslog: socket.socket) -> None:
    for number in range(10 * diagnostics.SUBJECTS_LIMIT):
        log.say("forged", about=f"uid {number}")
        received(syslog)
    assert len(log._said) == diagnostics.SUBJECTS_LIMIT


def test_what_cannot_be_sent_is_kept_and_sent_later(log: Log, tmp_path: Path) -> None:
    for number in range(diagnostics.KEPT_MESSAGES + 1):
        log.say(f"early {number}")
    assert log.waiting
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as late:
        late.bind(str(tmp_path / "log"))
        late.setblocking(False)
        kept = []
        while log.waiting:
            log.retry()
            kept += received(late)
    assert [line.split(": ")[1] for line in kept] == [f"early {n}" for n in range(1, diagnostics.KEPT_MESSAGES + 1)]


def test_a_log_that_nobody_reads_holds_nobody_up(log: Log, syslog: socket.socket) -> None:
    for number in range(10_000):
        log.say(f"line {number}")
    assert log.waiting


def test_a_restarted_journald_is_found_again(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "log"
    for text in ("one", "two"):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(path))
            receiver.setblocking(False)
            log.say(text)
            log.retry()
            assert [line.split(": ")[1] for line in received(receiver)] == [text]


def test_strangers_texts_are_cut_and_cannot_break_the_line(log: Log, syslog: socket.socket) -> None:
    log.say("program " + quote("/tmp/\n<0>kernel: \udcff\x1b[2Jü" + "x" * 1000))
    (line,) = received(syslog)
    assert line.split(": ", 1)[1].startswith("program '/tmp/\\n<0>kernel: \\xff\\x1b[2J\\xc3\\xbcxxx")
    assert len(line) < 250
    log.say("and\nif " + "\x00" * 5000)
    (line,) = received(syslog)
    assert line.isprintable()
    assert len(line) <= diagnostics.MESSAGE_BYTES + 50
