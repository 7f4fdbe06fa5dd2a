"""What `tests/activation/refreshes/test_refreshing.py` says, on PostgreSQL."""

from activation.refreshing.test_refreshing import *  # noqa: F403
