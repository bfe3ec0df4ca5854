# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from audisp_maldito import rotation
from audisp_maldito.rotation import Packer, pack, rotate, rotated

ROOT = Path(__file__).parent.parent
AT_HALF_PAST_NINE = 1795167000
"""2026-11-20T09:30:00Z"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def written(file: Path, text: str, when: int = AT_HALF_PAST_NINE) -> Path:
    file.write_text(text)
    file.chmod(0o640)
    os.utime(file, (when, when))
    return file


def names(file: Path) -> list[str]:
    return [os.path.basename(path) for path in rotated(str(file))]


def test_a_file_gets_the_time_of_its_last_write(file: Path) -> None:
    inode = written(file, "a\n").stat().st_ino
    earlier = Path(rotate(str(file), 9))

    assert earlier.name == "events.jsonl.2026-11-20T09-30-00Z"
    assert (earlier.stat().st_ino, earlier.read_text()) == (inode, "a\n")
    assert not file.exists()


def test_several_of_one_second_keep_their_order(file: Path) -> None:
    for number in range(12):
        rotate(str(written(file, f"{number}\n")), 99)

    assert [Path(path).read_text() for path in rotated(str(file))] == [f"{number}\n" for number in reversed(range(12))]
    assert names(file)[0] == "events.jsonl.2026-11-20T09-30-00Z-11"


def test_only_so_many_generations_stay(file: Path) -> None:
    for number in range(5):
        rotate(str(written(file, f"{number}\n", AT_HALF_PAST_NINE + number)), 2)

    assert [Path(path).read_text() for path in rotated(str(file))] == ["4\n", "3\n"]


def test_files_of_others_are_none_of_ours(file: Path, tmp_path: Path) -> None:
    for name in (
        "events.jsonl.1",
        "events.jsonl-20261120",
        "events.second.jsonl.2026-11-20T09-30-00Z",
        "events.jsonl.bak",
    ):
        (tmp_path / name).touch()
    rotate(str(written(file, "a\n")), 1)

    assert names(file) == ["events.jsonl.2026-11-20T09-30-00Z"]
    assert len(list(tmp_path.iterdir())) == 5


def test_packing_keeps_content_mode_and_order(file: Path) -> None:
    for number in range(3):
        rotate(str(written(file, f"{number}\n" * 100_000, AT_HALF_PAST_NINE + number)), 9)
    oldest = Path(rotated(str(file))[-1])
    os.chown(oldest, -1, os.getegid())

    packer = Packer()
    packer.start(str(file))
    packer.wait()

    assert all(name.endswith("Z.gz") for name in names(file))
    assert [gzip.open(path).read() for path in rotated(str(file))] == [b"%d\n" % n * 100_000 for n in (2, 1, 0)]
    assert {Path(path).stat().st_mode & 0o777 for path in rotated(str(file))} == {0o640}


def test_what_a_kill_left_is_packed_by_the_next(file: Path) -> None:
    earlier = Path(rotate(str(written(file, "a\n")), 9))
    Path(f"{earlier}.part").write_bytes(b"half a gzip file that is longer than the whole one will ever be" * 10)
    pack(str(earlier))

    assert names(file) == [f"{earlier.name}.gz"]
    assert gzip.open(f"{earlier}.gz").read() == b"a\n"


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "wb")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_two_plugins_do_not_pack_one_file(file: Path) -> None:
    earlier = Path(rotate(str(written(file, "a\n")), 9))
    command = [sys.executable, "-c", HOLDER, f"{earlier}.part"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(BlockingIOError):
            pack(str(earlier))
        holder.communicate()

    assert earlier.read_text() == "a\n"


def test_a_file_that_cannot_be_packed_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate(str(written(file, "a\n")), 9)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rotation.os, "fsync", full)
    packer = Packer()
    packer.start(str(file))
    packer.wait()

    assert names(file) == ["events.jsonl.2026-11-20T09-30-00Z"]


def test_a_name_is_taken_though_it_is_packed(file: Path) -> None:
    pack(rotate(str(written(file, "a\n")), 9))
    rotate(str(written(file, "b\n")), 9)

    assert names(file) == ["events.jsonl.2026-11-20T09-30-00Z-1", "events.jsonl.2026-11-20T09-30-00Z.gz"]
    assert re.fullmatch(rotation.STAMPED, ".2026-11-20T09-30-00Z-1")
