# SPDX-License-Identifier: Apache-2.0
"""The kernel's audit rules and state, asked and told by auditctl: a process of its own, never the plugin's.

A rule is the text that auditctl takes, without "-a": `always,exit -F arch=b64 …`. It answers an addition that is there
already with "Rule exists" and a deletion of what isn't with "No rule matches", which are no failures here.
"""

from __future__ import annotations

import subprocess
from typing import Optional

PROGRAM = "/sbin/auditctl"
SECONDS = 10


class AuditctlError(Exception):
    """auditctl, or the kernel, says no; the text says why."""


def status() -> dict[str, int]:
    """What `auditctl -s` says in numbers; "loginuid_immutable 0 unlocked" among them."""
    found = {}
    for line in _run("-s").splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found


def rules() -> list[str]:
    """What is loaded, in order, as auditctl shows it (which is not always as it was given)."""
    return [line for line in _run("-l").splitlines() if line != "No rules"]


def key(rule: str) -> Optional[str]:
    """The key of a rule, shown or given."""
    words = rule.split()
    for before, word in zip(words, words[1:]):
        if before == "-k":
            return word
        if word.startswith("key="):
            return word[len("key=") :]
    return None


def add(rule: str) -> bool:
    """True if it was not there before."""
    return _unless("Rule exists", "-a", *rule.split())


def delete(rule: str) -> bool:
    """True if it was there."""
    return _unless("No rule matches", "-d", *rule.split())


def command(*words: str) -> None:
    """Anything else that auditctl takes."""
    _run(*words)


def _unless(harmless: str, *words: str) -> bool:
    try:
        _run(*words)
    except AuditctlError as refused:
        if harmless in str(refused):
            return False
        raise
    return True


def _run(*words: str) -> str:
    try:
        done = subprocess.run(
            [PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AuditctlError(f"{PROGRAM}: {getattr(error, 'strerror', None) or 'no answer'}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise AuditctlError(lines[0] if lines else f"{PROGRAM} ended with {done.returncode}")
    return done.stdout.decode("utf-8", "replace")
