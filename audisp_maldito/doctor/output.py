# SPDX-License-Identifier: Apache-2.0
"""The plugin itself: its process, its configuration, what it has written, and whether it can go on writing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Optional

from audisp_maldito import config as configuration
from audisp_maldito.config import Config
from audisp_maldito.errors import ConfigError
from audisp_maldito.sinks import second

from . import dropin
from .auditd import Daemon
from .finding import Finding, amber, green, red
from .host import Host, Process

COMM = "audisp-maldito"
TAIL_BYTES = 256 * 1024
LATE_SECONDS = 60.0
"""A document follows its event within seconds; a session event this much newer than all documents was not told."""

ROOM_BYTES = (64 * 1024 * 1024, 1024 * 1024 * 1024)
"""Red and amber below."""

SESSION_EVENT = re.compile(
    r"^(?:node=\S+ )?type=(?:LOGIN|USER_START|USER_END) msg=audit\((\d+\.\d+):\d+\):.* ses=(\d+)\b", re.MULTILINE
)
NO_SESSION = "4294967295"


def load(host: Host, auditd: Daemon, given: Optional[str]) -> tuple[Config, list[Finding]]:
    """The configuration that the plugin has, and what is wrong with it."""
    path = given or dropin.config_path(host, auditd) or configuration.DEFAULT_PATH
    if host.status(path) is None:
        if path == configuration.DEFAULT_PATH and given is None and dropin.config_path(host, auditd) is None:
            return Config(), [green("config", "all settings have their defaults")]
        fix = f"write it, or take its name out of {dropin.path(auditd)}"
        return Config(), [amber("config", f"{path} is not there; all settings have their defaults", fix)]
    try:
        return configuration.load(host.where(path)), [green("config", f"{path} is good")]
    except ConfigError as error:
        return Config(), [
            red(
                "config",
                str(error),
                f"maldito check-config {path}; then reload auditd: kill -HUP {auditd.pid or '$(pidof auditd)'}",
            )
        ]


def check(host: Host, auditd: Daemon, config: Config) -> Iterator[Finding]:
    yield from _process(host, auditd)
    if config.output == "off":
        yield amber("output", "output is off: nothing is written", "set output in the configuration")
        return
    yield from _documents(host, auditd, config)
    yield from _place(host, "output", os.path.dirname(config.output))
    yield from _place(host, "state", config.state_dir)


def plugins(processes: list[Process], auditd: Daemon) -> list[Process]:
    """auditd's children that are ours."""
    return [process for process in processes if process.parent == auditd.pid and process.comm == COMM]


def _process(host: Host, auditd: Daemon) -> Iterator[Finding]:
    found = plugins(host.processes(), auditd) if auditd.pid else []
    if not found:
        yield red(
            "plugin",
            "the plugin does not run",
            f"kill -HUP {auditd.pid or '$(pidof auditd)'}; if that does not start it: systemctl restart auditd",
        )
    elif len(found) > 1:
        pids = ", ".join(str(process.pid) for process in found)
        yield amber(
            "plugin",
            f"the plugin runs {len(found)} times (processes {pids})",
            "grep -l audisp-maldito /etc/audit/plugins.d/*",
        )
    else:
        yield green("plugin", f"runs as process {found[0].pid}")


def _documents(host: Host, auditd: Daemon, config: Config) -> Iterator[Finding]:
    last = last_document(host, config.output)
    event = _last_session_event(host, auditd)
    if last is None and event is None:
        yield green("last-event", "no document has been written yet, and audit.log has no login either")
    elif last is None:
        yield amber(
            "last-event", f"{config.output} has no document, but audit.log has logins", "journalctl -t audisp-maldito"
        )
    elif event is not None and event - last > LATE_SECONDS:
        yield red(
            "last-event",
            f"the last document is {event - last:.0f} s older than the last login or logout in audit.log",
            "journalctl -t audisp-maldito",
        )
    else:
        yield green("last-event", f"the last document is of {datetime.utcfromtimestamp(last):%Y-%m-%dT%H:%M:%SZ}")
    if host.status(second(config.output)) is not None:
        yield amber(
            "output-second",
            f"{second(config.output)} is there: two plugins have run at once",
            "cat it to the end of the other, and remove it",
        )


def last_document(host: Host, path: str) -> Optional[float]:
    """When the last document's event happened."""
    for line in reversed((host.tail(path, TAIL_BYTES) or "").splitlines()):
        try:
            stamp = str(json.loads(line)["loggedAt"]).rstrip("Z")
            whole, _, fraction = stamp.partition(".")
            return datetime.fromisoformat(whole + "+00:00").timestamp() + float("0." + (fraction or "0"))
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _last_session_event(host: Host, auditd: Daemon) -> Optional[float]:
    text = host.tail(auditd.conf.get("log_file", "/var/log/audit/audit.log"), 4 * TAIL_BYTES) or ""
    times = [float(found[1]) for found in SESSION_EVENT.finditer(text) if found[2] != NO_SESSION]
    return times[-1] if times else None


def _place(host: Host, check: str, directory: str) -> Iterator[Finding]:
    status, room = host.status(directory), host.room(directory)
    if status is None or room is None:
        yield red(f"{check}-directory", f"{directory} is not there", "systemd-tmpfiles --create audisp-maldito.conf")
        return
    mode = host.mode(directory) or 0
    if mode & 0o022:
        yield red(
            f"{check}-directory", f"{directory} can be written by others (mode {mode:o})", f"chmod go-w {directory}"
        )
    elif mode & 0o005:
        yield amber(
            f"{check}-directory", f"{directory} can be read by everybody (mode {mode:o})", f"chmod o= {directory}"
        )
    else:
        yield green(f"{check}-directory", f"{directory} has mode {mode:o}")
    free = f"{room[0] // 1024 // 1024} MiB are free for {directory}"
    if room[0] < ROOM_BYTES[0]:
        yield red(f"{check}-space", free, "make room: df -h " + directory)
    elif room[0] < ROOM_BYTES[1]:
        yield amber(f"{check}-space", free, "make room: df -h " + directory)
    else:
        yield green(f"{check}-space", free)
