# SPDX-License-Identifier: Apache-2.0
"""What an event says was done, by which process, and how it ended."""

from __future__ import annotations

import json

import pytest

from audisp_maldito import normalize
from tests.events import action, event, events, recordings, syscall

LOGIN = "LOGIN pid=298 uid=0 subj=unconfined old-auid=4294967295 auid=1000 tty=(none) old-ses=4294967295 ses=7 res=1"
PAM = (
    "USER_START pid=298 uid=0 auid=1000 ses=7 subj=unconfined msg='op=PAM:session_open grantors=pam_unix "
    'acct="core" exe="/usr/sbin/sshd" hostname=192.0.2.1 addr=192.0.2.1 terminal=ssh res=success\''
)
PATH = 'PATH item=0 name="/etc/shadow" inode=9 dev=fe:00 mode=0100640 ouid=0 ogid=42 rdev=00:00 nametype=NORMAL'


def test_a_login_and_its_syscall_are_one_action_that_did_not_fail() -> None:
    done = action(
        LOGIN, syscall(1, ses="7", exe='"/usr/sbin/sshd"'), "PROCTITLE proctitle=737368643A20636F7265205B707269765D"
    )
    assert (done.type, done.action, done.how, done.result) == ("LOGIN", "changed-login-id-to", None, "success")
    assert done.object == ("user-session", "1000", None)
    assert done.start == (298, 0, 1000, 7, 4294967295, True, "/usr/sbin/sshd")
    assert (done.session, done.title) == (7, "sshd: core [priv]")


def test_a_refused_login_id_is_a_failure() -> None:
    done = action(LOGIN.replace("res=1", "res=0"), syscall(1, success="no", exit="-1"))
    assert done.result == "fail"
    assert done.start is not None
    assert not done.start.succeeded


def test_an_old_login_record_names_its_ids_twice() -> None:
    old = "LOGIN login pid=9 uid=0 old auid=4294967295 new auid=500 old ses=4294967295 new ses=3"
    done = action(old)
    assert done.object.primary == "500"
    assert done.start == (9, 0, 500, 3, 4294967295, False, None)


def test_login_records_tell_terminal_and_address() -> None:
    done = action(PAM)
    assert (done.action, done.how, done.result) == ("started-session", "/usr/sbin/sshd", "success")
    assert done.object == ("user-session", "ssh", "192.0.2.1")
    assert (done.pid, done.auid, done.session) == (298, 1000, 7)
    assert done.details["acct"] == "core"


def test_what_a_process_writes_into_msg_changes_no_id() -> None:
    forged = PAM.replace("op=PAM:session_open", "op=x pid=1 auid=0 ses=1 uid=99 res=failed")
    done = action(forged)
    assert (done.pid, done.auid, done.session, done.user) == (298, 1000, 7, {"uid": 0})


@pytest.mark.parametrize(
    ("exe", "comm", "how"),
    [
        ('"/usr/bin/cat"', '"cat"', "/usr/bin/cat"),
        ('"/usr/bin/python3.11"', '"deploy.py"', "deploy.py"),
        ('"/usr/bin/bash"', '"bash"', "bash"),
        ('"/usr/bin/perl"', "6D79207363726970742E706C", "my script.pl"),
        ('"/usr/bin/dash"', '"sh"', "/usr/bin/dash"),
        ('"/usr/local/bin/python3"', '"x"', "/usr/local/bin/python3"),
        ("(null)", '"kworker"', "kworker"),
    ],
)
def test_how_is_the_program_or_an_interpreters_script(exe: str, comm: str, how: str) -> None:
    assert action(syscall(257, exe=exe, comm=comm), PATH).how == how


@pytest.mark.parametrize(
    ("body", "result"),
    [("res=1", "success"), ("res=0", "fail"), ("res=success", "success"), ("res=failed", "fail"), ("res=no", "fail"),
     ("success=yes", "success"), ("op=x", None), ("res=?", None)],
)  # fmt: skip
def test_results_of_every_spelling(body: str, result: str) -> None:
    assert action(f"USER_AUTH pid=1 uid=0 auid=1000 ses=7 msg='{body}'").result == result


def test_the_calls_success_is_the_result() -> None:
    assert action(syscall(257, success="no", exit="-13"), PATH).result == "fail"
    assert action(syscall(257), PATH).result == "success"


def test_a_matter_that_failed_though_the_message_about_it_went_through() -> None:
    change = 'CONFIG_CHANGE auid=1000 ses=5 op=add_rule key="x" list=4 res=0'
    assert action(change, syscall(44, exit="1056")).result == "fail"


def test_numbers_of_errors_have_names() -> None:
    done = action(syscall(257, success="no", exit="-13"), PATH)
    assert (done.exit, done.errno) == (-13, "EACCES")
    assert action(syscall(257, exit="-9999"), PATH).errno is None


def test_keys_of_several_rules() -> None:
    assert action(syscall(257, key="6B65793101746F6F"), PATH).keys == ["key1", "too"]
    assert action(syscall(257, key="(null)"), PATH).keys == []


def test_a_call_without_a_rule_names_the_operators_rule() -> None:
    done = action(syscall(16777215, key='"watch-this"'))
    assert (done.action, done.object) == ("triggered-audit-rule", ("admin-defined-rule", "watch-this", None))
    assert done.syscall == "16777215"
    assert action(syscall(16777215, key="(null)")).action == "triggered-unknown-audit-rule"


@pytest.mark.parametrize(
    ("kind", "word"), [("UNKNOWN[1998]", "recorded-unknown-1998"), ("MAC_OBJ_CONTEXTS", "recorded-mac-obj-contexts")]
)
def test_a_record_without_a_rule_still_has_an_action(kind: str, word: str) -> None:
    assert action(f"{kind} pid=1 ses=5").action == word


def test_records_that_lost_their_syscall() -> None:
    done = action('EXECVE argc=1 a0="id"', 'PATH item=0 name="/usr/bin/id" mode=0100755 nametype=NORMAL')
    assert (done.type, done.action, done.object.primary, done.args) == ("EXECVE", "executed", "/usr/bin/id", ["id"])


def test_selinux_and_apparmor_share_a_record_type() -> None:
    selinux = 'AVC avc:  denied  { read write } for  pid=2 comm="cat" scontext=u:r:t:s0 tcontext=u:r:o:s0 tclass=file'
    done = action(selinux, syscall(257, success="no", exit="-13"), PATH)
    assert (done.action, done.object) == ("violated-selinux-policy", (None, "u:r:o:s0", "file"))
    assert (done.details["seresult"], done.details["seperms"]) == ("denied", "read write")
    apparmor = 'AVC apparmor="DENIED" operation="open" profile="/p" name="/x" pid=2 comm="cat" requested_mask="r"'
    done = action(apparmor)
    assert (done.action, done.object) == ("violated-apparmor-policy", ("policy", "open", "r"))


def test_a_field_chooses_the_word() -> None:
    assert action("BPF prog-id=7 op=LOAD").action == "loaded-bpf-program"
    assert action("BPF prog-id=7 op=UNLOAD").action == "unloaded-bpf-program"
    assert (
        action("EVENT_LISTENER pid=1 uid=0 auid=1 ses=2 nl-mcgrp=1 op=disconnect res=1").action == "disconnected-from"
    )


def test_names_come_from_auditd_only_where_it_can_be_believed() -> None:
    kernel = (
        syscall(257)
        + '\x1dARCH=x86_64 SYSCALL=openat AUID="core"'
        + "".join(f' {i}="root"' for i in ("UID", "GID", "EUID", "SUID", "FSUID", "EGID", "SGID", "FSGID"))
    )
    done = action(kernel, PATH)
    assert (done.account, done.user["names"]["euid"]) == ("core", "root")
    done = action(PAM + '\x1dUID="root" AUID="alice"')
    assert (done.account, done.user) == (None, {"uid": 0})


def test_no_name_is_made_of_an_id_that_nobody_has() -> None:
    kernel = LOGIN + '\x1dUID="root" OLD-AUID="unset" AUID="unknown(1000)"'
    assert action(kernel).account is None


def test_a_title_of_128_bytes_may_have_been_longer() -> None:
    done = action(syscall(257), PATH, "PROCTITLE proctitle=" + "41" * 128)
    assert "the title may be cut" in done.warnings
    assert action(syscall(257), PATH, 'PROCTITLE proctitle="cat"').warnings == []


def test_lost_paths_are_told() -> None:
    assert "PATH records missing: 2 of 3" in action(syscall(257, items="3"), PATH).warnings


def test_typed_keys_have_names() -> None:
    done = action('TTY tty pid=5 uid=0 auid=1000 ses=5 major=136 minor=0 comm="bash" data=6C737F1B5B411B4F42030D1B')
    assert done.details["keys"] == "ls<backspace><up><down><^C><ret><esc>"


def test_typed_text_stands_in_one_place_only() -> None:
    done = action('TTY tty pid=5 uid=0 auid=1000 ses=5 major=136 minor=0 comm="bash" data=6C730D')
    assert (done.action, done.how, done.object) == ("typed", "bash", ("keystrokes", "ls\r", None))
    assert [name for name, value in done.details.items() if "ls" in str(value)] == ["keys"]


def test_sudo_says_its_command() -> None:
    done = action(
        'USER_CMD pid=5 uid=1000 auid=1000 ses=5 subj=unconfined msg=\'cwd="/root" cmd=636174202F6574632F736861646F77 '
        'exe="/usr/bin/sudo" terminal=pts/0 res=success\''
    )
    assert (done.action, done.object, done.cwd) == ("ran-command", ("process", "cat /etc/shadow", None), "/root")


def test_every_recording_becomes_actions() -> None:
    for path in recordings():
        for one in events(path.read_bytes()):
            done = normalize.parsed(normalize.action(one))
            assert done["action"]
            assert done["id"] == one.id
            json.dumps(done)


def test_parse_prints_every_key_always() -> None:
    shapes = {
        tuple(normalize.parsed(normalize.action(one))) for p in recordings()[:3] for one in events(p.read_bytes())
    }
    assert len(shapes) == 1


def test_the_events_form_changes_nothing_but_names() -> None:
    """Law 7 as far as one event goes: RAW or ENRICHED, with or without node= and EOE."""

    def plain(data: bytes) -> list[dict[str, object]]:
        made = [normalize.action(one)._replace(account=None, size=0, node=None) for one in events(data)]
        for done in made:
            done.user.pop("names", None)
        return sorted((normalize.parsed(done) for done in made), key=lambda done: str(done["id"]))

    for path in recordings():
        data = path.read_bytes()
        lines = data.splitlines()
        raw = b"\n".join(line.partition(b"\x1d")[0] for line in lines if not line.startswith(b"type=EOE"))
        named = b"\n".join(b"node=host " + line for line in lines)
        assert plain(data) == plain(raw) == plain(named)


def test_time_is_written_as_the_documents_write_it() -> None:
    assert normalize.parsed(normalize.action(event(PAM, stamp="1700000000.120:7")))["time"] == "2023-11-14T22:13:20.12Z"


def test_a_programs_record_and_the_call_that_sent_it_are_one_action() -> None:
    """Of kernels that count it so. What the program says of itself is then known better."""
    said = 'SERVICE_START pid=11 uid=0 auid=1000 ses=5 msg=\'unit=cron comm="systemd" exe="/bin/false" res=success\''
    done = action(said, syscall(44, success="yes", exit="172", items="0"))
    assert (done.type, done.action, done.object.primary) == ("SERVICE_START", "started-service", "cron")
    assert (done.exe, done.syscall, done.exit, done.result) == ("/usr/bin/cat", "sendto", 172, "success")


def test_how_a_program_crashed_is_go_libaudits_number() -> None:
    done = action('ANOM_ABEND auid=1000 uid=1000 gid=1000 ses=5 pid=9 comm="x" exe="/x" sig=11 res=1')
    assert (done.how, done.details["sig"]) == ("11", "SIGSEGV")


@pytest.mark.parametrize(
    ("record", "container"),
    [
        ("CONTAINER_ID contid=123456", "123456"),
        ("CONTAINER_ID contid=18446744073709551615", None),
        (
            f"SERVICE_START pid=1 uid=0 ses=5 msg='unit=docker-{'0123456789abcdef' * 4} res=success'",
            "0123456789abcdef" * 4,
        ),
        ("SERVICE_START pid=1 uid=0 ses=5 msg='unit=docker res=success'", None),
    ],
)
def test_a_containers_id(record: str, container: str) -> None:
    assert action(record).container == container
    assert normalize.parsed(action(record))["container"] == container


def test_a_containers_id_beside_the_call() -> None:
    assert action(syscall(59), "CONTAINER_ID contid=7", PATH).container == "7"
