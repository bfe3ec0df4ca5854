# SPDX-License-Identifier: Apache-2.0
"""What a session's own events prove of its processes. The ordinary ways stand in tests/scenarios (sudo-*, su-*)."""

from __future__ import annotations

import time
from typing import Any, Optional

import pytest

from audisp_maldito import normalize
from audisp_maldito.lineage import ASKED, PROCESSES, Lineage, Standing
from audisp_maldito.lineages import Lineages
from audisp_maldito.model import Action
from audisp_maldito.session import Session

from . import records
from .events import events

MONITOR = 71
LOGIN = 1000
SUDO = "/usr/bin/sudo"


class Told:
    """A lineage, and what it says of one event after the other."""

    def __init__(self) -> None:
        self.lineage = Lineage(MONITOR)
        self._serial = 0

    def __call__(self, action: Action) -> Standing:
        return self.lineage.place(action, LOGIN)

    def made(self, lines: list[str], serial: Optional[int] = None) -> Action:
        self._serial += 1
        (event,) = events("\n".join(lines).replace("STAMP", f"1000.000:{serial or self._serial}").encode() + b"\n")
        return normalize.action(event)

    def run(self, pid: int, ppid: int, command: str = "id", serial: Optional[int] = None, **ids: Any) -> Standing:
        """A process executes something."""
        return self(self.made(records.execute("STAMP", pid, 5, command.split(), ppid=ppid, **ids), serial))

    def sudo(self, pid: int, command: str, **said: Any) -> Standing:
        """sudo says what it will run."""
        return self(self.made(records.user("STAMP", "USER_CMD", pid, 5, uid=LOGIN, exe=SUDO, cmd=command, **said)))

    def end(self, pid: int) -> Standing:
        """A program closes its PAM session."""
        return self(self.made(records.user("STAMP", "USER_END", pid, 5, uid=LOGIN, exe=SUDO)))

    def call(self, number: int, pid: int, ppid: int, result: int, **ids: int) -> Standing:
        """Another system call of x86_64."""
        lines = records.execute("STAMP", pid, 5, ["x"], ppid=ppid, **ids)
        kept = [line.replace("syscall=59", f"syscall={number}").replace("exit=0", f"exit={result}") for line in lines]
        return self(self.made([line.replace("SYSCALL=execve", "") for line in kept if "EXECVE" not in line]))


@pytest.fixture
def told() -> Told:
    return Told()


def tied(standing: Standing) -> Optional[str]:
    """sudo's command; None where nobody is tied to the deed."""
    assert standing.escalated is not None
    return None if standing.escalated.grant is None else standing.escalated.grant.command


def test_pid_with_another_parent_is_another_process(told: Told) -> None:
    told.sudo(81, "script")
    assert tied(told.run(82, 81, "script", uid=0)) == "script"
    told.run(82, 80)
    assert tied(told.run(83, 82, uid=0)) is None


def test_adopted_process_is_the_same(told: Told) -> None:
    told.sudo(81, "script")
    told.run(82, 81, "script", uid=0)
    standing = told.run(82, 1, uid=0)
    assert (standing.detached, tied(standing)) == (True, "script")


def test_process_that_says_it_ends_is_forgotten(told: Told) -> None:
    exit_group = 231
    told.sudo(81, "script")
    told.run(82, 81, "script", uid=0)
    told.call(exit_group, 82, 81, 0, uid=0)
    assert tied(told.run(83, 82, uid=0)) is None


def test_born_and_never_seen(told: Told) -> None:
    """Where forks are audited, they tell of the process between sudo and its command."""
    clone = 56
    told.sudo(81, "other words")
    told.call(clone, 81, 80, 82, euid=0)
    assert tied(told.run(83, 82, "script", uid=0)) == "other words"


def test_birth_takes_nobodys_place(told: Told) -> None:
    """In a namespace of pids the number that clone returns is another process's here."""
    clone = 56
    told.run(90, 1)
    told.sudo(81, "script")
    told.call(clone, 81, 80, 90, uid=0)
    assert told.run(91, 90).detached


def test_sudo_that_has_ended_hands_nothing_on(told: Told) -> None:
    """Its pid may be another's, and so may those of its children that were not seen since."""
    told.sudo(81, "script")
    told.run(82, 81, "script", uid=0)
    told.run(83, 81, "script", uid=0)
    told.end(81)
    assert tied(told.run(84, 81, uid=0)) is None
    assert tied(told.run(85, 82, uid=0)) is None
    assert tied(told.run(83, 1, uid=0)) == "script"
    assert tied(told.run(86, 83, uid=0)) == "script"


def test_read_late(told: Told) -> None:
    """Events are read in the order of their ends: what is told does not depend on it."""
    told.run(80, 75, serial=1)
    told.sudo(81, "script")
    told.end(81)  # serial 3
    told._serial = 10
    assert tied(told.run(82, 81, "script", serial=3, uid=0)) == "script"
    assert tied(told.run(83, 81, "script", serial=1, uid=0)) is None
    told.run(90, 1, serial=20)
    assert not told.run(90, 80, serial=19).detached
    assert told.run(91, 90, serial=21).detached
    assert not told.run(92, 90, serial=18).detached


def test_its_own_record_read_late(told: Told) -> None:
    told._serial = 10
    told.sudo(81, "script")
    standing = told.run(81, 80, "sudo script", serial=1, euid=0)
    assert standing.escalated is not None
    assert standing.escalated.grant is not None
    assert standing.escalated.grant.event == "1000.000:1"
    assert tied(told.run(82, 81, "script", uid=0)) == "script"


def test_given_up(told: Told) -> None:
    """A process that is the account again hands nothing on; one that only pretends to be for a while does."""
    told.sudo(81, "script")
    told.run(82, 81, "script", uid=0)
    told.run(82, 81, "script", uid=LOGIN)
    assert tied(told.run(83, 82, uid=0)) is None
    told.run(84, 81, "script", uid=0)
    openat = 257
    told.call(openat, 84, 81, 3, uid=0, euid=LOGIN)
    assert tied(told.run(85, 84, uid=0)) == "script"


def test_terminal_of_sudo(told: Told) -> None:
    """Processes on it that nobody saw the parent of are sudo's, as long as sudo lives, and as that user."""

    def at(tty: str, pid: int, ppid: int, uid: int = 0) -> Standing:
        lines = records.execute("STAMP", pid, 5, ["bash"], ppid=ppid, uid=uid)
        return told(told.made([line.replace("tty=pts0", f"tty={tty}") for line in lines]))

    told.run(81, 80, "sudo -i", euid=0)
    told.sudo(81, "bash")
    assert tied(at("pts1", 83, 82)) == "bash"
    assert tied(at("pts1", 85, 84)) == "bash"
    assert tied(at("pts2", 87, 86)) is None
    assert tied(at("pts1", 89, 88, uid=1001)) is None
    told.end(81)
    assert tied(at("pts1", 91, 90)) is None


def test_terminal_of_the_login(told: Told) -> None:
    """Where sudo makes none, others may act as root on the one that there is."""
    told.run(81, 80, "sudo x", euid=0)
    told.sudo(81, "x")
    assert tied(told.run(83, 82, "x", uid=0)) == "x"
    assert tied(told.run(85, 84, uid=0)) is None


def test_monitor_is_the_login_itself(told: Told) -> None:
    login = told(told.made(records.login("STAMP", MONITOR, 5)))
    assert login == Standing()
    standing = told.run(72, MONITOR, "run-parts", uid=0)
    assert standing.escalated is not None
    assert standing.escalated.grant is not None
    assert standing.escalated.grant.by == records.SSHD


def test_file_without_its_bit_is_no_grant(told: Told) -> None:
    """bash -p keeps the effective id, and what it starts has it too."""
    assert told.run(81, 80, "passwd", euid=0).escalated is not None
    lines = records.execute("STAMP", 82, 5, ["ls"], ppid=80, uid=1000, euid=0)
    plain = told(told.made([line.replace("mode=0104755", "mode=0100755") for line in lines]))
    assert plain.escalated is not None
    assert plain.escalated.grant is None


def test_bounded(told: Told) -> None:
    for pid in range(1000, 1000 + 3 * PROCESSES):
        told.sudo(pid, f"command {pid}")
    assert len(told.lineage) == PROCESSES
    assert len(told.lineage._asked) == ASKED
    assert tied(told.run(99, 98, f"command {1000 + 3 * PROCESSES - 1}", uid=0)) is not None


def test_sessions_are_bounded_together() -> None:
    """Those that have been silent for longest are forgotten."""
    lineages, told = Lineages(kept=20), Told()
    sessions = [Session(number, LOGIN, None) for number in range(10)]
    for session in sessions:
        for pid in (90, 91):
            lineages.place(session, told.made(records.execute("STAMP", pid, 5, ["x"], ppid=1)))
    assert lineages.forgotten == 4
    child = told.made(records.execute("STAMP", 92, 5, ["x"], ppid=91))
    assert not lineages.place(sessions[0], child).detached
    assert lineages.place(sessions[9], child).detached


def test_session_that_is_over_is_kept_only_for_who_has_left_it() -> None:
    lineages, told = Lineages(kept=20), Told()
    plain, left = Session(1, LOGIN, None), Session(2, LOGIN, None)
    for session, ppid in ((plain, MONITOR), (left, 1)):
        session.pid = MONITOR
        lineages.place(session, told.made(records.execute("STAMP", 90, 5, ["x"], ppid=ppid)))
        session.ended = True
        lineages.ended(session)
    assert list(lineages._lineages) == [left]
    assert lineages._kept == 2
    lineages.place(plain, told.made(records.user("STAMP", "CRED_DISP", MONITOR, 5)))
    assert list(lineages._lineages) == [left]
    assert lineages.place(plain, told.made(records.execute("STAMP", 91, 5, ["x"], ppid=90))).detached


def test_time_is_in_proportion() -> None:
    """However many processes and open sudos there are."""

    def seconds(count: int) -> float:
        told = Told()
        made = [
            told.made(records.user("STAMP", "USER_CMD", n, 5, uid=LOGIN, exe=SUDO, cmd=f"x{n}")) for n in range(count)
        ]
        made += [told.made(records.execute("STAMP", 10**6 + n, 5, ["x"], ppid=10**7 + n, uid=0)) for n in range(count)]
        started = time.perf_counter()
        for action in made:
            told(action)
        return time.perf_counter() - started

    small, large = min(seconds(300) for _ in range(3)), min(seconds(2400) for _ in range(3))
    assert large < 8 * 4 * small + 0.01
