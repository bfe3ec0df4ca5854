# SPDX-License-Identifier: Apache-2.0
"""Named tuples as JSON's plain values and back, by the types that their fields declare.

What is read back may be torn, old or a stranger's: a value of another type than declared is a ValueError, so that
nobody behind has to look twice. A field that has its default, or is None, is left out.
"""

from __future__ import annotations

import typing
from functools import cache
from typing import Any, Callable, TypeVar, Union

LONGEST = 1 << 20
"""Characters of a text. The longest argument lists have two million, and no event that long is held for its name."""
GREATEST = 1 << 64

Reader = Callable[[Any], Any]
T = TypeVar("T")


def plain(value: Any) -> Any:
    """`value` as numbers, texts, lists and dictionaries."""
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        if fields is None:
            return [plain(item) for item in value]
        defaults = value._field_defaults  # type: ignore[attr-defined]  # a named tuple's own
        return {
            name: plain(item)
            for name, item in zip(fields, value)
            if item is not None and not (name in defaults and item == defaults[name])
        }
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def read(kind: type[T], value: Any) -> T:
    """What `plain` made of a `kind`; ValueError if it is none."""
    result: T = _reader(typing.cast(Any, kind))(value)
    return result


@cache
def _reader(kind: Any) -> Reader:
    if kind is Any:
        return _anything
    if kind in (int, str, bool, float):
        return _SIMPLE[kind]
    if kind is type(None):
        return _nothing
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        return _either([_reader(part) for part in parts])
    if origin is list:
        return _list(_reader(parts[0]))
    if origin is tuple:
        return _tuple(parts)
    if origin is dict:
        return _dict(_reader(int) if parts[0] is int else _reader(str), _reader(parts[1]))
    return _named(kind)


def _wrong(value: Any, wanted: str) -> ValueError:
    return ValueError(f"{value!r:.60} where {wanted} should be")


def _anything(value: Any) -> Any:
    return value


def _nothing(value: Any) -> None:
    if value is not None:
        raise _wrong(value, "nothing")


def _int(value: Any) -> int:
    if type(value) is not int or not -GREATEST < value < GREATEST:
        raise _wrong(value, "a number")
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float) or not -GREATEST < value < GREATEST:
        raise _wrong(value, "a time")
    return float(value)


def _str(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise _wrong(value, "a text")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


_SIMPLE: dict[Any, Reader] = {int: _int, str: _str, bool: _bool, float: _float}


def _either(readers: list[Reader]) -> Reader:
    def read_either(value: Any) -> Any:
        for reader in readers:
            try:
                return reader(value)
            except ValueError:
                continue
        raise _wrong(value, "something else")

    return read_either


def _list(reader: Reader) -> Reader:
    def read_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(value, "a list")
        return [reader(item) for item in value]

    return read_list


def _tuple(parts: tuple[Any, ...]) -> Reader:
    if len(parts) == 2 and parts[1] is Ellipsis:
        items = _list(_reader(parts[0]))
        return lambda value: tuple(items(value))
    readers = [_reader(part) for part in parts]

    def read_tuple(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(readers):
            raise _wrong(value, f"{len(readers)} values")
        return tuple(reader(item) for reader, item in zip(readers, value))

    return read_tuple


def _dict(key_reader: Reader, reader: Reader) -> Reader:
    def read_dict(value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, "a table")
        if key_reader is _int:
            return {_number(key): reader(item) for key, item in value.items()}
        return {key: reader(item) for key, item in value.items()}

    return read_dict


def _number(key: str) -> int:
    """JSON knows no other keys than texts."""
    if not (key.isascii() and key.isdigit() and len(key) <= 20):
        raise _wrong(key, "a number")
    return int(key)


def _named(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = {name: _reader(hints[name]) for name in kind._fields}
    defaults = kind._field_defaults

    def read_named(value: Any) -> Any:
        if not isinstance(value, dict) or not value.keys() <= readers.keys():
            raise _wrong(value, kind.__name__)
        return kind(
            *(
                reader(value[name] if name in value else defaults.get(name))
                if name in value or name not in defaults
                else defaults[name]
                for name, reader in readers.items()
            )
        )

    return read_named
