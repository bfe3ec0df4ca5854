# SPDX-License-Identifier: Apache-2.0
"""One rig for all tests of this directory: it costs a second to start, and a machine has only one kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .plugin import Plugin
from .rig import Rig, missing, required


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    why = missing()
    if why is not None and required():
        pytest.fail(why)
    if why is not None:
        pytest.skip(why)
    with Rig() as rig:
        yield rig


@pytest.fixture(scope="session")
def _running(rig: Rig) -> Iterator[Plugin]:
    plugin = Plugin(rig)
    plugin.start()
    yield plugin
    plugin.stop()


@pytest.fixture
def plugin(_running: Plugin, rig: Rig) -> Iterator[Plugin]:
    """The plugin, with the default configuration but for where its files lie; the same process for all tests."""
    process = _running.pid()
    assert process, "the plugin is not running"
    yield _running
    assert process == _running.pid(), "the plugin died and was started again"
    rig.core.authorize("")
