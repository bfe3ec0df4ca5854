# SPDX-License-Identifier: Apache-2.0
"""Red Hat's records as they are written, and everything that looks like them. What follows from them is in
scenarios."""

from __future__ import annotations

import base64
from typing import Optional

import pytest

from audisp_maldito import testimony as module
from audisp_maldito._native import Assembler
from audisp_maldito.model import Login
from audisp_maldito.testimony import Evidence, fingerprint, read

DIGEST = bytes(range(32))
HEX = "SHA256:" + DIGEST.hex(":")
BASE64 = "SHA256:" + base64.b64encode(DIGEST).decode().rstrip("=")
HEAD = "pid=71 uid=0 auid=4294967295 ses=4294967295 subj=system_u:system_r:sshd_t:s0-s0:c0.c1023"
TAIL = 'exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=? res=success'
KEY = f"op=negotiate kind=auth-key fp={HEX}"


def evidence(kind: str, words: str, head: str = HEAD, tail: str = TAIL) -> Optional[Evidence]:
    line = f"type={kind} msg=audit(1700000000.123:7): {head} msg='{words} {tail}'\n"
    assembler = Assembler()
    (event,) = assembler.feed(line.encode(), 0.0) + assembler.close()
    return read(event)


def test_the_key() -> None:
    """Its fingerprint is written in hex, and told as sshd and ssh-keygen have it."""
    assert evidence("CRYPTO_KEY_USER", KEY) == Evidence(
        "1700000000.123:7", 1700000000123, 71, address="192.0.2.7", fingerprint=BASE64
    )


def test_the_certificate() -> None:
    words = 'op=cert key_id="alice@example.org" cert_serial=7 cert_issuer_alg="ssh-ed25519" '
    words += f'cert_issuer_fp="{BASE64}" acct="core"'
    found = evidence("USER_AUTH", words)
    assert found is not None
    assert (found.key_id, found.serial, found.ca_alg, found.ca, found.account) == (
        "alice@example.org",
        "7",
        "ED25519",
        BASE64,
        "core",
    )
    encoded = words.replace('"alice@example.org"', b"alice eve".hex().upper())
    found = evidence("USER_AUTH", encoded)
    assert found is not None and found.key_id == "alice eve"


def test_account_and_connection() -> None:
    found = evidence("USER_AUTH", 'op=pubkey_auth grantors=auth-key acct="core"')
    assert found is not None and (found.account, found.address) == ("core", "192.0.2.7")
    found = evidence("CRYPTO_SESSION", "op=start direction=from-client spid=72 rport=50482 laddr=192.0.2.1 lport=22 ")
    assert found is not None and (found.address, found.port) == ("192.0.2.7", "50482")


@pytest.mark.parametrize(
    ("kind", "words", "head", "tail"),
    [
        ("CRYPTO_KEY_USER", KEY, HEAD.replace("uid=0", "uid=1001", 1), TAIL),
        ("CRYPTO_KEY_USER", KEY, HEAD.replace("auid=4294967295", "auid=1000"), TAIL),
        ("CRYPTO_KEY_USER", KEY, HEAD.replace("ses=4294967295", "ses=3"), TAIL),
        ("CRYPTO_KEY_USER", KEY, HEAD.replace("pid=71 ", ""), TAIL),
        # what stands inside msg='…' is its writer's
        ("CRYPTO_KEY_USER", KEY + " uid=0 auid=4294967295", "pid=71 uid=1001 auid=1000 ses=3", TAIL),
        ("CRYPTO_KEY_USER", KEY, HEAD, TAIL.replace("success", "failed")),
        ("CRYPTO_KEY_USER", KEY, HEAD, TAIL.replace(" res=success", "")),
        ("CRYPTO_KEY_USER", f"op=destroy kind=server fp={HEX} direction=?", HEAD, TAIL),
        ("CRYPTO_KEY_USER", "op=destroy kind=session fp=? direction=both", HEAD, TAIL),
        ("CRYPTO_SESSION", "op=destroy rport=5", HEAD, TAIL),
        ("USER_AUTH", 'op=PAM:authentication grantors=pam_unix acct="core"', HEAD, TAIL),
        ("USER_AUTH", 'op=hostbased_auth grantors=auth-key acct="core"', HEAD, TAIL),
        ("USER_AUTH", 'op=principal cert_principal="core" acct="core"', HEAD, TAIL),
        ("USER_LOGIN", KEY, HEAD, TAIL),
        ("USER_START", 'op=pubkey_auth acct="core"', HEAD, TAIL),
    ],
)
def test_no_evidence(kind: str, words: str, head: str, tail: str) -> None:
    assert evidence(kind, words, head, tail) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEX, BASE64), ("SHA256:" + HEX[7:].upper(), BASE64), (BASE64, BASE64),
        ("MD5:aa:bb", "MD5:aa:bb"), ("SHA256:zz:71", None), ("SHA256:71:b3", None), ("SHA1:71:b3", None),
        ("?", None), (None, None),
    ],
)  # fmt: skip
def test_fingerprint(text: Optional[str], expected: Optional[str]) -> None:
    assert fingerprint(text) == expected


def login(**fields: str) -> Login:
    known = {"method": "publickey", "user": "core", "source": "192.0.2.7", "port": "5", "fingerprint": BASE64, **fields}
    return Login("accepted", "accepted", "text", **known)  # type: ignore[arg-type]


def said(**fields: str) -> module.Testimony:
    return module.Testimony([Evidence("1.000:1", 1000, 71, **fields)])


@pytest.mark.parametrize(
    ("testimony", "factors"),
    [
        (said(account="root"), [login()]),
        (said(address="192.0.2.8"), [login()]),
        (said(address="192.0.2.7", port="6"), [login()]),
        (said(fingerprint="SHA256:other"), [login()]),
        (said(key_id="bob", serial="1", ca="C"), [login(key_id="alice", serial="1", ca="C")]),
        (said(key_id="alice", serial="1", ca="D"), [login(key_id="alice", serial="1", ca="C")]),
        (said(fingerprint=BASE64), [login(fingerprint="SHA256:other"), login()]),
    ],
)
def test_contradictions(testimony: module.Testimony, factors: list[Login]) -> None:
    assert testimony.contradicts(factors)


@pytest.mark.parametrize(
    ("testimony", "factors"),
    [
        (said(account="core", address="192.0.2.7", port="5", fingerprint=BASE64), [login()]),
        # what one of them does not tell; another hash; a host's name for an address; a name that sshd has cut
        (said(), [login()]),
        (said(fingerprint=BASE64), [login(method="password", fingerprint="")]),
        (said(fingerprint="MD5:aa"), [login()]),
        (said(address="192.0.2.7"), [login(source="h.example.org")]),
        (said(account="x" * 150), [login(user="x" * 100)]),
        (said(key_id="alice", serial="1", ca="C"), [login(key_id_cut="ali")]),
        (said(fingerprint=BASE64), [login()]),
    ],
)
def test_no_contradiction(testimony: module.Testimony, factors: list[Login]) -> None:
    assert not testimony.contradicts(factors)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIDS", 3)
    monkeypatch.setattr(module, "PER_PID", 2)
    store = module.Testimonies()
    for pid in range(5):
        for time_ms in range(4):
            store.add(Evidence(f"{time_ms}", time_ms, pid))
    taken = [store.take(pid, 10) for pid in range(5)]
    assert [len(one.evidence) if one else 0 for one in taken] == [0, 0, 2, 2, 2]


def test_another_connection_begins_anew() -> None:
    store = module.Testimonies()
    store.add(Evidence("a", 1, 71, port="5"))
    store.add(Evidence("b", 2, 71, fingerprint="SHA256:x"))
    store.add(Evidence("c", 3, 71, port="5"))
    store.add(Evidence("d", 4, 71, port="6"))
    taken = store.take(71, 5)
    assert taken is not None and [one.id for one in taken.evidence] == ["d"]
    assert store.take(71, 5) is None


def test_a_long_key_id_does_not_make_it_count_as_cut() -> None:
    made = said(fingerprint=BASE64, key_id="a" * 4000, ca="SHA256:C", account="é" * 300).login()
    assert made is not None and len(made.text.encode()) < 500 and made.key_id == "a" * 4000
