# SPDX-License-Identifier: Apache-2.0
"""The engine's promises to the loop around it. What it tells stands in tests/scenarios."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from audisp_maldito.engine import NOTICES, Engine
from audisp_maldito.model import SshdEntry
from audisp_maldito.trust import Policy

from . import documents, records
from .scenario import BOOT, COMPANY
from .sessions import entry

POLICY = Policy(host="web1", machine_id="mid", trusted_cas=frozenset([COMPANY]))
ALICE = (
    "Accepted publickey for core from 192.0.2.7 port 50482 ssh2: ED25519-CERT SHA256:AliceKey ID alice@example.org "
    "(serial 7) CA ED25519 SHA256:Company"
)


def said(pid: int, message: str, time: float = 1000.0, **fields: Any) -> SshdEntry:
    return entry(pid, time, **{"message": message, "size": len(message), **fields})


def data(*events: list[str]) -> bytes:
    return "".join(line + "\n" for lines in events for line in lines).encode()


def types(lines: list[bytes]) -> list[str]:
    return [documents.read(line)["type"] for line in lines]


@pytest.fixture
def engine() -> Engine:
    return Engine(POLICY, boot_id=BOOT)


def test_from_bytes_to_documents(engine: Engine) -> None:
    """The whole path, in writing order, numbered without a hole."""
    lines = engine.sshd(said(71, ALICE), 1000.0)
    lines += engine.feed(data(records.login("1000.010:1", 71, 5), records.execute("1000.020:2", 80, 5, ["ls"])), 1000.0)
    lines += engine.journal_read(1001.0, 1001.0)
    lines += engine.feed(data(records.user("1002.000:3", "USER_END", 71, 5)), 1002.0)
    lines += engine.close(1003.0)

    written = documents.read_all(lines)
    assert [d["type"] for d in written] == ["UserLogin", "UserAction", "UserAction", "UserAction", "UserLogout"]
    assert {d["metadata"]["extra"]["bootId"] for d in written} == {BOOT}
    assert {d["target"]["host"] for d in written} == {"web1"}


def test_half_a_line_is_kept(engine: Engine) -> None:
    """What the socket gave is not yet a record."""
    whole = data(records.user("1002.000:3", "USER_END", 71, 5))

    assert engine.feed(whole[:50], 1000.0) == []
    assert engine.feed(whole[50:], 1000.0) == [], "the next record may be the sendto that it came by"
    assert types(engine.tick(1000.005)) == ["SystemAction"]


def test_deadline(engine: Engine) -> None:
    """The earliest of: an event in flight, an undecided LOGIN, a refusal that waits."""
    assert engine.deadline(1000.0) is None
    engine.sshd(said(90, "Invalid user x from 192.0.2.66 port 9"), 1000.0)
    assert engine.deadline(1000.0) == 1150.0
    engine.feed(b"type=CONFIG_CHANGE msg=audit(1000.000:1): auid=1000 ses=4 op=x res=1\n", 1000.0)
    assert engine.deadline(1000.0) == 1002.0
    engine.feed(data(records.login("1000.010:2", 71, 5)), 1000.5)
    assert engine.deadline(1000.5) == 1001.5
    assert engine.journal_wanted(1001.5)
    engine.journal_read(1001.5, 1001.5)
    assert not engine.journal_wanted(1001.6)


def test_tick_does_what_was_due(engine: Engine) -> None:
    """After it nothing is due at that time."""
    engine.sshd(said(90, "Invalid user x from 192.0.2.66 port 9"), 1000.0)
    engine.sshd(said(91, ALICE), 1000.0)
    engine.feed(b"type=CONFIG_CHANGE msg=audit(1000.000:1): auid=1000 ses=4 op=x res=1\n", 1000.0)
    engine.feed(data(records.login("1000.010:2", 71, 5)), 1000.0)
    found: list[str] = []
    now: Optional[float] = 1000.0
    while now is not None:
        found += types(engine.journal_read(now, now) + engine.tick(now))
        then, now = now, engine.deadline(now)
        assert now is None or now > then

    assert sorted(found) == ["SystemAction", "UserAction", "UserLogin", "UserLogin", "UserLogin"]
    assert engine.deadline(2000.0) is None


def test_notices_say_what_is_suspicious(engine: Engine) -> None:
    """Forgeries by uid, contested logins, untrusted CAs; hostile text escaped; read once."""
    engine.sshd(said(71, ALICE, uid=1000, exe="/tmp/\x1b[31m"), 1000.0)
    engine.sshd(said(71, ALICE), 1000.0)
    engine.sshd(said(71, ALICE.replace("alice", "bob")), 1000.0)
    engine.sshd(said(72, ALICE.replace("Company", "Mallory").replace("core", "\\033[31m")), 1000.0)
    engine.close(1000.0)
    keys, lines = zip(*engine.notices())

    assert {key.split()[0] for key in keys} == {"forged", "contested", "untrusted"}
    assert all(line.isprintable() for line in lines)
    assert engine.notices() == []


def test_notices_are_bounded(engine: Engine) -> None:
    """A flood of forgeries is a number, not memory."""
    for uid in range(1000, 3000):
        engine.sshd(said(71, ALICE, uid=uid, exe="/usr/bin/logger"), 1000.0)

    assert len(engine.notices()) <= NOTICES
    assert engine.stats()["forgeries"] == 2000


@pytest.mark.parametrize(
    ("fields", "counter"),
    [
        ({"message": None}, "sshd_entries_unreadable"),
        ({"pid": None}, "sshd_entries_unreadable"),
        ({"line_break": True}, "sshd_entries_unreadable"),
        ({"message": "Server listening on nothing we know"}, "sshd_entries_other"),
        ({"uid": 1000, "exe": "/usr/bin/logger"}, "forgeries"),
        ({"exe": None}, "forgeries"),
        ({"unit": "docker-1.scope"}, "forgeries"),
    ],
)
def test_what_is_not_told_is_counted(engine: Engine, fields: dict[str, Any], counter: str) -> None:
    assert engine.sshd(said(71, ALICE)._replace(**fields), 1000.0) == []
    assert engine.stats()[counter] == 1
    assert engine.close(1000.0) == []


def test_childs_lines_are_no_forgeries(engine: Engine) -> None:
    """The user's own sshd process says goodbye with that user's uid, and is often gone before journald looks."""
    for exe in ("/usr/sbin/sshd", None):
        engine.sshd(said(73, "Disconnected from user core 192.0.2.7 port 50482", uid=1000, exe=exe), 1000.0)
        engine.sshd(said(73, "Received disconnect from 192.0.2.7 port 50482:11: bye", uid=1000, exe=exe), 1000.0)

    assert engine.stats()["forgeries"] == 0


def test_forged_elsewhere(engine: Engine) -> None:
    """The second reader, which counts imitations without reading them."""
    engine.forged(1000, None, 17)
    engine.forged(None, "/usr/bin/logger", 1)

    assert engine.stats()["forgeries"] == 18
    assert len(engine.notices()) == 2


def test_lost(engine: Engine) -> None:
    """What could not be told is a document; told twice it is the same one."""
    once, again = (
        documents.read(engine.lost("1000.000:1", "1001.000:9", 9, "the queue was full")[0]) for _ in range(2)
    )

    assert once["data"] == {"count": 9, "first": "1000.000:1", "last": "1001.000:9", "reason": "the queue was full"}
    assert once["metadata"]["auditId"] == again["metadata"]["auditId"]
    assert (engine.stats()["gaps"], engine.stats()["events_lost"]) == (2, 18)


def test_stats_are_numbers(engine: Engine) -> None:
    """One flat mapping, from the assembler's lines to the documents."""
    engine.feed(data(records.execute("1000.000:1", 80, 5, ["ls"])) + b"garbage\n", 1000.0)
    stats = engine.stats()

    assert all(type(value) is int for value in stats.values())
    assert (stats["lines"], stats["rejected"], stats["actions"], stats["documents"]) == (7, 1, 1, 1)


def test_filter_of_ssh_sessions() -> None:
    """cron's session is watched until its LOGIN says what it is, and skipped in C from then on."""
    engine = Engine(POLICY._replace(sessions="ssh"))
    engine.feed(data(records.login("1000.000:1", 60, 4, exe="/usr/sbin/cron")), 1000.0)
    before = engine.stats()["actions"]
    engine.feed(data(*(records.execute(f"1000.000:{n}", 61, 4, ["job"]) for n in range(2, 9))), 1000.0)

    assert engine.stats()["actions"] == before
    assert engine.stats()["documents"] == 0


def test_documents_fit() -> None:
    """A command line of two megabytes is one line that shippers take."""
    engine = Engine(POLICY._replace(max_document_bytes=5000))
    pieces = "".join(f" a1[{n}]=" + "41" * 3500 for n in range(300))
    stamp = "1000.000:1"
    lines = records.execute(stamp, 80, 5, ["sh"])
    lines[1] = f'type=EXECVE msg=audit({stamp}): argc=2 a0="sh" a1_len=2100000'
    for piece in pieces.split(" ")[1:]:
        lines.insert(2, f"type=EXECVE msg=audit({stamp}): {piece}")
    (line,) = engine.feed(data(lines), 1000.0)

    extra = documents.read(line)["metadata"]["extra"]
    assert len(line) <= 5000
    assert extra["process_args"][0] == "sh" and extra["process_args"][1].startswith("AAAA")
    assert extra["argsTruncated"]["bytes"] == 2 + 1 + 300 * 3500


def test_reconfigure(engine: Engine) -> None:
    """What is read from now on is judged by the new policy; a login that has been stays what it was."""
    engine.sshd(said(71, ALICE), 1000.0)
    engine.feed(data(records.login("1000.010:1", 71, 5)), 1000.0)
    engine.journal_read(1001.0, 1001.0)
    engine.reconfigure(POLICY._replace(trusted_cas=frozenset(), host="web2"))
    (line,) = engine.feed(data(records.execute("1002.000:2", 80, 5, ["ls"])), 1002.0)
    engine.sshd(said(72, ALICE, 1003.0), 1003.0)
    engine.feed(data(records.login("1003.010:3", 72, 6)), 1003.0)
    login = documents.read(engine.journal_read(1004.0, 1004.0)[0])

    document = documents.read(line)
    assert (document["subjects"]["userID"], document["target"]["host"]) == ("alice@example.org", "web2")
    assert (login["subjects"]["userID"], login["data"]["CATrust"]) == ("unknown", "untrusted")


def test_close_twice(engine: Engine) -> None:
    engine.feed(data(records.login("1000.000:1", 71, 5)), 1000.0)

    assert types(engine.close(1000.0)) == ["UserLogin", "UserAction"]
    assert engine.close(1000.0) == []
