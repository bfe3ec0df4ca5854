# SPDX-License-Identifier: Apache-2.0
"""The oracle: what csrc/ must do, said slowly and obviously.

It shares nothing with the C but the words. Lines and fields are cut by regular expressions, the events in flight stand
in a dict in the order of their arrival, and every rule is looked up afresh for every record.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple, Optional

from audisp_maldito._native import RECORD_TYPES, Event

LINE_MAX = 65536
EVENT_BYTES = 16 << 20
EVENT_RECORDS = 16384
FLIGHT_BYTES = 32 << 20
UNSET = 4294967295
NAMES = {number: name for name, number in RECORD_TYPES.items()}

NODE = re.compile(rb"node=([^ ]{0,255}) ")
TYPE = re.compile(rb"type=([^ ]*)")
TYPE_NAME = re.compile(rb"[A-Z][A-Z0-9_]{0,63}")
TYPE_NUMBER = re.compile(rb"UNKNOWN\[([0-9]{1,19})\]")
STAMP = re.compile(rb"([0-9]{1,19})\.([0-9]{1,3}):([0-9]{1,19})\)(?::|$)")
WORD = re.compile(rb" *\(*(?:([A-Za-z0-9_\[\]-]+)=)?")
OP = re.compile(rb"[^ ]+(?: +[^ =]+(?![^ ]))*")


class Line(NamedTuple):
    node: Optional[str]
    type: str
    number: Optional[int]
    time_ms: int
    serial: int
    text: bytes
    cut: bool


def scan(raw: bytes) -> Line | str:
    """A line's parts, or why it has none."""
    if len(raw) > LINE_MAX:
        return "too_long"
    line = raw.rstrip(b" \r\0")
    if not line:
        return "blank"
    cut = b"\0" in raw[len(line) :] or len(line) >= 8969
    node = NODE.match(line)
    rest = line[node.end() :] if node else line
    word = TYPE.match(rest)
    if not word:
        return "no_type"
    name, numbered = word[1], TYPE_NUMBER.fullmatch(word[1])
    if numbered and int(numbered[1]) <= 65535:
        number: Optional[int] = int(numbered[1])
        type_ = NAMES.get(int(numbered[1]), f"UNKNOWN[{number}]")
    elif TYPE_NAME.fullmatch(name):
        type_ = name.decode()
        number = RECORD_TYPES.get(type_)
    else:
        return "bad_type"
    rest = rest[word.end() :]
    if not rest.startswith(b" msg=audit("):
        return "no_stamp"
    stamp = STAMP.match(rest, len(b" msg=audit("))
    if not stamp:
        return "bad_stamp"
    seconds, ms, serial = map(int, stamp.groups())
    if seconds > 253402300799 or serial > UNSET:
        return "bad_stamp"
    host = node[1].decode("utf-8", "surrogateescape") if node else None
    return Line(host, type_, number, seconds * 1000 + ms, serial, rest[stamp.end() :].lstrip(b" "), cut)


def body_of(text: bytes) -> bytes:
    return text.split(b"\x1d")[0].rstrip(b" ")


def fields(body: bytes, inner: bool = False) -> list[tuple[str, bytes]]:
    """All fields of a scope, in order."""
    if inner:
        start = _scope_end(body)
        if start is None:
            return []
        body = body[start:-1] if body[start:].endswith(b"'") else body[start:]
    verdict = re.match(rb" *avc: *([^ {][^ ]*)? *(?:\{ *([^}]*?) *(?:\}|$))?", body)
    found = []
    if verdict:
        if verdict[1] is not None:
            found.append(("seresult", verdict[1]))
        if verdict[2] is not None:
            found.append(("seperms", verdict[2]))
    return found + [(name, value) for name, value, _ in _cut(body)[0]]


def _scope_end(body: bytes) -> Optional[int]:
    return _cut(body)[1]


def _cut(body: bytes) -> tuple[list[tuple[str, bytes, bool]], Optional[int]]:
    """Fields (name, value, is it closed) up to msg=', and where what follows msg=' begins."""
    found: list[tuple[str, bytes, bool]] = []
    at = 0
    while at < len(body):
        word = WORD.match(body, at)
        assert word is not None
        name, at = word[1], word.end()
        if name is None:
            end = body.find(b" ", at)
            at = len(body) if end < 0 else end
        elif name == b"msg" and body[at : at + 1] == b"'":
            return found, at + 1
        elif body[at : at + 1] == b'"':
            end = body.find(b'"', at + 1)
            value = body[at : end + 1] if end >= 0 else body[at:]
            found.append((name.decode(), value, end >= 0))
            at += len(value)
        else:
            bare = (OP if name == b"op" else re.compile(rb"[^ ]*")).match(body, at)
            value = bare[0] if bare else b""
            at += len(value)
            if not value.startswith(b"("):
                value = value[:-1] if value.endswith(b",") else value
                value = value[:-1] if value.endswith(b")") else value
            found.append((name.decode(), value, True))
    return found, None


def is_cut(body: bytes) -> bool:
    found, inner = _cut(body)
    unclosed = any(not closed for _, _, closed in found)
    return not body or unclosed or (inner is not None and not body[inner:].endswith(b"'"))


def value_of(line: Line, name: str) -> Optional[bytes]:
    values = [value for key, value in fields(body_of(line.text)) if key == name]
    if not values:
        return None
    return values[-1] if line.type == "LOGIN" and name not in ("pid", "uid", "subj") else values[0]


def session_of(line: Line) -> Optional[int]:
    value = value_of(line, "ses")
    if value is None or not re.fullmatch(rb"[0-9]{1,19}", value) or int(value) > UNSET:
        return None
    return int(value)


def is_last(number: Optional[int]) -> bool:
    if number is None:
        return False
    return number in (1005, 1320, 1327, 2000) or 1007 <= number <= 1299 or number >= 2100


def is_sent(number: Optional[int]) -> bool:
    return number is not None and (number == 1005 or 1100 <= number < 1200 or number >= 2100)


def bit(line: Line) -> int:
    """Types are told apart by the low bits of their numbers only."""
    return (-1 if line.number is None else line.number) % 64


def is_always_kept(line: Line) -> bool:
    named = ("LOGIN", "SYSTEM_BOOT", "USER_AUTH", "CRYPTO_KEY_USER", "CRYPTO_SESSION")
    return line.type in named or (line.number is not None and 1200 <= line.number <= 1299)


class Told(NamedTuple):
    """An event as it was handed out."""

    id: str
    node: Optional[str]
    session: Optional[int]
    incomplete: bool
    size: int
    records: list[tuple[str, Optional[int], bytes, bool]]
    """Type, number, body, truncated."""
    late: bool = False


class Flight:
    def __init__(self, clock: int, now: float) -> None:
        self.clock = clock
        self.now = now
        self.lines: list[Line] = []  # all of them
        self.copied: list[Line] = []  # those that a wanted event would have
        self.fate: Optional[bool] = None
        self.has_gap = False

    @property
    def bytes(self) -> int:
        return sum(len(line.text) for line in self.lines)

    def session(self) -> tuple[Optional[int], bool]:
        """And whether it is certain."""
        calls = [s for line in self.lines if line.type in ("SYSCALL", "URINGOP") if (s := session_of(line)) is not None]
        if calls:
            return calls[0], True
        return next((s for line in self.lines if (s := session_of(line)) is not None), None), False


class Model:
    def __init__(self, *, in_flight: int = 4096, closed: int = 16384, keep: str = "all", hold: bool = False) -> None:
        self.in_flight, self.closed_max, self.keep, self.hold = in_flight, closed, keep, hold
        self.held: Optional[tuple[object, ...]] = None
        self.partial = b""
        self.clock = 0
        self.flying: dict[tuple[object, ...], Flight] = {}
        self.closed: dict[tuple[object, ...], tuple[set[int], Optional[int]]] = {}
        self.watched: set[int] = set()
        self.told: list[Told] = []
        self.count: Counter[str] = Counter()
        self.samples: list[tuple[str, bytes]] = []

    def feed(self, data: bytes, now: float) -> list[Told]:
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            self._line(line, now)
        return self._completed()

    def expire(self, now: float) -> list[Told]:
        if self.held and self.flying[self.held].now + 0.005 <= now:
            self._complete(self.held, False)
        while self.flying and next(iter(self.flying.values())).now + 2 <= now:
            self._expired()
        return self._completed()

    def close(self) -> list[Told]:
        if self.partial:
            self._line(self.partial, 0)
        self.partial = b""
        if self.held:
            self._complete(self.held, False)
        while self.flying:
            self._complete(next(iter(self.flying)), True)
        return self._completed()

    def watch(self, ses: int) -> None:
        self.watched.add(ses)

    def forget(self, ses: int) -> None:
        self.watched.discard(ses)

    def rejected(self) -> list[tuple[str, bytes]]:
        samples, self.samples = self.samples, []
        return samples

    def stats(self) -> dict[str, int]:
        gauges = {"in_flight": len(self.flying), "in_flight_bytes": sum(f.bytes for f in self.flying.values())}
        return {**self.count, **gauges, "watched": len(self.watched - {UNSET})}

    def _completed(self) -> list[Told]:
        told, self.told = self.told, []
        return told

    def _line(self, raw: bytes, now: float) -> None:
        self.count["lines"] += 1
        line = scan(raw)
        if isinstance(line, str):
            self.count["rejected"] += 1
            self.count["rejected_" + line] += 1
            if line != "blank" and len(self.samples) < 8:
                self.samples.append((line, raw[:200]))
            return
        self.count["records"] += 1
        self.count["records_cut"] += line.cut
        self._record(line, now)

    def _record(self, line: Line, now: float) -> None:
        if self.held and self.held != (line.node, line.time_ms, line.serial):
            self._complete(self.held, False)
        self.held = None
        self.clock = max(self.clock, line.time_ms)
        while self.flying and next(iter(self.flying.values())).clock + 2000 <= self.clock:
            self._expired()
        key = (line.node, line.time_ms, line.serial)
        if line.type == "EOE":
            self.count["records_eoe"] += 1
            if key in self.flying:
                self._complete(key, False)
        elif key in self.closed:
            self._late(key, line)
        else:
            self._add(key, line, now)

    def _add(self, key: tuple[object, ...], line: Line, now: float) -> None:
        is_new = key not in self.flying
        held = self.hold and is_sent(line.number)
        single = is_new and is_last(line.number) and line.type != "PROCTITLE" and not held
        if is_new:
            if len(self.flying) == self.in_flight and not single:
                self._limit(next(iter(self.flying)))
            self.flying[key] = Flight(self.clock, now)
            self.held = key if held else None
            self.count["events_started"] += 1
        flight = self.flying[key]
        if len(flight.lines) == EVENT_RECORDS or flight.bytes + len(line.text) > EVENT_BYTES:
            self._limit(key)
            self._late(key, line)
            return
        while not single and sum(f.bytes for f in self.flying.values()) + len(line.text) > FLIGHT_BYTES:
            self._limit(next(k for k in self.flying if k != key))
        self.count["records_assembled"] += 1
        flight.lines.append(line)
        if line.type == "LOGIN" and self.keep == "watched" and (ses := session_of(line)) is not None:
            self.watched.add(ses)
        self._decide(flight, line)
        if is_last(line.number) and not held:
            self._complete(key, False)

    def _late(self, key: tuple[object, ...], line: Line) -> None:
        types, session = self.closed[key]
        if bit(line) in types:
            self.count["records_repeated"] += 1
            return
        types.add(bit(line))
        self.count["records_late"] += 1
        if self._wants(session):
            body = body_of(line.text)
            record = (line.type, line.number, body, line.cut or is_cut(body))
            stamp = f"{line.time_ms // 1000}.{line.time_ms % 1000:03d}:{line.serial}"
            whose = None if session == UNSET else session
            self.told.append(Told(stamp, line.node, whose, False, len(line.text), [record], late=True))

    def _decide(self, flight: Flight, line: Line) -> None:
        session, certain = flight.session()
        if is_always_kept(line) and flight.fate is not True:
            flight.has_gap = flight.fate is False
            flight.fate = True
        if certain and flight.fate is None:
            flight.fate = self._wants(session)
        if flight.fate is False:
            flight.copied = []
        else:
            flight.copied.append(line)

    def _wants(self, session: Optional[int]) -> bool:
        if self.keep == "all":
            return True
        if session is None or session == UNSET:
            return False
        return self.keep == "sessions" or session in self.watched

    def _limit(self, key: tuple[object, ...]) -> None:
        self.count["events_limited"] += 1
        self._complete(key, True)

    def _expired(self) -> None:
        self.count["events_expired"] += 1
        self._complete(next(iter(self.flying)), True)

    def _complete(self, key: tuple[object, ...], incomplete: bool) -> None:
        flight = self.flying.pop(key)
        self.held = None if key == self.held else self.held
        session, _ = flight.session()
        self.closed[key] = ({bit(line) for line in flight.lines}, session)
        if len(self.closed) > self.closed_max:
            del self.closed[next(iter(self.closed))]
        self.count["events_incomplete"] += incomplete
        if not (self._wants(session) if flight.fate is None else flight.fate):
            self.count["events_unwatched"] += 1
            return
        self.count["events_emitted"] += 1
        first = flight.lines[0]
        self.told.append(
            Told(
                f"{first.time_ms // 1000}.{first.time_ms % 1000:03d}:{first.serial}",
                first.node,
                None if session == UNSET else session,
                incomplete or flight.has_gap,
                sum(len(line.text) for line in flight.copied),
                [(e.type, e.number, body_of(e.text), e.cut or is_cut(body_of(e.text))) for e in flight.copied],
            )
        )


def told(event: Event) -> Told:
    """An Event of the extension in the oracle's words."""
    records = [(r.type, r.number, r.body, r.truncated) for r in event.records]
    return Told(event.id, event.node, event.session, event.incomplete, event.size, records, event.late)
