# SPDX-License-Identifier: Apache-2.0
"""Secrets in command lines, and typed text: out of an Action before anybody writes it.

Works on words. An argument without blanks is a word; one with blanks (`sh -c "…"`, a header) is a line of words of
its own, in which quotes hold words together. A word may be an option that holds a secret or announces that the next
one does; what is one is in data/secrets.yaml. The mark says how long the secret was: `[redacted:12]`.

Time is linear: every word is looked at once, by patterns in which no two parts can match the same character.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple, Optional

from . import tables
from .model import Action

_TABLE = tables.load("secrets")
_TYPED = frozenset(["TTY", "USER_TTY"])
_COMMANDS = frozenset(["USER_CMD", "ANOM_EXEC"])
"""Their object is a command line."""
_DEPTH = 3
"""`sh -c "ssh host 'sh -c …'"` is as deep as anybody quotes."""
PATTERN_LENGTH = 200
"""The longest pattern that an operator may add."""

_NAME = re.compile(
    r"(?P<before>^-{0,2}|[,;&?\"'])(?P<name>[A-Za-z0-9_.-]{1,64})=(?P<value>(?:\"[^\"]*\"|'[^']*'|[^,;&\s])*)"
)
_URL = re.compile(r"(?P<before>[A-Za-z0-9+.-]{1,20}://[^/\s:@]{0,64}:)(?P<value>[^@/\s]{1,256})(?=@)")
_BLANK = re.compile(r"\s")
_WORD = re.compile(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*'|[\"'])+|\s+")
_HEADER = re.compile(
    r"(?P<before>(?:\b|(?<=-H))(?:"
    + "|".join(map(re.escape, _TABLE["headers"]))
    + r")\s{0,4}[:=]\s{0,4})(?P<value>[^\"']+)",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"(?<![A-Za-z0-9_])(?P<before>)(?P<value>"
    + "|".join(rf"{re.escape(prefix)}[A-Za-z0-9_.=-]{{{least},}}" for prefix, least in _TABLE["prefixes"].items())
    + ")"
)
_CONTAIN, _WHOLE = tuple(_TABLE["names"]["contain"]), frozenset(_TABLE["names"]["whole"])
_END = tuple(end.replace("-", "") for end in _TABLE["names"]["end"])
_PROGRAMS: dict[str, dict[str, list[str]]] = {name: rule for rule in _TABLE["programs"] for name in rule["names"]}
_NO_PROGRAM: dict[str, list[str]] = {}


_SQUEEZED = str.maketrans("", "", "-_.")
_NAMES = (*_CONTAIN, *_WHOLE, *(header.translate(_SQUEEZED) for header in _TABLE["headers"]))
_TELLTALES = ("://", *_TABLE["prefixes"], *_PROGRAMS)


@functools.lru_cache(maxsize=1024)
def _title_may_hold(title: str) -> bool:
    """Titles are at most 128 bytes long, and those of a session few."""
    return _may_hold(title)


def _may_hold(text: str) -> bool:
    """Whether a closer look is worth its time: most command lines hold nothing that could be a secret."""
    if any(telltale in text for telltale in _TELLTALES):
        return True
    squeezed = text.lower().translate(_SQUEEZED)
    return any(name in squeezed for name in _NAMES)


def mark(secret: str) -> str:
    return f"[redacted:{len(secret)}]"


def _masked(match: re.Match[str]) -> str:
    return match["before"] + mark(match["value"])


def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "").replace("_", "").replace(".", "")
    return plain in _WHOLE or (any(part in plain for part in _CONTAIN) and not plain.endswith(_END))


def _named(match: re.Match[str]) -> str:
    if not _is_secret(match["name"]) or not match["value"]:
        return match[0]
    return f"{match['before']}{match['name']}={mark(match['value'])}"


class Pattern(NamedTuple):
    """An operator's pattern: a word with at most one `*`, which stands for the secret; without it all of it is."""

    before: str
    after: Optional[str]

    @classmethod
    def read(cls, text: str) -> Pattern:
        if not text or len(text) > PATTERN_LENGTH or text.count("*") > 1 or text == "*":
            raise ValueError(f"a pattern has 1 to {PATTERN_LENGTH} characters, of which at most one is '*'")
        before, star, after = text.partition("*")
        return cls(before, after if star else None)

    def masked(self, word: str) -> Optional[str]:
        if self.after is None:
            return mark(word) if word == self.before else None
        if len(word) < len(self.before) + len(self.after) or not word.startswith(self.before):
            return None
        if not word.endswith(self.after):
            return None
        end = len(word) - len(self.after)
        return self.before + mark(word[len(self.before) : end]) + word[end:]


class Redaction:
    """What is kept out of the documents: `arguments` (secrets in command lines), `typed` (keystrokes), and what more
    `patterns` name."""

    __slots__ = ("arguments", "patterns", "typed")

    def __init__(self, arguments: bool = True, typed: bool = True, patterns: tuple[str, ...] = ()) -> None:
        self.arguments, self.typed = arguments, typed
        self.patterns = tuple(Pattern.read(text) for text in patterns)

    def apply(self, action: Action) -> Action:
        """The Action without secrets; the same object where it has none."""
        changes: dict[str, Any] = {}
        if self.arguments and action.type not in _TYPED:
            changes = self._commands(action)
        if self.typed and not _TYPED.isdisjoint(action.records):
            changes.update(_without_keys(action._replace(**changes)))
        return action._replace(**changes) if changes else action

    def _commands(self, action: Action) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if action.args and (self.patterns or _may_hold("\0".join(action.args))):
            args = self.words(action.args)
            if args != action.args:
                changes["args"] = args
        if action.title is not None and (self.patterns or _title_may_hold(action.title)):
            # One whole text where it is no list of arguments ("sshd: core [priv]").
            words = action.title.split("\0")
            title = "\0".join(self.words(words)) if len(words) > 1 else self.line(words[0])
            if title != action.title:
                changes["title"] = title
        if action.type in _COMMANDS and action.object.primary is not None:
            command = self.line(action.object.primary)
            if command != action.object.primary:
                changes["object"] = action.object._replace(primary=command)
        if "cmdline" in action.details:
            command = self.line(str(action.details["cmdline"]))
            if command != action.details["cmdline"]:
                changes["details"] = {**action.details, "cmdline": command}
        return changes

    def line(self, text: str, depth: int = 1) -> str:
        """A command line, or any text with blanks in it; `depth` counts the quotes around it."""
        pieces: list[str] = _WORD.findall(_HEADER.sub(_masked, text))
        words = self.words([piece for piece in pieces if not piece.isspace()], depth)
        left = iter(words)
        return "".join(piece if piece.isspace() else next(left) for piece in pieces)

    def words(self, words: list[str], depth: int = 0) -> list[str]:
        """The words of one command line; at depth 0 they are whole arguments."""
        program, expected = _NO_PROGRAM, ""
        done: list[str] = []
        for word in words:
            if expected and not word.startswith("-"):
                done.append(_second(word) if expected == "pair" else mark(word))
                expected = ""
                continue
            program = _PROGRAMS.get(word.rpartition("/")[2], program)
            changed, expected = self._word(word, program, depth)
            done.append(changed)
        return done

    def _word(self, word: str, program: dict[str, list[str]], depth: int) -> tuple[str, str]:
        """One word without its secrets, and what the next one is: "secret", "pair" (user:secret) or nothing known."""
        for pattern in self.patterns:
            masked = pattern.masked(word)
            if masked is not None:
                return masked, ""
        if _BLANK.search(word):
            if depth == 0:
                return self.line(word), ""
            if depth < _DEPTH and len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
                return word[0] + self.line(word[1:-1], depth + 1) + word[-1], ""
        if word.startswith(("-", "/")):
            known = _option(word, program)
            if known is not None:
                return known
        if word.startswith("--") and "=" not in word:
            return word, "secret" if _is_secret(word[2:]) else ""
        word = _NAME.sub(_named, word)
        return _PREFIX.sub(_masked, _URL.sub(_masked, _HEADER.sub(_masked, word))), ""


def _without_keys(action: Action) -> dict[str, Any]:
    """What was typed stands in the object, if that decides what the event is, and in any case in the details."""
    changes: dict[str, Any] = {"details": {name: value for name, value in action.details.items() if name != "keys"}}
    if action.type in _TYPED and action.object.primary is not None:
        changes["object"] = action.object._replace(primary=mark(action.object.primary))
    return changes


def _second(word: str) -> str:
    """user:secret or user%secret; without a second part nothing is hidden."""
    user, colon, secret = word.partition(":" if ":" in word else "%")
    return user + colon + mark(secret) if secret else word


def _option(word: str, program: dict[str, list[str]]) -> Optional[tuple[str, str]]:
    """A short option of a program that we know."""
    for kind in ("next", "pair"):
        if word in program.get(kind, ()):
            return word, "pair" if kind == "pair" else "secret"
    for option in program.get("attached", ()):
        if word.startswith(option) and len(word) > len(option) and not word.startswith("--"):
            return option + mark(word[len(option) :]), ""
    for option in program.get("pair", ()):
        if word.startswith(option) and not word.startswith("--"):
            return option + _second(word[len(option) :]), ""
    return None
