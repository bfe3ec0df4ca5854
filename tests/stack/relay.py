#!/usr/bin/python3 -I
# SPDX-License-Identifier: Apache-2.0
"""Stands between auditd and the plugin and notes when each record was handed on: `relay CONFIG STAMPS`.

A stamp is taken just before the record is written to the plugin's stdin, a socketpair like auditd's.
"""

import os
import re
import socket
import subprocess
import sys
import time

HEADER = re.compile(rb"type=(\S+) msg=audit\(([0-9.:]+)\)")


def main(config: str, stamps: str) -> None:
    ours, its = socket.socketpair()
    launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "audisp-maldito")
    nothing: dict[str, str] = {}  # as auditd starts it
    plugin = subprocess.Popen([launcher, config], stdin=its.fileno(), env=nothing)
    its.close()
    rest = b""
    with open(stamps, "ab", buffering=0) as out:
        while True:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                header = HEADER.search(line)
                assert header
                out.write(b"%d %s %s\n" % (time.monotonic_ns(), header[1], header[2]))
                ours.sendall(line + b"\n")
    ours.close()
    plugin.wait()


main(sys.argv[1], sys.argv[2])
