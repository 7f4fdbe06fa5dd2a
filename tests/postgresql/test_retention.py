"""The tests of `tests/activation/test_retention.py`, on PostgreSQL."""

from activation.test_retention import *  # noqa: F403
