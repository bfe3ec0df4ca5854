# SPDX-License-Identifier: Apache-2.0
"""The real stack: kernel audit, auditd, journald and sshd, started by the tests and put away by them.

One noun per module: `kernel` (the audit state), `daemon` (a process we answer for), `journald`, `auditd`, `sshd`,
`accounts`, `keys`, `trail` (an audit.log read without the product's code), `rig` (all of them together), `capture`.
Works with and without systemd as pid 1, as long as nobody else holds the kernel's one place for an audit daemon.
"""
