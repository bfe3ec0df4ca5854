# SPDX-License-Identifier: Apache-2.0
"""Keys, certificate authorities and the certificates they sign, all made by ssh-keygen."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Optional

from .daemon import run

_numbers = itertools.count(1)
# Serials that stand in no other number of a log line, so that a line can be told by its serial alone.
_serials = itertools.count(700001)


class Key:
    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{next(_numbers)}-{name}"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.path])
        self.public = self.path.with_name(self.path.name + ".pub")
        self.fingerprint = run(["ssh-keygen", "-l", "-f", self.public]).stdout.decode().split()[1]

    def line(self) -> str:
        return self.public.read_text()


class Identity:
    """What a client presents: a key and perhaps a certificate for it."""

    def __init__(self, key: Key, key_id: Optional[str], serial: int, ca: Optional[str], certificate: Optional[Path]):
        self.key, self.key_id, self.serial, self.ca, self.certificate = key, key_id, serial, ca, certificate

    @property
    def fingerprint(self) -> str:
        return self.key.fingerprint

    def options(self) -> list[str]:
        certificate = ["-o", f"CertificateFile={self.certificate}"] if self.certificate else []
        return ["-i", str(self.key.path), *certificate]


def plain(directory: Path, name: str) -> Identity:
    return Identity(Key(directory, name), None, 0, None, None)


class Authority:
    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.key = Key(directory, name)

    @property
    def fingerprint(self) -> str:
        return self.key.fingerprint

    def certify(
        self,
        key_id: str,
        principals: str,
        serial: Optional[int] = None,
        options: Optional[list[str]] = None,
        validity: str = "-5m:+1d",
    ) -> Identity:
        key = Key(self.directory, "identity")
        number = next(_serials) if serial is None else serial
        words = [word for option in options or [] for word in ("-O", option)]
        argv = ["ssh-keygen", "-q", "-s", str(self.key.path), "-I", key_id, "-n", principals, "-z", str(number)]
        run([*argv, "-V", validity, *words, str(key.public)])
        certificate = key.path.with_name(key.path.name + "-cert.pub")
        return Identity(key, key_id, number, self.fingerprint, certificate)
