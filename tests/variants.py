# SPDX-License-Identifier: Apache-2.0
"""One recording in every form in which auditd may hand it out: RAW or ENRICHED, with or without node=, with or without
EOE.
"""

from __future__ import annotations

import re
from typing import Any, Callable

_STAMP = re.compile(rb"type=(\S+) msg=(audit\([^)]*\):)")

Variant = Callable[[list[bytes]], list[bytes]]


def raw(lines: list[bytes]) -> list[bytes]:
    """log_format = RAW."""
    return [line.partition(b"\x1d")[0] for line in lines]


def with_node(lines: list[bytes]) -> list[bytes]:
    """name_format = hostname."""
    return [b"node=web7 " + line for line in lines]


def without_eoe(lines: list[bytes]) -> list[bytes]:
    """As audit.log has it."""
    return [line for line in lines if not line.startswith(b"type=EOE ")]


def with_eoe(lines: list[bytes]) -> list[bytes]:
    """As a plugin gets it: after the last record of each event that a system call caused."""
    stamps = [match[2] if match else b"" for match in map(_STAMP.match, lines)]
    calls = {stamp for stamp, line in zip(stamps, lines) if line.startswith((b"type=SYSCALL ", b"type=PROCTITLE "))}
    last = {stamp: number for number, stamp in enumerate(stamps)}
    made: list[bytes] = []
    for number, (stamp, line) in enumerate(zip(stamps, lines)):
        made.append(line)
        if stamp in calls and last[stamp] == number and not line.startswith(b"type=EOE "):
            made.append(b"type=EOE msg=" + stamp + b" ")
    return made


def both(first: Variant, second: Variant) -> Variant:
    return lambda lines: second(first(lines))


VARIANTS: dict[str, Variant] = {
    "raw": raw,
    "node": with_node,
    "eoe": with_eoe,
    "no-eoe": without_eoe,
    "raw-node": both(raw, with_node),
    "raw-eoe": both(raw, with_eoe),
    "raw-no-eoe": both(raw, without_eoe),
    "node-eoe": both(with_eoe, with_node),
    "raw-node-eoe": both(both(raw, with_eoe), with_node),
}


def without_names(document: dict[str, Any]) -> dict[str, Any]:
    """What every form has: not the names of uids and gids, which only ENRICHED has, and not the node itself."""
    extra = document["metadata"]["extra"]
    extra.pop("node", None)
    extra.pop("seq", None)
    extra.pop("names", None)
    if document["source"]["value"] == "unknown":
        # Without a login `loggedAs` is auid's name, or its number where nobody wrote a name.
        document["subjects"].pop("loggedAs", None)
    return document
