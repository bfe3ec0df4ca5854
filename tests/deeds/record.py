# SPDX-License-Identifier: Apache-2.0
"""Records tests/deeds/*.c at work in a real session: `/usr/bin/python3 -m tests.deeds.record` writes
tests/corpus/deeds/NAME.plugin.txt (what auditd gave to a plugin).

The samples are committed; this is for a new kernel, or a rule more. Needs what the stack tests need, and gcc.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from pathlib import Path

from audisp_maldito import tables
from tests.stack.capture import record
from tests.stack.kernel import PEOPLE
from tests.stack.rig import Rig

HERE = Path(__file__).parent
CORPUS = HERE.parent / "corpus" / "deeds"
# An account and a group come and go: shadow's programs write records of their own.
ACCOUNTS = """sudo -n sh -c '
    useradd --no-create-home maldito-deeds; groupadd maldito-group; gpasswd -a maldito-deeds maldito-group
    echo maldito-deeds:secret | chpasswd; passwd -l maldito-deeds; passwd -u maldito-deeds; usermod -c x maldito-deeds
    userdel maldito-deeds; groupdel maldito-group' >/dev/null 2>&1"""


def numbers() -> str:
    """SYS_x of this architecture and OLD_x of i386 as C macros, newer ones than the C library's included."""
    made = []
    for prefix, arch in (("SYS_", "x86_64"), ("OLD_", "i386")):
        for number, name in tables.load("syscalls")[arch].items():
            made.append(f"#undef {prefix}{name}\n#define {prefix}{name} {number}L\n")
    return "".join(made)


def rules(program: Path) -> list[str]:
    """One rule per architecture with all calls that actions.yaml speaks of, for this program alone."""
    made = []
    wanted = {*tables.load("actions")["calls"], "socketcall"}
    for width, arch in (("b64", "x86_64"), ("b32", "i386")):
        found = sorted(int(n) for n, name in tables.load("syscalls")[arch].items() if name in wanted)
        calls = " ".join(f"-S {number}" for number in found)
        made.append(f"-a always,exit -F arch={width} {calls} -F exe={program} {PEOPLE} -k deeds")
    made.append(f"-a always,exit -F arch=b64 -S execve,execveat {PEOPLE} -k deeds")
    return made


def rule_for_rings(operations: list[int]) -> bytes:
    """struct audit_rule_data for the io_uring filter, which auditctl 3.0 has no word for."""
    mask = [0] * 64
    for operation in operations:
        mask[operation // 32] |= 1 << operation % 32
    login_id, at_least, differs = 9, 0x60000000, 0x30000000
    fields = [login_id, login_id] + [0] * 62
    values = [1000, 4294967295] + [0] * 62
    how = [at_least, differs] + [0] * 62
    filter_of_rings, always = 7, 2
    return struct.pack("=260I", filter_of_rings, always, 2, *mask, *fields, *values, *how, 0)


def tell_the_kernel(kind: int, payload: bytes) -> None:
    """One message to the audit subsystem; its answer must be no error."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9) as link:
        link.bind((0, 0))
        request_with_answer = 5
        link.send(struct.pack("=IHHII", 16 + len(payload), kind, request_with_answer, 1, 0) + payload)
        answer = link.recv(8192)
    (error,) = struct.unpack_from("=i", answer, 16)
    assert error == 0, error


def deeds(rig: Rig) -> None:
    """Build it, audit it, and let somebody who logged in run it as root."""
    build = rig.directory / "deeds"
    build.mkdir(mode=0o755)
    (build / "numbers.h").write_text(numbers())
    program = build / "deeds"
    sources = [str(path) for path in sorted(HERE.glob("*.c"))]
    subprocess.run(["gcc", "-static", "-O0", "-w", f"-I{build}", "-o", str(program), *sources], check=True)
    work = build / "work"
    work.mkdir(mode=0o777)
    subprocess.run(["auditctl", "-D"], check=True, capture_output=True)
    for rule in rules(program):
        subprocess.run(["auditctl", *rule.split()], check=True)
    open_file, connect, unlink = 18, 16, 36
    rings = rule_for_rings([open_file, connect, unlink])
    add_rule, delete_rule = 1011, 1012
    tell_the_kernel(add_rule, rings)
    try:
        rig.visit(rig.person("deeds@example.org"), f"cd {work} && sudo -n {program}; {ACCOUNTS}")
    finally:
        tell_the_kernel(delete_rule, rings)
    shutil.rmtree(build)


def main() -> None:
    with Rig() as rig:
        record(rig, rig.directory / "taken", "deeds", deeds)
        CORPUS.mkdir(parents=True, exist_ok=True)
        shutil.copy(rig.directory / "taken" / "deeds.plugin.txt", CORPUS)


if __name__ == "__main__":
    main()
