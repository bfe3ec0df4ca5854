# SPDX-License-Identifier: Apache-2.0
"""YAML as the operator's files use it: texts, lists and mappings, a few levels deep.

The rest of the language is what ends a process: libyaml composes by recursion and dies of a deep file, a merged alias
grows with each level, and a tag constructs what its text does not say with any exception there is. So a file is first
gone through event by event, which is iterative, and only one without any of that is composed. Whatever is wrong is a
ConfigError that names the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from .errors import ConfigError

DEPTH = 8
"""Levels within each other: the deepest of our files has three."""
_TAGS = frozenset([None, "!", *("tag:yaml.org,2002:" + kind for kind in ("str", "seq", "map"))])


def events(data: bytes, path: str, hint: str = "") -> Iterator[Any]:
    """The file's events; `path` is only for the messages, `hint` for those of what is no YAML."""
    import yaml  # a third of the start-up time, and only where there is a file

    depth = 0
    with _refused(path, hint=hint):
        for event in yaml.parse(data, Loader=_loader()):
            where = f"{path}:{event.start_mark.line + 1}"
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(where, "an alias (*) is not understood here; quote a text that begins with one")
            if getattr(event, "tag", None) not in _TAGS:
                raise ConfigError(where, f"the tag {event.tag!r:.80} is not understood here")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH:
                raise ConfigError(where, f"more than {DEPTH} levels within each other")
            yield event


def pairs(data: bytes, path: str) -> list[tuple[int, str, Any]]:
    """The top-level keys in order, doubled ones included, with their line and value."""
    import yaml

    for _ in events(data, path):
        pass  # nothing that would end the composer
    with _refused(path):
        loader = _loader()(data)
        node = loader.get_single_node()
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(path, "must be a list of 'key: value' lines")
    found = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        with _refused(path, line):
            found.append((line, str(key.value), loader.construct_document(value)))
    return found


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@contextmanager
def _refused(path: str, line: Optional[int] = None, hint: str = "") -> Iterator[None]:
    """PyYAML's errors, and those that it lets pass from constructing."""
    import yaml

    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = line or (error.problem_mark.line + 1 if error.problem_mark else 1)
        raise ConfigError(f"{path}:{line}", (error.problem or "not YAML") + hint) from error
    except (yaml.YAMLError, RecursionError, ValueError, AttributeError, TypeError, OverflowError) as error:
        where = f"{path}:{line}" if line else path
        raise ConfigError(where, "not YAML: " + (str(error).splitlines() or [type(error).__name__])[0]) from error
