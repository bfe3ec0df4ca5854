# SPDX-License-Identifier: Apache-2.0
"""The command line: argparse, files in and out, exit codes. Every error an operator can answer is caught in `main`,
once.

Exit codes: 0 done (rejected lines are said on stderr), 1 an input could not be read or a check found something,
2 usage or configuration, 3 cannot tell.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Optional

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
    except MalditoError as error:
        print(f"maldito: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        _write_no_more()  # the reader of our output (head, a pager) has enough
        return 0
    except OSError as error:  # every input's own errors are InputErrors by now
        _write_no_more()
        print(f"maldito: cannot write the output: {error.strerror}", file=sys.stderr)
        return 1
    return code


def _write_no_more() -> None:
    """The interpreter would flush once more at its end, and fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


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
        "--sshd-log",
        metavar="FILE",
        action="append",
        default=[],
        help="lines of PID MESSAGE, without time; not trusted",
    )
    replay.add_argument("--host", metavar="H", help="default: the journal's, else node=, else unknown")
    replay.add_argument("--machine-id", metavar="M", help="default: the journal's, else unknown")
    replay.add_argument("--config", metavar="FILE", help="read nothing but this from the system")
    replay.add_argument(
        "--trusted-ca", metavar="FP", action="append", default=[],
        help="fingerprint (SHA256:...) of a CA whose key ids name people; without any, CATrust is unchecked",
    )  # fmt: skip
    replay.add_argument(
        "--identities", metavar="FILE", help="the operator's directory of keys; default: the one in FILE of --config"
    )
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
    rules.set_defaults(run=_rules)

    keys = commands.add_parser("keys", help="every key that could log in on this host, and whose it is")
    keys.add_argument("account", metavar="ACCOUNT", nargs="*", help="default: every account of /etc/passwd")
    keys.add_argument("--config", metavar="FILE", help="the plugin's, for its identities file and sshd_config")
    form = keys.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="an object for each key")
    form.add_argument("--yaml", action="store_true", help="a start for an identities file")
    keys.set_defaults(run=_keys)

    doctor = commands.add_parser("doctor", help="what on this host keeps it from working, each with its fix")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.add_argument("--config", metavar="FILE", help="default: the one that auditd gives the plugin")
    doctor.set_defaults(run=_doctor)
    return parser


def _plugin(arguments: argparse.Namespace) -> int:
    from . import plugin

    return plugin.run(arguments.config)


def _check_config(arguments: argparse.Namespace) -> int:
    from . import config, identities

    path = arguments.file or config.DEFAULT_PATH
    directory = config.load(path).identities
    print(f"{path}: good")
    if directory is not None:
        print(f"{directory}: good, {len(identities.load(directory))} entries")
    return 0


def _rules(arguments: argparse.Namespace) -> int:
    from . import rules

    return rules.main(arguments.action, arguments.set)


def _doctor(arguments: argparse.Namespace) -> int:
    from . import doctor

    return doctor.main(arguments.config, arguments.json)


def _keys(arguments: argparse.Namespace) -> int:
    from . import config, identities, keys

    given = arguments.config or (config.DEFAULT_PATH if os.path.lexists(config.DEFAULT_PATH) else None)
    settings = config.load(given) if given else config.Config()
    path = settings.identities or identities.DEFAULT_PATH
    persons = identities.load(path) if settings.identities or os.path.lexists(path) else None
    program = next((p for p in settings.sshd_paths if p.endswith("/sshd") and os.path.exists(p)), "/usr/sbin/sshd")
    survey = keys.Survey([program, "-f", settings.sshd_config], persons)
    survey.look(keys.listed(arguments.account))
    form = keys.as_json if arguments.json else keys.as_yaml if arguments.yaml else keys.as_text
    for line in form(survey.found):
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    for skipped in survey.skipped:
        print(f"maldito: {skipped.what}: {skipped.why}".encode("ascii", "backslashreplace").decode(), file=sys.stderr)
    return 1 if survey.skipped else 0


def _parse(arguments: argparse.Namespace) -> int:
    from . import normalize
    from ._native import Assembler
    from .jsonline import encode
    from .replay import chunks

    assembler = Assembler(hold=True)
    output = sys.stdout.buffer

    def show(events: list[object]) -> None:
        for event in events:
            if event.late:  # type: ignore[attr-defined]
                continue
            document = normalize.parsed(normalize.action(event))  # type: ignore[arg-type]
            output.write(encode(document, document) + b"\n")

    for chunk in chunks(arguments.file or ["-"], _read):
        show(assembler.feed(chunk, 0.0))  # type: ignore[arg-type]
    show(assembler.close())  # type: ignore[arg-type]
    stats = assembler.stats()
    if stats["records_late"]:
        print(f"maldito: {stats['records_late']} records came after their event was complete", file=sys.stderr)
    _say_rejected(stats, [(sample.reason, sample.line) for sample in assembler.rejected()])
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    from . import config, identities, journal
    from .replay import Replay, chunks
    from .trust import UNKNOWN

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
    directory = arguments.identities or settings.identities
    policy = settings.policy(
        trusted_cas=trusted,
        persons=identities.load(directory) if directory else None,
        host=arguments.host or settings.host or recording.host or UNKNOWN,
        machine_id=arguments.machine_id or recording.machine_id or UNKNOWN,
        units_required=recording.has_units,
        untimed=bool(arguments.sshd_log),
    )
    lines = (entry for path in arguments.sshd_log for entry in _sshd_log(path))
    untimed = [entry._replace(line=number) for number, entry in enumerate(lines, 1)]
    if untimed:
        print(
            "maldito: --sshd-log proves nothing (no time, no sender): its documents bear data.Trusted false",
            file=sys.stderr,
        )
    audit = _oldest_first(arguments.audit)
    _refuse_to_overwrite([*audit, *arguments.journal, *arguments.sshd_log], arguments.output)
    replay = Replay(policy, recording.boots)
    with _output(arguments.output) as output:
        for line in replay.documents(chunks(audit, _read), recording.entries, untimed):
            output.write(line + b"\n")
    stats = replay.stats()
    _say_rejected(stats, replay.rejected())
    if recording.rejected:
        print(f"maldito: {recording.rejected} lines of the journal are no JSON objects", file=sys.stderr)
    if stats.get("forgeries"):
        print(f"maldito: {stats['forgeries']} journal entries imitate sshd and were not believed", file=sys.stderr)
    return 0


def _refuse_to_overwrite(inputs: list[str], output: str) -> None:
    """An output that is one of the inputs would be emptied before it is read."""
    for path in inputs:
        if os.path.isfile(path) and os.path.isfile(output) and os.path.samefile(path, output):
            raise ConfigError(output, f"is the same file as the input {path}")


def _oldest_first(paths: list[str]) -> list[str]:
    """`audit.log*` is audit.log before audit.log.1: files go by their first stamp. What can be read only once stays."""
    if not all(os.path.isfile(path) for path in paths):
        return paths
    from ._native import header

    def begins(path: str) -> int:
        found = (header(line) for line in next(_read(path), b"").splitlines())
        return next((stamp[1] for stamp in found if stamp is not None), 0)

    return sorted(paths, key=begins)


def _sshd_log(path: str) -> Iterator[SshdEntry]:
    """The Go original's input: pid, blank, message. It takes a pid that is no number too, and ignores a line without
    a blank."""
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
            print(
                f"  {count} {name[len(prefix) :]}" + (f", such as {sample[:80]!r}" if sample else ""), file=sys.stderr
            )
