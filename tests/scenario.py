# SPDX-License-Identifier: Apache-2.0
"""A scenario is a text that anybody on call can write: what came in, and every document that must come out of it.

    # words for the reader
    policy trusted_cas=SHA256:Company units_required=no   before the first input; else the defaults below hold
    person SHA256:Bob bob@example.org   the operator's identities file has it (from here on); SHA256:CA/GLOB: a pattern
    @1000                      the clock: seconds, audit stamps and journal times are taken from it (1000 to begin with)
    @+1.5                      it moves on; the journal has been read to its end, and time has its effects
    @+6 stalled                it moves on, and nobody could read the journal
    sshd[71] uid=1000 exe= unit=cron.service ses=5 time=-0.2: MESSAGE
                               a journal entry; without a word a true monitor's (uid=0 exe=/usr/sbin/sshd
                               unit=ssh.service transport=syslog), `exe=` has none, time is relative to the clock;
                               past=yes: older than the plugin's own start; line_break=yes
    LOGIN pid=71 ses=5         what pam_loginuid writes; auid=1000 old-ses= exe=/usr/sbin/sshd uid=0 res=1
    EXEC pid=80 ses=5: ls -l   auid=1000 uid=1000 ppid=
    END pid=71 ses=5           USER_END by sshd's monitor; so do CRED_DISP, USER_START, USER_CMD …; exe=/usr/bin/sudo
    type=… or node=…           an audit record as it is; {stamp} is a new stamp, {same} the last one again
    again                      the last audit records once more
    restart                    a new plugin that knows nothing; same boot
    close                      the end of both inputs; the last line of every scenario but the last expectation
    > UserLogin alice@example.org core 192.0.2.7:50482 succeeded ses=5
    > UserAction alice@example.org ses=5 executed /usr/bin/ls Reason~"not trusted"
                               all documents since the last such block, in order; key=value and key~part further down
    >! counter forgeries=1     counters at this point

{lf}, {cr}, {esc}, {gs} stand for those control characters, {pad 500} for as many blanks ({pad 500 x}: x) as make the
MESSAGE 500 bytes long. A mark (see MARKS) must be expected when it is there; other keys are compared where they are
given.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, Callable, Optional, Union

from audisp_maldito._native import Assembler
from audisp_maldito.engine import Engine
from audisp_maldito.model import SshdEntry
from audisp_maldito.persons import KeyIdPattern, Persons
from audisp_maldito.trust import Policy

from . import documents, records

BOOT = "5f2e6c30c1d14ac8b2b3c1a6a2f3c9d1"
COMPANY = "SHA256:Company"
MARKS = (
    "contested", "inherited", "candidates", "detached", "escalated", "fromSelf", "KeyIDTruncated",
    "InvalidUser", "Trusted", "Factors", "ConfirmedBy", "Testimony", "IdentitySource", "After",
)  # fmt: skip
CONTROLS = {"{lf}": "\n", "{cr}": "\r", "{esc}": "\x1b", "{gs}": "\x1d"}

_ENTRY = re.compile(r"sshd\[(\d+)\]((?: \w+=\S*)*): (.*)")
_PAD = re.compile(r"\{pad (\d+)(?: (.))?\}")
_USER_RECORD = re.compile(r"(?:END|USER_\w+|CRED_\w+) ")


class ScenarioError(Exception):
    """The text is no scenario."""


class Scenario:
    """Runs one text through one engine. `assembler` makes it, so that laws can be checked on the same texts."""

    def __init__(self, text: str, assembler: Callable[[], Optional[Assembler]] = lambda: None) -> None:
        self._lines = list(enumerate(text.splitlines(), 1))
        self._assembler = assembler
        self._policy = Policy(host="web1", machine_id="mid", trusted_cas=frozenset([COMPANY]))
        self._keys: dict[str, str] = {}
        self._patterns: list[KeyIdPattern] = []
        self._engine: Optional[Engine] = None
        self._clock = 1000.0
        self._serial = 100
        self._stamp = ""
        self._last: list[str] = []
        self._found: list[documents.Document] = []
        self.written: list[bytes] = []
        self._closed = False

    def run(self) -> None:
        """AssertionError names the line and shows what came instead."""
        expected: list[str] = []
        for number, line in self._lines:
            if line.startswith("> "):
                expected.append(line[2:])
                continue
            if expected:
                self._compare(expected, number - 1)
                expected = []
            try:
                self._step(line)
            except (ValueError, KeyError, TypeError) as error:
                raise ScenarioError(f"line {number}: {line!r}: {error}") from error
        self._compare(expected, len(self._lines))
        if not self._closed:
            raise ScenarioError("the scenario does not end with `close`")

    def _step(self, line: str) -> None:
        word = line.partition(" ")[0]
        if not word or word.startswith("#"):
            return
        if word == "policy":
            self._set_policy(_pairs(line.partition(" ")[2]))
        elif word == "person":
            self._listed(*line.split()[1:])
        elif word == ">!":
            self._check_counters(line)
        elif word.startswith("@"):
            self._move(word[1:], stalled=line.endswith(" stalled"))
        elif word == "restart":
            self._engine = None
        elif word == "close":
            self._closed = True
            self._took(self.engine.close(self._clock))
        elif word.startswith("sshd["):
            self._took(self.engine.sshd(self._entry(line), self._clock))
        else:
            self._last = self._last if word == "again" else self._records(line)
            data = "".join(record + "\n" for record in self._last).encode("utf-8", "surrogateescape")
            self._took(self.engine.feed(data, self._clock))

    @property
    def engine(self) -> Engine:
        """Made by the first input, since the policy comes before it."""
        if self._engine is None:
            self._engine = Engine(self._policy, boot_id=BOOT, assembler=self._assembler())
        return self._engine

    def _took(self, lines: list[bytes]) -> None:
        self.written += lines
        self._found += [documents.read(line) for line in lines]

    def _set_policy(self, pairs: dict[str, str]) -> None:
        values: dict[str, Any] = {}
        for key, value in pairs.items():
            if key == "trusted_cas":
                values[key] = None if value == "unchecked" else frozenset(value.split(",")) - {""}
            elif key in ("sshd_paths", "sshd_units"):
                values[key] = type(getattr(self._policy, key))(value.split(","))
            elif key == "addresses":
                values[key] = frozenset(value.split(","))
            elif key in ("units_required", "untimed", "multi_factor", "audit_identity"):
                values[key] = value == "yes"
            else:
                values[key] = type(getattr(self._policy, key))(value)
        self._policy = self._policy._replace(**values)

    def _listed(self, key: str, person: str) -> None:
        ca, slash, glob = key.partition("/")
        if slash:
            self._patterns.append(KeyIdPattern(ca, glob, person))
        else:
            self._keys[key] = person
        self._policy = self._policy._replace(persons=Persons(self._keys, self._patterns))
        if self._engine is not None:
            self._engine.reconfigure(self._policy)

    def _check_counters(self, line: str) -> None:
        stats = self.engine.stats()
        wanted = {key: int(value) for key, value in _pairs(line.partition("counter ")[2]).items()}
        found = {key: stats[key] for key in wanted}
        assert found == wanted, f"{line}: there are {found}"

    def _move(self, to: str, stalled: bool) -> None:
        to = to.partition(" ")[0]
        self._clock = round(self._clock + float(to[1:]) if to[0] == "+" else float(to), 3)
        if not stalled:
            self._took(self.engine.journal_read(self._clock, self._clock))
        self._took(self.engine.tick(self._clock))

    def _entry(self, line: str) -> SshdEntry:
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise ScenarioError(f"no journal entry: {line!r}")
        said = {"uid": "0", "exe": records.SSHD, "unit": "ssh.service", "transport": "syslog", "time": "+0", "ses": ""}
        said.update(_pairs(match[2]))
        message = _PAD.sub(lambda pad: _padding(match[3], pad), _controls(match[3]))
        return SshdEntry(
            pid=int(match[1]),
            time_us=round((self._clock + float(said["time"])) * 1_000_000),
            message=message,
            size=len(message.encode()),
            uid=int(said["uid"]) if said["uid"] else None,
            exe=said["exe"] or None,
            unit=said["unit"] or None,
            transport=said["transport"] or None,
            identifier=said.get("identifier", "sshd"),
            audit_session=int(said["ses"]) if said["ses"] else None,
            line_break=said.get("line_break") == "yes",
            stripped=said.get("stripped") == "yes",
            past=said.get("past") == "yes",
            boot_id=BOOT,
        )

    def _records(self, line: str) -> list[str]:
        if line.startswith(("type=", "node=")):
            if "{stamp}" in line:
                self._new_stamp()
            return [_controls(line.replace("{stamp}", self._stamp).replace("{same}", self._stamp))]
        head, _, command = line.partition(": ")
        word, _, rest = head.partition(" ")
        said: dict[str, Any] = {key.replace("-", "_"): _number(value) for key, value in _pairs(rest).items()}
        stamp = self._new_stamp(float(said.pop("time", 0)))
        if word == "LOGIN":
            said["exe"] = said.get("exe", records.SSHD) or None
            return records.login(stamp, **said)
        if word == "EXEC":
            return records.execute(stamp, command=shlex.split(command), **said)
        if _USER_RECORD.match(line):
            return records.user(stamp, "USER_END" if word == "END" else word, **said)
        raise ScenarioError(f"no such line: {line!r}")

    def _new_stamp(self, later: float = 0.0) -> str:
        self._serial += 1
        milliseconds = round((self._clock + later) * 1000)
        self._stamp = f"{milliseconds // 1000}.{milliseconds % 1000:03d}:{self._serial}"
        return self._stamp

    def _compare(self, expected: list[str], number: int) -> None:
        found, self._found = self._found, []
        shown = "\n".join("> " + show(document) for document in found)
        assert len(found) == len(expected), (
            f"up to line {number}: {len(expected)} documents expected, there came:\n{shown}"
        )
        for document, line in zip(found, expected):
            complaint = differs(document, line)
            assert complaint is None, f"up to line {number}: > {line}\n{complaint}; there came:\n{shown}"


def show(document: documents.Document) -> str:
    """A document as an expectation that it meets."""
    kind, subjects, data = document["type"], document["subjects"], document.get("data", {})
    extra = document["metadata"]["extra"]
    if kind == "UserLogin":
        source = document["source"]
        port = source.get("extra", {}).get("port", "-")
        words = [subjects["userID"], subjects["loggedAs"], f"{source['value']}:{port}", document["outcome"]]
    elif kind in ("UserAction", "SystemAction"):
        words = [subjects["userID"], f"ses={document['metadata']['auditId']}", extra["action"]]
        words.append(extra["object"].get("primary", "-"))
    elif kind in ("UserLogout", "UserIdentified"):
        words = [subjects["userID"], f"ses={document['metadata']['auditId']}"]
    else:
        words = []
    shown = [kind, *map(_quoted, words)]
    if kind == "UserLogin" and "session" in extra:
        shown.append(f"ses={extra['session']}")
    shown += [f"{mark}={_quoted(_said(document, mark))}" for mark in MARKS if mark in data]
    shown += [f"{key}={_quoted(_said(document, key))}" for key in ("CATrust", "Reason", "actions") if key in data]
    return " ".join(shown)


def differs(document: documents.Document, line: str) -> Optional[str]:
    """What of an expectation the document does not meet; None if it meets it all."""
    fixed = [word for word in shlex.split(show(document)) if not _condition(word)]
    words = shlex.split(line)
    if [word for word in words if not _condition(word)] != fixed:
        return f"not {' '.join(fixed)}"
    given = dict(filter(None, map(_condition, words)))
    for key, (operator, value) in given.items():
        said = _said(document, key)
        if said is None or (value not in said if operator == "~" else value != said):
            return f"{key} is {said!r}"
    marked = [mark for mark in MARKS if mark in document.get("data", {})]
    if _said(document, "ses") is not None and document["type"] != "AuditGap":
        marked.append("ses")
    unexpected = [mark for mark in marked if mark not in given]
    return f"{unexpected} not expected" if unexpected else None


def _condition(word: str) -> Optional[tuple[str, tuple[str, str]]]:
    match = re.fullmatch(r"([A-Za-z]\w*)([=~])(.*)", word, re.DOTALL)
    return None if match is None else (match[1], (match[2], match[3]))


def _said(document: documents.Document, key: str) -> Optional[str]:
    extra, data = document["metadata"]["extra"], document.get("data", {})
    if key == "ses":
        login = document["type"] == "UserLogin"
        return extra.get("session") if login else str(document["metadata"]["auditId"])
    if key == "contested" and key in data:
        return str(len(data[key]))
    if key == "Factors" and key in data:
        return ",".join(":".join(filter(None, (f["Method"], f.get("KeyID", f.get("SSHKeySum"))))) for f in data[key])
    if key == "escalated" and key in data:
        return " ".join(str(value) for name, value in data[key].items() if name != "event")
    for place in (data, document["subjects"], extra, document):
        if key in place:
            return _text(place[key])
    return None


def _text(value: Union[str, list[str], int, bool]) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(value: Optional[str]) -> str:
    return shlex.quote(value or "")


def _pairs(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in text.split()]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError(f"not key=value: {text!r}")
    return {key: value for key, _, value in pairs}


def _number(value: str) -> Union[int, float, str]:
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    return float(value) if re.fullmatch(r"[-+]\d*\.\d+", value) else value


def _controls(text: str) -> str:
    for word, character in CONTROLS.items():
        text = text.replace(word, character)
    return text


def _padding(message: str, pad: re.Match[str]) -> str:
    rest = len(_PAD.sub("", _controls(message)).encode())
    return (pad[2] or " ") * (int(pad[1]) - rest)
