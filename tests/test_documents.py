# SPDX-License-Identifier: Apache-2.0
"""The schema itself: it is valid, closed, every key is described, and every place that policy can write to is in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from audisp_maldito import tables

from .documents import SCHEMA

DEFINITIONS = SCHEMA["definitions"]


def keys(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in schema.get("properties", {}).items():
        yield f"{path}.{name}", value
        yield from keys(value, f"{path}.{name}")


def every_key() -> list[tuple[str, dict[str, Any]]]:
    found = list(keys(SCHEMA))
    for name, definition in DEFINITIONS.items():
        found += keys(definition, name)
    return found


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("path", "schema"), every_key(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_key_is_described(path: str, schema: dict[str, Any]) -> None:
    """A reader of a document finds what each key means."""
    described = (
        DEFINITIONS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema and "description" not in schema else schema
    )

    assert described.get("description", "").endswith((".", "?"))


@pytest.mark.parametrize("name", [name for name, schema in DEFINITIONS.items() if "properties" in schema])
def test_every_object_is_closed(name: str) -> None:
    """A stray key fails a test somewhere."""
    assert DEFINITIONS[name]["additionalProperties"] is False


def test_places_of_sshds_details() -> None:
    """What sshd.yaml sends to a document is allowed there."""
    places = {
        "data": DEFINITIONS["loginData"]["properties"],
        "metadata": DEFINITIONS["loginExtra"]["properties"],
        "subjects": SCHEMA["properties"]["subjects"]["properties"],
    }
    for field in tables.load("sshd")["fields"].values():
        place, _, detail = field["to"].partition(".")
        if place in places:
            assert detail in places[place]


DOCUMENT: dict[str, Any] = {
    "metadata": {
        "auditId": "5",
        "extra": {"schema": 1, "eventId": "1.000:2", "seq": 1, "action": "x", "object": {}, "type": "LOGIN"},
    },
    "type": "UserAction",
    "loggedAt": "1970-01-01T00:00:01Z",
    "source": {"type": "IP", "value": "unknown"},
    "outcome": "succeeded",
    "subjects": {"loggedAs": "core", "pid": "1", "userID": "unknown"},
    "component": "auditd",
    "target": {"host": "h", "machine-id": "m"},
}  # fmt: skip


@pytest.mark.parametrize(
    "path", ["", "metadata", "metadata.extra", "source", "subjects", "target", "metadata.extra.object"]
)
def test_stray_keys(path: str) -> None:
    """At every level of a document."""
    jsonschema.validate(DOCUMENT, SCHEMA)
    document = copy.deepcopy(DOCUMENT)
    place = document
    for name in filter(None, path.split(".")):
        place = place[name]
    place["stray"] = "x"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
