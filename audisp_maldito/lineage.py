# SPDX-License-Identifier: Apache-2.0
"""Who acts within one session: does the process descend from the login's monitor, and how did it come to act as
somebody else than the account that logged in? Pure.

The table holds the session's processes as its own events show them: pid, parent, when last seen. Records come of some
deeds only (often only of execve), so a process may be missing, or gone without a word and its pid another's by now. A
pid whose parent is another than before is another process; one that says it ends is forgotten, and so is a grant's
reach when sudo or su has said that it ends, but for those seen to live on. Only what is certain is told: everything
else is left out.

* Detached: init is the parent, or a detached process is. It was adopted when its own parent died (tmux and screen
  servers, nohup, daemons), so it and all that it starts are out of the login's reach: another login may steer it by a
  socket.
* Escalated: the effective uid is not the login's, and it is not the monitor, which is the login itself. The grant
  (grants.py) that led there is the process's own or its parent's; what sshd starts before it becomes the account has
  it from the LOGIN. A process all of whose ids are the login's has lost it.

On a terminal sudo puts a process between itself and its command, of which no record tells. So where a command's
parent was never seen, and exactly one sudo was told to run those very words, has not run them yet and has not ended,
it is that one's. The terminal that sudo made for it is nobody else's until sudo ends: whoever acts there as that
user, child of a subshell that nobody saw, is its descendant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional, TypeVar

from .grants import ENDS, Grant, Order, granted, order_of
from .model import Action

INIT = 1
PROCESSES = 1024
"""Remembered of one session; then those not seen for longest are forgotten, and nothing is told by them."""
ASKED = 64
"""Sudos of one session that have not ended, and their terminals: more than anybody types into."""
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_BEARS = frozenset(["fork", "vfork", "clone", "clone3"])


class Escalation(NamedTuple):
    """`euid` is not the login's; `grant`: how that came about, where it is certain."""

    euid: int
    grant: Optional[Grant]
    account: Optional[str]
    """The grant's, by then."""


class Standing(NamedTuple):
    """Where an acting process stands in its session."""

    detached: bool = False
    escalated: Optional[Escalation] = None


class _Process:
    """`adrift`: since when it is known to be detached. `grant`, `earlier`: its last two grants."""

    __slots__ = ("adrift", "earlier", "grant", "ppid", "seen", "tty")

    def __init__(self, ppid: Optional[int], seen: Order) -> None:
        self.ppid = ppid
        self.seen = seen
        self.tty: Optional[str] = None
        self.adrift: Optional[Order] = None
        self.grant: Optional[Grant] = None
        self.earlier: Optional[Grant] = None

    def take(self, grant: Grant) -> None:
        """Older ones may be read later."""
        if self.grant is not None and grant.order < self.grant.order:
            self.earlier = grant
        else:
            self.grant, self.earlier = grant, self.grant

    def granted(self, order: Order) -> Optional[Grant]:
        """The grant that held then."""
        return next((grant for grant in (self.grant, self.earlier) if grant is not None and grant.order <= order), None)

    def hands_on(self, pid: int, order: Order) -> Optional[Grant]:
        """What a child of its own that acts then has of it. Once sudo or su has ended, their pids, and those of their
        children that were not seen since, may be others'."""
        grant = self.granted(order)
        if grant is None or grant.over is None or order <= grant.over:
            return grant
        return grant if grant.pid != pid and self.seen > grant.over else None


class Lineage:
    """The processes of one session and its heirs, whose login's monitor is `monitor`."""

    __slots__ = ("_asked", "_monitor", "_processes", "_terminals")

    def __init__(self, monitor: Optional[int]) -> None:
        self._monitor = monitor
        self._processes: dict[int, _Process] = {}
        self._asked: dict[Grant, None] = {}
        self._terminals: dict[str, tuple[Grant, int]] = {}

    def __len__(self) -> int:
        return len(self._processes)

    def outlives(self) -> bool:
        """Is there anything worth knowing when the monitor has closed the session?"""
        others = (process for pid, process in self._processes.items() if pid != self._monitor)
        return any(process.adrift is not None or process.grant is not None for process in others)

    def place(self, action: Action, login: Optional[int]) -> Standing:
        """Where the process stands that acts now. Called for every action, in the order of reading; `login` is the uid
        of the account that logged in."""
        pid, order = action.pid, order_of(action)
        if pid is None:
            return Standing()
        process = self._process(pid, action.ppid, order)
        process.tty = action.tty or process.tty
        self._drift(process, pid, action.ppid, order)
        self._grant(process, action, order)
        adrift = process.adrift is not None and process.adrift <= order
        standing = Standing(adrift, self._escalated(process, action, login))
        if action.syscall == "exit_group" or action.type == "ANOM_ABEND":
            self._processes.pop(pid, None)
        elif action.syscall in _BEARS and action.result == "success" and action.exit:
            self._born(action.exit, pid, order)
        return standing

    def adopt(self, adrift: Iterable[int]) -> None:
        """Processes that were known to be detached before there was this object."""
        for pid in adrift:
            self._processes[pid] = process = _Process(INIT, (0, 0))
            process.adrift = (0, 0)

    def _process(self, pid: int, ppid: Optional[int], order: Order) -> _Process:
        known = self._processes.get(pid)
        if known is not None and ppid is not None and known.ppid != ppid and pid != self._monitor:
            if known.ppid is None or ppid == INIT:
                known.ppid = ppid
                if known.grant is None:
                    self._inherit(known, order)
            elif order < known.seen:
                # Read late: what it was before it was adopted, or whose pid it was before.
                earlier = _Process(ppid, order)
                self._inherit(earlier, order)
                return earlier
            else:
                known = None
        if known is None:
            known = _Process(ppid, order)
            self._inherit(known, order)
        known.seen = max(known.seen, order)
        self._keep(pid, known)
        return known

    def _keep(self, pid: int, process: _Process) -> None:
        self._processes.pop(pid, None)
        self._processes[pid] = process
        if len(self._processes) > PROCESSES:
            del self._processes[next(iter(self._processes))]

    def _inherit(self, process: _Process, order: Order) -> None:
        parent = None if process.ppid is None else self._processes.get(process.ppid)
        if parent is not None and process.ppid is not None:
            process.grant = parent.hands_on(process.ppid, order)

    def _drift(self, process: _Process, pid: int, ppid: Optional[int], order: Order) -> None:
        if ppid is None or pid == self._monitor:
            return
        parent = None if ppid == self._monitor else self._processes.get(ppid)
        if ppid == INIT or (parent is not None and parent.adrift is not None and parent.adrift <= order):
            process.adrift = order if process.adrift is None else min(process.adrift, order)
        else:
            process.adrift = None

    def _born(self, pid: int, ppid: int, order: Order) -> None:
        """A child that may never act itself. In a namespace of pids its number means another process, so it takes
        nobody's place."""
        if pid not in self._processes:
            child = _Process(ppid, order)
            self._inherit(child, order)
            self._keep(pid, child)

    def _grant(self, process: _Process, action: Action, order: Order) -> None:
        own = process.grant if process.grant is not None and process.grant.pid == action.pid else None
        if action.pid == self._monitor:
            if action.start is not None:
                process.take(Grant(action))
            return
        if action.type in ENDS and own is not None:
            own.over = own.over or order
            self._asked.pop(own, None)
            return
        grant = granted(action)
        if grant is None:
            return
        if own is not None and own.command is not None and own.over is None and action.type == "USER_START":
            own.account = grant.account
            return
        process.take(grant)
        if grant.command is not None:
            _put(self._asked, grant, None)

    def _escalated(self, process: _Process, action: Action, login: Optional[int]) -> Optional[Escalation]:
        euid = action.user.get("euid")
        if euid is None or login is None or action.pid == self._monitor:
            return None
        if euid == login:
            if {action.user.get("uid"), action.user.get("suid")} == {login}:
                process.grant = process.earlier = None
                self._terminals.pop(action.tty or "", None)  # not sudo's alone any more
            return None
        grant = process.granted(order_of(action)) or self._on_a_terminal(process, action, euid)
        if grant is not None and action.args and grant.words == _words(action):
            self._asked.pop(grant, None)  # it has run
        return Escalation(euid, grant, None if grant is None else grant.account)

    def _on_a_terminal(self, process: _Process, action: Action, euid: int) -> Optional[Grant]:
        """The sudo whose command or terminal this is, through processes that nobody saw."""
        if process.ppid is None or process.ppid in self._processes:
            return None
        order = order_of(action)
        grant, user = self._terminals.get(action.tty or "", (None, -1))
        if grant is None or user != euid or order < grant.order or (grant.over is not None and grant.over < order):
            grant = self._asked_for(action, order)
            if grant is None:
                return None
            sudo = self._processes.get(grant.pid or 0)
            if action.tty is not None and sudo is not None and sudo.tty not in (None, action.tty):
                _put(self._terminals, action.tty, (grant, euid))
            between = _Process(grant.pid, order)
            between.grant = grant
            self._keep(process.ppid, between)
        process.take(grant)
        return grant

    def _asked_for(self, action: Action, order: Order) -> Optional[Grant]:
        if not action.args:
            return None
        words = _words(action)
        told = [grant for grant in self._asked if grant.words == words and grant.order <= order]
        return told[0] if len(told) == 1 else None


def _put(bounded: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """The oldest goes when there are too many."""
    bounded[key] = value
    if len(bounded) > ASKED:
        del bounded[next(iter(bounded))]


def _words(action: Action) -> int:
    """The command line as sudo writes one, or rather what it hashes to."""
    return hash(" ".join(action.args))
