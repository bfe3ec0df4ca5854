# SPDX-License-Identifier: Apache-2.0
"""Command lines come out whole, whatever is in them and however they are cut over records."""

from __future__ import annotations

import time

import pytest

from tests.events import action, syscall

CALL = syscall(59, a0="1", items="0")


def args(*records: str) -> list[str]:
    return action(CALL, *records).args


def warnings(*records: str) -> list[str]:
    return action(CALL, *records).warnings


@pytest.mark.parametrize(
    ("record", "whole"),
    [
        ('EXECVE argc=2 a0="id" a1="-un"', ["id", "-un"]),
        ('EXECVE argc=3 a0="a" a1="" a2="b"', ["a", "", "b"]),
        ('EXECVE argc=2 a0="echo" a1=6120622022632220C3A4', ["echo", 'a b "c" ä']),
        ('EXECVE argc=2 a0="x" a1=FF41', ["x", "\udcff" + "A"]),
        ('EXECVE argc=2 a0="x" a1=41004200', ["x", "A\0B\0"]),
        ('EXECVE argc=2 a0="x" a1="ABBA"', ["x", "ABBA"]),
        ('EXECVE argc=2 a0="x" a1="(null)"', ["x", "(null)"]),
        ('EXECVE argc=2 a0="x" a1="?"', ["x", "?"]),
        ("EXECVE argc=1 a0=61", ["a"]),
        ("EXECVE argc=1 a0=ABC", ["ABC"]),
    ],
)
def test_arguments_of_one_record(record: str, whole: list[str]) -> None:
    assert args(record) == whole
    assert warnings(record) == []


def test_a_list_goes_on_in_further_records() -> None:
    assert args('EXECVE argc=4 a0="a" a1="b"', 'EXECVE a2="c" a3="d"') == ["a", "b", "c", "d"]


def test_a_long_argument_is_put_together_from_its_pieces() -> None:
    pieces = ('EXECVE argc=3 a0="sh" a1=2D63 a2_len=12 a2[0]=C3', "EXECVE a2[1]=A4C3A4 a2[2]=2022")
    assert args(*pieces) == ["sh", "-c", 'ää "']
    assert warnings(*pieces) == []
    plain = ('EXECVE argc=1 a0_len=6 a0[0]="abc"', 'EXECVE a0[1]="def"')
    assert args(*plain) == ["abcdef"]


def test_a_lost_piece_is_told() -> None:
    assert warnings("EXECVE argc=1 a0_len=20 a0[0]=4142") == ["argument 0 is cut"]


def test_a_hole_stays_a_hole() -> None:
    assert args('EXECVE argc=4 a0="a" a3="d"') == ["a", "", "", "d"]
    assert warnings('EXECVE argc=4 a0="a" a3="d"') == ["arguments missing: 1-2"]


def test_a_lost_end_is_told() -> None:
    assert args('EXECVE argc=5 a0="a"') == ["a"]
    assert warnings('EXECVE argc=5 a0="a"') == ["arguments missing: 1-4"]


def test_a_damaged_number_makes_no_giant() -> None:
    assert args('EXECVE argc=2 a0="a" a999999999="z"') == ["a", "z"]
    assert warnings('EXECVE argc=2 a0="a" a999999999="z"') == ["arguments missing: 1-999999998"]


def test_the_calls_own_numbers_are_no_arguments() -> None:
    assert action(syscall(59, a0="41", a1="42"), 'EXECVE argc=1 a0="x"').args == ["x"]


def test_a_script_and_its_interpreter() -> None:
    paths = [
        f'PATH item={n} name="{name}" inode=1 dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL'
        for n, name in enumerate(["/etc/x", "/bin/sh", "/lib64/ld-linux-x86-64.so.2"])
    ]
    done = action(syscall(59, exe='"/usr/bin/dash"'), 'EXECVE argc=2 a0="/bin/sh" a1="/etc/x"', *paths)
    assert (done.object.primary, done.details["script"], done.exe) == ("/etc/x", "/etc/x", "/usr/bin/dash")
    called = action(syscall(59), 'EXECVE argc=2 a0="/bin/sh" a1="/etc/x"', paths[1], paths[2])
    assert "script" not in called.details


def test_two_megabytes_take_time_in_proportion() -> None:
    def seconds(pieces: int) -> float:
        records = [CALL, f'EXECVE argc=2 a0="x" a1_len={pieces * 7000}']
        records += [f"EXECVE a1[{n}]=" + "20" * 3500 for n in range(pieces)]
        started = time.perf_counter()
        assert len(action(*records).args[1]) == pieces * 3500
        return time.perf_counter() - started

    few, many = min(seconds(75) for _ in range(3)), min(seconds(600) for _ in range(3))
    assert many < 8 * few * 3
