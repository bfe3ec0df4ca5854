# SPDX-License-Identifier: Apache-2.0
"""What else decides on a host whether a name can be had and believed: ways out of the audit, and the clock."""

from __future__ import annotations

from collections.abc import Iterator

from audisp_maldito import accounts

from .finding import Finding, amber, green, red, unknown
from .host import Host

ENGINES = ("docker", "lxd", "incus", "incus-admin", "libvirt", "libvirt-qemu")
FUTURE_SECONDS = 5.0


def check(host: Host) -> Iterator[Finding]:
    yield _engines(host)
    yield _clock(host)


def _engines(host: Host) -> Finding:
    """Whoever may tell a container engine what to start is root, and what it starts belongs to no session."""
    check = "engine-groups"
    out = {
        a.name: sorted(a.groups & set(ENGINES))
        for a in accounts.read(host.root)
        if a.may_log_in and a.groups & set(ENGINES)
    }
    if not out:
        return green(check, "no account that can log in is in a container engine's group")
    text = ", ".join(f"{name} ({', '.join(groups)})" for name, groups in sorted(out.items()))
    name, groups = sorted(out.items())[0]
    return red(
        check,
        f"can start processes that no audit rule sees: {text}",
        f"gpasswd -d {name} {groups[0]}; or maldito rules install containers",
    )


def _clock(host: Host) -> Finding:
    check = "clock"
    ran = host.run("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    if ran.code != 0:
        return unknown(check, f"timedatectl: {ran.error or 'no answer'}")
    if ran.output.strip() != "yes":
        return amber(
            check,
            "the clock is not synchronised: times of several hosts cannot be compared",
            "timedatectl set-ntp true",
        )
    return green(check, "the clock is synchronised")
