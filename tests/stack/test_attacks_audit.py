# SPDX-License-Identifier: Apache-2.0
"""Attacks by way of the audit trail itself: LOGINs that no sshd made, and records that lie."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import forgery
from .capture import order, shell
from .daemon import CLEAN_ENVIRONMENT, executable, leave_the_session, run
from .plugin import Document, Plugin, event_id, person
from .rig import Rig
from .sshd import PROGRAM as SSHD
from .sshd import another_port
from .trail import Line
from .waiting import until

pytestmark = pytest.mark.stack

VICTIM = "alice@example.org"


def system_actions(rig: Rig, plugin: Plugin, ses: int) -> list[Document]:
    """The actions of a session that must not be taken for an SSH login."""
    documents = plugin.actions(ses)
    assert {("SystemAction", "unknown")} == {(d["type"], person(d)) for d in documents}
    return documents


def login_of(rig: Rig, pid: int) -> Line:
    return until(lambda: next((x for x in rig.trail().logins() if x.number("pid") == pid), None), f"LOGIN of {pid}")


@pytest.fixture
def preload(rig: Rig) -> Path:
    library = rig.directory / "preload.so"
    run(["gcc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("preload.c")])
    library.chmod(0o755)
    return library


def test_a4_a_process_named_sshd_is_no_sshd(rig: Rig, plugin: Plugin) -> None:
    """A user's copy of a shell by the name of sshd sets its loginuid to the victim's account."""
    alice = rig.person(VICTIM)
    hers = shell(rig, alice)
    order(hers, "id")
    fake = rig.directory / "sshd"
    shutil.copyfile("/bin/dash", fake)
    fake.chmod(0o755)
    script = f"echo {rig.core.uid} >/proc/self/loginuid; id >/dev/null; echo $$"
    out = run([*_as(rig.other.name), fake, "-c", script]).stdout
    hers.communicate(timeout=60)

    line = login_of(rig, int(out))
    ses = line.number("ses")
    assert (ses is not None, rig.core.uid, "1") == (True, line.number("auid"), line.field("res"))
    documents = system_actions(rig, plugin, ses or 0)
    assert [VICTIM] in [d.get("data", {}).get("candidates") for d in documents]


def test_a4_sshds_own_program_without_root_is_no_sshd(rig: Rig, plugin: Plugin, preload: Path) -> None:
    """exe=/usr/sbin/sshd by LD_PRELOAD, and the line in the journal to go with it: only the uid tells."""
    words = f"Accepted publickey for {rig.core.name} from 6.6.6.5 port 4243 ssh2: ED25519-CERT SHA256:{'C' * 43}"
    words += f" ID {VICTIM} (serial 1) CA ED25519 {rig.authority.fingerprint}"
    done = subprocess.run(
        [*_as(rig.other.name), "env", f"LD_PRELOAD={preload}", f"LOGINUID={rig.core.uid}", f"SAYS={words}", SSHD],
        env=CLEAN_ENVIRONMENT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
        preexec_fn=leave_the_session,
    )
    pid = int(done.stdout.split()[-1])

    line = login_of(rig, pid)
    (syscall,) = [x for x in rig.trail().events[line.id] if x.type == "SYSCALL"]
    assert f'"{SSHD}"' == syscall.field("exe")
    system_actions(rig, plugin, line.number("ses") or 0)
    assert not [d for d in plugin.documents() if d["source"]["value"] == "6.6.6.5"]


def test_a5_a_refused_loginuid_is_an_act_of_its_own_session(rig: Rig, plugin: Plugin) -> None:
    """`echo 0 > /proc/self/loginuid` writes LOGIN res=0 with ses unset: alice did it, and nobody becomes her."""
    alice = rig.person(VICTIM)
    rig.visit(alice, "echo 0 >/proc/self/loginuid")
    bob = rig.person("bob@example.org")
    rig.visit(bob, "id")
    refused = [x for x in rig.trail().logins() if x.field("res") == "0" and x.number("old-ses") == rig.session(alice)]
    assert len(refused) == 1

    hers = plugin.actions(rig.session(alice))

    (document,) = [d for d in hers if event_id(d) == refused[0].id]
    assert ("failed", VICTIM) == (document["outcome"], person(document))
    assert {"bob@example.org"} == {person(d) for d in plugin.actions(rig.session(bob))}
    _nothing_unset(plugin)


def test_a5_root_who_unsets_the_session_has_no_heirs(rig: Rig, plugin: Plugin) -> None:
    """Through 4294967295 back to a real session: the chain is cut, and the new session is nobody's."""
    alice = rig.person(VICTIM)
    script = f"echo 4294967295 >/proc/self/loginuid; id; echo {rig.core.uid} >/proc/self/loginuid; id; echo pid $$"
    visit = rig.visit(alice, f"sudo -n sh -c '{script}'")
    pid = int(visit.out.split("pid ")[1])
    logins = [x for x in rig.trail().logins() if x.number("pid") == pid]
    assert [str(rig.session(alice)), "4294967295"] == [x.field("old-ses") for x in logins]

    system_actions(rig, plugin, logins[-1].number("ses") or 0)
    assert {VICTIM} == {person(d) for d in plugin.actions(rig.session(alice))}
    _nothing_unset(plugin)


def _nothing_unset(plugin: Plugin) -> None:
    assert not [d for d in plugin.documents() if d["metadata"]["auditId"] == "4294967295"]


@pytest.fixture
def second_sshd(rig: Rig) -> Iterator[tuple[int, int]]:
    """An sshd that alice starts with sudo out of her session: her session's number, and the port."""
    alice = rig.person(VICTIM)
    pid_file = rig.directory / "second.pid"
    config = rig.directory / "second_config"
    port = rig.sshd.port
    rig_config = rig.sshd.config.read_text()
    second = another_port()
    text = rig_config.replace(f"Port {port}", f"Port {second}").replace("PidFile none", f"PidFile {pid_file}")
    config.write_text(text)
    hers = shell(rig, alice)
    order(hers, f"sudo -n {SSHD} -f {config}")
    until(lambda: pid_file.exists() and pid_file.read_text(), "the second sshd")
    pid = int(pid_file.read_text())
    try:
        until(lambda: rig.sshd.listens(second), "the second sshd to listen")
        yield rig.session(alice), second
    finally:
        assert executable(pid) == SSHD
        os.kill(pid, signal.SIGTERM)
        hers.communicate(timeout=60)
        until(lambda: executable(pid) == "", "the second sshd to end")


ANY_HOST = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]


def test_a6_an_sshd_started_from_a_session_makes_no_heirs(
    rig: Rig, plugin: Plugin, second_sshd: tuple[int, int]
) -> None:
    """Who logs in there on another account has alice's session as old-ses, and is still who they are."""
    parent, port = second_sshd
    bob = rig.authority.certify("bob@example.org", rig.other.name)
    assert rig.visit(bob, "id", account=rig.other.name, options=ANY_HOST, port=port).status == 0
    since = rig.journald.cursor()
    assert rig.visit(None, "id", account=rig.other.name, options=ANY_HOST, port=port).status == 0
    (entry,) = [e for e in rig.journald.entries(since) if str(e["MESSAGE"]).startswith("Accepted password")]
    nameless = rig.trail().login_of(int(entry["_PID"]))

    assert str(parent) == nameless.field("old-ses")
    assert {"bob@example.org"} == {person(d) for d in plugin.actions(rig.session(bob))}
    assert {"unknown"} == {person(d) for d in plugin.actions(nameless.number("ses") or 0)}


def test_a6_on_the_same_account_there_is_no_new_session(rig: Rig, plugin: Plugin, second_sshd: tuple[int, int]) -> None:
    """pam_loginuid writes nothing where the loginuid is right already: bob then works in alice's audit session."""
    parent, port = second_sshd
    bob = rig.person("bob@example.org")
    assert rig.visit(bob, "/usr/bin/printf bob-was-here", options=ANY_HOST, port=port).status == 0
    pid = int(rig.accepted(bob)["_PID"])
    assert not [line for line in rig.trail().logins() if line.number("pid") == pid]

    documents = plugin.actions(parent)

    (his,) = [d for d in documents if "bob-was-here" in d["metadata"]["extra"].get("process_args", [])]
    assert person(his) != VICTIM


@pytest.mark.parametrize("kind", [1112, 1100, 1105], ids=["USER_LOGIN", "USER_AUTH", "USER_START"])
def test_a14_a_record_that_lies_about_its_session_and_names(rig: Rig, plugin: Plugin, kind: int) -> None:
    """With CAP_AUDIT_WRITE alone: a quote, alice's `ses=`, false names behind it. Only the kernel's prefix counts."""
    program = rig.directory / "forgery.py"
    shutil.copyfile(Path(forgery.__file__), program)
    program.chmod(0o755)
    alice, bob = rig.person(VICTIM), rig.person("bob@example.org")
    rig.visit(alice, "id")
    victim = rig.session(alice)
    text = f"op=login acct=root exe={SSHD} terminal=ssh res=success' ses={victim} auid=0 uid=0"
    text += ' \x1dAUID="root" UID="root"'
    lie = rig.directory / "lie"
    lie.write_text(text)
    become = f"sudo -n setpriv --reuid {rig.core.name} --clear-groups --inh-caps=+audit_write"
    become += " --ambient-caps=+audit_write"
    visit = rig.visit(bob, f'{become} /usr/bin/python3 -I {program} audit {kind} "$(cat {lie})"')
    assert visit.status == 0, visit
    forged = [x for x in rig.trail().lines if f"ses={victim} auid=0".encode() in x.text]
    assert forged

    hers, his = plugin.actions(victim), plugin.actions(rig.session(bob))

    assert {VICTIM} == {person(d) for d in hers}
    (told,) = [d for d in his if event_id(d) == forged[0].id]
    assert ("bob@example.org", rig.core.uid) == (person(told), told["metadata"]["extra"]["uid"])
    assert rig.core.name == told["subjects"]["loggedAs"]


def _as(account: str) -> list[str]:
    return ["setpriv", "--reuid", account, "--regid", account, "--clear-groups"]
