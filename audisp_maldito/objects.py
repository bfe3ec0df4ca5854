# SPDX-License-Identifier: Apache-2.0
"""What was acted upon, and by what: the sources that a rule names, looked up in one event.

A relative name is put after the working directory, unless the call was given a directory's descriptor: then nothing
in the event says where it starts (the PARENT that the kernel records shows the working directory even so), and it
stays as it is, with a warning.
"""

from __future__ import annotations

from typing import Any, Optional

from . import names, paths, tables
from .fields import Fields
from .model import ObjectRef

_RULES = tables.load("actions")
_CALLS: dict[str, dict[str, Any]] = _RULES["calls"]
_DEFAULT = _RULES["default"]["call"]
_ARGUMENTS = tables.load("arguments")
_DIRFD: dict[str, list[Optional[str]]] = _ARGUMENTS["dirfd"]
_AT_FDCWD = 0xFFFFFF9C
_NO_DESCRIPTORS: list[Optional[str]] = [None, None]

Path = dict[str, Any]
Source = list[Optional[str]]


def call_behind(fields: Fields) -> Optional[str]:
    """The call that an event is about: for socketcall and io_uring the one that does the same."""
    if fields.syscall == "socketcall":
        number = None if fields.base is None else fields.base.number_of("a0", 16)
        return None if number is None else str(names.shown("socketcall", number, None))
    if fields.deciding.type == "URINGOP":
        operation = fields.shown(*_ARGUMENTS["uring"])
        found: Optional[str] = _ARGUMENTS["behind"].get(operation)
        return found
    return fields.syscall


class Sources:
    """A rule's sources over one event; remembers which PATH gave the answer, for the object's kind."""

    __slots__ = ("call", "cwd", "fields", "paths", "seen", "socket", "start", "warnings")

    def __init__(
        self,
        fields: Fields,
        call: Optional[str],
        found: list[Path],
        cwd: Optional[str],
        socket: Optional[dict[str, Any]],
        warnings: list[str],
    ) -> None:
        self.fields, self.call, self.paths = fields, call, found
        self.cwd, self.socket, self.warnings = cwd, socket, warnings
        self.start = 0
        self.seen: Optional[Path] = None

    def first(self, listed: list[Source], second: bool = False) -> Optional[str]:
        """The first of the sources that has something."""
        for name, form in listed:
            found = self._one(str(name), form, second)
            if found is not None:
                return found
        return None

    def object(self, rule: Optional[dict[str, Any]], keys: list[str]) -> ObjectRef:
        kind = self.fields.deciding.type
        if kind == "URINGOP" and self.call in _CALLS:
            rule = _CALLS[self.call]
        if rule is None:
            named = kind == "SYSCALL" and keys
            return ObjectRef(_DEFAULT["kind"], keys[0], None) if named else ObjectRef(None, None, None)
        self.start = rule["path"]
        primary = self.first(rule["primary"])
        made = rule["kind"]
        if made == "file" and self.seen is not None:
            made = self.seen.get("kind", made)
        return ObjectRef(made, primary, self.first(rule["secondary"], True))

    def _one(self, name: str, form: Optional[str], second: bool) -> Optional[str]:
        if name == "PATH":
            return self._name(paths.chosen(self.paths, self.start), second)
        if name.startswith("PATH."):
            return self._other(name[5:], second)
        if name == "SOCKADDR.address":
            return _address(self.socket, self.cwd)
        if name == "SOCKADDR.port":
            return None if self.socket is None or "port" not in self.socket else str(self.socket["port"])
        if name == "OBJ_PID.opid":
            target = self.fields.one("OBJ_PID")
            return None if target is None else target.word("opid")
        return self.fields.shown(name, form)

    def _other(self, which: str, second: bool) -> Optional[str]:
        if which == "first":
            return self._name(self.paths[0], second) if self.paths and self.paths[0] is not self.seen else None
        found = paths.of_type(self.paths, which.upper())
        if which == "unknown":
            return None if found is None or found is self.seen else found.get("name")
        return self._name(found, second)

    def _name(self, path: Optional[Path], second: bool) -> Optional[str]:
        """A PATH's name, joined with the directory that it starts from if that is known."""
        if path is None:
            return None
        if not second:
            self.seen = path
        name: Optional[str] = path.get("name")
        if path.get("nametype") == "PARENT" and not second:
            self.warnings.append("only the directory is recorded, not the name in it")
        if not name or name.startswith("/"):
            return name or None
        argument = _DIRFD.get(self.call or "", _NO_DESCRIPTORS)[second]
        if argument is None:
            return paths.joined(name, self.cwd)
        descriptor = None if self.fields.arguments is None else self.fields.arguments.number_of(argument, 16)
        if descriptor is not None and descriptor & 0xFFFFFFFF == _AT_FDCWD:
            return paths.joined(name, self.cwd)
        number = "unknown" if descriptor is None else descriptor & 0xFFFFFFFF
        self.warnings.append(f"{name!a:.200} starts from an unknown directory (descriptor {number})")
        return name


def _address(socket: Optional[dict[str, Any]], cwd: Optional[str]) -> Optional[str]:
    if socket is None:
        return None
    found: Optional[str] = socket.get("address", socket.get("path"))
    return paths.joined(found, cwd) if found and "path" in socket and "abstract" not in socket else found
