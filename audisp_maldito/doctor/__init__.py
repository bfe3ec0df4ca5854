# SPDX-License-Identifier: Apache-2.0
"""`maldito doctor`: why there are no names, or why they might stop, each reason with the command that ends it.

Looks at everything between sshd and the output, changes nothing, and judges by the others' own rules: what auditd
accepts as a plugin, what `sshd -T` says, what the kernel has loaded. A check is a function from the host to findings;
a check that breaks is a finding too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Callable, Optional

from . import auditd, dropin, journald, kernel, output, sshd, surroundings
from .finding import EXIT, Finding, document, page, unknown, worst
from .host import Host


def examine(host: Host, config_path: Optional[str] = None) -> list[Finding]:
    """Everything, in the order in which an event passes it."""
    daemon = auditd.daemon(host)
    config, findings = output.load(host, daemon, config_path)
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: kernel.check(host),
        lambda: auditd.check(host, daemon),
        lambda: dropin.check(host, daemon),
        lambda: sshd.check(host, config),
        lambda: journald.check(host),
        lambda: output.check(host, daemon, config),
        lambda: surroundings.check(host),
    ]
    for number, check in enumerate(checks):
        findings += _safely(number, check)
    return findings


def _safely(number: int, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001  the other checks are worth having all the same
        return [unknown(f"check-{number}", f"failed with {type(error).__name__}: {error}")]


def main(config_path: Optional[str], as_json: bool) -> int:
    """The command; the exit code: 0 all green, 1 something amber, 2 something red, 3 something cannot be told."""
    findings = examine(Host(), config_path)
    print(document(findings) if as_json else page(findings, sys.stdout.isatty()))
    return EXIT[worst(findings)]
