# SPDX-License-Identifier: Apache-2.0
"""The lineages of all SSH sessions, bounded together: whoever starts many processes in one session costs that one its
oldest, whoever opens many sessions those that have been silent for longest.  Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from .grants import order_of
from .lineage import Lineage, Standing
from .model import Action
from .session import Session

KEPT = 16_384
"""Processes and sessions in all, at about 400 bytes each: 8 MiB at the very most."""


class Lineages:
    """One for each root session that has acted lately."""

    def __init__(self, kept: int = KEPT) -> None:
        self._most = kept
        self._lineages: OrderedDict[Session, Lineage] = OrderedDict()
        self._kept = 0
        self.forgotten = 0

    def ended(self, root: Session) -> None:
        """The monitor closed its session. Of most nothing is left that acts; where a process has left it or was granted
        something, what is known stays, as the first to go."""
        lineage = self._lineages.get(root)
        if lineage is None:
            return
        del self._lineages[root]
        if lineage.outlives():
            self._lineages[root] = lineage
            self._lineages.move_to_end(root, last=False)
        else:
            self._kept -= 1 + len(lineage)

    def adopt(self, root: Session, adrift: Collection[int]) -> None:
        """What an earlier process knew of a session's detached processes."""
        lineage = self._lineages[root] = Lineage(root.pid)
        lineage.adopt(adrift)
        self._kept += 1 + len(lineage)

    def place(self, root: Session, action: Action) -> Standing:
        """Where the process that acts now stands in its session, or in the one that its session was opened from."""
        lineage = self._lineages.pop(root, None)
        if lineage is None:
            if root.ended and action.pid == root.pid:
                return Standing()  # its last words, which would begin a lineage anew
            lineage = Lineage(root.pid)
            self._kept += 1
        self._lineages[root] = lineage
        before = len(lineage)
        standing = lineage.place(action, root.auid)
        self._kept += len(lineage) - before
        while self._kept > self._most and len(self._lineages) > 1:
            oldest = next(iter(self._lineages))
            self._kept -= 1 + len(self._lineages.pop(oldest))
            self.forgotten += 1
        left = root.ended and action.pid != root.pid and order_of(action) > root.ended_at
        return standing._replace(detached=True) if left else standing
