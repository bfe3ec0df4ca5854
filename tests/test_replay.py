# SPDX-License-Identifier: Apache-2.0
"""Two recorded streams merged on their own stamps, over restarts and reboots."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

import pytest

from audisp_maldito.model import Boot, SshdEntry
from audisp_maldito.replay import Replay, _Boots, chunks
from audisp_maldito.trust import Policy

from . import documents, records
from .sessions import entry

FIRST, SECOND = "1" * 32, "2" * 32
CRON = "/usr/sbin/cron"


def accepted(pid: int, person: str, time: float, boot_id: Optional[str] = None) -> SshdEntry:
    head = f"Accepted publickey for core from 192.0.2.7 port {pid} ssh2: ED25519-CERT SHA256:K"
    text = f"{head} ID {person} (serial 1) CA ED25519 SHA256:C"
    return entry(pid, time, message=text, size=len(text), boot_id=boot_id)


def stamp(time: float, serial: int) -> str:
    return f"{time:.3f}:{serial}"


def daemon_start(time: float, serial: int) -> list[str]:
    said = "op=start ver=3.0.9 auid=4294967295 pid=1 uid=0 ses=4294967295 res=success"
    return [f"type=DAEMON_START msg=audit({stamp(time, serial)}): {said}"]


def system_boot(time: float, serial: int) -> list[str]:
    said = "pid=1 uid=0 auid=4294967295 ses=4294967295 msg='comm=\"systemd-update-utmp\" res=success'"
    return [f"type=SYSTEM_BOOT msg=audit({stamp(time, serial)}): {said}"]


def execute(time: float, serial: int, ses: int = 5) -> list[str]:
    return records.execute(stamp(time, serial), 80, ses, ["ls"])


def login(time: float, serial: int, pid: int = 71, ses: int = 5, exe: str = records.SSHD) -> list[str]:
    return records.login(stamp(time, serial), pid, ses, exe=exe)


def replayed(events: Iterable[list[str]], entries: Iterable[SshdEntry] = (), boots: Iterable[Boot] = ()) -> list[Any]:
    replay = Replay(Policy(trusted_cas=None), list(boots))
    data = "".join(line + "\n" for lines in events for line in lines).encode()
    return [documents.read(line) for line in replay.documents([data], list(entries))]


def told(written: list[Any]) -> list[tuple[str, str, str]]:
    """(type, who, event)."""
    return [
        (d["type"], d["subjects"]["userID"], d["metadata"]["extra"]["eventId"].rpartition(":")[2][-4:]) for d in written
    ]


def test_streams_are_merged_by_time() -> None:
    """Journal and audit trail are read one after the other, and told as if both were read as they were written."""
    events = [login(1000, 1), execute(1000.5, 2), execute(1003, 3), login(1010, 4, 72, 6)]
    entries = [accepted(72, "bob", 1009.9), accepted(71, "alice", 999.9)]
    written = replayed(events, entries)

    who = [(d["type"], d["subjects"]["userID"]) for d in written]
    assert who == [("UserLogin", "alice"), *[("UserAction", "alice")] * 3, ("UserLogin", "bob"), ("UserAction", "bob")]
    assert [d["loggedAt"][-4:-1] for d in written] == ["9.9", ":40", "0.5", ":43", "9.9", ":50"]


def test_events_are_put_in_order() -> None:
    """They end in another order than they began; within two seconds that is put right."""
    events = [execute(1001.5, 9), execute(1000, 3), execute(1001.5, 8), execute(1004, 10), execute(1003, 11)]

    assert [event for _, _, event in told(replayed(events))] == ["3", "8", "9", "11", "10"]


def test_entries_before_and_after_the_audit_log() -> None:
    """A journal that covers more time than the audit log is read to its end."""
    entries = [accepted(60, "carol", 10.0), accepted(71, "alice", 999.9), accepted(73, "dave", 5000.0)]
    written = replayed([login(1000, 1)], entries)

    assert [(d["type"], d["subjects"]["userID"]) for d in written] == [
        ("UserLogin", "carol"), ("UserLogin", "alice"), ("UserAction", "alice"), ("UserLogin", "dave"),
    ]  # fmt: skip


def test_boots_of_the_journal() -> None:
    """pid 71 and session 5 are another login in each boot; the journal says when a boot began."""
    boots = [Boot(2_000_000_000, SECOND), Boot(1_000_000_000, FIRST)]
    entries = [accepted(71, "alice", 1001, FIRST), accepted(71, "bob", 2001, SECOND)]
    events = [login(1001.01, 700), execute(1002, 701), login(2001.01, 12), execute(2002, 13), execute(2003, 14)]
    written = replayed(events, entries, boots)

    assert [(d["subjects"]["userID"], d["metadata"]["extra"]["bootId"]) for d in written] == [("alice", FIRST)] * 3 + [
        ("bob", SECOND)
    ] * 4
    assert [d["metadata"]["extra"]["seq"] for d in written] == [1, 2, 3, 1, 2, 3, 4]


def test_session_of_the_boot_before() -> None:
    """After a reboot its number means nothing any more."""
    boots = [Boot(1_000_000_000, FIRST), Boot(2_000_000_000, SECOND)]
    written = replayed([login(1001, 700), execute(2001, 5)], [accepted(71, "alice", 1001, FIRST)], boots)

    assert told(written)[-1] == ("SystemAction", "unknown", "5")


@pytest.mark.parametrize(
    ("between", "splits"),
    [
        ([daemon_start(2000, 4711)], True),
        ([system_boot(2000, 3)], True),
        ([daemon_start(1999, 9000), system_boot(2000, 3)], True),
        ([], False),
    ],
)
def test_serials_that_fall_back(between: list[list[str]], splits: bool) -> None:
    """At a DAEMON_START or SYSTEM_BOOT that is a reboot; without one it is disorder."""
    written = replayed(
        [login(1000, 700), execute(1001, 701), *between, execute(2001, 5), execute(2002, 6)],
        [accepted(71, "alice", 1000)],
    )

    assert {who for _, who, event in told(written) if event in "56"} == {"unknown" if splits else "alice"}


@pytest.mark.parametrize("between", [[daemon_start(2000, 4711)], [daemon_start(2000, 1)], [system_boot(2000, 702)]])
def test_records_that_alone_split_nothing(between: list[list[str]]) -> None:
    """auditd restarted, its own random serials, a SYSTEM_BOOT that goes on counting."""
    written = replayed(
        [login(1000, 700), execute(1001, 701), *between, execute(2001, 703)], [accepted(71, "alice", 1000)]
    )

    assert told(written)[-1] == ("UserAction", "alice", "703")


def test_a_record_met_twice() -> None:
    """Rotated files that overlap."""
    events = [login(1000, 1), execute(1001, 2), login(1000, 1), execute(1001, 2), execute(1002, 3)]

    assert [event for kind, _, event in told(replayed(events)) if kind == "UserAction"] == ["1", "2", "3"]


def test_clock_that_steps_back() -> None:
    """Nothing is lost and nobody gets another's name; who logged in about then may stay unknown."""
    events = [login(5000, 1), execute(5001, 2), login(1000, 3, 72, 6), execute(1001, 4, 6), execute(1002, 5)]
    entries = [accepted(71, "alice", 4999.99), accepted(72, "bob", 999.99)]
    written = [one for one in told(replayed(events, entries)) if one[0].endswith("Action")]

    assert sorted(event for _, _, event in written) == ["1", "2", "3", "4", "5"]
    assert {who for _, who, event in written if event in "125"} <= {"alice", "unknown"}
    assert {who for _, who, event in written if event in "34"} <= {"bob", "unknown"}


def test_stats_are_summed_over_boots() -> None:
    replay = Replay(Policy(), [])
    events = [login(1000, 700), daemon_start(2000, 1), login(2001, 5)]
    list(replay.documents(["".join(line + "\n" for lines in events for line in lines).encode()], []))

    assert replay.stats()["sessions_ssh"] == 2
    assert replay.stats()["lines"] == 9


def test_files_are_one_stream(tmp_path: Path) -> None:
    """A file without a final newline does not swallow the next one's first line; an empty one is nothing."""
    for name, text in (("a", b"one\ntwo"), ("b", b""), ("c", b"three\n")):
        (tmp_path / name).write_bytes(text)
    paths = [str(tmp_path / name) for name in "abc"]

    assert b"".join(chunks(paths, lambda path: [Path(path).read_bytes()])) == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("size", [7, 500, 65536])
def test_chunks_of_any_size_give_the_same(size: int) -> None:
    """Law 1: an event that a chunk cuts in two is whole again when the next chunk comes, however much time it spans."""
    events = [login(1000, 1), execute(1003, 2), execute(1009, 3)]
    data = "".join(line + "\n" for lines in events for line in lines).encode()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    entries = [accepted(71, "alice", 999.9)]
    whole = list(Replay(Policy(trusted_cas=None), []).documents([data], entries))
    assert whole == list(Replay(Policy(trusted_cas=None), []).documents(pieces, entries))
    assert len(whole) == 4


def test_an_event_in_flight_when_auditd_restarts_is_no_reboot() -> None:
    """Its serial is lower than those before the restart, and so is its stamp."""
    events = [login(1000, 7), execute(1001, 9), daemon_start(1002, 4711), execute(1000.9, 8), execute(1003, 10)]
    assert {"alice"} == {who for _, who, _ in told(replayed(events, [accepted(71, "alice", 999.9)]))}


def test_many_boots_cost_little_each() -> None:
    """An event's boot is looked up, not looked for."""

    def seconds(count: int) -> float:
        boots = _Boots([Boot(number * 1000, str(number)) for number in range(count)])
        started = time.perf_counter()
        ranks = [boots.of_entry(entry(7, 0, boot_id=str(count - 1))) for _ in range(2000)]
        found = [boots._by_time(1000 * count - 1000 + n) for n in range(-1, 2000)]
        assert (set(ranks), found[:2]) == ({(count - 1, 0)}, [count - 2, count - 1])
        return time.perf_counter() - started

    few, many = min(seconds(10) for _ in range(3)), min(seconds(2000) for _ in range(3))
    assert many < 5 * few + 0.01


def test_untimed_lines_wait_for_a_login_of_any_time() -> None:
    """--sshd-log: no rule of time holds, and the audit trail's own times are of this century."""
    line = accepted(71, "alice", 0)
    replay = Replay(Policy(trusted_cas=None, untimed=True), [])
    data = "".join(text + "\n" for text in login(1_795_157_211, 1)).encode()
    written = [documents.read(one) for one in replay.documents([data], [], [line])]
    assert ["alice", "alice"] == [d["subjects"]["userID"] for d in written]


def test_the_node_is_the_host_where_nothing_else_names_it() -> None:
    data = "".join(f"node=vmx {text}\n" for text in login(1000, 1)).encode()
    written = [documents.read(one) for one in Replay(Policy(), []).documents([data], [])]
    assert {"vmx"} == {d["target"]["host"] for d in written}
