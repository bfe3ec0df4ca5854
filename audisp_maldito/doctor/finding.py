# SPDX-License-Identifier: Apache-2.0
"""What a check found, and how the page shows it."""

from __future__ import annotations

import json
from typing import NamedTuple, Optional

GREEN, AMBER, RED, UNKNOWN = "green", "amber", "red", "unknown"
ORDER = (RED, AMBER, UNKNOWN, GREEN)
"""The worst first; also which of several decides the exit code."""

EXIT = {RED: 2, AMBER: 1, UNKNOWN: 3, GREEN: 0}
MARKS = {RED: "RED  ", AMBER: "amber", UNKNOWN: "?    ", GREEN: "green"}
COLOURS = {RED: "\33[1;31m", AMBER: "\33[33m", UNKNOWN: "\33[36m", GREEN: "\33[32m"}
PLAIN = "\33[0m"


class Finding(NamedTuple):
    """`check` names the question and stays the same for ever; `fix` is a command, or what to write where."""

    check: str
    level: str
    text: str
    fix: Optional[str] = None


def green(check: str, text: str) -> Finding:
    return Finding(check, GREEN, text)


def amber(check: str, text: str, fix: Optional[str] = None) -> Finding:
    return Finding(check, AMBER, text, fix)


def red(check: str, text: str, fix: Optional[str] = None) -> Finding:
    return Finding(check, RED, text, fix)


def unknown(check: str, text: str, fix: Optional[str] = None) -> Finding:
    return Finding(check, UNKNOWN, text, fix)


def worst(findings: list[Finding]) -> str:
    """The level that the whole page has."""
    levels = {finding.level for finding in findings}
    return next((level for level in ORDER if level in levels), GREEN)


def page(findings: list[Finding], colour: bool) -> str:
    """For people: the worst first, each with its fix below it."""
    lines = []
    for finding in sorted(findings, key=lambda finding: ORDER.index(finding.level)):
        mark = MARKS[finding.level]
        if colour:
            mark = COLOURS[finding.level] + mark + PLAIN
        lines.append(f"{mark} {finding.check}: {printable(finding.text)}")
        if finding.fix:
            lines.append(f"        fix: {printable(finding.fix)}")
    return "\n".join(lines)


def document(findings: list[Finding]) -> str:
    """For programs: one JSON object."""
    return json.dumps({"level": worst(findings), "findings": [finding._asdict() for finding in findings]}, indent=1)


def printable(text: str) -> str:
    """Texts may quote file names and sshd's configuration; a terminal must not obey them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
