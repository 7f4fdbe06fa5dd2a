"""The tests of `tests/activation/refreshes/test_refreshing.py`, on PostgreSQL."""

from activation.refreshes.test_refreshing import *  # noqa: F403
