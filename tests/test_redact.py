# SPDX-License-Identifier: Apache-2.0
"""Secrets do not get into the documents; everything else does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audisp_maldito import cli
from audisp_maldito.engine import Engine
from audisp_maldito.redact import Redaction
from audisp_maldito.trust import Policy
from tests import records
from tests.events import action, syscall

HIDDEN = Redaction()


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("mysql -u root -phunter2 db", "mysql -u root -p[redacted:7] db"),
        ("mysql -p db", "mysql -p db"),
        ("/usr/bin/mysqldump --password=hunter2 db", "/usr/bin/mysqldump --password=[redacted:7] db"),
        ("sudo mysql -phunter2", "sudo mysql -p[redacted:7]"),
        ("sshpass -p hunter2 ssh host", "sshpass -p [redacted:7] ssh host"),
        ("prog --db-password hunter2 --verbose", "prog --db-password [redacted:7] --verbose"),
        ("prog --password --verbose", "prog --password --verbose"),
        ("prog --password-file=/etc/secret", "prog --password-file=/etc/secret"),
        ("prog --token-file /etc/token", "prog --token-file /etc/token"),
        ("prog --api-key=abc --apiKey abc", "prog --api-key=[redacted:3] --apiKey [redacted:3]"),
        ("env PGPASSWORD=hunter2 psql", "env PGPASSWORD=[redacted:7] psql"),
        ("env AWS_SECRET_ACCESS_KEY=x/y+z aws s3 ls", "env AWS_SECRET_ACCESS_KEY=[redacted:5] aws s3 ls"),
        ("mount -o username=u,password=hunter2,ro //h/s /m", "mount -o username=u,password=[redacted:7],ro //h/s /m"),
        ("curl https://bob:hunter2@host/x?y=1", "curl https://bob:[redacted:7]@host/x?y=1"),
        ("curl https://host/x?token=abc&y=1", "curl https://host/x?token=[redacted:3]&y=1"),
        ("curl -u bob:hunter2 host", "curl -u bob:[redacted:7] host"),
        ("curl -ubob:hunter2 host", "curl -ubob:[redacted:7] host"),
        ("curl -u bob host", "curl -u bob host"),
        ("smbclient -U bob%hunter2 //h/s", "smbclient -U bob%[redacted:7] //h/s"),
        ("ldapsearch -w hunter2 -b dc=x", "ldapsearch -w [redacted:7] -b dc=x"),
        ("git clone https://x:ghp_0123456789abcdefghij0123@h/r", "git clone https://x:[redacted:28]@h/r"),
        ("login ghp_0123456789abcdefghij0123", "login [redacted:28]"),
        ("ls -l /etc/passwd", "ls -l /etc/passwd"),
        ("cat /etc/shadow", "cat /etc/shadow"),
        ("passwd bob", "passwd bob"),
        ("docker ps -p", "docker ps -p"),
        ("find . -name token", "find . -name token"),
        ("grep -r password= .", "grep -r password= ."),
    ],
)
def test_command_lines(line: str, written: str) -> None:
    assert " ".join(HIDDEN.words(line.split(" "))) == written
    assert HIDDEN.line(line) == written


@pytest.mark.parametrize(
    ("args", "written"),
    [
        (["sh", "-c", "mysql -phunter2 db"], ["sh", "-c", "mysql -p[redacted:7] db"]),
        (["sh", "-c", "mysql -p'a b' db"], ["sh", "-c", "mysql -p[redacted:5] db"]),
        (["curl", "-H", "Authorization: Basic YTpi", "h"], ["curl", "-H", "Authorization: [redacted:10]", "h"]),
        (["curl", "-HX-Api-Key:abc", "h"], ["curl", "-HX-Api-Key:[redacted:3]", "h"]),
        (["prog", "--password", "a b"], ["prog", "--password", "[redacted:3]"]),
        (["prog", "--password", ""], ["prog", "--password", "[redacted:0]"]),
        (["prog", "\udcff"], ["prog", "\udcff"]),
    ],
)
def test_arguments(args: list[str], written: list[str]) -> None:
    assert HIDDEN.words(args) == written


def test_an_action_without_its_secrets() -> None:
    done = action(
        syscall(59, items="0"),
        'EXECVE argc=3 a0="mysql" a1="-phunter2" a2="db"',
        "PROCTITLE proctitle=" + b"mysql\0-phunter2\0db".hex().upper(),
    )
    hidden = HIDDEN.apply(done)
    assert (hidden.args, hidden.shown_title) == (["mysql", "-p[redacted:7]", "db"], "mysql -p[redacted:7] db")
    assert Redaction(arguments=False).apply(done) is done


def test_an_argument_of_several_words_in_a_title() -> None:
    """On one line its second half would look like an argument of its own."""
    done = action(syscall(2, items="0"), "PROCTITLE proctitle=" + b"prog\0--password\0hun ter2\0-v".hex().upper())
    assert done.shown_title == "prog --password hun ter2 -v"
    assert HIDDEN.apply(done).shown_title == "prog --password [redacted:8] -v"


def test_sudos_command() -> None:
    command = b"mysql -phunter2".hex().upper()
    done = action(f"USER_CMD pid=5 uid=1000 auid=1000 ses=5 msg='cwd=\"/\" cmd={command} terminal=? res=success'")
    assert HIDDEN.apply(done).object.primary == "mysql -p[redacted:7]"
    assert "hunter2" not in repr(HIDDEN.apply(done))


@pytest.mark.parametrize(
    "record", ['TTY tty pid=5 uid=0 auid=1000 ses=5 comm="bash" data=6C730D', "USER_TTY pid=5 ses=5 data=6C730D"]
)
def test_typed_text(record: str) -> None:
    done = action(record)
    assert HIDDEN.apply(done).object == ("keystrokes", "[redacted:3]", None)
    assert (done.details["keys"], HIDDEN.apply(done).details.get("keys")) == ("ls<ret>", None)
    assert Redaction(typed=False).apply(done) is done


def test_typed_text_beside_another_record() -> None:
    """Something else decides what the event is."""
    done = action("CONFIG_CHANGE op=tty_set auid=1000 ses=5 res=1", 'TTY tty pid=5 ses=5 comm="bash" data=6C730D')
    assert (done.type, done.details["keys"]) == ("CONFIG_CHANGE", "ls<ret>")
    assert "ls" not in repr(HIDDEN.apply(done).details)


def test_what_has_no_secret_is_the_same_object() -> None:
    done = action(syscall(59, items="0"), 'EXECVE argc=1 a0="ls"', 'PROCTITLE proctitle="ls"')
    assert HIDDEN.apply(done) is done


def test_operators_add_patterns() -> None:
    more = Redaction(patterns=("corp-*", "--magic=*!", "hunter2"))
    words = ["x", "corp-abc", "--magic=abc!", "--magic=abc", "hunter2", "hunter22"]
    assert more.words(words) == [
        "x",
        "corp-[redacted:3]",
        "--magic=[redacted:3]!",
        "--magic=abc",
        "[redacted:7]",
        "hunter22",
    ]


@pytest.mark.parametrize("pattern", ["", "*", "a*b*c", "x" * 201])
def test_patterns_that_cost_or_hide_too_much(pattern: str) -> None:
    with pytest.raises(ValueError, match="a pattern has 1 to 200 characters"):
        Redaction(patterns=(pattern,))


@given(st.lists(st.text()))
def test_any_words(words: list[str]) -> None:
    assert len(HIDDEN.words(words)) == len(words)
    HIDDEN.line(" ".join(words))


@pytest.mark.parametrize(
    "unit", ["\"'", "a://b:", "token=", "--p=,", "eyJ", "authorization: ", "' ", "ghp_a.", "-", "a=b,"]
)
def test_time_is_in_proportion(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        started = time.perf_counter()
        HIDDEN.words([text])
        HIDDEN.line(text + " " + text)
        return time.perf_counter() - started

    small, large = min(seconds(10_000) for _ in range(3)), min(seconds(80_000) for _ in range(3))
    assert large < 8 * 4 * small + 0.005


def test_the_quick_look_misses_nothing() -> None:
    """Whatever a closer look would hide is hidden in an Action too."""
    for mark in test_command_lines.pytestmark:
        for line, written in mark.args[1]:
            words = " ".join(f'a{n}="{word}"' for n, word in enumerate(line.split(" ")))
            done = action(syscall(59, items="0"), f"EXECVE argc={len(line.split(' '))} {words}")
            assert " ".join(HIDDEN.apply(done).args) == written


def written(policy: Policy) -> str:
    """All documents of a session in which secrets are in command lines, sudo's words and keystrokes."""
    engine = Engine(policy)
    told = engine.feed(records_of_secrets(), 1000.0)
    return b"".join(told + engine.close(1010.0)).decode()


def records_of_secrets() -> bytes:
    command = ["mysql", "-phunter2", "--ours=swordfish"]
    lines = records.login("999.999:1", 71, 5) + records.execute("1000.000:1", 80, 5, command)
    lines += records.user("1000.000:2", "USER_CMD", 81, 5, uid=1000, exe="/usr/bin/sudo", cmd=" ".join(command))
    lines += records.execute("1000.000:4", 83, 5, ["true"], ppid=81, uid=0)  # repeats what sudo was told
    lines.append(f"type=TTY msg=audit(1000.000:3): tty pid=82 uid=0 auid=1000 ses=5 data={b'topsecret'.hex().upper()}")
    return "".join(line + "\n" for line in lines).encode()


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        (Policy(), {"swordfish"}),
        (Policy(redact_patterns=("--ours=*",)), set()),
        (Policy(redact=False), {"hunter2", "swordfish"}),
        (Policy(typed_text=True), {"swordfish", "topsecret"}),
    ],
)
def test_documents_hide_what_the_operator_wants(policy: Policy, shown: set[str]) -> None:
    text = written(policy)
    assert {word for word in ("hunter2", "swordfish", "topsecret") if word in text} == shown


def test_what_repeats_sudos_words() -> None:
    assert written(Policy()).count("mysql -p[redacted:7]") >= 3


def test_hidden_from_the_next_event_on() -> None:
    """The operator's change does not wait for a restart."""
    engine = Engine(Policy())
    engine.reconfigure(Policy(redact=False))
    assert b"hunter2" in b"".join(engine.feed(records_of_secrets(), 1000.0) + engine.close(1010.0))


def test_parse_hides_nothing(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """It shows what the log has."""
    log = tmp_path / "audit.log"
    log.write_bytes(records_of_secrets())
    assert cli.main(["parse", str(log)]) == 0
    printed = capfdbinary.readouterr().out
    assert all(word in printed for word in (b"hunter2", b"swordfish", b"topsecret"))
