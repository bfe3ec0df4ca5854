# SPDX-License-Identifier: Apache-2.0
"""What sshd writes comes back, whatever the names; no text raises; none costs much."""

from __future__ import annotations

import time
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audisp_maldito import sshd
from audisp_maldito.model import Login
from tests.sshd_messages import ROWS, SAMPLES, TABLE, TAILS, fill, message


def parse(text: str) -> Optional[Login]:
    return sshd.parse(text, len(text.encode("utf-8", "surrogateescape")))


name_of_an_account = st.text(st.characters(blacklist_characters=" \x00", blacklist_categories=["Cs"]), max_size=30)
anything = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=40)
address = st.one_of(st.ip_addresses().map(str), st.just("fe80::1%eth0"), st.just("UNKNOWN"))
port = st.integers(0, 65535).map(str)


@given(name_of_an_account, address, port, anything, st.integers(0, 2**64 - 1).map(str))
@settings(max_examples=300, deadline=None)
def test_what_sshd_writes_of_a_certificate_comes_back(
    user: str, addr: str, port: str, key_id: str, serial: str
) -> None:
    values = {"user": user, "addr": addr, "port": port, "key_id": key_id, "serial": serial}
    text = message(ROWS["accepted"], values, TAILS["certificate"])
    login = parse(text)
    assert login is not None
    assert (login.user, login.source, login.port) == (user, addr, port)
    if len(text) < sshd.CUT_BYTES:
        assert (login.key_id, login.serial, login.ca, login.key_id_cut) == (key_id, serial, SAMPLES["ca"], None)


@given(
    st.sampled_from(["invalid-user", "failed-invalid", "closed-invalid", "too-many-attempts", "prohibited"]),
    anything,
    address,
    port,
)
@settings(max_examples=300, deadline=None)
def test_what_sshd_writes_of_a_stranger_comes_back(row: str, user: str, addr: str, port: str) -> None:
    text = message(ROWS[row], {"user": user, "addr": addr, "port": port})
    login = parse(text)
    assert login is not None and login.row == row and login.invalid_user
    if len(text) < sshd.CUT_BYTES:
        assert (login.user, login.source, login.port) == (user, addr, port)


@given(st.text(max_size=600))
@settings(deadline=None)
def test_no_text_raises(text: str) -> None:
    for start in ["", *(fill(row["pattern"], {})[:20] for row in TABLE["rows"][:12])]:
        sshd.parse(start + text, 0)


@pytest.mark.parametrize("size", [499, 8_000, 65_536])
def test_hostile_text_costs_little(size: int) -> None:
    """The best of five runs: below 5 ms, whatever stands in any free field."""
    for text in hostile_lines(size):
        best = min(_duration(text) for _ in range(5))
        assert best < 0.005, (best, text[:80])


def hostile_lines(size: int) -> list[str]:
    lines = []
    for attack in (
        " from 1.2.3.4 port 5 ssh2: A SHA256:B ID ",
        " for ",
        " (serial 1) CA A SHA256:B",
        ': "',
        "1",
        "\\303",
        " [preauth]",
    ):
        for row in TABLE["rows"]:
            head, _, tail = row["pattern"].partition("{user}")
            lines.append((fill(head, {}) + attack * size)[: size - 60] + fill(tail, {})[:50])
    return lines


def _duration(text: str) -> float:
    begin = time.process_time()
    sshd.parse(text, 0)
    return time.process_time() - begin
