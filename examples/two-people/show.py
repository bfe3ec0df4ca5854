# SPDX-License-Identifier: Apache-2.0
"""Prints documents (JSON lines on stdin) as a table that people read: when, who, as whom, did what."""

import json
import shlex
import sys

SHOWN = ("executed", "opened-file", "ran-command", "connected-to", "started-session")


def _time(stamp: str) -> str:
    """Milliseconds; the documents' times have no zeros at their end, and no fraction at all if there is none."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{whole[11:]}.{fraction[:3]:0<3}"


def line(document: dict) -> str:
    subjects, extra = document["subjects"], document["metadata"].get("extra", {})
    who = f"{subjects['userID']} as {subjects['loggedAs']}"
    what = extra.get("action") or {"UserLogin": "logged in", "UserLogout": "logged out"}.get(document["type"], "")
    target = extra.get("object", {}).get("primary", "")
    if "process_args" in extra:
        target = shlex.join(extra["process_args"])
    if document["type"] == "UserLogin":
        target = f"from {document['source']['value']}, {document.get('data', {}).get('Method', '')}"
    failed = "" if document["outcome"] == "succeeded" else f"  FAILED {extra.get('errno', '')}"
    return f"{_time(document['loggedAt'])} {who:<28} {what:<16} {target}{failed}"


def main() -> None:
    counts: dict = {}
    for text in sys.stdin:
        document = json.loads(text)
        who = document["subjects"]["userID"]
        counts[document["type"], who] = counts.get((document["type"], who), 0) + 1
        action = document["metadata"].get("extra", {}).get("action")
        # A shell opens dozens of libraries a second: shown is what somebody would ask about.
        if document["type"] != "UserAction" or (
            action in SHOWN and (action != "opened-file" or document["outcome"] == "failed")
        ):
            print(line(document))
    print()
    for (kind, who), count in sorted(counts.items()):
        print(f"{count:6} {kind:<14} {who}")


main()
