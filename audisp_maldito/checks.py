# SPDX-License-Identifier: Apache-2.0
"""What a table must be before it is compiled: checked at build time, each complaint with its file and line.

YAML lets a key stand twice and takes the last: here that is an error, since one of two rules for one thing would be
dead without anybody noticing. Unknown keys are errors too, as are record types, system calls and fields that do not
exist.
"""

from __future__ import annotations

import csv
import os
import re
from typing import Any, Callable, Optional

import yaml

from .errors import ConfigError

RECORD_TYPES = os.path.join("csrc", "record_types.h")


class Table(dict[str, Any]):
    """A mapping that knows where its keys stand."""

    def __init__(self, path: str, line: int) -> None:
        super().__init__()
        self.path, self.line = path, line
        self.lines: dict[str, int] = {}

    def wrong(self, what: str, key: Optional[str] = None) -> ConfigError:
        line = self.line if key is None else self.lines.get(key, self.line)
        return ConfigError(f"{self.path}:{line}", what)

    def only(self, *keys: str) -> None:
        """Refuse every key but these."""
        for key in self:
            if key not in keys:
                raise self.wrong(f"unknown key {key!r} (known: {', '.join(keys)})", key)


def read_yaml(path: str) -> Table:
    """The file's mapping, with lines; a key that stands twice is refused."""
    with open(path, encoding="utf-8") as f:
        try:
            node = yaml.compose(f, Loader=yaml.SafeLoader)
        except yaml.YAMLError as e:
            raise ConfigError(path, e) from e
    value = _value(path, node)
    if not isinstance(value, Table):
        raise ConfigError(path, "not a mapping")
    return value


def _value(path: str, node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(path, item) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return yaml.SafeLoader("").construct_object(node)
    table = Table(path, node.start_mark.line + 1)
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in table:
            raise ConfigError(f"{path}:{line}", f"{key!r} stands twice (first in line {table.lines[key]})")
        table[key], table.lines[key] = _value(path, value_node), line
    return table


def record_types(data: str) -> frozenset[str]:
    """The names in csrc/record_types.h: the one list of them, beside the package in a source tree."""
    path = os.path.join(os.path.dirname(os.path.dirname(data)), RECORD_TYPES)
    with open(path, encoding="utf-8") as f:
        return frozenset(re.findall(r"X\(\d+, (\w+)\)", f.read()))


def syscalls(path: str) -> dict[str, dict[str, str]]:
    """syscalls.csv -> architecture -> number (as text, as a record writes it) -> name."""
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    arches = [arch for arch in rows[0] if arch != "name"]
    tables: dict[str, dict[str, str]] = {arch: {} for arch in arches}
    for line, row in enumerate(rows, 2):
        for arch in arches:
            number = row[arch]
            if number and number in tables[arch]:
                raise ConfigError(f"{path}:{line}", f"{arch} {number} is {tables[arch][number]!r} already")
            if number:
                tables[arch][number] = row["name"]
    return tables


class Names:
    """What a rule may speak of."""

    def __init__(self, types: frozenset[str], calls: frozenset[str], constants: Table, fields: Table) -> None:
        fields.only("text", "word", "elsewhere")
        self.types, self.calls, self.constants = types, calls, constants
        self.fields = frozenset(fields["text"] + fields["word"])
        if len(self.fields) < len(fields["text"] + fields["word"]):
            raise fields.wrong("a field is listed twice")


SOURCES = frozenset(
    [
        "PATH",
        "PATH.first",
        "PATH.create",
        "PATH.delete",
        "PATH.unknown",
        "SOCKADDR.address",
        "SOCKADDR.port",
        "OBJ_PID.opid",
    ]
)
FORMS = frozenset(["octal", "id", "int", "hex", "access", "open", "socktype"])
RULE = ("action", "needs", "object", "how", "category", "from")
Source = list[Optional[str]]


def _sources(listed: list[str], rule: Table, names: Names) -> list[Source]:
    return [_source(text, rule, names) for text in listed]


def _source(text: str, rule: Table, names: Names) -> Source:
    name, _, form = text.partition(":")
    if name not in SOURCES and name not in names.fields:
        raise rule.wrong(f"{name!r} is no source and no field that a record has")
    if form and form not in FORMS and form not in names.constants:
        raise rule.wrong(f"{text!r}: there is no form or table {form!r}")
    return [name, form or None]


def _word(action: Any, rule: Table, names: Names) -> Any:
    """The action's word, or the field that chooses among several."""
    if isinstance(action, str) and action:
        return action
    if not isinstance(action, Table) or "by" not in action or "else" not in action:
        raise rule.wrong("`action` is a word, or a mapping with `by` and `else`", "action")
    if action["by"] not in names.fields:
        raise action.wrong(f"{action['by']!r} is no field that a record has", "by")
    words = {value: word for value, word in action.items() if value not in ("by", "else")}
    return {"by": action["by"], "else": action["else"], "words": words}


def _rule(rule: Table, key: str, names: Names) -> dict[str, Any]:
    rule.only(key, *RULE)
    for needed in ("action", "category", "from"):
        if needed not in rule:
            raise rule.wrong(f"the rule lacks {needed!r}")
    if rule["from"] not in ("go", "userspace", "ours"):
        raise rule.wrong("`from` is go, userspace or ours", "from")
    thing = rule.get("object", Table(rule.path, rule.line))
    thing.only("kind", "path", "primary", "secondary")
    if rule.get("needs", "op") not in names.fields:
        raise rule.wrong(f"{rule['needs']!r} is no field that a record has", "needs")
    return {
        "action": _word(rule["action"], rule, names),
        "needs": rule.get("needs"),
        "kind": thing.get("kind"),
        "path": thing.get("path", 0),
        "primary": _sources(thing.get("primary", []), thing, names),
        "secondary": _sources(thing.get("secondary", []), thing, names),
        "how": None if "how" not in rule else _sources(rule["how"], rule, names),
        "category": rule["category"],
        "from": rule["from"],
    }


def _by_name(rules: list[Table], key: str, known: frozenset[str], names: Names) -> dict[str, list[dict[str, Any]]]:
    compiled: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        if key not in rule:
            raise rule.wrong(f"the rule lacks {key!r}")
        made = _rule(rule, key, names)
        for name in rule[key]:
            if name not in known:
                raise rule.wrong(f"{name!r} is unknown", key)
            others = compiled.setdefault(name, [])
            if any(other["needs"] == made["needs"] for other in others):
                raise rule.wrong(f"{name!r} has a rule already", key)
            others.append(made)
    return compiled


def arguments(table: Table, calls: frozenset[str], constants: Table) -> dict[str, Any]:
    """arguments.yaml, by call."""
    table.only("dirfd", "behind", "details")
    behind = table["behind"]
    behind.only("URINGOP", "names")
    if not calls.issuperset(behind["names"].values()):
        raise behind.wrong("a call is unknown", "names")
    details: dict[str, dict[str, list[str]]] = {}
    for rule in table["details"]:
        shown = {name: _argument(form, rule, constants) for name, form in rule.items() if name != "calls"}
        for call in rule["calls"]:
            if call not in calls or call in details:
                raise rule.wrong(f"{call!r} is unknown, or has its details already", "calls")
            details[call] = shown
    return {
        "dirfd": _dirfd(table["dirfd"], calls),
        "uring": behind["URINGOP"].split(":"),
        "behind": behind["names"],
        "details": details,
    }


def _argument(text: str, rule: Table, constants: Table) -> list[str]:
    argument, _, form = text.partition(":")
    if argument not in ("a0", "a1", "a2", "a3") or (form not in FORMS and form not in constants):
        raise rule.wrong(f"{text!r} is no argument of SYSCALL with a form")
    return [argument, form]


def _dirfd(listed: Table, calls: frozenset[str]) -> dict[str, list[Optional[str]]]:
    """call -> the argument that holds the first name's directory, the second's."""
    listed.only("a0", "a1", "a2", "a3", "second a2")
    made: dict[str, list[Optional[str]]] = {}
    for where, names in listed.items():
        for name in names:
            if name not in calls:
                raise listed.wrong(f"{name!r} is unknown", where)
            made.setdefault(name, [None, None])[where.startswith("second")] = where.split()[-1]
    return made


def actions(table: Table, types: frozenset[str], calls: frozenset[str], constants: Table) -> dict[str, Any]:
    """actions.yaml, with a dictionary of rules by record type and one by call."""
    table.only("how", "default", "parts", "fields", "records", "calls")
    if not types.issuperset(table["parts"]):
        raise table.wrong("a record type is unknown", "parts")
    names = Names(types, calls, constants, table["fields"])
    table["how"].only("default", "interpreters")
    table["default"].only("call", "record")
    table["default"]["call"].only("keyed", "unkeyed", "kind", "primary")
    by_call = _by_name(table["calls"], "calls", calls, names)
    return {
        "how": _sources(table["how"]["default"], table["how"], names),
        "interpreters": table["how"]["interpreters"],
        "default": table["default"],
        "parts": table["parts"],
        "fields": table["fields"],
        "records": _by_name(table["records"], "types", types, names),
        "calls": {name: rules[0] for name, rules in by_call.items()},
    }


def secrets(table: Table) -> dict[str, Any]:
    """secrets.yaml: no program may have two rules."""
    table.only("names", "headers", "prefixes", "programs")
    table["names"].only("contain", "whole", "end")
    seen: set[str] = set()
    for rule in table["programs"]:
        rule.only("names", "attached", "next", "pair")
        for name in rule["names"]:
            if name in seen:
                raise rule.wrong(f"{name!r} has a rule already", "names")
            seen.add(name)
    return table


def compiled(data: str, types: Callable[[str], frozenset[str]] = record_types) -> dict[str, Any]:
    """Every table under `data`, checked."""
    numbers = syscalls(os.path.join(data, "syscalls.csv"))
    calls = frozenset(name for table in numbers.values() for name in table.values())
    policy: dict[str, Any] = {"syscalls": numbers}
    for name in sorted(os.listdir(data)):
        if name.endswith(".yaml"):
            policy[name[: -len(".yaml")]] = read_yaml(os.path.join(data, name))
    policy["actions"] = actions(policy["actions"], types(data), calls, policy["constants"])
    policy["arguments"] = arguments(policy["arguments"], calls, policy["constants"])
    policy["secrets"] = secrets(policy["secrets"])
    return policy
