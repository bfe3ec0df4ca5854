# SPDX-License-Identifier: Apache-2.0
"""The corpora of records. corpus/records/NAME.log is one worry, NAME.json what must come of it (see test_scan.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
RECORDS = sorted((CORPUS / "records").glob("*.log"))


def expected(log: Path) -> dict[str, Any]:
    expectation: dict[str, Any] = json.loads(log.with_suffix(".json").read_text(encoding="ascii"))
    return expectation
