# SPDX-License-Identifier: Apache-2.0
"""auditd itself: does it run, which one is it, does it keep up, how far back does its log reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

from .finding import Finding, amber, green, red, unknown
from .host import Host

CONF = "/etc/audit/auditd.conf"
PID_FILES = ("/run/auditd.pid", "/run/audit/auditd.pid")
OLDEST = (3, 0)
CUT_RECORDS = ((4, 2, 0), (4, 2, 1))
"""With log_format RAW and no node name these take the last 16 bytes from every record that a plugin gets."""

SOON = 24 * 3600.0
"""An audit.log that reaches back less than this cannot fill the hole of a day without the plugin."""

LONG_ENOUGH = 3600.0

STAMP = re.compile(r"msg=audit\((\d+)\.\d+:\d+\)")


class Daemon(NamedTuple):
    """auditd's process, version and configuration."""

    pid: Optional[int]
    version: Optional[tuple[int, ...]]
    conf: dict[str, str]


def daemon(host: Host) -> Daemon:
    """What there is to know of it."""
    pids = {process.pid for process in host.processes() if process.comm == "auditd"}
    noted = [text.strip() for text in map(host.read, PID_FILES) if text]
    pid = next((int(text) for text in noted if text.isdigit() and int(text) in pids), None)
    found = re.search(r"version (\d+(?:\.\d+)*)", host.run("auditctl", "-v").output)
    version = tuple(int(part) for part in found[1].split(".")) if found else None
    return Daemon(pid, version, conf(host))


def conf(host: Host) -> dict[str, str]:
    """auditd.conf's settings, names and values in small letters but for paths."""
    settings = {}
    for line in (host.read(CONF) or "").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            settings[name.strip().lower()] = value.strip()
    return settings


def check(host: Host, auditd: Daemon) -> Iterator[Finding]:
    yield _running(auditd)
    yield from _version(auditd)
    yield from _queue(host, auditd)
    yield from _log(host, auditd)


def _running(auditd: Daemon) -> Finding:
    if auditd.pid is None:
        return red("auditd", "auditd does not run", "systemctl start auditd")
    return green("auditd", f"runs as process {auditd.pid}")


def _version(auditd: Daemon) -> Iterator[Finding]:
    check = "auditd-version"
    if auditd.version is None:
        yield unknown(check, "auditctl does not say its version", "apt-get install auditd")
        return
    text = ".".join(map(str, auditd.version))
    plain = auditd.conf.get("log_format", "ENRICHED").upper() in ("RAW", "NOLOG")
    nameless = auditd.conf.get("name_format", "NONE").upper() == "NONE"
    if auditd.version < OLDEST:
        yield red(check, f"auditd {text} has another plugin interface; 3.0 and later are supported", "upgrade auditd")
    elif (*auditd.version, 0)[:3] in CUT_RECORDS and plain and nameless:
        yield red(
            check,
            f"auditd {text} cuts 16 bytes off every record with log_format = RAW",
            f"write log_format = ENRICHED in {CONF} and: systemctl restart auditd",
        )
    else:
        yield green(check, f"auditd {text}")


def _queue(host: Host, auditd: Daemon) -> Iterator[Finding]:
    check = "auditd-queue"
    ran = host.run("journalctl", "-b", "-q", "-o", "cat", "-t", "auditd", "-t", "audispd")
    full = [line for line in ran.output.splitlines() if "queue" in line and "full" in line]
    gone = [line for line in ran.output.splitlines() if "max_restarts" in line and "audisp-maldito" in line]
    if gone:
        yield red(check, "auditd has given the plugin up after too many restarts", "systemctl restart auditd")
    elif full:
        depth = auditd.conf.get("q_depth", "2000")
        yield amber(
            check,
            f"auditd's queue to its plugins overflowed {len(full)} times since the boot (q_depth = {depth})",
            f"raise q_depth in {CONF} and: kill -HUP {auditd.pid or '$(pidof auditd)'}",
        )
    elif ran.code is None:
        yield unknown(check, f"journalctl: {ran.error}")
    else:
        yield green(check, "auditd's queue to its plugins has not overflowed since the boot")


def _log(host: Host, auditd: Daemon) -> Iterator[Finding]:
    check = "audit-log"
    path = auditd.conf.get("log_file", "/var/log/audit/audit.log")
    if auditd.conf.get("write_logs", "yes").lower() == "no":
        yield amber(
            check, "write_logs = no: what the plugin misses can never be filled in", f"write_logs = yes in {CONF}"
        )
        return
    files = sorted(host.listing(path + "*"), key=lambda name: -_number(name))
    oldest = next((time for time in (_first_stamp(host, name) for name in files) if time is not None), None)
    if oldest is None:
        yield unknown(check, f"{path} cannot be read or is empty")
        return
    size = sum(status.st_size for status in map(host.status, files) if status)
    yield _reach(check, auditd, host.now() - oldest, size)


def _reach(check: str, auditd: Daemon, seconds: float, size: int) -> Finding:
    if seconds < LONG_ENOUGH:
        return green(check, f"audit.log reaches back {_duration(seconds)}, too short to tell its rate")
    rate = size / seconds
    endless = auditd.conf.get("max_log_file_action", "ROTATE").upper() in ("KEEP_LOGS", "IGNORE")
    limit = _int(auditd.conf.get("max_log_file"), 8) * _int(auditd.conf.get("num_logs"), 5) * 1024 * 1024
    reach = limit / max(rate, 0.001)
    text = f"audit.log grows {_size(rate * 3600)} an hour"
    if endless or reach >= SOON:
        return green(check, text + f" and reaches back {_duration(seconds)}")
    fix = f"raise max_log_file or num_logs in {CONF} and: kill -HUP {auditd.pid or '$(pidof auditd)'}"
    return amber(check, text + f" and so reaches back only {_duration(reach)}, less than a day", fix)


def _first_stamp(host: Host, path: str) -> Optional[float]:
    found = STAMP.search(host.read(path, 65536) or "")
    return float(found[1]) if found else None


def _number(path: str) -> int:
    last = path.rpartition(".")[2]
    return int(last) if last.isdigit() else 0


def _int(text: Optional[str], default: int) -> int:
    return int(text) if text and text.isdigit() else default


def _size(size: float) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _duration(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds >= 172800 else f"{seconds / 3600:.1f} hours"
