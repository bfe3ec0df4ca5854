# SPDX-License-Identifier: Apache-2.0
"""An auditd plugin that says which SSH identity did what."""

__version__ = "0.1.0"
