# SPDX-License-Identifier: Apache-2.0
"""Numbers have the names of their own architecture, or none."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest

from audisp_maldito import names, tables
from tests.events import action, syscall

# Those that libaudit 3.0 knows (no riscv64); the powerpcs share one table.
MACHINES = ("x86_64", "i386", "aarch64", "arm", "ppc64le", "s390x")
# What libaudit calls by another name than the kernel does. The first is ours.
OTHERWISE = {
    ("_llseek", "llseek"),
    ("_newselect", "newselect"),
    ("arm_fadvise64_64", "fadvise64_64"),
    ("fstat", "newfstat"),
    ("getdents64", "getdents"),
    ("kexec_load", "sys_kexec_load"),
    ("newfstatat", "fstatat64"),
    ("perf_event_open", "perf_counter_open"),
    ("pread64", "pread"),
    ("pwrite64", "pwrite"),
    ("sched_rr_get_interval_time64", "sched_rr_get_interval64"),
    ("sync_file_range2", "sync_file_range"),
    ("timerfd_create", "timerfd"),
}


@pytest.mark.parametrize(
    ("arch", "number", "name"),
    [
        ("x86_64", 59, "execve"), ("i386", 11, "execve"), ("aarch64", 221, "execve"), ("arm", 11, "execve"),
        ("ppc64le", 11, "execve"), ("s390x", 11, "execve"), ("riscv64", 221, "execve"),
        ("x86_64", 1073742344, "execve"), ("x86_64", 257, "openat"), ("riscv64", 258, "riscv_hwprobe"),
        ("x86_64", 99999, "99999"), ("mips", 4011, "4011"), (None, 59, "59"),
    ],
)  # fmt: skip
def test_calls_by_architecture(arch: str, number: int, name: str) -> None:
    assert names.syscall(arch, str(number).encode()) == name


def test_auditds_name_where_we_know_none() -> None:
    assert names.syscall("x86_64", b"99999", "newcall") == "newcall"
    assert names.syscall("x86_64", b"99999", "unknown-syscall(99999)") == "99999"
    assert names.syscall("riscv64", b"221", "fadvise64") == "execve"


def test_architectures_as_records_write_them() -> None:
    known = {"c000003e": "x86_64", "40000003": "i386", "c00000b7": "aarch64", "40000028": "arm", "c0000015": "ppc64le"}
    known.update({"80000016": "s390x", "c00000f3": "riscv64", "deadbeef": "deadbeef"})
    assert {raw: names.arch(raw.encode()) for raw in known} == known


@pytest.mark.parametrize(
    ("form", "number", "arch", "shown"),
    [
        ("open", 0o1101, "x86_64", "O_CREAT|O_TRUNC"), ("open", 0, "x86_64", None),
        ("open", 0o40000, "x86_64", "O_DIRECT"), ("open", 0o40000, "aarch64", "O_DIRECTORY"),
        ("open", 0o40000, "riscv64", "O_DIRECT"), ("open", 0o40000, "ppc64le", "O_DIRECTORY"),
        ("access", 0o1101, None, "write"), ("access", 2, None, "read-write"), ("access", 0o10000000, None, "none"),
        ("octal", 0o104755, None, "4755"), ("id", 0xFFFFFFFF, None, None), ("id", 1000, None, 1000),
        ("int", 0xFFFFFFFFFFFFFFFF, None, -1), ("signal", 9, None, "SIGKILL"), ("signal", 40, None, "40"),
        ("clone", 0x10020000, None, "CLONE_NEWNS|CLONE_NEWUSER"), ("clone", 0, None, "0"),
        ("socktype", 0o2000001, None, "SOCK_STREAM"),
    ],
)  # fmt: skip
def test_forms(form: str, number: int, arch: str, shown: object) -> None:
    assert names.shown(form, number, arch) == shown


def test_capabilities() -> None:
    assert names.capabilities(1 << 21 | 1 << 62) == ["CAP_SYS_ADMIN", "62"]
    assert names.capabilities(0x1FFFFFFFFFF) == ["all"]


def test_open_says_whether_it_reads_or_writes() -> None:
    done = action(syscall(257, a2="241"))
    assert (done.details["access"], done.details["flags"]) == ("write", "O_CREAT|O_TRUNC")
    done = action(syscall(437), "OPENAT2 oflag=02 mode=0600 resolve=0x8")
    assert (done.details["access"], done.details["resolve"]) == ("read-write", "RESOLVE_BENEATH")


def test_our_tables_and_libaudits_agree() -> None:
    """Where both know a number: the same name, or one of those above."""
    path = ctypes.util.find_library("audit")
    if path is None:
        pytest.skip("libaudit is not installed: there is nothing to compare with")
    library = ctypes.CDLL(path)
    library.audit_syscall_to_name.restype = ctypes.c_char_p
    library.audit_errno_to_name.restype = ctypes.c_char_p
    differing = set()
    for arch in MACHINES:
        machine = library.audit_name_to_machine(arch.encode())
        assert machine >= 0, arch
        for number, name in tables.load("syscalls")[arch].items():
            theirs = library.audit_syscall_to_name(int(number), machine)
            if theirs is not None and theirs.decode() != name:
                differing.add((name, theirs.decode()))
    assert differing == OTHERWISE
    for number, name in tables.load("constants")["errno"].items():
        theirs = library.audit_errno_to_name(int(number))
        assert theirs is None or theirs.decode() == name
