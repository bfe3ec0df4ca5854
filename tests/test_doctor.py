# SPDX-License-Identifier: Apache-2.0
"""Each finding of `maldito doctor`, brought about one by one on a host where all else is well.

tests/vm/guests/doctor.sh brings about on a real machine what can be brought about there.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from audisp_maldito import doctor
from audisp_maldito.doctor import examine
from audisp_maldito.doctor.finding import Finding, document, page, worst
from audisp_maldito.doctor.host import Host

from .faults import CONFIG, FAULTS, Fault
from .hosts import Well

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners of files are what much of this is about")


@pytest.fixture
def host(tmp_path: Path) -> Well:
    return Well(tmp_path)


def test_nothing_is_found_where_all_is_well(host: Well) -> None:
    findings = examine(host)

    assert [finding for finding in findings if finding.level != "green"] == []
    assert {finding.check for finding in findings} > {
        "auditd",
        "plugin",
        "rules",
        "sshd",
        "journal-rate-limit",
        "last-event",
    }


@pytest.mark.parametrize(
    ("check", "level", "says", "fault"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_fault(check: str, level: str, says: str, fault: Fault, host: Well) -> None:
    """It is found, named, and nothing that has not to do with it is."""
    fault(host)
    findings = examine(host)

    found = [finding for finding in findings if finding.check == check and finding.level == level]
    assert any(says in finding.text for finding in found), page(findings, colour=False)
    assert level == "unknown" or all(finding.fix for finding in found)


def test_raw_records_of_a_broken_auditd(host: Well) -> None:
    host.answer("auditctl -v", "auditctl version 4.2.1")
    assert "auditd-version" not in levels(host, "red")
    host.replace("etc/audit/auditd.conf", "ENRICHED", "RAW")
    assert "auditd-version" in levels(host, "red")
    host.answer("auditctl -v", "auditctl version 4.2.2")
    assert "auditd-version" not in levels(host, "red")


def levels(host: Host, level: str) -> set[str]:
    return {finding.check for finding in examine(host) if finding.level == level}


def test_trusted_cas_of_the_configuration_make_sshds_irrelevant(host: Well) -> None:
    host.write("etc/ssh/sshd_config", "")
    host.append(CONFIG, "trusted_cas: []\n")
    assert "sshd-cas" not in levels(host, "amber")


def test_rules_of_ours_that_are_all_loaded(host: Well) -> None:
    text = host.our_rules().text(["network"])
    host.write("etc/audit/rules.d/90-audisp-maldito.rules", text)
    host.answer("auditctl -l", "\n".join(rule for rule in text.splitlines() if rule.startswith("-a ")))
    assert any("all of ours among them" in finding.text for finding in examine(host))


def _break(_: Host) -> None:
    raise ZeroDivisionError


def test_a_check_that_breaks_is_a_finding(host: Well, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audisp_maldito.doctor.journald.check", _break)
    findings = examine(host)

    assert any("ZeroDivisionError" in finding.text and finding.level == "unknown" for finding in findings)
    assert {"clock", "plugin"} <= {finding.check for finding in findings}


def test_nothing_is_changed(host: Well) -> None:
    def everything() -> dict[str, tuple[float, int]]:
        return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_mode) for p in host.directory.rglob("*")}

    before = everything()
    examine(host)
    assert everything() == before


@pytest.mark.parametrize(("level", "code"), [("green", 0), ("amber", 1), ("red", 2), ("unknown", 3)])
def test_exit_code(level: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [Finding("a", "green", "t"), Finding("b", level, "t")]
    monkeypatch.setattr(doctor, "examine", lambda *_: found)
    assert doctor.main(None, as_json=False) == code


def test_what_is_certain_outweighs_what_cannot_be_told() -> None:
    assert worst([Finding("a", "unknown", ""), Finding("b", "amber", "")]) == "amber"
    assert worst([]) == "green"


def test_the_page_has_the_worst_first_and_obeys_nobody() -> None:
    findings = [Finding("a", "green", "fine"), Finding("b", "red", "file \33[2J\n", "rm x")]
    text = page(findings, colour=False)

    assert text.splitlines()[0] == r"RED   b: file \x1b[2J\n"
    assert text.splitlines()[1] == "        fix: rm x"
    assert "\33" in page(findings, colour=True)


def test_json() -> None:
    told = json.loads(document([Finding("a", "red", "t", "f"), Finding("b", "green", "t")]))
    assert told["level"] == "red"
    assert told["findings"][0] == {"check": "a", "level": "red", "text": "t", "fix": "f"}


def test_the_manual_lists_every_check() -> None:
    """And no check that there isn't."""
    manual = (Path(__file__).parents[1] / "docs/operate.md").read_text()
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", manual, re.MULTILINE))

    assert listed == {check for check, _, _, _ in FAULTS}


def test_this_machine_can_be_examined() -> None:
    """Whatever is found here: every check came to an end."""
    assert not [finding for finding in examine(Host()) if finding.check.startswith("check-")]
