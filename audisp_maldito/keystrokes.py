# SPDX-License-Identifier: Apache-2.0
"""What was typed on an audited terminal, readably: control characters and function keys by name.

TTY records cut a terminal's input at any byte, so a key's sequence may begin in one record and end in the next; what is
left of it here is shown as `<esc>` and letters.
"""

from __future__ import annotations

import re

_KEYS = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1bOH": "home",
    "\x1bOF": "end",
    "\x1b[1~": "home",
    "\x1b[2~": "insert",
    "\x1b[3~": "delete",
    "\x1b[4~": "end",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b": "esc",
    "\r": "ret",
    "\n": "nl",
    "\t": "tab",
    "\b": "backspace",
    "\x7f": "backspace",
}
_KEY = re.compile("|".join(re.escape(key) for key in sorted(_KEYS, key=len, reverse=True)) + "|[\x00-\x1f]")


def named(text: str) -> str:
    """The text with each key that is no character as `<name>`: `ls -k<backspace>l<ret>`."""
    return _KEY.sub(lambda match: f"<{_KEYS.get(match[0]) or '^' + chr(ord(match[0]) + 64)}>", text)
