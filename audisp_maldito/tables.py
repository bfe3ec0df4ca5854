# SPDX-License-Identifier: Apache-2.0
"""Policy as data: data/*.yaml and data/syscalls.csv are the source, data/policy.json is what runs.

`python3 -m audisp_maldito.tables` (part of the build) checks every table and writes policy.json. At run time only
that is read: JSON loads thirty times faster than YAML, and a table that is wrong never gets as far as an installed
plugin.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import Any

from .errors import ConfigError, MalditoError

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
POLICY = os.path.join(DATA, "policy.json")


@functools.lru_cache(maxsize=1)
def _policy() -> dict[str, Any]:
    try:
        with open(POLICY, encoding="utf-8") as f:
            policy: dict[str, Any] = json.load(f)
    except (OSError, ValueError) as e:
        raise ConfigError(POLICY, f"{e} (`make build` writes it)") from e
    return policy


def load(name: str) -> dict[str, Any]:
    """A compiled table: "actions", "constants", "syscalls", "sshd" … Shared: not to be changed."""
    table: dict[str, Any] = _policy()[name]
    return table


def main() -> int:
    from . import checks  # with PyYAML, which the run-time half has no need of

    try:
        policy = checks.compiled(DATA)
    except MalditoError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    with open(POLICY + ".new", "w", encoding="utf-8") as f:
        json.dump(policy, f, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    os.replace(POLICY + ".new", POLICY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
