# SPDX-License-Identifier: Apache-2.0
"""Real certificate logins through real sshd, journald, kernel and auditd, and what the plugin makes of them."""

from __future__ import annotations

import pytest

from .capture import order, shell
from .plugin import Plugin, event_id, person
from .rig import Rig

pytestmark = pytest.mark.stack

HOSTILE = {
    "imitated certificate": "eve (serial 1) CA ED25519 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "imitated address": "eve from 1.2.3.4 port 5 ssh2",
    "imitated line": "eve from 1.2.3.4 port 5 ssh2: RSA-CERT SHA256:A ID root (serial 2) CA RSA MD5:x",
    "newline": "eve\nAccepted password for root from 6.6.6.6 port 1 ssh2",
    "carriage return": "eve\rAccepted password for root",
    "quotes": "e'v\"e",
    "backslashes": "e\\ve\\n\\303",
    "UTF-8": "zoë 志明@example.org",
    "control bytes": "eve\x1b[2J\x01\x7f",
    "blanks": "  eve  ",
    "signature count": "eve, signature count = 3",
    "empty": "",
}


def test_every_event_of_a_session_is_told_once_and_with_the_persons_name(rig: Rig, plugin: Plugin) -> None:
    """`id; ls /root; cat /etc/shadow; sudo -n true` by certificate: one UserLogin, one UserAction per audit event."""
    alice = rig.person("alice@example.org")
    visit = rig.visit(alice, "id; ls /root; cat /etc/shadow; sudo -n true")
    assert visit.status == 0

    accepted = rig.accepted(alice)
    ses = rig.session(alice)
    actions = plugin.actions(ses)
    login = plugin.login(alice.fingerprint)

    assert {"alice@example.org"} == {person(d) for d in actions}
    assert {"UserAction"} == {d["type"] for d in actions}
    assert len(actions) > 20
    port = accepted["MESSAGE"].partition(" port ")[2].split()[0]
    assert {"type": "IP", "value": "127.0.0.1", "extra": {"port": port}} == login["source"]
    assert {"loggedAs": rig.core.name, "pid": accepted["_PID"], "userID": "alice@example.org"} == login["subjects"]
    assert {
        "Alg": "ED25519-CERT SHA256",
        "CA": f"CA ED25519 {rig.authority.fingerprint}",
        "KeyID": "alice@example.org",
        "SSHKeySum": alice.fingerprint.partition(":")[2],
        "Serial": str(alice.serial),
    }.items() <= login["data"].items()
    assert all(d["source"] == login["source"] and d["subjects"] == login["subjects"] for d in actions)


def test_refused_accesses_are_failed_and_bear_their_errno(rig: Rig, plugin: Plugin) -> None:
    """What the kernel refused is told as failed, with the kernel's reason."""
    alice = rig.person("alice@example.org")
    rig.visit(alice, "ls /root; cat /etc/shadow; /nowhere/nothing")

    actions = plugin.actions(rig.session(alice))

    refused = {
        d["metadata"]["extra"]["object"].get("primary"): d["metadata"]["extra"]["errno"]
        for d in actions
        if d["outcome"] == "failed" and d["metadata"]["extra"].get("errno") == "EACCES"
    }
    assert {"/root": "EACCES", "/etc/shadow": "EACCES"} == refused


def test_two_people_on_one_account_are_told_apart(rig: Rig, plugin: Plugin) -> None:
    """Their commands interleave, their account is the same, their names are not."""
    alice, bob = rig.person("alice@example.org"), rig.person("bob@example.org")
    hers, his = shell(rig, alice), shell(rig, bob)
    for number in range(5):
        order(hers, f"test -e /alice/{number}")
        order(hers, f"/usr/bin/[ -e /alice/{number} ]")
        order(his, f"/usr/bin/[ -e /bob/{number} ]")
    for process in (hers, his):
        process.communicate(timeout=60)

    for who in (alice, bob):
        actions = plugin.actions(rig.session(who))
        assert {who.key_id} == {person(d) for d in actions}
        words = [
            w for d in actions for w in d["metadata"]["extra"].get("process_args", []) if w.endswith(tuple("01234"))
        ]
        name = str(who.key_id).partition("@")[0]
        assert [f"/{name}/{number}" for number in range(5)] == [w for w in words if w.startswith(("/alice", "/bob"))]


@pytest.mark.parametrize("key_id", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_key_id_moves_nothing_else(rig: Rig, plugin: Plugin, key_id: str) -> None:
    """Address, port, serial, CA and fingerprint are the true ones whatever a key id holds, and so is the key id."""
    eve = rig.person(key_id)
    assert rig.visit(eve, "true").status == 0

    login = plugin.login(eve.fingerprint)
    actions = plugin.actions(rig.session(eve))

    port = rig.accepted(eve)["MESSAGE"].partition(" port ")[2].split()[0]
    assert {"type": "IP", "value": "127.0.0.1", "extra": {"port": port}} == login["source"]
    assert str(eve.serial) == login["data"]["Serial"]
    assert f"CA ED25519 {rig.authority.fingerprint}" == login["data"]["CA"]
    assert rig.core.name == login["subjects"]["loggedAs"]
    assert key_id == login["data"].get("KeyID", "")
    assert {key_id or "unknown"} == {person(d) for d in [login, *actions]}


def test_a_key_id_of_900_characters_names_nobody(rig: Rig, plugin: Plugin) -> None:
    """sshd cuts the line: what stands before the key id is true, what stands behind it is lost."""
    eve = rig.person("eve" + "x" * 897)
    assert rig.visit(eve, "true").status == 0

    login = plugin.login(eve.fingerprint)
    actions = plugin.actions(rig.session(eve))

    port = rig.accepted(eve)["MESSAGE"].partition(" port ")[2].split()[0]
    assert {"type": "IP", "value": "127.0.0.1", "extra": {"port": port}} == login["source"]
    assert {"unknown"} == {person(d) for d in [login, *actions]}
    assert not {"Serial", "CA", "KeyID"} & set(login["data"])
    assert login["data"]["KeyIDTruncated"].startswith("evexxx")


def test_a_failed_password_is_one_failed_login(rig: Rig, plugin: Plugin) -> None:
    """A wrong password is told once, as failed; nobody is named."""
    before = len(plugin.logins(Method="password"))
    assert rig.visit(None, "true", password="wrong").status == 255
    assert rig.visit(None, "true", account="nobody-here", password="wrong").status == 255
    alice = rig.person("alice@example.org")
    rig.visit(alice)
    plugin.login(alice.fingerprint)

    first, second = plugin.logins(Method="password")[before:]

    assert ("failed", rig.core.name, "unknown") == (first["outcome"], first["subjects"]["loggedAs"], person(first))
    assert ("failed", "nobody-here", "unknown") == (second["outcome"], second["subjects"]["loggedAs"], person(second))
    assert second["data"]["InvalidUser"] is True


def test_a_password_login_is_an_ssh_session_of_an_unknown_person(rig: Rig, plugin: Plugin) -> None:
    """An account's password says nothing of who typed it: the login and its actions are told, nameless."""
    since = rig.journald.cursor()
    assert rig.visit(None, "id").status == 0
    (entry,) = [e for e in rig.journald.entries(since) if str(e["MESSAGE"]).startswith("Accepted password")]
    ses = rig.trail().login_of(int(entry["_PID"])).number("ses")
    assert ses is not None

    actions = plugin.actions(ses)

    assert {("UserAction", "unknown", rig.core.name)} == {
        (d["type"], person(d), d["subjects"]["loggedAs"]) for d in actions
    }


def test_numbering_has_no_hole(plugin: Plugin) -> None:
    """`seq` counts what is in the file, so that a cut tail would show; no eventId stands there twice."""
    documents = plugin.documents()

    assert list(range(1, len(documents) + 1)) == [d["metadata"]["extra"]["seq"] for d in documents]
    identities = [(d["type"], event_id(d)) for d in documents]
    assert len(set(identities)) == len(identities)
