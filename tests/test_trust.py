# SPDX-License-Identifier: Apache-2.0
"""Who may say what: the table of facts about journald and the kernel, as grades."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from audisp_maldito.trust import CUT_BYTES, Grade, Policy, grade, identity

from .sessions import SSHD, entry, login

TRUSTED = Policy(trusted_cas=frozenset(["SHA256:C"]))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Grade.ACCEPTANCE),
        ({"transport": "stdout"}, Grade.ACCEPTANCE),
        ({"exe": "/usr/lib/openssh/sshd-session"}, Grade.ACCEPTANCE),
        ({"exe": "/usr/libexec/openssh/sshd-session", "unit": "sshd.service"}, Grade.ACCEPTANCE),
        ({"unit": "sshd@7-10.0.0.1:22-10.0.0.9:4711.service"}, Grade.ACCEPTANCE),
        ({"unit": "sshd-vsock@3.service"}, Grade.ACCEPTANCE),
        # what a forger chooses, or what a process that is gone leaves out
        ({"exe": None}, Grade.REFUSAL),
        ({"unit": None}, Grade.REFUSAL),
        ({"exe": None, "unit": None}, Grade.REFUSAL),
        ({"exe": "/usr/bin/logger"}, Grade.FORGED),
        ({"exe": "/tmp/sshd"}, Grade.FORGED),
        ({"exe": "/usr/sbin/sshd "}, Grade.FORGED),
        ({"exe": "/usr/lib/openssh/sshd"}, Grade.FORGED),
        ({"exe": "sshd"}, Grade.FORGED),
        ({"exe": ""}, Grade.FORGED),
        ({"transport": "journal"}, Grade.FORGED),
        ({"transport": "kernel"}, Grade.FORGED),
        ({"transport": "audit"}, Grade.FORGED),
        ({"transport": None}, Grade.FORGED),
        ({"unit": "docker-0123.scope"}, Grade.FORGED),
        ({"unit": "cron.service"}, Grade.FORGED),
        ({"unit": "ssh.service.slice"}, Grade.FORGED),
        ({"unit": "SSH.SERVICE"}, Grade.FORGED),
        ({"unit": "user@1000.service"}, Grade.FORGED),
        ({"unit": ""}, Grade.FORGED),
        ({"uid": 1000, "exe": "/usr/bin/logger"}, Grade.FORGED),
        ({"uid": 1000}, Grade.CHILD),
        ({"uid": None}, Grade.CHILD),
        ({"uid": 65534}, Grade.CHILD),
        # moved by pam_systemd
        ({"unit": "session-5.scope", "audit_session": 5}, Grade.SCOPED),
        ({"unit": "session-5.scope"}, Grade.REFUSAL),
        ({"unit": "session-5.scope", "audit_session": 5, "exe": None}, Grade.REFUSAL),
        ({"unit": "session-5.scope", "audit_session": 5, "uid": 1000}, Grade.CHILD),
    ],
)
def test_grade(fields: dict[str, Any], expected: str) -> None:
    """By what journald vouches for, on a machine with systemd."""
    assert grade(entry(71, **fields), Policy()) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"unit": None}, Grade.ACCEPTANCE),
        ({"unit": "ssh.service"}, Grade.ACCEPTANCE),
        ({"unit": "docker-0123.scope"}, Grade.FORGED),
        ({"unit": None, "exe": None}, Grade.REFUSAL),
        ({"unit": None, "uid": 1000}, Grade.CHILD),
    ],
)
def test_grade_without_systemd(fields: dict[str, Any], expected: str) -> None:
    assert grade(entry(71, **fields), Policy(units_required=False)) == expected


def test_grade_of_a_configured_sshd() -> None:
    """The operator's paths and units replace ours."""
    policy = Policy(sshd_paths=frozenset(["/opt/sshd"]), sshd_units=("bastion*.service",))

    assert grade(entry(71, exe="/opt/sshd", unit="bastion-1.service"), policy) == Grade.ACCEPTANCE
    assert grade(entry(71), policy) == Grade.FORGED


@pytest.mark.parametrize(
    ("fields", "trusted", "person", "ca_trust"),
    [
        ({}, {"SHA256:C"}, "alice@example.org", "trusted"),
        ({}, None, "alice@example.org", "unchecked"),
        ({}, {"SHA256:D"}, None, "untrusted"),
        ({}, set(), None, "untrusted"),
        ({"ca": None}, {"SHA256:C"}, None, None),
        ({"ca": "MD5:C"}, {"SHA256:C"}, None, "untrusted"),
        ({"key_id": ""}, {"SHA256:C"}, None, "trusted"),
        ({"key_id": ""}, None, None, "unchecked"),
        ({"key_id": " "}, {"SHA256:C"}, " ", "trusted"),
        ({"key_id": None, "key_id_cut": "alice"}, {"SHA256:C"}, None, None),
        ({"key_id": None, "ca": None}, {"SHA256:C"}, None, None),
        ({"method": "password"}, {"SHA256:C"}, None, None),
        ({"method": "hostbased"}, {"SHA256:C"}, None, None),
        ({"method": "keyboard-interactive/pam"}, None, None, None),
        ({"text": "x" * CUT_BYTES}, {"SHA256:C"}, None, None),
        ({"text": "ö" * (CUT_BYTES // 2)}, None, None, None),
        ({"text": "x" * (CUT_BYTES - 1)}, {"SHA256:C"}, "alice@example.org", "trusted"),
    ],
)
def test_identity(
    fields: dict[str, Any], trusted: Optional[set[str]], person: Optional[str], ca_trust: Optional[str]
) -> None:
    """A key id under a trusted CA in a whole line, or nobody and a reason."""
    who = identity(login(**fields), Policy(trusted_cas=None if trusted is None else frozenset(trusted)))

    assert (who.person, who.ca_trust) == (person, ca_trust)
    assert (who.reason is None) == (who.person is not None)


def test_default_policy_trusts_no_ca() -> None:
    """Forgetting to say whom to trust names nobody."""
    assert identity(login(), Policy()).person is None


def test_default_paths_are_absolute() -> None:
    assert SSHD in Policy().sshd_paths
    assert all(path.startswith("/") for path in Policy().sshd_paths)
