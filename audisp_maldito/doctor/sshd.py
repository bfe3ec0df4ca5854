# SPDX-License-Identifier: Apache-2.0
"""sshd, each one that listens: does it say whose key it was, and does PAM make the session one for the kernel.

Asked by `sshd -T` with the file that the process was started with, plain and for every account that has a session now,
since a Match block may say otherwise for one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

from audisp_maldito import accounts, trusted_cas
from audisp_maldito.config import Config

from .finding import Finding, amber, green, red, unknown
from .host import UNSET, Host, Process

QUIET = ("silent", "quiet", "fatal", "error")
"""Levels at which "Accepted publickey for …" is not written; "silent" is what -T calls QUIET."""

TITLE = re.compile(r"sshd: (?:(?P<program>/\S+) ?(?P<words>.*?) )?\[listener\]")
SESSION_TITLE = re.compile(r"sshd(?:-session)?: (\S+)@(pts/\d+|notty)")
ACCOUNTS_LIMIT = 20
PAM_DEPTH = 8


class Listener(NamedTuple):
    """One sshd that takes connections; `conf` None: its built-in default."""

    pid: Optional[int]
    program: str
    conf: Optional[str]


def check(host: Host, config: Config) -> Iterator[Finding]:
    processes = host.processes()
    found = listeners(processes)
    for listener in found or [Listener(None, "/usr/sbin/sshd", None)]:
        yield from _listener(host, config, listener, _account_names(host, processes))
    yield _pam(host)
    yield from _sessions(processes)


def listeners(processes: list[Process]) -> list[Listener]:
    """From their titles: "sshd: /usr/sbin/sshd -D -f /etc/x [listener] 0 of 10-100 startups"."""
    found = []
    for process in processes:
        title = TITLE.match(process.title)
        if title:
            words = (title["words"] or "").split()
            conf = words[words.index("-f") + 1] if "-f" in words[:-1] else None
            found.append(Listener(process.pid, process.exe or title["program"] or "/usr/sbin/sshd", conf))
    return found


def effective(host: Host, listener: Listener, account: Optional[str] = None) -> tuple[dict[str, list[str]], str]:
    """(keyword: its values) as `sshd -T` says, or the reason why it doesn't."""
    words = [listener.program, "-T"] + (["-f", listener.conf] if listener.conf else [])
    if account:
        words += ["-C", f"user={account},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22"]
    ran = host.run(*words)
    settings: dict[str, list[str]] = {}
    for line in ran.output.splitlines() if ran.code == 0 else ():
        keyword, _, value = line.partition(" ")
        settings.setdefault(keyword.lower(), []).append(value)
    return settings, ran.error.splitlines()[-1] if ran.error else f"ended with {ran.code}"


def _account_names(host: Host, processes: list[Process]) -> list[str]:
    uids = {process.loginuid for process in processes} - {None, UNSET}
    return [account.name for account in accounts.read(host.root) if account.uid in uids][:ACCOUNTS_LIMIT]


def _listener(host: Host, config: Config, listener: Listener, names: list[str]) -> Iterator[Finding]:
    which = f"sshd ({listener.conf})" if listener.conf else "sshd"
    if listener.pid and listener.program not in config.sshd_paths:
        fix = f"add {listener.program} to sshd_paths in the plugin's configuration"
        yield red("sshd-path", f"{which} is {listener.program}, whose words do not count", fix)
    settings, error = effective(host, listener)
    if not settings:
        yield unknown(
            "sshd",
            f"{which}: `{listener.program} -T` fails: {error}",
            None if host.root_user() else "sudo maldito doctor",
        )
        return
    conf = listener.conf or "/etc/ssh/sshd_config"
    found: list[Finding] = []
    for name in (None, *names):
        of = settings if name is None else effective(host, listener, name)[0]
        found += _settings(which if name is None else f"{which} for {name}", conf, of)
    found += _authorities(host, config, which, conf, settings)
    yield from dict.fromkeys(found)
    if not found:
        yield green("sshd", f"{which} says whose key it was, by PAM, and trusts a CA for the whole host")


def _settings(which: str, conf: str, of: dict[str, list[str]]) -> Iterator[Finding]:
    level = of.get("loglevel", ["INFO"])[0]
    if level.lower() in QUIET:
        yield red(
            "sshd-loglevel",
            f"{which}: at LogLevel {level} logins are not logged",
            f"write LogLevel INFO in {conf}; systemctl reload ssh",
        )
    if of.get("usepam", ["no"])[0] == "no":
        yield red(
            "sshd-usepam",
            f"{which}: with UsePAM no a login gets no audit session",
            f"write UsePAM yes in {conf}; systemctl restart ssh",
        )
    if any("," in value for value in of.get("authenticationmethods", [])) and level.lower() == "info":
        yield amber(
            "sshd-factors",
            f"{which}: of several authentication methods only the last is logged, and the key may not be that",
            f"write LogLevel VERBOSE in {conf}; systemctl reload ssh",
        )


def _authorities(
    host: Host, config: Config, which: str, conf: str, settings: dict[str, list[str]]
) -> Iterator[Finding]:
    named = [value for value in settings.get("trustedusercakeys", []) if value != "none"]
    if config.trusted_cas is not None:
        return
    trusted = trusted_cas.find(host.where(config.sshd_config), host.where("/etc/ssh"))
    if not trusted.fingerprints:
        text = f"{which}: no CA is trusted for the whole host (TrustedUserCAKeys), so nobody is named"
        reason = f" ({'; '.join(trusted.skipped)})" if trusted.skipped else ""
        yield amber(
            "sshd-cas", text + reason, f"TrustedUserCAKeys in {conf}, or trusted_cas in the plugin's configuration"
        )
        return
    for path in named:
        known = trusted_cas.fingerprints_of((host.read(path) or "").encode())
        if not known:
            yield amber("sshd-cas", f"{which}: {path} holds no key that can be read", f"ssh-keygen -l -f {path}")
        elif not known <= trusted.fingerprints:
            fix = f"sshd_config: {conf} (or trusted_cas) in the plugin's configuration"
            yield red("sshd-cas", f"{which}: trusts CAs of {path} that the plugin does not know", fix)


def _pam(host: Host) -> Finding:
    fix = 'write "session required pam_loginuid.so" in /etc/pam.d/sshd'
    lines = list(_pam_lines(host, "sshd", 0))
    if not lines:
        return unknown("pam-loginuid", "/etc/pam.d/sshd cannot be read")
    if any(line.split()[0].lstrip("-") == "session" and "pam_loginuid.so" in line for line in lines):
        return green("pam-loginuid", "pam_loginuid gives SSH logins an audit session")
    return red("pam-loginuid", "without pam_loginuid in /etc/pam.d/sshd no login gets an audit session", fix)


def _pam_lines(host: Host, service: str, depth: int) -> Iterator[str]:
    for line in (host.read(f"/etc/pam.d/{service}") or "").splitlines():
        words = line.split("#")[0].split()
        if len(words) >= 2 and (words[0] == "@include" or words[1] in ("include", "substack")):
            if depth < PAM_DEPTH:
                yield from _pam_lines(host, words[-1], depth + 1)
        elif len(words) >= 3:
            yield " ".join(words)


def _sessions(processes: list[Process]) -> Iterator[Finding]:
    found = [(process, SESSION_TITLE.match(process.title)) for process in processes]
    live = [(process, title[1]) for process, title in found if title]
    for process, name in live:
        if process.loginuid == UNSET:
            yield red(
                "session-loginuid",
                f"{name}'s SSH session (process {process.pid}) has no audit user id: what it does is seen by no rule",
                "see pam-loginuid and sshd-usepam; sessions that exist already stay unseen",
            )
    if live and not any(process.loginuid == UNSET for process, _ in live):
        yield green("session-loginuid", f"all {len(live)} SSH sessions have an audit user id")
