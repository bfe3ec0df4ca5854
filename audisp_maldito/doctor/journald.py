# SPDX-License-Identifier: Apache-2.0
"""The journal: is it kept, may the plugin read it, and does it keep sshd's every word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

from audisp_maldito import accounts

from .finding import Finding, amber, green, red, unknown
from .host import Host

USER = "audisp-maldito"
GROUPS = ("systemd-journal", "adm", "wheel")
"""Any of them may read the system's journal."""

UNITS = ("ssh.service", "sshd.service")
EXPORTED = "/run/systemd/units/log-rate-limit-{what}:{unit}"
"""Links that systemd leaves for journald when a unit's own limit is in force; absent: journald's own holds."""

ENOUGH_A_SECOND = 1000.0
SUPPRESSED = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"
SSHD_UNIT = re.compile(r"from (sshd?(?:@\S*)?\.service|sshd-\S+\.service|session-\S+\.scope)")


def check(host: Host) -> Iterator[Finding]:
    yield _kept(host)
    yield _readable(host)
    yield from _rate_limit(host)
    yield from _suppressed(host)


def _settings(host: Host) -> dict[str, str]:
    """journald.conf and its drop-ins, the last word on each name."""
    files = ["/usr/lib/systemd/journald.conf", "/etc/systemd/journald.conf"]
    places = ("/usr/lib/systemd/journald.conf.d", "/run/systemd/journald.conf.d", "/etc/systemd/journald.conf.d")
    files += sorted(
        (path for place in places for path in host.listing(place + "/*.conf")), key=lambda p: p.rsplit("/", 1)[1]
    )
    settings = {}
    for path in files:
        for line in (host.read(path) or "").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith(("#", ";")):
                settings[name.strip()] = value.strip()
    return settings


def _kept(host: Host) -> Finding:
    check, storage = "journal-kept", _settings(host).get("Storage", "auto")
    if host.status("/run/systemd/journal/socket") is None:
        return red(
            check, "systemd-journald does not run: sshd's words reach nobody", "systemctl start systemd-journald"
        )
    if storage == "none":
        fix = "write Storage=persistent in /etc/systemd/journald.conf; systemctl restart systemd-journald"
        return red(check, "journald keeps nothing (Storage=none)", fix)
    if host.status("/var/log/journal") is None or storage == "volatile":
        fix = "mkdir -p /var/log/journal; journalctl --flush"
        return amber(check, "the journal does not survive a reboot: a login just before one stays nameless", fix)
    return green(check, "the journal is kept over reboots")


def _readable(host: Host) -> Finding:
    check = "journal-readable"
    found = next((account for account in accounts.read(host.root) if account.name == USER), None)
    if found is None:
        return red(check, f"there is no account {USER}", "systemd-sysusers audisp-maldito.conf")
    if not found.groups & set(GROUPS):
        return red(
            check, f"{USER} is in none of the groups that may read the journal", f"usermod -aG systemd-journal {USER}"
        )
    return green(check, f"{USER} may read the journal as a member of {', '.join(sorted(found.groups & set(GROUPS)))}")


def _rate_limit(host: Host) -> Iterator[Finding]:
    check, settings = "journal-rate-limit", _settings(host)
    if settings.get("RateLimitBurst") == "0" or re.fullmatch("0[a-z]*", settings.get("RateLimitIntervalSec", "")):
        yield green(check, "journald limits nobody")
        return
    ran = host.run("systemctl", "show", "-p", "Id", "-p", "ActiveState", *UNITS)
    active = re.findall(r"Id=(\S+)\nActiveState=active", ran.output) or re.findall(
        r"ActiveState=active\nId=(\S+)", ran.output
    )
    if ran.code != 0:
        yield unknown(check, f"systemctl: {ran.error}")
    for unit in sorted(set(active)):
        rate = _rate(host, unit)
        if rate is None or rate < ENOUGH_A_SECOND:
            text = f"journald may drop lines of {unit} when it logs much, and anybody can make it"
            yield amber(check, text, f"systemctl daemon-reload; systemctl reload {unit}")
        else:
            yield green(check, f"journald takes {rate:.0f} lines a second and more from {unit}")


def _rate(host: Host, unit: str) -> Optional[float]:
    """Lines a second; the interval is noted in microseconds."""
    values = [host.link(EXPORTED.format(what=what, unit=unit)) or "" for what in ("burst", "interval")]
    if not all(value.isdigit() for value in values):
        return None
    return int(values[0]) * 1_000_000 / max(int(values[1]), 1)


def _suppressed(host: Host) -> Iterator[Finding]:
    check = "journal-suppressed"
    ran = host.run("journalctl", "-b", "-q", "-o", "cat", SUPPRESSED)
    lines = [line for line in ran.output.splitlines() if SSHD_UNIT.search(line)]
    if lines:
        yield amber(
            check,
            f"since the boot journald dropped lines of sshd {len(lines)} times, last: {lines[-1]}",
            "systemctl daemon-reload; systemctl reload ssh",
        )
    elif ran.code in (0, 1):
        yield green(check, "journald has dropped no line of sshd since the boot")
    else:
        yield unknown(check, f"journalctl: {ran.error}")
