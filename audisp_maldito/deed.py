# SPDX-License-Identifier: Apache-2.0
"""What one event says was done, in the words of the documents (`metadata.extra`, in the schema's order), and as whom.
Pure.
"""

from __future__ import annotations

from typing import Any

from .lineage import Escalation
from .model import Action


def escalated(escalation: Escalation) -> dict[str, Any]:
    """As whom, and which record says how that came about."""
    said: dict[str, Any] = {"euid": escalation.euid}
    grant = escalation.grant
    if grant is not None:
        named = (("by", grant.by), ("account", escalation.account), ("command", grant.command), ("event", grant.event))
        said.update((name, value) for name, value in named if value is not None)
    return said


def extra(action: Action) -> tuple[dict[str, Any], dict[str, Any]]:
    """`metadata.extra` of an action: the original's keys, and ours."""
    original: dict[str, Any] = {"action": action.action}
    if action.how is not None:
        original["how"] = action.how
    kind, primary, secondary = action.object
    named = (("type", kind), ("primary", primary), ("secondary", secondary))
    original["object"] = {name: value for name, value in named if value is not None}
    if action.args:
        original["process_args"] = list(action.args)
    user = action.user
    names = user.get("names", {})
    ours = (
        ("type", action.type),
        ("category", action.category),
        ("cwd", action.cwd),
        ("exe", action.exe),
        ("comm", action.comm),
        ("pid", action.pid),
        ("ppid", action.ppid),
        ("tty", action.tty),
        ("auid", action.auid),
        ("uid", user.get("uid")),
        ("euid", user.get("euid")),
        ("names", {name: names[name] for name in ("auid", "uid", "euid") if name in names} or None),
        ("syscall", action.syscall),
        ("arch", action.arch),
        ("exit", action.exit),
        ("errno", action.errno),
        ("key", action.keys or None),
        ("paths", action.paths or None),
        ("socket", action.socket),
        ("title", action.shown_title),
        ("container", action.container),
        ("details", action.details or None),
        ("node", action.node),
        ("warnings", action.warnings or None),
    )
    return original, {name: value for name, value in ours if value is not None}
