# SPDX-License-Identifier: Apache-2.0
"""SOCKADDR's saddr: a struct sockaddr in hex, as the process passed it.

The family is in the host's byte order, ports and addresses in the network's. The structure is as long as the caller
said: it may be cut anywhere, and a unix path may be followed by garbage. What cannot be decoded is kept as hex. An
IPv4 address in IPv6's clothes is shown as what it is, with `mapped`.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, Callable

from . import names

Address = dict[str, Any]
_MAPPED = bytes(10) + b"\xff\xff"


def decode(raw: bytes, big_endian: bool = False) -> Address:
    """The hex digits of saddr= to family, address, port, path … Never raises."""
    try:
        data = bytes.fromhex(raw.decode("ascii"))
    except ValueError:
        return {"raw": raw.decode("ascii", "backslashreplace")}
    if len(data) < 2:
        return {"raw": data.hex()}
    order = ">" if big_endian else "<"
    (family,) = struct.unpack_from(order + "H", data)
    found: Address = {"family": names.shown("family", family, None)}
    decoder = _FAMILIES.get(family)
    try:
        found.update(decoder(data, order) if decoder else {"raw": data[2:].hex()})
    except struct.error:
        found["raw"] = data[2:].hex()
        found["short"] = True
    return found


def _unix(data: bytes, _order: str) -> Address:
    """A path up to its NUL; abstract names start with one, may hold more of them, and are shown with `@`."""
    path = data[2:]
    if not path:
        return {"unnamed": True}
    if path[0]:
        return {"path": path.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    name = path[1:].rstrip(b"\0").replace(b"\0", b"@")
    if not name:
        return {"unnamed": True}
    return {"path": "@" + name.decode("utf-8", "surrogateescape"), "abstract": True}


def _inet(data: bytes, _order: str) -> Address:
    port, address = struct.unpack_from("!H4s", data, 2)
    return {"address": socket.inet_ntop(socket.AF_INET, address), "port": port}


def _inet6(data: bytes, order: str) -> Address:
    port, flow, packed = struct.unpack_from("!HI16s", data, 2)
    if packed.startswith(_MAPPED):
        return {"address": socket.inet_ntop(socket.AF_INET, packed[12:]), "port": port, "mapped": True}
    found: Address = {"address": socket.inet_ntop(socket.AF_INET6, packed), "port": port}
    if flow:
        found["flow"] = flow
    if len(data) >= 28:
        (scope,) = struct.unpack_from(order + "I", data, 24)
        if scope:
            found["scope"] = scope
    return found


def _netlink(data: bytes, order: str) -> Address:
    pid, groups = struct.unpack_from(order + "II", data, 4)
    return {"pid": pid, "groups": groups}


def _packet(data: bytes, order: str) -> Address:
    protocol, index = struct.unpack_from("!H", data, 2)[0], struct.unpack_from(order + "i", data, 4)[0]
    return {"protocol": protocol, "interface": index}


def _vsock(data: bytes, order: str) -> Address:
    port, cid = struct.unpack_from(order + "II", data, 4)
    return {"address": str(cid), "port": port}


def _alg(data: bytes, _order: str) -> Address:
    kind, name = struct.unpack_from("14s8x64s", data, 2)
    return {"type": _text(kind), "name": _text(name)}


def _text(padded: bytes) -> str:
    return padded.partition(b"\0")[0].decode("utf-8", "surrogateescape")


_FAMILIES: dict[int, Callable[[bytes, str], Address]] = {
    1: _unix,
    2: _inet,
    10: _inet6,
    16: _netlink,
    17: _packet,
    38: _alg,
    40: _vsock,
}
