# SPDX-License-Identifier: Apache-2.0
"""The kernel's side: is auditing on, which rules are loaded and not shadowed, has anything been lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

from audisp_maldito import rules as shipped
from audisp_maldito.auditctl import key

from .finding import Finding, amber, green, red, unknown
from .host import Host

BACKLOG = 8192
"""Debian's kernel starts with 64: one long command line can lose records, without any hole in the serial numbers."""

RULES_D = "/etc/audit/rules.d"
SHADOWING_TYPES = re.compile(r"msgtype=(LOGIN|USER_START|USER_END|SYSCALL|EXECVE|PATH|CWD|CRED_\w+)\b")


def status(host: Host) -> Optional[dict[str, int]]:
    """What `auditctl -s` says in numbers; None if it cannot be asked."""
    ran = host.run("auditctl", "-s")
    pairs = [line.split()[:2] for line in ran.output.splitlines() if len(line.split()) >= 2]
    return {name: int(value) for name, value in pairs if value.isdigit()} if ran.code == 0 else None


def check(host: Host) -> Iterator[Finding]:
    state = status(host)
    if state is None:
        yield unknown(
            "audit", "the kernel's audit state cannot be read", None if host.root_user() else "sudo maldito doctor"
        )
        return
    yield _enabled(state)
    yield _backlog_limit(state)
    yield _lost(state)
    yield _immutable(state)
    yield from _rules(host)


def _enabled(state: dict[str, int]) -> Finding:
    if not state.get("enabled"):
        return red("audit-enabled", "auditing is switched off (enabled 0)", "auditctl -e 1")
    return green("audit-enabled", f"auditing is on (enabled {state['enabled']})")


def _backlog_limit(state: dict[str, int]) -> Finding:
    limit, waiting = state.get("backlog_limit", 0), state.get("backlog", 0)
    if limit < BACKLOG:
        fix = f"auditctl -b {BACKLOG}; and for the next boot write -b {BACKLOG} in {RULES_D}/audit.rules"
        return red("audit-backlog", f"the kernel keeps only {limit} records while auditd is busy", fix)
    if waiting > limit // 2:
        return amber("audit-backlog", f"{waiting} of {limit} records wait for auditd", f"auditctl -b {2 * limit}")
    return green("audit-backlog", f"{waiting} of at most {limit} records wait for auditd")


def _lost(state: dict[str, int]) -> Finding:
    lost = state.get("lost", 0)
    if lost:
        fix = f"auditctl --reset-lost starts the count anew; -b {2 * max(state.get('backlog_limit', 0), BACKLOG)} helps"
        return amber("audit-lost", f"the kernel has lost {lost} records since the boot", fix)
    return green("audit-lost", "the kernel has lost no record since the boot")


def _immutable(state: dict[str, int]) -> Finding:
    if state.get("loginuid_immutable"):
        return green("loginuid-immutable", "no process can change the audit user id of its session")
    return amber(
        "loginuid-immutable",
        "root can unset the audit user id of a session, and work on unseen",
        "maldito rules install loginuid-immutable (see the manual first: it breaks logins within logins)",
    )


def _rules(host: Host) -> Iterator[Finding]:
    ran = host.run("auditctl", "-l")
    if ran.code != 0:
        yield unknown("rules", f"the rules cannot be listed: {ran.error}")
        return
    loaded = [line for line in ran.output.splitlines() if line != "No rules"]
    yield from _shadows(loaded)
    installed = shipped.Rules(host.root)
    if not any(_records_programs(rule) for rule in loaded):
        yield red("rules", "no rule records what people run: only logins are told", "maldito rules install")
    elif not installed.installed():
        yield green("rules", f"{len(loaded)} rules are loaded, none of them ours")
    else:
        yield _ours(installed, loaded)


def _ours(installed: shipped.Rules, loaded: list[str]) -> Finding:
    wanted = [key(line) for line in installed.installed().splitlines() if line.startswith("-a ")]
    there = [key(rule) for rule in loaded]
    missing = sorted({str(name) for name in wanted if there.count(name) < wanted.count(name)})
    again = " ".join(["maldito rules install", *shipped.chosen(installed.installed())])
    if missing:
        return amber("rules", "installed but not loaded: " + ", ".join(missing), again)
    if installed.installed() != installed.text(shipped.chosen(installed.installed())):
        return amber("rules", "accounts or shipped rules have changed since ours were installed", again)
    return green("rules", f"{len(loaded)} rules are loaded, all of ours among them")


def _records_programs(rule: str) -> bool:
    words = rule.split()
    return words[:2] == ["-a", "always,exit"] and "execve" in rule and "-S" in words


def _shadows(loaded: list[str]) -> Iterator[Finding]:
    """Of several rules the first that matches counts: one that says never hides those after it."""
    hidden = False
    for rule in loaded:
        words = rule.split()
        lists = set(words[1].split(",")) if len(words) > 1 else set()
        bare = not [
            word for word in words[2:] if word not in ("-S", "all", "-F") and not word.startswith(("key=", "arch="))
        ]
        if {"never", "task"} <= lists or ({"never", "exit"} <= lists and bare):
            fix = f"auditctl -d {' '.join(words[1:])}; and take that line out of {RULES_D}"
            yield red("rules-shadowed", f"the rule `{rule}` keeps everything after it from being recorded", fix)
            hidden = True
        elif "exclude" in lists or "-F msgtype" in rule:
            if "always" in lists and SHADOWING_TYPES.search(rule):
                fix = f"auditctl -d {' '.join(words[1:])}; and take that line out of {RULES_D}"
                yield red("rules-shadowed", f"the rule `{rule}` throws away records that sessions consist of", fix)
                hidden = True
    if not hidden:
        yield green("rules-shadowed", "no rule hides what others record")
