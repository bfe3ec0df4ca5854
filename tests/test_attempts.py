# SPDX-License-Identifier: Apache-2.0
"""sshd's lines of failures -> failed logins: each attempt once, with its reasons, none lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audisp_maldito import sshd
from audisp_maldito.attempts import CONNECTIONS, PATIENCE, REFUSALS, Attempts, FailedLogin
from audisp_maldito.model import SshdEntry

HOSTS = Path(__file__).parent / "corpus" / "hosts"
FAILED = "Failed password for bob from 192.0.2.7 port 5022 ssh2"
CLOSED = "Connection closed by authenticating user bob 192.0.2.7 port 5022 [preauth]"
INVALID_CERTIFICATE = "error: Certificate invalid: expired"


class Log:
    """Lines of sshd's, one a second, and what came of them."""

    def __init__(self) -> None:
        self.attempts = Attempts()
        self.told: list[FailedLogin] = []
        self.now = 1000.0

    def say(self, *texts: str, pid: Optional[int] = 7, time_us: Optional[int] = None) -> Log:
        for text in texts:
            login = sshd.parse(text, len(text))
            assert login is not None, text
            self.now += 1
            entry = SshdEntry(pid, int(self.now * 1e6) if time_us is None else time_us, text, len(text))
            self.told += self.attempts.take(entry, login, self.now)
        return self

    def wait(self, seconds: float) -> Log:
        self.now += seconds
        self.told += self.attempts.tick(self.now)
        return self

    def end(self) -> list[tuple[str, int, Optional[str]]]:
        """(line, try, reason) of all that was told."""
        self.told += self.attempts.close()
        return [(f.text, f.tries, f.login.reason) for f in self.told]


def recording(name: str) -> Log:
    log = Log()
    (path,) = HOSTS.glob(f"bookworm/{name}*.journal.json")
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        login = (
            sshd.parse(entry["MESSAGE"], len(entry["MESSAGE"])) if entry.get("SYSLOG_IDENTIFIER") == "sshd" else None
        )
        if login is not None:
            stamp = int(entry["_SOURCE_REALTIME_TIMESTAMP"])
            taken = SshdEntry(int(entry["_PID"]), stamp, login.text, len(login.text))
            log.told += log.attempts.take(taken, login, stamp / 1e6)
    return log


def test_recorded_a_wrong_password_is_one_failed_login() -> None:
    ((text, tries, reason),) = recording("06").end()
    assert (text, tries, reason) == ("Failed password for core from 127.0.0.1 port 60680 ssh2", 1, None)


def test_recorded_a_refused_key_leaves_only_the_closing_line() -> None:
    log = recording("08")
    ((text, tries, reason),) = log.end()
    assert text == "Connection closed by authenticating user core 127.0.0.1 port 54504 [preauth]"
    assert (tries, reason) == (0, "connection ended before authentication")
    assert (log.told[0].login.user, log.told[0].login.source, log.told[0].login.port) == ("core", "127.0.0.1", "54504")


def test_recorded_an_invalid_user_is_the_reason_of_the_failure() -> None:
    for name in ("09", "29"):
        log = recording(name)
        ((text, tries, reason),) = log.end()
        assert text.startswith("Failed password for invalid user ")
        assert (tries, reason, log.told[0].login.invalid_user) == (1, "invalid user", True)


def test_recorded_too_many_attempts_are_their_number() -> None:
    told = recording("12").end()
    assert [tries for _, tries, _ in told] == [1, 2, 3, 4, 5, 6]
    assert {text for text, _, _ in told} == {"Failed password for core from 127.0.0.1 port 45304 ssh2"}


def test_recorded_root_is_refused_once() -> None:
    assert [(tries, text.split(" from ")[0]) for text, tries, _ in recording("13").end()] == [
        (1, "Failed password for root")
    ]


def test_recorded_a_wrong_principal_gets_its_user_from_the_closing_line() -> None:
    log = recording("16")
    ((text, tries, reason),) = log.end()
    assert text == "error: Certificate invalid: name is not a listed principal"
    assert (tries, reason) == (0, "certificate invalid: name is not a listed principal")
    (failure,) = log.told
    assert (failure.login.user, failure.login.source, failure.login.port) == ("core", "127.0.0.1", "56542")
    assert failure.login.details == {"error": "certificate invalid", "reason": "name is not a listed principal"}


def test_recorded_logins_that_work_leave_nothing() -> None:
    for name in ("01", "05", "33", "58"):
        assert recording(name).end() == []


def test_reasons_are_joined_and_details_kept() -> None:
    log = Log().say("User bob from h.example.com not allowed because not in any group", INVALID_CERTIFICATE)
    log.say(
        "Failed password for invalid user bob from 192.0.2.7 port 5022 ssh2",
        CLOSED.replace("authenticating", "invalid"),
    )
    assert [(tries, reason) for _, tries, reason in log.end()] == [
        (1, "not in any group; certificate invalid: expired")
    ]
    assert log.told[0].login.details["error"] == "certificate invalid"


def test_a_refusal_goes_to_the_next_failure_only() -> None:
    told = Log().say(INVALID_CERTIFICATE, FAILED, FAILED, CLOSED).end()
    assert [(tries, reason) for _, tries, reason in told] == [(1, "certificate invalid: expired"), (2, None)]


def test_a_refusal_after_the_last_failure_is_told_at_the_end() -> None:
    denied = "fatal: Access denied for user bob by PAM account configuration [preauth]"
    told = Log().say(FAILED, denied).end()
    assert told == [(FAILED, 1, None), (denied, 0, "access denied by PAM account configuration")]


def test_the_same_refusal_twice_is_one() -> None:
    refused = "ROOT LOGIN REFUSED FROM 192.0.2.7 port 5022"
    log = Log().say(
        refused, refused + " [preauth]", "Connection closed by authenticating user root 192.0.2.7 port 5022 [preauth]"
    )
    assert log.end() == [(refused, 0, "root login refused")]


def test_lines_that_are_no_failure_tell_nothing() -> None:
    log = Log().say(
        "Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22",
        "Postponed keyboard-interactive for bob from 192.0.2.7 port 5022 ssh2 [preauth]",
        "Accepted key ED25519 SHA256:frGt found at /home/bob/.ssh/authorized_keys:1",
        "Partial publickey for bob from 192.0.2.7 port 5022 ssh2: ED25519 SHA256:frGt",
        "pam_unix(sshd:auth): check pass; user unknown",
        "Address 192.0.2.7 maps to h.example.com, but this does not map back to the address.",
        "Connection closed by 192.0.2.7 port 5022 [preauth]",
    )
    assert log.end() == []


def test_what_led_to_a_login_is_forgiven_and_counted() -> None:
    log = Log().say(
        INVALID_CERTIFICATE,
        "Accepted password for bob from 192.0.2.7 port 5022 ssh2",
        "pam_unix(sshd:session): session closed for user bob",
    )
    assert log.end() == []
    assert log.attempts.stats()["attempts_forgiven"] == 1


@pytest.mark.parametrize(
    "other", [FAILED.replace("bob", "eve"), FAILED.replace("5022", "5023"), FAILED.replace("2.7", "2.8")]
)
def test_another_user_or_address_on_a_pid_is_another_connection(other: str) -> None:
    refused = "Invalid user bob from 192.0.2.7 port 5022"
    told = Log().say(refused, other).end()
    assert told == [(refused, 0, "invalid user"), (other, 1, None)]


def test_a_new_connection_on_a_pid_ends_the_old_one() -> None:
    told = Log().say(FAILED, "Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22", FAILED).end()
    assert [tries for _, tries, _ in told] == [1, 1]


def test_a_refusal_waits_as_long_as_a_login_may_take() -> None:
    log = Log().say(INVALID_CERTIFICATE)
    assert log.attempts.deadline() == log.now + PATIENCE
    assert log.wait(PATIENCE - 0.1).told == []
    (failure,) = log.wait(0.2).told
    assert (failure.text, failure.login.user) == (INVALID_CERTIFICATE, None)
    assert log.attempts.deadline() is None
    assert [tries for _, tries, _ in log.say(FAILED, CLOSED).end()] == [0, 1]


def test_a_closing_line_without_an_end_is_told_in_time() -> None:
    exceeded = "error: maximum authentication attempts exceeded for bob from 192.0.2.7 port 5022 ssh2 [preauth]"
    assert [f.text for f in Log().say(exceeded).wait(PATIENCE).told] == [exceeded]
    disconnecting = (
        "Disconnecting authenticating user bob 192.0.2.7 port 5022: Too many authentication failures [preauth]"
    )
    ((text, tries, reason),) = Log().say(exceeded, disconnecting).end()
    assert (text, tries, reason) == (
        exceeded,
        0,
        "maximum authentication attempts exceeded; Too many authentication failures",
    )


def test_the_listener_ends_another_process_connection() -> None:
    log = Log().say(INVALID_CERTIFICATE, pid=4242)
    log.say("Timeout before authentication for connection from 192.0.2.7 to 192.0.2.1, pid = 4242", pid=1)
    assert [f.text for f in log.told] == [INVALID_CERTIFICATE]


def test_an_ambiguous_failure_takes_its_address_from_the_certain_line() -> None:
    name = "x from 6.6.6.6 port 6 ssh2: RSA SHA256:AAAA ID y"
    log = Log().say(
        f"Invalid user {name} from 192.0.2.7 port 5022",
        f"Failed publickey for invalid user {name} from 192.0.2.7 port 5022 ssh2: "
        "RSA SHA256:B ID z (serial 1) CA RSA SHA256:C",
    )
    (failure,) = log.told
    assert (failure.login.user, failure.login.source, failure.login.port) == (name, "192.0.2.7", "5022")


def test_a_line_read_twice_is_one() -> None:
    log = Log().say(FAILED, FAILED, time_us=5_000_000)
    assert [tries for _, tries, _ in log.end()] == [1]
    assert log.attempts.stats()["attempts_repeated"] == 1


def test_lines_without_time_or_pid_all_count() -> None:
    assert [tries for _, tries, _ in Log().say(FAILED, FAILED, time_us=0).end()] == [1, 2]
    told = Log().say(FAILED, INVALID_CERTIFICATE, CLOSED, "Connection closed by 192.0.2.7 port 5022", pid=None).told
    assert [f.tries for f in told] == [1, 0, 0]


def test_too_many_connections_are_told_early_and_none_is_lost() -> None:
    log = Log()
    for pid in range(CONNECTIONS + 5):
        log.say(INVALID_CERTIFICATE, pid=pid)
    assert [f.pid for f in log.told] == [0, 1, 2, 3, 4]
    assert log.attempts.stats()["attempts_connections"] == CONNECTIONS
    log.end()
    assert sorted(f.pid or 0 for f in log.told) == list(range(CONNECTIONS + 5))


def test_too_many_refusals_of_one_connection_are_told_early() -> None:
    log = Log().say(*(f'error: Certificate critical option "{n}" is not supported' for n in range(REFUSALS + 3)))
    assert len(log.told) == 3
    assert len(log.end()) == REFUSALS + 3


LINES = [FAILED, FAILED.replace("bob", "eve"), CLOSED, INVALID_CERTIFICATE, "Invalid user eve from 192.0.2.7 port 5022",
         "Accepted password for bob from 192.0.2.7 port 5022 ssh2",
         "Connection closed by 192.0.2.7 port 5022 [preauth]",
         "Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22"]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(LINES), st.integers(1, 3), st.sampled_from([0, 0, 0, 200])), max_size=25))
@settings(deadline=None)
def test_every_failure_is_told_once_and_at_once(lines: list[tuple[str, int, int]]) -> None:
    log = Log()
    for text, pid, pause in lines:
        log.wait(pause)
        before = len(log.told)
        log.say(text, pid=pid)
        if text.startswith("Failed"):
            assert log.told[before:][-1].text == text
    told = log.end()
    assert sum(t.startswith("Failed") for t, _, _ in told) == sum(t.startswith("Failed") for t, _, _ in lines)
    assert log.attempts.stats()["attempts_connections"] == 0
    assert log.attempts.deadline() is None


ACCEPTED = "Accepted password for bob from 192.0.2.7 port 5022 ssh2"
NOT_OPENED = "error: PAM: pam_open_session(): Cannot make/remove an entry for the specified session"


def test_what_undoes_an_acceptance_is_told_at_once_and_says_which() -> None:
    log = Log().say(FAILED, ACCEPTED, NOT_OPENED)
    told = log.told[-1]
    assert (told.text, told.tries, told.login.user, told.login.port) == (NOT_OPENED, 0, "bob", "5022")
    assert told.after is not None and told.after[1].text == ACCEPTED
    assert [f.after for f in log.told[:-1]] == [None]
    assert len(log.end()) == 2


def test_only_soon_after_it() -> None:
    """Later the pid is another process's, or the line another's affair."""
    log = Log().say(ACCEPTED).wait(31).say(NOT_OPENED)
    assert log.end() == [
        (NOT_OPENED, 0, "PAM: pam_open_session(): Cannot make/remove an entry for the specified session")
    ]
    assert log.told[0].after is None


def test_after_an_acceptance_a_pid_begins_anew() -> None:
    """A failure, or a line about somebody else, is another connection's."""
    log = Log().say(ACCEPTED, FAILED, INVALID_CERTIFICATE, CLOSED)
    assert [(text, tries) for text, tries, _ in log.end()] == [(FAILED, 1), (INVALID_CERTIFICATE, 0)]
    assert [f.after for f in log.told] == [None, None]


def test_logins_that_last_are_not_remembered_for_ever() -> None:
    """Most say nothing more. A later line of their pid is another connection's either way."""
    accepted = "Accepted password for bob from 192.0.2.7 port 5022 ssh2"
    log = Log().say(accepted, pid=7).say("Invalid user eve from 192.0.2.8 port 9", pid=8)
    log.now += PATIENCE
    log.say(accepted, pid=9).say(FAILED)
    assert log.attempts.stats()["attempts_connections"] == 3
    assert [text for text, *_ in log.end()] == [FAILED, "Invalid user eve from 192.0.2.8 port 9"]
