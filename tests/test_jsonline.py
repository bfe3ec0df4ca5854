# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come in, strict readers get one line of valid JSON from which the bytes can be had back."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audisp_maldito.jsonline import encode


def line(document: dict[str, Any]) -> bytes:
    return encode(document, document)


def unescaped(text: str) -> bytes:
    """What the module's head promises a reader of an `escaped` text."""
    return re.sub(
        rb"\\(\\|x([0-9a-f]{2}))", lambda m: b"\\" if m[1] == b"\\" else bytes.fromhex(m[2].decode()), text.encode()
    )


def test_text_is_written_as_it_is() -> None:
    """What is valid UTF-8 isn't escaped, and nothing is marked."""
    assert line({"a": "jörg \U0001f600"}) == '{"a":"jörg \U0001f600"}'.encode()


def test_undecodable_bytes_are_shown_and_marked() -> None:
    """Each byte as \\xHH, each backslash of that text doubled, its key listed."""
    written = json.loads(line({"a": b"caf\xe9 \\x41".decode("utf-8", "surrogateescape"), "b": "\\x41"}))

    assert written == {"a": "caf\\xe9 \\\\x41", "b": "\\x41", "escaped": ["a"]}


def test_undecodable_bytes_deep_inside() -> None:
    """In lists and mappings the nearest key is listed, once."""
    bad = "\udcff"
    written = json.loads(line({"list": [bad, [bad]], "map": {"inner": bad, "good": 1}}))

    assert written["escaped"] == ["inner", "list"]
    assert written["list"] == ["\\xff", ["\\xff"]]


def test_steering_characters_are_escaped() -> None:
    """No line separator, C1 control or bidirectional override reaches a terminal or a careless line reader raw."""
    steering = "\x7f\x85\x9b\u2028\u2029\u202e\u2066\ufeff"
    written = line({"a": steering})

    assert not any(character.encode() in written for character in steering)
    assert json.loads(written) == {"a": steering}


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_come_back(data: bytes) -> None:
    """Nothing is lost: from the line the bytes can be had back."""
    written = line({"a": data.decode("utf-8", "surrogateescape")})
    document = json.loads(written.decode("utf-8"))

    assert b"\n" not in written
    text = document["a"]
    assert (unescaped(text) if "escaped" in document else text.encode()) == data


@settings(deadline=None)
@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_valid_documents_are_json(value: Any) -> None:
    """Any value that is no lone surrogate is read back as it was."""
    assert json.loads(encode({"a": value}, {})) == {"a": value}
