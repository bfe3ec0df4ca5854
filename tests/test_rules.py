# SPDX-License-Identifier: Apache-2.0
"""`maldito rules` on a root directory of its own, with an auditctl that keeps its rules in a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from audisp_maldito import auditctl, rules
from audisp_maldito.errors import ConfigError
from audisp_maldito.rules import Rules, difference, install, remove

SHIPPED = Path(__file__).parents[1] / "packaging" / "rules"
AUDITCTL = """#!/bin/sh
state={state}
no() {{
    echo "Error sending rule data request ($1)" >&2
    exit 255
}}
case $1 in
    -s) cat $state/status ;;
    -l) cat $state/rules ;;
    -a)
        case " $* " in *" -F path=/refused "*) no "Invalid argument" ;; esac
        grep -qxF -e "$*" $state/rules && no "Rule exists"
        echo "$*" >>$state/rules ;;
    -d)
        shift
        grep -qxF -e "-a $*" $state/rules || no "No rule matches"
        grep -vxF -e "-a $*" $state/rules >$state/left
        mv $state/left $state/rules ;;
    --loginuid-immutable) echo "loginuid_immutable 1 locked" >>$state/status ;;
esac
"""


class Machine:
    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        for made in ("etc/audit/rules.d", "etc/ssh", "etc/pam.d", "root", "home/core/.ssh", "home/new", "usr/share"):
            (self.root / made).mkdir(parents=True)
        (self.root / "etc/passwd").write_text(
            "root:x:0:0::/root:/bin/bash\ncore:x:1000:1000::/home/core:/bin/sh\nnew:x:1001:1001::/home/new:/bin/zsh\n"
            "daemon:x:1:1::/usr/share:/usr/sbin/nologin\nodd:x:1002:1002::/home/od d:/bin/sh\nbroken line\n"
        )
        self.state = directory / "state"
        self.state.mkdir()
        self.loaded("-a always,exit -F path=/etc/hosts -F perm=wa -k theirs")
        self.enabled(1)
        self.rules = Rules(str(self.root), str(SHIPPED))

    def loaded(self, *lines: str) -> None:
        (self.state / "rules").write_text("".join(line + "\n" for line in lines))

    def enabled(self, number: int) -> None:
        (self.state / "status").write_text(f"enabled {number}\nloginuid_immutable 0 unlocked\n")

    def kernel(self) -> list[str]:
        return (self.state / "rules").read_text().splitlines()

    @property
    def file(self) -> Path:
        return self.root / "etc/audit/rules.d/90-audisp-maldito.rules"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    program = tmp_path / "auditctl"
    program.write_text(AUDITCTL.format(state=machine.state))
    program.chmod(0o755)
    monkeypatch.setattr(auditctl, "PROGRAM", str(program))
    monkeypatch.setattr(rules, "AUGENRULES", "/bin/true")
    return machine


def test_install_writes_one_file_and_loads_it(machine: Machine) -> None:
    install(machine.rules, [])

    assert machine.file.stat().st_mode & 0o777 == 0o640
    wanted = [line for line in machine.file.read_text().splitlines() if line.startswith("-a ")]
    assert machine.kernel()[1:] == wanted
    assert not difference(machine.rules)


def test_rules_of_others_stay_before_ours_and_after_us(machine: Machine) -> None:
    theirs = machine.kernel()
    install(machine.rules, ["network"])
    assert machine.kernel()[:1] == theirs
    remove(machine.rules)

    assert machine.kernel() == theirs
    assert not machine.file.exists()


def test_what_this_host_lacks_is_left_out(machine: Machine) -> None:
    """The kernel refuses a rule for a path whose directory is not there, and a boot would stop at it."""
    install(machine.rules, [])
    text = machine.file.read_text()

    assert "\n## not on this host: -a always,exit -F arch=b64 -F dir=/etc/sudoers.d " in text
    assert "\n-a always,exit -F arch=b64 -F dir=/etc/ssh " in text
    assert "\n-a always,exit -F path=/etc/sudoers " in text


def test_the_keys_of_every_account_are_watched(machine: Machine) -> None:
    """Of those that somebody can log in to; a home without .ssh is watched for one."""
    install(machine.rules, [])
    watched = re.findall(r"^-a .*-F path=(/(?:home|root)/\S+)", machine.file.read_text(), re.MULTILINE)

    home = "/home/core/.ssh"
    expected = ["/root/.ssh", home, f"{home}/authorized_keys", f"{home}/authorized_keys2", "/home/new/.ssh"]
    assert sorted(watched) == sorted(expected)


def test_a_new_account_shows_in_the_check(machine: Machine) -> None:
    install(machine.rules, ["login-scripts"])
    (machine.root / "home/late").mkdir()
    with (machine.root / "etc/passwd").open("a") as passwd:
        passwd.write("late:x:1003:1003::/home/late:/bin/bash\n")
    assert difference(machine.rules).outdated

    install(machine.rules, rules.chosen(machine.file.read_text()))
    assert not difference(machine.rules)
    assert any("path=/home/late/.bashrc" in rule for rule in machine.kernel())


def test_rules_that_were_flushed_show_in_the_check(machine: Machine) -> None:
    install(machine.rules, [])
    kept = [rule for rule in machine.kernel() if "maldito-exec" not in rule]
    machine.loaded(*kept)

    assert difference(machine.rules).unloaded == {"maldito-exec": 2}


def test_nothing_installed_shows_in_the_check(machine: Machine) -> None:
    assert difference(machine.rules).absent


def test_another_choice_of_sets_takes_the_first_back(machine: Machine) -> None:
    install(machine.rules, ["network", "ptrace"])
    install(machine.rules, ["network"])

    keys = {auditctl.key(rule) for rule in machine.kernel()}
    assert "maldito-connect" in keys
    assert "maldito-ptrace" not in keys


def test_immutable_rules_wait_for_the_next_boot(machine: Machine) -> None:
    machine.enabled(2)
    before = machine.kernel()

    assert any("next reboot" in line for line in install(machine.rules, []))
    assert machine.kernel() == before
    assert machine.file.exists()


def test_a_refused_rule_does_not_keep_the_others_out(machine: Machine, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "base.rules").write_text(
        "-a always,exit -F path=/refused -F key=a\n-a always,exit -F path=/b -F key=b\n"
    )
    machine.rules.shipped = str(shipped)

    told = install(machine.rules, [])
    assert any("path=/refused" in line and "Invalid argument" in line for line in told)
    assert "-a always,exit -F path=/b -F key=b" in machine.kernel()


def test_loginuid_immutable_is_set_only_when_asked_for(machine: Machine) -> None:
    install(machine.rules, [])
    assert "1 locked" not in (machine.state / "status").read_text()
    install(machine.rules, ["loginuid-immutable"])
    assert auditctl.status()["loginuid_immutable"] == 1


def test_a_set_that_there_is_not(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="there are containers, login-scripts, loginuid-immutable, network, ptrace"):
        install(machine.rules, ["netwrok"])
    assert not machine.file.exists()


def test_remove_without_install(machine: Machine) -> None:
    assert remove(machine.rules) == []


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.rules")), ids=lambda path: path.stem)
def test_shipped_sets_never_take_more_than_they_say(path: Path) -> None:
    """No flushing, no locking, no failure mode; every rule has a key of ours and concerns sessions."""
    for line in path.read_text().splitlines():
        assert not re.match(r"-[Debf]\b", line)
        if line.startswith("-a "):
            assert re.search(r" -F key=maldito-[a-z]+$", line)
            assert " -F auid!=unset " in line or " -F auid=unset " in line
        else:
            assert line == "" or line.startswith("##") or line in ("-c", "--loginuid-immutable")


def test_only_root_may_change_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="root"):
        rules.main("install", [])


def test_an_auditctl_that_is_absent_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditctl, "PROGRAM", "/nowhere/auditctl")
    told = install(machine.rules, [])

    assert any("Not in force before the next boot: /nowhere/auditctl: No such file" in line for line in told)
