# SPDX-License-Identifier: Apache-2.0
"""Actions that wait for a session's decision, bounded over all sessions."""

from __future__ import annotations

from .model import Action
from .session import Session

HELD_ACTIONS = 20_000
HELD_BYTES = 16 << 20
"""1,000 execs a second for 5 s several times over, and well within the 64 MiB the plugin may grow to."""


class Held:
    """Counts what the sessions hold."""

    def __init__(self) -> None:
        self.actions = 0
        self.bytes = 0

    def add(self, holder: Session, session: Session, action: Action) -> bool:
        """Hold an action of `session` until `holder` is decided; False: that is more than may be held."""
        holder.held.append((session, action))
        self.actions += 1
        self.bytes += action.size
        return self.actions <= HELD_ACTIONS and self.bytes <= HELD_BYTES

    def take(self, holder: Session) -> list[tuple[Session, Action]]:
        """What `holder` held, in order."""
        held, holder.held = holder.held, []
        self.actions -= len(held)
        self.bytes -= sum(action.size for _, action in held)
        return held
