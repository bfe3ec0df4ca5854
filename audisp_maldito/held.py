# SPDX-License-Identifier: Apache-2.0
"""Actions that wait for a session's decision, bounded over all sessions."""

from __future__ import annotations

from typing import Optional

from .model import Action
from .session import Session

HELD_ACTIONS = 20_000
HELD_BYTES = 16 << 20
"""1,000 execs a second for 5 s, and well within the 64 MiB the plugin may grow to."""
ACTION_BYTES = 2048
"""What an action takes beside its records' own bytes, as measured: small ones would fill 40 MiB otherwise."""


class Held:
    """Counts what the sessions hold."""

    def __init__(self) -> None:
        self.actions = 0
        self.bytes = 0

    def add(self, holder: Session, session: Session, action: Action) -> bool:
        """Hold an action of `session` until `holder` is decided; False: that is more than may be held."""
        holder.held.append((session, action))
        self.actions += 1
        self.bytes += action.size + ACTION_BYTES
        return self.actions <= HELD_ACTIONS and self.bytes <= HELD_BYTES

    def take(self, holder: Session, before: Optional[str] = None) -> list[tuple[Session, Action]]:
        """What `holder` held, in order: all of it, or what came before the event `before`."""
        ids = [action.id for _, action in holder.held]
        end = ids.index(before) if before in ids else len(ids)
        held, holder.held = holder.held[:end], holder.held[end:]
        self.actions -= len(held)
        self.bytes -= sum(action.size + ACTION_BYTES for _, action in held)
        return held
