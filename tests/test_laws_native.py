# SPDX-License-Identifier: Apache-2.0
"""Laws 1, 2, 4 and 5 of the engine on the assembler, and its part of law 3: on the corpora, on mutations of them, and
on small made-up streams in which everything collides."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Union

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from audisp_maldito._native import Assembler, Event, header
from tests import model
from tests.corpora import CORPUS, RECORDS
from tests.model import Model, Told, told

HOSTS = sorted((CORPUS / "hosts").rglob("*.plugin.txt")) + sorted((CORPUS / "hosts").rglob("*.audit.log"))
LINES = sorted({line for log in (*RECORDS, *HOSTS[:6]) for line in log.read_bytes().split(b"\n") if len(line) < 3000})
KEEPS = ("all", "sessions", "watched")

thorough = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Expire(NamedTuple):
    """The caller's clock moves on by so much, and expire() is called."""

    seconds: float


class Watch(NamedTuple):
    ses: int


class Forget(NamedTuple):
    ses: int


Step = Union[bytes, Expire, Watch, Forget]


def mutated(lines: list[bytes], edits: list[tuple[int, int, int]]) -> bytes:
    """The lines with some of their bytes changed, doubled or gone."""
    data = bytearray(b"\n".join(lines) + b"\n")
    for where, length, kind in edits:
        at = where % (len(data) + 1)
        chosen = bytes(data[at : at + length])
        data[at : at + length] = (b"", chosen * 2, bytes([kind]), b'"', b"'", b"\x1d", b"\0\n", b" ses=1 ", b"=")[
            kind % 9
        ]
    return bytes(data)


edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 40), st.integers(0, 255)), max_size=12)
mutations = st.builds(mutated, st.lists(st.sampled_from(LINES), min_size=1, max_size=12), edits)

TYPES = (
    "SYSCALL", "SYSCALL", "CWD", "PATH", "EXECVE", "PROCTITLE", "EOE", "EOE", "LOGIN", "AVC", "CONFIG_CHANGE",
    "URINGOP", "USER_START", "USER_AUTH", "SERVICE_START", "DAEMON_END", "KERNEL", "UNKNOWN[1150]", "UNKNOWN[1399]",
    "NEW_TYPE",
)  # fmt: skip
SESSIONS = ("", " ses=0", " ses=1", " ses=2", " ses=4294967295", " ses=x", " ses=1 ses=2", " msg='ses=2'")


def stamped(node: str, type: str, ms: int, serial: int, session: str, size: int) -> bytes:
    stamp = f"{ms // 1000}.{ms % 1000:03}:{serial}"
    return f"{node}type={type} msg=audit({stamp}): pid=1{session} {'a' * size}\n".encode()


colliding = st.builds(
    stamped,
    st.sampled_from(("", "", "", "node=a ", "node= ")),
    st.sampled_from(TYPES),
    st.sampled_from((5000, 5000, 5001, 6999, 7000, 7001, 9500)),
    st.integers(1, 4),
    st.sampled_from(SESSIONS),
    st.sampled_from((0, 1, 9000)),
)
steps = st.lists(
    st.one_of(
        colliding,
        colliding,
        colliding,
        mutations,
        st.binary(max_size=30),
        st.builds(Expire, st.sampled_from((0.0, 0.003, 0.7, 2.0))),
        st.builds(Watch, st.integers(0, 2)),
        st.builds(Forget, st.integers(0, 2)),
    ),
    max_size=40,
)
sizes = st.fixed_dictionaries({"in_flight": st.integers(1, 4), "closed": st.integers(1, 6), "hold": st.booleans()})


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in zip(at, at[1:])]


def conserved(stats: dict[str, int]) -> None:
    """Law 4."""
    assert stats["lines"] == stats["records"] + stats["rejected"]
    absorbed = stats["records_late"] + stats["records_repeated"]
    assert stats["records"] == stats["records_assembled"] + absorbed + stats["records_eoe"]
    assert stats["events_started"] == stats["events_emitted"] + stats["events_unwatched"] + stats["in_flight"]
    assert stats["events_incomplete"] >= stats["events_expired"] + stats["events_limited"]
    reasons = sum(count for name, count in stats.items() if name.startswith("rejected_"))
    assert stats["rejected"] == reasons


def nonzero(stats: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in stats.items() if count}


@thorough
@given(mutations, st.lists(st.integers(0, 1 << 16), max_size=20), sizes, st.sampled_from(KEEPS))
def test_chunking(data: bytes, cuts: list[int], limits: dict[str, int], keep: str) -> None:
    """Law 1: any split of the bytes gives the same events, counters and samples."""
    whole, split = Assembler(keep=keep, **limits), Assembler(keep=keep, **limits)
    expected = [told(event) for event in whole.feed(data, 0.0) + whole.close()]
    found = [told(event) for piece in pieces(data, cuts) for event in split.feed(piece, 0.0)]
    found += [told(event) for event in split.close()]
    assert expected == found
    assert whole.stats() == split.stats()
    assert whole.rejected() == split.rejected()


def test_chunking_byte_by_byte() -> None:
    """Law 1 on every corpus, in the smallest pieces there are."""
    for log in RECORDS:
        data = log.read_bytes()
        whole, split = Assembler(), Assembler()
        expected = [told(event) for event in whole.feed(data, 0.0) + whole.close()]
        found = [told(event) for byte in data for event in split.feed(bytes([byte]), 0.0)]
        found += [told(event) for event in split.close()]
        assert expected == found, log.name


def run(
    assembler: Union[Assembler, Model], program: list[Step], telling: Callable[[list[Event]], list[Told]]
) -> list[list[Told]]:
    """What each step of the program gives; the last list is that of close()."""
    now = 1000.0
    given: list[list[Told]] = []
    for step in program:
        if isinstance(step, Expire):
            now += step.seconds
            given.append(telling(assembler.expire(now)))
        elif isinstance(step, Watch):
            assembler.watch(step.ses)
        elif isinstance(step, Forget):
            assembler.forget(step.ses)
        else:
            given.append(telling(assembler.feed(step, now)))
    given.append(telling(assembler.close()))
    return given


def agree(program: list[Step], limits: dict[str, int], keep: str) -> None:
    native, oracle = Assembler(keep=keep, **limits), Model(keep=keep, **limits)
    found = run(native, program, lambda events: [told(event) for event in events])
    assert run(oracle, program, lambda events: events) == found  # type: ignore[arg-type, return-value]
    assert nonzero(oracle.stats()) == nonzero(native.stats())
    assert oracle.rejected() == [tuple(sample) for sample in native.rejected()]
    conserved(native.stats())


@thorough
@given(steps, sizes, st.sampled_from(KEEPS))
def test_oracle(program: list[Step], limits: dict[str, int], keep: str) -> None:
    """Laws 2 and 4: the C gives what the slow and obvious model gives, step by step, and loses count of nothing."""
    agree(program, limits, keep)


def test_oracle_on_corpora() -> None:
    """Laws 2 and 4 on every corpus and recording."""
    for log in (*RECORDS, *HOSTS):
        for keep in KEEPS:
            agree([log.read_bytes()], {}, keep)


@thorough
@given(st.lists(colliding, max_size=60), sizes)
def test_filter_is_neutral(lines: list[bytes], limits: dict[str, int]) -> None:
    """Law 3's part: the filter changes which events are told, never which there are nor when they complete."""
    every, some = Assembler(**limits), Assembler(keep="sessions", **limits)
    data = b"".join(lines)
    events = every.feed(data, 0.0) + every.close()
    wanted = [
        event.id
        for event in events
        if event.session is not None or (not event.late and any(map(is_needed, event.records)))
    ]
    assert wanted == [event.id for event in some.feed(data, 0.0) + some.close()]
    same = (
        "events_started",
        "events_incomplete",
        "events_expired",
        "events_limited",
        "records_assembled",
        "records_late",
        "records_repeated",
    )
    assert [every.stats()[name] for name in same] == [some.stats()[name] for name in same]
    assert every.stats()["events_emitted"] == some.stats()["events_emitted"] + some.stats()["events_unwatched"]


def is_needed(record: object) -> bool:
    return getattr(record, "type", "") in ("LOGIN", "USER_AUTH", "DAEMON_END")


@thorough
@given(st.one_of(mutations, st.binary(max_size=3000)))
@example(b"type=USER_AVC msg=audit(1.2:3): msg='avc:  denied  { \n")
@example(b"type=SYSCALL msg=audit(1.2:3): op= (((=\"'msg='\n")
@example(b"type=SYSCALL msg=audit(1.2:3): uid=1\x1dUID={ \n")
def test_total(data: bytes) -> None:
    """Law 5: no bytes make anything raise, and every field reads as the model reads it."""
    assembler = Assembler()
    for event in assembler.feed(data, 0.0) + assembler.close():
        assert repr(event)
        for record in event.records:
            for inner in (False, True):
                fields = model.fields(record.body, inner)
                assert fields == record.items(inner)
                for name, _ in fields:
                    readings = (record.raw(name, inner), record.text(name, inner), record.word(name, inner))
                    assert readings[0] is not None
                    assert isinstance(record.number_of(name, 16, inner), (int, type(None)))
            names: Optional[dict[str, str]] = record.names()
            assert names is None or (record.kernel and set(names) <= {name for name, _ in record.items()})
    for line in data.split(b"\n"):
        assert (header(line) is None) == isinstance(model.scan(line), str) or len(line) > model.LINE_MAX
    conserved(assembler.stats())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=20), st.integers(1, 4))
def test_bounded(stuff: list[bytes], in_flight: int) -> None:
    """Law 5: nothing in flight grows past its limit, whatever comes."""
    assembler = Assembler(in_flight=in_flight, closed=1)
    for i, bytes_ in enumerate(stuff):
        assembler.feed(stamped("", "SYSCALL", 5000 + i, i, "", 0)[:-1] + bytes_ + b"\n" + bytes_, 0.0)
        assert assembler.stats()["in_flight"] <= in_flight
