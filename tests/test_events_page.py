# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/events.md are what comes out for the recordings they are from, and every field is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from audisp_maldito import cli, normalize
from audisp_maldito.jsonline import encode

from . import documents
from .events import action, events, recordings, syscall

PAGE = (Path(__file__).parent.parent / "docs" / "events.md").read_text()
EXAMPLES: list[dict[str, Any]] = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
HOST = Path(__file__).parent / "corpus" / "hosts" / "escalation"


def parsed(event_id: str) -> dict[str, Any]:
    """What `parse` prints for an event of the corpus."""
    for path in recordings():
        if event_id.encode() in path.read_bytes():
            for event in events(path.read_bytes()):
                if event.id == event_id:
                    whole = normalize.parsed(normalize.action(event))
                    printed: dict[str, Any] = json.loads(encode(whole, whole))
                    return printed
    raise LookupError(event_id)


def shows(example: Any, whole: Any) -> bool:
    """Is it that, or that with some of its keys and items left out?"""
    if isinstance(example, dict):
        return all(key in whole and shows(value, whole[key]) for key, value in example.items())
    if isinstance(example, list):
        return all(any(shows(item, one) for one in whole) for item in example)
    return bool(example == whole)


def test_the_page_has_examples() -> None:
    assert ["id" if "id" in example else example["type"] for example in EXAMPLES] == ["id", "UserAction"]


def test_example_of_parse() -> None:
    """Shortened by what the page says; but no key of the top level is missing."""
    example = EXAMPLES[0]
    whole = parsed(example["id"])
    assert shows(example, whole)
    assert list(example) == list(whole)


def test_example_of_a_document(tmp_path: Path) -> None:
    """The whole of it, keys in their order."""
    example = EXAMPLES[1]
    output = tmp_path / "out.jsonl"
    source = [str(HOST / f"without-terminal{suffix}") for suffix in (".plugin.txt", ".journal.json")]
    words = ["replay", "--audit", source[0], "--journal", source[1], "--output", str(output)]
    assert cli.main([*words, "--trusted-ca", (HOST / "company-ca.txt").read_text().strip()]) == 0
    written = documents.read_all(output.read_bytes().splitlines())
    event_id = example["metadata"]["extra"]["eventId"]
    (whole,) = [d for d in written if d["metadata"]["extra"]["eventId"] == event_id]
    assert json.dumps(example) == json.dumps(whole)


def test_every_field_is_explained() -> None:
    """Of `parse` by a row of its own, of a document by its place in the order."""
    rows = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    printed = normalize.parsed(action(syscall(59, items="0")))
    assert set(printed) - rows - {"errno", "arch"} == set()
    order = PAGE.partition("always in this order")[2].partition("`loggedAt`")[0]
    listed = [name for name in re.findall(r"`([\w.]+)`", re.sub(r"\(.*?\)", "", order)) if name not in documents.LAST]
    assert listed == [name for name in documents.EXTRA_ORDER if name not in documents.LAST]
