# SPDX-License-Identifier: Apache-2.0
"""A document that is too long is cut in the middle, and says what it was."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audisp_maldito.fit import fitted as fit_within
from audisp_maldito.jsonline import encode

LIMIT = 4096


def fitted(document: dict[str, Any], limit: int = LIMIT) -> bytes:
    """As the engine does it; the document itself is never touched."""
    before = copy.deepcopy(document)
    line = fit_within(document, document["metadata"]["extra"], limit)

    assert document == before
    return line


def read(line: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(line)
    return document


def document(**extra: Any) -> dict[str, Any]:
    return {
        "metadata": {"auditId": "1", "extra": {"schema": 1, **extra}},
        "type": "UserAction",
        "source": {"value": "x"},
    }


def test_what_fits_is_untouched() -> None:
    args = ["ls", "", "x" * 3000]

    assert fitted(document(process_args=args)) == encode(document(process_args=args), {})


def test_long_argument() -> None:
    """Both ends stay; number, length and SHA-256 of the whole are said."""
    args = ["sh", "-c", "A" * 1000 + "x" * 2_000_000 + "Z" * 1000]
    line = fitted(document(process_args=args))

    extra = read(line)["metadata"]["extra"]
    whole = "\0".join(args).encode()
    assert len(line) <= LIMIT
    assert extra["process_args"][2].startswith("AAAA") and extra["process_args"][2].endswith("ZZZZ")
    assert extra["argsTruncated"] == {
        "count": 3, "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest(), "kept": 3,
    }  # fmt: skip


def test_many_arguments() -> None:
    """First and last ones stay."""
    line = fitted(document(process_args=["rm", *(f"file{n}" for n in range(100_000))]))

    extra = read(line)["metadata"]["extra"]
    assert len(line) <= LIMIT
    assert extra["process_args"][0] == "rm" and extra["process_args"][-1] == "file99999"
    assert extra["argsTruncated"]["count"] == 100_001


def test_undecodable_argument() -> None:
    """The digest is that of the bytes that were given, not of their escapes."""
    data = b"\xff\\" * 5000
    extra = read(fitted(document(process_args=["x", data.decode("utf-8", "surrogateescape")])))["metadata"]["extra"]

    assert extra["argsTruncated"]["sha256"] == hashlib.sha256(b"x\0" + data).hexdigest()
    assert extra["escaped"] == ["process_args"]


def test_many_paths() -> None:
    """Four thousand PATH records are no way to make an event vanish downstream."""
    line = fitted(document(paths=[{"item": n, "name": f"/tmp/{n}"} for n in range(4000)]))

    assert len(line) <= LIMIT
    assert read(line)["metadata"]["extra"]["cut"] == ["paths: 4000 items"]


def test_long_texts_anywhere() -> None:
    """Titles, names, key ids, source: nothing is exempt."""
    made = document(title="t" * 50_000, object={"primary": "/" * 50_000})
    made["source"]["value"] = "v" * 50_000

    line = fitted(made)
    assert len(line) <= LIMIT
    assert read(line)["metadata"]["extra"]["cut"] == ["primary", "title", "value"]


hostile = st.text(st.sampled_from('a\x00\x1b"\\ \u2028\udcff\U0001f600'), max_size=20).flatmap(
    lambda piece: st.integers(0, 4000).map(lambda times: piece * times)
)


@settings(deadline=None)
@given(
    args=st.lists(hostile, max_size=6),
    title=hostile,
    paths=st.lists(st.fixed_dictionaries({"name": hostile}), max_size=6),
    primary=hostile,
)
def test_every_document_fits(args: list[str], title: str, paths: list[dict[str, str]], primary: str) -> None:
    """Whatever makes it long, and whatever JSON makes of its characters."""
    made = document(process_args=args, title=title, paths=paths, object={"primary": primary})

    assert len(fitted(made)) <= LIMIT
