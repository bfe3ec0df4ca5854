# SPDX-License-Identifier: Apache-2.0
"""What was acted upon: the right one of several PATHs, its real kind, its name from where it starts."""

from __future__ import annotations

from typing import Optional

import pytest

from tests.events import action, syscall

CWD = 'CWD cwd="/root"'
NUMBERS = {"open": 2, "mkdir": 83, "rename": 82, "symlink": 88, "link": 86, "openat": 257, "unlink": 87, "execve": 59}


def path(item: int, name: str, nametype: str = "NORMAL", mode: Optional[str] = "0100644") -> str:
    found = f"inode=7 dev=fe:00 mode={mode} ouid=0 ogid=0 rdev=00:00 " if mode else ""
    return f"PATH item={item} name={name} {found}nametype={nametype} cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("0100644", "file"), ("040755", "directory"), ("0120777", "symlink"), ("0140755", "socket"), ("010644", "fifo"),
     ("020620", "character-device"), ("060660", "block-device"), ("0", "file")],
)  # fmt: skip
def test_the_kind_is_the_modes(mode: str, kind: str) -> None:
    assert action(syscall(2), path(0, '"/x"', mode=mode)).object == (kind, "/x", None)


def test_a_lookup_that_failed_keeps_its_name() -> None:
    done = action(syscall(2, success="no", exit="-2"), CWD, path(0, '"/nowhere"', "UNKNOWN", None))
    assert done.object == ("file", "/nowhere", None)
    done = action(
        syscall(2, success="no", exit="-13"),
        path(0, '"/root/"', "PARENT", "040700"),
        path(1, '"/root/new"', "UNKNOWN", None),
    )
    assert done.object.primary == "/root/new"


def test_the_directory_is_not_what_was_made_in_it() -> None:
    done = action(syscall(83), CWD, path(0, '"/root"', "PARENT", "040700"), path(1, '"new"', "CREATE", "040755"))
    assert done.object == ("directory", "/root/new", None)


def test_old_kernels_call_the_nametype_objtype() -> None:
    parent = path(0, '"/root"', "PARENT", "040700").replace("nametype", "objtype")
    assert (
        action(syscall(87), parent, path(1, '"/root/f"', "DELETE").replace("nametype", "objtype")).object[1]
        == "/root/f"
    )


def test_a_rename_has_both_names() -> None:
    parents = [path(n, '"/root/"', "PARENT", "040700") for n in (0, 1)]
    done = action(syscall(82), CWD, *parents, path(2, '"a"', "DELETE"), path(3, '"b"', "CREATE"))
    assert done.object == ("file", "/root/a", "/root/b")
    over = action(
        syscall(82), CWD, *parents, path(2, '"a"', "DELETE"), path(3, '"b"', "DELETE"), path(4, '"b"', "CREATE")
    )
    assert over.object == ("file", "/root/a", "/root/b")


def test_a_symlink_has_its_name_and_what_it_points_to() -> None:
    done = action(
        syscall(88),
        CWD,
        path(0, '"../etc/shadow"', "UNKNOWN", None),
        path(1, '"/root"', "PARENT", "040700"),
        path(2, '"l"', "CREATE", "0120777"),
    )
    assert done.object == ("symlink", "/root/l", "../etc/shadow")


def test_a_hard_link_has_both_names() -> None:
    done = action(syscall(86), CWD, path(0, '"a"'), path(1, '"/root"', "PARENT", "040700"), path(2, '"b"', "CREATE"))
    assert done.object == ("file", "/root/a", "/root/b")


@pytest.mark.parametrize("here", ["ffffff9c", "ffffffffffffff9c"])
def test_a_relative_name_starts_at_the_working_directory(here: str) -> None:
    done = action(syscall(257, a0=here), CWD, path(0, '"../etc/passwd"'))
    assert (done.object.primary, done.warnings) == ("/root/../etc/passwd", [])


def test_a_name_from_a_descriptor_is_not_put_after_the_working_directory() -> None:
    done = action(syscall(257, a0="5"), CWD, path(0, '"shadow"'))
    assert done.object.primary == "shadow"
    assert done.warnings == ["'shadow' starts from an unknown directory (descriptor 5)"]
    assert action(syscall(257, a0="5"), CWD, path(0, '"/etc/shadow"')).warnings == []


def test_a_name_without_a_working_directory_stays_as_it_is() -> None:
    assert action(syscall(2), path(0, '"x"')).object.primary == "x"


def test_names_in_hex() -> None:
    assert action(syscall(2), CWD, path(0, "612062")).object.primary == "/root/a b"
    assert action(syscall(2), CWD, path(0, '"4142"')).object.primary == "/root/4142"


def test_an_operation_on_a_descriptor_has_no_name() -> None:
    assert action(syscall(91), path(0, "(null)")).object == ("file", None, None)
    assert action(syscall(91)).object == ("file", None, None)


def test_five_thousand_paths() -> None:
    done = action(
        syscall(87, items="5001"),
        *(path(n, '"p"', "PARENT", "040700") for n in range(5000)),
        path(5000, '"/f"', "DELETE"),
    )
    assert (done.object.primary, len(done.paths)) == ("/f", 5001)


def test_signals_say_whom_they_were_meant_for() -> None:
    target = 'OBJ_PID opid=77 oauid=1000 ouid=0 oses=5 ocomm="sleep"'
    done = action(syscall(62, a0="4d", a1="9"), target)
    assert (done.action, done.object) == ("killed-pid", ("process", "77", None))
    assert (done.details["signal"], done.details["target"]) == ("SIGKILL", 77)
    assert done.details["targets"] == [{"pid": 77, "auid": 1000, "uid": 0, "ses": 5, "comm": "sleep"}]
    assert action(syscall(62, a0="ffffffff", a1="f"), target, target).details["target"] == -1


def test_io_uring_does_what_the_call_of_that_name_does() -> None:
    uring = "URINGOP uring_op=18 success=yes exit=0 items=1 ppid=1 pid=2 uid=0 gid=0 key=(null)"
    done = action(uring, CWD, path(0, '"/etc/shadow"'))
    assert (done.type, done.action, done.object) == ("URINGOP", "io_uring-operation", ("file", "/etc/shadow", None))
    assert (done.result, done.details["uring_op"]) == ("success", "IORING_OP_OPENAT")
    assert action(uring.replace("=18", "=9999")).object.primary == "9999"


def test_sockets_behind_one_call_of_i386() -> None:
    done = action(syscall(102, arch="40000003", a0="3"), "SOCKADDR saddr=02000050C0000207" + "00" * 8)
    assert (done.syscall, done.action, done.object) == ("socketcall", "connected-to", ("socket", "192.0.2.7", "80"))


def test_a_module_by_its_name() -> None:
    done = action(syscall(313), 'KERN_MODULE name="dummy"')
    assert (done.action, done.object) == ("loaded-kernel-module", ("file", "dummy", None))
    assert action('KERN_MODULE name="dummy"', syscall(313)).object == done.object
    assert action(syscall(176), 'KERN_MODULE name="dummy"').action == "unloaded-kernel-module"
