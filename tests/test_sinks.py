# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from audisp_maldito import sinks
from audisp_maldito.diagnostics import Log
from audisp_maldito.lock import Lock
from audisp_maldito.sinks import Sink

from .stack.waiting import until

ROOT = Path(__file__).parent.parent

HOLDER = """
import sys
from audisp_maldito.lock import Lock
print(Lock(sys.argv[1]).take(), flush=True)
sys.stdin.read()
"""

Open = Callable[..., Sink]


class Said(Log):
    """Our own log, kept."""

    def __init__(self) -> None:
        super().__init__(time.monotonic, "/nonexistent")
        self.lines: list[str] = []

    def say(self, text: str, **_: object) -> None:
        self.lines.append(text)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def open_sink(tmp_path: Path, said: Said) -> Iterator[Open]:
    opened: list[Sink] = []
    lock = Lock(str(tmp_path / "state"))

    def start(path: Path, wake: Callable[[], None] = lambda: None, limit: int = sinks.QUEUE_BYTES) -> Sink:
        opened.append(Sink(str(path), lock, said, time.monotonic, wake, limit))
        return opened[-1]

    yield start
    for sink in opened:
        sink.close(5)
    lock.release()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "events.jsonl"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again at times is tried again soon."""
    monkeypatch.setattr(sinks, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(sinks, "LOOK_SECONDS", 0.0)


def holds(path: Path, text: bytes) -> None:
    until(lambda: path.exists() and path.read_bytes() == text, f"{text!r} in {path.name}")


def doc(number: int, size: int = 0) -> bytes:
    return b'{"metadata":{"extra":{"eventId":"%d.000:%d"}}%s}' % (number, number, b" " * size)


def test_documents_become_whole_lines_of_a_file_that_only_its_group_reads(open_sink: Open, file: Path) -> None:
    sink = open_sink(file)
    sink.put([b"one", b"two"])
    sink.put([])
    sink.put([b"three"])
    assert sink.close(5) == 0
    assert file.read_bytes() == b"one\ntwo\nthree\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o750


def test_an_existing_file_is_appended_to(open_sink: Open, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"before\n")
    open_sink(file).put([b"after"])
    holds(file, b"before\nafter\n")


def test_a_line_torn_by_an_earlier_process_is_ended_first(open_sink: Open, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"whole\ntor")
    open_sink(file).put([b"after"])
    holds(file, b"whole\ntor\nafter\n")


def test_nothing_is_written_when_the_output_is_off(open_sink: Open, file: Path, tmp_path: Path) -> None:
    sink = open_sink(Path("off"))
    sink.put([b"one"])
    assert sink.close(5) == 0
    assert not Path("off").exists()


def test_a_rotated_file_is_left_for_a_new_one(open_sink: Open, file: Path, impatient: None) -> None:
    sink = open_sink(file)
    sink.put([b"one"])
    holds(file, b"one\n")
    rotated = file.rename(file.with_suffix(".1"))
    sink.put([b"two"])
    holds(file, b"two\n")
    assert rotated.read_bytes() == b"one\n"


def test_a_batch_after_a_rename_is_in_the_new_file(open_sink: Open, file: Path) -> None:
    sink = open_sink(file)
    for number in range(10):
        sink.put([b"%d" % number])
        holds(file, b"%d\n" % number)
        file.rename(file.with_suffix(f".{number}"))


def test_all_directories_that_lead_there_are_made(open_sink: Open, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a" / "b" / "events.jsonl"
    open_sink(path).put([b"one"])
    holds(path, b"one\n")
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in path.parents[:3]} == {0o750}


def test_hup_looks_at_once_where_the_path_leads(open_sink: Open, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "LOOK_SECONDS", 1e9)
    sink = open_sink(file)
    sink.put([b"one"])
    holds(file, b"one\n")
    file.rename(file.with_suffix(".1"))
    sink.put([b"two"])
    holds(file.with_suffix(".1"), b"one\ntwo\n")
    sink.follow(str(file))
    sink.put([b"three"])
    holds(file, b"three\n")


def test_what_went_into_a_deleted_file_is_written_again(
    open_sink: Open, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "LOOK_SECONDS", 1e9)  # nobody looks at the path before the write
    sink = open_sink(file)
    sink.put([b"one"])
    holds(file, b"one\n")
    file.unlink()
    sink.put([b"two"])
    holds(file, b"two\n")


def test_a_deleted_directory_is_made_again(open_sink: Open, file: Path, impatient: None) -> None:
    sink = open_sink(file)
    sink.put([b"one"])
    holds(file, b"one\n")
    file.unlink()
    file.parent.rmdir()
    sink.put([b"two"])
    holds(file, b"two\n")


def test_a_truncated_file_goes_on_from_its_start(open_sink: Open, file: Path) -> None:
    sink = open_sink(file)
    sink.put([b"one"])
    holds(file, b"one\n")
    os.truncate(file, 0)
    sink.put([b"two"])
    holds(file, b"two\n")


@pytest.mark.parametrize("planted", ["link", "directory", "device"])
def test_nothing_else_than_a_file_or_pipe_is_written(
    open_sink: Open, file: Path, said: Said, impatient: None, planted: str
) -> None:
    file.parent.mkdir()
    target = file.with_name("target")
    target.write_bytes(b"")
    if planted == "link":
        file.symlink_to(target)
    elif planted == "directory":
        file.mkdir()
    else:
        file.symlink_to("/dev/full")
    sink = open_sink(file)
    sink.put([b"one"])
    until(lambda: said.lines, "a complaint")
    assert f"output {file}: " in said.lines[0]
    assert target.read_bytes() == b""
    if planted == "link":
        file.unlink()
        holds(file, b"one\n")
        until(lambda: "works again" in said.lines[-1], "the good news")


def test_a_full_disk_tears_no_line(open_sink: Open, file: Path, said: Said, impatient: None) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = open_sink(file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        sink.put([b"123456", b"abcdef"])
        holds(file, b"123456\nabc")
        sink.put([b"uvwxyz"])
        until(lambda: said.lines, "a complaint")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    holds(file, b"123456\nabcdef\nuvwxyz\n")


def test_a_line_begun_in_a_full_file_begins_anew_in_the_next(open_sink: Open, file: Path, impatient: None) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = open_sink(file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        sink.put([b"123456", b"abcdef"])
        holds(file, b"123456\nabc")
        file.rename(file.with_suffix(".1"))
        holds(file, b"abcdef\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_pipe_waits_for_a_reader_and_for_the_next(open_sink: Open, file: Path, said: Said, impatient: None) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    sink = open_sink(file)
    sink.put([b"one"])
    until(lambda: said.lines, "a complaint")
    for text in (b"one", b"two"):
        with open(file, "rb") as reader:
            assert reader.readline() == text + b"\n"
        sink.put([b"two"])


def test_a_pipes_new_reader_gets_whole_lines(open_sink: Open, file: Path, said: Said, impatient: None) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    sink = open_sink(file)
    long = b"x" * 100_000  # more than the pipe holds
    sink.put([long, b"two"])
    with open(file, "rb") as reader:
        assert reader.read(10) == b"x" * 10
    until(lambda: any("Broken pipe" in line for line in said.lines), "the writer to notice")
    with open(file, "rb") as reader:
        assert reader.readline() == long + b"\n"
        assert reader.readline() == b"two\n"


def test_what_is_too_much_for_the_queue_is_one_hole_that_is_told(open_sink: Open, file: Path, impatient: None) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    woken = threading.Event()
    size = len(doc(1)) + 1
    sink = open_sink(file, woken.set, size * 4)
    sink.put([doc(number) for number in range(1, 10)])
    sink.put([doc(10)])
    assert sink.lost() is None
    with open(file, "rb") as reader:
        for number in range(1, 5):
            assert reader.readline() == doc(number) + b"\n"
        assert woken.wait(10)
        lost = sink.lost()
        assert lost is not None
        assert lost[:3] == ("5.000:5", "10.000:10", 6)
        assert sink.lost() is None
        sink.put([doc(11)])
        assert reader.readline() == doc(11) + b"\n"


def test_a_stranger_cannot_write_an_event_id() -> None:
    hostile = b'{"x":"\\"eventId\\":\\"1.1:1\\"","eventId":"2.000:2"}'
    assert sinks.event_id(hostile) == "2.000:2"
    assert sinks.event_id(b"{}") is None


def test_two_instances_write_two_files(
    open_sink: Open, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said, impatient: None
) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"True\n"
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert stat.S_IMODE((state / "lock").stat().st_mode) == 0o600
        monkeypatch.setattr(sinks, "LOCK_PATIENCE", 0.3)
        sink = open_sink(file)
        sink.put([b"one"])
        assert not file.exists()
        holds(file.with_name("events.second.jsonl"), b"one\n")
        assert not file.exists()
        assert "another instance" in said.lines[0]
        other.stdin.close()
        other.wait()
        sink.put([b"two"])
        holds(file, b"two\n")
        assert file.with_name("events.second.jsonl").read_bytes() == b"one\n"


def test_an_earlier_generation_is_waited_for(open_sink: Open, file: Path, tmp_path: Path, impatient: None) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "state")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None and other.stdin is not None
        other.stdout.readline()
        sink = open_sink(file)
        sink.put([b"one"])
        other.stdin.close()
        other.wait()
        holds(file, b"one\n")
        assert not file.with_name("events.second.jsonl").exists()


def test_without_a_state_directory_the_output_is_written_all_the_same(file: Path, tmp_path: Path, said: Said) -> None:
    (tmp_path / "state").write_text("no directory")
    sink = Sink(str(file), Lock(str(tmp_path / "state")), said, time.monotonic, lambda: None)
    sink.put([b"one"])
    assert sink.close(5) == 0
    holds(file, b"one\n")
    assert "no lock file" in said.lines[0]


def test_closing_does_not_wait_for_an_output_that_fails(open_sink: Open, file: Path, said: Said) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    sink = open_sink(file)
    sink.put([b"one"])
    until(lambda: said.lines, "a complaint")
    before = time.monotonic()
    assert sink.close(5) == 4
    assert time.monotonic() - before < 1
