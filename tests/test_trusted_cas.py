# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from audisp_maldito import trusted_cas

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only a root process is particular about who wrote a file")


class Host:
    """An sshd's directory, and CA keys in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "sshd_config"

    def key(self, name: str, type: str = "ed25519") -> set[str]:
        """Make a CA; its fingerprints as ssh-keygen says them."""
        path = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", type, "-N", "", "-f", path], check=True)
        path.unlink()
        public = path.with_suffix(path.suffix + ".pub")
        public.rename(path)
        listed = [["ssh-keygen", "-l", "-E", digest, "-f", str(path)] for digest in ("sha256", "md5")]
        return {
            subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1] for command in listed
        }

    def write(self, text: str, name: str = "sshd_config") -> None:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("$", str(self.directory)))
        path.chmod(0o600)

    def whole(self) -> trusted_cas.Trusted:
        return trusted_cas.find(str(self.config), str(self.directory))

    def find(self) -> tuple[frozenset[str], list[str]]:
        """The CAs alone."""
        return self.whole()[:2]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("type", ["ed25519", "ecdsa", "rsa"])
def test_the_fingerprints_are_those_of_ssh_keygen(host: Host, type: str) -> None:
    fingerprints = host.key("ca", type)
    host.write("Port 22\nTrustedUserCAKeys $/ca\n")
    assert host.find() == (fingerprints, [])


def test_a_file_may_hold_several_keys_and_other_lines(host: Host) -> None:
    both = host.key("one") | host.key("two")
    text = (host.directory / "one").read_text() + "\n# old:\n" + (host.directory / "two").read_text()
    host.write(text + "ssh-ed25519 notbase64\nssh-rsa\n\xff\n", "ca")
    host.write("TrustedUserCAKeys $/ca")
    assert host.find() == (both, [])


@pytest.mark.parametrize(
    "line",
    [
        "trustedusercakeys $/the ca",
        "TrustedUserCAKeys=$/the ca",
        "TrustedUserCAKeys = $/the ca",
        "\t TRUSTEDUSERCAKEYS\t$/the ca  # ours",
        "TrustedUserCAKeys $/the ca\r",
    ],
)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_line_may_be_written_as_sshd_reads_it(host: Host, line: str, quote: str) -> None:
    fingerprints = host.key("the ca")
    host.write(line.replace("$/the ca", f"{quote}$/the ca{quote}"))
    assert host.find() == (fingerprints, [])


@pytest.mark.parametrize(
    "text", ["", "# TrustedUserCAKeys $/ca", "TrustedUserCAKeys none", "TrustedUserCAKeys NONE", "TrustedUserCAKeys"]
)
def test_none_is_none(host: Host, text: str) -> None:
    host.key("ca")
    host.write(text)
    assert host.find() == (set(), [])


def test_the_first_global_line_counts_as_in_sshd(host: Host) -> None:
    first = host.key("first")
    host.key("second")
    host.write("TrustedUserCAKeys $/first\nTrustedUserCAKeys $/second\n")
    assert host.whole().fingerprints == first
    host.write("TrustedUserCAKeys none\nTrustedUserCAKeys $/second\n")
    assert host.whole().fingerprints == set()


def test_every_match_block_counts(host: Host) -> None:
    fingerprints = host.key("a") | host.key("b") | host.key("c")
    host.write("TrustedUserCAKeys $/a\nMatch User x\n  TrustedUserCAKeys $/b\nmatch all\nTrustedUserCAKeys $/c\n")
    assert host.find() == (fingerprints, [])


def test_includes_are_followed_in_order_and_from_the_directory(host: Host) -> None:
    fingerprints = host.key("b")
    host.key("c")
    host.write("Include conf.d/*.conf\nTrustedUserCAKeys $/c\n")
    host.write("Match all\nPort 1\n", "conf.d/10.conf")
    host.write("TrustedUserCAKeys $/b\n", "conf.d/20.conf")
    host.write("TrustedUserCAKeys $/c\n", "conf.d/30.other")
    assert host.find() == (fingerprints, [])  # a Match block of 10.conf ends with that file


def test_an_include_within_a_match_block_belongs_to_it(host: Host) -> None:
    fingerprints = host.key("a") | host.key("b")
    host.write("TrustedUserCAKeys $/a\nMatch User x\nInclude $/more\n")
    host.write("TrustedUserCAKeys $/b\n", "more")
    assert host.find() == (fingerprints, [])


def test_a_file_that_includes_itself_ends(host: Host) -> None:
    fingerprints = host.key("ca")
    host.write("TrustedUserCAKeys $/ca\nInclude $/sshd_config\nInclude $/sshd_config\n")
    found = host.whole()
    assert found.fingerprints == fingerprints
    assert "too many Includes" in found.skipped[0]
    assert len(found.skipped) < 5


def test_what_is_missing_is_said(host: Host) -> None:
    assert "sshd_config: No such file" in host.whole().skipped[0]
    host.write("TrustedUserCAKeys $/gone\nMatch all\nTrustedUserCAKeys relative/path\n")
    assert [line.split(": ")[1] for line in host.whole().skipped] == [
        "TrustedUserCAKeys is relative to where sshd was started",
        "No such file or directory",
    ]


def test_a_link_is_followed_to_its_file(host: Host) -> None:
    fingerprints = host.key("real")
    (host.directory / "ca").symlink_to("real")
    host.write("TrustedUserCAKeys $/ca")
    assert host.find() == (fingerprints, [])


@as_root
def test_a_key_file_that_others_may_write_is_left_out(host: Host) -> None:
    host.key("ca")
    (host.directory / "ca").chmod(0o666)
    host.write("TrustedUserCAKeys $/ca")
    found = host.whole()
    assert found.fingerprints == set()
    assert found.skipped == [f"cannot read {host.directory}/ca: writable by group or others"]


@as_root
def test_a_link_into_a_directory_of_others_is_left_out(host: Host) -> None:
    theirs = host.directory / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    Host(theirs).key("ca")
    (host.directory / "ca").symlink_to(theirs / "ca")
    host.write("TrustedUserCAKeys $/ca")
    assert host.whole().fingerprints == set()
    assert "its directory is writable by group or others" in host.whole().skipped[0]


def test_a_key_under_a_false_name_is_no_key(host: Host) -> None:
    host.key("ca")
    path = host.directory / "ca"
    host.write(path.read_text().replace("ssh-ed25519", "ssh-rsa", 1), "ca")
    host.write("TrustedUserCAKeys $/ca")
    assert host.find() == (set(), [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("AuthenticationMethods any", False),
        ("AuthenticationMethods publickey password", False),
        ("authenticationmethods publickey,password", True),
        ("AuthenticationMethods publickey publickey,keyboard-interactive:pam", True),
        ("Match Group remote\n  AuthenticationMethods publickey,publickey", True),
        ("#AuthenticationMethods publickey,password", False),
    ],
)
def test_whether_anybody_is_asked_for_several_methods(host: Host, text: str, expected: bool) -> None:
    host.write(text)
    assert host.whole().multi_factor is expected


def test_without_sshd_config_that_is_not_known(host: Host) -> None:
    assert host.whole().multi_factor is None


def test_every_file_that_was_looked_at_is_told(host: Host) -> None:
    """Also one that is not there: it may come."""
    host.write("Include $/more\nTrustedUserCAKeys $/ca\n")
    host.write("# nothing", "more")
    assert [(Path(path).name, stamp == (0, 0, 0, 0)) for path, stamp in host.whole().files] == [
        ("sshd_config", False), ("more", False), ("ca", True),
    ]  # fmt: skip
