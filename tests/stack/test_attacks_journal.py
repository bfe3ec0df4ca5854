# SPDX-License-Identifier: Apache-2.0
"""Attacks by way of what sshd logs, and of what others log in its name."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import forgery
from .accounts import PASSWORD
from .capture import order, shell
from .daemon import run
from .keys import Authority, Identity
from .plugin import Plugin, person
from .rig import Rig
from .waiting import until

pytestmark = pytest.mark.stack

VICTIM = "alice@example.org"
CUT = 500
"""sshd hands at most so many bytes of a message to syslog."""


@pytest.fixture
def intruder(rig: Rig) -> Authority:
    """A CA that nobody trusts but the account's own authorized_keys."""
    authority = Authority(rig.keys, "intruder-ca")
    rig.core.authorize(f"cert-authority {authority.key.line()}")
    return authority


@pytest.fixture
def program(rig: Rig) -> Path:
    """forgery.py where every user can run it."""
    target = rig.directory / "forgery.py"
    shutil.copyfile(Path(forgery.__file__), target)
    target.chmod(0o755)
    return target


class Undecided:
    """A connection that waits for its password. `pid` is its monitor's."""

    def __init__(self, rig: Rig) -> None:
        self._pipe = rig.directory / "password.pipe"
        self._answer = -1
        os.mkfifo(self._pipe, 0o600)
        asks = rig.directory / "asks"
        asks.write_text(f"#!/bin/sh\nread -r word <{self._pipe}\nprintf '%s\\n' \"$word\"\n")
        asks.chmod(0o755)
        before = set(rig.sshd.monitors())
        self._client = rig.sshd.open(rig.core.name, "id", asks=asks)
        until(self._asked, "ssh to ask for the password")
        (self.pid,) = set(rig.sshd.monitors()) - before

    def _asked(self) -> bool:
        # A pipe can be opened for writing, without waiting, only when somebody reads.
        with contextlib.suppress(OSError):
            self._answer = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
        return self._answer >= 0

    def log_in(self) -> None:
        os.write(self._answer, f"{PASSWORD}\n".encode())
        self._client.communicate(timeout=60)

    def close(self) -> None:
        os.close(self._answer)
        if self._client.poll() is None:
            self._client.send_signal(signal.SIGTERM)
            self._client.communicate(timeout=60)
        self._pipe.unlink()


@pytest.fixture
def undecided(rig: Rig) -> Iterator[Undecided]:
    connection = Undecided(rig)
    yield connection
    connection.close()


def spoken(rig: Rig, identity: Identity, ca: str, port: str = "12345") -> str:
    """sshd's whole message for a login with this identity, before any cut."""
    return (
        f"Accepted publickey for {rig.core.name} from 127.0.0.1 port {port} ssh2: ED25519-CERT {identity.fingerprint}"
        f" ID {identity.key_id} (serial {identity.serial}) CA ED25519 {ca}"
    )


def test_a1_a_ca_of_the_accounts_own_names_nobody(rig: Rig, plugin: Plugin, intruder: Authority) -> None:
    """Whoever shares the account can let it trust their CA and sign "alice"."""
    mallory = intruder.certify(VICTIM, rig.core.name)
    assert rig.visit(mallory, "id").status == 0

    login = plugin.login(mallory.fingerprint)
    actions = plugin.actions(rig.session(mallory))

    assert {"unknown"} == {person(d) for d in [login, *actions]}
    assert (VICTIM, "untrusted") == (login["data"]["KeyID"], login["data"]["CATrust"])
    assert f"CA ED25519 {intruder.fingerprint}" == login["data"]["CA"]
    assert any("untrusted CA" in line for line in plugin.said())


@pytest.mark.parametrize("end", [CUT - 1, CUT, CUT + 1])
def test_a2_an_imitated_ca_at_the_cut_names_nobody(rig: Rig, plugin: Plugin, intruder: Authority, end: int) -> None:
    """The key id is as long as makes sshd's cut fall at the end of an imitation of the company's CA."""
    imitation = f"{VICTIM} (serial 350) CA ED25519 {rig.authority.fingerprint}"
    before = spoken(rig, intruder.certify("", rig.core.name), "").index(" (serial")
    mallory = intruder.certify(" " * (end - before - len(imitation)) + imitation, rig.core.name)
    assert rig.visit(mallory, "id").status == 0

    message = rig.accepted(mallory)["MESSAGE"]
    login = plugin.login(mallory.fingerprint)
    actions = plugin.actions(rig.session(mallory))

    whole = spoken(rig, mallory, intruder.fingerprint, login["source"]["extra"]["port"])
    assert whole[:end].endswith(imitation)
    assert whole[:CUT].rstrip() == message
    assert {"unknown"} == {person(d) for d in [login, *actions]}
    assert not {"Serial", "CA", "KeyID"} & set(login["data"])


def test_a2_blanks_behind_an_imitated_ca_name_nobody(rig: Rig, plugin: Plugin, intruder: Authority) -> None:
    """sshd cuts within them and journald strips what is left: the line looks short and whole. Only SYSLOG_RAW tells."""
    imitation = f"{VICTIM} (serial 350) CA ED25519 {rig.authority.fingerprint}"
    mallory = intruder.certify(imitation + " " * CUT, rig.core.name)
    assert rig.visit(mallory, "id").status == 0
    assert len(rig.accepted(mallory)["MESSAGE"]) < CUT - 200

    login = plugin.login(mallory.fingerprint)
    actions = plugin.actions(rig.session(mallory))

    assert {"unknown"} == {person(d) for d in [login, *actions]}
    assert not {"Serial", "CA", "KeyID"} & set(login["data"])


@pytest.mark.parametrize("length", [CUT - 1, CUT, CUT + 1])
def test_a2_a_line_that_may_be_cut_names_nobody_even_if_true(rig: Rig, plugin: Plugin, length: int) -> None:
    """Below 500 bytes the line is whole and names; from 500 on nobody can tell, so it does not."""
    key_id = "p" * (length - len(spoken(rig, rig.person(""), rig.authority.fingerprint)))
    long = rig.person(key_id)
    assert rig.visit(long, "id").status == 0

    assert min(length, CUT) == len(rig.accepted(long)["MESSAGE"])
    documents = [plugin.login(long.fingerprint), *plugin.actions(rig.session(long))]

    assert {key_id if length < CUT else "unknown"} == {person(d) for d in documents}


def test_a8_two_acceptances_of_one_process_name_nobody(rig: Rig, plugin: Plugin, undecided: Undecided) -> None:
    """root forges a perfect "Accepted … ID alice" for a connection that then logs in by itself."""
    forged = (
        f"Accepted publickey for {rig.core.name} from 127.0.0.1 port 4243 ssh2: ED25519-CERT SHA256:{'A' * 43}"
        f" ID {VICTIM} (serial 1) CA ED25519 {rig.authority.fingerprint}"
    )
    forgery.syslog(undecided.pid, forged, uid=0)
    undecided.log_in()
    ses = until(lambda: login_session(rig, undecided.pid), "the login")

    actions = plugin.actions(ses)
    logins = until(lambda: [d for d in plugin.logins() if d["subjects"]["pid"] == str(undecided.pid)], "its UserLogins")

    assert {"unknown"} == {person(d) for d in [*logins, *actions]}
    assert all(forged in d["data"]["contested"] for d in logins)
    assert any("contested" in line for line in plugin.said())


def login_session(rig: Rig, pid: int) -> int:
    """The session of the LOGIN by `pid`, 0 while there is none."""
    return next((line.number("ses") or 0 for line in rig.trail().logins() if line.number("pid") == pid), 0)


def test_a9_a_newline_through_pam_is_no_login(rig: Rig, plugin: Plugin) -> None:
    """A login name with a newline reaches PAM's message unescaped, and from there the journal, unauthenticated."""
    name = "-\nAccepted password for core from 6.6.6.7 port 4243 ssh2"
    since = rig.journald.cursor()
    # OpenSSH's own client refuses such a name; curl's SSH does not.
    run(["curl", "-sk", "--max-time", "20", "-u", f"{name}:wrong", f"sftp://127.0.0.1:{rig.sshd.port}/"], check=False)
    assert any("[-\nAccepted" in str(e["MESSAGE"]) for e in rig.journald.entries(since))

    _login_after(rig, plugin)

    assert not [d for d in plugin.documents() if d["source"]["value"] == "6.6.6.7" and d["type"] != "UserLogin"]
    assert not [d for d in plugin.logins() if d["source"]["value"] == "6.6.6.7" or d["subjects"]["loggedAs"] == "core"]


def _login_after(rig: Rig, plugin: Plugin) -> None:
    """Return when a login that happened after everything else has been told, so that nothing before it is pending."""
    later = rig.person("later@example.org")
    rig.visit(later)
    plugin.login(later.fingerprint)


@pytest.mark.parametrize("how", ["logger", "logger --id", "unshare -Ur", "python"])
def test_a10_a_users_line_in_sshds_name_is_no_login(
    rig: Rig, plugin: Plugin, program: Path, undecided: Undecided, how: str
) -> None:
    """bob, logged in, logs "Accepted … ID alice" as sshd and with the pid of a live monitor."""
    words = f"Accepted publickey for {rig.core.name} from 6.6.6.8 port 4243 ssh2: ED25519-CERT SHA256:{'B' * 43}"
    words += f" ID {VICTIM} (serial 1) CA ED25519 {rig.authority.fingerprint}"
    bob = rig.person("bob@example.org")
    his = shell(rig, bob)
    order(
        his,
        {
            "logger": f"logger -t sshd '{words}'",
            "logger --id": f"logger -t sshd --id={undecided.pid} '{words}'",
            "unshare -Ur": f"unshare -Ur logger -t sshd --id={undecided.pid} '{words}'",
            "python": f"/usr/bin/python3 -I {program} syslog {undecided.pid} '{words}'",
        }[how],
    )
    assert any(e["MESSAGE"] == words for e in rig.journald.entries())
    undecided.log_in()
    ses = until(lambda: login_session(rig, undecided.pid), "the login")
    his.communicate(timeout=60)

    assert {"unknown"} == {person(d) for d in plugin.actions(ses)}
    assert {"bob@example.org"} == {person(d) for d in plugin.actions(rig.session(bob))}
    assert not [d for d in plugin.documents() if d["source"]["value"] == "6.6.6.8"]
    assert any("imitate sshd" in line for line in plugin.said())


@pytest.mark.parametrize("by", ["user", "root"])
def test_a28_a_huge_entry_in_sshds_name_costs_no_memory(rig: Rig, plugin: Plugin, program: Path, by: str) -> None:
    """200 fields of 60 KB, messages doubled and in bytes: read past, counted, and the next login is told."""
    _login_after(rig, plugin)
    before = plugin.memory()
    words = f"Accepted password for {rig.core.name} from 6.6.6.9 port 1 ssh2"
    become = ["setpriv", "--reuid", rig.other.name, "--regid", rig.other.name, "--clear-groups"] if by == "user" else []
    for _ in range(5):
        run([*become, "/usr/bin/python3", "-I", program, "native", words])

    _login_after(rig, plugin)

    assert plugin.memory() - before < 4096
    assert plugin.memory("VmHWM") < 64 * 1024
    assert not [d for d in plugin.documents() if d["source"]["value"] == "6.6.6.9"]
