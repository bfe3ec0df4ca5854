# SPDX-License-Identifier: Apache-2.0
"""The methods that worked before the last one did: sshd's "Partial …" lines, kept until the connection's "Accepted …".

With AuthenticationMethods a login takes several methods, and only the last one's line says "Accepted"; the others are
logged at LogLevel VERBOSE, by the same monitor. They belong to one login when pid, account, address and port are the
same and nothing between them says that the process ended or is at another connection: a pid comes round in a second,
and a client may choose its port.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from .acceptances import Acceptances
from .model import Login, SshdEntry

PATIENCE_US = 150_000_000
"""LoginGraceTime is 120 s by default; the lines of one connection cannot be further apart."""
CLOCK_BACK_US = 500_000
"""A line is never dated before one that was written earlier, but for a clock that is slewed."""
PIDS = 10_000
PER_PID = 16
"""AuthenticationMethods with more methods than this does not exist; the oldest lines go."""


class Partials:
    """A bounded store. It decides nothing but what belongs together."""

    def __init__(self) -> None:
        self._of_pid: OrderedDict[int, list[tuple[SshdEntry, Login]]] = OrderedDict()

    def add(self, entry: SshdEntry, login: Login) -> None:
        """A partial success that counts."""
        pid = entry.pid or 0
        lines = self._of_pid.setdefault(pid, [])
        self._of_pid.move_to_end(pid)
        if all(login.text != other.text for _, other in lines):
            lines.append((entry, login))
        del lines[:-PER_PID]
        if len(self._of_pid) > PIDS:
            self._of_pid.popitem(last=False)

    def pids(self) -> Iterable[int]:
        """Those that something is kept of."""
        return self._of_pid

    def of_pid(self, pid: int) -> Sequence[tuple[SshdEntry, Login]]:
        """In the order they came."""
        return self._of_pid.get(pid, ())

    def take(self, entry: SshdEntry, login: Login, acceptances: Acceptances) -> tuple[Login, ...]:
        """The methods before this acceptance's own, in their order; what else the pid said is forgotten."""
        lines = self._of_pid.pop(entry.pid or 0, [])
        return tuple(
            partial
            for said, partial in lines
            if (partial.user, partial.source, partial.port) == (login.user, login.source, login.port)
            and -CLOCK_BACK_US <= entry.time_us - said.time_us <= PATIENCE_US
            and not acceptances.gone_between(said, entry, (login.source, login.port))
        )
