# SPDX-License-Identifier: Apache-2.0
"""The grammar of records, through Event and Record: each file of corpus/records is one worry, its .json what must come.

Of each event the .json says id, node, session and incomplete, and its records in order; of each record only what the
worry is about: {"type": …, "text": {field: value}, "word": …, "raw": …, "number": … (number8, number16: in that base),
"names": …, "truncated": …, "kernel": …, "type_number": …, "inner": {the same, inside msg='…'}}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audisp_maldito import _native
from audisp_maldito._native import Assembler, Event, Record
from tests.corpora import RECORDS, expected

READERS = {
    "text": lambda record, name, inner: record.text(name, inner),
    "word": lambda record, name, inner: record.word(name, inner),
    "raw": lambda record, name, inner: record.raw(name, inner),
    "number": lambda record, name, inner: record.number_of(name, inner=inner),
    "number8": lambda record, name, inner: record.number_of(name, 8, inner),
    "number16": lambda record, name, inner: record.number_of(name, 16, inner),
}
PROPERTIES = {"type": "type", "type_number": "number", "truncated": "truncated", "kernel": "kernel"}


def read(record: Record, wanted: dict[str, Any], inner: bool = False) -> dict[str, Any]:
    """Of the record what `wanted` asks for, in the same shape."""
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        if key in READERS:
            found[key] = {name: READERS[key](record, name, inner) for name in value}
        elif key == "inner":
            found[key] = read(record, value, inner=True)
        elif key == "names":
            found[key] = record.names()
        else:
            found[key] = getattr(record, PROPERTIES[key])
    for name, value in found.get("raw", {}).items():
        found["raw"][name] = value if value is None else value.decode()
    return found


def seen(event: Event, wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event.id,
        "node": event.node,
        "session": event.session,
        "incomplete": event.incomplete,
        "records": [read(record, want) for record, want in zip(event.records, wanted["records"])],
        "types": [record.type for record in event.records],
    }


def wish(wanted: dict[str, Any]) -> dict[str, Any]:
    defaults = {"node": None, "session": None, "incomplete": False}
    return {**defaults, **wanted, "types": [record["type"] for record in wanted["records"]]}


@pytest.mark.parametrize("log", RECORDS, ids=lambda log: log.stem)
def test_corpus(log: Path) -> None:
    """Every file gives the events, fields and counters that its expectation names."""
    expectation = expected(log)
    assembler = Assembler(hold=expectation.get("hold", False))
    found = assembler.feed(log.read_bytes(), 0.0) + assembler.close()
    events = [event for event in found if not event.late]
    stats = assembler.stats()

    assert expectation.get("late", []) == [event.id for event in found if event.late]
    assert [event["id"] for event in expectation["events"]] == [event.id for event in events]
    for event, wanted in zip(events, expectation["events"]):
        assert wish(wanted) == seen(event, wanted)
    counters = expectation.get("stats", {})
    assert counters == {name: stats[name] for name in counters}
    assert counters.get("rejected", stats["rejected"]) == sum(
        count for name, count in stats.items() if name.startswith("rejected_")
    )


def test_every_corpus_says_its_worry() -> None:
    """A corpus without an expectation, or an expectation without a corpus, is a mistake."""
    assert [log.stem for log in RECORDS] == sorted(path.stem for path in RECORDS[0].parent.glob("*.json"))
    assert all(expected(log)["worry"] for log in RECORDS)


def event_of(*lines: bytes) -> Event:
    assembler = Assembler()
    events = assembler.feed(b"".join(line + b"\n" for line in lines), 0.0) + assembler.close()
    assert len(events) == 1
    return events[0]


def record_of(body: bytes, type: bytes = b"SYSCALL") -> Record:
    return event_of(b"type=" + type + b" msg=audit(1.002:3): " + body).records[0]


def test_items_are_all_fields_in_order() -> None:
    """Repeated fields and raw values come as written; words without "=" don't."""
    record = record_of(b'user pid=1 a="x y" for a=2 b= op=do this c=(null) (d=?, e=f)')
    assert [
        ("pid", b"1"), ("a", b'"x y"'), ("a", b"2"), ("b", b""), ("op", b"do this"), ("c", b"(null)"), ("d", b"?"),
        ("e", b"f"),
    ] == record.items()  # fmt: skip
    assert [] == record.items(inner=True)


def test_items_of_the_inner_scope() -> None:
    """The two scopes are listed apart; the kernel's closing quote is the last byte, whatever stands before it."""
    record = record_of(b"pid=1 msg='op=x acct=\"o'neill\" res=success'", b"USER_AUTH")
    assert [("pid", b"1")] == record.items()
    assert [("op", b"x"), ("acct", b'"o\'neill"'), ("res", b"success")] == record.items(inner=True)
    assert not record.truncated


@pytest.mark.parametrize(
    ("body", "base", "expected"),
    [
        (b"n=18446744073709551615", 10, 18446744073709551615),
        (b"n=18446744073709551616", 10, None),
        (b"n=-9223372036854775808", 10, -9223372036854775808),
        (b"n=-9223372036854775809", 10, None),
        (b"n=c000003e", 16, 0xC000003E),
        (b"n=C000003E", 16, 0xC000003E),
        (b"n=0x1F", 16, 0x1F),
        (b"n=0x", 16, None),
        (b"n=0x1F", 10, None),
        (b"n=c000003e", 10, None),
        (b"n=0755", 8, 0o755),
        (b"n=789", 8, None),
        (b"n=", 10, None),
        (b"n=-", 10, None),
        (b"n=+1", 10, None),
        (b"n=1_0", 10, None),
        (b'n="12"', 10, None),
        (b"m=1", 10, None),
    ],
)
def test_numbers(body: bytes, base: int, expected: int | None) -> None:
    """A number is all of the value, in its base, within 64 bits; everything else is None."""
    assert expected == record_of(body).number_of("n", base)


def test_a_base_that_no_field_has() -> None:
    with pytest.raises(ValueError, match="base"):
        record_of(b"n=1").number_of("n", 12)


@pytest.mark.parametrize(
    ("raw", "text", "word"),
    [
        (b'"a b"', "a b", "a b"),
        (b"61", "a", "61"),
        (b"6A", "j", "6A"),
        (b"6a", "6a", "6a"),
        (b"616", "616", "616"),
        (b"(null)", None, None),
        (b"(none)", None, None),
        (b"?", None, None),
        (b'"(null)"', "(null)", None),
        (b'""', "", None),
        (b"00612F", "\0a/", "00612F"),
        (b"C3A9", "é", "C3A9"),
        (b"FF", "\udcff", "FF"),
        (b'"caf\xc3\xa9"', "café", "café"),
        (b'"\xff"', "\udcff", "\udcff"),
        (b'"open', "open", "open"),
        (b'"', "", None),
    ],
)
def test_strings(raw: bytes, text: str | None, word: str | None) -> None:
    """text() reads what the kernel writes of untrusted strings, word() never reads hex."""
    record = record_of(b"v=" + raw)
    assert (raw, text, word) == (record.raw("v"), record.text("v"), record.word("v"))


def test_decoded_text_keeps_every_byte() -> None:
    """Whatever bytes a process chose, they can be had back from the text."""
    every = bytes(range(256))
    text = record_of(b"v=" + every.hex().upper().encode()).text("v")
    assert text is not None
    assert every == text.encode("utf-8", "surrogateescape")


def test_first_and_all() -> None:
    event = event_of(
        b"type=SYSCALL msg=audit(1.2:3): ses=1",
        b"type=PATH msg=audit(1.2:3): item=0",
        b"type=PATH msg=audit(1.2:3): item=1",
        b"type=NEW_ONE msg=audit(1.2:3): item=2",
    )
    assert [0, 1] == [path.number_of("item") for path in event.all("PATH")]
    first, new = event.first("PATH"), event.first("NEW_ONE")
    assert first is not None and first.number_of("item") == 0
    assert new is not None and new.number is None
    assert event.first("CWD") is None
    assert event.all("NOT_A_TYPE") == []
    assert ("1.002:3", 1002, 3, sum(map(len, ("ses=1", "item=0", "item=1", "item=2")))) == (
        event.id, event.time_ms, event.serial, event.size,
    )  # fmt: skip


@pytest.mark.parametrize("operation", [b"", b"URING_OP=openat "])
def test_names_of_io_uring(operation: bytes) -> None:
    """Whether uring_op is translated depends on auditd's version; the others are used either way."""
    names = record_of(b"uring_op=18 uid=0 gid=7\x1d" + operation + b'UID="root" GID="lp"', b"URINGOP").names()
    assert names is not None
    assert ("root", "lp") == (names["uid"], names["gid"])


@pytest.mark.parametrize(
    "names",
    [
        b"", b"UID=", b'UID="root"', b'UID="root" GID="lp" X="y"', b'UID="root" GID="lp', b'UID="root" GID={ lp',
        b"junk", b'junk UID="root" GID="lp"', b'GID="lp" UID="root"', b'uid="root" gid="lp"', b'UID="root" AUID="lp"',
    ],
)  # fmt: skip
def test_names_that_do_not_match(names: bytes) -> None:
    """One translation too few, too many, cut, or of another field: none is used."""
    assert record_of(b"uid=0 gid=7\x1d" + names).names() is None


def test_a_record_outlives_its_assembler() -> None:
    """An event owns its bytes: nothing of it depends on the stream going on."""
    record = record_of(b'exe="/bin/x"')
    assert record.text("exe") == "/bin/x"
    assert "SYSCALL" in repr(record)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"type=SYSCALL msg=audit(1.02:3): x=1", ("SYSCALL", 1002, 3)),
        (b"node=a type=UNKNOWN[1425] msg=audit(0.000:0):", ("MAC_TASK_CONTEXTS", 0, 0)),
        (
            b"type=UNKNOWN[65535] msg=audit(253402300799.999:4294967295)",
            ("UNKNOWN[65535]", 253402300799999, 4294967295),
        ),
        (b"type=NEW_1 msg=audit(1.002:3): x=1\0", ("NEW_1", 1002, 3)),
        (b"type=1NEW msg=audit(1.002:3): x=1", None),
        (b"", None),
    ],
)
def test_header(line: bytes, expected: tuple[str, int, int] | None) -> None:
    """One line without its LF."""
    assert expected == _native.header(line)


def test_types_by_name_and_number() -> None:
    """The list is one to one, and has what is newer than auditd."""
    assert len(set(_native.RECORD_TYPES.values())) == len(_native.RECORD_TYPES)
    for name, number in _native.RECORD_TYPES.items():
        assert (name, number) == (_native.type_name(number), _native.type_number(name))
        assert _native.header(f"type={name} msg=audit(1.2:3):".encode()) == (name, 1002, 3)
    assert _native.type_number("LANDLOCK_DOMAIN") == 1424
    assert _native.type_name(1) is None
    assert _native.type_number("NO_SUCH") is None


def test_nodes() -> None:
    """Up to 255 bytes; a longer one makes no record."""
    line = b" type=CWD msg=audit(1.2:3): cwd=x"
    assert event_of(b"node=" + b"n" * 255 + line).node == "n" * 255
    assert _native.header(b"node=" + b"n" * 256 + line) is None
    assert event_of(b"node=\xff" + line).node == "\udcff"
