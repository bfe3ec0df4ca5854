# SPDX-License-Identifier: Apache-2.0
"""Every way into sshd, and every way to be refused: what is done, whom it must name, and the table of what was seen.

A method is done by real clients against a real sshd with the settings it needs, on whatever machine this runs on;
what the documents must be is known only by whom they name. `table` puts what came into words, docs/methods.md shows
it.

    /usr/bin/python3 -m tests.stack.methods perform DIRECTORY    do all of them here, and write down which pids were
    theirs /usr/bin/python3 -m tests.stack.methods table DIRECTORY      the table of a replay of what was recorded
    meanwhile
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from .accounts import Account, Accounts
from .daemon import run
from .keys import Authority, Identity, plain
from .sshd import PROGRAM, Sshd
from .waiting import until

ALICE, BOB = "alice@example.org", "bob@example.org"
DOCS = Path(__file__).parents[2] / "docs" / "methods.md"
PAM = Path("/etc/pam.d")
SERVICE = "maldito-refusing"
REFUSING = """\
auth required pam_unix.so
account required pam_unix.so
session required pam_loginuid.so
session required pam_deny.so
"""


class Stage:
    """Accounts, keys and sshds; `settings` of a method choose its sshd, which is started when first wanted."""

    def __init__(self, directory: Path, core: Account, other: Account, authority: Authority) -> None:
        self.directory = directory
        self.core, self.other, self.authority = core, other, authority
        self.stranger = Authority(directory, "stranger-ca")
        self.bob = plain(directory, "bob-key")
        self.revoked = authority.certify("revoked@example.org", core.name)
        (directory / "revoked").write_text(self.revoked.key.line())
        self._sshds: dict[str, Sshd] = {}
        self._undo = contextlib.ExitStack()

    def sshd(self, settings: str) -> Sshd:
        if settings not in self._sshds:
            home = self.directory / f"sshd-{len(self._sshds)}"
            home.mkdir(mode=0o755)
            started = Sshd(home, self.authority)
            program: Path = Path(PROGRAM)
            if SERVICE in settings:
                program, settings_now = self._refusing(settings)
            else:
                settings_now = settings
            started.start(first=settings_now.replace("{stage}", str(self.directory)), program=program)
            self._undo.callback(started.stop)
            self._sshds[settings] = started
        return self._sshds[settings]

    def _refusing(self, settings: str) -> tuple[Path, str]:
        """PAM's service is named after the program, or by a setting since 9.8."""
        (PAM / SERVICE).write_text(REFUSING)
        self._undo.callback((PAM / SERVICE).unlink)
        if _version() >= (9, 8):
            return Path(PROGRAM), f"PAMServiceName {SERVICE}\n"
        link = self.directory / SERVICE
        link.symlink_to(PROGRAM)
        return link, settings.replace(f"PAMServiceName {SERVICE}\n", "")

    def close(self) -> None:
        self._undo.close()


class Method(NamedTuple):
    """`people`: whom the accepted logins must name, in order; `refused`: how many logins must be refused."""

    name: str
    do: Callable[[Stage, Sshd], None]
    people: tuple[str, ...] = ()
    refused: int = 0
    settings: str = ""
    sessions: bool = True


def _visit(
    identity: Optional[Callable[[Stage], Identity]] = None, command: str = "id", status: int = 0, **how: Any
) -> Any:
    """One connection; without an identity by password."""

    def do(stage: Stage, sshd: Sshd) -> None:
        known = dict(how)
        account = known.pop("account", stage.core.name)
        done = sshd.visit(account, command, identity(stage) if identity else None, **known)
        assert done.status == status, f"{done.status}: {done.out} {done.err}"

    return do


def _certificate(key_id: str = ALICE, **how: Any) -> Callable[[Stage], Identity]:
    return lambda stage: stage.authority.certify(
        key_id, how.get("principals", stage.core.name), **{k: v for k, v in how.items() if k != "principals"}
    )


def _strangers(stage: Stage) -> Identity:
    return stage.stranger.certify(ALICE, stage.core.name)


def _by_key(stage: Stage, sshd: Sshd) -> None:
    key = plain(stage.directory, "nobody-key")
    stage.core.authorize(key.key.line())
    assert sshd.visit(stage.core.name, "id", key).status == 0


def _by_listed_key(stage: Stage, sshd: Sshd) -> None:
    stage.core.authorize(stage.bob.key.line())
    assert sshd.visit(stage.core.name, "id", stage.bob).status == 0


def _by_own_ca(stage: Stage, sshd: Sshd) -> None:
    stage.core.authorize(f"cert-authority {stage.stranger.key.line()}")
    assert sshd.visit(stage.core.name, "id", stage.stranger.certify(ALICE, stage.core.name)).status == 0
    stage.core.authorize("")


def _sharing(stage: Stage, sshd: Sshd) -> None:
    """One connection, three shells on it."""
    alice = stage.authority.certify(ALICE, stage.core.name)
    control = ["-o", f"ControlPath={stage.directory}/control", "-o", "ControlMaster=auto"]
    master = sshd.open(stage.core.name, "echo ready; read -r line", alice, options=control)
    assert master.stdout is not None and master.stdout.readline() == "ready\n"
    for _ in range(2):
        other = sshd.open(stage.core.name, "id", alice, options=control)
        other.communicate(timeout=30)
        assert other.returncode == 0
    master.communicate("\n", timeout=30)
    until(lambda: not sshd.monitors(), "the shared connection to end")


def _by_sftp(stage: Stage, sshd: Sshd) -> None:
    alice = stage.authority.certify(ALICE, stage.core.name)
    words = sshd.client(stage.core.name, None, alice, ["-s"], 0)
    done = subprocess.run([*words, "sftp"], input=b"", capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    until(lambda: not sshd.monitors(), "the connection to end")


def _forwarding(stage: Stage, sshd: Sshd) -> None:
    """No shell, no command: a port only."""
    alice = stage.authority.certify(ALICE, stage.core.name)
    process = sshd.open(stage.core.name, None, alice, options=["-N", "-L", f"{stage.directory}/forwarded:127.0.0.1:9"])
    until((stage.directory / "forwarded").exists, "the forwarded port")
    process.terminate()
    process.communicate(timeout=30)
    until(lambda: not sshd.monitors(), "the connection to end")


def _too_many(stage: Stage, sshd: Sshd) -> None:
    done = sshd.visit(stage.core.name, "id", None, "wrong", options=["-o", "NumberOfPasswordPrompts=5"])
    assert done.status == 255


def _ipv6(stage: Stage, sshd: Sshd) -> None:
    alice = stage.authority.certify(ALICE, stage.core.name)
    options = ["-o", "HostName=::1", "-o", f"HostKeyAlias=[127.0.0.1]:{sshd.port}"]
    assert sshd.visit(stage.core.name, "id", alice, options=options).status == 0


INTERACTIVE = ["-o", "PreferredAuthentications=keyboard-interactive"]
BOTH = ["-o", "PreferredAuthentications=publickey,password"]
FACTORS = "AuthenticationMethods publickey,password\n"
PASSWORDS = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n"

METHODS = [
    Method("certificate", _visit(_certificate()), (ALICE,)),
    Method("certificate, root's account", _visit(_certificate(principals="root"), account="root"), (ALICE,),
           settings="PermitRootLogin prohibit-password\n"),
    Method("certificate, IPv6", _ipv6, (ALICE,), settings="ListenAddress [::1]:{port}\n"),
    Method("plain key that the identities file has", _by_listed_key, (BOB,)),
    Method("plain key that nobody knows", _by_key, ("unknown",)),
    Method("certificate of a CA in the account's own authorized_keys", _by_own_ca, ("unknown",)),
    Method("password", _visit(), ("unknown",)),
    Method("keyboard-interactive", _visit(options=INTERACTIVE), ("unknown",), settings=PASSWORDS),
    Method("certificate, then password (LogLevel VERBOSE)", _visit(_certificate(), options=BOTH), (ALICE,),
           settings=FACTORS + "LogLevel VERBOSE\n"),
    Method("certificate, then password (LogLevel INFO)", _visit(_certificate(), options=BOTH), ("unknown",),
           settings=FACTORS),
    Method("one connection, three shells (ControlMaster)", _sharing, (ALICE,)),
    Method("sftp (internal-sftp)", _by_sftp, (ALICE,)),
    Method("ForceCommand", _visit(_certificate(), "ls /"), (ALICE,), settings="ForceCommand /usr/bin/id\n"),
    Method("a forwarded port, no shell", _forwarding, (ALICE,)),
    Method("sudo and su in one session", _visit(_certificate(), "sudo -n id && sudo -n su - maldito-other -c id; ls"),
           (ALICE,)),
    Method("wrong password", _visit(password="wrong", status=255), refused=1),
    Method("too many tries", _too_many, refused=3, settings="MaxAuthTries 3\n"),
    Method("an account that does not exist", _visit(account="nobody-here", password="wrong", status=255), refused=1),
    Method("root by password, which may not", _visit(account="root", password="wrong", status=255), refused=1,
           settings="PermitRootLogin prohibit-password\n"),
    Method("expired certificate", _visit(_certificate(validity="-2d:-1d"), status=255), refused=1),
    Method("certificate for another account", _visit(_certificate(principals="maldito-other"), status=255), refused=1),
    Method("certificate of a CA that nobody trusts", _visit(_strangers, status=255), refused=1),
    Method("revoked key", _visit(lambda s: s.revoked, status=255), refused=1, settings="RevokedKeys {stage}/revoked\n"),
    Method("AllowUsers without the account", _visit(_certificate(), status=255), refused=1,
           settings="AllowUsers maldito-other\n"),
    Method("DenyUsers with the account", _visit(_certificate(), status=255), refused=1,
           settings="DenyUsers maldito-core\n"),
    Method("AllowGroups without the account's", _visit(_certificate(), status=255), refused=1,
           settings="AllowGroups maldito-other\n"),
    Method("DenyGroups with the account's", _visit(_certificate(), status=255), refused=1,
           settings="DenyGroups maldito-core\n"),
    Method("certificate, then PAM opens no session", _visit(_certificate(), status=254), (ALICE,), refused=1,
           settings=f"PAMServiceName {SERVICE}\n"),
    Method("certificate, UsePAM no: no audit session", _visit(_certificate()), (ALICE,),
           settings="UsePAM no\n", sessions=False),
]  # fmt: skip


class Step(NamedTuple):
    """A method that was done. `pids`: the monitors that served it, by the journal."""

    name: str
    pids: list[int]


def perform(stage: Stage, cursor: Callable[[], str], entries: Callable[[str], list[dict[str, Any]]]) -> Iterator[Step]:
    """Do them all, one after the other; what sshd's processes logged meanwhile tells their pids."""
    for method in METHODS:
        sshd = stage.sshd(method.settings)
        since = cursor()
        method.do(stage, sshd)
        logged = [entry for entry in entries(since) if entry.get("_UID") == "0" and _speaks_as_sshd(entry)]
        yield Step(method.name, sorted({int(entry["_PID"]) for entry in logged if "_PID" in entry}))


def _speaks_as_sshd(entry: dict[str, Any]) -> bool:
    return entry.get("_TRANSPORT") == "syslog" and entry.get("SYSLOG_IDENTIFIER") in ("sshd", "sshd-session", SERVICE)


def _version() -> tuple[int, int]:
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    major, _, minor = said.partition("OpenSSH_")[2].partition(".")
    return int(major), int("".join(c for c in minor[:2] if c.isdigit()))


Document = dict[str, Any]


def of_step(step: Step, documents: list[Document]) -> list[Document]:
    """What was told of the connections of a step, in the order in which it happened."""
    pids = set(map(str, step.pids))
    told = [document for document in documents if document["subjects"].get("pid") in pids]
    return sorted(told, key=lambda document: (document["loggedAt"][:19], document["metadata"]["extra"]["seq"]))


def complaints(method: Method, told: list[Document]) -> list[str]:
    """What of `told` is not as it must be."""
    wrong = []
    logins = [document for document in told if document["type"] == "UserLogin"]
    people = [who(document) for document in logins if document["outcome"] == "succeeded"]
    if people != list(method.people):
        wrong.append(f"logins of {people}, not {list(method.people)}")
    failed = [document for document in logins if document["outcome"] == "failed"]
    if len(failed) != method.refused or {who(document) for document in failed} - {"unknown"}:
        wrong.append(f"{len(failed)} refused, not {method.refused}: {[reason(document) for document in failed]}")
    sessions = [document for document in logins if "session" in document["metadata"]["extra"]]
    if len(sessions) != (len(method.people) if method.sessions else 0):
        wrong.append(f"{len(sessions)} sessions")
    strangers = {who(d) for d in told if d["type"] in ("UserAction", "UserLogout")} - set(method.people)
    if strangers:
        wrong.append(f"actions of {strangers}")
    logouts = [document for document in told if document["type"] == "UserLogout"]
    if len(logouts) != len(sessions):
        wrong.append(f"{len(logouts)} logouts of {len(sessions)} sessions")
    return wrong


def row(method: Method, told: list[Document]) -> str:
    """A line of the table."""
    logins = [document for document in told if document["type"] == "UserLogin"]
    words = []
    for document in logins:
        data = document.get("data", {})
        if document["outcome"] == "succeeded":
            methods = [factor["Method"] for factor in data.get("Factors", [])] or [data.get("Method", "unknown")]
            why = f" ({data['Reason']})" if "Reason" in data else ""
            words.append(f"{', '.join(methods)}: **{who(document)}**{why}")
        else:
            words.append(f"refused: {reason(document)}")
    actions = sorted({who(document) for document in told if document["type"] == "UserAction"})
    logout = any(document["type"] == "UserLogout" for document in told)
    session = f"{', '.join(actions)}" + ("; UserLogout" if logout else "") if actions else "none"
    return f"| {method.name} | {'<br>'.join(dict.fromkeys(words))} | {session} |"


def table(rows: list[str]) -> str:
    return "\n".join(["| what was done | UserLogin | UserAction |", "|---|---|---|", *rows]) + "\n"


def write(seen: str, by: str) -> None:
    """Put a table into its place in the documentation."""
    before, begin, rest = DOCS.read_text().partition(f"<!-- table: seen by {by} -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    assert begin and end, f"{DOCS} has no place for the table of {by}"
    DOCS.write_text(before + begin + seen + end + after)


def who(document: Document) -> str:
    person: str = document["subjects"]["userID"]
    return person


def reason(document: Document) -> str:
    data = document.get("data", {})
    why: Optional[str] = data.get("Reason")
    if why is None:
        return f"{data.get('Method', 'unknown')} failed"
    return why


def perform_here(directory: Path) -> None:
    """On a machine that is there for it, with a journald and an auditd of its own."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    accounts = Accounts(["maldito-core", "maldito-other"], directory / "accounts")
    core, other = accounts.create().values()
    stage = Stage(directory, core, other, Authority(directory, "company-ca"))
    try:
        steps = [step._asdict() for step in perform(stage, _cursor, _entries)]
        told = {"steps": steps, "ca": stage.authority.fingerprint, "bob": stage.bob.fingerprint}
        (directory / "steps.json").write_text(json.dumps(told))
    finally:
        stage.close()
        accounts.remove()


def _cursor() -> str:
    run(["journalctl", "--sync"])
    return run(["journalctl", "-q", "-n", "0", "--show-cursor"]).stdout.decode().partition("-- cursor: ")[2].strip()


def _entries(since: str) -> list[dict[str, Any]]:
    run(["journalctl", "--sync"])
    lines = run(["journalctl", "-q", "-o", "json", "--after-cursor", since]).stdout.splitlines()
    return [json.loads(line) for line in lines]


def replayed(directory: Path) -> int:
    """The table of what a replay makes of a recording: steps.json, journal.json, audit.log."""
    recorded = json.loads((directory / "steps.json").read_text())
    (directory / "identities.yaml").write_text(f"keys:\n  {recorded['bob']}: {BOB}\n")
    (directory / "config.yaml").write_text('sshd_units: ["*.service"]\n')
    command = [sys.executable, "-m", "audisp_maldito", "replay", "--trusted-ca", recorded["ca"]]
    for option in ("audit=audit.log", "journal=journal.json", "config=config.yaml", "identities=identities.yaml"):
        name, _, file = option.partition("=")
        command += [f"--{name}", str(directory / file)]
    documents = [
        json.loads(line) for line in subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    ]
    steps = {step["name"]: Step(**step) for step in recorded["steps"]}
    rows, wrong = [], 0
    for method in METHODS:
        told = of_step(steps[method.name], documents)
        rows.append(row(method, told))
        for complaint in complaints(method, told):
            wrong += 1
            print(f"{method.name}: {complaint}", file=sys.stderr)
    seen = table(rows)
    print(seen, end="")
    if os.environ.get("MALDITO_WRITE") == "docs":
        write(seen, "tests/vm/methods")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "perform":
        perform_here(Path(sys.argv[2]))
    else:
        sys.exit(replayed(Path(sys.argv[2])))
