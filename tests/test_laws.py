# SPDX-License-Identifier: Apache-2.0
"""The laws of the engine that concern what is told; those of the assembler alone stand in test_laws_native.py."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audisp_maldito import cli
from audisp_maldito._native import Assembler
from audisp_maldito.engine import Engine
from audisp_maldito.model import SshdEntry

from . import documents, variants
from .interleavings import policy_of, run
from .test_recordings import RECORDINGS, with_suffix
from .world import World

SEEDS = st.integers(0, 2**32)
NAMES = [f"{path.parent.name}/{path.name.partition('.')[0]}" for path in RECORDINGS]


def replayed(tmp_path: Path, audit: list[Path], journal: list[Path]) -> list[bytes]:
    output = tmp_path / "out.jsonl"
    arguments = [word for path in audit for word in ("--audit", str(path))]
    arguments += [word for path in journal for word in ("--journal", str(path))]
    assert cli.main(["replay", *arguments, "--host", "h", "--output", str(output)]) == 0
    return output.read_bytes().splitlines()


def comparable(lines: list[bytes]) -> list[str]:
    """Documents as a set that can be compared: without seq, in an order of their own."""
    return sorted(json.dumps(document, sort_keys=True) for document in documents.without_seq(lines))


# Law 3


@settings(deadline=None)
@given(SEEDS)
def test_neutral_filter(seed: int) -> None:
    """What the assembler skips in C is what nobody would have been told of anyway."""
    world = World(seed)
    policy = policy_of(world)

    def told(sessions: str, keep: Any) -> list[Any]:
        engine = Engine(policy._replace(sessions=sessions), boot_id="b", assembler=Assembler(keep=keep))
        return run(world, engine).documents

    assert told("all", "sessions") == told("all", "all")
    assert told("ssh", "watched") == told("ssh", "sessions") == told("ssh", "all")


@settings(deadline=None)
@given(SEEDS)
def test_ssh_sessions_alone_are_the_same(seed: int) -> None:
    """`sessions: ssh` leaves documents out and changes none."""
    world = World(seed)
    both = [run(world, Engine(policy_of(world)._replace(sessions=which))).documents for which in ("all", "ssh")]
    for told in both:
        for _, document in told:
            del document["metadata"]["extra"]["seq"]

    assert [item for item in both[0] if item[1]["type"] != "SystemAction"] == both[1]


# Law 1, to the end of the path


@settings(deadline=None)
@given(SEEDS, st.integers(1, 700))
def test_chunking(seed: int, size: int) -> None:
    """Any split of the bytes gives the same documents."""
    world = World(seed)
    data = "".join(line + "\n" for _, lines in world.records for line in lines).encode()

    def told(chunks: Iterator[bytes]) -> list[bytes]:
        engine = Engine(policy_of(world))
        found = [line for entry in world.lines for line in engine.sshd(entry.entry, 1000.0)]
        for chunk in chunks:
            found += engine.feed(chunk, 1000.0)
        return found + engine.close(1000.0)

    assert told(iter([data])) == told(data[at : at + size] for at in range(0, len(data), size))


# Law 6


@settings(deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_order_of_reading(seed: int, chance: random.Random) -> None:
    """Within the hold time it is all one which stream is read first; only the order of writing differs."""
    world = World(seed)
    if any(session.replaced_by for session in world.sessions):
        return  # a number is used again within a second only here
    journal = [("journal", line.entry) for line in world.lines]
    audit = [("audit", "".join(line + "\n" for line in lines).encode()) for _, lines in world.records]
    mixed: list[tuple[str, Any]] = []
    left = [list(reversed(journal)), list(reversed(audit))]
    while any(left):
        mixed.append(chance.choice([stream for stream in left if stream]).pop())

    def told(inputs: list[tuple[str, Any]]) -> list[str]:
        engine = Engine(policy_of(world))
        found: list[bytes] = []
        for number, (stream, what) in enumerate(inputs):
            now = 1000 + 0.9 * number / len(inputs)
            found += engine.sshd(what, now) if stream == "journal" else engine.feed(what, now)
        for now in (1002.0, 1004.0, 1006.0, 1200.0):
            found += engine.journal_read(now, now) + engine.tick(now)
        return comparable(found + engine.close(1200.0))

    first = told(journal + audit)
    assert told(audit + journal) == first
    assert told(mixed) == first


# Law 7


@pytest.mark.parametrize("variant", variants.VARIANTS)
@pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)
def test_format(recording: Path, variant: str, tmp_path: Path) -> None:
    """However auditd writes it, the same documents, but for the names of uids and gids."""
    lines = with_suffix(recording, ".plugin.txt").read_bytes().splitlines()
    original, changed = tmp_path / "original", tmp_path / "changed"
    original.write_bytes(b"\n".join(lines) + b"\n")
    changed.write_bytes(b"\n".join(variants.VARIANTS[variant](lines)) + b"\n")
    journal = [with_suffix(recording, ".journal.json")]
    found = [replayed(tmp_path, [audit], journal) for audit in (original, changed)]

    one, other = ([variants.without_names(documents.read(line)) for line in written] for written in found)
    assert one == other
    assert one


@pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)
def test_log_and_plugin_agree(recording: Path, tmp_path: Path) -> None:
    """What auditd wrote and what it gave the plugin tell the same."""
    journal = [with_suffix(recording, ".journal.json")]
    log, plugin = (
        comparable(replayed(tmp_path, [with_suffix(recording, suffix)], journal))
        for suffix in (".audit.log", ".plugin.txt")
    )

    assert log == plugin


# Law 8


@pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)
def test_read_twice(recording: Path, tmp_path: Path) -> None:
    """A file given twice, as rotated files that overlap are, makes no document twice and changes none."""
    audit, journal = with_suffix(recording, ".audit.log"), with_suffix(recording, ".journal.json")
    once = replayed(tmp_path, [audit], [journal])

    assert replayed(tmp_path, [audit], [journal]) == once
    assert replayed(tmp_path, [audit, audit], [journal]) == once
    assert replayed(tmp_path, [audit], [journal, journal]) == once


@settings(deadline=None)
@given(SEEDS)
def test_identifiers(seed: int) -> None:
    """No two documents of one kind have the same eventId."""
    told = [document for _, document in run(World(seed)).documents]
    ids = [(document["type"], document["metadata"]["extra"]["eventId"]) for document in told]

    assert len(set(ids)) == len(ids)


# Law 5, to the end of the path


@settings(deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_total(seed: int, chance: random.Random) -> None:
    """Whatever a byte is turned into: nothing raises, and every document is one of the schema's."""
    world = World(seed)
    engine = Engine(policy_of(world)._replace(max_document_bytes=4096))
    found: list[bytes] = []
    for line in world.lines:
        found += engine.sshd(_mangled_entry(line.entry, chance), line.read_at)
    for read_at, lines in world.records:
        data = bytearray("".join(line + "\n" for line in lines).encode())
        for _ in range(chance.choice((0, 1, 1, 3, 20))):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        found += engine.feed(bytes(data), read_at)
    found += engine.tick(2000.0) + engine.close(2000.0)

    assert all(len(line) <= 4096 for line in found)
    documents.read_all(found)


def _mangled_entry(entry: SshdEntry, chance: random.Random) -> SshdEntry:
    message = entry.message or ""
    for _ in range(chance.choice((0, 0, 1, 3))):
        at = chance.randrange(len(message) + 1)
        message = (
            message[:at]
            + chance.choice(("", "\0", "\udcff", " ", "\\", "9" * 30, "x" * 600))
            + message[at + chance.randrange(3) :]
        )
    fields = {"pid": (None, 0, 2**64), "time_us": (0, 2**64), "uid": (None, 2**32), "unit": (None, "", "x" * 9999)}
    name = chance.choice([*fields, ""])
    return entry._replace(message=message, size=len(message), **({name: chance.choice(fields[name])} if name else {}))
