# SPDX-License-Identifier: Apache-2.0
"""The operator's file: what it may hold, what refuses it, whom it names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audisp_maldito import identities
from audisp_maldito.errors import ConfigError
from audisp_maldito.persons import KeyIdPattern, Persons

ALICE = "SHA256:frGtfUnZ8huEWJjAGnmLsmCqE0to2nuvfP4qhIUIUaI"
BOB = "SHA256:XT37ZFEnuI7X7xboSsxRGYRnsD4swXnknWioOKPP0sA"
MD5 = "MD5:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99"
CA = "SHA256:wHb5DEPOsvN9u3twcJ/vRlh0w7RadIpZ1Uc3yKVX8TI"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only a root process is particular about who wrote a file")

WHOLE = f"""
# who is who
keys:
  {ALICE}: alice@example.org    # her laptop
  "{MD5}": alice@example.org
  {BOB}: Bob Ångström
certificates:
  {CA}:
    alice-*: alice@example.org
    "?ob": Bob Ångström
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        identities.parse(text.encode(), "i.yaml")
    return str(refused.value)


def test_a_whole_file() -> None:
    persons = identities.parse(WHOLE.encode(), "i.yaml")

    assert len(persons) == 5
    assert [persons.of_key(key) for key in (ALICE, MD5, BOB, CA)] == [
        {"alice@example.org"}, {"alice@example.org"}, {"Bob Ångström"}, set(),
    ]  # fmt: skip
    assert persons.of_certificate(CA, "bob") == {"Bob Ångström"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "keys:\n", "keys:\ncertificates:\n", "keys: {}\n"])
def test_an_empty_file_names_nobody(text: str) -> None:
    assert len(identities.parse(text.encode(), "i.yaml")) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"keys:\n  {ALICE}: alice\n  {ALICE}: bob\n", f"i.yaml:3: '{ALICE}' has two persons: 'alice' and 'bob'"),
        (f"certificates:\n  {CA}:\n    a*: alice\n    a*: bob\n", "i.yaml:4: 'a*' has two persons"),
        (f"certificates:\n  {CA}:\n    a*: alice\n  {CA}:\n    a*: bob\n", "i.yaml:5: 'a*' has two persons"),
        ("keys:\n  SHA256:short: alice\n", "i.yaml:2: 'SHA256:short' is no fingerprint"),
        ("certificates:\n  alice-*: alice\n", "i.yaml:2: 'alice-*' is no fingerprint"),
        (f"keys:\n  {ALICE}:\n", "i.yaml:2: "),
        (f"keys:\n  {ALICE}: unknown\n", "needs a person"),
        (f"keys:\n  {ALICE}: ' alice'\n", "needs a person"),
        (f'keys:\n  {ALICE}: "ali\\nce"\n', "needs a person"),
        (f"keys:\n  {ALICE}: [alice]\n", "i.yaml:2: a text"),
        ("persons:\n  a: b\n", "i.yaml:1: unknown list 'persons'"),
        ("- keys\n", "i.yaml:1: 'name: value' lines are expected"),
        (f"certificates:\n  {CA}: alice\n", "i.yaml:2: 'name: value' lines"),
        (f"certificates:\n  {CA}:\n    *: alice\n", "must be quoted"),
        (f"certificates:\n  {CA}:\n    '': alice\n", "1 to 256 characters"),
        (f"keys: &k\n  {ALICE}: alice\ncertificates: *k\n", "i.yaml:3: "),
        ("keys:\n---\nkeys:\n", "a second document"),
        (f"keys:\n  {ALICE}: {'x' * 300}\n", "at most 256 characters"),
        ("keys:\n\tx: y\n", "i.yaml:2: "),
        ("\0", "not YAML"),
        ("keys: !!timestamp foo\n", "i.yaml:1: the tag"),
        pytest.param("[" * 60_000, "i.yaml:1: 'name: value' lines", id="deeper-than-libyaml-lives"),
    ],
)
def test_one_mistake_refuses_the_file_and_is_said_with_its_line(text: str, said: str) -> None:
    assert said in refusal(text)


def test_the_same_person_twice_is_no_contradiction() -> None:
    text = f"keys:\n  {ALICE}: alice\n  {ALICE}: alice\n"
    assert len(identities.parse(text.encode(), "i.yaml")) == 1


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "PATTERNS_LIMIT", 1)
    assert "more than 1 patterns" in refusal(f"certificates:\n  {CA}:\n    a: alice\n    b: alice\n")
    monkeypatch.setattr(identities, "ENTRIES_LIMIT", 1)
    assert "more than 1 entries" in refusal(f"keys:\n  {ALICE}: alice\n  {BOB}: bob\n")


@as_root
def test_nobody_but_root_may_have_written_it(tmp_path: Path) -> None:
    file = tmp_path / "identities.yaml"
    file.write_text(WHOLE)
    file.chmod(0o664)
    with pytest.raises(ConfigError, match="writable by group"):
        identities.load(str(file))
    file.chmod(0o644)
    assert len(identities.load(str(file))) == 5


def test_a_pattern_fits_the_whole_key_id_or_not_at_all() -> None:
    """ "alice" is not "alice-eve"; nothing in a key id is taken for a pattern; the empty one is nobody's."""
    persons = Persons(
        {}, [KeyIdPattern("A", "alice", "alice"), KeyIdPattern("A", "bob-*@*", "bob"), KeyIdPattern("B", "*", "all")]
    )

    assert persons.of_certificate("A", "alice") == {"alice"}
    for key_id in ("alice-eve", "xalice", "ALICE", "alice\n", " alice", "", "*", "a*"):
        assert persons.of_certificate("A", key_id) == set()
    assert persons.of_certificate("A", "bob-1@x") == {"bob"}
    assert persons.of_certificate("A", "bob-\n1@x\n") == {"bob"}
    assert persons.of_certificate("B", "") == set()
    assert persons.of_certificate("C", "alice") == set()


def test_two_patterns_of_two_persons_are_both_told() -> None:
    persons = Persons({}, [KeyIdPattern("A", "a*", "alice"), KeyIdPattern("A", "*b", "bob")])
    assert persons.of_certificate("A", "ab") == {"alice", "bob"}


def test_a_hostile_key_id_costs_little() -> None:
    """A pattern with many stars and an id that nearly fits it: linear, not exponential."""
    persons = Persons({}, [KeyIdPattern("A", "*a" * 100 + "b", "alice")])
    assert persons.of_certificate("A", "a" * 400) == set()
