# SPDX-License-Identifier: Apache-2.0
"""The assembler by itself: what completes an event, what is handed out, and where the limits lie."""

from __future__ import annotations

import pytest

from audisp_maldito._native import Assembler, Event

KEEPS = ("all", "sessions", "watched")


def line(type: str, serial: int, body: str = "x=1", ms: int = 5_000) -> bytes:
    return f"type={type} msg=audit({ms // 1000}.{ms % 1000:03}:{serial}): {body}\n".encode()


def types(event: Event) -> list[str]:
    return [record.type for record in event.records]


def ids(events: list[Event]) -> list[int]:
    return [event.serial for event in events]


def fed(*lines: bytes, keep: str = "all") -> list[Event]:
    return Assembler(keep=keep).feed(b"".join(lines), 0.0)


@pytest.mark.parametrize("last", ["PROCTITLE", "EOE"])
def test_last_record_completes(last: str) -> None:
    assembler = Assembler()
    assert assembler.feed(line("SYSCALL", 1) + line("CWD", 1), 0.0) == []
    (event,) = assembler.feed(line(last, 1), 0.0)
    assert not event.incomplete
    assert assembler.stats()["in_flight"] == 0


@pytest.mark.parametrize("type",
    ["USER", "UNKNOWN[1007]", "USER_AUTH", "USER_LOGIN", "UNKNOWN[1150]", "DAEMON_END", "UNKNOWN[1299]", "KERNEL",
     "ANOM_LOGIN_FAILURES", "CRYPTO_SESSION", "UNKNOWN[2999]", "UNKNOWN[65535]"],
)  # fmt: skip
def test_types_that_come_alone(type: str) -> None:
    """A process's and auditd's own records are events at once: no EOE follows them."""
    (event,) = fed(line(type, 1))
    assert not event.incomplete


@pytest.mark.parametrize("type",
    ["LOGIN", "UNKNOWN[1004]", "CONFIG_CHANGE", "TTY", "AVC", "BPRM_FCAPS", "EVENT_LISTENER", "MAC_UNLBL_ALLOW",
     "UNKNOWN[1301]", "UNKNOWN[1999]", "UNKNOWN[2099]", "NEW_ONE"],
)  # fmt: skip
def test_types_that_may_have_company(type: str) -> None:
    """The kernel's other records wait for a SYSCALL, also those that often come alone."""
    assert fed(line(type, 1)) == []
    (event,) = fed(line(type, 1), line("SYSCALL", 1), line("PROCTITLE", 1))
    assert types(event) == [type, "SYSCALL", "PROCTITLE"]


def test_process_record_joins_an_event_in_flight() -> None:
    """Some kernels give a process's message the id of its sendto()."""
    (event,) = fed(line("SYSCALL", 1), line("SERVICE_START", 1))
    assert types(event) == ["SYSCALL", "SERVICE_START"]


def test_stream_time_closes() -> None:
    """An event is closed when the stream's stamps are 2 s past its first record's arrival, by any record."""
    assembler = Assembler()
    assembler.feed(line("LOGIN", 1, ms=10_000), 0.0)
    assert assembler.feed(line("USER_ACCT", 2, ms=11_999), 0.0)[0].serial == 2
    first, second = assembler.feed(line("USER_ACCT", 3, ms=12_000), 0.0)
    assert (1, True) == (first.serial, first.incomplete)
    assert (3, False) == (second.serial, second.incomplete)
    assert assembler.stats()["events_expired"] == 1


def test_stream_time_that_falls_back_closes_nothing() -> None:
    """The clock was set back: what is in flight waits for the stream to catch up, or for the caller's clock."""
    assembler = Assembler()
    assembler.feed(line("LOGIN", 1, ms=10_000_000), 0.0)
    assembler.feed(line("LOGIN", 2, ms=5_000), 1.0)
    assert assembler.feed(line("USER_ACCT", 3, ms=9_000), 1.0)[0].serial == 3
    assert ids(assembler.expire(2.0)) == [1]
    assert ids(assembler.expire(3.0)) == [2]


def test_callers_clock_closes() -> None:
    """A quiet stream: 2 s of the caller's clock after the first record, however many follow."""
    assembler = Assembler()
    assert assembler.deadline() is None
    assembler.feed(line("LOGIN", 1), 100.0)
    assembler.feed(line("SYSCALL", 1), 101.5)
    assert assembler.deadline() == 102.0
    assert assembler.expire(101.9) == []
    (event,) = assembler.expire(102.0)
    assert types(event) == ["LOGIN", "SYSCALL"]
    assert event.incomplete
    assert assembler.deadline() is None


def test_close_is_the_end_of_input() -> None:
    """The last line needs no newline, and nothing stays in flight; the assembler can go on."""
    assembler = Assembler()
    assembler.feed(line("SYSCALL", 1) + line("SYSCALL", 2) + line("PROCTITLE", 2)[:-1], 0.0)
    assert [(2, False), (1, True)] == [(event.serial, event.incomplete) for event in assembler.close()]
    assert assembler.close() == []
    assert ids(assembler.feed(line("USER_END", 3), 0.0)) == [3]


def test_late_records_are_handed_out_by_themselves() -> None:
    """What the event lacks is told as what it is; what it has is the same event read twice."""
    assembler = Assembler()
    assembler.feed(line("SYSCALL", 1, " ses=5") + line("PROCTITLE", 1), 0.0)
    events = assembler.feed(line("EOE", 1) + line("CWD", 1) + line("USER_END", 1) + line("CWD", 1), 0.0)
    assert [(event.serial, types(event), event.late, event.session) for event in events] == [
        (1, ["CWD"], True, 5),
        (1, ["USER_END"], True, 5),
    ]
    stats = assembler.stats()
    assert (1, 2, 1) == (stats["records_eoe"], stats["records_late"], stats["records_repeated"])
    assert stats["events_emitted"] == 1
    assert assembler.close() == []


def test_late_records_of_unwatched_sessions_are_not() -> None:
    """They are counted."""
    assembler = Assembler(keep="watched")
    assembler.watch(6)
    for serial, ses in ((1, 5), (2, 6)):
        assembler.feed(line("SYSCALL", serial, f" ses={ses}") + line("PROCTITLE", serial), 0.0)
    assert ids(assembler.feed(line("CWD", 1) + line("CWD", 2), 0.0)) == [2]
    assert assembler.stats()["records_late"] == 2


def test_closed_events_are_remembered_up_to_a_number() -> None:
    """The oldest is forgotten first."""
    assembler = Assembler(closed=2)
    assembler.feed(line("USER_END", 1) + line("USER_END", 2), 0.0)
    assert assembler.feed(line("USER_END", 1), 0.0) == []
    assert ids(assembler.feed(line("USER_END", 3) + line("USER_END", 1), 0.0)) == [3, 1]
    assert assembler.feed(line("USER_END", 3), 0.0) == []


def test_in_flight_limit_completes_the_oldest() -> None:
    assembler = Assembler(in_flight=2)
    events = assembler.feed(b"".join(line("SYSCALL", serial) for serial in (1, 2, 3)), 0.0)
    assert [(1, True)] == [(event.serial, event.incomplete) for event in events]
    assert (2, 1) == (assembler.stats()["in_flight"], assembler.stats()["events_limited"])
    assert ids(assembler.feed(line("USER_END", 4), 0.0)) == [4], "what comes alone needs no room"


def test_limit_of_records() -> None:
    """16,384 records, then the event is told and what comes still is counted."""
    assembler = Assembler()
    (event,) = assembler.feed(line("PATH", 1) * 16_400 + line("EOE", 1), 0.0)
    assert len(event.records) == 16_384
    assert event.incomplete
    assert assembler.stats()["records_repeated"] == 16


def test_limit_of_bytes() -> None:
    """A 2 MB command line of blanks and quotes is 4 MB of hex and fits; 16 MiB are the end."""
    assembler = Assembler()
    argument = "a0=" + "20" * 30_000
    (event,) = assembler.feed(line("EXECVE", 1, argument) * 70 + line("EOE", 1), 0.0)
    assert not event.incomplete
    assert len(argument) * 70 == event.size
    (event,) = assembler.feed(line("EXECVE", 2, argument) * 300 + line("EOE", 2), 0.0)
    assert event.incomplete
    assert (16 << 20) - len(argument) < event.size <= 16 << 20


@pytest.mark.parametrize("keep", KEEPS)
def test_limit_of_bytes_in_flight(keep: str) -> None:
    """32 MiB over all events: the oldest go first, wanted or not."""
    assembler = Assembler(keep=keep)
    text = "ses=5 a0=" + "20" * 30_000
    emitted = 0
    for serial in range(1000):
        emitted += len(assembler.feed(line("SYSCALL", serial, text), 0.0))
        assert assembler.stats()["in_flight_bytes"] <= 32 << 20
    in_flight = (32 << 20) // len(text)
    assert in_flight == assembler.stats()["in_flight"]
    assert 1000 - in_flight == assembler.stats()["events_limited"]
    assert (0 if keep == "watched" else 1000 - in_flight) == emitted


def test_several_events_make_room_for_one() -> None:
    """As many of the oldest go as it takes."""
    assembler = Assembler()
    small = b"".join(line("SYSCALL", serial) for serial in range(2000))
    big = b"".join(line("EXECVE", 5000 + serial, "a0=" + "20" * 32_000) for serial in range(600))
    assembler.feed(small + big, 0.0)
    assert (31 << 20) < assembler.stats()["in_flight_bytes"] <= 32 << 20


def test_long_lines_are_refused_whole() -> None:
    """Whatever the pieces, one line is one refusal, and the next line is read."""
    assembler = Assembler()
    long = line("PATH", 1, "a" * 70_000)
    events = [event for i in range(0, len(long), 999) for event in assembler.feed(long[i : i + 999], 0.0)]
    events += assembler.feed(line("USER_END", 2), 0.0)
    assert ids(events) == [2]
    assert (2, 1) == (assembler.stats()["lines"], assembler.stats()["rejected_too_long"])
    assert [("too_long", long[:200])] == [tuple(sample) for sample in assembler.rejected()]


def test_samples_of_refused_lines() -> None:
    """The first eight since the last call, cut to 200 bytes; blank ones are only counted."""
    assembler = Assembler()
    assembler.feed(b"\n" + b"".join(b"%d%s\n" % (i, b"x" * 300) for i in range(10)), 0.0)
    samples = assembler.rejected()
    assert [b"%d%s" % (i, b"x" * 199) for i in range(8)] == [sample.line for sample in samples]
    assert {"no_type"} == {sample.reason for sample in samples}
    assert assembler.rejected() == []
    assert (11, 1, 10) == tuple(assembler.stats()[name] for name in ("rejected", "rejected_blank", "rejected_no_type"))


def test_keep_sessions() -> None:
    """Events of any session, and what attribution needs; of an unset session nothing else."""
    assembler = Assembler(keep="sessions")
    events = assembler.feed(
        line("USER_START", 1, "ses=4")
        + line("USER_START", 2, "ses=4294967295")
        + line("USER_START", 3, "pid=1")
        + line("USER_AUTH", 4, "ses=4294967295")
        + line("DAEMON_START", 5)
        + line("SYSTEM_BOOT", 6, "ses=4294967295")
        + line("CRYPTO_KEY_USER", 7, "ses=4294967295")
        + line("CRYPTO_SESSION", 8, "ses=4294967295"),
        0.0,
    )
    assert ids(events) == [1, 4, 5, 6, 7, 8]
    assert assembler.stats()["events_unwatched"] == 2


def test_keep_watched() -> None:
    assembler = Assembler(keep="watched")
    assembler.watch(4)
    assembler.watch(4294967295)
    events = assembler.feed(
        line("USER_START", 1, "ses=4") + line("USER_START", 2, "ses=5") + line("USER_START", 3, "ses=4294967295"), 0.0
    )
    assert ids(events) == [1]
    assembler.forget(4)
    assembler.forget(6)
    assert assembler.feed(line("USER_END", 4, "ses=4"), 0.0) == []
    assert assembler.stats()["watched"] == 0


def test_login_watches_its_own_session() -> None:
    """The session's next events may be in the same buffer."""
    events = fed(
        line("LOGIN", 1, "pid=1 uid=0 old-ses=4294967295 ses=9 res=1"),
        line("SYSCALL", 1, "ses=9"),
        line("PROCTITLE", 1),
        line("SYSCALL", 2, "ses=9"),
        line("PROCTITLE", 2),
        line("SYSCALL", 3, "ses=8"),
        line("PROCTITLE", 3),
        keep="watched",
    )
    assert [(1, ["LOGIN", "SYSCALL", "PROCTITLE"]), (2, ["SYSCALL", "PROCTITLE"])] == [
        (event.serial, types(event)) for event in events
    ]


def test_syscall_decides_over_earlier_records() -> None:
    """What comes before SYSCALL is kept until SYSCALL tells the session."""
    assembler = Assembler(keep="watched")
    assembler.watch(4)
    events = assembler.feed(
        line("AVC", 1, "ses=5") + line("SYSCALL", 1, "ses=4") + line("EOE", 1)
        + line("AVC", 2, "ses=4") + line("SYSCALL", 2, "ses=5") + line("PATH", 2) + line("EOE", 2)
        + line("AVC", 3, "ses=4") + line("CWD", 3) + line("EOE", 3),
        0.0,
    )  # fmt: skip
    assert [(1, 4, ["AVC", "SYSCALL"]), (3, 4, ["AVC", "CWD"])] == [
        (event.serial, event.session, types(event)) for event in events
    ]
    assert assembler.stats()["events_unwatched"] == 1


def test_event_is_decided_with_its_syscall() -> None:
    """Watching or forgetting a session between two records of one event changes nothing for that event."""
    assembler = Assembler(keep="watched")
    assembler.watch(4)
    assembler.feed(line("SYSCALL", 1, "ses=4") + line("SYSCALL", 2, "ses=5"), 0.0)
    assembler.forget(4)
    assembler.watch(5)
    assert ids(assembler.feed(line("EOE", 1) + line("EOE", 2), 0.0)) == [1]


def test_login_behind_its_syscall() -> None:
    """The kernel doesn't do this; if a stream does, the LOGIN is told, and that something is missing."""
    (event,) = fed(line("SYSCALL", 1, "ses=9"), line("LOGIN", 1, "ses=9"), line("EOE", 1), keep="watched")
    assert types(event) == ["LOGIN"]
    assert event.incomplete


def test_unwatched_events_have_records_and_no_bytes() -> None:
    """Limits count what the stream has in flight, copied or not."""
    assembler = Assembler(keep="watched")
    assembler.feed(line("SYSCALL", 1, "ses=4") + line("CWD", 1, "cwd=/"), 0.0)
    assert assembler.stats()["in_flight_bytes"] == len("ses=4") + len("cwd=/")
    assert assembler.close() == []
    assert (2, 1, 1) == tuple(
        assembler.stats()[name] for name in ("records_assembled", "events_unwatched", "events_incomplete")
    )


def test_forgetting_sessions_leaves_the_others() -> None:
    """Whatever their number and the order in which they go."""
    assembler = Assembler(keep="watched")
    for ses in range(3000):
        assembler.watch(ses)
    for ses in range(0, 3000, 3):
        assembler.forget(ses)
    events = assembler.feed(b"".join(line("USER_END", ses, f"ses={ses}") for ses in range(3000)), 0.0)
    assert [ses for ses in range(3000) if ses % 3] == ids(events)


def test_many_watched_sessions() -> None:
    """The set answers rightly while it fits; when it overflows it says yes, never a wrong no."""
    assembler = Assembler(keep="watched")
    for ses in range(0, 262_144, 2):
        assembler.watch(ses)
    assert assembler.stats()["watched"] == 131_072
    assert ids(assembler.feed(line("USER_END", 1, "ses=1000") + line("USER_END", 2, "ses=1001"), 0.0)) == [1]
    for ses in range(0, 262_144, 4):
        assembler.forget(ses)
    assert ids(assembler.feed(line("USER_END", 3, "ses=1000") + line("USER_END", 4, "ses=1002"), 0.0)) == [4]
    for ses in range(1, 262_144, 2):
        assembler.watch(ses)
    assert assembler.stats()["watched"] == 131_072
    assert ids(assembler.feed(line("USER_END", 5, "ses=300000"), 0.0)) == [5]


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer(buffer: type) -> None:
    assembler = Assembler()
    assert ids(assembler.feed(buffer(line("USER_END", 1)), 0.0)) == [1]


def test_wrong_arguments() -> None:
    """A wrong call is the caller's fault and says so."""
    with pytest.raises(ValueError, match="keep"):
        Assembler(keep="some")
    for sizes in ({"in_flight": 0}, {"closed": 0}, {"in_flight": 1 << 21}, {"closed": 1 << 24}):
        with pytest.raises(ValueError, match="must be 1 to"):
            Assembler(**sizes)
    with pytest.raises(TypeError):
        Assembler().feed("text", 0.0)
    with pytest.raises(TypeError):
        Event()
    with pytest.raises(OverflowError):
        Assembler().watch(-1)


def test_a_ring_of_millions() -> None:
    """A replay remembers every event of a big log; an empty ring costs little, and looking up is no search."""
    assembler = Assembler(closed=4 << 20)
    lines = b"".join(line("USER_END", serial) for serial in range(50_000))
    assert len(assembler.feed(lines, 0.0)) == 50_000
    assert assembler.feed(lines, 0.0) == []


def test_hold_waits_for_the_next_record() -> None:
    """A program's record may be one of several; the next one tells, or 5 ms of silence."""
    assembler = Assembler(hold=True)
    assert assembler.feed(line("USER_CMD", 1, "ses=5"), 100.0) == []
    assert assembler.deadline() == pytest.approx(100.005)
    (event,) = assembler.feed(line("SYSCALL", 1, "ses=5") + line("PROCTITLE", 1), 100.0)
    assert (types(event), event.incomplete) == (["USER_CMD", "SYSCALL", "PROCTITLE"], False)

    assert ids(assembler.feed(line("USER_CMD", 2) + line("DAEMON_END", 3), 100.0)) == [2, 3]
    assert assembler.feed(line("USER_CMD", 4), 100.0) == []
    assert assembler.expire(100.004) == []
    (event,) = assembler.expire(100.005)
    assert (event.serial, event.incomplete) == (4, False)
    assert assembler.deadline() is None

    assembler.feed(line("USER_CMD", 5), 100.0)
    assert [(event.serial, event.incomplete) for event in assembler.close()] == [(5, False)]


def test_hold_keeps_the_order() -> None:
    """What was written first is told first."""
    assembler = Assembler(hold=True)
    first = line("USER_CMD", 1) + line("SYSCALL", 2) + line("PROCTITLE", 2) + line("USER_END", 3) + line("USER_END", 4)
    assert ids(assembler.feed(first, 0.0) + assembler.close()) == [1, 2, 3, 4]


def test_hold_waits_on_with_the_call() -> None:
    """Once the SYSCALL is there, it is an event like others."""
    assembler = Assembler(hold=True)
    assembler.feed(line("USER_CMD", 1) + line("SYSCALL", 1) + line("SYSCALL", 2), 100.0)
    assert assembler.expire(100.005) == []
    assert ids(assembler.feed(line("EOE", 1), 100.1)) == [1]
