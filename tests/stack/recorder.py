#!/usr/bin/python3 -I
# SPDX-License-Identifier: Apache-2.0
"""A plugin that writes down what auditd gives to a plugin, byte by byte: `recorder FILE`."""

import os
import sys

with open(sys.argv[1], "ab", buffering=0) as out:
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        out.write(data)
