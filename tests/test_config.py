# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from audisp_maldito import config
from audisp_maldito.config import Config
from audisp_maldito.errors import ConfigError

ROOT = Path(__file__).parent.parent
DOCUMENTED = ROOT / "config" / "config.yaml"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only a root process is particular about who wrote a file")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("sessions: ssh\n")
    path.chmod(0o600)
    return path


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        config.parse(text.encode(), "c.yaml")
    return str(refused.value)


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    text = DOCUMENTED.read_text()
    assert config.parse(text.encode(), "c.yaml") == Config()
    shown = re.sub(r"^#(?=\w+:|  - )", "", text, flags=re.MULTILINE)
    values = config.parse(shown.encode(), "c.yaml")
    without_default = {"host", "trusted_cas", "identities"}
    assert values._replace(**dict.fromkeys(without_default)) == Config()
    assert [line.split(":")[0] for line in shown.splitlines() if re.match(r"\w+:", line)] == sorted(
        Config._fields, key=shown.index
    )
    assert all(getattr(values, key) is not None for key in without_default)


def test_every_key_has_a_check() -> None:
    assert set(config.CHECKS) == set(Config._fields)


def test_an_empty_file_is_all_defaults() -> None:
    assert config.parse(b"# nothing\n", "c.yaml") == Config()


def test_off_is_off_though_yaml_reads_it_as_false() -> None:
    assert config.parse(b"output: off\n", "c.yaml").output == "off"
    assert config.parse(b"output: 'off'\n", "c.yaml").output == "off"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output: /a\noutptu: /b\n", "c.yaml:2: unknown key 'outptu'; did you mean 'output'?"),
        ("sesions: ssh\n", "c.yaml:1: unknown key 'sesions'; did you mean 'sessions'?"),
        (
            "zzz: 1\n",
            "c.yaml:1: unknown key 'zzz'; the keys are audit_identity, auditd_conf, host, identities, max_document_bytes, output,",
        ),
        ("1: 2\n", "c.yaml:1: unknown key '1'; the keys are"),
        ("host: a\n\nhost: b\n", "c.yaml:3: 'host' is set twice"),
        ("output: events.jsonl\n", "c.yaml:1: 'output' must be an absolute path"),
        ("output: true\n", "c.yaml:1: 'output' must be a text on one line"),
        ("output: {path: /a}\n", "'output' must be a text on one line"),
        ("sessions: some\n", "'sessions' must be 'all' or 'ssh'"),
        ("sessions: [ssh]\n", "'sessions' must be 'all' or 'ssh'"),
        ("sshd_paths: /usr/sbin/sshd\n", "'sshd_paths' must be a list of at most 256"),
        ("sshd_paths: [sshd]\n", "'sshd_paths' must be an absolute path"),
        ("sshd_units: [[a]]\n", "'sshd_units' must be a text on one line"),
        ("trusted_cas: [alice]\n", "'trusted_cas' has 'alice', which is no fingerprint"),
        ("trusted_cas: SHA256:abc\n", "'trusted_cas' must be a list of at most 256"),
        ("max_document_bytes: 1\n", "'max_document_bytes' must be a number from 4096 to 16777216"),
        ("max_document_bytes: yes\n", "'max_document_bytes' must be a number from"),
        ("redact: 1\n", "'redact' must be true or false"),
        ("typed_text: plain\n", "'typed_text' must be true or false"),
        ("redact_patterns: [a*b*]\n", "'redact_patterns' has 'a*b*': a pattern has 1 to 200 characters"),
        ("redact_patterns: x\n", "'redact_patterns' must be a list of at most 256"),
        ("host: |\n  a\n  b\n", "'host' must be a text on one line"),
        ("a list\n", "c.yaml: must be a list of 'key: value' lines"),
        ("- host\n", "c.yaml: must be a list of 'key: value' lines"),
        ("host: [\n", "c.yaml:2: "),
        ("host: !!python/object:os.system x\n", "c.yaml:1: the tag"),
        ("host: !!timestamp foo\n", "c.yaml:1: the tag"),
        ("sessions: all\nhost: !!float x\n", "c.yaml:2: the tag"),
        ("output: /a\nhost: 2001-13-45\n", "c.yaml:2: not YAML: month must be in 1..12"),
        ("sshd_paths: &x [*x]\n", "c.yaml:1: an alias"),
        ("sshd_paths: []\n", "c.yaml:1: 'sshd_paths' must not be empty"),
        ("sshd_units: []\n", "c.yaml:1: 'sshd_units' must not be empty"),
        ("\x00\x01\x02", "c.yaml: not YAML: "),
        pytest.param("host: " + "[" * 3000, "c.yaml:1: more than 8 levels", id="deep"),
        pytest.param("[" * 60_000, "c.yaml:1: more than 8 levels", id="deeper-than-libyaml-lives"),
        pytest.param("? " * 30_000, "c.yaml:1: more than 8 levels", id="deep-keys"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, message: str) -> None:
    assert message in refusal(text)


def test_the_policy_has_what_was_set_and_the_hosts_cas_only_where_none_are() -> None:
    found = frozenset(["SHA256:" + "a" * 43])
    assert Config().policy(trusted_cas=found, host="h").trusted_cas == found
    own = Config(trusted_cas=(), sshd_paths=("/opt/sshd",)).policy(trusted_cas=found, host="h")
    assert (own.trusted_cas, own.sshd_paths, own.host) == (frozenset(), {"/opt/sshd"}, "h")


def test_the_policy_knows_what_to_hide() -> None:
    config_ = config.parse(b"redact: no\ntyped_text: on\nredact_patterns: ['--our-key=*']\n", "c.yaml")
    policy = config_.policy(trusted_cas=None)
    assert (policy.redact, policy.typed_text, policy.redact_patterns) == (False, True, ("--our-key=*",))


def test_the_file_is_read(file: Path) -> None:
    assert config.load(str(file)).sessions == "ssh"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/none\.yaml: No such file or directory"):
        config.load(str(tmp_path / "none.yaml"))


@as_root
@pytest.mark.parametrize(("mode", "refused"), [(0o644, False), (0o620, True), (0o602, True)])
def test_a_file_that_others_may_write_is_refused(file: Path, mode: int, refused: bool) -> None:
    file.chmod(mode)
    if refused:
        with pytest.raises(ConfigError, match="writable by group or others"):
            config.load(str(file))
    else:
        config.load(str(file))


@as_root
@pytest.mark.parametrize(("mode", "owner", "reason"), [(0o777, 0, "writable by"), (0o755, 1, "not owned by root")])
def test_a_directory_of_others_is_refused(file: Path, mode: int, owner: int, reason: str) -> None:
    file.parent.chmod(mode)
    os.chown(file.parent, owner, 0)
    with pytest.raises(ConfigError, match=f"its directory is {reason}"):
        config.load(str(file))


@as_root
def test_a_file_of_others_is_refused(file: Path) -> None:
    os.chown(file, 1, 0)
    with pytest.raises(ConfigError, match="not owned by root"):
        config.load(str(file))


def test_a_link_is_refused(file: Path) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    with pytest.raises(ConfigError, match="symbolic links"):
        config.load(str(link))


def test_a_pipe_is_refused_without_waiting_for_its_writer(file: Path) -> None:
    pipe = file.with_name("pipe.yaml")
    os.mkfifo(pipe, 0o600)
    with pytest.raises(ConfigError, match="not a regular file"):
        config.load(str(pipe))


def test_a_file_beyond_all_measure_is_refused(file: Path) -> None:
    file.write_bytes(b"#" * (config.SIZE_LIMIT + 1))
    with pytest.raises(ConfigError, match="larger than 65536 bytes"):
        config.load(str(file))
