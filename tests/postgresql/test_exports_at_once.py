"""The tests of `tests/activation/exports/test_exports_at_once.py`, on PostgreSQL."""

from activation.exports.test_exports_at_once import *  # noqa: F403
