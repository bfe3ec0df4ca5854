# SPDX-License-Identifier: Apache-2.0
"""Made-up hosts (world.py) through the engine, checked against the truth: no wrong name ever, and "unknown" only where
the input holds no proof. Besides: every event of a session is told exactly once, and candidates were really logged in.

    /usr/bin/python3 -m tests.interleavings --count 1000000
    /usr/bin/python3 -m tests.interleavings --seed 4711          one of them, printed
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections import Counter
from typing import Any, Optional

from audisp_maldito.engine import Engine
from audisp_maldito.trust import Policy

from .chronicle import Done, Line, Session
from .world import COMPANY, World

START, TICK = 1000.0, 0.25
SETTLE, GIVE_UP = 1.0, 5.0
EARLIEST_US, LATEST_US = -500_000, 30_000_000

Document = dict[str, Any]


class Told:
    """What the engine wrote, with the time of writing."""

    def __init__(self) -> None:
        self.documents: list[tuple[float, Document]] = []
        self.reads: list[float] = []
        """When the journal was read to its end."""

    def took(self, now: float, lines: list[bytes]) -> None:
        self.documents += [(now, json.loads(line)) for line in lines]


def policy_of(world: World) -> Policy:
    return Policy(
        trusted_cas=frozenset([COMPANY]), units_required=world.units_required, audit_identity=world.audit_identity
    )


def run(world: World, engine: Optional[Engine] = None) -> Told:
    """The loop of the plugin, without its clock."""
    engine = engine or Engine(policy_of(world), boot_id="b")
    told = Told()
    inputs: list[tuple[float, int, Any]] = [(line.read_at, 0, line) for line in world.lines]
    inputs += [(read_at, 1, lines) for read_at, lines in world.records]
    inputs.sort(key=lambda item: item[0])
    now, at = START, 0
    end = max((item[0] for item in inputs), default=now) + 2 * GIVE_UP
    while now < end:
        now += TICK
        while at < len(inputs) and inputs[at][0] <= now:
            read_at, kind, what = inputs[at]
            if kind == 0:
                told.took(read_at, engine.sshd(what.entry, read_at))
            else:
                told.took(read_at, engine.feed("".join(line + "\n" for line in what).encode(), read_at))
            at += 1
        readable = not any(start <= now < stop for start, stop in world.stalls)
        if readable:
            told.reads.append(now)
        if engine.deadline(now) is None and not engine.journal_wanted(now):
            continue  # nothing is undecided
        if readable:
            told.took(now, engine.journal_read(now, now))
        told.took(now, engine.tick(now))
    told.took(now, engine.close(now))
    return told


class Proof:
    """What the input proves, found with all of it at hand and no thought of order."""

    def __init__(self, world: World, reads: list[float]) -> None:
        self._reads = reads
        self._lines: dict[Optional[int], list[Line]] = {}
        known = set()
        for line in world.lines:
            if line.counts and (line.entry.pid, line.entry.message) in known:
                continue  # the same line again is no second proof
            known.add((line.entry.pid, line.entry.message))
            self._lines.setdefault(line.entry.pid, []).append(line)
        self._logins: dict[int, list[Session]] = {}
        for session in world.sessions:
            if session.read_at:
                self._logins.setdefault(session.pid, []).append(session)

    def named_from(self, session: Session) -> Optional[float]:
        """When the name must be known; None if the input proves none. -1: before anything of the session is told."""
        if not session.ssh or session.person is None or session.muddled or not session.read_at:
            return None
        candidates = [line for line in self._lines.get(session.pid, ()) if line.counts and self._opens(line, session)]
        words = {line.entry.message for line in candidates}
        if len(words) != 1:
            return None
        come = min(line.read_at for line in candidates)
        give_up = session.read_at + GIVE_UP
        gave_up = START + math.ceil((give_up - START) / TICK) * TICK
        due = session.read_at + SETTLE if come <= gave_up else come + SETTLE
        decided = next((read for read in self._reads if read >= max(due, come)), float("inf"))
        if session.replaced_by is not None and decided >= session.replaced_by.read_at:
            return None
        return -1.0 if decided <= give_up else decided

    def _opens(self, line: Line, session: Session) -> bool:
        opened = session.time_ms * 1000
        if not EARLIEST_US <= opened - line.entry.time_us <= LATEST_US:
            return False
        ends = [other.entry.time_us for other in self._lines[session.pid] if other.ends]
        ends += [other.time_ms * 1000 + 1 for other in self._logins[session.pid] if other is not session]
        # A line as late as half a second after one LOGIN may be that one's; that is no proof for another.
        rivals = [
            o
            for o in self._logins[session.pid]
            if o is not session and abs(o.time_ms * 1000 - line.entry.time_us) < 600_000
        ]
        return not rivals and not any(line.entry.time_us < end <= opened for end in ends)


def complaints(world: World, told: Told) -> list[str]:
    """Everything that is wrong with what was told."""
    wrong = _logins(world, told)
    proof = Proof(world, told.reads)
    done = {one.stamp: one for one in world.done}
    seen: Counter[str] = Counter()
    from_when = {session: proof.named_from(session) for session in world.sessions}
    for now, document in told.documents:
        if not document["type"].endswith("Action"):
            continue
        stamp = document["metadata"]["extra"]["eventId"]
        seen[stamp] += 1
        wrong += [f"{stamp}: {what}" for what in _action(now, document, done[stamp], from_when, world)]
    wrong += [f"{stamp} told {seen[stamp]} times" for stamp in done if seen[stamp] != 1]
    return wrong


def _action(
    now: float, document: Document, one: Done, from_when: dict[Session, Optional[float]], world: World
) -> list[str]:
    root = one.session.root
    person = document["subjects"]["userID"]
    kind = "UserAction" if root.ssh else "SystemAction"
    wrong = [] if document["type"] == kind else [f"{document['type']} for {kind}"]
    if person not in ("unknown", root.person if root.ssh else "unknown"):
        wrong.append(f"WRONG NAME {person!r}, it was {root.person!r}")
    from_then = from_when[root]
    if person == "unknown" and from_then is not None and one.read_at > from_then and now > from_then:
        wrong.append(f"unknown, and {root.person!r} was proven from {from_then} on")
    known = {
        s.person
        for s in world.sessions
        if s.ssh and s.root is s and s.auid == one.session.auid and s.alive[0] <= now and one.read_at <= s.alive[1]
    }
    strangers = set(document.get("data", {}).get("candidates", ())) - known - {"unknown"}
    return [*wrong, f"candidates {strangers} were not there"] if strangers else wrong


def _logins(world: World, told: Told) -> list[str]:
    """No UserLogin, UserLogout or UserIdentified bears a name that its line or session did not have."""
    wrong = []
    lines = {(str(line.entry.pid), line.person) for line in world.lines if line.counts}
    lines |= {(str(s.pid), s.person) for s in world.sessions if s.ssh}
    people = {(str(s.ses), s.person) for s in world.sessions if s.ssh}
    for _, document in told.documents:
        person = document["subjects"]["userID"]
        if person == "unknown" or document["type"].endswith("Action"):
            continue
        if document["type"] == "UserLogin":
            if (document["subjects"]["pid"], person) not in lines:
                wrong.append(f"WRONG NAME {person!r} in {document}")
        elif (document["metadata"]["auditId"], person) not in people:
            wrong.append(f"WRONG NAME {person!r} in {document}")
    return wrong


def check(seed: int) -> tuple[list[str], Counter[str]]:
    """One world: what is wrong, and what there was."""
    world = World(seed)
    told = run(world)
    counts: Counter[str] = Counter(events=len(world.done), sessions=len(world.sessions), lines=len(world.lines))
    for _, document in told.documents:
        name = "unknown" if document["subjects"]["userID"] == "unknown" else "named"
        counts[f"{document['type']} {name}"] += 1
        if "contested" in document.get("data", {}):
            counts["UserLogin contested"] += 1
    return complaints(world, told), counts


def _batch(seeds: range) -> tuple[list[tuple[int, list[str]]], Counter[str]]:
    found, counts = [], Counter[str]()
    for seed in seeds:
        wrong, counted = check(seed)
        counts += counted
        if wrong:
            found.append((seed, wrong))
    return found, counts


def _show(seed: int) -> None:
    world = World(seed)
    told = run(world)
    shown: list[tuple[float, str]] = []
    for line in world.lines:
        e = line.entry
        who = f"uid={e.uid} exe={e.exe} unit={e.unit} {e.transport} ses={e.audit_session}"
        shown.append(
            (
                line.read_at,
                f"sshd[{e.pid}] {e.time_us / 1e6:.4f} {who}{' counts' * line.counts}: {(e.message or '')[:140]}",
            )
        )
    for at, lines in world.records:
        shown.append((at, lines[0].partition("\x1d")[0][:170]))
    for now, document in told.documents:
        extra = document["metadata"]["extra"]
        reason = document.get("data", {}).get("Reason", "")
        what = f"{extra.get('eventId')} ses={extra.get('session') or document['metadata']['auditId']}"
        shown.append(
            (
                now,
                f"    > {document['type']} {document['subjects']['userID']} {what} {reason}",
            )
        )
    for at, text in sorted(shown, key=lambda item: item[0]):
        print(f"{at:9.3f} {text}")
    print("reader stalled:", world.stalls, "\n" + "\n".join(complaints(world, told)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="show this world and what is wrong with it")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        _show(arguments.seed)
        return 0
    last = arguments.first + arguments.count
    batches = [range(start, min(start + 500, last)) for start in range(arguments.first, last, 500)]
    started, finished, bad, totals = time.monotonic(), 0, 0, Counter[str]()
    with multiprocessing.Pool(arguments.processes) as pool:
        for found, counts in pool.imap_unordered(_batch, batches):
            totals += counts
            finished += 500
            for seed, wrong in found:
                bad += 1
                print(f"\nseed {seed}: " + "; ".join(wrong[:3]))
            rate = finished / (time.monotonic() - started)
            print(
                f"\r{min(finished, arguments.count)} worlds, {bad} bad, {rate:.0f}/s ",
                end="",
                file=sys.stderr,
                flush=True,
            )
    print(file=sys.stderr)
    for name, count in sorted(totals.items()):
        print(f"{count:12} {name}")
    print(f"{arguments.count} worlds, {bad} with something wrong, {time.monotonic() - started:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
