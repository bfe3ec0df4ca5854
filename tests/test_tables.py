# SPDX-License-Identifier: Apache-2.0
"""A table that is wrong is refused at build time, with its file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from audisp_maldito import checks, tables
from audisp_maldito.errors import ConfigError

SOURCE = Path(tables.DATA)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the tables that a test may spoil."""
    copy = tmp_path / "package" / "data"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("*.json"))
    shutil.copytree(SOURCE.parent.parent / "csrc", tmp_path / "csrc", ignore=shutil.ignore_patterns("*.c"))
    return copy


def refused(data: Path, file: str, old: str, new: str) -> str:
    """What is said of the table in which `old` became `new`; its place is checked to be where that stands."""
    path = data / file
    text = path.read_text()
    assert old in text
    changed = text.replace(old, new, 1)
    path.write_text(changed)
    with pytest.raises(ConfigError) as caught:
        checks.compiled(str(data))
    assert file in str(caught.value)
    return str(caught.value)


RULE = "- {types: [GRP_AUTH], action: authenticated-to-group, category: authentication, from: go}"


def test_the_tables_are_right(data: Path) -> None:
    assert set(checks.compiled(str(data))) >= {"actions", "arguments", "constants", "syscalls", "sshd"}


@pytest.mark.parametrize(
    ("new", "complaint"),
    [
        (RULE + "\n" + RULE, "'GRP_AUTH' has a rule already"),
        (RULE.replace("GRP_AUTH", "GRP_AUHT"), "'GRP_AUHT' is unknown"),
        (RULE.replace("action", "acton"), "unknown key 'acton'"),
        (RULE.replace("action: authenticated-to-group, ", ""), "lacks 'action'"),
        (RULE.replace("from: go", "from: gone"), "`from` is go, userspace or ours"),
        (RULE.replace("from", "object: {primary: [nonsense]}, from"), "'nonsense' is no source and no field"),
        (RULE.replace("from", "object: {primary: ['a0:nonsense']}, from"), "no form or table 'nonsense'"),
        (RULE.replace("from", "object: {first: [op]}, from"), "unknown key 'first'"),
        (RULE.replace("from", "needs: nonsense, from"), "'nonsense' is no field"),
        (RULE.replace("authenticated-to-group", "{by: op, LOAD: x}"), "a mapping with `by` and `else`"),
        (RULE.replace("authenticated-to-group", "{by: nonsense, else: x}"), "'nonsense' is no field"),
        (RULE.replace("from: go", "from: go, from: go"), "'from' stands twice"),
    ],
)
def test_a_wrong_rule(data: Path, new: str, complaint: str) -> None:
    said = refused(data, "actions.yaml", RULE, new)
    assert complaint in said
    line = (data / "actions.yaml").read_text().split("GRP_AU")[0].count("\n") + 1
    assert f"actions.yaml:{line}" in said or f"actions.yaml:{line + 1}" in said


def test_two_rules_for_one_call(data: Path) -> None:
    assert "'unlink' has a rule already" in refused(data, "actions.yaml", "[chdir, fchdir]", "[chdir, unlink]")


def test_a_call_that_no_kernel_has(data: Path) -> None:
    assert "'futimens' is unknown" in refused(data, "actions.yaml", "[chdir, fchdir]", "[chdir, futimens]")


def test_two_names_for_one_number(data: Path) -> None:
    assert "x86_64 59 is" in refused(data, "syscalls.csv", "\nexecveat,322", "\nexecveat,59")


def test_a_key_that_stands_twice(data: Path) -> None:
    assert "'errno' stands twice" in refused(data, "constants.yaml", "\nsignal:", "\nerrno: {}\nsignal:")


def test_arguments_of_calls(data: Path) -> None:
    assert "is no argument of SYSCALL" in refused(data, "arguments.yaml", '"a1:octal"', '"a4:octal"')


def test_programs_with_secrets(data: Path) -> None:
    assert "'mysql' has a rule already" in refused(data, "secrets.yaml", "names: [sshpass]", "names: [mysql]")


def test_no_table_at_all(data: Path) -> None:
    assert "not a mapping" in refused(data, "arguments.yaml", (data / "arguments.yaml").read_text(), "- 1\n")


def test_no_yaml(data: Path) -> None:
    assert "arguments.yaml" in refused(data, "arguments.yaml", "dirfd:", "dirfd: [")
