# SPDX-License-Identifier: Apache-2.0
"""`maldito rules`: the audit rules that we ship, in force because the administrator said so, and gone again.

What is shipped are sets (base, and optional ones); what is installed is one file, named after us, of the sets that were
asked for, without the lines whose path this host doesn't have, and with a watch on the keys of every account that
somebody can log in to. Its first lines say which sets it was made of.

Nothing here touches a rule of anybody else: ours are added and deleted one by one, never by -D, and the merged file
that auditd loads at the next boot is written by its own augenrules.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from typing import Callable, NamedTuple

from . import accounts, auditctl
from .errors import ConfigError, InputError

SHIPPED = "/usr/share/audisp-maldito/rules"
CHECKOUT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packaging", "rules")
INSTALLED = "etc/audit/rules.d/90-audisp-maldito.rules"
"""Behind the administrator's own, whose keys thus stay; augenrules moves -e to the end by itself."""

AUGENRULES = "/sbin/augenrules"
BASE = "base"
IMMUTABLE = 2
"""`enabled` when the kernel takes no more changes before a reboot."""

FILE_MODE = 0o640
ACCOUNTS_LIMIT = 500
SETS_LINE = re.compile(r"^## sets: ([a-z -]+)$", re.MULTILINE)
WATCHED = re.compile(r"-F (path|dir)=(\S+)")
HOME_WATCH = "-a always,exit -F path={path} -F perm=wa -F auid!=unset -F key={key}"
HOMES = {
    BASE: ("maldito-keys", (".ssh", ".ssh/authorized_keys", ".ssh/authorized_keys2")),
    "login-scripts": ("maldito-scripts", (".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshenv", ".ssh/rc")),
}
"""set: its key, and what it watches of each account's home."""


class Rules:
    """The sets under `shipped` and the one file of ours under `root`."""

    def __init__(self, root: str = "/", shipped: str = SHIPPED) -> None:
        self.root = root
        self.path = os.path.join(root, INSTALLED)
        self.shipped = shipped if os.path.isdir(shipped) else CHECKOUT

    def sets(self) -> list[str]:
        """The names of the optional sets."""
        names = {name[: -len(".rules")] for name in os.listdir(self.shipped) if name.endswith(".rules")}
        return sorted(names - {BASE})

    def text(self, optional: list[str]) -> str:
        """The file for this host."""
        chosen = [BASE, *sorted(set(optional))]
        lines = ["## Written by `maldito rules install`, which may be run again; `maldito rules remove` takes it back."]
        lines.append("## sets: " + " ".join(chosen))
        for name in chosen:
            lines += ["", *self._present(self._read(name))]
        for name in chosen:
            if name in HOMES:
                lines += ["", "## The accounts that somebody can log in to."]
                lines += [line for line in self._homes(*HOMES[name]) if line not in lines]
        return "\n".join(lines) + "\n"

    def installed(self) -> str:
        """The file's text; empty if there is none."""
        try:
            with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise InputError(self.path, error.strerror) from error

    def write(self, text: str) -> None:
        """Replace the file in one step; augenrules looks only at names that end in .rules."""
        new = self.path + ".new"
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
            os.replace(new, self.path)
        except OSError as error:
            raise ConfigError(self.path, f"cannot be written: {error.strerror}") from error

    def _read(self, name: str) -> list[str]:
        try:
            with open(os.path.join(self.shipped, name + ".rules"), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError as error:
            raise ConfigError(name, "no such set of rules; there are " + ", ".join(self.sets())) from error

    def _present(self, lines: list[str]) -> list[str]:
        """Lines whose path this host doesn't have become comments: the kernel would refuse them."""
        return [line if self._there(line) else "## not on this host: " + line for line in lines]

    def _there(self, line: str) -> bool:
        """A watched path may be absent, the directory that it is in may not."""
        found = WATCHED.search(line) if not line.startswith("#") else None
        if found is None:
            return True
        directory = found[2] if found[1] == "dir" else os.path.dirname(found[2])
        return os.path.isdir(os.path.join(self.root, directory.lstrip("/")))

    def _homes(self, key: str, names: tuple[str, ...]) -> list[str]:
        homes = {a.home.rstrip("/") for a in accounts.read(self.root) if a.may_log_in and a.home.startswith("/")}
        # A home that is / belongs to no person, and a blank would part the rule.
        watched = [home for home in sorted(homes) if home and not re.search(r"\s", home)][:ACCOUNTS_LIMIT]
        lines = [HOME_WATCH.format(path=f"{home}/{name}", key=key) for home in watched for name in names]
        return [line for line in lines if self._there(line)]


class Difference(NamedTuple):
    """What is wrong between the shipped sets, the file and the kernel; nothing: all empty."""

    absent: bool
    outdated: bool
    unloaded: dict[str, int]
    """key: how many of its rules the kernel doesn't have."""

    def __bool__(self) -> bool:
        return bool(self.absent or self.outdated or self.unloaded)


def install(rules: Rules, optional: list[str]) -> list[str]:
    """Write the file and load what is new in it; what to tell the administrator."""
    before, text = rules.installed(), rules.text(optional)
    rules.write(text)
    told = [f"{rules.path}: {len(_rules(text))} rules"]
    return told + _merge() + _load(_rules(before), _rules(text), text)


def remove(rules: Rules) -> list[str]:
    """Take the file and its rules away; what to tell the administrator, nothing if there was nothing."""
    before = rules.installed()
    if not before:
        return []
    os.unlink(rules.path)
    return [f"{rules.path}: removed", *_merge(), *_load(_rules(before), [], "")]


def difference(rules: Rules) -> Difference:
    """Compare; auditctl.AuditctlError if the kernel cannot be asked."""
    text = rules.installed()
    if not text:
        return Difference(True, False, {})
    # By key and number: auditctl shows a rule in other words than it was given in, differently in each version.
    loaded = Counter(auditctl.key(rule) for rule in auditctl.rules())
    wanted = Counter(auditctl.key(rule) for rule in _rules(text))
    missing = {str(key): count - loaded[key] for key, count in wanted.items() if loaded[key] < count}
    return Difference(False, text != rules.text(chosen(text)), missing)


def chosen(text: str) -> list[str]:
    """The optional sets that an installed file was made of."""
    found = SETS_LINE.search(text)
    return [name for name in found[1].split() if name != BASE] if found else []


def _rules(text: str) -> list[str]:
    return [line[len("-a ") :] for line in text.splitlines() if line.startswith("-a ")]


def _merge() -> list[str]:
    try:
        done = subprocess.run([AUGENRULES], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"{AUGENRULES}: {error}; what the next boot loads is unchanged"]
    return [] if done.returncode == 0 else [done.stderr.decode("utf-8", "replace").strip() or f"{AUGENRULES} failed"]


def _load(before: list[str], after: list[str], text: str) -> list[str]:
    """Bring the kernel from one to the other; first what is new, so that nothing goes unrecorded meanwhile."""
    try:
        if auditctl.status().get("enabled") == IMMUTABLE:
            return ["The kernel's rules are immutable (-e 2): in force after the next reboot."]
        told = _each(auditctl.add, after)
        if "\n--loginuid-immutable" in text:
            auditctl.command("--loginuid-immutable")
        return told + _each(auditctl.delete, [rule for rule in before if rule not in after])
    except auditctl.AuditctlError as refused:
        return [f"Not in force before the next boot: {refused}"]


def _each(change: Callable[[str], bool], rules: list[str]) -> list[str]:
    """Every one is tried, as auditctl does at boot under -c."""
    refusals = []
    for rule in rules:
        try:
            change(rule)
        except auditctl.AuditctlError as refused:
            refusals.append(f"{rule}: {refused}")
    return refusals


def main(action: str, optional: list[str]) -> int:
    """`maldito rules ACTION`; the exit code."""
    rules = Rules()
    if action == "check":
        return _check(rules)
    if os.geteuid() != 0:
        raise ConfigError("rules", f"{action} must be run as root")
    told = install(rules, optional) if action == "install" else remove(rules)
    print("\n".join(told or ["no rules of ours are installed"]))
    return 0


def _check(rules: Rules) -> int:
    try:
        found = difference(rules)
    except (auditctl.AuditctlError, InputError) as refused:
        print(f"cannot tell: {refused}", file=sys.stderr)
        return 3
    again = " ".join(["maldito rules install", *chosen(rules.installed())])
    if found.absent:
        print(f"{rules.path}: not installed; `{again}` does it")
    if found.outdated:
        print(f"{rules.path}: accounts or shipped rules have changed since; `{again}` brings it up to date")
    for key, count in sorted(found.unloaded.items()):
        print(f"{count} rules with the key {key} are not loaded; `{again}` loads them")
    if not found:
        print(f"{rules.path}: installed and loaded")
    return 1 if found else 0
