# SPDX-License-Identifier: Apache-2.0
"""Which real record exercises which rule of data/actions.yaml.

`/usr/bin/python3 -m tests.samples` writes docs/actions.md: every rule, where its words are from, and its sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from audisp_maldito import tables
from audisp_maldito.fields import Fields
from audisp_maldito.objects import call_behind
from tests.events import events, recordings

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "corpus"
REPORT = ROOT / "docs" / "actions.md"

HEAD = """\
# The actions

Every rule of `audisp_maldito/data/actions.yaml` with a record that exercises it, as `python3 -m tests.samples` found
it in `tests/corpus`. *Words* says whose they are: go = go-libaudit's, userspace = audit-userspace's, ours. Samples in
`deeds` were recorded on kernel 6.18 (`tests/deeds`), those in `hosts` in virtual machines; those in `formats.log`
follow the format of the program or kernel file that is named there. *Object* names the sources in the order in which
they are tried.

A system call without a rule is `triggered-audit-rule` (or `triggered-unknown-audit-rule` where the rule has no key)
on `admin-defined-rule`, a record type without one `recorded-` and the type in small letters: nothing is without an
action.
"""


class Sample(NamedTuple):
    file: str
    event: str


def samples() -> tuple[dict[str, Sample], dict[str, Sample]]:
    """Record type -> its first sample, and call -> its first sample."""
    types: dict[str, Sample] = {}
    calls: dict[str, Sample] = {}
    for path in [*recordings(), CORPUS / "formats.log"]:
        for event in events(path.read_bytes()):
            sample = Sample(str(path.relative_to(CORPUS)), event.id)
            for record in event.records:
                types.setdefault(record.type, sample)
            call = call_behind(Fields(event))
            if call is not None:
                calls.setdefault(call, sample)
    return types, calls


def _object(rule: dict[str, Any]) -> str:
    sources = ["/".join(":".join(filter(None, source)) for source in rule[name]) for name in ("primary", "secondary")]
    return ", ".join(filter(None, [rule["kind"], *sources])) or "–"


def _word(rule: dict[str, Any]) -> str:
    word = rule["action"]
    return word if isinstance(word, str) else " / ".join(dict.fromkeys([*word["words"].values(), word["else"]]))


def _rows(rules: list[tuple[str, dict[str, Any]]], found: dict[str, Sample]) -> list[str]:
    rows = ["| | action | object | words | sample |", "|---|---|---|---|---|"]
    for name, rule in rules:
        sample = found.get(name, Sample("none", ""))
        rows.append(f"| {name} | {_word(rule)} | {_object(rule)} | {rule['from']} | {sample.file} {sample.event} |")
    return rows


def report() -> str:
    types, calls = samples()
    table = tables.load("actions")
    records = [(name, rule) for name, rules in sorted(table["records"].items()) for rule in rules]
    lines = [HEAD, "## Record types", "", *_rows(records, types), ""]
    lines += ["## System calls", "", *_rows(sorted(table["calls"].items()), calls)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    REPORT.write_text(report())
