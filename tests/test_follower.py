# SPDX-License-Identifier: Apache-2.0
"""The live journal: a directory that is written to while it is followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from audisp_maldito import follower
from audisp_maldito import imitations as imitations_module
from audisp_maldito.diagnostics import Log
from audisp_maldito.follower import Follower, Found, ReadToEnd
from audisp_maldito.imitations import Imitated
from audisp_maldito.model import SshdEntry

from .journalfile import BOOT, SSHD, Journal
from .stack.waiting import until

FAKE = {
    "_UID": 1000,
    "_EXE": "/usr/bin/logger",
    "_TRANSPORT": "syslog",
    "SYSLOG_IDENTIFIER": "sshd",
    "MESSAGE": "Accepted password for core from 192.0.2.1 port 5 ssh2",
}


class Reader:
    """A follower, and what it has found until now."""

    def __init__(self, directory: Path) -> None:
        self._woken = threading.Event()
        log = Log(time.monotonic, "/nonexistent")
        self.follower = Follower(
            frozenset(["/usr/sbin/sshd"]), BOOT, log, time.monotonic, self._woken.set, str(directory)
        )
        self.found: list[Found] = []

    def await_(self, condition: Callable[[list[Found]], object], what: str) -> None:
        """Take what is found, only ever after having been woken, until the condition holds."""

        def look() -> object:
            if self._woken.wait(0.02):
                self._woken.clear()
                self.found += self.follower.take()
            return condition(self.found)

        until(look, what)

    @property
    def messages(self) -> list[str]:
        return [one.message or "" for one in self.found if isinstance(one, SshdEntry)]

    def read(self, *messages: str) -> None:
        """Wait until exactly these were found."""
        self.await_(lambda _: len(self.messages) >= len(messages), f"{messages}")
        assert self.messages == list(messages)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Journal]:
    directory = Journal(tmp_path / "journal")
    yield directory
    directory.close()


@pytest.fixture
def follow(live: Journal) -> Iterator[Callable[[], Reader]]:
    readers: list[Reader] = []

    def start() -> Reader:
        readers.append(Reader(live.directory))
        return readers[-1]

    yield start
    for reader in readers:
        reader.follower.close()
        reader.follower._thread.join(10)
        assert not reader.follower._thread.is_alive()


def test_entries_come_as_they_are_written(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    for text in ("one", "two", "three"):
        live.write({**SSHD, "MESSAGE": text})
        reader.await_(lambda _, text=text: text in reader.messages, text)
    assert reader.messages == ["one", "two", "three"]
    assert not any(one.past for one in reader.found if isinstance(one, SshdEntry))


def test_the_minute_before_the_start_is_read_as_past(live: Journal, follow: Callable[[], Reader]) -> None:
    live.write({**SSHD, "MESSAGE": "too long ago"}, ago=follower.BEFORE_START + 30)
    live.write({**SSHD, "MESSAGE": "another boot", "_BOOT_ID": "f" * 32}, ago=20)
    live.write({**SSHD, "MESSAGE": "just before"}, ago=10)
    reader = follow()
    reader.read("just before")
    live.write({**SSHD, "MESSAGE": "now"})
    reader.read("just before", "now")
    assert [one.past for one in reader.found if isinstance(one, SshdEntry)] == [True, False]


def test_only_roots_entries_of_an_sshd_or_under_its_name_are_read(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    live.write({**SSHD, "MESSAGE": "a user's", "_UID": 1000})
    live.write({**SSHD, "MESSAGE": "audit", "_TRANSPORT": "audit"})
    live.write({**SSHD, "MESSAGE": "cron", "SYSLOG_IDENTIFIER": "cron", "_EXE": "/usr/sbin/cron"})
    live.write({**SSHD, "MESSAGE": "by its path", "SYSLOG_IDENTIFIER": "other"})
    live.write({**SSHD, "MESSAGE": "by its name", "_EXE": "/tmp/sshd"})
    reader.read("by its path", "by its name")


def test_asked_it_reads_to_the_end_and_says_from_when(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    live.write({**SSHD, "MESSAGE": "one"})
    before = time.monotonic()
    reader.follower.ask()
    reader.await_(lambda found: any(isinstance(one, ReadToEnd) for one in found), "the answer")
    (answer,) = [one for one in reader.found if isinstance(one, ReadToEnd)]
    assert before <= answer.at <= time.monotonic()


def test_what_was_there_when_asked_comes_before_the_answer(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    for number in range(30):
        live.write({**SSHD, "MESSAGE": str(number)})
        live.settle(str(number))
        reader.follower.ask()
        reader.await_(lambda found: found and isinstance(found[-1], ReadToEnd), "the answer")
        assert reader.messages == [str(before) for before in range(number + 1)]
        reader.found = [one for one in reader.found if isinstance(one, SshdEntry)]


def test_another_file_is_followed_without_loss_or_repetition(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    texts: list[str] = []
    for generation in range(4):
        for number in range(3):
            texts.append(f"{generation}.{number}")
            live.write({**SSHD, "MESSAGE": texts[-1]})
        reader.read(*texts)
        live.rotate()


def test_a_vacuumed_file_takes_nothing_with_it_that_was_not_in_it(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    live.write({**SSHD, "MESSAGE": "one"})
    reader.read("one")
    old = live.file
    live.rotate()
    old.unlink()
    live.write({**SSHD, "MESSAGE": "two"})
    reader.read("one", "two")


def test_a_flood_waits_in_the_journal(
    live: Journal, follow: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "FOUND_LIMIT", 10)
    reader = follow()
    for number in range(300):
        live.write({**SSHD, "MESSAGE": str(number)})
    most = 0

    def look(_: object) -> bool:
        nonlocal most
        most = max(most, len(reader.follower._found))
        return len(reader.messages) == 300

    reader.await_(look, "all of it")
    assert reader.messages == [str(number) for number in range(300)]
    assert most <= 10


def imitations(reader: Reader) -> dict[tuple[object, object], int]:
    counts: dict[tuple[object, object], int] = {}
    for one in reader.found:
        if isinstance(one, Imitated):
            counts[one.uid, one.exe] = counts.get((one.uid, one.exe), 0) + one.entries
    return counts


def test_imitations_are_counted_by_whom(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    for _ in range(3):
        live.write(FAKE)
    live.write({name: value for name, value in FAKE.items() if name != "_EXE"})
    live.write({**FAKE, "_EXE": b"/tmp/\xff\n" + b"x" * 1000})
    live.write({**FAKE, "_EXE": "/usr/sbin/sshd"})  # sshd's own child of the user
    live.write(
        {**FAKE, "_EXE": None, "MESSAGE": "Disconnected from user core 192.0.2.1 port 5"}
    )  # the same, gone since
    reader.await_(lambda _: sum(imitations(reader).values()) >= 5, "the counts")
    odd = b"/tmp/\xff\n".decode("utf-8", "replace") + "x" * 93
    assert imitations(reader) == {(1000, "/usr/bin/logger"): 3, (1000, None): 1, (1000, odd): 1}
    assert reader.messages == []


def test_a_flood_of_imitations_is_counted_in_part(
    live: Journal, follow: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imitations_module, "LOOKED_AT", 5)
    monkeypatch.setattr(follower, "SIDE_SECONDS", 0.05)
    reader = follow()
    for uid in range(1000, 1200):
        live.write({**FAKE, "_UID": uid})
    live.write({**SSHD, "MESSAGE": "behind them"})
    reader.read("behind them")

    def one_after(_: object) -> bool:
        live.write({**FAKE, "_UID": 7})
        return (7, "/usr/bin/logger") in imitations(reader)

    reader.await_(one_after, "one after the flood")
    assert sum(count for (uid, _), count in imitations(reader).items() if uid != 7) < 200


def test_other_programs_may_be_believed_from_now_on(live: Journal, follow: Callable[[], Reader]) -> None:
    reader = follow()
    other = {**SSHD, "_EXE": "/opt/sshd", "SYSLOG_IDENTIFIER": "x"}
    live.write({**SSHD, "MESSAGE": "one"})
    live.write({**other, "MESSAGE": "not yet"})
    reader.read("one")
    reader.follower.believe(frozenset(["/opt/sshd"]))
    live.write({**other, "MESSAGE": "two"})
    reader.await_(lambda _: "two" in reader.messages, "the other's")


def test_a_journal_that_cannot_be_opened_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.02)
    reader = Reader(tmp_path / "journal")
    late = Journal(tmp_path / "journal")
    late.write({**SSHD, "MESSAGE": "one"})
    reader.read("one")
    reader.follower.close()
    late.close()
