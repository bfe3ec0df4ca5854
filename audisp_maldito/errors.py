# SPDX-License-Identifier: Apache-2.0
"""Exceptions that an operator can answer. The class's docstring is the message, `exit_code` the status.

MalditoError
├── ConfigError   2   a configuration, policy file or command line that cannot be used
└── InputError    1   an input that cannot be read

Bad audit records and journal entries are no exceptions: they are counted (see `Engine.stats`).
"""

from __future__ import annotations


class MalditoError(Exception):
    """{0}"""

    exit_code = 1

    def __str__(self) -> str:
        return (self.__doc__ or "").format(*self.args)


class ConfigError(MalditoError):
    """{0}: {1}"""

    exit_code = 2


class InputError(MalditoError):
    """cannot read {0}: {1}"""

    exit_code = 1
