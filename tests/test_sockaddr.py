# SPDX-License-Identifier: Apache-2.0
"""Socket addresses of every family, as long as the caller made them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audisp_maldito import sockaddr
from tests.events import action, syscall


@pytest.mark.parametrize(
    ("saddr", "expected"),
    [
        ("01002F6465762F6C6F6700", {"family": "unix", "path": "/dev/log"}),
        ("01002F6465762F6C6F67004741524241474500", {"family": "unix", "path": "/dev/log"}),
        ("0100", {"family": "unix", "unnamed": True}),
        ("010000612F62", {"family": "unix", "path": "@a/b", "abstract": True}),
        ("0100006100620000", {"family": "unix", "path": "@a@b", "abstract": True}),
        ("0100FF", {"family": "unix", "path": "\udcff"}),
        ("02001F90C000020700000000", {"family": "inet", "address": "192.0.2.7", "port": 8080}),
        ("02001F90C000", {"family": "inet", "raw": "1f90c000", "short": True}),
        ("0A000016" + "00" * 4 + "20010DB8" + "00" * 11 + "01" + "02000000",
         {"family": "inet6", "address": "2001:db8::1", "port": 22, "scope": 2}),
        ("0A000016" + "00" * 14 + "FFFF" + "C0000207",
         {"family": "inet6", "address": "192.0.2.7", "port": 22, "mapped": True}),
        ("100000002A00000001000000", {"family": "netlink", "pid": 42, "groups": 1}),
        ("11000003020000000000060000000000", {"family": "packet", "protocol": 3, "interface": 2}),
        ("28000000" + "D2040000" + "03000000", {"family": "vsock", "address": "3", "port": 1234}),
        ("0000", {"family": "unspec", "raw": ""}),
        ("FF00AA", {"family": "255", "raw": "aa"}),
        ("0200ZZ", {"raw": "0200ZZ"}),
        ("02", {"raw": "02"}),
    ],
)  # fmt: skip
def test_families(saddr: str, expected: dict[str, Any]) -> None:
    assert sockaddr.decode(saddr.encode()) == expected


def test_the_family_is_in_the_hosts_byte_order() -> None:
    assert sockaddr.decode(b"00020050C0000207", big_endian=True) == {
        "family": "inet",
        "address": "192.0.2.7",
        "port": 80,
    }
    done = action(syscall(362, arch="80000016"), "SOCKADDR saddr=00020050C0000207")
    assert (done.action, done.object) == ("connected-to", ("socket", "192.0.2.7", "80"))


def test_a_connection_in_an_action() -> None:
    done = action(syscall(42, success="no", exit="-111"), "SOCKADDR saddr=02000016C000020700000000")
    assert done.object == ("socket", "192.0.2.7", "22")
    assert (done.errno, done.socket) == ("ECONNREFUSED", {"family": "inet", "address": "192.0.2.7", "port": 22})


@given(st.binary(max_size=160), st.booleans())
def test_anything_is_decoded(data: bytes, big_endian: bool) -> None:
    sockaddr.decode(data.hex().upper().encode(), big_endian)
    sockaddr.decode(data, big_endian)
