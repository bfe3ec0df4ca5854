# SPDX-License-Identifier: Apache-2.0
"""What every document must be, whatever test it comes from: one line of compact JSON, the original's keys in the
original's order, those of an action in the schema's, nothing that data/event.schema.json does not describe, no null.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema

import audisp_maldito

SCHEMA = json.loads((Path(audisp_maldito.__file__).parent / "data" / "event.schema.json").read_bytes())
ORDER = ["metadata", "type", "loggedAt", "source", "outcome", "subjects", "component", "target", "data"]
EXTRA_ORDER = list(SCHEMA["definitions"]["actionExtra"]["properties"])
LAST = frozenset(["argsTruncated", "seq", "escaped", "cut"])
"""What is put behind an action's other keys when the document is written."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

Document = dict[str, Any]


def read(line: bytes) -> Document:
    """The document that `line` holds; AssertionError says what is wrong with it."""
    assert b"\n" not in line
    text = line.decode()
    document: Document = json.loads(text, object_pairs_hook=_no_key_twice)
    keys = list(document)
    assert [key for key in ORDER if key in document] == keys, f"keys out of order: {keys}"
    complaints = [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in _VALIDATOR.iter_errors(document)]
    assert not complaints, f"{complaints}\nin {text}"
    plain = _STRING.sub("", text)
    assert not re.search(r"\s", plain), "blanks between the tokens"
    assert "null" not in plain, f"absent means that there is no key: {text}"
    extra = [key for key in document["metadata"]["extra"] if key not in LAST]
    if document["type"].endswith("Action"):
        assert extra == [key for key in EXTRA_ORDER if key in extra], f"keys out of order: {extra}"
    return document


def read_all(lines: list[bytes]) -> list[Document]:
    """All of them; their `seq` runs on without a hole."""
    documents = [read(line) for line in lines]
    assert [document["metadata"]["extra"]["seq"] for document in documents] == list(range(1, len(documents) + 1))
    return documents


def without_seq(lines: list[bytes]) -> list[Document]:
    """As a set may be compared: documents less their place in the file."""
    documents = [read(line) for line in lines]
    for document in documents:
        del document["metadata"]["extra"]["seq"]
    return documents


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"a key stands twice: {keys}"
    return dict(pairs)
