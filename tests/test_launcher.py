# SPDX-License-Identifier: Apache-2.0
"""The launcher alone: in front of a package that only says what it was started with."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

SAYS = """
import json, os, signal, sys
def main(argv):
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(json.dumps({
        "argv": argv,
        "environment": dict(os.environ),
        "path": sys.path,
        "flags": [sys.flags.isolated, sys.flags.no_site, sys.flags.dont_write_bytecode],
        "descriptors": [fd for fd in range(1024) if os.path.exists(f"/proc/self/fd/{fd}")],
        "blocked": sorted(blocked),
        "ignored": int(status["SigIgn"], 16),
        "umask": os.umask(0),
        "oom": int(open("/proc/self/oom_score_adj").read()),
    }), flush=True)
    if argv == ["wait"]:
        sys.stdin.readline()
        print(json.dumps(sorted(signal.sigpending())), flush=True)
        # what is pending still says who sent it
        print(signal.sigwaitinfo([signal.SIGTERM]).si_pid, flush=True)
"""


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("launcher")
    package = directory / "lib" / "audisp_maldito"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(SAYS)
    program = directory / "audisp-maldito"
    source = ROOT / "csrc" / "launcher.c"
    defines = [f'-DMALDITO_LIBDIR="{package.parent}"', '-DMALDITO_SITE="/site/one:/site/two"']
    subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", *defines, "-o", program, source], check=True)
    return program


def started(launcher: Path, *argv: str, **more: Any) -> dict[str, Any]:
    run = subprocess.run([launcher, *argv], input=b"", env={}, capture_output=True, check=True, **more)
    assert run.stderr == b""
    said: dict[str, Any] = json.loads(run.stdout)
    return said


def test_python_finds_the_standard_library_our_directory_and_the_distributions_alone(launcher: Path) -> None:
    said = started(launcher)
    path = said["path"]
    ours = path.index(str(launcher.parent / "lib"))
    assert path[ours:] == [str(launcher.parent / "lib"), "/site/one", "/site/two"]
    assert all(directory.startswith("/usr/lib/python3") for directory in path[:ours])
    assert said["flags"] == [1, 1, 1]


def test_the_environment_is_ours(launcher: Path) -> None:
    hostile = {"PYTHONPATH": "/tmp", "LD_LIBRARY_PATH": "/tmp", "PATH": "/tmp", "LANG": "xx"}
    run = subprocess.run([launcher], input=b"", env=hostile, capture_output=True, check=True)
    assert json.loads(run.stdout)["environment"] == {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def test_the_configurations_path_is_handed_on_and_no_more(launcher: Path) -> None:
    assert started(launcher)["argv"] == []
    assert started(launcher, "/etc/x.yaml", "-c", "import os")["argv"] == ["/etc/x.yaml"]


def test_leaked_descriptors_are_closed_and_the_first_three_are_open(launcher: Path) -> None:
    high = 250
    os.dup2(2, high)
    try:
        assert started(launcher, pass_fds=[high])["descriptors"] == [0, 1, 2]
    finally:
        os.close(high)
    without = subprocess.run(
        ["sh", "-c", 'exec "$0" 2>&-', launcher], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert json.loads(without.stdout)["descriptors"] == [0, 1, 2]


def test_files_are_not_for_others_and_memory_is_not_exempt(launcher: Path) -> None:
    said = started(launcher)
    assert said["umask"] == 0o027
    assert said["oom"] == 0


def ignore_everything() -> None:
    """As auditd's first generation of plugins has it."""
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)


def test_every_signal_is_held_and_none_ignored(launcher: Path) -> None:
    said = started(launcher, preexec_fn=ignore_everything)
    assert {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT} <= set(said["blocked"])
    pythons = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    libcs = 0b11 << 31  # 32 and 33, which no program can set: make leaves them ignored
    assert said["ignored"] & ~(pythons | libcs) == 0


@pytest.mark.parametrize("prepare", [None, ignore_everything], ids=["later generation", "first generation"])
def test_a_signal_before_python_stands_is_neither_lost_nor_deadly(launcher: Path, prepare: Any) -> None:
    command = [launcher, "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=prepare) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()  # it is past the launcher now, and nothing in Python has asked for a signal
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == [signal.SIGHUP, signal.SIGTERM]
        assert int(process.stdout.readline()) == os.getpid()
    assert process.returncode == 0


def test_on_a_terminal_it_says_what_it_is(launcher: Path) -> None:
    ours, theirs = pty.openpty()
    run = subprocess.run([launcher], stdin=theirs, capture_output=True, check=False, text=True)
    os.close(ours)
    os.close(theirs)
    assert run.returncode == 2
    assert "auditd" in run.stderr
    assert "maldito replay" in run.stderr


def test_the_drop_in_is_one_that_every_auditd_takes() -> None:
    text = (ROOT / "plugins.d" / "audisp-maldito.conf").read_bytes()
    assert b"\t" not in text and b"\r" not in text
    lines = text.decode("ascii").splitlines()
    assert max(map(len, lines)) < 158
    settings = [line for line in lines if line and not line.startswith("#")]
    assert all(" = " in line for line in settings)
    assert dict(line.split(" = ") for line in settings) == {
        "active": "yes",
        "direction": "out",
        "path": "/usr/sbin/audisp-maldito",
        "type": "always",
        "args": "/etc/audisp-maldito/config.yaml",
        "format": "string",
    }
