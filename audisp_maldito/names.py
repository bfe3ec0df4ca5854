# SPDX-License-Identifier: Apache-2.0
"""Numbers to names: system calls, errno, signals, flags. A number that no table knows stays a number.

System call numbers differ between architectures, so the architecture must be known first; a name is never taken from
another's table. Our own tables come before the names that auditd writes after 0x1D: those are missing in a RAW log, and
auditd 3.0 takes the wrong table for an architecture newer than itself. Where we know no name, auditd's is taken.
"""

from __future__ import annotations

import functools
from typing import Callable, Optional, Union

from . import tables

_CONSTANTS = tables.load("constants")
_SYSCALLS = tables.load("syscalls")
_ARCHES: dict[str, str] = _CONSTANTS["arch"]
_ERRNO: dict[str, str] = _CONSTANTS["errno"]
_FLAGS = frozenset(["clone", "mount", "prot", "resolve"])
_X32 = 0x40000000
"""x32's calls come under x86_64's arch, with this bit in the number."""
_O_PATH = 0o10000000
_INT = 0xFFFFFFFF
"""Most arguments are of 32 bits, and the upper half of the register may hold anything."""

Shown = Union[str, int, None]


def arch(raw: Optional[bytes]) -> Optional[str]:
    """SYSCALL's arch= to its name; an unknown one stays as it is written."""
    if raw is None:
        return None
    text = raw.decode("ascii", "replace")
    return _ARCHES.get(text, text)


def syscall(arch_name: Optional[str], raw: Optional[bytes], enriched: Optional[str] = None) -> Optional[str]:
    """SYSCALL's syscall= to its name, by the architecture's own table."""
    if raw is None:
        return None
    number = raw.decode("ascii", "replace")
    table = arch_name or ""
    if table == "x86_64" and len(number) == 10 and number.isdigit() and int(number) & _X32:
        table = "x32"
    elif table == "ppc64":
        table = "ppc64le"
    found: Optional[str] = _SYSCALLS.get(table, {}).get(number)
    if found is None and enriched and enriched[0].isalpha() and not enriched.startswith("unknown"):
        found = enriched
    return found or number


def errno(exit_code: Optional[int]) -> Optional[str]:
    return None if exit_code is None or exit_code >= 0 else _ERRNO.get(str(-exit_code))


def shown(form: str, number: int, arch_name: Optional[str]) -> Shown:
    """A number in one of the forms of arguments.yaml; None if it says nothing."""
    special = _FORMS.get(form)
    if special is not None:
        return special(number)
    if form == "open":
        return _open_flags(number & _INT, arch_name)
    if form in _FLAGS:
        return "|".join(bits(form, None, number & _INT))
    name: Optional[str] = _CONSTANTS[form].get(str(number & _INT))
    return str(number) if name is None else name


def _access(number: int) -> str:
    """What open flags allow; O_PATH opens nothing, it only names."""
    return "none" if number & _O_PATH else ("read", "write", "read-write", "none")[number & 3]


def _open_flags(number: int, arch_name: Optional[str]) -> Optional[str]:
    own = arch_name if arch_name in _CONSTANTS["open"] else "generic"
    return "|".join(bits("open", own, number & ~3)) if number & ~3 else None


@functools.cache
def _by_bit(table: str, part: Optional[str]) -> list[tuple[int, str]]:
    names = _CONSTANTS[table] if part is None else _CONSTANTS[table][part]
    return sorted((int(bit), name) for bit, name in names.items())


def bits(table: str, part: Optional[str], number: int) -> list[str]:
    """The names of the bits that are set; those without one together as a hexadecimal rest."""
    found = []
    for bit, name in _by_bit(table, part):
        if number & bit:
            found.append(name)
            number &= ~bit
    if number or not found:
        found.append(hex(number) if number else "0")
    return found


def capabilities(mask: int) -> list[str]:
    """The names of the capabilities in a mask; all of them have one name together."""
    names: dict[str, str] = _CONSTANTS["capability"]
    if mask == (1 << len(names)) - 1:
        return ["all"]
    return [names.get(str(bit), str(bit)) for bit in range(64) if mask >> bit & 1]


_FORMS: dict[str, Callable[[int], Shown]] = {
    "octal": lambda number: f"{number & 0o7777:04o}",
    "id": lambda number: None if number & _INT == _INT else number & _INT,
    "int": lambda number: (number & _INT) - (1 << 32 if number & 1 << 31 else 0),
    "hex": lambda number: hex(number & _INT),
    "access": _access,
    "socktype": lambda number: str(_CONSTANTS["socktype"].get(str(number & 0xF), number & 0xF)),
}
