# SPDX-License-Identifier: Apache-2.0
"""Measurements, reported and never asserted: `make bench` runs each module."""
