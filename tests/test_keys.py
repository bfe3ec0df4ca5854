# SPDX-License-Identifier: Apache-2.0
"""`maldito keys`: what it finds, and everything that may lie where a key file should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from audisp_maldito import authorized, identities, keys
from audisp_maldito.accounts import Account
from audisp_maldito.authorized import AuthorizedKey
from audisp_maldito.persons import Persons

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Public keys of each type, and the fingerprints that ssh-keygen finds."""
    directory = tmp_path_factory.mktemp("keys")
    pairs = {}
    for kind in ("ed25519", "rsa", "ecdsa"):
        path = directory / kind
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"{kind} key", "-f", path], check=True)
        listed = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True)
        pairs[kind] = (path.with_suffix(".pub").read_text().strip(), listed.stdout.split()[1])
    return pairs


class Home:
    """One account, and an sshd that says what it is told to."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "home"
        (self.path / ".ssh").mkdir(parents=True)
        self.file = self.path / ".ssh" / "authorized_keys"
        self.account = Account("core", os.getuid(), os.getgid(), str(self.path), "/bin/bash")
        self.sshd = directory / "sshd"
        self.answer("authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2")

    def answer(self, *lines: str, status: int = 0) -> None:
        said = "".join(f"echo '{line}'\n" for line in lines)
        self.sshd.write_text(f"#!/bin/sh\n{said}exit {status}\n")
        self.sshd.chmod(0o755)

    def look(self, persons: Persons | None = None, patience: float = 10.0) -> keys.Survey:
        survey = keys.Survey([str(self.sshd)], persons, patience)
        survey.look([self.account])
        return survey


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_fingerprints_are_those_of_ssh_keygen(made: dict[str, tuple[str, str]]) -> None:
    text = "\n".join(line for line, _ in made.values())
    found = list(authorized.keys(text.encode()))
    assert [key.fingerprint for key in found if isinstance(key, AuthorizedKey)] == [fp for _, fp in made.values()]
    assert [key.comment for key in found if isinstance(key, AuthorizedKey)] == [f"{kind} key" for kind in made]


@pytest.mark.parametrize(
    ("before", "options"),
    [
        ("", ()),
        ("restrict ", ("restrict",)),
        ("\t no-pty,restrict\t", ("no-pty", "restrict")),
        ('command="echo \\"a, b\\" c",no-pty ', ('command="echo \\"a, b\\" c"', "no-pty")),
        ('from="10.0.0.0/8,!10.0.0.1",cert-authority ', ('from="10.0.0.0/8,!10.0.0.1"', "cert-authority")),
        ('principals="a b" ', ('principals="a b"',)),
    ],
)
def test_options(made: dict[str, tuple[str, str]], before: str, options: tuple[str, ...]) -> None:
    line, fingerprint = made["ed25519"]
    (key,) = authorized.keys((before + line + "\r\n").encode())
    assert isinstance(key, AuthorizedKey)
    assert (key.fingerprint, key.options, key.authority) == (fingerprint, options, "cert-authority" in options)


def test_what_is_no_key_is_said_with_its_line(made: dict[str, tuple[str, str]]) -> None:
    line, _ = made["ed25519"]
    kind, blob, _ = line.split(None, 2)
    rsa = made["rsa"][0].split()[1]
    bad = ["# a comment", "", 'command="open ' + line, f"{kind} {blob[:-8]}=", f"{kind} {rsa}", "ssh-ed25519", "hello",
           "\xff\0", f"ssh-ed25519-cert-v01@openssh.com {blob}", line]  # fmt: skip
    found = list(authorized.keys("\n".join(bad).encode("latin-1")))
    assert [key.line for key in found] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert [isinstance(key, AuthorizedKey) for key in found] == [False, False, False, False, False, False, False, True]


def test_a_home(home: Home, made: dict[str, tuple[str, str]]) -> None:
    plain, ca = made["ed25519"], made["rsa"]
    home.file.write_text(f"# mine\n{plain[0]}\ncert-authority {ca[0]}\n")
    survey = home.look(Persons({plain[1]: "alice@example.org", ca[1]: "nobody"}))

    assert survey.skipped == []
    assert [(f.account, f.key.fingerprint, f.authority, f.person, f.key.line) for f in survey.found] == [
        ("core", plain[1], False, "alice@example.org", 2),
        ("core", ca[1], True, None, 3),
    ]
    text = "\n".join(keys.as_text(survey.found))
    assert f"core  {plain[1]}  plain  alice@example.org  {home.file}:2  ed25519 key" in text
    assert f"core  {ca[1]}  CA  -  {home.file}:3  rsa key  cert-authority" in text
    assert [json.loads(line)["person"] for line in keys.as_json(survey.found)] == ["alice@example.org", None]


def test_the_yaml_is_an_identities_file(home: Home, made: dict[str, tuple[str, str]]) -> None:
    """As it is; and when what stands behind a # is completed."""
    home.file.write_text("\n".join([made["ed25519"][0], made["ecdsa"][0], "cert-authority " + made["rsa"][0]]))
    survey = home.look(Persons({made["ed25519"][1]: "alice"}))
    text = "\n".join(keys.as_yaml(survey.found)) + "\n"
    assert identities.parse(text.encode(), "i.yaml").of_key(made["ed25519"][1]) == {"alice"}
    completed = text.replace(f"  # {made['ecdsa'][1]}: ", f"  {made['ecdsa'][1]}: bob")
    completed = completed.replace(f"  # {made['rsa'][1]}:", f"  {made['rsa'][1]}:").replace(
        '  #   "key-id-*": ', '    "carol-*": carol'
    )
    persons = identities.parse(completed.encode(), "i.yaml")
    assert (persons.of_key(made["ecdsa"][1]), persons.of_certificate(made["rsa"][1], "carol-1")) == ({"bob"}, {"carol"})


def test_sshd_says_where_to_look(home: Home, made: dict[str, tuple[str, str]], tmp_path: Path) -> None:
    """Tokens, absolute paths, the CAs of all accounts, and a program that gives keys."""
    (tmp_path / "keys-core").write_text(made["ed25519"][0])
    (tmp_path / "100%").write_text(made["ecdsa"][0])
    (tmp_path / "ca.pub").write_text(made["rsa"][0])
    home.answer(
        f"authorizedkeysfile {tmp_path}/keys-%u %h/../100%% none",
        f"trustedusercakeys {tmp_path}/ca.pub",
        "authorizedkeyscommand /usr/bin/sss_ssh_authorizedkeys",
    )
    survey = home.look()
    found = {(f.account, f.key.fingerprint, f.authority) for f in survey.found}
    assert {("core", made["ed25519"][1], False), ("*", made["rsa"][1], True)} <= found
    assert any("/usr/bin/sss_ssh_authorizedkeys, which is not run" in skipped.why for skipped in survey.skipped)


def test_without_an_answer_sshds_defaults_are_looked_at(home: Home, made: dict[str, tuple[str, str]]) -> None:
    home.file.with_name("authorized_keys2").write_text(made["ed25519"][0])
    home.answer("no hostkeys available", status=1)
    survey = home.look()
    assert [f.key.fingerprint for f in survey.found] == [made["ed25519"][1]]
    assert ["sshd -T"] == [skipped.what for skipped in survey.skipped]
    home.sshd.unlink()
    assert len(home.look().found) == 1


def test_nothing_there_is_nothing_to_say(home: Home) -> None:
    home.file.parent.rmdir()
    survey = home.look()
    assert (survey.found, survey.skipped) == ([], [])


def test_what_is_no_file_is_not_opened(home: Home, tmp_path: Path, made: dict[str, tuple[str, str]]) -> None:
    """A FIFO with no writer, a device, a directory, a link out of the home, a file without end."""
    os.mkfifo(home.file)
    assert home.look().skipped == [keys.Skipped(str(home.file), "not a regular file")]
    home.file.unlink()
    home.file.mkdir()
    assert home.look().skipped == [keys.Skipped(str(home.file), "not a regular file")]
    home.file.rmdir()
    home.file.symlink_to("/dev/zero")
    assert "a link out of the home, to /dev/zero" in home.look().skipped[0].why
    home.file.unlink()
    (tmp_path / "elsewhere").write_text(made["ed25519"][0])
    home.file.symlink_to(tmp_path / "elsewhere")
    assert "a link out of the home" in home.look().skipped[0].why
    home.file.unlink()
    with home.file.open("wb") as file:
        file.truncate(keys.FILE_BYTES + 1)
    assert "larger than" in home.look().skipped[0].why


def test_a_link_within_the_home_is_followed(home: Home, made: dict[str, tuple[str, str]]) -> None:
    (home.path / "mine").write_text(made["ed25519"][0])
    home.file.symlink_to(home.path / "mine")
    assert [f.key.fingerprint for f in home.look().found] == [made["ed25519"][1]]


def test_a_home_that_is_a_link_is_a_home(home: Home, tmp_path: Path, made: dict[str, tuple[str, str]]) -> None:
    home.file.write_text(made["ed25519"][0])
    (tmp_path / "link").symlink_to(home.path)
    home.account = home.account._replace(home=str(tmp_path / "link"))
    assert len(home.look().found) == 1


def test_a_home_that_does_not_answer_is_left_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network mount whose server is gone."""
    read, write = os.pipe()

    def hang(path: str, inside: object) -> None:
        os.read(read, 1)
        raise OSError(5, "gone")

    monkeypatch.setattr(keys, "_contents", hang)
    survey = home.look(patience=0.5)
    assert [s for s in survey.skipped if s.what == "core" and "hangs" in s.why]
    os.close(write)


def test_what_sshd_would_refuse_is_shown_with_the_reason(home: Home, made: dict[str, tuple[str, str]]) -> None:
    home.file.write_text(made["ed25519"][0])
    home.file.chmod(0o666)
    (found,) = home.look().found
    assert found.remark == "writable by others: refused by StrictModes"


def test_hostile_comments_and_options_are_shown_harmlessly(home: Home, made: dict[str, tuple[str, str]]) -> None:
    kind, blob, _ = made["ed25519"][0].split(None, 2)
    home.file.write_bytes(
        f'environment="A=\x1b[2J" {kind} {blob} \x1b]0;x\x07 \udcff'.encode("utf-8", "surrogateescape")
    )
    survey = home.look()
    for form in (keys.as_text, keys.as_json, keys.as_yaml):
        shown = "\n".join(form(survey.found))
        assert "\x1b" not in shown and "\x07" not in shown
        shown.encode("utf-8", "strict")


def test_the_command(home: Home, tmp_path: Path) -> None:
    """It ends, and says on stderr what it could not read."""
    config = tmp_path / "config.yaml"
    config.write_text(f"sshd_paths: [{home.sshd}]\n")
    config.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-m", "audisp_maldito", "keys", "--config", str(config), "root"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr
