# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a host, one fault at a time: the table behind tests/test_doctor.py."""

from __future__ import annotations

import os
from typing import Callable

from audisp_maldito.doctor.host import Process

from .hosts import OTHER_CA, SSHD, SSHD_T, STATUS, Well

DROP_IN = "etc/audit/plugins.d/audisp-maldito.conf"
CONFIG = "etc/audisp-maldito/config.yaml"
EVENTS = "var/log/audisp-maldito/events.jsonl"
Fault = Callable[[Well], object]


def without(host: Well, comm: str) -> None:
    host.running = [process for process in host.running if process.comm != comm]


def again(host: Well, comm: str) -> None:
    host.running += [process._replace(pid=process.pid + 500) for process in host.running if process.comm == comm]


def line(host: Well, text: str) -> None:
    host.append(DROP_IN, text + "\n")


def sshd_says(old: str, new: str, command: str = f"{SSHD} -T") -> Fault:
    return lambda host: host.answer(command, SSHD_T.replace(old, new))


def kernel_says(old: str, new: str) -> Fault:
    return lambda host: host.answer("auditctl -s", STATUS.replace(old, new))


def rules_are(*rules: str) -> Fault:
    return lambda host: host.answer("auditctl -l", "\n".join(rules) + "\n")


def second_sshd(host: Well) -> None:
    host.running.append(
        Process(300, 1, "sshd", SSHD, f"sshd: {SSHD} -f /etc/ssh/second [listener] 0 of 10-100 startups", 0)
    )
    host.answer(f"{SSHD} -T -f /etc/ssh/second", SSHD_T.replace("ca.pub", "second.pub"))
    host.write("etc/ssh/second.pub", OTHER_CA)


def installed_then_flushed(host: Well) -> None:
    text = host.our_rules().text([])
    host.write("etc/audit/rules.d/90-audisp-maldito.rules", text)
    shown = [rule for rule in text.splitlines() if rule.startswith("-a ") and "maldito-sshd" not in rule]
    host.answer("auditctl -l", "\n".join(shown))


def installed_before_an_account(host: Well) -> None:
    text = host.our_rules().text([])
    host.write("etc/audit/rules.d/90-audisp-maldito.rules", text)
    host.answer("auditctl -l", "\n".join(rule for rule in text.splitlines() if rule.startswith("-a ")))
    (host.directory / "home/late").mkdir()
    host.append("etc/passwd", "late:x:1009:1009::/home/late:/bin/bash\n")


FAULTS: list[tuple[str, str, str, Fault]] = [
    # check, level, what its text must say, how it comes about
    ("auditd", "red", "does not run", lambda host: without(host, "auditd")),
    ("auditd", "red", "does not run", lambda host: host.write("run/auditd.pid", "4242\n")),
    ("auditd-version", "red", "another plugin interface", lambda h: h.answer("auditctl -v", "auditctl version 2.8.5")),
    ("auditd-version", "unknown", "version", lambda h: h.answer("auditctl -v", "", None, "No such file")),
    (
        "auditd-queue",
        "amber",
        "overflowed 2 times",
        lambda h: h.answer("journalctl -b -q -o cat -t auditd", "queue to plugins is full\n" * 2),
    ),
    (
        "auditd-queue",
        "red",
        "given the plugin up",
        lambda h: h.answer(
            "journalctl -b -q -o cat -t auditd", "plugin /usr/sbin/audisp-maldito has exceeded max_restarts\n"
        ),
    ),
    ("auditd-queue", "unknown", "no answer", lambda h: h.answer("journalctl", "", None, "no answer")),
    ("audit-log", "amber", "write_logs", lambda h: h.append("etc/audit/auditd.conf", "write_logs = no\n")),
    ("audit-log", "unknown", "cannot be read", lambda h: h.write("var/log/audit/audit.log", "")),
    ("audit-log", "amber", "less than a day", lambda h: h.append("var/log/audit/audit.log", "x" * 8_000_000)),
    ("audit", "unknown", "cannot be read", lambda h: h.answer("auditctl -s", "", 1, "Operation not permitted")),
    ("audit-enabled", "red", "switched off", kernel_says("enabled 1", "enabled 0")),
    ("audit-backlog", "red", "only 64", kernel_says("backlog_limit 8192", "backlog_limit 64")),
    ("audit-backlog", "amber", "5000 of 8192", kernel_says("backlog 0", "backlog 5000")),
    ("audit-lost", "amber", "lost 7", kernel_says("lost 0", "lost 7")),
    ("loginuid-immutable", "amber", "unset", kernel_says("immutable 1", "immutable 0")),
    ("rules", "unknown", "listed", lambda h: h.answer("auditctl -l", "", 1, "Operation not permitted")),
    ("rules", "red", "only logins", rules_are("No rules")),
    ("rules", "red", "only logins", rules_are("-w /etc/shadow -p wa -k shadow")),
    ("rules", "amber", "not loaded: maldito-sshd", installed_then_flushed),
    ("rules", "amber", "changed since", installed_before_an_account),
    ("rules-shadowed", "red", "never,task", rules_are("-a never,task", "-a always,exit -S execve -F key=x")),
    ("rules-shadowed", "red", "never,exit", rules_are("-a never,exit -S all", "-a always,exit -S execve -F key=x")),
    (
        "rules-shadowed",
        "red",
        "throws away",
        rules_are("-a always,exclude -F msgtype=LOGIN", "-a always,exit -S execve"),
    ),
    ("plugin-file", "red", "not there", lambda host: (host.directory / DROP_IN).unlink()),
    ("plugin-file", "red", "active = no", lambda host: host.replace(DROP_IN, "active = yes", "active = no")),
    ("plugin-file", "red", "must be root's", lambda host: os.chown(host.directory / DROP_IN, 1000, 0)),
    ("plugin-file", "red", "must be root's", lambda host: (host.directory / DROP_IN).chmod(0o660)),
    ("plugin-file", "red", "blanks around", lambda host: host.replace(DROP_IN, "active = yes", "active=yes")),
    ("plugin-file", "red", "tab", lambda host: host.replace(DROP_IN, "active = yes", "active\t=\tyes")),
    ("plugin-file", "red", "carriage return", lambda host: host.replace(DROP_IN, "active = yes", "active = yes\r")),
    ("plugin-file", "red", "158 bytes", lambda host: line(host, "# " + "x" * 160)),
    ("plugin-file", "red", "refuses the whole file", lambda host: line(host, "colour = red")),
    ("plugin-file", "red", "cannot be 'maybe'", lambda host: host.replace(DROP_IN, "active = yes", "active = maybe")),
    ("plugin-file", "red", "args has too many words", lambda host: line(host, "args = a b c")),
    ("plugin-file", "red", "format has too many words", lambda host: line(host, "format = string # text")),
    (
        "plugin-twice",
        "amber",
        "second time",
        lambda host: host.write("etc/audit/plugins.d/maldito.bak", (host.directory / DROP_IN).read_text()),
    ),
    ("plugin-program", "red", "is no program", lambda host: (host.directory / "usr/sbin/audisp-maldito").unlink()),
    ("plugin-program", "red", "mode 775", lambda host: (host.directory / "usr/sbin/audisp-maldito").chmod(0o775)),
    ("plugin-program", "red", "mode 700", lambda host: (host.directory / "usr/sbin/audisp-maldito").chmod(0o700)),
    ("plugin", "red", "does not run", lambda host: without(host, "audisp-maldito")),
    ("plugin", "amber", "runs 2 times", lambda host: again(host, "audisp-maldito")),
    ("config", "red", "unknown key 'outptu'", lambda host: host.append(CONFIG, "outptu: /x\n")),
    ("config", "red", "writable by group", lambda host: (host.directory / CONFIG).chmod(0o660)),
    ("config", "amber", "defaults", lambda host: (host.directory / CONFIG).unlink()),
    ("output", "amber", "off", lambda host: host.append(CONFIG, "output: off\n")),
    ("output-directory", "red", "not there", lambda host: host.append(CONFIG, "output: /nowhere/events.jsonl\n")),
    ("output-directory", "red", "written by others", lambda host: (host.directory / EVENTS).parent.chmod(0o770)),
    ("output-directory", "amber", "read by everybody", lambda host: (host.directory / EVENTS).parent.chmod(0o755)),
    ("output-space", "red", "9 MiB", lambda host: setattr(host, "free", (10**7, 10**12))),
    ("state-space", "amber", "476 MiB", lambda host: setattr(host, "free", (5 * 10**8, 10**12))),
    (
        "state-directory",
        "amber",
        "read by everybody",
        lambda host: (host.directory / "var/lib/audisp-maldito").chmod(0o755),
    ),
    ("output-second", "amber", "two plugins", lambda host: host.write(EVENTS.replace("events.", "events.second."), "")),
    (
        "last-event",
        "red",
        "older than the last login",
        lambda host: host.write(EVENTS, '{"loggedAt":"2027-01-15T07:00:00Z"}\n'),
    ),
    ("last-event", "amber", "has no document", lambda host: host.write(EVENTS, "")),
    ("sshd-loglevel", "red", "LogLevel SILENT", sshd_says("INFO", "SILENT")),
    ("sshd-loglevel", "red", "for core: at LogLevel ERROR", sshd_says("INFO", "ERROR", f"{SSHD} -T -C user=core,")),
    ("sshd-usepam", "red", "UsePAM no", sshd_says("usepam yes", "usepam no")),
    ("sshd-factors", "amber", "only the last", sshd_says("methods any", "methods publickey,password")),
    ("sshd-cas", "amber", "no CA is trusted", lambda host: host.write("etc/ssh/sshd_config", "")),
    ("sshd-cas", "amber", "no CA is trusted", lambda host: (host.directory / "etc/ssh/ca.pub").chmod(0o666)),
    ("sshd-cas", "red", "does not know", second_sshd),
    ("sshd-cas", "amber", "no key that can be read", sshd_says("ca.pub", "nothing.pub")),
    (
        "sshd-path",
        "red",
        "/opt/sshd",
        lambda host: host.running.append(Process(301, 1, "sshd", "/opt/sshd", "sshd: /opt/sshd [listener] 0 of 1", 0)),
    ),
    (
        "sshd",
        "unknown",
        "no hostkeys",
        lambda host: host.answer(f"{SSHD} -T", "", 255, "sshd: no hostkeys available -- exiting."),
    ),
    (
        "pam-loginuid",
        "red",
        "without pam_loginuid",
        lambda host: host.write("etc/pam.d/sshd", "session required pam_unix.so\n"),
    ),
    ("pam-loginuid", "unknown", "cannot be read", lambda host: (host.directory / "etc/pam.d/sshd").unlink()),
    (
        "session-loginuid",
        "red",
        "process 400",
        lambda host: host.running.append(Process(400, 1, "sshd", SSHD, "sshd: core@notty", 4294967295)),
    ),
    ("journal-kept", "red", "does not run", lambda host: (host.directory / "run/systemd/journal/socket").unlink()),
    (
        "journal-kept",
        "red",
        "Storage=none",
        lambda host: host.write("etc/systemd/journald.conf", "[Journal]\nStorage=none\n"),
    ),
    (
        "journal-kept",
        "amber",
        "reboot",
        lambda host: (host.directory / "var/log/journal").rename(host.directory / "gone"),
    ),
    ("journal-readable", "red", "no account", lambda host: host.replace("etc/passwd", "audisp-maldito", "other")),
    (
        "journal-readable",
        "red",
        "none of the groups",
        lambda host: host.replace("etc/group", "audisp-maldito", "other"),
    ),
    ("journal-rate-limit", "amber", "ssh.service", lambda host: host.limit(10000, 30_000_000)),
    (
        "journal-rate-limit",
        "amber",
        "ssh.service",
        lambda host: (host.directory / "run/systemd/units/log-rate-limit-burst:ssh.service").unlink(),
    ),
    ("journal-rate-limit", "unknown", "systemctl", lambda host: host.answer("systemctl show", "", 1, "Host is down")),
    (
        "journal-suppressed",
        "amber",
        "1 times",
        lambda h: h.answer(
            "journalctl -b -q -o cat MESSAGE_ID",
            "Suppressed 91 messages from ssh.service\nSuppressed 2 messages from cron.service\n",
        ),
    ),
    (
        "engine-groups",
        "red",
        "core (docker)",
        lambda host: host.replace("etc/group", "docker:x:998:", "docker:x:998:core"),
    ),
    ("clock", "amber", "not synchronised", lambda host: host.answer("timedatectl", "no\n")),
    ("clock", "unknown", "timedatectl", lambda host: host.answer("timedatectl", "", None, "No such file")),
]
