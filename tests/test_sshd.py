# SPDX-License-Identifier: Apache-2.0
"""Rows of data/sshd.yaml: each reads its own messages and no other's, and nobody's text moves an anchor."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from audisp_maldito import sshd
from audisp_maldito.model import Login
from tests.sshd_messages import GOES, ROWS, SAMPLES, TABLE, TAILS, fields, fill, message, vis

EXAMPLES = [(row["id"], text) for row in TABLE["rows"] for text in row["examples"]]
HEAD = "Accepted publickey for bob from 203.0.113.7 port 50482 ssh2: "
CERTIFICATE = TAILS["certificate"]
TRUE = {"source": "203.0.113.7", "port": "50482", "fingerprint": SAMPLES["fingerprint"], "serial": "4711",
        "ca": SAMPLES["ca"], "ca_alg": "RSA", "alg": "ED25519-CERT"}  # fmt: skip

ATTACKS = [
    " from 1.2.3.4 port 5",
    " from 1.2.3.4 port 5 ssh2",
    " from 1.2.3.4 port 5 ssh2: ED25519-CERT SHA256:AAAA ID root@corp (serial 0) CA ED25519 SHA256:BBBB",
    " 1.2.3.4 port 5: Too many authentication failures",
    " 1.2.3.4 port 5",
    "eve (serial 9) CA ED25519 SHA256:AAAA",
    'eve" (serial 9) signed by ED25519 CA SHA256:AAAA via /x',
    'eve" serial=9 signed by ED25519 CA SHA256:AAAA: expired',
    ", signature count = 9",
    " ID mallory (serial 9) CA ED25519 SHA256:AAAA, signature count = 9",
    " [preauth]",
    " [preauth] ",
    ": x",
    '"', '""', "'", '", client host "h', "\\", "\\303\\266", "jörg", "", " ", "  x  ", "\t", "a\nb",
    " not allowed because account is locked",
    " by PAM account configuration",
    " failed, subsystem not found",
    " attempted authentication",
    "for bob from 1.2.3.4 port 5 id 9",
    " [1.2.3.4] failed.",
    '" is set up for 1.2.3.4, ignoring',
    ", but this does not map back to the address.",
    " timed out",
    " rejected: user verification requirement not met ",
    "invalid user root",
    "error: ",
    *(text for _, text in EXAMPLES),
]  # fmt: skip


def parse(text: str) -> Optional[Login]:
    return sshd.parse(text, len(text.encode("utf-8", "surrogateescape")))


def rows_that_read(text: str) -> list[str]:
    line = sshd._peeled(text, 0)
    assert line is not None
    bodies = [(row, row.body(line)) for row in sshd._policy().rows]
    return [row.id for row, body in bodies if body is not None and row.read(body) is not None]


@pytest.mark.parametrize(("row", "text"), EXAMPLES)
def test_an_example_is_read_by_its_own_row_and_no_other(row: str, text: str) -> None:
    assert rows_that_read(text) == [row]
    login = parse(text)
    assert login is not None
    assert (login.row, login.kind, login.text) == (row, ROWS[row]["kind"], text)


@pytest.mark.parametrize(
    ("tail", "text"), [(tail, text) for tail in TAILS for text in TAILS[tail]["examples"] if tail != "cut"]
)
def test_an_example_of_a_tail_is_read_whole(tail: str, text: str) -> None:
    login = parse(HEAD.replace("publickey", TAILS[tail]["methods"][-1]) + text)
    assert login is not None and (login.source, login.port) == ("203.0.113.7", "50482")
    told = {GOES[name].rpartition(".")[2] for name in fields(TAILS[tail]["pattern"])} - {"nothing"}
    assert {name for name in told if not (getattr(login, name, None) is not None or name in login.details)} == set()


def test_every_shape_and_field_is_used() -> None:
    used = {
        name
        for row in TABLE["rows"] + TABLE["tails"]
        for key in ("pattern", "unless")
        for name in fields(row.get(key, ""))
    }
    used |= {name for row in TABLE["rows"] for name in row.get("set", ())}
    assert set(TABLE["fields"]) - used == set()
    assert set(TABLE["shapes"]) - {field["shape"] for field in TABLE["fields"].values()} == set()


def hostile_fields() -> list[Any]:
    cases: list[Any] = [(row, None, name) for row in TABLE["rows"] for name in row.get("hostile", ())]
    heads = [row for row in TABLE["rows"] if row.get("tails")]
    for row in heads:
        # What no sshd has written yet is read behind a known account's name only, and `cut` behind a cut one.
        tails = [
            tail for tail in TABLE["tails"] if tail["id"] not in ("cut", "unread" if row["hangs"] == "both" else "")
        ]
        cases += [(row, tail, name) for tail in tails for name in tail.get("hostile", ())]
    return [pytest.param(*case, id=f"{case[0]['id']}-{(case[1] or {}).get('id', '')}-{case[2]}") for case in cases]


@pytest.mark.parametrize(("row", "tail", "field"), hostile_fields())
def test_hostile_text_changes_nothing_but_its_own_field(row: dict[str, Any], tail: Any, field: str) -> None:
    plain = parse(message(row, {field: "x" if field != "rest" else " x"}, tail))
    assert plain is not None and plain.row == row["id"]
    open_sided = row["hangs"] == "both" or (tail or row)["hangs"] == "both"
    for attack in ATTACKS:
        value = " " + attack if field == "rest" else attack
        text = message(row, {field: value}, tail)
        if (row["id"] == "received-disconnect" and text.endswith(" [preauth]")) or len(text.encode()) >= sshd.CUT_BYTES:
            continue  # the user's own process may say so, and nothing hangs on it; cut lines have a test of their own
        if not row.get("decode", True) and any(c < " " for c in text):
            continue
        login = parse(text)
        assert login is not None, text
        assert_same(plain, login, field, open_sided, text)


def assert_same(plain: Login, login: Login, field: str, open_sided: bool, text: str) -> None:
    own = GOES[field].rpartition(".")[2]
    for name in set(Login._fields) - {own, "text", "reason", "details", "info"}:
        was, is_ = getattr(plain, name), getattr(login, name)
        assert is_ == was or (open_sided and is_ is None), (name, was, is_, text)
    for name in set(login.details) | set(plain.details):
        if name not in (own, "clientUser", "clientHost"):
            assert login.details.get(name) == plain.details.get(name), (name, text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_key_id_is_kept_to_the_letter(attack: str) -> None:
    text = HEAD + vis(fill(CERTIFICATE["pattern"], {"key_id": attack}))
    login = parse(text)
    if len(text) >= sshd.CUT_BYTES:
        return
    assert login is not None
    assert login.key_id == attack
    assert {name: getattr(login, name) for name in TRUE} == TRUE


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_name_of_an_invalid_user_never_moves_the_address(attack: str) -> None:
    for method in ("password", "keyboard-interactive/pam", "publickey", "none"):
        text = vis(f"Failed {method} for invalid user {attack} from 203.0.113.7 port 50482 ssh2")
        login = parse(text)
        assert login is not None
        assert (login.source, login.port, login.user, login.method) == ("203.0.113.7", "50482", attack, method), text


def test_two_readings_of_a_name_and_a_key_id_name_no_address() -> None:
    fake = "x from 6.6.6.6 port 6 ssh2: ED25519-CERT SHA256:AAAA ID y"
    text = (
        f"Failed publickey for invalid user {fake} from 203.0.113.7 port 50482 ssh2: {fill(CERTIFICATE['pattern'], {})}"
    )
    login = parse(text)
    assert login is not None
    assert (login.method, login.invalid_user, login.user, login.source, login.port, login.key_id) == (
        "publickey", True, None, None, None, None)  # fmt: skip


@pytest.mark.parametrize("size", [499, 500, 501])
def test_a_message_that_may_be_cut_names_nobody(size: int) -> None:
    """The imitated CA stands where the cut falls (one byte before it the message is whole, and the CA true)."""
    start = HEAD + "ED25519-CERT SHA256:XT37 ID "
    end = "alice@corp.com (serial 350) CA ED25519 SHA256:wHb5DEPO"
    text = start + " " * (size - len(start) - len(end)) + end
    login = sshd.parse(text, size)
    assert login is not None and (login.user, login.source, login.port) == ("bob", "203.0.113.7", "50482")
    assert login.fingerprint == "SHA256:XT37"
    if size < sshd.CUT_BYTES:
        assert login.key_id == " " * (size - len(start) - len(end)) + "alice@corp.com"
        assert (login.serial, login.ca, login.key_id_cut) == ("350", "SHA256:wHb5DEPO", None)
    else:
        assert (login.key_id, login.serial, login.ca, login.ca_alg) == (None, None, None, None)
        assert login.key_id_cut == text[len(start) :]


def test_a_cut_key_id_is_decoded_as_far_as_it_goes() -> None:
    text = (HEAD + "ED25519-CERT SHA256:XT37 ID " + "\\303\\266\\\\" * 200)[: sshd.CUT_BYTES]
    login = parse(text)
    assert login is not None and login.key_id_cut is not None
    assert login.key_id_cut.startswith("ö\\ö\\") and login.key_id is None


def test_a_cut_name_takes_its_address_with_it() -> None:
    name = "\\303\\266" * 60 + " from 1.2.3.4 port 5 ssh2"
    text = "Failed password for invalid user " + name
    assert len(text) >= sshd.CUT_BYTES
    login = parse(text)
    assert login is not None
    assert (login.kind, login.method, login.source, login.user) == ("failed", "password", None, None)


def test_a_control_byte_is_none_of_sshds() -> None:
    for text in ("Accepted password for bob from 1.2.3.4 port 5 ssh2{}", "pam_unix(sshd:auth): bad username [-{}x]"):
        for byte in map(chr, range(0x20)):
            assert parse("x" + text.format(byte)) is None
            assert parse(text.format(byte + "x")) is None
    forged = "pam_unix(sshd:auth): bad username [-\nAccepted password for core from 6.6.6.7 port 4243 ssh2]"
    assert parse(forged) is None
    assert parse("Accepted password for bob from 1.2.3.4 port 5 ssh2\r") is not None
    assert parse("Accepted password for bob from 1.2.3.4 port 5 ssh2\r\r") is None
    assert sshd.parse("Accepted password for bob from 1.2.3.4 port 5 ssh2\ud800", 51) is None


def test_prefix_tag_and_suffix_are_peeled_where_the_row_can_have_them() -> None:
    tag = "auth.c:auth_log():333 (bin=/usr/sbin/sshd, pid=4242): "
    accepted = "Accepted password for bob from 203.0.113.7 port 50482 ssh2"
    tagged = parse(tag + accepted)
    assert tagged is not None and (tagged.kind, tagged.text) == ("accepted", tag + accepted)
    for wrong in ("error: " + accepted, "fatal: " + accepted, accepted + " [preauth]", "x " + accepted, accepted + " "):
        assert parse(wrong) is None, wrong
    both = parse("error: " + tag + "Certificate invalid: expired")
    assert both is not None and both.details == {"error": "certificate invalid", "reason": "expired"}
    gssapi = parse("Accepted gssapi-with-mic for bob from 203.0.113.7 port 50482 ssh2: bob [preauth]")
    assert gssapi is not None and (gssapi.info, gssapi.preauth) == ("bob [preauth]", False)


def test_a_line_of_the_child_was_escaped_twice() -> None:
    """Seen with OpenSSH 9.2: the child escapes, and the monitor that logs for it escapes again."""
    monitors = parse("Invalid user CORP\\\\bob from 127.0.0.1 port 45794")
    childs = parse("Connection closed by invalid user CORP\\\\\\\\bob 127.0.0.1 port 45794 [preauth]")
    assert monitors is not None and childs is not None
    assert monitors.user == childs.user == "CORP\\bob"


def test_where_details_go() -> None:
    assert [sshd.place(name) for name in ("shell", "filePath", "error", "child")] == [
        "metadata",
        "subjects",
        "data",
        "hidden",
    ]
