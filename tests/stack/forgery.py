# SPDX-License-Identifier: Apache-2.0
"""What an attacker can send: audit messages, syslog lines with false credentials, native journal entries.

A module for the tests and a program of its own (`forgery.py audit|syslog|native …`), since it must also run under other
users and in sessions; so it stands on the standard library alone.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import sys
from typing import Optional

NETLINK_AUDIT = 9
NLM_F_REQUEST_ACK = 5
JOURNAL = "/run/systemd/journal/socket"
DEV_LOG = "/run/systemd/journal/dev-log"
AUTH_INFO = 38
"""LOG_AUTH | LOG_INFO, as sshd logs."""


def audit(type: int, text: bytes) -> int:
    """Send a user-space audit record (needs CAP_AUDIT_WRITE); the kernel's answer, 0 or an errno."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("=IHHII", 17 + len(text), type, NLM_F_REQUEST_ACK, 1, 0) + text + b"\0")
        answer = netlink.recv(8192)
    return -int(struct.unpack_from("=i", answer, 16)[0])


def syslog(pid: int, message: str, uid: Optional[int] = None, identifier: str = "sshd") -> None:
    """Send a line to /dev/log; with `uid`, under the credentials (pid, uid) of another, which takes CAP_SYS_ADMIN."""
    line = f"<{AUTH_INFO}>{identifier}[{pid}]: {message}".encode("utf-8", "surrogateescape")
    credentials = []
    if uid is not None:
        ucred = struct.pack("=iII", pid, uid, uid)
        credentials = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, ucred)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.sendmsg([line], credentials, 0, DEV_LOG)


def native(fields: list[tuple[str, bytes]]) -> None:
    """Send one entry by journald's own protocol, in a sealed memory file as large ones must be."""
    memory = os.memfd_create("entry", os.MFD_ALLOW_SEALING)
    with os.fdopen(memory, "wb", buffering=1 << 20) as entry:
        for name, value in fields:
            entry.write(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        entry.flush()
        _seal(entry.fileno())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [entry.fileno()]))]
            journal.sendmsg([], rights, 0, JOURNAL)


def bomb(message: str) -> list[tuple[str, bytes]]:
    """An entry of 200 fields of 60 KB that calls itself sshd's, its message twice and once more in bytes."""
    fields = [
        ("SYSLOG_IDENTIFIER", b"sshd"),
        ("PRIORITY", b"99999999999999999999"),
        ("MESSAGE", message.encode()),
        ("MESSAGE", b"\xff\xfe" + message.encode()),
    ]
    return fields + [(f"BOMB_{number}", bytes([65 + number % 26]) * 60_000) for number in range(200)]


def _seal(descriptor: int) -> None:
    import fcntl

    add_seals, all_seals = 1033, 0x1 | 0x2 | 0x4 | 0x8
    fcntl.fcntl(descriptor, add_seals, all_seals)


def main(words: list[str]) -> int:
    if words[0] == "audit":
        return audit(int(words[1]), os.fsencode(words[2]))
    if words[0] == "syslog":
        syslog(int(words[1]), words[2])
    elif words[0] == "native":
        native(bomb(words[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
