# SPDX-License-Identifier: Apache-2.0
"""What the policy is made of is found again when it changes, and what is broken leaves the last good one in force."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from audisp_maldito import addresses
from audisp_maldito.config import Config
from audisp_maldito.diagnostics import Log
from audisp_maldito.premises import LOOK_SECONDS, Premises

ALICE = "SHA256:frGtfUnZ8huEWJjAGnmLsmCqE0to2nuvfP4qhIUIUaI"


class Host:
    """sshd_config, an identities file, and somewhere to complain to."""

    def __init__(self, directory: Path) -> None:
        self.sshd_config = directory / "sshd_config"
        self.identities = directory / "identities.yaml"
        self._syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._syslog.bind(str(directory / "syslog"))
        self._syslog.setblocking(False)
        self._log = Log(lambda: 0.0, str(directory / "syslog"))
        self.premises = Premises(self._log)
        self.config = Config(sshd_config=str(self.sshd_config), identities=str(self.identities))
        self.write(self.sshd_config, "Port 22\n")
        self.write(self.identities, "")

    def write(self, path: Path, text: str) -> None:
        draft = path.with_suffix(".new")
        draft.write_text(text)
        draft.chmod(0o600)
        draft.rename(path)

    def whose(self, key: str) -> set[str]:
        persons = self.premises.policy(self.config).persons
        assert persons is not None
        return persons.of_key(key)

    def said(self) -> str:
        try:
            return self._syslog.recv(4096).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        self._log.close()
        self._syslog.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


def test_a_change_is_seen_and_looked_for_once_a_second(host: Host) -> None:
    host.premises.policy(host.config)
    assert not host.premises.changed(100.0)
    host.write(host.identities, f"keys:\n  {ALICE}: alice\n")
    assert not host.premises.changed(100.0 + LOOK_SECONDS - 0.1)
    assert host.premises.changed(100.0 + LOOK_SECONDS)
    assert host.whose(ALICE) == {"alice"}
    assert not host.premises.changed(200.0)
    host.write(host.sshd_config, "Port 22\nAuthenticationMethods publickey,password\n")
    assert host.premises.changed(300.0)
    assert host.premises.policy(host.config).multi_factor is True


def test_a_broken_directory_leaves_the_last_good_one(host: Host) -> None:
    host.write(host.identities, f"keys:\n  {ALICE}: alice\n")
    assert host.whose(ALICE) == {"alice"}
    host.write(host.identities, f"keys:\n  {ALICE}: ali")
    host.write(host.identities, "keys: [")
    assert host.whose(ALICE) == {"alice"}
    assert "the last good one stays in force" in host.said()
    host.identities.unlink()
    assert host.whose(ALICE) == {"alice"}
    host.write(host.identities, "")
    assert host.whose(ALICE) == set()


def test_a_first_directory_that_is_broken_names_nobody(host: Host) -> None:
    host.write(host.identities, "keys: [")
    assert host.premises.policy(host.config).persons is None
    assert "nobody is named by it" in host.said()


def test_the_default_directory_need_not_be_there(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = tmp_path / "default.yaml"
    monkeypatch.setattr("audisp_maldito.identities.DEFAULT_PATH", str(default))
    config = host.config._replace(identities=None)
    assert host.premises.policy(config).persons is None
    assert host.said() == ""
    host.write(default, f"keys:\n  {ALICE}: alice\n")
    assert host.premises.changed(100.0)


def test_sshd_config_that_cannot_be_read_any_more_stays_as_it_was(host: Host) -> None:
    host.write(host.sshd_config, "AuthenticationMethods publickey,password\n")
    assert host.premises.policy(host.config).multi_factor is True
    host.sshd_config.unlink()
    assert host.premises.changed(100.0)
    assert host.premises.policy(host.config).multi_factor is True


def test_the_hosts_own_addresses(tmp_path: Path) -> None:
    """As the kernel has them; IPv6 as sshd prints it."""
    listed = tmp_path / "if_inet6"
    listed.write_text(
        "20010db8000000000000000000000007 02 40 00 80     eth0\nfe800000000000000000000000000001 02 40 20 80 eth0\n"
    )
    found = addresses.own(str(listed))

    assert {"127.0.0.1", "2001:db8::7", "fe80::1"} <= found
    assert addresses.own(str(tmp_path / "none")) == found - {"2001:db8::7", "fe80::1"}
