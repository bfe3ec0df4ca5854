# SPDX-License-Identifier: Apache-2.0
"""Audit records as the kernel and auditd write them (ENRICHED, with EOE, as a plugin gets them), for tests that need a
session rather than a recording. The shapes are those of tests/corpus/hosts.
"""

from __future__ import annotations

from typing import Optional

UNSET = 4294967295
SSHD = "/usr/sbin/sshd"
NAMES = {0: "root", 1000: "core", 1001: "maint", UNSET: "unset"}


def text(value: str) -> str:
    """An untrusted string as the kernel writes it: quoted if plain, else upper-case hex."""
    data = value.encode("utf-8", "surrogateescape")
    if all(0x20 < byte < 0x7F and byte != 0x22 for byte in data):
        return f'"{value}"'
    return data.hex().upper()


def name(uid: int) -> str:
    return NAMES.get(uid, f"unknown({uid})")


def _ids(auid: int, uid: int, euid: Optional[int] = None) -> str:
    euid = uid if euid is None else euid
    return f"auid={auid} uid={uid} gid={uid} euid={euid} suid={euid} fsuid={euid} egid={uid} sgid={uid} fsgid={uid}"


def _names(call: str, auid: int, uid: int, euid: Optional[int] = None) -> str:
    roles = ["UID", "GID", "EUID", "SUID", "FSUID", "EGID", "SGID", "FSGID"]
    effective = ("EUID", "SUID", "FSUID")
    named = " ".join(f'{role}="{name(uid if euid is None or role not in effective else euid)}"' for role in roles)
    return f'\x1dARCH=x86_64 SYSCALL={call} AUID="{name(auid)}" {named}'


def _event(stamp: str, records: list[tuple[str, str]]) -> list[str]:
    return [f"type={kind} msg=audit({stamp}): {body}" for kind, body in records] + [f"type=EOE msg=audit({stamp}): "]


def login(
    stamp: str,
    pid: int,
    ses: int,
    auid: int = 1000,
    old_ses: int = UNSET,
    old_auid: int = UNSET,
    exe: Optional[str] = SSHD,
    uid: int = 0,
    res: int = 1,
    syscall_ses: Optional[int] = None,
) -> list[str]:
    """LOGIN with the write to /proc/self/loginuid that caused it; `exe` None leaves the SYSCALL out."""
    records = [
        (
            "LOGIN",
            f"pid={pid} uid={uid} old-auid={old_auid} auid={auid} tty=(none) old-ses={old_ses} ses={ses} res={res}"
            f'\x1dUID="{name(uid)}" OLD-AUID="{name(old_auid)}" AUID="{name(auid)}"',
        )
    ]
    if exe is not None:
        of = syscall_ses if syscall_ses is not None else ses if res == 1 else old_ses
        comm = exe.rpartition("/")[2].partition(" ")[0][:15]
        kept = auid if res == 1 else old_auid
        records.append(
            (
                "SYSCALL",
                f"arch=c000003e syscall=1 success={'yes' if res == 1 else 'no'} exit={4 if res == 1 else -1} a0=3 "
                f"a1=7ffe1c82bf50 a2=4 a3=7ffe1c82bc64 items=0 ppid=229 pid={pid} {_ids(kept, uid)} tty=(none) "
                f"ses={of} comm={text(comm)} exe={text(exe)} key=(null)" + _names("write", kept, uid),
            )
        )
        records.append(("PROCTITLE", "proctitle=737368643A20636F7265205B707269765D"))
    return _event(stamp, records)


def execute(
    stamp: str,
    pid: int,
    ses: int,
    command: list[str],
    auid: int = 1000,
    uid: int = 1000,
    ppid: int = 2,
    euid: Optional[int] = None,
) -> list[str]:
    """execve of `command`, whose first word is looked for in /usr/bin. With an `euid` of its own the file is root's and
    has the setuid bit."""
    exe = command[0] if "/" in command[0] else "/usr/bin/" + command[0]
    arguments = " ".join(f"a{number}={text(word)}" for number, word in enumerate(command))
    return _event(
        stamp,
        [
            (
                "SYSCALL",
                "arch=c000003e syscall=59 success=yes exit=0 a0=55d0c8f5 a1=55d0c8f6 a2=55d0c8f7 a3=8 items=1 "
                f"ppid={ppid} pid={pid} {_ids(auid, uid, euid)} tty=pts0 ses={ses} "
                f"comm={text(exe.rpartition('/')[2][:15])} exe={text(exe)} key=(null)"
                + _names("execve", auid, uid, euid),
            ),
            ("EXECVE", f"argc={len(command)} {arguments}"),
            ("CWD", 'cwd="/home/core"'),
            (
                "PATH",
                f"item=0 name={text(exe)} inode=1024 dev=fe:01 mode=010{'0' if euid is None else '4'}755 ouid=0 ogid=0 "
                "rdev=00:00 nametype=NORMAL "
                'cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0\x1dOUID="root" OGID="root"',
            ),
            ("PROCTITLE", "proctitle=" + "\0".join(command).encode().hex().upper()),
        ],
    )


def user(
    stamp: str,
    kind: str,
    pid: int,
    ses: int,
    auid: int = 1000,
    uid: int = 0,
    exe: str = SSHD,
    acct: str = "core",
    op: str = "PAM:session_close",
    res: str = "success",
    cmd: Optional[str] = None,
) -> list[str]:
    """A user-space record (USER_END, CRED_DISP …): one line, an event of its own. With `cmd` as sudo writes it."""
    if cmd is not None:
        said = f'cwd="/home/core" cmd={cmd.encode().hex().upper()} exe={text(exe)} terminal=pts/0 res={res}'
        return spoken(stamp, kind, pid, said, uid, auid, ses)
    return [
        f"type={kind} msg=audit({stamp}): pid={pid} uid={uid} auid={auid} ses={ses} subj=unconfined msg='op={op} "
        f"grantors=pam_permit acct={text(acct)} exe={text(exe)} hostname=192.0.2.7 addr=192.0.2.7 terminal=ssh "
        f'res={res}\'\x1dUID="{name(uid)}" AUID="{name(auid)}"'
    ]


def spoken(stamp: str, kind: str, pid: int, said: str, uid: int = 0, auid: int = UNSET, ses: int = UNSET) -> list[str]:
    """A user-space record that says `said`; what stands before it is the kernel's."""
    return [
        f"type={kind} msg=audit({stamp}): pid={pid} uid={uid} auid={auid} ses={ses} subj=unconfined msg='{said}'"
        f'\x1dUID="{name(uid)}" AUID="{name(auid)}"'
    ]
