# SPDX-License-Identifier: Apache-2.0
"""The command line: argparse, files in and out, exit codes. Every error an operator can answer is caught in `main`, once.

Exit codes: 0 done (rejected lines are said on stderr), 1 an input could not be read or a check found something,
2 usage or configuration, 3 cannot tell.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, BinaryIO, Iterator, Optional

from . import __version__
from .errors import ConfigError, InputError, MalditoError

if TYPE_CHECKING:
    from .model import SshdEntry

EXAMPLES = """examples:
  audisp-maldito as auditd runs it:
    maldito plugin --config /etc/audisp-maldito/config.yaml
  who did what in a recording (journal: a directory, a .journal file or `journalctl -o json` lines):
    maldito replay --audit /var/log/audit/audit.log --journal /var/log/journal --output -
  only key ids of one CA name people:
    maldito replay --audit audit.log --journal journal.json --trusted-ca SHA256:... --output -
  every event of a log, SSH or not, as JSON lines:
    ausearch --raw -ts today | maldito parse
  check a configuration before auditd is told to reload:
    maldito check-config /etc/audisp-maldito/config.yaml
  have every command of every session recorded, and outgoing connections too:
    maldito rules install network
  why do I see nothing?
    maldito doctor
"""


def main(argv: Optional[list[str]] = None) -> int:
    """Run one command and answer its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except MalditoError as error:
        print(f"maldito: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output (head, a pager) has enough; the interpreter must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="maldito",
        description="Says which SSH identity did what, from audit records and sshd's journal.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"audisp-maldito {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    plugin = commands.add_parser("plugin", help="what auditd runs: audit records on stdin, documents to the output")
    plugin.add_argument("--config", metavar="FILE", help="default: /etc/audisp-maldito/config.yaml")
    plugin.set_defaults(run=_plugin)

    replay = commands.add_parser("replay", help="recorded input to documents, by recorded time")
    replay.add_argument("--audit", metavar="FILE", action="append", default=[], help="audit.log text; - is stdin")
    replay.add_argument(
        "--journal", metavar="PATH", action="append", default=[],
        help="a journal directory, a .journal file, or journalctl -o json lines",
    )  # fmt: skip
    replay.add_argument(
        "--sshd-log", metavar="FILE", action="append", default=[], help="lines of PID MESSAGE, without time; not trusted"
    )
    replay.add_argument("--host", metavar="H", help="default: the journal's, else node=, else unknown")
    replay.add_argument("--machine-id", metavar="M", help="default: the journal's, else unknown")
    replay.add_argument("--config", metavar="FILE", help="read nothing but this from the system")
    replay.add_argument(
        "--trusted-ca", metavar="FP", action="append", default=[],
        help="fingerprint (SHA256:...) of a CA whose key ids name people; without any, CATrust is unchecked",
    )  # fmt: skip
    replay.add_argument("--output", metavar="FILE", default="-", help="replaced if it is there; - (default) is stdout")
    replay.set_defaults(run=_replay)

    parse = commands.add_parser("parse", help="every audit event, normalised, as JSON lines")
    parse.add_argument("file", metavar="FILE", nargs="*", help="default: stdin")
    parse.set_defaults(run=_parse)

    check = commands.add_parser("check-config", help="say what is wrong with a configuration, or nothing")
    check.add_argument("file", metavar="FILE", nargs="?", help="default: /etc/audisp-maldito/config.yaml")
    check.set_defaults(run=_check_config)

    rules = commands.add_parser("rules", help="have what people do recorded: install, check or remove our audit rules")
    rules.add_argument("action", choices=("install", "check", "remove"))
    rules.add_argument("set", nargs="*", help="with install, beside the base set: network, ptrace, containers ...")
    rules.add_argument("--quiet", action="store_true", help="say nothing of what was done")
    rules.set_defaults(run=_rules)

    doctor = commands.add_parser("doctor", help="what on this host keeps it from working, each with its fix")
    doctor.add_argument("--json", action="store_true", help="one object for each finding")
    doctor.add_argument("--config", metavar="FILE", help="default: the one that auditd gives the plugin")
    doctor.set_defaults(run=_doctor)
    return parser


def _plugin(arguments: argparse.Namespace) -> int:
    from . import plugin

    return plugin.run(arguments.config)


def _check_config(arguments: argparse.Namespace) -> int:
    from . import config

    path = arguments.file or config.DEFAULT_PATH
    config.load(path)
    print(f"{path}: good")
    return 0


def _rules(arguments: argparse.Namespace) -> int:
    from . import rules

    return rules.main(arguments.action, arguments.set, arguments.quiet)


def _doctor(arguments: argparse.Namespace) -> int:
    from . import doctor

    return doctor.main(arguments.config, arguments.json)


def _parse(arguments: argparse.Namespace) -> int:
    from . import normalize
    from ._native import Assembler
    from .jsonline import encode
    from .replay import chunks

    assembler = Assembler()
    output = sys.stdout.buffer

    def show(events: list[object]) -> None:
        for event in events:
            document = normalize.parsed(normalize.action(event))  # type: ignore[arg-type]
            output.write(encode(document, document) + b"\n")

    for chunk in chunks(arguments.file or ["-"], _read):
        show(assembler.feed(chunk, 0.0))  # type: ignore[arg-type]
    show(assembler.close())  # type: ignore[arg-type]
    _say_rejected(assembler.stats(), [(sample.reason, sample.line) for sample in assembler.rejected()])
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    from . import config, journal
    from .replay import Replay, chunks

    if not (arguments.audit or arguments.journal or arguments.sshd_log):
        raise ConfigError("replay", "nothing to read: give --audit, --journal or --sshd-log")
    if arguments.journal and arguments.sshd_log:
        raise ConfigError("replay", "--sshd-log believes everything and --journal what is proven: give one of them")
    for fingerprint in arguments.trusted_ca:
        if not config.FINGERPRINT.fullmatch(fingerprint):
            raise ConfigError("--trusted-ca", f"{fingerprint!r} is no fingerprint as `ssh-keygen -lf CA.pub` prints it")
    settings = config.load(arguments.config) if arguments.config else config.Config()
    if arguments.trusted_ca:
        settings = settings._replace(trusted_cas=None)
    recording = journal.recorded(arguments.journal, frozenset(settings.sshd_paths))
    trusted: Optional[frozenset[str]] = frozenset(arguments.trusted_ca) or None
    policy = settings.policy(
        trusted_cas=trusted,
        host=arguments.host or settings.host or recording.host or _node(arguments.audit) or "unknown",
        machine_id=arguments.machine_id or recording.machine_id or "unknown",
        units_required=recording.has_units,
        untimed=bool(arguments.sshd_log),
    )
    untimed = [entry for path in arguments.sshd_log for entry in _sshd_log(path)]
    if untimed:
        print("maldito: --sshd-log proves nothing (no time, no sender): its documents bear data.Trusted false", file=sys.stderr)
    replay = Replay(policy, recording.boots)
    with _output(arguments.output) as output:
        for line in replay.documents(chunks(arguments.audit, _read), recording.entries, untimed):
            output.write(line + b"\n")
    stats = replay.stats()
    _say_rejected(stats, replay.rejected())
    if recording.rejected:
        print(f"maldito: {recording.rejected} lines of the journal are no JSON objects", file=sys.stderr)
    if stats.get("forgeries"):
        print(f"maldito: {stats['forgeries']} journal entries imitate sshd and were not believed", file=sys.stderr)
    return 0


def _node(paths: list[str]) -> Optional[str]:
    """The node= of the first line, where auditd was told to write one."""
    for path in paths:
        if path == "-":
            return None
        first = next(iter(_read(path)), b"")[:512]
        if first.startswith(b"node="):
            return first[5:].split(b" ", 1)[0].decode("utf-8", "replace")
    return None


def _sshd_log(path: str) -> Iterator[SshdEntry]:
    """The Go original's input: pid, blank, message. It takes a pid that is no number too, and ignores a line without a blank."""
    from .journal import number
    from .model import SshdEntry

    for line in b"".join(_read(path)).split(b"\n"):
        pid, blank, text = line.partition(b" ")
        if blank:
            message = text.lstrip(b" ").decode("utf-8", "surrogateescape")
            numeric = number(pid)
            shown = None if numeric is not None else pid.decode("utf-8", "surrogateescape")
            yield SshdEntry(pid=numeric, time_us=0, message=message, size=len(text), pid_text=shown)


def _read(path: str) -> Iterator[bytes]:
    """A file's bytes in chunks; "-" is stdin."""
    from .replay import CHUNK

    try:
        with open(0 if path == "-" else path, "rb", buffering=0, closefd=path != "-") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise InputError(path, error.strerror) from error


def _output(path: str) -> BinaryIO:
    if path == "-":
        return open(1, "wb", closefd=False)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ConfigError(path, f"cannot be written: {error.strerror}") from error
    return open(descriptor, "wb")


def _say_rejected(stats: dict[str, int], samples: list[tuple[str, bytes]]) -> None:
    if not stats.get("rejected"):
        return
    print(f"maldito: {stats['rejected']} of {stats['lines']} lines are no audit records:", file=sys.stderr)
    prefix = "rejected_"
    for name, count in sorted(stats.items()):
        if name.startswith(prefix) and count:
            sample = next((line for reason, line in samples if reason == name[len(prefix) :]), None)
            print(f"  {count} {name[len(prefix) :]}" + (f", such as {sample[:80]!r}" if sample else ""), file=sys.stderr)
