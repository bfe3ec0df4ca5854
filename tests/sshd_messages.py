# SPDX-License-Identifier: Apache-2.0
"""Messages as sshd would write them, made from the rows of data/sshd.yaml: filled, then passed through vis(3)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Optional

import yaml

import audisp_maldito

TABLE: dict[str, Any] = yaml.safe_load((Path(audisp_maldito.__file__).parent / "data" / "sshd.yaml").read_bytes())
ROWS = {row["id"]: row for row in TABLE["rows"]}
TAILS = {tail["id"]: tail for tail in TABLE["tails"]}
GOES = {name: field["to"] for name, field in TABLE["fields"].items()}
SAMPLES = {
    "method": "password", "user": "mallory", "invalid": "invalid user ", "illegal": "illegal user ",
    "addr": "203.0.113.7", "host": "h.example.com", "port": "50482", "alg": "ED25519-CERT",
    "fingerprint": "SHA256:XT37ZFEnuI7X7xboSsxRGYRnsD4swXnknWioOKPP0sA", "key_id": "alice", "key_id_cut": "alice",
    "serial": "4711", "ca_alg": "RSA", "ca": "SHA256:wHb5DEPOsvN9u3twcJ/vRlh0w7RadIpZ1Uc3yKVX8TI",
    "count": "signature count = 3", "rest": " and more", "listed": "not in any group", "keyType": "ED25519",
    "localAddr": "192.0.2.1", "localPort": "22", "via": " via /etc/ssh/ca.pub", "how": "Connection closed by",
    "presence": "user verification requirement not met ", "tag": "ssh_dispatch_run_fatal", "pam_call": "pam_setcred()",
    "pam_error": "Authentication failure", "authenticating": "authenticating ", "unfit": "lacks principal list",
    "loc": "/etc/ssh/ca.pub:1", "inode": "file", "probe": "scanned", "throttle": "exited", "stack": "auth",
    "session": "session", "algorithm_of": "key type", "stop": ".", "break_in": "", "colon": "", "colon_text": ": x",
    "rdomain": "", "early": "", "plain": "Broken pipe", "stated": "expired", "module": "pam_unix",
    "algorithm": "ssh-dss", "option": "PubkeyAcceptedKeyTypes", "hostName": "h.example.com", "child": "77",
    "sessionPid": "78", "uid": "1000", "byUid": "0", "channel": "0", "number": "9", "code": "11", "sent": "1",
    "received": "2", "path": "/etc/ssh/ca.pub",
}  # fmt: skip
_FIELD = re.compile(r"\{(\w+)\}")
_CSTYLE = {8: "\\b", 7: "\\a", 11: "\\v", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t"}


def vis(text: str) -> str:
    """vis(3) with sshd's flags for syslog (VIS_CSTYLE|VIS_NL|VIS_TAB|VIS_OCTAL)."""
    return "".join(map(_vis, text.encode("utf-8", "surrogateescape")))


def _vis(byte: int) -> str:
    if byte == 0x5C:
        return "\\\\"
    if 0x20 <= byte < 0x7F:
        return chr(byte)
    return _CSTYLE.get(byte, f"\\{byte:03o}")


def fields(pattern: str) -> list[str]:
    return _FIELD.findall(pattern)


def fill(pattern: str, values: dict[str, str]) -> str:
    """`pattern` with `values`, and samples for the rest."""
    return _FIELD.sub(lambda m: values.get(m[1], SAMPLES.get(m[1], "some " + m[1])), pattern)


def message(
    row: dict[str, Any], values: dict[str, str], tail: Optional[dict[str, Any]] = None, prefix: str = ""
) -> str:
    """The row's message, escaped as often as sshd escapes it, with the suffix if it can have one."""
    text = fill(row["pattern"], {"method": tail["methods"][0], **values} if tail else values)
    if tail:
        text += ": " + fill(tail["pattern"], values)
    if not row.get("decode", True):
        return text
    if row.get("preauth") in ("always", "either"):
        return prefix + vis(vis(text)) + " [preauth]"
    return prefix + vis(text)
