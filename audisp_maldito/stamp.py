# SPDX-License-Identifier: Apache-2.0
"""Times and identifiers as the documents write them, computed from what happened and from nothing else."""

from __future__ import annotations

from datetime import datetime, timezone

_NAMESPACE = "6f0f6c6e-52a5-5a0e-9d0c-2d6d3a1c7a11"


def rfc3339(ticks: int, per_second: int) -> str:
    """UTC as Go's RFC3339Nano writes it: the fraction without trailing zeros, no fraction if it is zero."""
    seconds, fraction = divmod(ticks, per_second)
    try:
        text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        # A forged or garbled stamp past the year 9999.
        return "9999-12-31T23:59:59Z"
    digits = f"{fraction:0{len(str(per_second)) - 1}d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def identifier(*what: object) -> str:
    """A UUIDv5 of what happened: the same input gives the same identifier, whenever it is read."""
    import uuid  # 3 ms of start-up that the first login can pay

    return str(uuid.uuid5(uuid.UUID(_NAMESPACE), ascii(what)))  # unlike joined text: no part can pass for two
