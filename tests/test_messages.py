# SPDX-License-Identifier: Apache-2.0
"""data/sshd.yaml is refused, with its line, when a row of it could be moved by a stranger or says what nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

import audisp_maldito
from audisp_maldito import messages
from audisp_maldito.checks import read_yaml
from audisp_maldito.errors import ConfigError

PAGE = """\
shapes: {port: '[0-9]+'}
fields:
  user: {shape: free, to: user}
  port: {shape: port, to: port}
tails: []
rows:
  - id: one
    kind: refused
    format: '%s'
    pattern: 'Bad {user} port {port}'
    hangs: right
    why: the port ends it
    hostile: [user]
    examples: ['Bad x port 5']
"""


def compiled(tmp_path: Path, text: str) -> object:
    path = tmp_path / "sshd.yaml"
    path.write_text(text)
    return messages.compiled(read_yaml(str(path)))


def test_the_page_itself_passes() -> None:
    path = Path(audisp_maldito.__file__).parent / "data" / "sshd.yaml"
    table = messages.compiled(read_yaml(str(path)))
    assert set(table) == {"shapes", "fields", "tails", "rows"}
    assert not any("examples" in row for row in table["rows"])


def test_a_good_page_passes(tmp_path: Path) -> None:
    assert compiled(tmp_path, PAGE)


@pytest.mark.parametrize(
    ("was", "now", "complaint"),
    [
        ("hangs: right", "hangs: left", "nothing that is used may follow a hostile field"),
        ("hangs: right", "hangs: none", "'user' is free"),
        ("hangs: right", "hangs: top", "'top' is unknown"),
        ("port {port}'\n    h", "port {prot}'\n    h", "'prot' is unknown"),
        ("port {port}'\n    h", "port {user}'\n    h", "stands twice"),
        ("kind: refused", "kind: refusal", "no kind 'refusal'"),
        ("hostile: [user]", "hostile: [port, host]", "is not in the pattern"),
        ("    why: the port ends it\n", "", "lacks 'why'"),
        ("hostile: [user]", "preauth: sometimes", "no such preauth"),
        ("hostile: [user]", "level: [debug]", "levels are"),
        ("hostile: [user]", "set: {colour: red}", "no field 'colour'"),
        ("hostile: [user]", "reason: '{cause}'", "the pattern has no 'cause'"),
        ("hostile: [user]", "host: [user]", "unknown key 'host'"),
        ("to: port}", "to: harbour}", "no field of a Login"),
        ("to: port}", "to: cellar.port}", "goes to no place"),
        ("shape: port,", "shape: starboard,", "no shape 'starboard'"),
        ("'[0-9]+'", "'[0-9'", "shape 'port'"),
        (
            "rows:\n",
            "rows:\n  - {id: one, kind: remark, format: x, pattern: x, hangs: none, examples: [x]}\n",
            "stands twice",
        ),
    ],
)
def test_a_bad_page_is_refused(tmp_path: Path, was: str, now: str, complaint: str) -> None:
    assert PAGE.count(was) == 1
    with pytest.raises(ConfigError) as caught:
        compiled(tmp_path, PAGE.replace(was, now))
    assert complaint in str(caught.value)
