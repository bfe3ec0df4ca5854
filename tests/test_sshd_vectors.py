# SPDX-License-Identifier: Apache-2.0
"""Messages with expected parses: the Go original's own tests, what OpenSSH's source says, what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest

from audisp_maldito import sshd
from audisp_maldito.model import Login

CORPUS = Path(__file__).parent / "corpus"
DIFFERENCES = {
    # Test of the original -> why we differ
    "nastyPTR": "a remark about DNS is no login: the same connection may well log in",
    "reverseMapping": "a remark about DNS is no login: the same connection may well log in",
    "notMapBack": "a remark about DNS is no login: the same connection may well log in",
}
KINDS = {
    # `want` -> ours
    "login": ["accepted"], "partial": ["partial"], "postponed": ["postponed"],
    "failure": ["failed", "refused", "closing"],
    "denied": ["refused"], "error": ["refused"], "pam-failure": ["refused"], "preauth-end": ["closing", "ended"],
    "disconnect": ["disconnected"], "session-open": ["session-opened"], "session-close": ["session-closed"],
    "key": ["key"], "dns": ["remark"], "connect": ["connection"], "channel-start": ["channel"],
    "channel-end": ["channel"],
}  # fmt: skip
UNTOLD = [
    # What the recorded sshd said that is about no login.
    "pam_env(sshd:session): ",
    "syslogin_perform_logout: ",
]


def vectors(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / name).read_text().splitlines()]


def parse(text: str) -> Optional[Login]:
    return sshd.parse(text, len(text.encode()))


@pytest.mark.parametrize("vector", vectors("sshd-go-vectors.jsonl"), ids=lambda v: v["test"])
def test_the_originals_tests(vector: dict[str, Any]) -> None:
    login, expected = parse(vector["message"]), vector["expected"]
    if expected is None:
        assert login is None
        return
    assert login is not None
    subjects, data = expected["subjects"], expected.get("data", {})
    assert (login.user or "unknown") == subjects["loggedAs"]
    assert (login.key_id or "unknown") == subjects["userID"]
    assert (login.source or "unknown") == expected["source"]["value"]
    assert (login.port or "unknown") == expected["source"].get("extra", {}).get("port", login.port or "unknown")
    if login.fingerprint is not None:
        digest = login.fingerprint.partition(":")
        assert (f"{login.alg} {digest[0]}", digest[2]) == (data["Alg"], data["SSHKeySum"])
    if "CA" in data:
        assert (f"CA {login.ca_alg} {login.ca}", login.serial) == (data["CA"], data["Serial"])
    placed = {"subjects": subjects, "data": data, "metadata": expected["metadata"].get("extra", {})}
    for name, value in login.details.items():
        if sshd.place(name) != "hidden":
            assert placed[sshd.place(name)][name] == value
    if vector["handler"] in DIFFERENCES:
        assert login.kind == "remark"
    else:
        assert (login.kind == "accepted") == (expected["outcome"] == "succeeded")


@pytest.mark.parametrize("vector", vectors("sshd-modern-vectors.jsonl"), ids=lambda v: v["message"][:60])
def test_openssh_from_8_to_10(vector: dict[str, Any]) -> None:
    want, login = vector["want"], parse(vector["message"])
    assert login is not None
    assert login.kind in KINDS[want["kind"]]
    found = {
        "user": login.user, "addr": login.source, "host": login.source, "port": login.port and int(login.port),
        "method": login.method, "keyType": login.alg, "fingerprint": login.fingerprint, "keyID": login.key_id,
        "invalidUser": login.invalid_user, "methodInfo": login.info, "reason": login.reason,
        "uid": int(login.details.get("uid", -1)), **login.details,
    }  # fmt: skip
    found["uid"] = int(login.details.get("uid", -1))
    # userID is the tracker's decision, reason and outcome of a refusal are in words of ours
    ours = {"kind", "outcome", "note", "userID"}
    assert {name: found.get(name) for name in want if name not in ours} == {
        n: v for n, v in want.items() if n not in ours
    }


def recorded() -> list[str]:
    texts: dict[str, None] = {}
    for path in sorted((CORPUS / "hosts").glob("*/*.journal.json")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if str(entry.get("SYSLOG_IDENTIFIER")).startswith("sshd"):
                texts[entry["MESSAGE"]] = None
    return list(texts)


def test_every_recorded_message_is_read() -> None:
    texts = recorded()
    assert len(texts) > 50
    assert [text for text in texts if parse(text) is None and not text.startswith(tuple(UNTOLD))] == []


def test_the_recorded_forgery_of_a_key_id() -> None:
    (login,) = [
        login for login in map(parse, recorded()) if login and (login.key_id or "").startswith("eve (serial 1) CA")
    ]
    assert (login.serial, login.ca_alg) == ("12", "ED25519")
    assert login.ca == "SHA256:wHb5DEPOsvN9u3twcJ/vRlh0w7RadIpZ1Uc3yKVX8TI"
