# SPDX-License-Identifier: Apache-2.0
"""vis(3) undone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audisp_maldito.vis import unvis, unvis_cut
from tests.sshd_messages import vis


@given(st.binary(max_size=60))
def test_what_was_escaped_comes_back(raw: bytes) -> None:
    text = raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    assert unvis(vis(text)) == text
    assert unvis(vis(vis(text)), 2) == text


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("j\\303\\266rg", "jörg"),
        ("CORP\\\\bob", "CORP\\bob"),
        ("a\\nb\\tc\\sd\\r\\a\\b\\v\\f", "a\nb\tc d\r\a\b\v\f"),
        ("\\0", "\0"),
        ("\\377", "\udcff"),
        ("jörg \\303\\266", "jörg ö"),
        ("", ""),
        ("  x  ", "  x  "),
    ],
)
def test_escapes(text: str, meaning: str) -> None:
    assert unvis(text) == meaning


@pytest.mark.parametrize("text", ["CORP\\xbob", "ends in \\", "\\30", "\\400", "\\303\\q"])
def test_what_vis_does_not_write_stays_as_it_is(text: str) -> None:
    assert unvis(text) == text


@pytest.mark.parametrize(
    ("text", "meaning"), [("\\303\\266\\30", "ö\\30"), ("a\\\\b\\", "a\\b\\"), ("\\303", "\udcc3")]
)
def test_an_escape_cut_in_two_stays_as_it_is(text: str, meaning: str) -> None:
    assert unvis_cut(text) == meaning
