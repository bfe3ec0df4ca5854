#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes audisp_maldito/data/syscalls.csv and constants.yaml: the kernel's numbers and their names.

Run by hand when a newer source is wanted; what it writes is committed, so a build needs no network. Two sources, both
fetched with their ordinary clients into a temporary directory:

* system-calls (PyPI, MIT): the system call tables of the kernel, for every architecture, by the kernel's own names;
* linux-libc-dev and its cross-compilation siblings (Debian): the kernel's user space headers, and Debian's libc6-dev
  for the numbers of the socket families. Only names and numbers are taken.
"""

from __future__ import annotations

import csv
import importlib
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any

SYSTEM_CALLS = "system-calls==7.2"
DATA = pathlib.Path(__file__).resolve().parent.parent / "audisp_maldito" / "data"

# The audit name of an architecture, and system-calls' name of its table. x32 is no audit architecture of its own: its
# calls come as x86_64 with bit 30 set in the number.
ARCHES = {
    "x86_64": "x86_64",
    "x32": "x32",
    "i386": "i386",
    "aarch64": "arm64",
    "arm": "arm",
    "ppc64le": "powerpc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
}

# Where open flags differ from asm-generic: architecture -> (Debian package, its include directory).
OPEN_FLAGS_OF_THEIR_OWN = {
    "aarch64": ("linux-libc-dev-arm64-cross", "usr/aarch64-linux-gnu/include"),
    "arm": ("linux-libc-dev-armhf-cross", "usr/arm-linux-gnueabihf/include"),
    "ppc64le": ("linux-libc-dev-ppc64el-cross", "usr/powerpc64le-linux-gnu/include"),
}

# table -> (header, prefix, prefix cut from the name, names left out): macros.
MACROS = {
    "signal": ("asm-generic/signal.h", "SIG", "", r"SIG(IOT|POLL|LOST|UNUSED|RT.*|STKSZ)"),
    "capability": ("linux/capability.h", "CAP_", "", r"CAP_(LAST_CAP|TO_.*|OPT_.*)"),
    "ptrace": ("linux/ptrace.h", "PTRACE_", "", r"PTRACE_(O_|EVENT|SYSCALL_INFO_|PEEKSIGINFO_|EVENTMSG).*"),
    "clone": ("linux/sched.h", "CLONE_", "", r"CLONE_(ARGS_.*|CLEAR_SIGHAND|INTO_CGROUP)"),
    "prctl": ("linux/prctl.h", "PR_", "", r"PR_(FP_EXC|SVE_VL|SME_VL|MTE|SET_MM_|MCE_KILL_).*"),
    "keyctl": ("linux/keyctl.h", "KEYCTL_", "", r"KEYCTL_(PKEY_QUERY|SUPPORTS_|CAPS0|CAPS1|MOVE_EXCL).*"),
    "seccomp": ("linux/seccomp.h", "SECCOMP_RET_", "", r"SECCOMP_RET_(KILL|ACTION.*|DATA)"),
    "resolve": ("linux/openat2.h", "RESOLVE_", "", None),
    "prot": ("asm-generic/mman-common.h", "PROT_", "", r"PROT_(NONE|GROWS.*)"),
    "mount": ("linux/mount.h", "MS_", "", r"MS_(VERBOSE|RMT|MGC|KERN|SUB|NOREM|NOSEC|BORN|ACTIVE|NOUSER).*"),
    "socketcall": ("linux/net.h", "SYS_", "SYS_", None),
    "reboot": ("linux/reboot.h", "LINUX_REBOOT_CMD_", "LINUX_REBOOT_", None),
}

# table -> (header, enum's name, prefix): enumerations.
ENUMS = {
    "bpf": ("linux/bpf.h", "bpf_cmd", "BPF_"),
    "io_uring": ("linux/io_uring.h", "io_uring_op", "IORING_OP_"),
}

HEADER = """# SPDX-License-Identifier: Apache-2.0
# Written by scripts/make_tables.py from Debian's {source}.
# Names and numbers of the kernel's interface to user space. Not to be edited by hand.
"""


def macros(text: str, prefix: str) -> dict[str, int]:
    """The #define lines whose value is a number (or a shift, or another such macro); the first of a name counts."""
    found: dict[str, int] = {}
    for name, value in re.findall(rf"^#\s*define\s+({prefix}\w+)[ \t]+([^\n]+)", text, re.MULTILINE):
        value = re.sub(r"/\*.*", "", value).strip()
        value = re.sub(r"\b0+([0-7]+)\b", r"0o\1", value)
        value = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[UL]+\b", r"\1", value)
        for known in re.findall(rf"\b{prefix}\w+", value):
            value = re.sub(rf"\b{known}\b", str(found.get(known, "?")), value)
        if re.fullmatch(r"[0-9a-fA-Fxo<>|() +\-]+", value):
            found.setdefault(name, int(eval(value)))  # digits and operators only
    return found


def enumeration(text: str, name: str, prefix: str) -> dict[str, int]:
    """An enum's members, but for the last that only counts and for aliases."""
    body = re.search(rf"enum {name}\s*{{(.*?)}};", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL), re.DOTALL)
    assert body, name
    members = [m.strip() for m in body.group(1).split(",") if m.strip() and "=" not in m]
    return {m: i for i, m in enumerate(members) if m.startswith(prefix) and not m.endswith("_LAST")}


def by_number(names: dict[str, int]) -> dict[int, str]:
    """Number -> name; of several names for one number the first."""
    table: dict[int, str] = {}
    for name, number in names.items():
        table.setdefault(number, name)
    return dict(sorted(table.items()))


def read(include: pathlib.Path, *headers: str) -> str:
    return "\n".join((include / h).read_text() for h in headers)


def constants(include: pathlib.Path, multiarch: pathlib.Path, cross: dict[str, pathlib.Path]) -> dict[str, Any]:
    errno = read(include, "asm-generic/errno-base.h", "asm-generic/errno.h")
    tables: dict[str, Any] = {"errno": by_number(macros(errno, "E"))}
    for table, (header, prefix, cut, out) in MACROS.items():
        names = macros(read(include, header), prefix)
        kept = {n: v for n, v in names.items() if not (out and re.fullmatch(out, n))}
        tables[table] = by_number({n[len(cut) :]: v & 0xFFFFFFFF for n, v in kept.items()})
    for table, (header, name, prefix) in ENUMS.items():
        tables[table] = by_number(enumeration(read(include, header), name, prefix))
    families = macros(read(multiarch, "bits/socket.h"), "PF_")
    tables["family"] = by_number({n[3:].lower(): v for n, v in families.items() if n not in ("PF_MAX", "PF_LOCAL")})
    types = re.findall(r"^\s*(SOCK_\w+) = (\d+),", read(multiarch, "bits/socket_type.h"), re.MULTILINE)
    tables["socktype"] = by_number({name: int(number) for name, number in types})
    machines = macros(read(include, "linux/elf-em.h"), "EM_")
    audit = read(include, "linux/audit.h").replace("\\\n", "")
    tables["socketcall"] = {n: name.lower() for n, name in tables["socketcall"].items()}
    tables["arch"] = arches(audit, machines)
    tables["open"] = {"generic": open_flags(read(include, "asm-generic/fcntl.h"))}
    for arch, directory in cross.items():
        tables["open"][arch] = open_flags(read(directory, "asm/fcntl.h", "asm-generic/fcntl.h"))
    return tables


def arches(audit: str, machines: dict[str, int]) -> dict[str, str]:
    """AUDIT_ARCH_* -> as SYSCALL's arch= writes it (hex) -> the name in small letters."""
    table: dict[str, str] = {}
    for name, value in re.findall(r"^#define AUDIT_ARCH_(\w+)\s+\((.*)\)$", audit, re.MULTILINE):
        if "N32" in value:
            continue
        parts = [p.strip() for p in value.split("|")]
        bits = {"__AUDIT_ARCH_64BIT": 0x80000000, "__AUDIT_ARCH_LE": 0x40000000}
        number = 0
        for part in parts:
            number |= bits[part] if part in bits else machines.get(part, 0)
        if number & 0xFFFF:
            table.setdefault(f"{number:x}", name.lower())
    return dict(sorted(table.items()))


def open_flags(text: str) -> dict[int, str]:
    """O_* by bit. O_SYNC and O_TMPFILE hold another flag's bit too: their own bit stands for them."""
    flags = macros(text, r"_{0,2}O_")
    flags["O_SYNC"], flags["O_TMPFILE"] = flags["__O_SYNC"], flags["__O_TMPFILE"]
    single = {n: v for n, v in flags.items() if n.startswith("O_") and v and v & (v - 1) == 0}
    return by_number({n: v for n, v in single.items() if n not in ("O_WRONLY", "O_RDWR", "O_NDELAY")})


def yaml_of(tables: dict[Any, Any], depth: int = 0) -> list[str]:
    lines: list[str] = []
    for key, value in tables.items():
        shown = f'"{key}"' if isinstance(key, str) and re.fullmatch(r"[0-9a-f]+", key) else str(key)
        if isinstance(value, dict):
            lines.append(f"{'  ' * depth}{shown}:")
            lines += yaml_of(value, depth + 1)
        else:
            lines.append(f"{'  ' * depth}{shown}: {value}")
    return lines


def syscall_rows(site: pathlib.Path) -> list[list[object]]:
    sys.path.insert(0, str(site))
    tables = {}
    for arch, name in ARCHES.items():
        module = importlib.import_module(f"system_calls.tables.{name}")
        tables[arch] = getattr(module, f"syscalls_{name}")
    names = sorted({name for table in tables.values() for name in table})
    return [[name] + [table.get(name, "") for table in tables.values()] for name in names]


def unpack(package: str, into: pathlib.Path) -> pathlib.Path:
    """apt-get download and dpkg -x: nothing is installed."""
    subprocess.run(["apt-get", "download", "-q", package], cwd=into, check=True)
    archive = next(into.glob(f"{package}_*.deb"))
    target = into / package
    subprocess.run(["dpkg", "-x", str(archive), str(target)], check=True)
    return target


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        site = work / "site"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), SYSTEM_CALLS]
        subprocess.run(pip, check=True)
        with open(DATA / "syscalls.csv", "w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(["name", *ARCHES])
            out.writerows(syscall_rows(site))
        headers = unpack("linux-libc-dev", work)
        libc = unpack("libc6-dev", work) / "usr/include/x86_64-linux-gnu"
        cross = {a: unpack(p, work) / d for a, (p, d) in OPEN_FLAGS_OF_THEIR_OWN.items()}
        version = next(work.glob("linux-libc-dev_*.deb")).name.split("_")[1].replace("%3a", ":")
        tables = constants(headers / "usr/include", libc, cross)
        source = f"linux-libc-dev {version}, its -cross siblings and libc6-dev"
        text = HEADER.format(source=source) + "\n".join(yaml_of(tables)) + "\n"
        (DATA / "constants.yaml").write_text(text)


if __name__ == "__main__":
    main()
