# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, never for an amount of time: the pause below only spares the processor between two looks."""

from __future__ import annotations

import select
import time
from typing import Callable, Optional, TypeVar

T = TypeVar("T")

PAUSE_S = 0.02


def until(condition: Callable[[], Optional[T]], what: str, timeout: float = 60.0) -> T:
    """The first true value of `condition`; an AssertionError that names `what` if none came in time."""
    give_up = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {timeout:g} s in vain for {what} (last seen: {value!r})")
        select.select([], [], [], PAUSE_S)
