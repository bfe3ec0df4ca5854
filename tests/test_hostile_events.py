# SPDX-License-Identifier: Apache-2.0
"""Whatever the bytes: an Action comes out, in time in proportion to them, and with the kernel's truth untouched."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audisp_maldito import normalize
from audisp_maldito.engine import Engine
from audisp_maldito.jsonline import encode
from audisp_maldito.model import Action
from audisp_maldito.trust import Policy
from tests import documents, records
from tests.events import action, events, recordings, syscall

TOKENS = [
    b"msg='", b"'", b'"', b"=", b" ", b"(", b"\x1d", b"\x00", b"\xff", b"\xe2\x80\xa8", b"a0=", b"a1[7]=", b"a1_len=9",
    b"ses=1", b"pid=1", b"auid=0", b"exe=", b"key=", b"(null)", b"?", b"items=-1", b"18446744073709551616", b"-", b"41",
    b"success=no", b"exit=-1", b"argc=99999999999", b"type=", b"avc:  denied  { ", b"} for ", b"saddr=", b"op=",
    b"[", b"]",
]  # fmt: skip


def printed(done: Action) -> dict[str, object]:
    document = normalize.parsed(done)
    encoded: dict[str, object] = json.loads(encode(document, document))
    return encoded


def mutated(line: bytes, chance: random.Random) -> bytes:
    """One line with one to four changes behind its header."""
    head, _, body = line.partition(b"): ")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        how = chance.randrange(4)
        if how == 0:
            body = body[:at] + chance.choice(TOKENS) + body[at:]
        elif how == 1:
            body = body[:at] + body[at + chance.randint(1, 20) :]
        elif how == 2:
            body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        else:
            body = body[:at] + body[chance.randrange(len(body) + 1) :][:50] + body[at:]
    return head + b"): " + body.replace(b"\n", b" ")


def test_ten_thousand_mutated_events() -> None:
    chance = random.Random(20)
    lines = [line for path in recordings() for line in path.read_bytes().splitlines() if b"type=EOE" not in line]
    seen = 0
    while seen < 10000:
        start = chance.randrange(len(lines) - 40)
        for one in events(b"\n".join(mutated(line, chance) for line in lines[start : start + 40])):
            done = normalize.action(one)
            assert done.action
            assert printed(done)["id"] == one.id
            seen += 1


@given(st.binary(max_size=400))
def test_text_inside_msg_changes_no_truth(inner: bytes) -> None:
    text = inner.replace(b"\n", b" ").replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    done = action(f"USER_AUTH pid=77 uid=0 auid=1000 ses=5 subj=unconfined msg='{text} res=success'")
    assert (done.pid, done.auid, done.session, done.user, done.account) == (77, 1000, 5, {"uid": 0}, None)
    printed(done)


@given(st.binary(max_size=200))
def test_what_looks_like_enrichment_names_nobody(forged: bytes) -> None:
    """A process may write a 0x1D of its own into a user-space record, and auditd then translates what follows."""
    text = forged.replace(b"\n", b" ").replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    line = "USER_AUTH pid=77 uid=0 auid=1000 ses=5 msg='op=x res=success'"
    plain, wrong = action(line), action(f'{line}\x1dUID="root" AUID="alice" {text}')
    assert wrong._replace(size=0) == plain._replace(size=0)


def seconds(work: Callable[[], object]) -> float:
    """The best of three."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def test_time_is_in_proportion_to_the_input() -> None:
    def with_paths(count: int) -> object:
        return action(
            syscall(257, items=str(count)), *[f'PATH item={n} name="x" nametype=PARENT' for n in range(count)]
        )

    def with_hex(digits: int) -> object:
        return action(syscall(257), 'CWD cwd="/"', "PATH item=0 name=" + "20" * (digits // 2) + " nametype=NORMAL")

    def with_avcs(count: int) -> object:
        return action(*["AVC avc:  denied  { read } for  pid=1 tcontext=a:b:c:d tclass=file"] * count, syscall(257))

    for made, small, large in ((with_paths, 500, 4000), (with_hex, 8000, 64000), (with_avcs, 500, 4000)):
        assert seconds(lambda made=made, n=large: made(n)) < 8 * 3 * seconds(lambda made=made, n=small: made(n)) + 0.002


def command(words: list[str]) -> bytes:
    """A long command line as the kernel records it: EXECVE over many records."""
    first, *rest = records.execute("1700000000.100:7", 80, 5, ["x"])
    stamped = first.partition(": ")[0].replace("SYSCALL", "EXECVE")
    parts = range(0, len(words), 20)
    lines = [
        f"{stamped}: argc={len(words)} " + " ".join(f"a{n}={records.text(words[n])}" for n in range(at, at + 20))
        for at in parts
    ]
    return "\n".join([first, *lines, *rest[1:], ""]).encode()


def argument(text: str) -> bytes:
    """One long argument, in hex and in pieces."""
    first, *rest = records.execute("1700000000.100:7", 80, 5, ["x"])
    stamped = first.partition(": ")[0].replace("SYSCALL", "EXECVE")
    digits = text.encode().hex().upper()
    lines = [f'{stamped}: argc=2 a0="sh" a1_len={len(digits)}']
    lines += [f"{stamped}: a1[{n}]={digits[at : at + 7500]}" for n, at in enumerate(range(0, len(digits), 7500))]
    return "\n".join([first, *lines, *rest[1:], ""]).encode()


@pytest.mark.parametrize(
    "made",
    [
        lambda size: argument("a b \" ' " * (size // 8)),
        lambda size: argument("token=" * (size // 6)),
        lambda size: command(["--password", "x'y z!123"] * (size // 400 * 20)),
    ],
    ids=["blanks and quotes", "one word", "many arguments"],
)
def test_two_megabytes_of_arguments(made: Callable[[int], bytes]) -> None:
    """To the end of the path: one line of the length that the operator set, in time in proportion."""

    def told(size: int) -> list[bytes]:
        engine = Engine(Policy())
        return engine.feed(data[size], 1000.0) + engine.close(1000.0)

    data = {size: made(size) for size in (250_000, 2_000_000)}
    (line,) = told(2_000_000)
    extra = documents.read(line)["metadata"]["extra"]
    assert len(line) <= Policy().max_document_bytes
    assert (extra["pid"], extra["exe"], extra["action"]) == (80, "/usr/bin/x", "executed")
    assert seconds(lambda: told(2_000_000)) < 8 * 3 * seconds(lambda: told(250_000)) + 0.01


def test_mutated_events_to_the_end_of_the_path() -> None:
    """Every document is one line of the schema's; what is remembered of the sessions stays within its bounds."""
    chance = random.Random(21)
    lines = [line for path in recordings() for line in path.read_bytes().splitlines()]
    engine = Engine(Policy())
    told: list[bytes] = []
    for _ in range(60):
        start = chance.randrange(len(lines) - 100)
        told += engine.feed(b"\n".join(mutated(line, chance) for line in lines[start : start + 100]) + b"\n", 1000.0)
    told += engine.close(2000.0)
    assert len(told) > 500
    documents.read_all(told)
