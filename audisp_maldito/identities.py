# SPDX-License-Identifier: Apache-2.0
"""The operator's directory of persons: a YAML file that says whose keys and whose certificates' key ids are whose.

    keys:                                        # a key's fingerprint, as `ssh-keygen -l` prints it
      SHA256:frGtfUnZ8huEWJjAGnmLsmCqE0to2nuvfP4qhIUIUaI: alice@example.org
    certificates:                                # the fingerprint of the CA, then key ids: * any text, ? any character
      SHA256:Tng9IFHhTkyQl2KWMZmyCBKsPvgBzrK2iEOn1l8pXXY:
        "alice-*": alice@example.org

Whoever can write it decides who is named, so it is read as the configuration is: root's alone (rootfile.py). One
mistake refuses the whole file, since an entry that is silently missing turns a person into somebody unknown, or
worse. It is read event by event: YAML's node trees take a hundred times the text's size.
"""

from __future__ import annotations

from typing import Any, Callable

from . import rootfile, yamlfile
from .config import FINGERPRINT
from .errors import ConfigError, InputError
from .persons import KeyIdPattern, Persons

DEFAULT_PATH = "/etc/audisp-maldito/identities.yaml"
SIZE_LIMIT = 4 * 1024 * 1024
ENTRIES_LIMIT = 20_000
"""Twice as many keys as sshd is asked to look through anywhere; each costs about 300 bytes."""
PATTERNS_LIMIT = 2_000
"""Of one CA: each is tried on every login by a certificate of it, in about a microsecond."""
TEXT_LIMIT = 256


def load(path: str) -> Persons:
    """The directory, or a ConfigError that says where it is wrong."""
    try:
        data = rootfile.read(path, SIZE_LIMIT)
    except InputError as error:
        raise ConfigError(path, error.args[1]) from error
    return parse(data, path)


def parse(data: bytes, path: str) -> Persons:
    """The directory that `data` holds; `path` is only for the messages."""
    return _File(data, path).persons()


class _File:
    """One pass over the events of a file of two mappings."""

    def __init__(self, data: bytes, path: str) -> None:
        import yaml

        self._yaml = yaml
        self._path = path
        hint = "; a text that begins with * or ? must be quoted" if b"*" in data or b"?" in data else ""
        self._events = yamlfile.events(data, path, hint)
        self._line = 1
        self._keys: dict[str, str] = {}
        self._patterns: dict[tuple[str, str], str] = {}
        self._of_ca: dict[str, int] = {}

    def persons(self) -> Persons:
        event = self._next()
        while isinstance(event, (self._yaml.StreamStartEvent, self._yaml.DocumentStartEvent)):
            event = self._next()
        empty = isinstance(event, self._yaml.ScalarEvent) and not event.value and event.style is None
        if not empty and not isinstance(event, self._yaml.StreamEndEvent):
            self._mapping(event, self._section)
            self._expect(self._yaml.DocumentEndEvent, "something after the two lists")
            self._expect(self._yaml.StreamEndEvent, "a second document")
        return Persons(self._keys, (KeyIdPattern(ca, glob, who) for (ca, glob), who in self._patterns.items()))

    def _section(self, name: str) -> None:
        if name == "keys":
            self._mapping(self._next(), self._key)
        elif name == "certificates":
            self._mapping(self._next(), self._authority)
        else:
            self._wrong(f"unknown list {name!r}; there are 'keys' and 'certificates'")

    def _key(self, fingerprint: str) -> None:
        self._fingerprint(fingerprint)
        self._add(self._keys, fingerprint, fingerprint)

    def _authority(self, ca: str) -> None:
        self._fingerprint(ca)

        def pattern(glob: str) -> None:
            if not glob or len(glob) > TEXT_LIMIT:
                self._wrong(f"a key id's pattern must have 1 to {TEXT_LIMIT} characters")
            self._add(self._patterns, (ca, glob), glob)
            self._of_ca[ca] = self._of_ca.get(ca, 0) + 1
            if self._of_ca[ca] > PATTERNS_LIMIT:
                self._wrong(f"more than {PATTERNS_LIMIT} patterns of one CA")

        self._mapping(self._next(), pattern)

    def _fingerprint(self, text: str) -> None:
        if not FINGERPRINT.fullmatch(text):
            self._wrong(f"{text!r:.80} is no fingerprint as `ssh-keygen -l` prints it (SHA256:… or MD5:…)")

    def _add(self, entries: dict[Any, str], entry: Any, shown: str) -> None:
        line = self._line
        person = self._text(self._next())
        if person.strip() != person or not person.isprintable() or person in ("", "unknown"):
            self._wrong(f"{shown!r:.80} needs a person: a text on one line, not {person!r:.80}")
        if entries.get(entry, person) != person:
            self._line = line
            self._wrong(f"{shown!r:.80} has two persons: {entries[entry]!r} and {person!r}")
        entries[entry] = person
        if len(self._keys) + len(self._patterns) > ENTRIES_LIMIT:
            self._wrong(f"more than {ENTRIES_LIMIT} entries")

    # Events

    def _mapping(self, start: Any, entry: Callable[[str], None]) -> None:
        """`entry` is called with each key, and takes the value itself."""
        if isinstance(start, self._yaml.ScalarEvent) and not start.value:
            return
        if not isinstance(start, self._yaml.MappingStartEvent):
            self._wrong("'name: value' lines are expected here")
        while not isinstance(event := self._next(), self._yaml.MappingEndEvent):
            entry(self._text(event))

    def _text(self, event: Any) -> str:
        if not isinstance(event, self._yaml.ScalarEvent) or len(event.value) > TEXT_LIMIT:
            self._wrong(f"a text of at most {TEXT_LIMIT} characters is expected here")
        return str(event.value)

    def _next(self) -> Any:
        event = next(self._events)
        if event.start_mark is not None:
            self._line = event.start_mark.line + 1
        return event

    def _expect(self, kind: Any, otherwise: str) -> None:
        if not isinstance(self._next(), kind):
            self._wrong(otherwise)

    def _wrong(self, what: str) -> None:
        raise ConfigError(f"{self._path}:{self._line}", what)
