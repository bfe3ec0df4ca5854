# SPDX-License-Identifier: Apache-2.0
"""The Go original's own test lines through `replay --sshd-log`: its consumers get what they got, but for what is listed
here and, with the same reasons, in docs/differences.md.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from audisp_maldito import cli

from . import documents

VECTORS = Path(__file__).parent / "corpus" / "sshd-go-vectors.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "differences.md"

NO_LOGIN = "A remark about DNS is no login"
HOST = "What is no address is no IP"
DIFFERENCES = {
    # handler of the original: the difference, a heading of the page
    "nastyPTR": NO_LOGIN,
    "reverseMapping": NO_LOGIN,
    "notMapBack": NO_LOGIN,
}


def vectors() -> list[dict[str, Any]]:
    return [json.loads(line) for line in VECTORS.read_text().splitlines()]


def replayed(vector: dict[str, Any], directory: Path) -> list[documents.Document]:
    log, output = directory / "sshd.log", directory / "out.jsonl"
    log.write_text(f"{vector['pid']} {vector['message']}\n")
    arguments = ["--host", vector["node"], "--machine-id", vector["machineId"], "--output", str(output)]
    assert cli.main(["replay", "--sshd-log", str(log), *arguments]) == 0
    return documents.read_all(output.read_bytes().splitlines())


def asserted(document: documents.Document, expected: dict[str, Any]) -> dict[str, Any]:
    """As much of the document as the original has."""
    data, extra = document.get("data", {}), document["metadata"]["extra"]
    found = {key: document[key] for key in ("type", "source", "outcome", "subjects", "component", "target")}
    found["metadata"] = {"extra": {k: extra.get(k) for k in expected["metadata"].get("extra", {})}}
    found["data"] = {key: data.get(key) for key in expected.get("data", {})}
    return found


def source_type(value: str) -> str:
    """HOST: the original says IP of everything."""
    try:
        ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return "IP" if value == "unknown" else "host"
    return "IP"


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: f"{v['test']}-{v['message'][:40]}")
def test_vector(vector: dict[str, Any], tmp_path: Path) -> None:
    """One line of the original's tests, one document, its fields."""
    found = replayed(vector, tmp_path)
    expected = vector["expected"]
    if expected is None or vector["handler"] in DIFFERENCES:
        assert found == []
        return
    source = {**expected["source"], "type": source_type(expected["source"]["value"])}
    wanted = {
        **{key: expected[key] for key in ("type", "outcome", "subjects", "component", "target")},
        "source": source,
        "metadata": {"extra": expected["metadata"].get("extra", {})},
        "data": expected.get("data", {}),
    }
    assert [asserted(document, expected) for document in found] == [wanted]
    assert found[0]["data"]["Trusted"] is False


@pytest.mark.parametrize("heading", [NO_LOGIN, HOST])
def test_differences_are_documented(heading: str) -> None:
    assert f"### {heading}" in PAGE.read_text()
