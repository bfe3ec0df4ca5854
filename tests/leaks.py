# SPDX-License-Identifier: Apache-2.0
"""A program for `make sanitize`: use every verb of the extension, leave some events in flight, and end.

The leak sanitizer then names what was never freed. CPython leaves a little of its own; a stack with a frame of ours in
it is what the Makefile looks for.
"""

from __future__ import annotations

from pathlib import Path

from audisp_maldito._native import Assembler, Event

CORPUS = Path(__file__).parent / "corpus"


def look_at(event: Event) -> None:
    for record in event.records:
        for inner in (False, True):
            record.items(inner)
            record.text("exe", inner)
            record.word("op", inner)
            record.number_of("ses", 10, inner)
        record.names()


def main() -> None:
    for path in sorted(CORPUS.rglob("*.log")) + sorted(CORPUS.rglob("*.plugin.txt")):
        for keep in ("all", "sessions", "watched"):
            assembler = Assembler(in_flight=64, closed=128, keep=keep)
            data = path.read_bytes()
            for start in range(0, len(data), 4099):
                for event in assembler.feed(data[start : start + 4099], float(start)):
                    look_at(event)
            assembler.watch(1)
            assembler.forget(1)
            assembler.rejected()
            assembler.stats()
            if keep == "all":
                for event in assembler.close():
                    look_at(event)


if __name__ == "__main__":
    main()
