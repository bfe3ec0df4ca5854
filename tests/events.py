# SPDX-License-Identifier: Apache-2.0
"""One event out of the records' texts, for tests of the normaliser."""

from __future__ import annotations

from pathlib import Path

from audisp_maldito import normalize
from audisp_maldito._native import Assembler, Event
from audisp_maldito.model import Action

SYSCALL = (
    "arch=c000003e syscall={call} success=yes exit=3 a0=ffffff9c a1=7ffd a2=0 a3=0 items=1 ppid=10 pid=11 auid=1000 "
    'uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=5 comm="cat" exe="/usr/bin/cat" '
    'subj=unconfined key="k"'
)


def events(data: bytes) -> list[Event]:
    assembler = Assembler(hold=True)
    return assembler.feed(data, 0.0) + assembler.close()


def event(*records: str, stamp: str = "1700000000.123:42") -> Event:
    """`records` are "TYPE body"; together they are one event."""
    lines = []
    for record in records:
        kind, _, body = record.partition(" ")
        lines.append(f"type={kind} msg=audit({stamp}): {body}\n".encode("utf-8", "surrogateescape"))
    lines.append(f"type=EOE msg=audit({stamp}): \n".encode())
    (made,) = events(b"".join(lines))
    return made


def action(*records: str) -> Action:
    return normalize.action(event(*records))


def syscall(call: int, **fields: str) -> str:
    """A SYSCALL record; fields by name replace those above (None would be a mistake: say "(null)")."""
    words = SYSCALL.format(call=call).split(" ")
    replaced = [
        word if word.split("=")[0] not in fields else f"{word.split('=')[0]}={fields[word.split('=')[0]]}"
        for word in words
    ]
    return "SYSCALL " + " ".join(replaced)


def recordings() -> list[Path]:
    """Every recording of real hosts in the corpus, as a plugin got it."""
    return sorted((Path(__file__).parent / "corpus").rglob("*.plugin.txt"))
