# SPDX-License-Identifier: Apache-2.0
"""Every common way to become somebody else within a session, and to stay behind after it, recorded on the real stack:
`/usr/bin/python3 -m tests.stack.escalation` writes tests/corpus/hosts/escalation.

Without a terminal sudo runs its command itself; on a terminal (`use_pty`, the default since 1.9.14) a process between
the two does, of which no record tells where only execve is audited.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Callable

from .accounts import PASSWORD
from .capture import order, record, shell, trimmed
from .rig import Rig
from .waiting import until

CORPUS = Path(__file__).parents[1] / "corpus" / "hosts" / "escalation"
# Every command's program is told apart by its arguments. A file's presence says that what was left behind has ended.
COMMANDS = [
    "/usr/bin/id plain-before",
    "sudo -n /usr/bin/id by-sudo",
    "sudo -n -u maldito-other /usr/bin/id by-sudo-as-another",
    "sudo -n /bin/sh -c '/usr/bin/id by-sudo-in-a-shell; /usr/bin/cat /etc/shadow'",
    "sudo -n /usr/bin/su -c '/usr/bin/id by-su-in-sudo' maldito-other",
    "sudo -n /bin/sh -c '/usr/bin/sudo -n -u maldito-core /usr/bin/id back-again'",
    "sudo -n -k; sudo -n -l; /usr/bin/passwd -S",
    "/usr/bin/id plain-after",
]
ON_A_TERMINAL = [
    *COMMANDS,
    # As an account whose start-up files are Debian's; what stands in subshells has a parent that nobody sees.
    "echo '/usr/bin/id by-sudo-i; ( (/usr/bin/id in-a-subshell; true); true); exit' | sudo -n -u maldito-other -i",
    "echo '/usr/bin/id by-sudo-s' | sudo -n -u maldito-other -s",
    "sudo -n /usr/bin/env A=1 /bin/sh -c '/usr/bin/id by-sudo-env'",
]
LEFT = "/var/tmp/maldito-left"
LEAVING = [
    # Its parent ends at once: adopted, and it goes on after the logout.
    f"(/usr/bin/setsid /bin/sh -c '/usr/bin/id left-early; while [ ! -e {LEFT} ]; do /usr/bin/sleep 0.1; done; "
    f"/usr/bin/id left-behind; /usr/bin/rm -f {LEFT}' &)",
    "/usr/bin/id plain-last",
]


def without_terminal(rig: Rig) -> None:
    """One command after the other, and something that stays."""
    process = shell(rig, rig.person("alice@example.org", 4711))
    for command in [*COMMANDS, *LEAVING]:
        order(process, f"{{ {command}; }}")
    process.communicate(timeout=60)
    until(lambda: not rig.sshd.monitors(), "the connection's monitor to end")
    _let_end()


def on_a_terminal(rig: Rig) -> None:
    """The same typed, su with its password included."""
    alice = rig.person("alice@example.org", 4711)
    process = rig.sshd.open(rig.core.name, None, alice, options=["-tt"])
    assert process.stdin and process.stdout
    read = _reader(process)
    _type(process, "stty -echo; PS1=; unset PROMPT_COMMAND\n")
    for command in [*ON_A_TERMINAL, *LEAVING]:
        _type(process, f"{command}; echo do''ne\n")
        read("done")
    _type(process, "su -c '/usr/bin/id by-su' maldito-other; echo do''ne\n")
    read("assword:")
    _type(process, f"{PASSWORD}\n")
    read("done")
    _type(process, "exit\n")
    process.communicate(timeout=60)
    until(lambda: not rig.sshd.monitors(), "the connection's monitor to end")
    _let_end()


def _type(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin
    process.stdin.write(text)
    process.stdin.flush()


def _reader(process: subprocess.Popen[str]) -> Callable[[str], None]:
    def read(word: str) -> None:
        """Up to a word, which may stand in a line that has no end yet."""
        assert process.stdout
        seen = ""
        while not seen.endswith(word):
            letter = process.stdout.read(1)
            assert letter, seen
            seen += letter

    return read


def _let_end() -> None:
    """What was left behind does its last deed once a file is there, and removes it."""
    left = Path(LEFT)
    left.touch(mode=0o666)
    left.chmod(0o666)
    shutil.chown(left, "maldito-core")
    until(lambda: not left.exists(), "what was left behind to end")


def main() -> None:
    CORPUS.mkdir(parents=True, exist_ok=True)
    with Rig() as rig:
        for name, scenario in (("without-terminal", without_terminal), ("on-a-terminal", on_a_terminal)):
            record(rig, rig.directory / "taken", name, scenario)
            for suffix in (".audit.log", ".plugin.txt"):
                shutil.copy(rig.directory / "taken" / f"{name}{suffix}", CORPUS)
            journal = (rig.directory / "taken" / f"{name}.journal.json").read_bytes()
            (CORPUS / f"{name}.journal.json").write_bytes(trimmed(journal))
        (CORPUS / "company-ca.txt").write_text(rig.authority.fingerprint + "\n")


if __name__ == "__main__":
    main()
