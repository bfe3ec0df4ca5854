# SPDX-License-Identifier: Apache-2.0
"""The stores of a tracker, as one value."""

from __future__ import annotations

from typing import NamedTuple

from .acceptances import Acceptances
from .lineages import Lineages
from .partials import Partials
from .session import Session
from .sessions import Sessions
from .testimony import Testimonies


class Memory(NamedTuple):
    """All that a tracker knows but for what it holds of the stream: for another process to go on with (saved.py)."""

    sessions: Sessions
    waiting: dict[Session, None]
    acceptances: Acceptances
    partials: Partials
    testimonies: Testimonies
    lineages: Lineages
