# SPDX-License-Identifier: Apache-2.0
"""The addresses that this host itself has, by which a login from the host to itself is known."""

from __future__ import annotations

import array
import fcntl
import struct
from _socket import AF_INET, AF_INET6, SOCK_DGRAM, inet_ntop, socket  # the module around it costs 6 ms of start-up
from contextlib import suppress

SIOCGIFCONF = 0x8912
IFREQ_BYTES = 40
"""Of struct ifreq on 64-bit machines; 32 on others."""
MOST = 4096
"""Addresses asked for: a host with more is a router that nobody logs in from."""
IF_INET6 = "/proc/net/if_inet6"


def own(if_inet6: str = IF_INET6) -> frozenset[str]:
    """All addresses of all interfaces, as sshd prints them; whatever cannot be found out is missing."""
    found: set[str] = set()
    with suppress(OSError):
        found |= _ipv4()
    with suppress(OSError, ValueError), open(if_inet6, encoding="ascii") as file:
        found.update(inet_ntop(AF_INET6, bytes.fromhex(line.split()[0])) for line in file)
    return frozenset(found)


def _ipv4() -> set[str]:
    size = IFREQ_BYTES if struct.calcsize("P") == 8 else 32
    buffer = array.array("B", bytes(size * MOST))
    address, _ = buffer.buffer_info()
    asked = socket(AF_INET, SOCK_DGRAM)
    try:
        answer = fcntl.ioctl(asked.fileno(), SIOCGIFCONF, struct.pack("iP", len(buffer), address))
    finally:
        asked.close()
    used = struct.unpack("iP", answer)[0]
    entries = (buffer[at : at + size].tobytes() for at in range(0, used, size))
    return {inet_ntop(AF_INET, entry[20:24]) for entry in entries}
