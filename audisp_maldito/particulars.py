# SPDX-License-Identifier: Apache-2.0
"""What one line of sshd's says of a login, in the words of the documents: address, key, certificate, details.  Pure."""

from __future__ import annotations

from typing import Any, Optional

from . import sshd
from .model import Login
from .patterns import is_address
from .trust import UNKNOWN, Factor, Policy

UNKNOWN_SOURCE = {"type": "IP", "value": UNKNOWN, "extra": {"port": UNKNOWN}}
Document = dict[str, Any]


def source_of(login: Login) -> dict[str, Any]:
    """`source`: an address is an IP, anything else a host."""
    if login.source is None:
        source: dict[str, Any] = {"type": "IP", "value": UNKNOWN}
        if login.details.get("error") == "certificate invalid":
            source["extra"] = {"port": UNKNOWN}  # the original's only refusal that says so
    else:
        source = {"type": "IP" if is_address(login.source) else "host", "value": login.source}
    if login.port is not None:
        source["extra"] = {"port": login.port}
    return source


def is_own(source: Optional[str], policy: Policy) -> bool:
    """Does a login come from this host itself? Loopback does, whatever the host's interfaces are."""
    if source is None or not is_address(source):
        return False
    return source == "::1" or source.startswith("127.") or source.partition("%")[0] in policy.addresses


def login_data(login: Login) -> dict[str, Any]:
    """`data` of a UserLogin, as far as the line has it."""
    data: dict[str, Any] = {}
    if login.fingerprint is not None:
        hash_name, _, digest = login.fingerprint.partition(":")
        data["Alg"] = f"{login.alg} {hash_name}" if login.alg is not None else hash_name
        data["SSHKeySum"] = digest
    if login.serial is not None:
        data["Serial"] = login.serial
    if login.ca is not None:
        data["CA"] = f"CA {login.ca_alg} {login.ca}"
    if login.key_id is not None:
        data["KeyID"] = login.key_id
    if login.key_id_cut is not None:
        data["KeyIDTruncated"] = login.key_id_cut
    if login.method is not None:
        data["Method"] = login.method
    if login.invalid_user:
        data["InvalidUser"] = True
    if login.info is not None:
        data["Info"] = login.info
    return data


def factor_data(factor: Factor) -> dict[str, Any]:
    """One of several methods of a login."""
    data = login_data(factor.login)
    if factor.who.ca_trust is not None:
        data["CATrust"] = factor.who.ca_trust
    return dict(sorted(data.items()))


def place_details(document: Document, login: Login) -> None:
    """A row's further fields stand where the Go original has them, which data/sshd.yaml says."""
    data = document.setdefault("data", {})
    places = {"data": data, "subjects": document["subjects"], "metadata": document["metadata"]["extra"]}
    for name, value in login.details.items():
        place = places.get(sshd.place(name))
        if place is not None:
            place[name] = value
    document["data"] = dict(sorted(data.items()))
    if not data:
        del document["data"]
