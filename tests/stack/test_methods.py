# SPDX-License-Identifier: Apache-2.0
"""Every method of tests/stack/methods.py through the whole stack: what it names, and that docs/methods.md says so."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from . import methods
from .keys import plain
from .methods import METHODS, Document, Stage, Step
from .plugin import Plugin
from .rig import Rig
from .waiting import until

pytestmark = pytest.mark.stack


def reload(plugin: Plugin, rig: Rig, **settings: str) -> None:
    """Another configuration, by HUP, in the same process."""
    since = rig.journald.cursor()
    plugin.configure(**settings)
    os.kill(plugin.pid(), signal.SIGHUP)
    until(lambda: any(line.startswith("HUP:") for line in plugin.said(since)), "the plugin to read its configuration")


@pytest.fixture(scope="module")
def stage(rig: Rig) -> Iterator[Stage]:
    directory = rig.directory / "methods"
    directory.mkdir(mode=0o755)
    made = Stage(directory, rig.core, rig.other, rig.authority)
    yield made
    made.close()


@pytest.fixture(scope="module")
def done(rig: Rig, _running: Plugin, stage: Stage) -> Iterator[dict[str, tuple[Step, list[Document]]]]:
    """All methods done, and the documents of each."""
    plugin = _running
    identities = stage.directory / "identities.yaml"
    identities.write_text(f"keys:\n  {stage.bob.fingerprint}: {methods.BOB}\n")
    identities.chmod(0o600)
    asking = stage.directory / "sshd_config"
    asking.write_text(rig.sshd.config.read_text() + "Match User nobody\n  " + methods.FACTORS)
    reload(plugin, rig, identities=str(identities), sshd_config=str(asking))
    steps = list(methods.perform(stage, rig.journald.cursor, rig.journald.entries))
    last = rig.person("last@example.org")
    rig.visit(last, "sleep 1")  # on a busy machine journald looks at sshd's program only when a short login is over
    plugin.login(last.fingerprint)
    without = next(step for step in steps if "UsePAM no" in step.name)
    until(lambda: methods.of_step(without, plugin.documents()), "the login without a session")
    for document in [d for d in plugin.documents() if d["type"] == "UserLogin" and "session" in d["metadata"]["extra"]]:
        plugin.actions(int(document["metadata"]["extra"]["session"]))
    yield {step.name: (step, methods.of_step(step, plugin.documents())) for step in steps}
    reload(plugin, rig)
    rig.core.authorize("")


@pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
def test_method(method: methods.Method, done: dict[str, tuple[Step, list[Document]]]) -> None:
    """The right person, the right number of refusals, nothing of anybody else."""
    _, told = done[method.name]
    assert methods.complaints(method, told) == [], json.dumps(told, indent=1)[:4000]


def test_the_documentation_shows_what_was_seen(done: dict[str, tuple[Step, list[Document]]]) -> None:
    """`MALDITO_WRITE=docs` writes it anew."""
    seen = methods.table([methods.row(method, done[method.name][1]) for method in METHODS])
    if os.environ.get("MALDITO_WRITE") == "docs":
        methods.write(seen, "tests/stack/test_methods.py")
    assert seen in methods.DOCS.read_text()


def _said(rig: Rig, plugin: Plugin, words: str, since: str) -> bool:
    rig.auditd.settle()  # any event makes the plugin look
    return any(words in line for line in plugin.said(since))


def _logins(plugin: Plugin, pid: str) -> list[Document]:
    return [document for document in plugin.logins() if document["subjects"]["pid"] == pid]


def test_the_identities_file_is_read_anew_when_it_changes(rig: Rig, plugin: Plugin, stage: Stage) -> None:
    """Without a HUP; a broken one leaves the last good one in force."""
    key = plain(stage.directory, "carol-key")
    rig.core.authorize(key.key.line())
    listed = stage.directory / "listed.yaml"
    listed.write_text("keys:\n")
    listed.chmod(0o600)
    reload(plugin, rig, identities=str(listed))

    for text, said, person in (
        (f"keys:\n  {key.fingerprint}: carol@example.org\n", "1 entries read", "carol@example.org"),
        (f"keys:\n  {key.fingerprint}: [", "the last good one stays in force", "carol@example.org"),
    ):
        since = rig.journald.cursor()
        listed.write_text(text)
        until(partial(_said, rig, plugin, said, since), "the file to be read")
        assert rig.visit(key).status == 0
        pid = next(e["_PID"] for e in rig.journald.entries(since) if str(e.get("MESSAGE")).startswith("Accepted "))
        (login,) = until(partial(_logins, plugin, pid), "the login")
        assert (login["subjects"]["userID"], login["data"]["IdentitySource"]) == (person, "identities")
    reload(plugin, rig)
