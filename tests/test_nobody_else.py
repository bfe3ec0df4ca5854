# SPDX-License-Identifier: Apache-2.0
"""Only an acceptance names: no other message of sshd's does, whatever key id or name it holds."""

from __future__ import annotations

import pytest

from audisp_maldito import tables
from audisp_maldito.engine import Engine
from audisp_maldito.persons import Persons
from audisp_maldito.trust import Policy

from . import documents, records
from .sessions import entry

EXAMPLES = [
    (row["id"], text)
    for row in tables.load("sshd")["rows"]
    if row.get("kind") != "accepted"
    for text in row["examples"]
]


class Everybody(Persons):
    """A directory that knows every key."""

    def of_key(self, _: str) -> set[str]:
        return {"alice@example.org"}

    def of_certificate(self, _: str, __: str) -> set[str]:
        return {"alice@example.org"}


@pytest.mark.parametrize(("row", "text"), EXAMPLES, ids=[f"{row} {n}" for n, (row, _) in enumerate(EXAMPLES)])
def test_no_other_message_names(row: str, text: str) -> None:
    """Every CA trusted, every key known, and a LOGIN of that very pid."""
    engine = Engine(Policy(trusted_cas=None, persons=Everybody({}), audit_identity=True), boot_id="b")
    lines = engine.sshd(entry(71, 1000.0, message=text, size=len(text.encode())), 1000.0)
    lines += engine.feed("".join(line + "\n" for line in records.login("1000.010:7", 71, 5)).encode(), 1000.0)
    lines += engine.close(1010.0)

    assert {"unknown"} == {documents.read(line)["subjects"]["userID"] for line in lines}
